/* Reading what freshetd has written: its rows, and the own hashes of its shards. Each call waits
 * for its answers; only commands that read are sent: SCAN, HGETALL or MGET, HMGET, INFO, EXISTS. */
#ifndef FRESHET_VERIFY_REDIS_H
#define FRESHET_VERIFY_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "rowlayout.h"
#include "verify_rows.h"

struct verify_redis;

/* What a shard's owner left in its own hash (design: delivery, "Redis side"). */
struct verify_own {
    bool known; /* false: no batch was ever written */
    int64_t high_offset, as_of_ms, seq;
    bool resync; /* all rows are being written again */
};

/* Never NULL; it connects with the first question. */
struct verify_redis *verify_redis_open(const struct config *config,
                                       const struct feature_set *set);
void verify_redis_close(struct verify_redis *redis);
/* Why a question was not answered. */
const char *verify_redis_error(const struct verify_redis *redis);

/* All false when Redis does not answer, or refuses. */

/* Which keys are the first `keys` by shard_key_place: the place of the last one. */
bool verify_redis_place(struct verify_redis *redis, uint64_t keys, uint64_t *last);
/* The rows of keys up to that place. */
bool verify_redis_rows(struct verify_redis *redis, uint64_t last, struct verify_rows *rows);
/* The rows of these keys as they are now. */
struct verify_key {
    const char *key;
    size_t len;
};
bool verify_redis_again(struct verify_redis *redis, const struct verify_key *keys, size_t count,
                        struct verify_rows *rows);
/* One row, of whichever layout; none is added when there is none. */
bool verify_redis_find(struct verify_redis *redis, const char *key, size_t len,
                       struct verify_rows *rows, enum rowlayout_kind *kind);
bool verify_redis_own(struct verify_redis *redis, int32_t partition, struct verify_own *own);
/* Keys that Redis has dropped since it runs, because of their TTL and for want of memory; 0 when
 * it does not say. */
bool verify_redis_dropped(struct verify_redis *redis, int64_t *expired, int64_t *evicted);

#endif
