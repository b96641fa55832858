/* Points: the places in the log at which --at asks for rows (see rowjson.h). */
#ifndef FRESHET_POINTS_H
#define FRESHET_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "keytable.h"

struct point {
    int32_t partition;
    int64_t offset; /* of the newest record that is applied */
    int64_t as_of_ms;
    const char *key;
    uint32_t key_len;
    uint32_t key_index;
    uint32_t place; /* in the file */
    /* Its line, within the output of its partition; SIZE_MAX: not made yet. */
    size_t begin, end;
};

struct points {
    struct point *list; /* by partition, then offset, then place */
    uint32_t count;
    uint32_t *by_place;     /* indexes of list, in the order of the file */
    const uint32_t *owners; /* a point of each different key, by key_index */
    uint32_t key_count;
    struct keytable keys;
    struct arena arena;
};

/* False with the reason, which names file and line, in error. */
bool points_read(struct points *points, const char *path, char *error, size_t error_size);
void points_free(struct points *points);
/* The first point of the partition; count when there is none. */
uint32_t points_first(const struct points *points, int32_t partition);
/* Which of the different keys it is, or UINT32_MAX. */
uint32_t points_find_key(const struct points *points, const char *key, size_t len);

#endif
