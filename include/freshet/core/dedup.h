/* Deduplication: which events of which keys were seen (design: semantics, sections 1 and 8).
 *
 * An id is remembered from the record that entered state until the watermark passes its event time
 * plus event.dedup_window, whatever becomes of its key. Key and id together are kept as a 128-bit
 * fingerprint: of 10 million ids, one event in 10^31 is taken for a duplicate that is none. About
 * 65 bytes an id. */
#ifndef FRESHET_DEDUP_H
#define FRESHET_DEDUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deadlines.h"
#include "hash.h"
#include "keytable.h"
#include "value.h"

enum { DEDUP_CHUNK = 4096 }; /* ids allocated together */

struct dedup_id {
    struct hash128 fingerprint;
    int64_t until_ms; /* the last watermark at which it is known; INT64_MIN: a free place */
    uint32_t touched; /* the epoch of checkpoints in which it came */
    uint32_t next;    /* free place */
};

/* All zero is empty, once dedup_init was called. */
struct dedup {
    struct keytable table;
    struct dedup_id **chunks;
    uint32_t chunk_count;
    uint32_t handle_count;
    uint32_t free_handle;
    struct deadlines expiry; /* one for each id remembered: at_ms is the watermark that ends it */
};

void dedup_init(struct dedup *dedup);
void dedup_free(struct dedup *dedup);

/* The fingerprint of an id, which is not null, of a key. */
struct hash128 dedup_fingerprint(const char *key, size_t key_len, const struct value *id);
bool dedup_knows(const struct dedup *dedup, const struct hash128 *fingerprint);
/* The fingerprint must not be known, and until_ms not be behind the watermark. */
void dedup_remember(struct dedup *dedup, const struct hash128 *fingerprint, int64_t until_ms,
                    uint32_t epoch);
/* leaves is told of each id before it goes. */
void dedup_expire(struct dedup *dedup, int64_t watermark_ms,
                  void (*leaves)(void *context, uint32_t handle), void *context);

/* Loading: the id may be known, with another time; then arm what came, once. */
void dedup_put(struct dedup *dedup, const struct hash128 *fingerprint, int64_t until_ms);
void dedup_arm(struct dedup *dedup);

static inline struct dedup_id *dedup_at(const struct dedup *dedup, uint32_t handle)
{
    return &dedup->chunks[handle / DEDUP_CHUNK][handle % DEDUP_CHUNK];
}

static inline uint32_t dedup_count(const struct dedup *dedup)
{
    return dedup->table.count;
}
size_t dedup_bytes(const struct dedup *dedup);

#endif
