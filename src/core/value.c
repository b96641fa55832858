/* Names of types, and canonical bytes: what hashing and comparing for sameness go by. */
#include "value.h"

#include <string.h>

#include "expect.h"

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = {
        [VALUE_NULL] = "null",     [VALUE_BOOL] = "bool",     [VALUE_LONG] = "long",
        [VALUE_DOUBLE] = "double", [VALUE_STRING] = "string", [VALUE_BYTES] = "bytes",
        [VALUE_LIST] = "list",
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
