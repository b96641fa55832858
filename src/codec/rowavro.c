/* Rows to Avro: measured first, then written into reserved room without a check a field. */
#include "rowavro.h"

#include <endian.h>
#include <string.h>

#include "avrowire.h"
#include "decimal.h"
#include "expect.h"
#include "rowhash.h"

static const char *const types[] = {
    [VALUE_NULL] = "null",     [VALUE_BOOL] = "boolean",  [VALUE_LONG] = "long",
    [VALUE_DOUBLE] = "double", [VALUE_STRING] = "string", [VALUE_BYTES] = "bytes",
};

/* ---- schemas ---- */

void rowavro_fields(const struct feature_set *set, struct text *out)
{
    for (int i = 0; i < set->count; i++) {
        const struct feature *feature = &set->features[i];
        text_printf(out, "%s{\"name\":\"%s\",\"type\":[\"null\",", i > 0 ? "," : "",
                    feature->name);
        text_printf(out,
                    feature->is_list   ? "{\"type\":\"array\",\"items\":\"%s\"}]"
                    : feature->by >= 0 ? "{\"type\":\"map\",\"values\":\"%s\"}]"
                                       : "\"%s\"]",
                    types[feature->kind.type]);
        text_append_string(out, ",\"default\":null}");
    }
}

void rowavro_schema(const struct feature_set *set, struct text *out)
{
    text_append_string(
        out, "{\"type\":\"record\",\"name\":\"features\",\"namespace\":\"freshet\",\"fields\":["
             "{\"name\":\"_as_of\",\"type\":{\"type\":\"long\",\"logicalType\":"
             "\"timestamp-millis\"},\"doc\":\"What time the row is stated for\"},"
             "{\"name\":\"_p\",\"type\":\"int\",\"doc\":\"Partition\"},"
             "{\"name\":\"_rev\",\"type\":\"long\",\"doc\":\"Corrections of the session\"},"
             "{\"name\":\"_o\",\"type\":\"long\",\"doc\":\"Offset of the newest event\"},"
             "{\"name\":\"_v\",\"type\":\"string\",\"doc\":\"Version of the feature set\"},"
             "{\"name\":\"_w\",\"type\":[\"null\",\"string\"],\"default\":null,"
             "\"doc\":\"Names of features that are warming up\"}");
    if (set && set->count > 0)
        text_append_char(out, ',');
    if (set)
        rowavro_fields(set, out);
    text_append_string(out, "]}");
}

/* ---- room ---- */

enum { NUMBER = AVROWIRE_MAX_VARINT, BRANCH = 1, END = 1 };

/* Of a scalar; a group's bytes are text, of which each may take two. */
static size_t scalar_room(const struct value *value)
{
    bool text = value->type == VALUE_STRING || value->type == VALUE_BYTES;
    return text ? NUMBER + 2 * (size_t)value->len : NUMBER + DECIMAL_MAX;
}

static size_t features_room(const struct row *row)
{
    size_t room = 0;
    for (int i = 0; i < row->set->count; i++) {
        const struct value *value = &row->values[i];
        bool map = value->type == VALUE_MAP;
        room += BRANCH + scalar_room(value);
        if (!map && value->type != VALUE_LIST)
            continue;
        room += NUMBER + END;
        for (uint32_t k = 0; k < (map ? 2 * value->len : value->len); k++)
            room += scalar_room(&value->items[k]);
    }
    return room;
}

/* ---- values ---- */

static char *put_bytes(char *p, const char *bytes, size_t len)
{
    p = avrowire_put_long(p, (int64_t)len);
    return len > 0 ? mempcpy(p, bytes, len) : p;
}

static char *put_double(char *p, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    bits = htole64(bits);
    return mempcpy(p, &bits, sizeof bits);
}

/* The key of a map: as in JSON, without the quotes and escapes. */
static char *put_group(char *p, const struct value *group)
{
    char digits[DECIMAL_MAX];
    if (group->type == VALUE_STRING)
        return put_bytes(p, group->s, group->len);
    if (group->type == VALUE_LONG)
        return put_bytes(p, digits, decimal_format_long(digits, group->i));
    if (group->type == VALUE_DOUBLE)
        return put_bytes(p, digits, decimal_format(digits, group->d));
    if (group->type == VALUE_BOOL)
        return group->i ? put_bytes(p, "true", 4) : put_bytes(p, "false", 5);
    struct text name = {0};
    text_append_latin1(&name, group->s, group->len);
    p = put_bytes(p, name.data, name.len);
    text_free(&name);
    return p;
}

static char *put_value(char *p, const struct value *value, enum value_type type);

/* Of an array or a map: one block. */
static char *put_items(char *p, const struct value *value, enum value_type type)
{
    bool map = value->type == VALUE_MAP;
    if (value->len > 0)
        p = avrowire_put_long(p, value->len);
    for (uint32_t i = 0; i < value->len; i++) {
        if (map)
            p = put_group(p, &value->items[2 * i]);
        p = put_value(p, &value->items[map ? 2 * i + 1 : i], type);
    }
    return avrowire_put_long(p, 0);
}

/* In the type that the schema has for the feature. */
static char *put_value(char *p, const struct value *value, enum value_type type)
{
    switch ((enum value_type)value->type) {
    case VALUE_BOOL:
        *p++ = value->i ? 1 : 0;
        return p;
    case VALUE_LONG:
        return type == VALUE_DOUBLE ? put_double(p, (double)value->i)
                                    : avrowire_put_long(p, value->i);
    case VALUE_DOUBLE:
        return put_double(p, value->d);
    case VALUE_STRING:
    case VALUE_BYTES:
        return put_bytes(p, value->s, value->len);
    case VALUE_LIST:
    case VALUE_MAP:
        return put_items(p, value, type);
    case VALUE_NULL:
        break;
    }
    unreachable("null has no bytes");
}

static char *put_features(char *p, const struct row *row)
{
    for (int i = 0; i < row->set->count; i++) {
        const struct value *value = &row->values[i];
        p = avrowire_put_long(p, value->type != VALUE_NULL); /* the branch of the union */
        if (value->type != VALUE_NULL)
            p = put_value(p, value, row->set->features[i].kind.type);
    }
    return p;
}

static void finish(struct text *out, char *end)
{
    *end = '\0';
    out->len = (size_t)(end - out->data);
}

void rowavro_features(const struct row *row, struct text *out)
{
    finish(out, put_features(text_reserve(out, features_room(row)), row));
}

void rowavro_record(const struct row *row, struct text *out)
{
    char version[ROWHASH_VERSION];
    size_t warming = row->warming ? strlen(row->warming) : 0;
    char *p = text_reserve(out, 6 * NUMBER + sizeof version + BRANCH + warming +
                                    features_room(row));
    p = avrowire_put_long(p, row->as_of.ms);
    p = avrowire_put_long(p, row->partition);
    p = avrowire_put_long(p, (int64_t)row->rev);
    p = avrowire_put_long(p, row->offset);
    rowhash_version(row->set->version, version);
    p = put_bytes(p, version, sizeof version);
    p = avrowire_put_long(p, row->warming != NULL);
    if (row->warming)
        p = put_bytes(p, row->warming, warming);
    finish(out, put_features(p, row));
}
