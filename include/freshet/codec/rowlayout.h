/* How rows are named and laid out in Redis: what stands behind redis.prefix, .key and .layout. */
#ifndef FRESHET_ROWLAYOUT_H
#define FRESHET_ROWLAYOUT_H

#include <stdint.h>

#include "rowhash.h"
#include "rowname.h"
#include "rowpack.h"

/* In the order of the choices of `redis.layout`. */
enum rowlayout_kind { ROWLAYOUT_HASH, ROWLAYOUT_PACKED };

struct rowlayout {
    enum rowlayout_kind kind;
    struct rowname name;
    struct rowhash hash; /* of HASH */
    struct rowdelta delta;
    struct rowpack pack; /* of PACKED */
};

/* The set must outlive it. delta_bytes: memory of rowdelta; layout packed uses none. */
void rowlayout_init(struct rowlayout *layout, enum rowlayout_kind kind,
                    const struct feature_set *set, const char *prefix, const char *key_template,
                    size_t delta_bytes);
void rowlayout_fini(struct rowlayout *layout);

/* Appends the row's arguments for the FLUSH script of the layout. history: see rowdelta.h. */
struct rowhash_size rowlayout_append(struct rowlayout *layout, const struct row *row,
                                     uint64_t history, struct text *out);
/* No row has more values than this: fields of a hash, or one string. */
uint32_t rowlayout_values_max(const struct rowlayout *layout);

#endif
