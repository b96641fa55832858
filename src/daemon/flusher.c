/* Rows and the steps of the lease go to Redis; replies come back to the shard.
 *
 * A reply may come when the partition, or its token, is no longer what it was: each request
 * remembers the partition by number and the generation of the lease it was sent under. */
#include <string.h>

#include "engine.h"
#include "expect.h"
#include "failpoint.h"
#include "log.h"
#include "pool.h"

/* ---- what a request remembers ---- */

struct lease_call {
    struct engine *engine;
    int32_t partition;
    uint64_t generation;
    enum lease_step step;
};

static struct lease_call *call_new(struct partition *partition, enum lease_step step)
{
    struct lease_call *call = memory_alloc(sizeof *call);
    *call = (struct lease_call){partition->engine, partition->id, partition->generation, step};
    partition->lease_busy = true;
    return call;
}

/* The partition the call was for; NULL when it or its lease is another by now. Frees the call. */
static struct partition *call_end(struct lease_call *call)
{
    struct partition *partition = engine_partition(call->engine, call->partition);
    if (partition && partition->generation != call->generation)
        partition = NULL;
    if (partition)
        partition->lease_busy = false;
    memory_free(call);
    return partition;
}

/* ---- acquire ---- */

static void on_acquired(void *context, const struct acquire_result *result)
{
    struct partition *partition = call_end(context);
    if (!partition)
        return;
    struct lease *lease = shard_lease(partition->shard);
    if (result->result != REDIS_RESULT_OK) {
        lease_not_granted(lease);
        return;
    }
    struct engine *engine = partition->engine;
    present_redis_clock(engine, result->time_ms);
    struct lease_grant grant = {
        .had_own = result->known,
        .hw = result->high_offset,
        .as_of_ms = result->as_of.ms,
        .seq = result->seq,
        .resync = result->resync,
    };
    bool resync = lease_granted(lease, &grant, partition->extent.end, partition->empty_start);
    if (resync) {
        shard_resync(partition->shard);
        engine->totals.resyncs[partition->resync_cause]++;
    }
    partition->history = ++engine->histories; /* others may have written meanwhile */
    partition->batches_since_check = ENGINE_CHECK_BATCHES; /* the first batch is checked */
    log_info("shard_acquired", "partition=%d known=%s hold=%lld seq=%lld resync=%s", partition->id,
             result->known ? "yes" : "no", (long long)lease->hold, (long long)result->seq,
             resync ? "yes" : "no");
    failpoint_after(FAILPOINT_ACQUIRE);
}

static void send_acquire(struct partition *partition)
{
    struct lease *lease = shard_lease(partition->shard);
    char token[REDIS_TOKEN_MAX];
    _Static_assert((int)REDIS_TOKEN_MAX == (int)LEASE_TOKEN_BYTES + 1, "tokens have one size");
    redis_token(token);
    lease_acquiring(lease, token);
    partition->generation = ++partition->engine->generations;
    struct acquire_terms terms = {
        .own_key = partition->own_key.data,
        .token = lease->token,
        .old_token = lease->previous[0] ? lease->previous : NULL,
        .old_seq = lease->acknowledged,
        .layout = config_rows[CONFIG_ROW_redis_layout].words[partition->engine->layout.kind],
        .as_of_ahead_ms = rebuild_pending(partition)
                              ? partition->engine->config->time_max_future_skew.ms
                              : -1,
    };
    failpoint_before(FAILPOINT_ACQUIRE);
    redis_acquire(partition->engine->redis, &terms, on_acquired,
                  call_new(partition, LEASE_ACQUIRE));
}

/* ---- prove, mark, done ---- */

static void on_proved(void *data, bool ok, const char *text)
{
    struct partition *partition = call_end(data);
    if (!partition)
        return;
    struct lease *lease = shard_lease(partition->shard);
    if (ok) {
        lease_proved(lease, true);
    } else {
        log_warning("owner_not_proved", "partition=%d reason=%Q", partition->id, text);
        /* A commit that fails while the group is in doubt proves nothing: the rebalance decides. */
    }
}

static void send_proof(struct partition *partition)
{
    int64_t offset = reject_commit_offset(partition);
    struct kafka_offset proof = {partition->id, offset < 0 ? 0 : offset};
    kafka_commit(partition->engine->kafka, &proof, 1, on_proved, call_new(partition, LEASE_PROVE));
}

