/* Values are compared as JSON: what a test says is what a reader of the row would see. */
#include "feature_compare.h"

#include <math.h>
#include <string.h>

#include "decimal.h"
#include "pool.h"
#include "rowjson.h"

static bool is_number(const struct json_node *node)
{
    return node->type == JSON_TREE_INTEGER || node->type == JSON_TREE_REAL;
}

static bool equal(const struct json_node *a, const struct json_node *b)
{
    if (is_number(a) && is_number(b)) {
        if (a->type == JSON_TREE_INTEGER && b->type == JSON_TREE_INTEGER)
            return a->integer == b->integer;
        return fabs(a->real - b->real) <= 1e-9 * fmax(1, fabs(a->real));
    }
    if (a->type != b->type || a->count != b->count)
        return false;
    if (a->type == JSON_TREE_STRING)
        return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
    const struct json_node *other = b->first;
    for (const struct json_node *child = a->first; child; child = child->next) {
        const struct json_node *same = a->type == JSON_TREE_OBJECT ? jsontree_get(b, child->key)
                                                                   : other;
        if (!same || !equal(child, same))
            return false;
        other = other->next;
    }
    return true;
}

static void print(const struct json_node *node, struct text *out)
{
    char digits[DECIMAL_MAX];
    bool array = node->type == JSON_TREE_ARRAY;
    switch (node->type) {
    case JSON_TREE_NULL:
        text_append_string(out, "null");
        return;
    case JSON_TREE_FALSE:
    case JSON_TREE_TRUE:
        text_append_string(out, node->type == JSON_TREE_TRUE ? "true" : "false");
        return;
    case JSON_TREE_INTEGER:
        text_append_long(out, node->integer);
        return;
    case JSON_TREE_REAL:
        text_append(out, digits, decimal_format(digits, node->real));
        return;
    case JSON_TREE_STRING:
        text_append_json_string(out, node->text, node->len);
        return;
    case JSON_TREE_ARRAY:
    case JSON_TREE_OBJECT:
        break;
    }
    text_append_char(out, array ? '[' : '{');
    for (const struct json_node *child = node->first; child; child = child->next) {
        if (!array) {
            text_append_json_string(out, child->key, strlen(child->key));
            text_append_string(out, ": ");
        }
        print(child, out);
        text_append_string(out, child->next ? ", " : "");
    }
    text_append_char(out, array ? ']' : '}');
}

static void complain_name(const struct feature_set *set, const char *name, struct text *out)
{
    const char **names = memory_alloc((size_t)(set->count + 1) * sizeof *names);
    for (int i = 0; i < set->count; i++)
        names[i] = set->features[i].name;
    const char *nearest = text_nearest(name, names);
    text_printf(out, "there is no feature %s", name);
    if (nearest)
        text_printf(out, " (did you mean %s?)", nearest);
    memory_free(names);
}

int feature_compare(const struct json_node *expected, const struct row *row, struct text *out)
{
    struct arena arena = {0};
    struct text found = {0};
    int different = 0;
    for (const struct json_node *wanted = expected->first; wanted && different >= 0;
         wanted = wanted->next) {
        struct json_error err;
        int feature = feature_set_find(row->set, wanted->key);
        if (feature < 0) {
            complain_name(row->set, wanted->key, out);
            different = -1;
            continue;
        }
        text_clear(&found);
        rowjson_value(&row->values[feature], &found);
        const struct json_node *value = jsontree_parse(&arena, found.data, found.len, &err);
        if (equal(wanted, value))
            continue;
        different++;
        text_printf(out, "      %-24s expected ", wanted->key);
        print(wanted, out);
        text_printf(out, ", found ");
        print(value, out);
        text_append_char(out, '\n');
    }
    arena_free(&arena);
    text_free(&found);
    return different;
}
