/* A row: the value of every feature of one key at one as_of. */
#ifndef FRESHET_ROW_H
#define FRESHET_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "feature.h"
#include "value.h"

struct row {
    const char *key; /* the entity key's bytes */
    uint32_t key_len;
    int32_t partition;
    int64_t offset; /* greatest offset of an event that entered the key's state */
    struct event_time as_of;
    uint64_t rev;
    const struct feature_set *set;
    const struct value *values; /* one a feature; text lives until the row's arena is reset */
    const char *warming;        /* comma-separated names of warming features, or NULL */
    bool whole;   /* replace whatever is there, stale fields included */
    bool removed; /* the key is forgotten and its row is to be deleted */
    bool expire;  /* (re)set the TTL */
};

#endif