static void on_marked(void *context, enum redis_result result)
{
    struct lease_call *call = context;
    enum lease_step step = call->step;
    struct partition *partition = call_end(call);
    if (!partition)
        return;
    struct lease *lease = shard_lease(partition->shard);
    if (result == REDIS_RESULT_FENCED || result == REDIS_RESULT_ROLLBACK)
        lease_refused(lease, result == REDIS_RESULT_ROLLBACK);
    if (result == REDIS_RESULT_UNKNOWN)
        lease_doubt(lease);
    lease_step_ended(lease, step, result == REDIS_RESULT_OK);
    if (step == LEASE_DONE && lease->resync == LEASE_SYNCED)
        log_info("resync_done", "partition=%d", partition->id);
    if (result == REDIS_RESULT_OK)
        failpoint_after(step == LEASE_MARK ? FAILPOINT_MARK : FAILPOINT_DONE);
}

static void send_mark(struct partition *partition, enum lease_step step)
{
    struct lease *lease = shard_lease(partition->shard);
    lease_step_sent(lease, step);
    failpoint_before(step == LEASE_MARK ? FAILPOINT_MARK : FAILPOINT_DONE);
    redis_set_resync(partition->engine->redis, partition->own_key.data, lease->token,
                     step == LEASE_MARK, on_marked, call_new(partition, step));
}

static void run_lease(struct partition *partition)
{
    if (partition->lease_busy)
        return;
    struct lease *lease = shard_lease(partition->shard);
    enum lease_step step = lease_next(lease, shard_synced(partition->shard));
    bool ready = redis_ready(partition->engine->redis);
    if (step == LEASE_SWEEP) {
        if (partition->sweep_due.ms == 0)
            partition->sweep_due = engine_now(partition->engine);
        return;
    }
    if (step == LEASE_PROVE) {
        if (!kafka_is_rebalancing(partition->engine->kafka))
            send_proof(partition);
        return;
    }
    if (!ready || step == LEASE_WAIT)
        return;
    if (step == LEASE_ACQUIRE)
        send_acquire(partition);
    else
        send_mark(partition, step);
}

/* ---- batches ---- */

static void observe_latency(struct engine *engine, const struct flight *flight)
{
    int64_t now = present_wall_ms();
    int64_t under_way = mono_time_diff(engine_now(engine), flight->sent).ms;
    for (int k = 0; k < flight->batch.count; k++) {
        int64_t since = flight->batch.since_ms[k];
        if (since == INT64_MAX)
            continue;
        if (flight->batch.decay[k])
            histogram_add(&engine->decay_delay_ms, flight->batch.as_of.ms - since + under_way);
        else
            histogram_add(&engine->event_to_visible_ms, now - since);
    }
}

static void count_batch(struct engine *engine, enum redis_result result)
{
    uint64_t *counters[] = {
        [REDIS_RESULT_OK] = &engine->totals.batches_ok,
        [REDIS_RESULT_FENCED] = &engine->totals.batches_fenced,
        [REDIS_RESULT_ROLLBACK] = &engine->totals.batches_rollback,
        [REDIS_RESULT_REFUSED] = &engine->totals.batches_refused,
        [REDIS_RESULT_UNKNOWN] = &engine->totals.batches_unknown,
    };
    (*counters[result])++;
}

/* Rows that were not as they should be: of another partition, or gone. */
static void note_found(struct partition *partition, struct flight *flight,
                       const struct flush_result *result)
{
    struct engine *engine = partition->engine;
    uint32_t foreign = 0;
    int32_t other = -1;
    for (uint32_t i = 0; i < result->found_count; i++) {
        size_t len;
        bool gone = result->found[i].partition < 0;
        const char *key = shard_batch_key(partition->shard, &flight->batch,
                                          result->found[i].index, &len);
        rowdelta_forget(&engine->layout.delta, key, len);
        flight->batch.differs[result->found[i].index] = gone;
        engine->totals.rows_gone += gone;
        foreign += !gone;
        other = gone ? other : result->found[i].partition;
    }
    if (foreign == 0)
        return;
    partition->foreign_rows += foreign;
    engine->totals.rows_foreign += foreign;
    log_error("foreign_row", "partition=%d rows=%u other_partition=%d reason=%Q", partition->id,
              foreign, other,
              "a key has events in two partitions: the topic is not partitioned by the entity key, "
              "or its partition count was changed");
}

static void on_flushed(void *context, struct flush_batch *batch, const struct flush_result *result)
{
    struct flight *flight = context;
    struct partition *partition = flight->partition;
    struct engine *engine = partition->engine;
    (void)batch;
    failpoint_before(FAILPOINT_REPLY);
    partition->flights_busy--;
    count_batch(engine, result->result);
    bool ok = result->result == REDIS_RESULT_OK;
    struct mono_time now = engine_now(engine);
    if (ok) {
        present_redis_clock(engine, result->time_ms);
        partition->last_flush_ms = present_wall_ms();
        histogram_add(&engine->redis_write_us, mono_time_diff(now, flight->sent).ms * 1000);
        engine->totals.rows_written += (uint64_t)flight->batch.count;
        observe_latency(engine, flight);
        note_found(partition, flight, result);
    } else {
        partition->history = ++engine->histories; /* what is in Redis now is not known */
    }
    if (partition->generation == flight->generation)
        partition_batch_ended(partition, result->result, result->seq);
    shard_batch_end(partition->shard, &flight->batch, ok);
    flight->partition = NULL;
    partition_update_pauses(partition);
    failpoint_after(FAILPOINT_REPLY);
}

