/* jansson's document copied into arena nodes, so that nobody else needs jansson or its counts. */
#include "jsontree.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "expect.h"

/* A view for recursive copying: depth is bounded, the rest is given out by the arena. */
struct copier {
    struct arena *arena;
    struct json_error *err;
};

static const char *copy_text(struct copier *copier, const char *text, size_t len)
{
    char *copy = arena_alloc(copier->arena, len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static struct json_node *copy_node(struct copier *copier, json_t *json, unsigned depth);

static struct json_node *copy_child(struct copier *copier, struct json_node *parent,
                                    struct json_node *last, json_t *json, unsigned depth)
{
    struct json_node *child = copy_node(copier, json, depth);
    if (!child)
        return NULL;
    if (last)
        last->next = child;
    else
        parent->first = child;
    parent->count++;
    return child;
}

static bool copy_children(struct copier *copier, struct json_node *node, json_t *json,
                          unsigned depth)
{
    struct json_node *last = NULL;
    if (json_is_array(json)) {
        size_t i;
        json_t *item;
        json_array_foreach(json, i, item)
        {
            last = copy_child(copier, node, last, item, depth);
            if (!last)
                return false;
        }
        return true;
    }
    const char *key;
    json_t *member;
    json_object_foreach(json, key, member)
    {
        last = copy_child(copier, node, last, member, depth);
        if (!last)
            return false;
        last->key = copy_text(copier, key, strlen(key));
    }
    return true;
}

static struct json_node *copy_node(struct copier *copier, json_t *json, unsigned depth)
{
    if (depth == JSONTREE_MAX_DEPTH) {
        copier->err->limit = true;
        (void)snprintf(copier->err->message, sizeof copier->err->message,
                       "JSON is nested deeper than %d", JSONTREE_MAX_DEPTH);
        return NULL;
    }
    struct json_node *node = arena_alloc(copier->arena, sizeof *node);
    *node = (struct json_node){0};
    switch (json_typeof(json)) {
    case JSON_NULL:
        node->type = JSON_TREE_NULL;
        return node;
    case JSON_FALSE:
        node->type = JSON_TREE_FALSE;
        return node;
    case JSON_TRUE:
        node->type = JSON_TREE_TRUE;
        return node;
    case JSON_INTEGER:
        node->type = JSON_TREE_INTEGER;
        node->integer = json_integer_value(json);
        node->real = (double)node->integer;
        return node;
    case JSON_REAL:
        node->type = JSON_TREE_REAL;
        node->real = json_real_value(json);
        return node;
    case JSON_STRING:
        node->type = JSON_TREE_STRING;
        node->len = json_string_length(json);
        node->text = copy_text(copier, json_string_value(json), node->len);
        return node;
    case JSON_ARRAY:
    case JSON_OBJECT:
        node->type = json_is_array(json) ? JSON_TREE_ARRAY : JSON_TREE_OBJECT;
        return copy_children(copier, node, json, depth + 1) ? node : NULL;
    }
    unreachable("a JSON type that jansson does not have");
}

const struct json_node *jsontree_parse(struct arena *arena, const char *text, size_t len,
                                       struct json_error *err)
{
    *err = (struct json_error){0};
    if (len > JSONTREE_MAX_BYTES) {
        err->limit = true;
        (void)snprintf(err->message, sizeof err->message, "JSON is longer than %d bytes",
                       JSONTREE_MAX_BYTES);
        return NULL;
    }
    size_t mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* of some editors */
    json_error_t error;
    /* JSON_ALLOW_NUL: defaults of bytes are strings of code points 0..255. */
    json_t *json = json_loadb(text + mark, len - mark, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json) {
        err->limit = json_error_code(&error) == json_error_stack_overflow;
        err->offset = error.position > 0 ? (size_t)error.position + mark : 0;
        (void)snprintf(err->message, sizeof err->message, "%s", error.text);
        return NULL;
    }
    struct copier copier = {arena, err};
    const struct json_node *root = copy_node(&copier, json, 0);
    json_decref(json);
    return root;
}

const struct json_node *jsontree_get(const struct json_node *node, const char *key)
{
    if (!node || node->type != JSON_TREE_OBJECT)
        return NULL;
    for (const struct json_node *child = node->first; child; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}
