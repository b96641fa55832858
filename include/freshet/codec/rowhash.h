/* Layout `hash`: a row as the arguments of the FLUSH script.
 *
 * A row is one Redis hash: a field a feature, and _as_of, _rev, _v, _p, _o, _w (design: redis).
 * In the script's arguments a row is
 *     code, (field, value) x sets, field x deletes      all bulk strings, with
 *     code = ((adds * 1024 + sets) * 1024 + deletes) * 8 + flags        see enum rowhash_flag
 * Null features are deletes, unless the row is whole: then the hash is replaced (and expires anew,
 * as DEL forgets the TTL). A removed row has neither sets nor deletes, only ROWHASH_REPLACE. The
 * first pair is always _as_of (FLUSH looks at it). _w goes away with a whole row only: when
 * features stop warming, rows become whole.
 * A delta has only _as_of, _rev, _o and the features that have changed. It says how many of its
 * sets are new fields; all its deletes are of fields that are there: FLUSH compares both with what
 * Redis says it did, and so notices rows that are gone. */
#ifndef FRESHET_ROWHASH_H
#define FRESHET_ROWHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feature.h"
#include "row.h"
#include "rowdelta.h"
#include "text.h"

enum rowhash_flag {
    ROWHASH_REPLACE = 1, /* DEL before anything else */
    ROWHASH_EXPIRE = 2,  /* PEXPIRE at the end */
    ROWHASH_DELTA = 4,   /* adds and deletes are compared */
};
enum { ROWHASH_VERSION = 16 }; /* hexadecimal digits of _v */

/* The digits of a feature set's version, no terminator. */
void rowhash_version(uint64_t version, char digits[ROWHASH_VERSION]);

/* How rows of one feature set are written; the set must outlive it. */
struct rowhash {
    const struct feature_set *set;
    struct text names;   /* each feature's name as a bulk string ... */
    uint32_t *name_ends; /* ... ending here */
    char version[ROWHASH_VERSION];
    struct text json;    /* of the list or map being written */
};

void rowhash_init(struct rowhash *hash, const struct feature_set *set);
void rowhash_fini(struct rowhash *hash);

/* What a row takes of a script's budget. */
struct rowhash_size {
    uint32_t arguments; /* bulk strings beside the key */
    uint32_t values;    /* fields set or deleted */
};

/* Appends the row's arguments. change: what has changed since the row was last written; NULL: that
 * is not known, or the row is whole. */
struct rowhash_size rowhash_append(struct rowhash *hash, const struct row *row,
                                   const struct rowdelta_change *change, struct text *out);
/* No row of the set has more values than this. */
uint32_t rowhash_values_max(const struct rowhash *hash);

/* Appends a value that is not null as its field would show it: lists and maps as JSON. */
void rowhash_append_value(const struct value *value, struct text *out);
/* The same for a value within a list or map: texts in quotes. */
void rowhash_append_item(const struct value *item, struct text *out);
/* Appends a group of a map as the name of its member, in quotes. */
void rowhash_append_name(const struct value *group, struct text *out);

#endif