static struct flight *free_flight(struct partition *partition)
{
    for (int k = 0; k < ENGINE_FLIGHTS; k++)
        if (!partition->flights[k].partition)
            return &partition->flights[k];
    return NULL;
}

static bool check_due(struct partition *partition)
{
    struct mono_time now = engine_now(partition->engine);
    bool due = ++partition->batches_since_check >= ENGINE_CHECK_BATCHES ||
               mono_time_diff(now, partition->last_check).ms >= ENGINE_CHECK_MS;
    if (due) {
        partition->batches_since_check = 0;
        partition->last_check = now;
    }
    return due;
}

static uint32_t ttl_s(const struct engine *engine)
{
    int64_t seconds = engine->ttl_ms / 1000;
    return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

/* Sends one batch; an empty one is a probe. */
static void send_batch(struct partition *partition, struct flight *flight)
{
    struct engine *engine = partition->engine;
    struct lease *lease = shard_lease(partition->shard);
    flight->partition = partition;
    flight->generation = partition->generation;
    flight->sent = engine_now(engine);
    shard_batch_begin(partition->shard, &flight->batch);
    struct flush_terms terms = {
        .own_key = partition->own_key.data,
        .token = lease->token,
        .expected_seq = lease_batch_sent(lease),
        .high_offset = flight->batch.last_offset,
        .as_of = flight->batch.as_of,
        .ttl_ms = engine->ttl_ms,
        .layout = engine->layout.kind,
        .history = partition->history,
        .partition = partition->id,
    };
    terms.check = shard_has_rows(partition->shard) && check_due(partition);
    flush_batch_begin(&flight->flush, &terms);
    arena_reset(&engine->arena);
    uint32_t now_s = engine_now_s(engine);
    struct row row;
    while (!flush_batch_full(&flight->flush, &engine->layout) &&
           shard_batch_next(partition->shard, &flight->batch, &engine->arena, now_s,
                            ttl_s(engine), &row)) {
        flush_batch_add(&flight->flush, &engine->layout, &row);
        rowlog_add(engine->rowlog, &row, flight->batch.last_offset);
    }
    rowlog_flush(engine->rowlog);
    partition->flights_busy++;
    partition->last_sent = engine_now(engine);
    failpoint_before(FAILPOINT_FLUSH);
    redis_flush(engine->redis, &flight->flush, on_flushed, flight);
    failpoint_after(FAILPOINT_FLUSH);
}

static bool flush_due(const struct partition *partition, const struct shard_status *status)
{
    const struct engine *engine = partition->engine;
    struct mono_time now = engine_now(engine);
    return partition->flush_again || engine->state == ENGINE_DRAINING || engine->revoking ||
           engine->flush_now || status->dirty >= (uint64_t)engine->config->redis_flush_keys ||
           mono_time_diff(now, partition->last_flush).ms >=
               engine->config->redis_flush_interval.ms;
}

static void run_rows(struct partition *partition)
{
    struct engine *engine = partition->engine;
    struct shard_status status;
    shard_status(partition->shard, &status);
    if (!lease_may_write(shard_lease(partition->shard), status.next_offset) ||
        lease_awaits_replies(shard_lease(partition->shard)) || !flush_due(partition, &status))
        return;
    partition->last_flush = engine_now(engine);
    partition->flush_again = !shard_advance(partition->shard, present_for_emission(partition));
    struct flight *flight;
    while (redis_ready(engine->redis) && shard_has_rows(partition->shard) &&
           (flight = free_flight(partition)))
        send_batch(partition, flight);
    partition->flush_again |= shard_has_rows(partition->shard);
    struct duration silence = mono_time_diff(engine_now(engine), partition->last_sent);
    /* Advancing may have begun a resync (the end of warming), which must be marked first. */
    if (partition->flights_busy == 0 && silence.ms >= ENGINE_PROBE_MS &&
        redis_ready(engine->redis) &&
        lease_may_write(shard_lease(partition->shard), status.next_offset))
        send_batch(partition, free_flight(partition));
}

void flusher_run(struct partition *partition)
{
    run_lease(partition);
    run_rows(partition);
}

bool flusher_clean(const struct partition *partition)
{
    struct shard_status status;
    shard_status(partition->shard, &status);
    /* What may not be written will be by whoever comes next. */
    if (!lease_may_write(shard_lease(partition->shard), status.next_offset))
        return partition->flights_busy == 0;
    return status.dirty == 0 && status.inflight == 0 && partition->flights_busy == 0;
}
