/* A batch of rows for one shard, built as one call of the FLUSH script.
 *
 *     flush_batch_begin(batch, &terms);
 *     while (!flush_batch_full(batch, layout) && shard_batch_next(..., &row))
 *         flush_batch_add(batch, layout, &row);
 *     redis_flush(redis, batch, done, context);        (redis_script.h)
 *
 * Buffers are kept from batch to batch. A batch without rows is legal: it probes for loss. */
#ifndef FRESHET_FLUSH_BATCH_H
#define FRESHET_FLUSH_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "redis.h"
#include "rowlayout.h"

enum {
    FLUSH_BATCH_ROWS = 256,
    FLUSH_BATCH_VALUES = 2048,      /* fields set or deleted: Redis works on a batch for ~1 ms */
    FLUSH_BATCH_BYTES = 256 * 1024, /* the row that passes this bound is the last */
};

/* What a batch is written under; strings are copied. */
struct flush_terms {
    const char *own_key;     /* name of the shard's own hash */
    const char *token;       /* of our last ACQUIRE */
    int64_t expected_seq;    /* lease_batch_sent */
    int64_t high_offset;     /* hwm: the shard's last applied offset */
    struct event_time as_of; /* asm: the highest as_of in the batch */
    int64_t ttl_ms;          /* 0: rows do not expire */
    enum rowlayout_kind layout;
    uint64_t history; /* of rowdelta.h: rows that were written under it are as they were written */
    int32_t partition;
    bool check; /* compare each row's _p: a foreign row with a newer _as_of is left alone */
};

struct flush_result;
struct flush_batch;
typedef void flush_batch_done(void *context, struct flush_batch *batch,
                              const struct flush_result *result);

struct flush_batch {
    struct redis_request request;
    struct text head; /* command, digest of the script, number of keys */
    struct text keys; /* the own hash, then the rows */
    struct text args; /* the terms, then what the layout wrote */
    enum rowlayout_kind layout;
    uint64_t history;
    uint32_t rows;
    uint32_t values;
    uint32_t arguments;
    flush_batch_done *done; /* of redis_flush */
    void *context;
};

void flush_batch_init(struct flush_batch *batch);
void flush_batch_fini(struct flush_batch *batch); /* not while in flight */
void flush_batch_begin(struct flush_batch *batch, const struct flush_terms *terms);
/* No further row of this feature set may be added. */
bool flush_batch_full(const struct flush_batch *batch, const struct rowlayout *layout);
void flush_batch_add(struct flush_batch *batch, struct rowlayout *layout, const struct row *row);
/* Completes the command with the script's digest and fills batch->request.parts. */
void flush_batch_finish(struct flush_batch *batch, const char *sha);

#endif
