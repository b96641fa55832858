/* Names of types, canonical bytes and order: what hashing, comparing and sorting go by. */
#include "value.h"

#include <string.h>

#include "expect.h"

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = {
        [VALUE_NULL] = "null",     [VALUE_BOOL] = "bool",     [VALUE_LONG] = "long",
        [VALUE_DOUBLE] = "double", [VALUE_STRING] = "string", [VALUE_BYTES] = "bytes",
        [VALUE_LIST] = "list",     [VALUE_MAP] = "map",
    };
    return names[type];
}

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

int value_compare(const struct value *a, const struct value *b)
{
    expect(a->type == b->type);
    if (a->type == VALUE_DOUBLE)
        return (a->d > b->d) - (a->d < b->d);
    if (a->type == VALUE_BOOL || a->type == VALUE_LONG)
        return (a->i > b->i) - (a->i < b->i);
    uint32_t shorter = a->len < b->len ? a->len : b->len;
    int order = shorter ? memcmp(a->s, b->s, shorter) : 0;
    if (order == 0)
        return (a->len > b->len) - (a->len < b->len);
    return order < 0 ? -1 : 1;
}
