/* Labels: what a model is to learn to say of a key at a time, joined with what could be known then.
 *
 * A file of labels has a key, a time and any other columns: CSV with a header, or JSON lines. Times
 * are ms since the epoch or texts such as 2026-01-31T00:00:00Z. */
#ifndef FRESHET_LABELS_H
#define FRESHET_LABELS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "keytable.h"

#define LABELS_NONE UINT32_MAX

struct label {
    const char *key;
    uint32_t key_len;
    uint32_t key_index;   /* which of the different keys */
    uint32_t next_of_key; /* the next later one of the key, or LABELS_NONE */
    int64_t time_ms;
    const char *columns; /* the others, as a JSON object */
    uint32_t place;      /* in the file */
    atomic_bool found; /* some partition knows the key; only ever set, by whichever finds it */
};

struct labels {
    struct label *list; /* by time, then by place in the file */
    uint32_t count;
    uint32_t *first_of_key; /* by key_index */
    uint32_t key_count;
    struct keytable keys; /* to key_index */
    struct arena arena;
};

/* False with the reason, which names file and line, in error. */
bool labels_read(struct labels *labels, const char *path, char *error, size_t error_size);
void labels_free(struct labels *labels);
/* Which of the different keys it is, or LABELS_NONE. */
uint32_t labels_find(const struct labels *labels, const char *key, size_t len);

#endif
