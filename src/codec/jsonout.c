/* JSON of datums: commas by one flag, numbers so that nothing of them is lost. */
#include "jsonout.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "decimal.h"
#include "rowhash.h"

/* The greatest integer below which JSON readers that use doubles are exact. */
#define JSON_EXACT_MAX (INT64_C(1) << 53)

static void put_long(struct text *text, int64_t number)
{
    bool exact = number >= -JSON_EXACT_MAX && number <= JSON_EXACT_MAX;
    text_append_string(text, exact ? "" : "{\"$long\": \"");
    text_append_long(text, number);
    text_append_string(text, exact ? "" : "\"}");
}

static void put_double(struct text *text, double number)
{
    if (!isfinite(number)) {
        text_printf(text, "{\"$f\": \"%s\"}",
                    isnan(number) ? "NaN"
                    : number < 0  ? "-Infinity"
                                  : "Infinity");
        return;
    }
    char digits[DECIMAL_MAX];
    size_t len = decimal_format(digits, number);
    if (number == 0 && signbit(number))
        text_append_char(text, '-');
    text_append(text, digits, len);
    if (!memchr(digits, '.', len) && !memchr(digits, 'e', len))
        text_append_string(text, ".0"); /* still a double when it is read back */
}

static void put_hex(struct text *text, const char *bytes, uint32_t len)
{
    static const char digits[] = "0123456789abcdef";
    text_append_string(text, "{\"$hex\": \"");
    for (uint32_t i = 0; i < len; i++) {
        text_append_char(text, digits[(uint8_t)bytes[i] >> 4]);
        text_append_char(text, digits[(uint8_t)bytes[i] & 15]);
    }
    text_append_string(text, "\"}");
}

void jsonout_value(struct text *text, struct value value)
{
    switch ((enum value_type)value.type) {
    case VALUE_NULL:
        text_append_string(text, "null");
        return;
    case VALUE_BOOL:
        text_append_string(text, value.i ? "true" : "false");
        return;
    case VALUE_LONG:
        put_long(text, value.i);
        return;
    case VALUE_DOUBLE:
        put_double(text, value.d);
        return;
    case VALUE_STRING:
        text_append_json_string(text, value.s, value.len);
        return;
    case VALUE_BYTES:
        put_hex(text, value.s, value.len);
        return;
    case VALUE_LIST:
        text_append_char(text, '[');
        for (uint32_t i = 0; i < value.len; i++) {
            text_append_string(text, i ? ", " : "");
            jsonout_value(text, value.items[i]);
        }
        text_append_char(text, ']');
        return;
    case VALUE_MAP:
        text_append_char(text, '{');
        for (uint32_t i = 0; i < value.len; i++) {
            text_append_string(text, i ? ", " : "");
            rowhash_append_name(&value.items[2 * i], text);
            text_append_string(text, ": ");
            jsonout_value(text, value.items[2 * i + 1]);
        }
        text_append_char(text, '}');
        return;
    }
}

static void put_comma(struct jsonout *out)
{
    if (out->comma)
        text_append_string(out->text, ", ");
    out->comma = false;
}

static void event(void *self, enum avro_event event, struct value value)
{
    struct jsonout *out = self;
    switch (event) {
    case AVRO_EVENT_RECORD:
    case AVRO_EVENT_MAP:
        put_comma(out);
        text_append_char(out->text, '{');
        return;
    case AVRO_EVENT_ARRAY:
        put_comma(out);
        text_append_char(out->text, '[');
        return;
    case AVRO_EVENT_FIELD:
    case AVRO_EVENT_KEY:
        put_comma(out);
        text_append_json_string(out->text, value.s, value.len);
        text_append_string(out->text, ": ");
        return;
    case AVRO_EVENT_VALUE:
        put_comma(out);
        jsonout_value(out->text, value);
        out->comma = true;
        return;
    case AVRO_EVENT_END_ARRAY:
    case AVRO_EVENT_END:
        text_append_char(out->text, event == AVRO_EVENT_END ? '}' : ']');
        out->comma = true;
        return;
    }
}

struct avroplan_sink jsonout_sink(struct jsonout *out)
{
    return (struct avroplan_sink){out, event};
}
