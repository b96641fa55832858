/* Paths of features against the reader schema: a tree, so that plans visit each field once. */
#include "projection.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "expect.h"
#include "pool.h"
#include "text.h"

struct projection {
    struct arena arena;
    struct projection_node root;
    struct projection_node *leaves[FIELDSPACE_MAX_SLOTS];
    const char *paths[FIELDSPACE_MAX_SLOTS];
    int count;
};

/* One resolution: the rest of the path, and where errors go. */
struct resolver {
    struct projection *projection;
    const char *path;
    const char *at, *end;
    char *err;
    size_t err_size;
    bool nullable;
    unsigned depth;
};

static bool fail(struct resolver *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct resolver *r, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(r->err, r->err_size, format, arguments);
    va_end(arguments);
    return false;
}

struct projection *projection_new(const struct avroschema *reader)
{
    struct projection *projection = memory_alloc(sizeof *projection);
    projection->root = (struct projection_node){.type = reader->root, .slot = -1};
    return projection;
}

void projection_free(struct projection *projection)
{
    if (!projection)
        return;
    arena_free(&projection->arena);
    memory_free(projection);
}

static enum value_type scalar_type(const struct avro_type *type)
{
    switch (type->kind) {
    case AVRO_KIND_BOOLEAN:
        return VALUE_BOOL;
    case AVRO_KIND_INT:
    case AVRO_KIND_LONG:
        return VALUE_LONG;
    case AVRO_KIND_FLOAT:
    case AVRO_KIND_DOUBLE:
        return VALUE_DOUBLE;
    case AVRO_KIND_STRING:
    case AVRO_KIND_ENUM:
        return VALUE_STRING;
    case AVRO_KIND_BYTES:
    case AVRO_KIND_FIXED:
        return VALUE_BYTES;
    default:
        return VALUE_NULL;
    }
}

/* The type beside null; NULL when there are several. Notes whether null is possible. */
static const struct avro_type *beside_null(const struct avro_type *type, bool *nullable)
{
    if (type->kind != AVRO_KIND_UNION)
        return type;
    const struct avro_type *only = NULL;
    bool several = false;
    for (uint32_t i = 0; i < type->count; i++) {
        if (type->branches[i]->kind == AVRO_KIND_NULL) {
            *nullable = true;
        } else {
            several = several || only;
            only = type->branches[i];
        }
    }
    return several ? NULL : only;
}

/* The field names of a record, for people who mistyped one. */
static bool fail_unknown_field(struct resolver *r, const struct avro_type *record, const char *name,
                               size_t len)
{
    struct text names = {0};
    for (uint32_t i = 0; i < record->count && names.len < r->err_size; i++)
        text_printf(&names, "%s%s", i ? ", " : "", record->fields[i].name);
    fail(r, "the record %s has no field \"%.*s\"; it has: %s", record->name, (int)len, name,
         names.len ? names.data : "none");
    text_free(&names);
    return false;
}

static struct projection_node *child_of(struct resolver *r, struct projection_node *parent,
                                        const struct projection_node *wanted)
{
    struct projection_node **link = &parent->first;
    for (; *link; link = &(*link)->next) {
        struct projection_node *node = *link;
        if (node->step == wanted->step && node->index == wanted->index &&
            node->name_len == wanted->name_len &&
            memcmp(node->name, wanted->name, node->name_len) == 0)
            return node;
    }
    struct projection_node *node = arena_alloc(&r->projection->arena, sizeof *node);
    *node = *wanted;
    char *name = arena_alloc(&r->projection->arena, wanted->name_len + 1);
    memcpy(name, wanted->name, wanted->name_len);
    name[wanted->name_len] = '\0';
    node->name = name;
    *link = node;
    return node;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool parse_field(struct resolver *r, const struct avro_type *type,
                        struct projection_node *step)
{
    const char *name = r->at;
    while (r->at < r->end && is_name_char(*r->at))
        r->at++;
    size_t len = (size_t)(r->at - name);
    if (!len)
        return fail(r, "a field name is missing at byte %zu of the path",
                    (size_t)(name - r->path) + 1);
    if (type->kind != AVRO_KIND_RECORD)
        return fail(r, "\"%.*s\" is a field, but what is before it is of type %s", (int)len, name,
                    avroschema_kind_name(type->kind));
    for (uint32_t i = 0; i < type->count; i++) {
        if (strlen(type->fields[i].name) == len && memcmp(type->fields[i].name, name, len) == 0) {
            step->step = PROJECTION_FIELD;
            step->name = type->fields[i].name;
            step->name_len = len;
            step->index = i;
            step->type = type->fields[i].type;
            return true;
        }
    }
    return fail_unknown_field(r, type, name, len);
}

static bool parse_index(struct resolver *r, const struct avro_type *type,
                        struct projection_node *step)
{
    const char *digits = r->at;
    uint32_t index = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && index <= PROJECTION_MAX_INDEX)
        index = index * 10 + (uint32_t)(*r->at++ - '0');
    if (r->at == digits)
        return fail(r, "in brackets stands an array index from 0 or a map key in quotes");
    if (index > PROJECTION_MAX_INDEX)
        return fail(r, "the greatest array index is %d", PROJECTION_MAX_INDEX);
    if (type->kind != AVRO_KIND_ARRAY)
        return fail(r, "[%u] needs an array, but what is before it is of type %s", (unsigned)index,
                    avroschema_kind_name(type->kind));
    step->step = PROJECTION_INDEX;
    step->index = index;
    step->type = type->item;
    return true;
}

