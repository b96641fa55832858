/* Canonical bytes of values: what hashing and comparing for sameness go by. */
#include "value.h"

#include <string.h>

#include "expect.h"

const void *value_canonical(const struct value *value, char scratch[8], size_t *len)
{
    uint64_t bits = (uint64_t)value->i;
    switch (value->type) {
    case VALUE_STRING:
    case VALUE_BYTES:
        *len = value->len;
        return value->s;
    case VALUE_DOUBLE:
        bits = 0;
        if (value->d != 0) /* +0 and -0 alike */
            memcpy(&bits, &value->d, sizeof bits);
        break;
    default:
        expect(value->type == VALUE_BOOL || value->type == VALUE_LONG);
    }
    for (int k = 0; k < 8; k++)
        scratch[k] = (char)(bits >> (8 * k));
    *len = 8;
    return scratch;
}
