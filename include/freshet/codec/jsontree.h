/* JSON text as a plain tree: the only way to the JSON library. */
#ifndef FRESHET_JSONTREE_H
#define FRESHET_JSONTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

enum { JSONTREE_MAX_BYTES = 4 << 20, JSONTREE_MAX_DEPTH = 512 };

enum json_type {
    JSON_TREE_NULL,
    JSON_TREE_FALSE,
    JSON_TREE_TRUE,
    JSON_TREE_INTEGER,
    JSON_TREE_REAL,
    JSON_TREE_STRING,
    JSON_TREE_ARRAY,
    JSON_TREE_OBJECT,
};

struct json_node {
    enum json_type type;
    const char *key;  /* in an object: terminated, valid UTF-8 */
    const char *text; /* JSON_TREE_STRING: UTF-8 that may hold zero bytes, terminated */
    size_t len;       /* of text */
    int64_t integer;
    double real;                   /* of both kinds of numbers */
    const struct json_node *first; /* of an array or object, in the order of the text */
    const struct json_node *next;
    size_t count; /* of the children */
};

struct json_error {
    size_t offset; /* byte of the text */
    bool limit;    /* too large or too deep, not wrong */
    char message[160];
};

/* Any JSON value. The tree lives in the arena; NULL and err filled in when there is none. */
const struct json_node *jsontree_parse(struct arena *arena, const char *text, size_t len,
                                       struct json_error *err);
/* The member of an object, or NULL; NULL too when node is NULL or not an object. */
const struct json_node *jsontree_get(const struct json_node *node, const char *key);

#endif
