/* Scalars: what JSON a type takes, and its encoding. */
#include "jsonscalar.h"

#include <stdio.h>
#include <string.h>

#include "avrowire.h"
#include "decimal.h"
#include "expect.h"

struct scalar {
    struct jsonscan *scan;
    struct text *scratch, *out;
};

void jsonscalar_put_long(struct text *out, int64_t number)
{
    char *bytes = text_reserve(out, AVROWIRE_MAX_VARINT);
    out->len += (size_t)(avrowire_put_long(bytes, number) - bytes);
}

void jsonscalar_put_bytes(struct text *out, const char *bytes, size_t len)
{
    jsonscalar_put_long(out, (int64_t)len);
    text_append(out, bytes, len);
}

static bool put_real(struct scalar *s, const struct avro_type *type, double real)
{
    if (type->kind == AVRO_KIND_FLOAT) {
        float narrow = (float)real;
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        bits = htole32(bits);
        text_append(s->out, &bits, sizeof bits);
    } else {
        uint64_t bits;
        memcpy(&bits, &real, sizeof bits);
        bits = htole64(bits);
        text_append(s->out, &bits, sizeof bits);
    }
    return true;
}

/* {"NAME": "text"}: the text, when such an object stands here; else false, nothing taken. */
static bool tagged(struct scalar *s, const char *name, const char **string, size_t *len)
{
    struct jsonscan *scan = s->scan;
    const char *before = scan->at;
    const char *key;
    size_t key_len;
    if (jsonscan_peek(scan) == '{' && jsonscan_take(scan, '{') &&
        jsonscan_string(scan, &key, &key_len) && key_len == strlen(name) &&
        memcmp(key, name, key_len) == 0 && jsonscan_take(scan, ':') &&
        jsonscan_string(scan, string, len) && jsonscan_take(scan, '}'))
        return true;
    scan->at = before;
    return false;
}

/* An event time as text, in the unit of the schema's logicalType. */
static bool time_number(struct scalar *s, const struct avro_type *type, int64_t *number)
{
    struct jsonscan *scan = s->scan;
    const char *from = scan->at, *string;
    size_t len;
    char text[40];
    int64_t per_ms = type->unit == AVRO_TIME_US ? 1000 : type->unit == AVRO_TIME_NS ? 1000000 : 1;
    if (!jsonscan_string(scan, &string, &len))
        return false;
    bool fits = len < sizeof text && memchr(string, 'T', len);
    if (fits)
        (void)snprintf(text, sizeof text, "%.*s", (int)len, string);
    if (!fits || !text_parse_event_time(text, number) ||
        __builtin_mul_overflow(*number, per_ms, number))
        return jsonscan_fail(scan, from, "expected a time such as 2026-01-31T00:00:00Z or a whole "
                             "number, found another string");
    return true;
}

static bool put_whole(struct scalar *s, const struct avro_type *type)
{
    struct jsonscan *scan = s->scan;
    const char *name = type->kind == AVRO_KIND_INT ? "an int" : "a long";
    char first = jsonscan_peek(scan);
    const char *from = scan->at, *string;
    size_t len;
    int64_t number;
    if (first == '"' && type->unit != AVRO_TIME_NONE) {
        if (!time_number(s, type, &number))
            return false;
    } else if (first == '{' && tagged(s, "$long", &string, &len)) {
        char digits[24];
        (void)snprintf(digits, sizeof digits, "%.*s", (int)len, string);
        if (len >= sizeof digits || !text_parse_long(digits, &number))
            return jsonscan_fail(scan, from, "$long is a whole number of at most 64 bits");
    } else if (!jsonscan_long(scan, name, &number)) {
        return false;
    }
    if (type->kind == AVRO_KIND_INT && number != (int32_t)number)
        return jsonscan_fail(scan, from, "an int is a number of at most 32 bits");
    jsonscalar_put_long(s->out, number);
    return true;
}

static bool put_number(struct scalar *s, const struct avro_type *type)
{
    struct jsonscan *scan = s->scan;
    const char *from, *string;
    size_t len;
    if (jsonscan_peek(scan) == '{' && tagged(s, "$f", &string, &len)) {
        if (len == 3 && memcmp(string, "NaN", len) == 0)
            return put_real(s, type, __builtin_nan(""));
        if (len == 8 && memcmp(string, "Infinity", len) == 0)
            return put_real(s, type, __builtin_inf());
        if (len == 9 && memcmp(string, "-Infinity", len) == 0)
            return put_real(s, type, -__builtin_inf());
        return jsonscan_fail(scan, scan->at, "$f is NaN, Infinity or -Infinity");
    }
    struct jsonscan_number token;
    double real;
    from = scan->at;
    if (!jsonscan_number(scan, &token))
        return false;
    if (!decimal_parse(token.text, token.len, &real))
        return jsonscan_fail(scan, from, "a number beyond what a double can hold");
    return put_real(s, type, real);
}

