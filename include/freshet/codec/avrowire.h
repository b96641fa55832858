/* Avro's primitive encodings: each reader returns the byte after what it read, NULL if bad; each
 * writer the byte after what it wrote. */
#ifndef FRESHET_AVROWIRE_H
#define FRESHET_AVROWIRE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { AVROWIRE_MAX_VARINT = 10 };

static inline int64_t avrowire_unzigzag(uint64_t n)
{
    return (int64_t)(n >> 1 ^ (~(n & 1) + 1));
}

/* One byte at a time: for the last bytes of a datum, and for numbers of more than 8 bytes. */
static inline const uint8_t *avrowire_varint_slow(const uint8_t *cur, const uint8_t *end,
                                                  uint64_t *number)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < AVROWIRE_MAX_VARINT && cur < end; i++) {
        uint8_t byte = *cur++;
        if (i == AVROWIRE_MAX_VARINT - 1 && byte > 1)
            return NULL; /* the 64th bit is the last */
        n |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            *number = n;
            return cur;
        }
    }
    return NULL;
}

/*
 * Up to 8 bytes without a branch on their number, which is as good as random for times and ids:
 * find the first byte without a continuation bit, drop what follows, and close the gaps of one bit
 * between groups of 7, then of 2 between groups of 14, then of 4 between groups of 28.
 */
static inline const uint8_t *avrowire_varint(const uint8_t *cur, const uint8_t *end,
                                             uint64_t *number)
{
    if (cur < end && *cur < 0x80) {
        *number = *cur;
        return cur + 1;
    }
    if (end - cur < 8)
        return avrowire_varint_slow(cur, end, number);
    uint64_t n;
    memcpy(&n, cur, sizeof n);
    n = le64toh(n);
    uint64_t stops = ~n & UINT64_C(0x8080808080808080);
    if (!stops)
        return avrowire_varint_slow(cur, end, number);
    uint64_t stop = stops & (~stops + 1); /* bit 7 of the last byte */
    n &= stop - 1;
    n = (n & UINT64_C(0x7f007f007f007f00)) >> 1 | (n & UINT64_C(0x007f007f007f007f));
    n = (n & UINT64_C(0x3fff00003fff0000)) >> 2 | (n & UINT64_C(0x00003fff00003fff));
    n = (n & UINT64_C(0x0fffffff00000000)) >> 4 | (n & UINT64_C(0x000000000fffffff));
    *number = n;
    return cur + (__builtin_ctzll(stop) + 1) / 8;
}

static inline const uint8_t *avrowire_long(const uint8_t *cur, const uint8_t *end, int64_t *number)
{
    uint64_t n = 0;
    cur = avrowire_varint(cur, end, &n);
    *number = avrowire_unzigzag(n);
    return cur;
}

/* There is room for AVROWIRE_MAX_VARINT bytes. */
static inline char *avrowire_put_long(char *to, int64_t number)
{
    uint64_t n = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    for (; n >= 0x80; n >>= 7)
        *to++ = (char)(n | 0x80);
    *to++ = (char)n;
    return to;
}

/* *text and *len become the string's or bytes' content. */
static inline const uint8_t *avrowire_bytes(const uint8_t *cur, const uint8_t *end,
                                            const uint8_t **text, size_t *len)
{
    uint64_t n = 0;
    cur = avrowire_varint(cur, end, &n);
    if (!cur || (n & 1) || n >> 1 > (size_t)(end - cur))
        return NULL;
    *text = cur;
    *len = (size_t)(n >> 1);
    return cur + *len;
}

static inline uint64_t avrowire_load64(const uint8_t *bytes)
{
    uint64_t n;
    memcpy(&n, bytes, sizeof n);
    return n;
}

static inline uint32_t avrowire_load32(const uint8_t *bytes)
{
    uint32_t n;
    memcpy(&n, bytes, sizeof n);
    return n;
}

/* Short strings take a few overlapping loads, not a loop over bytes. */
static inline bool avrowire_is_ascii(const uint8_t *text, size_t len)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    if (len >= 8) {
        uint64_t seen = avrowire_load64(text + len - 8);
        for (size_t i = 0; i + 8 < len; i += 8)
            seen |= avrowire_load64(text + i);
        return !(seen & high);
    }
    if (len >= 4)
        return !((avrowire_load32(text) | avrowire_load32(text + len - 4)) & (uint32_t)high);
    return !len || !((text[0] | text[len / 2] | text[len - 1]) & 0x80);
}

/* As RFC 3629: no surrogates, nothing overlong, nothing beyond U+10FFFF. */
bool avrowire_is_utf8(const uint8_t *text, size_t len);

#endif
