/* UTF-8 checking beyond ASCII. */
#include "avrowire.h"

/* The bytes that may follow a lead byte first: the usual range narrowed for four of them. */
static bool second_byte_ok(uint8_t lead, uint8_t second)
{
    uint8_t low = 0x80, high = 0xbf;
    if (lead == 0xe0)
        low = 0xa0; /* else overlong */
    else if (lead == 0xed)
        high = 0x9f; /* else a surrogate */
    else if (lead == 0xf0)
        low = 0x90; /* else overlong */
    else if (lead == 0xf4)
        high = 0x8f; /* else beyond U+10FFFF */
    return second >= low && second <= high;
}

bool avrowire_is_utf8(const uint8_t *text, size_t len)
{
    const uint8_t *end = text + len;
    while (text < end) {
        uint8_t lead = *text++;
        if (lead < 0x80)
            continue;
        if (lead < 0xc2 || lead > 0xf4)
            return false;
        int more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        if (end - text < more || !second_byte_ok(lead, *text))
            return false;
        text++;
        while (--more > 0)
            if ((*text++ & 0xc0) != 0x80)
                return false;
    }
    return true;
}
