/* A partition from assignment to revocation, and the reasons for not fetching it. */
#include <string.h>

#include "engine.h"
#include "expect.h"
#include "log.h"
#include "pool.h"

/* ---- state that waits for its partition ---- */

struct kept_shard *engine_kept(struct engine *engine, int32_t id)
{
    if (id >= engine->kept_count) {
        size_t count = (size_t)id + 1;
        engine->kept = memory_resize(engine->kept, count * sizeof engine->kept[0]);
        memset(engine->kept + engine->kept_count, 0,
               (count - (size_t)engine->kept_count) * sizeof engine->kept[0]);
        engine->kept_count = id + 1;
    }
    return &engine->kept[id];
}

void partition_park(struct partition *partition)
{
    struct kept_shard *kept = engine_kept(partition->engine, partition->id);
    expect(!kept->shard);
    checkpointer_abort(partition->engine, partition);
    if (partition->rebuild.state == REBUILD_DUE)
        return; /* it was to be forgotten */
    lease_let_go(shard_lease(partition->shard));
    *kept = (struct kept_shard){partition->shard, partition->chain, partition->rebuild,
                                partition->rejects};
    partition->rejects = (struct rejects){0};
    partition->shard = NULL;
}

/* ---- the lease ---- */

void partition_batch_ended(struct partition *partition, enum redis_result result, int64_t seq)
{
    struct lease *lease = shard_lease(partition->shard);
    bool rollback = result == REDIS_RESULT_ROLLBACK;
    if (result == REDIS_RESULT_OK)
        lease_applied(lease, seq);
    else if (result == REDIS_RESULT_REFUSED)
        lease_not_applied(lease);
    else if (result == REDIS_RESULT_UNKNOWN)
        lease_doubt(lease);
    else
        lease_refused(lease, rollback);
    if (lease->state == LEASE_FENCED) {
        log_warning("shard_refused", "partition=%d result=%s", partition->id,
                    redis_result_name(result));
        partition->resync_cause = rollback ? RESYNC_ROLLBACK : RESYNC_FENCED;
    }
}

/* ---- start ---- */

/* Where the log is read from without state, and from which time on none of its records is
 * missing. */
static int64_t cold_start(struct partition *partition, int64_t *start_ms)
{
    struct engine *engine = partition->engine;
    const struct kafka_extent *extent = &partition->extent;
    *start_ms = INT64_MIN;
    if (engine->config->start.kind == CONFIG_START_BEGINNING)
        return extent->low;
    if (engine->config->start.kind == CONFIG_START_REBUILD) {
        rebuild_want(partition, engine->lookup_ms);
        bool placed = rebuild_place(partition, extent);
        *start_ms = partition->rebuild.from_ms;
        return placed ? partition->rebuild.offset : extent->low;
    }
    *start_ms = engine->config->start.kind == CONFIG_START_TIME ? engine->config->start.at.ms
                                                                : present_wall_ms();
    if (engine->config->start.kind == CONFIG_START_TIME && extent->at_time >= 0)
        return extent->at_time;
    return extent->end;
}

struct partition *partition_open(struct engine *engine, const struct kafka_extent *extent)
{
    struct partition *partition = memory_alloc(sizeof *partition);
    *partition = (struct partition){
        .engine = engine,
        .id = extent->partition,
        .extent = *extent,
        .committed = extent->committed,
        .last_record = engine_now(engine),
        .opened = engine_now(engine),
    };
    redis_own_key(&partition->own_key, engine->config->redis_prefix,
                  engine->config->kafka_group_id, engine->config->kafka_topic, partition->id);
    for (int k = 0; k < ENGINE_FLIGHTS; k++)
        flush_batch_init(&partition->flights[k].flush);
    partition->checkpoint_tried = engine_now(engine);
    struct kept_shard *kept = engine_kept(engine, partition->id);
    if (kept->shard) {
        partition->shard = kept->shard;
        partition->chain = kept->chain;
        partition->rebuild = kept->rebuild;
        partition->rejects = kept->rejects;
        *kept = (struct kept_shard){0};
        /* It was saved before Redis was ever reached: its beginning is still to be swept. */
        partition->empty_start = shard_lease(partition->shard)->previous[0] == '\0';
    } else {
        int64_t start_ms;
        int64_t start = cold_start(partition, &start_ms);
        partition->shard = shard_open(&engine->model->rules, partition->id, start_ms);
        partition->empty_start = true;
        partition->chain.offset = -1;
        shard_end_of_log(partition->shard, start);
    }
    struct shard_status status;
    shard_status(partition->shard, &status);
    log_info("partition_assigned",
             "partition=%d start=%lld end=%lld committed=%lld keys=%llu", partition->id,
             (long long)status.next_offset, (long long)extent->end, (long long)extent->committed,
             (unsigned long long)status.keys);
    return partition;
}

