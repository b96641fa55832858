/* Schema resolution before any datum; recursive types are taken to resolve until shown not to. */
#include "avroresolve.h"

#include <stdio.h>
#include <string.h>

#include "avroplan.h"

enum pair_state { PAIR_UNKNOWN, PAIR_ASSUMED, PAIR_FAILED };

struct avroresolve_pair {
    const struct avro_type *writer, *reader;
    enum pair_state state;
    struct avroresolve_pair *next;     /* in its bucket */
    struct avroresolve_pair *previous; /* assumed before this one */
};

void avroresolve_free(struct avroresolve *resolve)
{
    arena_free(&resolve->arena);
}

static struct avroresolve_pair *pair_of(struct avroresolve *resolve, const struct avro_type *writer,
                                        const struct avro_type *reader)
{
    size_t bucket = ((uintptr_t)writer / 16 + (uintptr_t)reader / 16 * 31) % AVRORESOLVE_BUCKETS;
    struct avroresolve_pair *pair = resolve->buckets[bucket];
    for (; pair; pair = pair->next)
        if (pair->writer == writer && pair->reader == reader)
            return pair;
    pair = arena_alloc(&resolve->arena, sizeof *pair);
    *pair = (struct avroresolve_pair){
        .writer = writer, .reader = reader, .next = resolve->buckets[bucket]};
    resolve->buckets[bucket] = pair;
    return pair;
}

static bool names_match(const struct avro_type *writer, const struct avro_type *reader)
{
    if (strcmp(writer->name, reader->name) == 0)
        return true;
    for (uint32_t i = 0; i < reader->alias_count; i++)
        if (strcmp(reader->aliases[i], writer->full_name) == 0)
            return true;
    return false;
}

static bool is_promotable(enum avro_kind writer, enum avro_kind reader)
{
    switch (writer) {
    case AVRO_KIND_INT:
        return reader == AVRO_KIND_LONG || reader == AVRO_KIND_FLOAT || reader == AVRO_KIND_DOUBLE;
    case AVRO_KIND_LONG:
        return reader == AVRO_KIND_FLOAT || reader == AVRO_KIND_DOUBLE;
    case AVRO_KIND_FLOAT:
        return reader == AVRO_KIND_DOUBLE;
    case AVRO_KIND_STRING:
        return reader == AVRO_KIND_BYTES;
    case AVRO_KIND_BYTES:
        return reader == AVRO_KIND_STRING;
    default:
        return false;
    }
}

/* How well types fit as a whole, without looking at fields and items: 0 not at all, 3 best. */
static int fitness(const struct avro_type *writer, const struct avro_type *reader)
{
    if (writer->kind != reader->kind)
        return is_promotable(writer->kind, reader->kind) ? 1 : 0;
    if (!writer->full_name)
        return 3;
    if (writer->kind == AVRO_KIND_FIXED && writer->count != reader->count)
        return 0;
    if (strcmp(writer->full_name, reader->full_name) == 0)
        return 3;
    return names_match(writer, reader) ? 2 : 0;
}

const struct avro_type *avroresolve_branch(const struct avro_type *writer,
                                           const struct avro_type *reader_union)
{
    const struct avro_type *best = NULL;
    int best_fitness = 0;
    for (uint32_t i = 0; i < reader_union->count; i++) {
        int found = fitness(writer, reader_union->branches[i]);
        if (found > best_fitness) {
            best_fitness = found;
            best = reader_union->branches[i];
        }
    }
    return best;
}

