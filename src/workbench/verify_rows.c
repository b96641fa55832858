/* Rows of Redis in memory, and comparing them. */
#include "verify_rows.h"

#include <string.h>

#include "hash.h"
#include "pool.h"
#include "rowhash.h"

void verify_rows_free(struct verify_rows *rows)
{
    memory_free(rows->list);
    keytable_free(&rows->table);
    arena_free(&rows->arena);
    *rows = (struct verify_rows){0};
}

struct wanted {
    const struct verify_rows *rows;
    const char *key;
    size_t len;
};

static bool is_key(const void *context, uint32_t handle)
{
    const struct wanted *wanted = context;
    const struct verify_row *row = wanted->rows->list[handle];
    return row->key_len == wanted->len && memcmp(row->key, wanted->key, wanted->len) == 0;
}

struct verify_row *verify_rows_find(const struct verify_rows *rows, const char *key, size_t len)
{
    struct wanted wanted = {rows, key, len};
    if (rows->count == 0)
        return NULL;
    uint32_t handle = keytable_find(&rows->table, hash_bytes(key, len), is_key, &wanted);
    return handle == KEYTABLE_NONE ? NULL : rows->list[handle];
}

static const char *copy(struct verify_rows *rows, const char *bytes, size_t len)
{
    char *text = arena_alloc(&rows->arena, len + 1);
    memcpy(text, bytes, len);
    text[len] = '\0';
    return text;
}

struct verify_row *verify_rows_add(struct verify_rows *rows, const struct feature_set *set,
                                   const char *key, size_t len)
{
    size_t bytes = (size_t)set->count * sizeof(struct verify_field);
    struct verify_row *row = arena_alloc(&rows->arena, sizeof *row);
    *row = (struct verify_row){
        .key = copy(rows, key, len),
        .key_len = (uint32_t)len,
        .partition = -1,
        .offset = -1,
        .rev = -1,
        .as_of_ms = INT64_MIN,
        .version = "",
        .warming = "",
        .fields = arena_alloc(&rows->arena, bytes),
        .judged_by = -1,
        .refused = FATE_NONE,
    };
    memset(row->fields, 0, bytes);
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity ? 2 * rows->capacity : 1024;
        rows->list = memory_resize(rows->list, rows->capacity * sizeof(struct verify_row *));
    }
    keytable_insert(&rows->table, hash_bytes(key, len), rows->count);
    rows->list[rows->count++] = row;
    return row;
}

void verify_rows_put(struct verify_rows *rows, const struct feature_set *set,
                     struct verify_row *row, const char *name, const char *value, size_t len)
{
    int feature = feature_set_find(set, name);
    const char *text = copy(rows, value, len);
    int64_t number;
    if (feature >= 0)
        row->fields[feature] = (struct verify_field){text, (uint32_t)len};
    else if (strcmp(name, "_as_of") == 0)
        (void)text_parse_long(text, &row->as_of_ms);
    else if (strcmp(name, "_o") == 0)
        (void)text_parse_long(text, &row->offset);
    else if (strcmp(name, "_rev") == 0)
        (void)text_parse_long(text, &row->rev);
    else if (strcmp(name, "_p") == 0)
        row->partition =
            text_parse_long(text, &number) && number >= 0 && number <= INT32_MAX ? (int32_t)number
                                                                                 : -1;
    else if (strcmp(name, "_v") == 0)
        row->version = text;
    else if (strcmp(name, "_w") == 0)
        row->warming = text;
    else
        row->stray = copy(rows, name, strlen(name));
}

/* ---- comparing ---- */

bool verify_names(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
        if (strcmp(at, "...") == 0)
            return true; /* the list was cut off: it may be any */
    }
    return false;
}

const char *verify_shown(const struct value *value, struct text *scratch, size_t *len)
{
    *len = 0;
    if (value->type == VALUE_NULL)
        return NULL;
    text_clear(scratch);
    rowhash_append_value(value, scratch);
    *len = scratch->len;
    return scratch->len > 0 ? scratch->data : "";
}

bool verify_field_equal(const struct verify_field *field, const struct value *value,
                        struct text *scratch)
{
    size_t len;
    const char *shown = verify_shown(value, scratch, &len);
    if (!shown || !field->s)
        return !shown && !field->s;
    return len == field->len && memcmp(shown, field->s, len) == 0;
}

bool verify_features_equal(const struct verify_row *row, const struct row *other,
                           struct text *scratch)
{
    for (int i = 0; i < other->set->count; i++)
        if (!verify_field_equal(&row->fields[i], &other->values[i], scratch) &&
            !verify_names(row->warming, other->set->features[i].name))
            return false;
    return true;
}
