/* Which writer's types become which reader's types. Used by the plan compiler only. */
#ifndef FRESHET_AVRORESOLVE_H
#define FRESHET_AVRORESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "avroerror.h"
#include "avroschema.h"

enum { AVRORESOLVE_BUCKETS = 1024 };

/* What is known about pairs of records so far. All zero but the path is a fresh one. */
struct avroresolve {
    struct arena arena;
    struct avroresolve_pair *buckets[AVRORESOLVE_BUCKETS];
    struct avroresolve_pair *newest; /* of those that are taken to resolve */
    uint32_t checks;
    unsigned depth;
    char path[AVROERROR_PATH_MAX]; /* of the reader's field being looked at */
    size_t path_len;
};

void avroresolve_free(struct avroresolve *resolve);

/*
 * Whether some datum of the writer can become one of the reader; else err with AVRO_ERROR_RESOLVE,
 * or AVRO_ERROR_LIMIT when the pair takes too long to compare.
 */
bool avroresolve_check(struct avroresolve *resolve, const struct avro_type *writer,
                       const struct avro_type *reader, struct avro_error *err);
/* The reader's branch for a type that is no union: exact before promotable; NULL: none. */
const struct avro_type *avroresolve_branch(const struct avro_type *writer,
                                           const struct avro_type *reader_union);
/* reader_field[i] becomes the index of the reader's field for the writer's field i, or -1. */
void avroresolve_fields(const struct avro_type *writer, const struct avro_type *reader,
                        int32_t *reader_field);

#endif