/* The key goes to out (PROJECTION_MAX_PATH bytes) without its quotes and backslashes. */
static bool parse_key(struct resolver *r, const struct avro_type *type,
                      struct projection_node *step, char *out)
{
    char quote = *r->at++;
    size_t len = 0;
    while (r->at < r->end && *r->at != quote) {
        if (*r->at == '\\' && r->at + 1 < r->end)
            r->at++;
        out[len++] = *r->at++;
    }
    if (r->at == r->end)
        return fail(r, "the map key has no closing quote");
    r->at++;
    if (type->kind != AVRO_KIND_MAP)
        return fail(r, "[\"%.*s\"] needs a map, but what is before it is of type %s", (int)len, out,
                    avroschema_kind_name(type->kind));
    step->step = PROJECTION_KEY;
    step->name = out;
    step->name_len = len;
    step->type = type->item;
    return true;
}

/* One step from a node to its child; NULL and an error when the schema has no such step. */
static struct projection_node *next_step(struct resolver *r, struct projection_node *node)
{
    if (++r->depth > PROJECTION_MAX_DEPTH) {
        fail(r, "a path has at most %d steps", PROJECTION_MAX_DEPTH);
        return NULL;
    }
    const struct avro_type *type = beside_null(node->type, &r->nullable);
    if (!type) {
        fail(r, "what is before byte %zu of the path is a union of several types",
             (size_t)(r->at - r->path) + 1);
        return NULL;
    }
    struct projection_node step = {.name = "", .slot = -1};
    char key[PROJECTION_MAX_PATH];
    if (r->at < r->end && *r->at == '[') {
        r->at++;
        r->nullable = true;
        bool quoted = r->at < r->end && (*r->at == '"' || *r->at == '\'');
        if (!(quoted ? parse_key(r, type, &step, key) : parse_index(r, type, &step)))
            return NULL;
        if (r->at == r->end || *r->at++ != ']') {
            fail(r, "a closing bracket is missing in the path");
            return NULL;
        }
    } else {
        if (node != &r->projection->root && (r->at == r->end || *r->at++ != '.')) {
            fail(r, "expected \".\" or \"[\" at byte %zu of the path", (size_t)(r->at - r->path));
            return NULL;
        }
        if (!parse_field(r, type, &step))
            return NULL;
    }
    return child_of(r, node, &step);
}

/* The kind of a leaf: all branches beside null must be alike. */
static bool leaf_kind(struct resolver *r, const struct avro_type *type, struct value_kind *kind)
{
    bool is_union = type->kind == AVRO_KIND_UNION;
    const struct avro_type *const *branches = is_union ? type->branches : &type;
    uint32_t count = is_union ? type->count : 1;
    kind->type = VALUE_NULL;
    for (uint32_t i = 0; i < count; i++) {
        enum value_type found = scalar_type(branches[i]);
        if (branches[i]->kind == AVRO_KIND_NULL) {
            r->nullable = true;
            continue;
        }
        if (found == VALUE_NULL)
            return fail(r, "is of type %s: name a part of it%s",
                        avroschema_kind_name(branches[i]->kind),
                        branches[i]->kind == AVRO_KIND_RECORD  ? ", as in page.url"
                        : branches[i]->kind == AVRO_KIND_ARRAY ? ", as in items[0]"
                                                               : ", as in props[\"utm\"]");
        if (kind->type != VALUE_NULL && kind->type != found)
            return fail(r, "is a union of types that are not alike");
        kind->type = found;
    }
    kind->nullable = r->nullable;
    return kind->type != VALUE_NULL || fail(r, "is always null");
}

static int resolve(void *self, const char *path, size_t path_len, struct value_kind *kind,
                   char *err, size_t err_size)
{
    struct projection *projection = self;
    struct resolver r = {.projection = projection,
                         .path = path,
                         .at = path,
                         .end = path + path_len,
                         .err = err,
                         .err_size = err_size};
    if (path_len >= PROJECTION_MAX_PATH) {
        fail(&r, "a path has at most %d bytes", PROJECTION_MAX_PATH - 1);
        return -1;
    }
    struct projection_node *node = &projection->root;
    do {
        node = next_step(&r, node);
        if (!node)
            return -1;
    } while (r.at < r.end);
    if (!leaf_kind(&r, node->type, kind))
        return -1;
    if (node->slot >= 0)
        return node->slot;
    if (projection->count == FIELDSPACE_MAX_SLOTS) {
        fail(&r, "features use more than %d fields", FIELDSPACE_MAX_SLOTS);
        return -1;
    }
    char *copy = arena_alloc(&projection->arena, path_len + 1);
    memcpy(copy, path, path_len);
    copy[path_len] = '\0';
    node->slot = projection->count++;
    projection->leaves[node->slot] = node;
    projection->paths[node->slot] = copy;
    return node->slot;
}

struct fieldspace projection_fieldspace(struct projection *projection)
{
    return (struct fieldspace){projection, resolve};
}

size_t projection_slot_count(const struct projection *projection)
{
    return (size_t)projection->count;
}

const char *projection_slot_path(const struct projection *projection, int slot)
{
    expect(slot >= 0 && slot < projection->count);
    return projection->paths[slot];
}

void projection_mark_time(struct projection *projection, int slot, enum avro_time_unit default_unit)
{
    expect(slot >= 0 && slot < projection->count && default_unit != AVRO_TIME_NONE);
    projection->leaves[slot]->time = default_unit;
}

const struct projection_node *projection_root(const struct projection *projection)
{
    return &projection->root;
}
