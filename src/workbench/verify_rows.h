/* Rows as they are in Redis: those of the keys that take part in a verification. */
#ifndef FRESHET_VERIFY_ROWS_H
#define FRESHET_VERIFY_ROWS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "feature.h"
#include "keytable.h"
#include "record.h"
#include "row.h"
#include "text.h"

struct verify_row {
    const char *key; /* of the entity */
    uint32_t key_len;
    int32_t partition; /* _p; -1: none */
    int64_t offset;    /* _o; -1: none */
    int64_t rev;       /* _rev; -1: none */
    int64_t as_of_ms;  /* _as_of; INT64_MIN: none */
    const char *version; /* _v; "": none */
    const char *warming; /* _w; "": none */
    const char *stray;   /* a field of no feature; NULL: none */
    struct verify_field {
        const char *s; /* NULL: no such field */
        uint32_t len;
    } *fields;         /* one a feature */
    /* What the recomputation finds out. */
    atomic_bool foreign; /* another partition has state of the key */
    bool judged;       /* it was compared with the row of its own place in the log ... */
    bool was_right;    /* ... and equal to it */
    int64_t judged_by; /* the record after which that place was over; -1: none */
    enum fate refused; /* the fate of the record at `offset`, if it is not kept; else FATE_NONE */
};

/* All zero is empty. */
struct verify_rows {
    struct verify_row **list;
    uint32_t count, capacity;
    struct keytable table;
    struct arena arena;
};

void verify_rows_free(struct verify_rows *rows);
/* Adds a row without fields; the key is not there yet. */
struct verify_row *verify_rows_add(struct verify_rows *rows, const struct feature_set *set,
                                   const char *key, size_t len);
/* Puts a field into it, as layout hash shows it. */
void verify_rows_put(struct verify_rows *rows, const struct feature_set *set,
                     struct verify_row *row, const char *name, const char *value, size_t len);
struct verify_row *verify_rows_find(const struct verify_rows *rows, const char *key, size_t len);

/* A list of names with commas between them: of warming features. */
bool verify_names(const char *list, const char *name);
/* The value of a feature as its field would show it; NULL: no field. It is in scratch. */
const char *verify_shown(const struct value *value, struct text *scratch, size_t *len);
bool verify_field_equal(const struct verify_field *field, const struct value *value,
                        struct text *scratch);
/* All features but those that warm up. */
bool verify_features_equal(const struct verify_row *row, const struct row *other,
                           struct text *scratch);

#endif
