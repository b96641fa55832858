/* Rows as arguments of FLUSH: the hottest writer, so a row is measured first and then written
 * into reserved room without a check a field. */
#include "rowhash.h"

#include <string.h>

#include "decimal.h"
#include "expect.h"
#include "pool.h"
#include "resp.h"

enum { PLACE_FIELDS = 3, META_FIELDS = 6, CODE_COUNTS = 1024, CODE_FLAGS = 8, PIECE = DECIMAL_MAX };

/* The names of the fields that are in every row, ready as bulk strings. */
#define META_AS_OF "$6\r\n_as_of\r\n"
#define META_REV "$4\r\n_rev\r\n"
#define META_VERSION "$2\r\n_v\r\n"
#define META_PARTITION "$2\r\n_p\r\n"
#define META_OFFSET "$2\r\n_o\r\n"
#define META_WARMING "$2\r\n_w\r\n"
enum { META_NAMES_BYTES = sizeof META_AS_OF META_REV META_VERSION META_PARTITION META_OFFSET };

void rowhash_init(struct rowhash *hash, const struct feature_set *set)
{
    *hash = (struct rowhash){.set = set};
    hash->name_ends = memory_alloc(sizeof *hash->name_ends * ((size_t)set->count + 1));
    for (int i = 0; i < set->count; i++) {
        resp_bulk_string(&hash->names, set->features[i].name);
        hash->name_ends[i + 1] = (uint32_t)hash->names.len;
    }
    text_reserve(&hash->names, PIECE); /* put_name may read beyond the last name */
    rowhash_version(set->version, hash->version);
}

void rowhash_version(uint64_t version, char digits[ROWHASH_VERSION])
{
    for (int i = 0; i < ROWHASH_VERSION; i++)
        digits[i] = "0123456789abcdef"[version >> (60 - 4 * i) & 15];
}

void rowhash_fini(struct rowhash *hash)
{
    text_free(&hash->names);
    text_free(&hash->json);
    memory_free(hash->name_ends);
    *hash = (struct rowhash){0};
}

/* ---- values ---- */

static char *put(char *p, const char *bytes, size_t len)
{
    memcpy(p, bytes, len);
    return p + len;
}

/* Completes the bulk string of a number that stands at p + 4, as if its length had one digit. The
 * copy of fixed length is a few instructions; what it copies too much is overwritten next. */
static char *put_number(char *p, size_t len)
{
    if (len >= 10)
        memmove(p + 5, p + 4, DECIMAL_MAX);
    return put(resp_put_len(p, len) + len, "\r\n", 2);
}

static char *put_long(char *p, int64_t number)
{
    return put_number(p, decimal_format_long(p + 4, number));
}

static char *put_double(char *p, double number)
{
    return put_number(p, decimal_format(p + 4, number));
}

static void append_double(struct text *out, double number)
{
    char *start = text_reserve(out, DECIMAL_MAX);
    resp_finish(out, start + decimal_format(start, number));
}

void rowhash_append_item(const struct value *item, struct text *out)
{
    if (item->type == VALUE_STRING)
        text_append_json_string(out, item->s, item->len);
    else if (item->type == VALUE_BYTES)
        text_append_json_bytes(out, item->s, item->len);
    else
        rowhash_append_value(item, out);
}

void rowhash_append_name(const struct value *group, struct text *out)
{
    if (group->type == VALUE_STRING || group->type == VALUE_BYTES) {
        rowhash_append_item(group, out);
        return;
    }
    text_append_char(out, '"');
    if (group->type == VALUE_BOOL)
        text_append_string(out, group->i ? "true" : "false");
    else
        rowhash_append_value(group, out);
    text_append_char(out, '"');
}

void rowhash_append_value(const struct value *value, struct text *out)
{
    switch ((enum value_type)value->type) {
    case VALUE_BOOL:
    case VALUE_LONG:
        text_append_long(out, value->i);
        return;
    case VALUE_DOUBLE:
        append_double(out, value->d);
        return;
    case VALUE_STRING:
    case VALUE_BYTES:
        text_append(out, value->s, value->len);
        return;
    case VALUE_LIST:
        text_append_char(out, '[');
        for (uint32_t i = 0; i < value->len; i++) {
            if (i > 0)
                text_append_char(out, ',');
            rowhash_append_item(&value->items[i], out);
        }
        text_append_char(out, ']');
        return;
    case VALUE_MAP:
        text_append_char(out, '{');
        for (uint32_t i = 0; i < value->len; i++) {
            if (i > 0)
                text_append_char(out, ',');
            rowhash_append_name(&value->items[2 * i], out);
            text_append_char(out, ':');
            rowhash_append_item(&value->items[2 * i + 1], out);
        }
        text_append_char(out, '}');
        return;
    case VALUE_NULL:
        break;
    }
    unreachable("a null value has no text");
}

/* ---- rows ---- */

/* The bytes of the JSON of a list or map at the most: every byte escaped as six, two quotes, and a
 * comma or colon. */
static size_t json_room(const struct value *list)
{
    size_t room = 2;
    uint32_t items = list->type == VALUE_MAP ? 2 * list->len : list->len;
    for (uint32_t i = 0; i < items; i++) {
        const struct value *item = &list->items[i];
        bool text = item->type == VALUE_STRING || item->type == VALUE_BYTES;
        room += DECIMAL_MAX + (text ? 6 * (size_t)item->len : 0);
    }
    return room;
}