static bool put_enum(struct scalar *s, const struct avro_type *type)
{
    const char *string, *from;
    size_t len;
    jsonscan_blanks(s->scan);
    from = s->scan->at;
    if (!jsonscan_string(s->scan, &string, &len))
        return false;
    for (uint32_t i = 0; i < type->count; i++) {
        const char *symbol = type->symbols[i];
        if (*symbol == *string && strncmp(symbol, string, len) == 0 && symbol[len] == '\0') {
            jsonscalar_put_long(s->out, i);
            return true;
        }
    }
    if (type->default_symbol < 0)
        return jsonscan_fail(s->scan, from, "\"%.*s\" is no symbol of the enum %s",
                             len < 64 ? (int)len : 64, string, type->name);
    jsonscalar_put_long(s->out, type->default_symbol);
    return true;
}

/* Code points below 256, each a byte; or hexadecimal digits. Collected in scratch. */
static bool put_binary(struct scalar *s, const struct avro_type *type)
{
    struct jsonscan *scan = s->scan;
    const char *string, *from;
    size_t len;
    jsonscan_blanks(scan);
    from = scan->at;
    bool hex = jsonscan_peek(scan) == '{' && tagged(s, "$hex", &string, &len);
    if (!hex && !jsonscan_string(scan, &string, &len))
        return false;
    text_clear(s->scratch);
    for (size_t i = 0; i < len; i++) {
        unsigned byte = (unsigned char)string[i];
        if (hex) {
            char digits[3] = {string[i], i + 1 < len ? string[i + 1] : 'x', 0};
            int used = 0;
            if (sscanf(digits, "%2x%n", &byte, &used) != 1 || used != 2)
                return jsonscan_fail(scan, from, "$hex is pairs of hexadecimal digits");
            i++;
        } else if (byte >= 0xc4) {
            return jsonscan_fail(scan, from, "bytes are written as characters up to U+00FF");
        } else if (byte >= 0x80) {
            byte = (byte & 3) << 6 | ((unsigned char)string[++i] & 0x3f);
        }
        text_append_char(s->scratch, (char)byte);
    }
    if (type->kind == AVRO_KIND_FIXED && s->scratch->len != type->count)
        return jsonscan_fail(scan, from, "%s has %u bytes, here are %zu", type->name,
                             (unsigned)type->count, s->scratch->len);
    if (type->kind == AVRO_KIND_BYTES)
        jsonscalar_put_long(s->out, (int64_t)s->scratch->len);
    text_append(s->out, s->scratch->data ? s->scratch->data : "", s->scratch->len);
    return true;
}

static bool put_word(struct scalar *s, const struct avro_type *type)
{
    struct jsonscan *scan = s->scan;
    if (type->kind == AVRO_KIND_NULL)
        return jsonscan_word(scan, "null") ||
               jsonscan_fail(scan, scan->at, "expected null, found %s", jsonscan_what(scan));
    bool yes = jsonscan_word(scan, "true");
    if (!yes && !jsonscan_word(scan, "false"))
        return jsonscan_fail(scan, scan->at, "expected true or false, found %s",
                             jsonscan_what(scan));
    text_append_char(s->out, yes ? 1 : 0);
    return true;
}

bool jsonscalar_put(struct jsonscan *scan, const struct avro_type *type, struct text *scratch,
                    struct text *out)
{
    struct scalar s = {scan, scratch, out};
    const char *string;
    size_t len;
    switch ((enum avro_kind)type->kind) {
    case AVRO_KIND_NULL:
    case AVRO_KIND_BOOLEAN:
        return put_word(&s, type);
    case AVRO_KIND_INT:
    case AVRO_KIND_LONG:
        return put_whole(&s, type);
    case AVRO_KIND_FLOAT:
    case AVRO_KIND_DOUBLE:
        return put_number(&s, type);
    case AVRO_KIND_STRING:
        if (!jsonscan_string(scan, &string, &len))
            return false;
        jsonscalar_put_bytes(out, string, len);
        return true;
    case AVRO_KIND_ENUM:
        return put_enum(&s, type);
    case AVRO_KIND_BYTES:
    case AVRO_KIND_FIXED:
        return put_binary(&s, type);
    default:
        unreachable("the type is no scalar");
    }
}
