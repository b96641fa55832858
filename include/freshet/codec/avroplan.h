/* The compiled way from a writer's bytes to the reader's values. */
#ifndef FRESHET_AVROPLAN_H
#define FRESHET_AVROPLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "avroerror.h"
#include "avroschema.h"
#include "projection.h"
#include "value.h"

/*
 * A plan is made once for each (writer, reader) pair and run for every datum. It is immutable:
 * several threads may run it. Decoding needs no memory of its own, does not recurse, and its time
 * is bounded by the length of the datum and AVROPLAN_MAX_FREE_WORK.
 *
 * Resolution is that of the Avro 1.12 specification. Where it leaves a choice:
 * - A union is resolved per datum: the branch of the same type (for named types: same full name,
 *   then same unqualified name or alias) comes before the first promotable one. A pair is refused
 *   when a datum could never be resolved; a writer's branch or symbol that the reader lacks is an
 *   error (AVRO_ERROR_DATA) of the datum that has it.
 * - Types match by unqualified name, or by a full name among the reader's aliases. A field of the
 *   writer goes to the reader's field of that name, else to the first one with it as an alias.
 * - Strings that are used must be UTF-8 (AVRO_ERROR_MALFORMED otherwise); skipped ones are not
 *   looked at.
 * - The byte size of an array or map block is trusted when the block is skipped, and must be right
 *   (AVRO_ERROR_MALFORMED otherwise) when it is decoded; it never leads beyond the datum.
 * - Of equal map keys the last one counts.
 * - Bytes after the datum are ignored unless strict.
 * - What is not wanted is skipped: its bytes must make sense, but its branches and symbols need not
 *   resolve.
 */
enum {
    AVROPLAN_MAX_CODE = 1 << 16,      /* instructions */
    AVROPLAN_MAX_CHECKS = 1 << 20,    /* comparisons of two types, for one pair of schemas */
    AVROPLAN_MAX_DEPTH = 256,         /* records, arrays and maps that are open at once */
    AVROPLAN_MAX_FREE_WORK = 1 << 20, /* per datum: elements of no bytes, and bytes of defaults */
};

struct avroplan;

/*
 * projection NULL: a plan for whole datums (avroplan_walk); else for its slots (avroplan_decode).
 * strict: a datum is parsed to its end and must fill the message. The reader schema must outlive
 * the plan; the writer schema and the projection may go. NULL and err (AVRO_ERROR_RESOLVE,
 * AVRO_ERROR_LIMIT) when the pair does not work.
 */
struct avroplan *avroplan_compile(const struct avroschema *writer, const struct avroschema *reader,
                                  const struct projection *projection, bool strict,
                                  struct avro_error *err);
void avroplan_free(struct avroplan *plan);

/*
 * Fills in all slots of the projection (null where the datum has nothing). Strings and bytes are
 * slices of the datum or of the reader schema. False and err (AVRO_ERROR_DATA,
 * AVRO_ERROR_MALFORMED, AVRO_ERROR_LIMIT) when the datum is bad; the slots are then not to be used.
 */
bool avroplan_decode(const struct avroplan *plan, const void *bytes, size_t len,
                     struct value *slots, struct avro_error *err);

/* The same for the first datum of several that follow each other: *used is how long it is. The plan
 * is strict. */
bool avroplan_decode_next(const struct avroplan *plan, const void *bytes, size_t len,
                          struct value *slots, size_t *used, struct avro_error *err);

enum avro_event {
    AVRO_EVENT_RECORD, /* ... FIELD value FIELD value ... END */
    AVRO_EVENT_ARRAY,  /* ... value value ... END_ARRAY */
    AVRO_EVENT_MAP,    /* ... KEY value KEY value ... END */
    AVRO_EVENT_FIELD,  /* the name as a string */
    AVRO_EVENT_KEY,    /* the key as a string */
    AVRO_EVENT_VALUE,  /* a scalar; unions are unwrapped */
    AVRO_EVENT_END,    /* of a record or map */
    AVRO_EVENT_END_ARRAY,
};

/* Is told the reader's view of a datum; fields come in the writer's order, then defaults. */
struct avroplan_sink {
    void *self;
    void (*event)(void *self, enum avro_event event, struct value value);
};

/* Like avroplan_decode for a plan without projection. Events before an error were told already. */
bool avroplan_walk(const struct avroplan *plan, const void *bytes, size_t len,
                   const struct avroplan_sink *sink, struct avro_error *err);
/* As avroplan_decode_next; sink NULL: only where the datum ends is wanted. */
bool avroplan_walk_next(const struct avroplan *plan, const void *bytes, size_t len,
                        const struct avroplan_sink *sink, size_t *used, struct avro_error *err);

#endif