/* The bytes that the row's arguments take at the most; counts its null features. */
static size_t measure_row(const struct rowhash *hash, const struct row *row, uint32_t *nulls)
{
    size_t fields = (size_t)hash->set->count + META_FIELDS;
    size_t room = META_NAMES_BYTES + hash->names.len + PIECE +
                  (fields + 1) * (RESP_BULK_OVERHEAD + DECIMAL_MAX);
    if (row->warming)
        room += strlen(row->warming);
    *nulls = 0;
    for (int i = 0; i < hash->set->count; i++) {
        const struct value *value = &row->values[i];
        *nulls += value->type == VALUE_NULL;
        if (value->type == VALUE_STRING || value->type == VALUE_BYTES)
            room += value->len;
        else if (value->type == VALUE_LIST || value->type == VALUE_MAP)
            room += json_room(value);
    }
    return room;
}

/* Those that are in a delta, too. */
static char *put_place(char *p, const struct row *row)
{
    p = put_long(put(p, META_AS_OF, sizeof META_AS_OF - 1), row->as_of.ms);
    p = put_long(put(p, META_REV, sizeof META_REV - 1), (int64_t)row->rev);
    return put_long(put(p, META_OFFSET, sizeof META_OFFSET - 1), row->offset);
}

static char *put_origin(char *p, const struct rowhash *hash, const struct row *row)
{
    p = put(p, META_VERSION, sizeof META_VERSION - 1);
    p = resp_put_bulk(p, hash->version, sizeof hash->version);
    p = put_long(put(p, META_PARTITION, sizeof META_PARTITION - 1), row->partition);
    if (row->warming) {
        p = put(p, META_WARMING, sizeof META_WARMING - 1);
        p = resp_put_bulk(p, row->warming, strlen(row->warming));
    }
    return p;
}

static char *put_name(char *p, const struct rowhash *hash, int feature)
{
    const char *name = hash->names.data + hash->name_ends[feature];
    size_t len = hash->name_ends[feature + 1] - hash->name_ends[feature];
    if (len > PIECE)
        return put(p, name, len);
    memcpy(p, name, PIECE);
    return p + len;
}

static char *put_values(char *p, struct rowhash *hash, const struct row *row,
                        const struct rowdelta_change *change)
{
    for (int i = 0; i < hash->set->count; i++) {
        const struct value *value = &row->values[i];
        if (value->type == VALUE_NULL || (change && !rowdelta_has(change, i)))
            continue;
        p = put_name(p, hash, i);
        if (value->type == VALUE_DOUBLE)
            p = put_double(p, value->d);
        else if (value->type == VALUE_LONG || value->type == VALUE_BOOL)
            p = put_long(p, value->i);
        else if (value->type == VALUE_STRING || value->type == VALUE_BYTES)
            p = resp_put_bulk(p, value->s, value->len);
        else {
            text_clear(&hash->json);
            rowhash_append_value(value, &hash->json);
            p = resp_put_bulk(p, hash->json.data, hash->json.len);
        }
    }
    return p;
}

struct code {
    uint32_t adds, sets, deletes, flags;
};

static char *put_code(char *p, const struct code *code)
{
    int64_t counts = ((int64_t)code->adds * CODE_COUNTS + code->sets) * CODE_COUNTS + code->deletes;
    return put_long(p, counts * CODE_FLAGS + code->flags);
}

static struct code code_of_delta(const struct row *row, const struct rowdelta_change *change)
{
    struct code code = {.adds = change->adds, .sets = PLACE_FIELDS, .flags = ROWHASH_DELTA};
    for (int i = 0; i < row->set->count; i++) {
        bool null = row->values[i].type == VALUE_NULL;
        code.sets += rowdelta_has(change, i) && !null;
        code.deletes += rowdelta_has(change, i) && null;
    }
    return code;
}

static struct code code_of(const struct row *row, uint32_t nulls)
{
    struct code code = {.flags = row->whole ? ROWHASH_REPLACE : 0};
    code.sets = (uint32_t)row->set->count - nulls + META_FIELDS - (row->warming == NULL);
    code.deletes = row->whole ? 0 : nulls;
    return code;
}

struct rowhash_size rowhash_append(struct rowhash *hash, const struct row *row,
                                   const struct rowdelta_change *change, struct text *out)
{
    expect(row->set == hash->set && !(change && row->whole));
    if (row->removed) {
        static const struct code removed = {.flags = ROWHASH_REPLACE};
        char *p = text_reserve(out, RESP_BULK_OVERHEAD + DECIMAL_MAX);
        resp_finish(out, put_code(p, &removed));
        return (struct rowhash_size){.arguments = 1};
    }
    uint32_t nulls;
    char *p = text_reserve(out, measure_row(hash, row, &nulls));
    struct code code = change ? code_of_delta(row, change) : code_of(row, nulls);
    code.flags |= row->whole || row->expire ? ROWHASH_EXPIRE : 0;
    p = put_place(put_code(p, &code), row);
    if (!change)
        p = put_origin(p, hash, row);
    p = put_values(p, hash, row, change);
    for (int i = 0; code.deletes > 0 && i < hash->set->count; i++)
        if (row->values[i].type == VALUE_NULL && (!change || rowdelta_has(change, i)))
            p = put_name(p, hash, i);
    resp_finish(out, p);
    return (struct rowhash_size){.arguments = 1 + 2 * code.sets + code.deletes,
                                 .values = code.sets + code.deletes};
}

uint32_t rowhash_values_max(const struct rowhash *hash)
{
    return (uint32_t)hash->set->count + META_FIELDS;
}
