/* References are resolved breadth first, each (subject, version) once, and listed depth first so
 * that each schema stands behind those it needs. */
#include "registry_tree.h"

#include <stdio.h>
#include <string.h>

#include "framing.h"
#include "jsontree.h"

void registry_tree_init(struct registry_tree *tree)
{
    memset(tree, 0, sizeof *tree);
    tree->count = 1;
}

void registry_tree_free(struct registry_tree *tree)
{
    arena_free(&tree->arena);
}

int registry_tree_missing(const struct registry_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->nodes[i].text == NULL)
            return (int)i;
    return -1;
}

static void append_escaped(struct text *path, const char *string)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~";
    for (; *string != '\0'; string++) {
        if (strchr(plain, *string) != NULL)
            text_append_char(path, *string);
        else
            text_printf(path, "%%%02X", (unsigned char)*string);
    }
}

void registry_tree_path(const struct registry_tree *tree, int node,
                        const struct registry_key *key, struct text *path)
{
    char key_text[REGISTRY_KEY_TEXT];
    if (node > 0) {
        text_append_string(path, "/subjects/");
        append_escaped(path, tree->nodes[node].subject);
        text_printf(path, "/versions/%lld", (long long)tree->nodes[node].version);
        return;
    }
    registry_key_text(key, key_text);
    text_printf(path, "/schemas/%s/%s", key->is_guid ? "guids" : "ids", key_text);
}

static const char *keep(struct registry_tree *tree, const struct json_node *string)
{
    char *copy = arena_alloc(&tree->arena, string->len + 1);
    memcpy(copy, string->text, string->len + 1);
    return copy;
}

static bool is_string(const struct json_node *node)
{
    return node != NULL && node->type == JSON_TREE_STRING && node->len == strlen(node->text);
}

/* The node of (subject, version): the one that is there, or a new one. -1: too many. */
static int find_or_add(struct registry_tree *tree, int depth, const struct json_node *name,
                       const struct json_node *subject, int64_t version)
{
    for (size_t i = 1; i < tree->count; i++)
        if (tree->nodes[i].version == version &&
            strcmp(tree->nodes[i].subject, subject->text) == 0)
            return (int)i;
    if (tree->count == REGISTRY_NODES_MAX || depth > REGISTRY_REFERENCE_DEPTH)
        return -1;
    struct registry_node *added = &tree->nodes[tree->count];
    added->name = keep(tree, name);
    added->subject = keep(tree, subject);
    added->version = version;
    added->depth = depth;
    return (int)tree->count++;
}

static enum registry_tree_result fail(enum registry_tree_result result, char *error,
                                      const char *why)
{
    snprintf(error, REGISTRY_ERROR_MAX, "%s", why);
    return result;
}

static enum registry_tree_result add_references(struct registry_tree *tree, int node,
                                                const struct json_node *references, char *error)
{
    struct registry_node *parent = &tree->nodes[node];
    if (references == NULL || references->type != JSON_TREE_ARRAY || references->count == 0)
        return REGISTRY_TREE_OK;
    if (references->count > REGISTRY_REFERENCES_MAX)
        return fail(REGISTRY_TREE_UNUSABLE, error, "more than 256 references");
    parent->children = arena_alloc(&tree->arena, references->count * sizeof *parent->children);
    for (const struct json_node *at = references->first; at != NULL; at = at->next) {
        const struct json_node *name = jsontree_get(at, "name");
        const struct json_node *subject = jsontree_get(at, "subject");
        const struct json_node *version = jsontree_get(at, "version");
        if (!is_string(name) || !is_string(subject) || version == NULL ||
            version->type != JSON_TREE_INTEGER)
            return fail(REGISTRY_TREE_NO_ANSWER, error, "a reference without name or subject");
        int child = find_or_add(tree, parent->depth + 1, name, subject, version->integer);
        if (child < 0)
            return fail(REGISTRY_TREE_UNUSABLE, error,
                        "more than 256 schemas are referred to, or deeper than 32");
        parent->children[parent->child_count++] = (uint16_t)child;
    }
    return REGISTRY_TREE_OK;
}

enum registry_tree_result registry_tree_answer(struct registry_tree *tree, int node,
                                               const char *body, size_t len, char *error)
{
    struct arena arena = {0};
    struct json_error json_error;
    const struct json_node *root = jsontree_parse(&arena, body, len, &json_error);
    const struct json_node *schema = jsontree_get(root, "schema");
    const struct json_node *type = jsontree_get(root, "schemaType");
    enum registry_tree_result result;
    if (!is_string(schema)) {
        result = fail(REGISTRY_TREE_NO_ANSWER, error, "the answer holds no schema");
    } else if (is_string(type) && strcmp(type->text, "AVRO") != 0) {
        snprintf(error, REGISTRY_ERROR_MAX, "its type is %.32s, not AVRO", type->text);
        result = REGISTRY_TREE_UNUSABLE;
    } else {
        result = add_references(tree, node, jsontree_get(root, "references"), error);
    }
    if (result == REGISTRY_TREE_OK) {
        tree->nodes[node].text = keep(tree, schema);
        tree->nodes[node].len = schema->len;
    }
    arena_free(&arena);
    return result;
}

void registry_tree_schema(struct registry_tree *tree, struct registry_schema *schema)
{
    struct registry_reference *list =
        arena_alloc(&tree->arena, tree->count * sizeof *list); /* one too many: never 0 bytes */
    size_t listed = 0, depth = 1;
    size_t *path = arena_alloc(&tree->arena, tree->count * sizeof *path);
    size_t *next_child = arena_alloc(&tree->arena, tree->count * sizeof *next_child);
    memset(next_child, 0, tree->count * sizeof *next_child);
    path[0] = 0;
    tree->nodes[0].listed = true;
    while (depth > 0) {
        size_t at = path[depth - 1];
        struct registry_node *node = &tree->nodes[at];
        if (next_child[at] < node->child_count) {
            size_t child = node->children[next_child[at]++];
            if (!tree->nodes[child].listed) { /* also ends at a cycle, which nobody can parse */
                tree->nodes[child].listed = true;
                path[depth++] = child;
            }
            continue;
        }
        if (at > 0)
            list[listed++] = (struct registry_reference){node->name, node->text, node->len};
        depth--;
    }
    *schema = (struct registry_schema){.text = tree->nodes[0].text,
                                       .len = tree->nodes[0].len,
                                       .references = list,
                                       .reference_count = listed};
}
