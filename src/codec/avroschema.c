/* From schema JSON to types: names are resolved and checked here, so that plans need not. */
#include "avroschema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avrodefault.h"
#include "jsontree.h"
#include "pool.h"

struct parser {
    struct avroschema *schema;
    const struct avroschema *const *known;
    size_t known_count;
    struct avro_error *err;
    char path[AVROERROR_PATH_MAX]; /* of the field being parsed */
    size_t path_len;
    size_t types;
    unsigned depth;
};

/* What a datum of each kind without further parts takes at least. */
static const struct avro_type simple_types[] = {
    [AVRO_KIND_NULL] = {.kind = AVRO_KIND_NULL, .is_fixed_width = true, .min_bytes = 0},
    [AVRO_KIND_BOOLEAN] = {.kind = AVRO_KIND_BOOLEAN, .is_fixed_width = true, .min_bytes = 1},
    [AVRO_KIND_INT] = {.kind = AVRO_KIND_INT, .min_bytes = 1},
    [AVRO_KIND_LONG] = {.kind = AVRO_KIND_LONG, .min_bytes = 1},
    [AVRO_KIND_FLOAT] = {.kind = AVRO_KIND_FLOAT, .is_fixed_width = true, .min_bytes = 4},
    [AVRO_KIND_DOUBLE] = {.kind = AVRO_KIND_DOUBLE, .is_fixed_width = true, .min_bytes = 8},
    [AVRO_KIND_BYTES] = {.kind = AVRO_KIND_BYTES, .min_bytes = 1},
    [AVRO_KIND_STRING] = {.kind = AVRO_KIND_STRING, .min_bytes = 1},
    [AVRO_KIND_RECORD] = {.kind = AVRO_KIND_RECORD},
    [AVRO_KIND_ENUM] = {.kind = AVRO_KIND_ENUM, .min_bytes = 1, .default_symbol = -1},
    [AVRO_KIND_FIXED] = {.kind = AVRO_KIND_FIXED, .is_fixed_width = true},
    [AVRO_KIND_ARRAY] = {.kind = AVRO_KIND_ARRAY, .min_bytes = 1},
    [AVRO_KIND_MAP] = {.kind = AVRO_KIND_MAP, .min_bytes = 1},
    [AVRO_KIND_UNION] = {.kind = AVRO_KIND_UNION, .min_bytes = 1},
};

static const char *const kind_names[] = {
    [AVRO_KIND_NULL] = "null",   [AVRO_KIND_BOOLEAN] = "boolean", [AVRO_KIND_INT] = "int",
    [AVRO_KIND_LONG] = "long",   [AVRO_KIND_FLOAT] = "float",     [AVRO_KIND_DOUBLE] = "double",
    [AVRO_KIND_BYTES] = "bytes", [AVRO_KIND_STRING] = "string",   [AVRO_KIND_RECORD] = "record",
    [AVRO_KIND_ENUM] = "enum",   [AVRO_KIND_FIXED] = "fixed",     [AVRO_KIND_ARRAY] = "array",
    [AVRO_KIND_MAP] = "map",     [AVRO_KIND_UNION] = "union",
};

const char *avroschema_kind_name(enum avro_kind kind)
{
    return kind_names[kind];
}

