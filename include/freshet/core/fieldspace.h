/* How features name fields: paths into the reader schema, each given a slot of the event. */
#ifndef FRESHET_FIELDSPACE_H
#define FRESHET_FIELDSPACE_H

#include <stddef.h>

#include "value.h"

enum { FIELDSPACE_MAX_SLOTS = 256 };

/*
 * Filled in by whoever knows the schema (the codec), used by whoever compiles expressions (the
 * core). Resolving the same path twice gives the same slot.
 *
 * resolve: path is `page.url`, `items[0].sku` or `props["utm"]` (a quote or backslash in the key
 * has a backslash before it), without blanks, path_len bytes. Returns the slot (>= 0) and fills
 * kind; or returns -1 and writes what is wrong, and what would be right, to err. An index or map
 * key that a datum does not have is null, so such paths are always nullable.
 */
struct fieldspace {
    void *self;
    int (*resolve)(void *self, const char *path, size_t path_len, struct value_kind *kind,
                   char *err, size_t err_size);
};

#endif
