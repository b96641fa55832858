/* A typed scalar (or list or map of scalars): what decoding yields and features show. */
#ifndef FRESHET_VALUE_H
#define FRESHET_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_type {
    VALUE_NULL, /* absent; all-zero bytes are a null value */
    VALUE_BOOL,
    VALUE_LONG,
    VALUE_DOUBLE,
    VALUE_STRING, /* UTF-8; enums appear as their symbol */
    VALUE_BYTES,
    VALUE_LIST, /* only in rows: a feature such as last_n */
    VALUE_MAP,  /* only in rows: a feature with `by` */
};

/* Text is a slice owned by somebody else (the message, a pool, an arena): a value never owns. */
struct value {
    union {
        int64_t i;                 /* VALUE_LONG; VALUE_BOOL as 0 or 1 */
        double d;                  /* VALUE_DOUBLE */
        const char *s;             /* VALUE_STRING, VALUE_BYTES: len bytes, no terminator */
        const struct value *items; /* VALUE_LIST: len scalars; VALUE_MAP: len pairs of scalars,
                                      a group and its value, ascending by group */
    };
    uint32_t len;
    uint8_t type; /* enum value_type */
};

/* The type of a field or expression as features see it. */
struct value_kind {
    enum value_type type; /* of the non-null values */
    bool nullable;
};

static inline struct value value_null(void)
{
    return (struct value){0};
}

static inline struct value value_bool(bool b)
{
    return (struct value){.i = b, .type = VALUE_BOOL};
}

static inline struct value value_long(int64_t i)
{
    return (struct value){.i = i, .type = VALUE_LONG};
}

static inline struct value value_double(double d)
{
    return (struct value){.d = d, .type = VALUE_DOUBLE};
}

static inline struct value value_text(enum value_type type, const char *s, uint32_t len)
{
    return (struct value){.s = s, .len = len, .type = (uint8_t)type};
}

/* "long", "double", ...: as errors and documentation call the type. */
const char *value_type_name(enum value_type type);

/* The bytes that stand for a value wherever values are hashed or compared for being the same:
 * text as it is; bool and long as 8 bytes little endian; double as IEEE-754 little endian with -0
 * made +0. scratch holds numbers; returns where the bytes are. Not for null and lists. */
const void *value_canonical(const struct value *value, char scratch[8], size_t *len);

/* -1, 0, 1: the order of two values of the same type. Numbers by value, text by bytes, false
 * before true. Not for null, lists and maps. */
int value_compare(const struct value *a, const struct value *b);

#endif
