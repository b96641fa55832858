/* A shard: the state of one (topic, partition), from decoded records to rows and their delivery.
 *
 * The story of a click. The shell hands a batch of records to shard_apply. For each, in order: its
 * fate is found (record.h), the watermark advances and forgets keys whose time is over, the event
 * enters a session (session.h) and the panes of its windows (window.h), and its key becomes dirty.
 * Dirty keys coalesce: however many clicks a user makes between two flushes, one row is written.
 * At a flush the shell calls shard_advance, which states as_of and makes the keys dirty whose
 * features changed by the mere passing of time (decay); then shard_batch_next gives rows (row.h)
 * until the batch is full, and the shell sends them to Redis under the shard's token (lease.h).
 * shard_batch_end takes the reply: acknowledged keys are clean, all others stay dirty. Nothing is
 * lost when Redis loses it, because state is here and the log can be read again.
 *
 * The core has no clock, does no I/O and draws no random numbers: what it knows of the world it is
 * told in arguments. So live, replay and simulation cannot disagree. */
#ifndef FRESHET_SHARD_H
#define FRESHET_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "clock.h"
#include "lease.h"
#include "record.h"
#include "row.h"
#include "rules.h"

enum {
    SHARD_BATCH_KEYS = 256,     /* rows in a batch at the most */
    SHARD_BATCH_VALUES = 2048,  /* field values in a batch at the most */
    SHARD_DUE_BUDGET = 20000,   /* deadlines handled in one shard_advance */
    SHARD_APPLY_MAX = 1024,     /* records in one shard_apply */
    SHARD_WARMING_MAX = 4096,   /* bytes of the names of warming features; then "..." */
};

struct shard;

/* start_ms: every record before the shard's first one has an event time below start_ms +
 * max_future_skew; INT64_MIN when the shard starts at the beginning of its log. */
struct shard *shard_open(const struct rules *rules, int32_t partition, int64_t start_ms);
void shard_close(struct shard *shard);

/* Keys whose shard_key_place is beyond `last` get no state: their events are filtered, and time
 * passes by them all the same. So a part of the keys can be looked at in a part of the memory. */
void shard_sample(struct shard *shard, uint64_t last);
/* Where a key stands among all keys, from 0 to UINT64_MAX: evenly spread. */
uint64_t shard_key_place(const char *key, size_t len);

/* Applies records in the order of their offsets; verdicts[i] says what became of records[i].
 * count is at most SHARD_APPLY_MAX. */
void shard_apply(struct shard *shard, const struct record *records, int count,
                 struct verdict *verdicts);

/* The log is at its end: the next record will have this offset or a greater one. Control records
 * leave gaps that only this report closes. */
void shard_end_of_log(struct shard *shard, int64_t next_offset);

/* ---- emission ---- */

/* What it shows may be wrong however much time passes: _w names every feature from now on. */
void shard_distrust(struct shard *shard);

/* States as_of = max(raw, idle clock, every as_of before) and makes due keys dirty.
 * idle_now_ms: the present (the smaller of the machine's and Redis' clock) while the partition is
 * idle (W4), else INT64_MIN. Returns false when the budget ended it early: call again. */
bool shard_advance(struct shard *shard, int64_t idle_now_ms);

/* Keys in flight to Redis, and what decides what their acknowledgement means. */
struct shard_batch {
    uint32_t handles[SHARD_BATCH_KEYS];
    /* Since when the row was due: the event time of the oldest event not yet written or, for a row
     * of decay, the as_of at which it changed. INT64_MAX: written for another reason. */
    int64_t since_ms[SHARD_BATCH_KEYS];
    bool decay[SHARD_BATCH_KEYS];
    /* Set by the shell: the row was not in Redis any more, or not as it had been written. It
     * becomes dirty again, and whole. */
    bool differs[SHARD_BATCH_KEYS];
    int count;
    int limit;      /* SHARD_BATCH_KEYS or less, by SHARD_BATCH_VALUES */
    int decay_left; /* rows of decay this batch may still take */
    uint32_t epoch; /* of resync */
    int64_t last_offset; /* hwm: the newest offset applied */
    struct event_time as_of;
};

/* True when rows may be written and some wait. */
bool shard_has_rows(const struct shard *shard);
void shard_batch_begin(struct shard *shard, struct shard_batch *batch);
/* The next row, with values in the arena; false when the batch is full or nothing waits.
 * expire_now_s: seconds of the monotonic clock, for the TTL; ttl_s: 0 = rows do not expire. */
bool shard_batch_next(struct shard *shard, struct shard_batch *batch, struct arena *arena,
                      uint32_t expire_now_s, uint32_t ttl_s, struct row *row);
/* The key of the index-th row. */
const char *shard_batch_key(const struct shard *shard, const struct shard_batch *batch,
                            uint32_t index, size_t *len);
/* acknowledged: the rows are in Redis; else (refused, lost, unknown) they are dirty again. */
void shard_batch_end(struct shard *shard, struct shard_batch *batch, bool acknowledged);

/* A step of the walk that re-writes keys whose TTL is half over; budget keys are looked at. */
void shard_refresh_ttl(struct shard *shard, uint32_t expire_now_s, uint32_t ttl_s, int budget);

/* ---- resync: every key is written again, whole ---- */

void shard_resync(struct shard *shard);
/* True once every key that the last resync found has been acknowledged. */
bool shard_synced(const struct shard *shard);
/* Whether the key has state (or a last row to be written) here: the sweep spares it. */
bool shard_holds_key(const struct shard *shard, const char *key, size_t len);

/* ---- looking in ---- */

struct shard_status {
    int32_t partition;
    int64_t next_offset;
    struct event_time raw, watermark, as_of; /* EVENT_TIME_MIN before the first event */
    int64_t newest_record_time_ms;           /* RECORD_NO_TIME before the first */
    uint64_t keys, keys_forgotten_waiting;
    uint64_t sessions_live;
    uint64_t dirty, dirty_decay, inflight, unsynced;
    bool held; /* replaying: rows wait until next_offset passes hold */
    size_t state_bytes;
    uint64_t fates[FATE_COUNT_OF];
    uint64_t sessions_opened, sessions_closed, sessions_merged, sessions_corrected;
    uint64_t sessions_split;
    uint64_t ids_remembered; /* for deduplication, now */
    uint64_t ids_overflowed; /* not remembered, because dedup_max were */
    uint64_t future_clamped, addends_clamped;
    uint64_t values_left_out; /* of operators that hold a bounded number of values or groups */
    uint64_t offset_gaps, decay_rows, event_rows;
    const char *warming; /* NULL: none */
};
void shard_status(const struct shard *shard, struct shard_status *status);
struct lease *shard_lease(struct shard *shard);

/* The row of a key as it would be written at the shard's as_of (or raw, when that is later);
 * false when the key is unknown. */
bool shard_peek(const struct shard *shard, const char *key, size_t len, struct arena *arena,
                struct row *row);

struct text;
/* Sessions, panes and delivery of a key in words for an operator; false when unknown. */
bool shard_explain(const struct shard *shard, const char *key, size_t len, struct text *out);

#endif
