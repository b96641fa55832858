/* JSON of rows. Numbers as in Redis; true and false as JSON has them. */
#include "rowjson.h"

#include <string.h>

#include "decimal.h"
#include "rowhash.h"

static void put_list(const struct value *list, struct text *out)
{
    text_append_char(out, '[');
    for (uint32_t i = 0; i < list->len; i++) {
        if (i > 0)
            text_append_char(out, ',');
        rowjson_value(&list->items[i], out);
    }
    text_append_char(out, ']');
}

static void put_map(const struct value *map, struct text *out)
{
    text_append_char(out, '{');
    for (uint32_t i = 0; i < map->len; i++) {
        if (i > 0)
            text_append_char(out, ',');
        rowhash_append_name(&map->items[2 * i], out);
        text_append_char(out, ':');
        rowjson_value(&map->items[2 * i + 1], out);
    }
    text_append_char(out, '}');
}

void rowjson_value(const struct value *value, struct text *out)
{
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
        text_append(out, "null", 4);
        return;
    case VALUE_BOOL:
        text_append_string(out, value->i ? "true" : "false");
        return;
    case VALUE_LONG:
        out->len += decimal_format_long(text_reserve(out, DECIMAL_MAX), value->i);
        return;
    case VALUE_DOUBLE:
        out->len += decimal_format(text_reserve(out, DECIMAL_MAX), value->d);
        return;
    case VALUE_STRING:
        text_append_json_string(out, value->s, value->len);
        return;
    case VALUE_BYTES:
        text_append_json_bytes(out, value->s, value->len);
        return;
    case VALUE_LIST:
        put_list(value, out);
        return;
    case VALUE_MAP:
        put_map(value, out);
        return;
    }
}

void rowjson_features(const struct row *row, struct text *out)
{
    for (int i = 0; i < row->set->count; i++) {
        const char *name = row->set->features[i].name;
        size_t len = strlen(name);
        char *p = text_reserve(out, len + 4);
        p[0] = i == 0 ? '{' : ',';
        p[1] = '"';
        memcpy(p + 2, name, len);
        p[len + 2] = '"';
        p[len + 3] = ':';
        out->len += len + 4;
        rowjson_value(&row->values[i], out);
    }
    text_append_string(out, row->set->count > 0 ? "}" : "{}");
}

void rowjson_version(uint64_t version, struct text *out)
{
    char digits[ROWHASH_VERSION];
    rowhash_version(version, digits);
    text_append(out, digits, sizeof digits);
}

static void put_number(const char *before, int64_t number, struct text *out)
{
    text_append_string(out, before);
    text_append_long(out, number);
}

void rowjson_point(const struct row *row, int64_t last_offset, struct text *out)
{
    put_number("{\"partition\":", row->partition, out);
    put_number(",\"offset\":", last_offset, out);
    put_number(",\"as_of\":", row->as_of.ms, out);
    text_append_string(out, ",\"key\":");
    text_append_json_string(out, row->key, row->key_len);
    put_number(",\"newest\":", row->offset, out);
    put_number(",\"rev\":", (int64_t)row->rev, out);
    text_append_string(out, ",\"features\":");
    rowjson_features(row, out);
    text_append_string(out, ",\"v\":\"");
    rowjson_version(row->set->version, out);
    text_append_char(out, '"');
    if (row->warming) {
        text_append_string(out, ",\"warming\":");
        text_append_json_string(out, row->warming, strlen(row->warming));
    }
    text_append_string(out, row->removed ? ",\"removed\":true}\n" : "}\n");
}
