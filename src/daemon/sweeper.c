/* The sweep that ends a resync: rows in Redis that no shard of ours has are deleted. */
#include <string.h>

#include "engine.h"
#include "log.h"
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

static void doubt_sweeping(struct engine *engine)
{
    for (int k = 0; k < engine->partition_count; k++)
        if (engine->partitions[k]->sweeping &&
            engine->partitions[k]->generation == engine->partitions[k]->sweep_generation)
            lease_doubt(shard_lease(engine->partitions[k]->shard));
}

static void on_swept(void *context, const struct sweep_result *result)
{
    struct engine *engine = context;
    engine->sweep_calls--;
    if (result->result == REDIS_RESULT_UNKNOWN)
        doubt_sweeping(engine);
    if (result->result != REDIS_RESULT_OK)
        engine->sweep_failed = true;
    else
        engine->totals.rows_swept += (uint64_t)result->deleted;
    sweep_end(engine);
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
            !rowhash_entity(&engine->rowhash, redis_key, len, &key, &key_len) ||
            held_by_any(engine, key, key_len))
            continue;
        if (count == REDIS_SWEEP_KEYS_MAX) {
            engine->sweep_failed = true; /* the next walk finds the rest */
            break;
        }
        resp_bulk(&keys, redis_key, len);
        count++;
    }
    if (count > 0 && redis_ready(engine->redis)) {
        struct sweep_terms terms = {partition->own_key.data,
                                    shard_lease(partition->shard)->token, partition->id};
        engine->sweep_calls++;
        redis_sweep(engine->redis, &terms, &keys, count, on_swept, engine);
    } else if (count > 0) {
        engine->sweep_failed = true;
    }
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
    rowhash_pattern(&engine->rowhash, &pattern);
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
