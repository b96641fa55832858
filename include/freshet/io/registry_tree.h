/* A schema and all it refers to, as the registry's answers come in one by one. */
#ifndef FRESHET_REGISTRY_TREE_H
#define FRESHET_REGISTRY_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "registry.h"
#include "text.h"

struct registry_node {
    const char *name;    /* how its referrer calls it; NULL for the schema asked for */
    const char *subject; /* and version: where the registry has it */
    int64_t version;
    int depth;
    const char *text; /* NULL: not answered yet */
    size_t len;
    uint16_t *children; /* indexes of what it refers to */
    size_t child_count;
    bool listed;
};

enum { REGISTRY_NODES_MAX = REGISTRY_REFERENCES_MAX + 1 };

/* nodes[0] is the schema asked for. */
struct registry_tree {
    struct arena arena; /* everything below */
    size_t count;
    struct registry_node nodes[REGISTRY_NODES_MAX];
};

void registry_tree_init(struct registry_tree *tree);
void registry_tree_free(struct registry_tree *tree);
/* The first node that has no text yet; -1: the tree is complete. */
int registry_tree_missing(const struct registry_tree *tree);
/* Appends the path behind the base URL at which the node is asked for. */
void registry_tree_path(const struct registry_tree *tree, int node,
                        const struct registry_key *key, struct text *path);

enum registry_tree_result {
    REGISTRY_TREE_OK,
    REGISTRY_TREE_NO_ANSWER, /* not what a registry says: perhaps a proxy's page */
    REGISTRY_TREE_UNUSABLE,  /* no Avro schema, or beyond a limit */
};
/* Takes a 200 answer for the node; error has REGISTRY_ERROR_MAX bytes. */
enum registry_tree_result registry_tree_answer(struct registry_tree *tree, int node,
                                               const char *body, size_t len, char *error);
/* Of a complete tree; the result lives in it. */
void registry_tree_schema(struct registry_tree *tree, struct registry_schema *schema);

#endif