static int32_t field_named(const struct avro_type *record, const char *name)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (strcmp(record->fields[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

void avroresolve_fields(const struct avro_type *writer, const struct avro_type *reader,
                        int32_t *reader_field)
{
    for (uint32_t i = 0; i < writer->count; i++)
        reader_field[i] = field_named(reader, writer->fields[i].name);
    for (uint32_t r = 0; r < reader->count; r++) {
        const struct avro_field *field = &reader->fields[r];
        if (field_named(writer, field->name) >= 0)
            continue;
        for (uint32_t a = 0; a < field->alias_count; a++) {
            int32_t w = field_named(writer, field->aliases[a]);
            if (w >= 0 && reader_field[w] < 0) {
                reader_field[w] = (int32_t)r;
                break;
            }
        }
    }
}

static bool refuse(struct avroresolve *resolve, struct avro_error *err)
{
    (void)snprintf(err->path, sizeof err->path, "%s", resolve->path);
    return false;
}

/* For messages: the name of a named type, else its kind. */
static const char *type_name(const struct avro_type *type)
{
    return type->full_name ? type->full_name : avroschema_kind_name(type->kind);
}

static bool check_part(struct avroresolve *resolve, const struct avro_type *writer,
                       const struct avro_type *reader, const char *part, struct avro_error *err)
{
    size_t path_len = resolve->path_len;
    int added = snprintf(resolve->path + path_len, sizeof resolve->path - path_len, "%s%s",
                         path_len && *part != '[' ? "." : "", part);
    resolve->path_len += (size_t)added;
    if (resolve->path_len >= sizeof resolve->path)
        resolve->path_len = sizeof resolve->path - 1;
    bool ok = avroresolve_check(resolve, writer, reader, err);
    resolve->path_len = path_len;
    resolve->path[path_len] = '\0';
    return ok;
}

static bool check_fields(struct avroresolve *resolve, const struct avro_type *writer,
                         const struct avro_type *reader, struct avro_error *err)
{
    int32_t *reader_field =
        arena_alloc(&resolve->arena, (writer->count + 1) * sizeof *reader_field);
    bool *found = arena_alloc(&resolve->arena, reader->count + 1);
    memset(found, 0, reader->count + 1);
    avroresolve_fields(writer, reader, reader_field);
    for (uint32_t i = 0; i < writer->count; i++) {
        if (reader_field[i] < 0)
            continue;
        const struct avro_field *field = &reader->fields[reader_field[i]];
        found[reader_field[i]] = true;
        if (!check_part(resolve, writer->fields[i].type, field->type, field->name, err))
            return false;
    }
    for (uint32_t i = 0; i < reader->count; i++) {
        if (found[i] || reader->fields[i].default_bytes)
            continue;
        avroerror_set(err, AVRO_ERROR_RESOLVE,
                      "the writer has no field \"%.80s\" and the reader has no default for it",
                      reader->fields[i].name);
        return refuse(resolve, err);
    }
    return true;
}

/* A failure under the assumption is a failure; a success holds as long as the assumption does. */
static bool check_record(struct avroresolve *resolve, const struct avro_type *writer,
                         const struct avro_type *reader, struct avro_error *err)
{
    struct avroresolve_pair *pair = pair_of(resolve, writer, reader);
    if (pair->state == PAIR_ASSUMED)
        return true;
    if (pair->state == PAIR_FAILED) {
        avroerror_set(err, AVRO_ERROR_RESOLVE, "%.80s of the writer does not resolve to %.80s",
                      writer->full_name, reader->full_name);
        return refuse(resolve, err);
    }
    pair->state = PAIR_ASSUMED;
    pair->previous = resolve->newest;
    resolve->newest = pair;
    if (check_fields(resolve, writer, reader, err))
        return true;
    while (resolve->newest != pair->previous) {
        if (resolve->newest->state == PAIR_ASSUMED)
            resolve->newest->state = PAIR_UNKNOWN;
        resolve->newest = resolve->newest->previous;
    }
    pair->state = PAIR_FAILED;
    return false;
}

static bool check_writer_union(struct avroresolve *resolve, const struct avro_type *writer,
                               const struct avro_type *reader, struct avro_error *err)
{
    for (uint32_t i = 0; i < writer->count; i++) {
        if (avroresolve_check(resolve, writer->branches[i], reader, err))
            return true;
        if (err->code == AVRO_ERROR_LIMIT)
            return false;
    }
    avroerror_set(err, AVRO_ERROR_RESOLVE, "no branch of the writer's union resolves to %.80s",
                  type_name(reader));
    return refuse(resolve, err);
}

static bool check_types(struct avroresolve *resolve, const struct avro_type *writer,
                        const struct avro_type *reader, struct avro_error *err)
{
    if (writer->kind == AVRO_KIND_UNION)
        return check_writer_union(resolve, writer, reader, err);
    if (reader->kind == AVRO_KIND_UNION) {
        const struct avro_type *branch = avroresolve_branch(writer, reader);
        if (branch)
            return avroresolve_check(resolve, writer, branch, err);
        avroerror_set(err, AVRO_ERROR_RESOLVE,
                      "the reader's union has no branch for the writer's %.80s", type_name(writer));
        return refuse(resolve, err);
    }
    if (!fitness(writer, reader)) {
        avroerror_set(err, AVRO_ERROR_RESOLVE,
                      "the writer's %.80s does not resolve to the reader's %.80s",
                      type_name(writer), type_name(reader));
        return refuse(resolve, err);
    }
    if (reader->kind == AVRO_KIND_RECORD)
        return check_record(resolve, writer, reader, err);
    if (reader->kind == AVRO_KIND_ARRAY || reader->kind == AVRO_KIND_MAP)
        return check_part(resolve, writer->item, reader->item, "[]", err);
    return true;
}

bool avroresolve_check(struct avroresolve *resolve, const struct avro_type *writer,
                       const struct avro_type *reader, struct avro_error *err)
{
    if (++resolve->checks > AVROPLAN_MAX_CHECKS || resolve->depth == AVROPLAN_MAX_DEPTH) {
        avroerror_set(err, AVRO_ERROR_LIMIT,
                      "the schemas are too deep or too intertwined to compare");
        return refuse(resolve, err);
    }
    resolve->depth++;
    bool ok = check_types(resolve, writer, reader, err);
    resolve->depth--;
    return ok;
}
