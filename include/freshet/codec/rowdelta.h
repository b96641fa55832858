/* What rows were last written with, so that layout `hash` writes only fields that have changed.
 *
 * A bounded table: an entry is the hashes (64 bits) of the values of one row, and a new row takes
 * the place of another. Where there is no entry, every field is written; so the table may forget at
 * any time, and what it says must only be true while it says it. A history is the writes of one
 * shard in which each builds upon the one before: whoever cannot tell whether a write has been
 * applied begins a new history, under which nothing is known. */
#ifndef FRESHET_ROWDELTA_H
#define FRESHET_ROWDELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feature.h"
#include "row.h"

enum { ROWDELTA_FEATURES_MIN = 8 }; /* with fewer, finding out costs more than it saves */

/* What is to be written of a row. */
struct rowdelta_change {
    uint64_t features[FEATURES_MAX / 64]; /* a bit for each that differs */
    uint32_t adds; /* of them, those that were null */
};

struct rowdelta {
    int features;
    size_t mask; /* entries - 1 */
    size_t entry_bytes;
    char *entries; /* NULL: nothing is remembered */
};

/* bytes: of the table at the most; 0 turns it off. */
void rowdelta_init(struct rowdelta *delta, const struct feature_set *set, size_t bytes);
void rowdelta_fini(struct rowdelta *delta);

/* Remembers the row as written; true when what was written before it is known. history is not 0. */
bool rowdelta_take(struct rowdelta *delta, const struct row *row, uint64_t history,
                   struct rowdelta_change *change);
/* The row of the key is not as it was thought to be. */
void rowdelta_forget(struct rowdelta *delta, const char *key, size_t len);

static inline bool rowdelta_has(const struct rowdelta_change *change, int feature)
{
    return change->features[feature / 64] >> (feature % 64) & 1;
}

#endif