/* Counters do not go back when a shard goes. */
static void keep_counters(struct engine *engine, const struct shard *shard)
{
    struct shard_status status;
    shard_status(shard, &status);
    engine_add_counters(&engine->gone, &status);
}

void partition_restart(struct partition *partition)
{
    const struct rebuild *rebuild = &partition->rebuild;
    expect(partition->flights_busy == 0 && rebuild->state == REBUILD_READING);
    intake_drop(partition);
    rejects_drop_from(&partition->rejects, rebuild->offset); /* they come again, in order */
    checkpointer_abort(partition->engine, partition);
    keep_counters(partition->engine, partition->shard);
    shard_close(partition->shard);
    partition->chain.offset = -1;
    partition->chain.next.index = 0; /* a new chain begins, of a greater number */
    /* A new lease, too: rows without state are found by the sweep of an empty start. */
    partition->shard =
        shard_open(&partition->engine->model->rules, partition->id, rebuild->from_ms);
    partition->empty_start = true;
    partition->generation = ++partition->engine->generations;
    partition->lease_busy = false;
    /* A sweep was for the state that is gone: now it would find rows that nobody has. */
    partition->sweep_due = (struct mono_time){0};
    partition->sweeping = false;
    partition->end_seen = false;
    shard_end_of_log(partition->shard, rebuild->offset);
}

void partition_resync(struct partition *partition, enum resync_cause cause)
{
    lease_want_resync(shard_lease(partition->shard));
    shard_resync(partition->shard);
    partition->engine->totals.resyncs[cause]++;
}

void partition_close(struct partition *partition)
{
    expect(partition->flights_busy == 0);
    checkpointer_abort(partition->engine, partition);
    if (partition->shard)
        keep_counters(partition->engine, partition->shard);
    intake_drop(partition);
    rejects_drop(&partition->rejects);
    shard_close(partition->shard);
    for (int k = 0; k < ENGINE_FLIGHTS; k++)
        flush_batch_fini(&partition->flights[k].flush);
    text_free(&partition->own_key);
    memory_free(partition);
}

/* ---- pausing ---- */

void partition_pause(struct partition *partition, enum pause_reason reason, bool pause)
{
    struct kafka *kafka = partition->engine->kafka;
    unsigned before = partition->paused;
    if (pause)
        partition->paused |= reason;
    else
        partition->paused &= ~(unsigned)reason;
    if (!kafka)
        return; /* we have left the group */
    if (before == 0 && partition->paused != 0)
        kafka_pause(kafka, partition->id);
    else if (before != 0 && partition->paused == 0) {
        /* What was fetched behind the pause is fetched again: the end will be reported anew. */
        partition->end_seen = false;
        kafka_resume(kafka, partition->id);
    }
}

void partition_update_pauses(struct partition *partition)
{
    const struct config *config = partition->engine->config;
    struct shard_status status;
    shard_status(partition->shard, &status);
    const struct lease *lease = shard_lease(partition->shard);
    /* While the log is replayed rows wait on purpose: they coalesce and cannot be written yet. */
    bool replaying = lease->state == LEASE_HELD && status.held;
    uint64_t high = (uint64_t)config->redis_max_dirty;
    uint64_t low = partition->paused & PAUSE_DIRTY ? high / 2 : high;
    partition_pause(partition, PAUSE_DIRTY, !replaying && status.dirty > low);
    size_t bound = (size_t)config->late_max_pending;
    partition_pause(partition, PAUSE_REJECTS,
                    partition->rejects.count >= (partition->paused & PAUSE_REJECTS ? bound / 2 + 1
                                                                                   : bound));
}

int64_t partition_end(const struct partition *partition)
{
    const struct kafka *kafka = partition->engine->kafka;
    int64_t end = kafka ? kafka_high_watermark(kafka, partition->id) : -1;
    return end > partition->extent.end ? end : partition->extent.end;
}

int64_t partition_lag(const struct partition *partition)
{
    struct shard_status status;
    shard_status(partition->shard, &status);
    int64_t end = partition_end(partition);
    return end > status.next_offset ? end - status.next_offset : 0;
}
