/* Calls of the scripts with their typed results (design: delivery, "Redis side").
 *
 * Each call is legal only while redis_ready and calls done exactly once, from the loop. Strings
 * are copied before the call returns; what a result points to lives during done only. */
#ifndef FRESHET_REDIS_SCRIPT_H
#define FRESHET_REDIS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flush_batch.h"
#include "redis.h"
#include "text.h"

enum {
    REDIS_TOKEN_MAX = 33,      /* 32 hexadecimal digits and the terminator */
    REDIS_SWEEP_KEYS_MAX = 1024, /* several times what a step of redis_scan shows */
};

/* A fresh random token, for every ACQUIRE a new one. */
void redis_token(char token[REDIS_TOKEN_MAX]);
/* Appends the name of a shard's own hash: PREFIXfreshet:{APP:TOPIC:PARTITION}:own */
void redis_own_key(struct text *out, const char *prefix, const char *app, const char *topic,
                   int32_t partition);

/* Take over a shard. */
struct acquire_terms {
    const char *own_key;
    const char *token;
    const char *old_token; /* ctok, of a checkpoint or of our last ACQUIRE; NULL: none */
    int64_t old_seq;       /* cseq: acknowledged under it */
    const char *layout;    /* of redis.layout: when rows have another, resync is set */
    int64_t as_of_ahead_ms; /* an as further ahead of Redis' clock was stated by a wrong clock, and
                             * is brought down to this; -1: it stays */
};

struct acquire_result {
    enum redis_result result; /* the rest is set only when it is OK */
    bool known;               /* false: no own hash, or no batch was ever applied under it */
    int64_t high_offset;      /* hw; -1 when not known */
    struct event_time as_of;  /* as; EVENT_TIME_MIN when not known */
    bool resync;              /* rs: every row must be written again */
    int64_t seq;              /* batches applied by all owners */
    int64_t time_ms;          /* Redis TIME */
};
typedef void redis_acquire_done(void *context, const struct acquire_result *result);
void redis_acquire(struct redis *redis, const struct acquire_terms *terms,
                   redis_acquire_done *done, void *context);

/* A row that another partition wrote, or (-1) that must be written whole: it was not in Redis any
 * more, or not as it had been written. index in the order of flush_batch_add. */
struct flush_found {
    uint32_t index;
    int32_t partition; /* the other one, or -1 */
};

struct flush_result {
    enum redis_result result; /* the rest is set only when it is OK */
    int64_t seq;              /* the batch's number */
    int64_t time_ms;          /* Redis TIME */
    uint32_t found_count;
    struct flush_found found[FLUSH_BATCH_ROWS];
};
/* The batch must not be touched until its done. */
void redis_flush(struct redis *redis, struct flush_batch *batch, flush_batch_done *done,
                 void *context);

/* MARK (pending = true) and DONE (false): the shard's resync flag. */
typedef void redis_resync_done(void *context, enum redis_result result);
void redis_set_resync(struct redis *redis, const char *own_key, const char *token, bool pending,
                      redis_resync_done *done, void *context);

/*
 * One step of a walk over rows. Start with cursor "0" and go on with the result's until that is
 * "0" again. A key may be shown more than once; a step shows about 256.
 */
struct scan_result {
    enum redis_result result;
    const char *cursor;
    size_t count;
    const struct redis_reply *keys; /* see redis_scan_key */
};
typedef void redis_scan_done(void *context, const struct scan_result *result);
void redis_scan(struct redis *redis, const char *cursor, const char *pattern,
                redis_scan_done *done, void *context);
/* The index-th Redis key and the partition in its _p (-1: none). */
const char *redis_scan_key(const struct scan_result *result, size_t index, size_t *len,
                           int32_t *partition);

/* Deletes those of the rows that still belong to the partition: a batch like FLUSH, numbered by
 * expected_seq + 1. */
struct sweep_terms {
    const char *own_key;
    const char *token;
    int64_t expected_seq; /* lease_batch_sent */
    int32_t partition;
};
struct sweep_result {
    enum redis_result result;
    int64_t deleted;
};
typedef void redis_sweep_done(void *context, const struct sweep_result *result);
/* keys: bulk strings (resp_bulk), count of them, at most REDIS_SWEEP_KEYS_MAX. */
void redis_sweep(struct redis *redis, const struct sweep_terms *terms, const struct text *keys,
                 uint32_t count, redis_sweep_done *done, void *context);

#endif