/* Returns NULL, so that `return fail(...)` ends a parser. */
static void *fail(struct parser *p, enum avro_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void *fail(struct parser *p, enum avro_error_code code, const char *format, ...)
{
    char message[AVROERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    avroerror_set(p->err, code, "%s", message);
    (void)snprintf(p->err->path, sizeof p->err->path, "%s", p->path);
    return NULL;
}

/* Many tools write null for an attribute that is not there. */
static const struct json_node *attribute(const struct json_node *json, const char *key)
{
    const struct json_node *value = jsontree_get(json, key);
    return value && value->type != JSON_TREE_NULL ? value : NULL;
}

static bool is_name(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return len > 0;
}

/* Names separated by dots. */
static bool is_full_name(const char *name)
{
    for (;;) {
        size_t len = strcspn(name, ".");
        if (!is_name(name, len))
            return false;
        if (!name[len])
            return true;
        name += len + 1;
    }
}

static int primitive_of(const char *name)
{
    for (int kind = AVRO_KIND_NULL; kind <= AVRO_KIND_STRING; kind++)
        if (strcmp(name, kind_names[kind]) == 0)
            return kind;
    return -1;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A string that is in the list twice, or NULL. */
static const char *duplicate_in(struct parser *p, const char *const *list, size_t count)
{
    if (count < 2)
        return NULL;
    const char **sorted = arena_alloc(&p->schema->arena, count * sizeof *sorted);
    memcpy(sorted, list, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_strings);
    for (size_t i = 1; i < count; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            return sorted[i];
    return NULL;
}

/* name qualified by the namespace, unless it has dots of its own. */
static const char *full_name(struct parser *p, const char *name, const char *space)
{
    if (strchr(name, '.') || !*space)
        return name;
    size_t size = strlen(space) + 1 + strlen(name) + 1;
    char *full = arena_alloc(&p->schema->arena, size);
    (void)snprintf(full, size, "%s.%s", space, name);
    return full;
}

static struct avro_type *find_named(struct parser *p, const char *name)
{
    for (size_t i = 0; i < p->schema->named_count; i++)
        if (strcmp(p->schema->named[i]->full_name, name) == 0)
            return p->schema->named[i];
    for (size_t k = 0; k < p->known_count; k++)
        for (size_t i = 0; i < p->known[k]->named_count; i++)
            if (strcmp(p->known[k]->named[i]->full_name, name) == 0)
                return p->known[k]->named[i];
    return NULL;
}

/* As the Java reference does: the enclosing namespace first, then none. */
static const struct avro_type *reference(struct parser *p, const char *name, const char *space)
{
    int primitive = primitive_of(name);
    if (primitive >= 0)
        return &simple_types[primitive];
    const struct avro_type *type = find_named(p, full_name(p, name, space));
    if (!type)
        type = find_named(p, name);
    return type ? type : fail(p, AVRO_ERROR_SCHEMA, "there is no type \"%.80s\" (yet)", name);
}

static const struct avro_type *parse_type(struct parser *p, const struct json_node *json,
                                          const char *space);

/* The strings of a JSON array; NULL and an error when it is anything else. */
static const char **string_list(struct parser *p, const struct json_node *json, const char *what)
{
    if (!json || json->type != JSON_TREE_ARRAY)
        return fail(p, AVRO_ERROR_SCHEMA, "%s must be an array of strings", what);
    if (json->count > AVROSCHEMA_MAX_NAMES)
        return fail(p, AVRO_ERROR_LIMIT, "more than %d %s", AVROSCHEMA_MAX_NAMES, what);
    const char **list = arena_alloc(&p->schema->arena, (json->count + 1) * sizeof *list);
    size_t count = 0;
    for (const struct json_node *item = json->first; item; item = item->next) {
        if (item->type != JSON_TREE_STRING || !is_full_name(item->text))
            return fail(p, AVRO_ERROR_SCHEMA, "%s must be names", what);
        list[count++] = item->text;
    }
    return list;
}

static bool parse_aliases(struct parser *p, const struct json_node *json, const char *space,
                          const char *const **aliases, uint32_t *count)
{
    const struct json_node *node = attribute(json, "aliases");
    if (!node)
        return true;
    const char **list = string_list(p, node, "aliases");
    if (!list)
        return false;
    *count = (uint32_t)node->count;
    for (uint32_t i = 0; i < *count; i++)
        list[i] = full_name(p, list[i], space);
    *aliases = list;
    return true;
}

/* Registers a record, enum or fixed under its name; *space becomes the namespace within it. */
static struct avro_type *define(struct parser *p, const struct json_node *json, enum avro_kind kind,
                                const char **space)
{
    const struct json_node *name = attribute(json, "name");
    const struct json_node *own = attribute(json, "namespace");
    if (!name || name->type != JSON_TREE_STRING || !is_full_name(name->text))
        return fail(p, AVRO_ERROR_SCHEMA, "a %s needs a name of letters, digits and _",
                    kind_names[kind]);
    if (own && (own->type != JSON_TREE_STRING || (own->len && !is_full_name(own->text))))
        return fail(p, AVRO_ERROR_SCHEMA, "the namespace of %.80s is not a name", name->text);
    struct avro_type *type = arena_alloc(&p->schema->arena, sizeof *type);
    *type = simple_types[kind];
    type->full_name = full_name(p, name->text, own ? own->text : *space);
    const char *dot = strrchr(type->full_name, '.');
    type->name = dot ? dot + 1 : type->full_name;
    if (primitive_of(type->name) >= 0)
        return fail(p, AVRO_ERROR_SCHEMA, "\"%s\" is the name of a primitive type", type->name);
    if (find_named(p, type->full_name))
        return fail(p, AVRO_ERROR_SCHEMA, "%.80s is defined twice", type->full_name);
    if (p->schema->named_count == AVROSCHEMA_MAX_NAMES)
        return fail(p, AVRO_ERROR_LIMIT, "more than %d named types", AVROSCHEMA_MAX_NAMES);
    p->schema->named[p->schema->named_count++] = type;
    size_t space_len = dot ? (size_t)(dot - type->full_name) : 0;
    char *inner = arena_alloc(&p->schema->arena, space_len + 1);
    memcpy(inner, type->full_name, space_len);
    inner[space_len] = '\0';
    *space = inner;
    return parse_aliases(p, json, inner, &type->aliases, &type->alias_count) ? type : NULL;
}

static const struct avro_type *parse_enum(struct parser *p, const struct json_node *json,
                                          const char *space)
{
    struct avro_type *type = define(p, json, AVRO_KIND_ENUM, &space);
    if (!type)
        return NULL;
    const struct json_node *symbols = attribute(json, "symbols");
    type->symbols = string_list(p, symbols, "symbols");
    if (!type->symbols)
        return NULL;
    type->count = (uint32_t)symbols->count;
    for (uint32_t i = 0; i < type->count; i++)
        if (strchr(type->symbols[i], '.'))
            return fail(p, AVRO_ERROR_SCHEMA, "symbols must be names");
    const char *twice = duplicate_in(p, type->symbols, type->count);
    if (twice)
        return fail(p, AVRO_ERROR_SCHEMA, "the symbol %.80s is there twice", twice);
    const struct json_node *value = attribute(json, "default");
    if (!value)
        return type;
    for (uint32_t i = 0; value->type == JSON_TREE_STRING && i < type->count; i++)
        if (strcmp(type->symbols[i], value->text) == 0)
            type->default_symbol = (int32_t)i;
    if (type->default_symbol < 0)
        return fail(p, AVRO_ERROR_SCHEMA, "the default of %.80s is none of its symbols",
                    type->full_name);
    return type;
}

static const struct avro_type *parse_fixed(struct parser *p, const struct json_node *json,
                                           const char *space)
{
    struct avro_type *type = define(p, json, AVRO_KIND_FIXED, &space);
    if (!type)
        return NULL;
    const struct json_node *size = attribute(json, "size");
    if (!size || size->type != JSON_TREE_INTEGER || size->integer < 0)
        return fail(p, AVRO_ERROR_SCHEMA, "a fixed needs a size of 0 or more");
    if (size->integer > AVROSCHEMA_MAX_FIXED)
        return fail(p, AVRO_ERROR_LIMIT, "a fixed is larger than %d", AVROSCHEMA_MAX_FIXED);
    type->count = type->min_bytes = (uint32_t)size->integer;
    return type;
}

static bool parse_field(struct parser *p, const struct json_node *json, const char *space,
                        struct avro_field *field)
{
    const struct json_node *name = attribute(json, "name");
    if (!name || name->type != JSON_TREE_STRING || !is_name(name->text, name->len))
        return fail(p, AVRO_ERROR_SCHEMA, "a field needs a name of letters, digits and _");
    field->name = name->text;
    size_t path_len = p->path_len;
    int added = snprintf(p->path + path_len, sizeof p->path - path_len, "%s%s", path_len ? "." : "",
                         field->name);
    p->path_len += (size_t)added;
    if (p->path_len >= sizeof p->path)
        p->path_len = sizeof p->path - 1;
    const struct json_node *order = attribute(json, "order");
    if (order && (order->type != JSON_TREE_STRING ||
                  (strcmp(order->text, "ascending") != 0 &&
                   strcmp(order->text, "descending") != 0 && strcmp(order->text, "ignore") != 0)))
        return fail(p, AVRO_ERROR_SCHEMA, "order must be ascending, descending or ignore");
    if (!parse_aliases(p, json, "", &field->aliases, &field->alias_count))
        return false;
    const struct json_node *type = jsontree_get(json, "type");
    if (!type)
        return fail(p, AVRO_ERROR_SCHEMA, "a field needs a type");
    field->type = parse_type(p, type, space);
    field->default_json = jsontree_get(json, "default");
    p->path_len = path_len;
    p->path[path_len] = '\0';
    return field->type != NULL;
}

static const struct avro_type *parse_record(struct parser *p, const struct json_node *json,
                                            const char *space)
{
    struct avro_type *type = define(p, json, AVRO_KIND_RECORD, &space);
    if (!type)
        return NULL;
    const struct json_node *fields = attribute(json, "fields");
    if (!fields || fields->type != JSON_TREE_ARRAY)
        return fail(p, AVRO_ERROR_SCHEMA, "the record %.80s needs an array of fields",
                    type->full_name);
    if (fields->count > AVROSCHEMA_MAX_NAMES)
        return fail(p, AVRO_ERROR_LIMIT, "more than %d fields", AVROSCHEMA_MAX_NAMES);
    struct avro_field *list = arena_alloc(&p->schema->arena, (fields->count + 1) * sizeof *list);
    const char **names = arena_alloc(&p->schema->arena, (fields->count + 1) * sizeof *names);
    memset(list, 0, (fields->count + 1) * sizeof *list);
    type->fields = list;
    uint64_t min_bytes = 0;
    bool is_fixed_width = true;
    for (const struct json_node *field = fields->first; field; field = field->next) {
        struct avro_field *parsed = &list[type->count];
        if (!parse_field(p, field, space, parsed))
            return NULL;
        names[type->count++] = parsed->name;
        min_bytes += parsed->type->min_bytes;
        is_fixed_width = is_fixed_width && parsed->type->is_fixed_width;
    }
    type->min_bytes = min_bytes > INT32_MAX ? INT32_MAX : (uint32_t)min_bytes;
    type->is_fixed_width = is_fixed_width && min_bytes == type->min_bytes;
    const char *twice = duplicate_in(p, names, type->count);
    return twice ? fail(p, AVRO_ERROR_SCHEMA, "the field %.80s is there twice", twice) : type;
}

/* What may be in a union only once: each unnamed kind, and each full name. */
static const char *branch_name(const struct avro_type *type)
{
    return type->full_name ? type->full_name : kind_names[type->kind];
}

static const struct avro_type *parse_union(struct parser *p, const struct json_node *json,
                                           const char *space)
{
    if (json->count > AVROSCHEMA_MAX_NAMES)
        return fail(p, AVRO_ERROR_LIMIT, "more than %d branches", AVROSCHEMA_MAX_NAMES);
    struct avro_type *type = arena_alloc(&p->schema->arena, sizeof *type);
    *type = simple_types[AVRO_KIND_UNION];
    const struct avro_type **branches =
        arena_alloc(&p->schema->arena, (json->count + 1) * sizeof(void *));
    const char **names = arena_alloc(&p->schema->arena, (json->count + 1) * sizeof *names);
    uint32_t min_bytes = UINT32_MAX;
    for (const struct json_node *branch = json->first; branch; branch = branch->next) {
        const struct avro_type *parsed = parse_type(p, branch, space);
        if (!parsed)
            return NULL;
        if (parsed->kind == AVRO_KIND_UNION)
            return fail(p, AVRO_ERROR_SCHEMA, "a union may not immediately contain a union");
        branches[type->count] = parsed;
        names[type->count++] = branch_name(parsed);
        if (parsed->min_bytes < min_bytes)
            min_bytes = parsed->min_bytes;
    }
    if (type->count)
        type->min_bytes = min_bytes < INT32_MAX ? 1 + min_bytes : INT32_MAX;
    type->branches = branches;
    const char *twice = duplicate_in(p, names, type->count);
    return twice ? fail(p, AVRO_ERROR_SCHEMA, "the union has %.80s twice", twice) : type;
}

/* The unit that a logicalType gives a long; others are ignored, as the specification says. */
static enum avro_time_unit time_unit(const struct json_node *json)
{
    const struct json_node *logical = attribute(json, "logicalType");
    if (!logical || logical->type != JSON_TREE_STRING)
        return AVRO_TIME_NONE;
    const char *name = logical->text;
    if (strncmp(name, "local-", 6) == 0)
        name += 6;
    if (strcmp(name, "timestamp-millis") == 0)
        return AVRO_TIME_MS;
    if (strcmp(name, "timestamp-micros") == 0)
        return AVRO_TIME_US;
    return strcmp(name, "timestamp-nanos") == 0 ? AVRO_TIME_NS : AVRO_TIME_NONE;
}

static const struct avro_type *parse_collection(struct parser *p, const struct json_node *json,
                                                enum avro_kind kind, const char *space)
{
    const char *key = kind == AVRO_KIND_ARRAY ? "items" : "values";
    const struct json_node *item = jsontree_get(json, key);
    if (!item)
        return fail(p, AVRO_ERROR_SCHEMA, "the type %s needs %s", kind_names[kind], key);
    struct avro_type *type = arena_alloc(&p->schema->arena, sizeof *type);
    *type = simple_types[kind];
    type->item = parse_type(p, item, space);
    return type->item ? type : NULL;
}

static const struct avro_type *parse_object(struct parser *p, const struct json_node *json,
                                            const char *space)
{
    const struct json_node *node = attribute(json, "type");
    if (!node || node->type != JSON_TREE_STRING)
        return fail(p, AVRO_ERROR_SCHEMA, "a type needs \"type\" with the name of a type");
    const char *name = node->text;
    if (strcmp(name, "record") == 0)
        return parse_record(p, json, space);
    if (strcmp(name, "enum") == 0)
        return parse_enum(p, json, space);
    if (strcmp(name, "fixed") == 0)
        return parse_fixed(p, json, space);
    if (strcmp(name, "array") == 0)
        return parse_collection(p, json, AVRO_KIND_ARRAY, space);
    if (strcmp(name, "map") == 0)
        return parse_collection(p, json, AVRO_KIND_MAP, space);
    const struct avro_type *type = reference(p, name, space);
    enum avro_time_unit unit = time_unit(json);
    if (!type || type->kind != AVRO_KIND_LONG || !unit)
        return type;
    struct avro_type *timed = arena_alloc(&p->schema->arena, sizeof *timed);
    *timed = *type;
    timed->unit = (uint8_t)unit;
    return timed;
}

static const struct avro_type *parse_type(struct parser *p, const struct json_node *json,
                                          const char *space)
{
    if (p->depth == AVROSCHEMA_MAX_DEPTH)
        return fail(p, AVRO_ERROR_LIMIT, "types are nested deeper than %d", AVROSCHEMA_MAX_DEPTH);
    if (++p->types > AVROSCHEMA_MAX_TYPES)
        return fail(p, AVRO_ERROR_LIMIT, "more than %d types", AVROSCHEMA_MAX_TYPES);
    p->depth++;
    const struct avro_type *type;
    if (json->type == JSON_TREE_STRING)
        type = reference(p, json->text, space);
    else if (json->type == JSON_TREE_ARRAY)
        type = parse_union(p, json, space);
    else if (json->type == JSON_TREE_OBJECT)
        type = parse_object(p, json, space);
    else
        type = fail(p, AVRO_ERROR_SCHEMA, "a type is a name, an object or an array");
    p->depth--;
    return type;
}

static bool parse_root(struct parser *p, const char *text, size_t len, enum avroschema_use use)
{
    if (len > AVROSCHEMA_MAX_BYTES)
        return fail(p, AVRO_ERROR_LIMIT, "the schema is longer than %d bytes",
                    AVROSCHEMA_MAX_BYTES);
    struct json_error error;
    const struct json_node *json = jsontree_parse(&p->schema->arena, text, len, &error);
    if (!json) {
        fail(p, error.limit ? AVRO_ERROR_LIMIT : AVRO_ERROR_SCHEMA, "not JSON: %s", error.message);
        p->err->offset = error.offset;
        return false;
    }
    p->schema->named =
        arena_alloc(&p->schema->arena, AVROSCHEMA_MAX_NAMES * sizeof *p->schema->named);
    p->schema->root = parse_type(p, json, "");
    if (!p->schema->root)
        return false;
    return use == AVROSCHEMA_WRITER || avrodefault_encode(p->schema, p->err);
}

struct avroschema *avroschema_parse(const char *text, size_t len,
                                    const struct avroschema *const *known, size_t known_count,
                                    enum avroschema_use use, struct avro_error *err)
{
    struct avroschema *schema = memory_alloc(sizeof *schema);
    struct parser parser = {
        .schema = schema, .known = known, .known_count = known_count, .err = err};
    if (parse_root(&parser, text, len, use))
        return schema;
    avroschema_free(schema);
    return NULL;
}

void avroschema_free(struct avroschema *schema)
{
    if (!schema)
        return;
    arena_free(&schema->arena);
    memory_free(schema);
}
