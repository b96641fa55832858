/* The sweep that ends a resync: rows in Redis that no shard of ours has are deleted. */
#include <string.h>

#include "engine.h"
#include "log.h"
#include "pool.h"
#include "resp.h"

static void sweep_end(struct engine *engine)
{
    if (!engine->sweep_scanned || engine->sweep_calls > 0)
        return;
    engine->sweep_running = false;
    for (int k = 0; k < engine->partition_count; k++) {
        struct partition *partition = engine->partitions[k];
        if (!partition->sweeping)
            continue;
        partition->sweeping = false;
        partition->sweep_due = (struct mono_time){0};
        if (partition->generation == partition->sweep_generation)
            lease_step_ended(shard_lease(partition->shard), LEASE_SWEEP, !engine->sweep_failed);
    }
    log_info("sweep_ended", "complete=%s", engine->sweep_failed ? "no" : "yes");
}

/* One call of SWEEP, as flusher.c's flight. */
struct sweep_call {
    struct engine *engine;
    int32_t partition;
    uint64_t generation;
    int64_t expected_seq;
};

static void on_swept(void *context, const struct sweep_result *result)
{
    struct sweep_call *call = context;
    struct engine *engine = call->engine;
    struct partition *partition = engine_partition(engine, call->partition);
    if (partition && partition->generation == call->generation)
        partition_batch_ended(partition, result->result, call->expected_seq + 1);
    memory_free(call);
    engine->sweep_calls--;
    if (result->result != REDIS_RESULT_OK)
        engine->sweep_failed = true;
    else
        engine->totals.rows_swept += (uint64_t)result->deleted;
    sweep_end(engine);
}

/* Whether a batch may go out for the walk that is under way. */
static bool may_sweep(const struct partition *partition)
{
    const struct lease *lease = shard_lease(partition->shard);
    return redis_ready(partition->engine->redis) &&
           partition->generation == partition->sweep_generation && lease->state == LEASE_HELD &&
           !lease_awaits_replies(lease);
}

static void send_sweep(struct partition *partition, const struct text *keys, uint32_t count)
{
    struct lease *lease = shard_lease(partition->shard);
    struct sweep_call *call = memory_alloc(sizeof *call);
    *call = (struct sweep_call){partition->engine, partition->id, partition->generation,
                                lease_batch_sent(lease)};
    struct sweep_terms terms = {partition->own_key.data, lease->token, call->expected_seq,
                                partition->id};
    partition->engine->sweep_calls++;
    redis_sweep(partition->engine->redis, &terms, keys, count, on_swept, call);
}

static bool held_by_any(const struct engine *engine, const char *key, size_t len)
{
    for (int k = 0; k < engine->partition_count; k++)
        if (shard_holds_key(engine->partitions[k]->shard, key, len))
            return true;
    return false;
}

/* Deletes those of the scanned rows that say they belong to this partition and that nobody has. */
static void sweep_partition(struct engine *engine, struct partition *partition,
                            const struct scan_result *scan)
{
    struct text keys = {0};
    uint32_t count = 0;
    for (size_t k = 0; k < scan->count; k++) {
        size_t len;
        int32_t owner;
        const char *redis_key = redis_scan_key(scan, k, &len, &owner);
        const char *key;
        size_t key_len;
        if (owner != partition->id ||
            !rowname_entity(&engine->layout.name, redis_key, len, &key, &key_len) ||
            held_by_any(engine, key, key_len))
            continue;
        if (count == REDIS_SWEEP_KEYS_MAX) {
            engine->sweep_failed = true; /* the next walk finds the rest */
            break;
        }
        resp_bulk(&keys, redis_key, len);
        count++;
    }
    if (count > 0 && may_sweep(partition))
        send_sweep(partition, &keys, count);
    else if (count > 0)
        engine->sweep_failed = true;
    text_free(&keys);
}

static void scan_on(struct engine *engine, const char *cursor);

static void on_scanned(void *context, const struct scan_result *scan)
{
    struct engine *engine = context;
    engine->sweep_calls--;
    if (scan->result != REDIS_RESULT_OK) {
        engine->sweep_failed = true;
        engine->sweep_scanned = true;
        sweep_end(engine);
        return;
    }
    for (int k = 0; k < engine->partition_count; k++)
        if (engine->partitions[k]->sweeping)
            sweep_partition(engine, engine->partitions[k], scan);
    if (strcmp(scan->cursor, "0") == 0 || engine->sweep_failed) {
        engine->sweep_scanned = true;
        sweep_end(engine);
    } else {
        scan_on(engine, scan->cursor);
    }
}

static void scan_on(struct engine *engine, const char *cursor)
{
    if (!redis_ready(engine->redis)) {
        engine->sweep_failed = true;
        engine->sweep_scanned = true;
        sweep_end(engine);
        return;
    }
    struct text pattern = {0};
    rowname_pattern(&engine->layout.name, &pattern);
    engine->sweep_calls++;
    redis_scan(engine->redis, cursor, pattern.data, on_scanned, engine);
    text_free(&pattern);
}

/* One walk serves all shards: it waits a while for those that are still being written again. */
static bool sweep_wanted(const struct engine *engine)
{
    bool due = false;
    bool others = false;
    struct mono_time since = engine_now(engine);
    for (int k = 0; k < engine->partition_count; k++) {
        struct partition *partition = engine->partitions[k];
        if (partition->sweep_due.ms != 0) {
            due = true;
            since.ms = partition->sweep_due.ms < since.ms ? partition->sweep_due.ms : since.ms;
        } else {
            others |= shard_lease(partition->shard)->resync != LEASE_SYNCED;
        }
    }
    bool waited = mono_time_diff(engine_now(engine), since).ms >= ENGINE_SWEEP_WAIT_MS;
    return due && (!others || waited);
}

void sweeper_run(struct engine *engine)
{
    if (engine->sweep_running || !redis_ready(engine->redis) || !sweep_wanted(engine))
        return;
    engine->sweep_running = true;
    engine->sweep_failed = false;
    engine->sweep_scanned = false;
    for (int k = 0; k < engine->partition_count; k++) {
        struct partition *partition = engine->partitions[k];
        partition->sweeping = partition->sweep_due.ms != 0;
        partition->sweep_generation = partition->generation;
        if (partition->sweeping)
            lease_step_sent(shard_lease(partition->shard), LEASE_SWEEP);
    }
    scan_on(engine, "0");
}
