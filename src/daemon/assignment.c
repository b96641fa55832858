/* Partitions come and go (eager rebalance), and what Kafka tells about the topic.
 *
 * assign:  look up committed offsets and the ends of the log -> read state -> start fetching there
 * revoke:  stop applying -> write rows, with a deadline -> save state -> commit -> park the shards
 *          -> let go. When the assignment was lost, somebody else may have the partitions already:
 *          then nothing is written, saved or committed. */
#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "failpoint.h"
#include "log.h"
#include "pool.h"

static void on_ready(void *data)
{
    ((struct engine *)data)->kafka_ready = true;
}

/* ---- assign ---- */

static void drop_parked(struct engine *engine)
{
    for (int k = 0; k < engine->kept_count; k++) {
        shard_close(engine->kept[k].shard);
        rejects_drop(&engine->kept[k].rejects);
        engine->kept[k] = (struct kept_shard){0};
    }
}

void assignment_fetch_again(struct engine *engine)
{
    struct kafka_offset *starts =
        memory_alloc((size_t)(engine->partition_count + 1) * sizeof *starts);
    for (int k = 0; k < engine->partition_count; k++) {
        struct partition *partition = engine->partitions[k];
        struct shard_status status;
        shard_status(partition->shard, &status);
        starts[k] = (struct kafka_offset){partition->id, status.next_offset};
        partition->paused = 0; /* a new assignment is not paused */
    }
    kafka_assign(engine->kafka, starts, (size_t)engine->partition_count);
    memory_free(starts);
    for (int k = 0; k < engine->partition_count; k++)
        partition_pause(engine->partitions[k], PAUSE_OPERATOR,
                        engine->paused || engine->drain != DRAIN_NONE);
}

static void on_taken_over(struct engine *engine, const struct kafka_extent *extents, size_t count)
{
    if (engine->fatal[0])
        return; /* what is in the store must not be gone past */
    engine->partitions = memory_resize(engine->partitions, (count + 1) * sizeof(void *));
    for (size_t k = 0; k < count; k++)
        engine->partitions[k] = partition_open(engine, &extents[k]);
    engine->partition_count = (int)count;
    drop_parked(engine); /* what is left belongs to others now */
    engine->assigned = true;
    assignment_fetch_again(engine);
}

static void on_lookup(void *data, const struct kafka_extent *extents, size_t count)
{
    struct engine *engine = data;
    engine->lookup_busy = false;
    if (extents) /* else the next assignment asks again */
        takeover_start(engine, extents, count, on_taken_over);
}

static void look_up(struct engine *engine, const int32_t *partitions, size_t count,
                    int64_t time_ms, kafka_lookup_done *done)
{
    engine->lookup_busy = true;
    engine->lookup_ms = time_ms;
    kafka_lookup(engine->kafka, partitions, count, time_ms, done, engine);
}

static void on_assign(void *data, const int32_t *partitions, size_t count)
{
    struct engine *engine = data;
    engine->totals.rebalances++;
    if (count == 0) {
        on_lookup(engine, (struct kafka_extent[1]){{0}}, 0);
        return;
    }
    const struct config_start *start = &engine->config->start;
    look_up(engine, partitions, count,
            start->kind == CONFIG_START_TIME      ? start->at.ms
            : start->kind == CONFIG_START_REBUILD ? rebuild_from_ms(engine)
                                                  : -1,
            on_lookup);
}

/* ---- revoke ---- */

static void on_revoke(void *data, const int32_t *partitions, size_t count, bool lost)
{
    struct engine *engine = data;
    (void)partitions; /* eager: always all */
    (void)count;
    takeover_void(engine);
    if (engine->leaving) {
        kafka_unassign(engine->kafka); /* all was written and committed before, or will be anew */
        return;
    }
    failpoint_before(FAILPOINT_REVOKE);
    engine->revoking = true;
    engine->revoking_lost = lost;
    engine->revoke_lost = lost;
    engine->revoke_committed = lost;
    engine->revoke_saving = false;
    engine->revoke_saved = lost;
    if (lost)
        checkpointer_abort(engine, NULL);
    engine->revoke_commit_busy = false;
    engine->revoke_deadline =
        mono_time_add(engine_now(engine), (struct duration){ENGINE_REVOKE_MS});
    log_info("partitions_revoked", "count=%d lost=%s", engine->partition_count,
             lost ? "yes" : "no");
    failpoint_after(FAILPOINT_REVOKE);
}

static bool calls_under_way(const struct engine *engine)
{
    for (int k = 0; k < engine->partition_count; k++)
        if (engine->partitions[k]->flights_busy > 0 || engine->partitions[k]->lease_busy)
            return true;
    return false;
}

static void on_revoke_committed(void *data, bool ok, const char *text)
{
    struct engine *engine = data;
    (void)ok; /* advisory: a failure was logged, and costs nothing but repeated late records */
    (void)text;
    engine->revoke_commit_busy = false;
    engine->revoke_committed = true;
    failpoint_after(FAILPOINT_REVOKE_COMMIT);
}

static void let_go(struct engine *engine)
{
    for (int k = 0; k < engine->partition_count; k++) {
        /* Another owner may have gone on from this chain: ours is a new one. */
        if (engine->revoke_lost)
            engine->partitions[k]->chain.next.index = 0;
        partition_park(engine->partitions[k]);
        partition_close(engine->partitions[k]);
    }
    engine->partition_count = 0;
    engine->revoking = false;
    engine->revoking_lost = false;
    engine->assigned = false;
    failpoint_before(FAILPOINT_REVOKE_UNASSIGN);
    kafka_unassign(engine->kafka);
    failpoint_after(FAILPOINT_REVOKE_UNASSIGN);
}

void assignment_run(struct engine *engine)
{
    if (!engine->revoking)
        return;
    bool over = mono_time_diff(engine_now(engine), engine->revoke_deadline).ms >= 0;
    failpoint_before(FAILPOINT_REVOKE_ROWS);
    if (!engine->revoking_lost && !engine_clean(engine) && !over)
        return;
    if (calls_under_way(engine)) {
        engine->revoking_lost = true; /* send nothing more: only wait for what is under way */
        return;
    }
    int64_t beyond = mono_time_diff(engine_now(engine), engine->revoke_deadline).ms;
    failpoint_after(FAILPOINT_REVOKE_ROWS);
    if (!engine->revoke_saved) {
        failpoint_before(FAILPOINT_REVOKE_CHECKPOINT);
        if (!engine->revoke_saving)
            checkpointer_want(engine);
        engine->revoke_saving = true;
        if (!checkpointer_settled(engine) && beyond < ENGINE_SAVE_MS)
            return;
        engine->revoke_saved = true;
        checkpointer_abort(engine, NULL); /* what is not durable now is read from the log again */
        failpoint_after(FAILPOINT_REVOKE_CHECKPOINT);
    }
    if (!engine->revoke_committed && !engine->revoke_commit_busy) {
        engine->revoke_commit_busy = true;
        failpoint_before(FAILPOINT_REVOKE_COMMIT);
        engine_commit(engine, on_revoke_committed, engine);
    }
    if (engine->revoke_committed || beyond >= ENGINE_SAVE_MS + ENGINE_REVOKE_MS)
        let_go(engine);
}

/* ---- what else Kafka tells ---- */

static void on_end(void *data, int32_t id, int64_t offset)
{
    struct partition *partition = engine_partition(data, id);
    if (!partition || partition->fifo_count > 0)
        return; /* it will be reported again when those before it have been applied */
    shard_end_of_log(partition->shard, offset);
    partition->end_seen = true;
}

static void offset_gone(struct engine *engine, struct partition *partition)
{
    if (partition->rebuild.state == REBUILD_DUE)
        return;
    struct shard_status status;
    shard_status(partition->shard, &status);
    if (engine->config->kafka_offset_reset == CONFIG_KAFKA_OFFSET_RESET_STOP) {
        engine_fatal(engine,
                     "partition %d: the log no longer holds offset %lld; with kafka.offset_reset "
                     "= rebuild the shard starts anew from what it holds",
                     partition->id, (long long)status.next_offset);
        return;
    }
    log_error("offset_gone", "partition=%d offset=%lld action=%Q", partition->id,
              (long long)status.next_offset, "the shard is rebuilt from what the log holds");
    engine->totals.offset_resets++;
    rebuild_want(partition, rebuild_from_ms(engine));
}

static bool is_startable(const struct partition *partition)
{
    return partition->rebuild.state == REBUILD_DUE && partition->flights_busy == 0;
}

static void on_restart_lookup(void *data, const struct kafka_extent *extents, size_t count)
{
    struct engine *engine = data;
    engine->lookup_busy = false;
    if (!extents)
        return; /* a rebalance came in between: its lookup finds the same */
    for (size_t k = 0; k < count; k++) {
        struct partition *partition = engine_partition(engine, extents[k].partition);
        if (partition && is_startable(partition) &&
            partition->rebuild.from_ms == engine->lookup_ms &&
            rebuild_place(partition, &extents[k]))
            partition_restart(partition);
    }
    assignment_fetch_again(engine);
}

void assignment_restart_due(struct engine *engine)
{
    int32_t due[KAFKA_MAX_PARTITIONS];
    size_t count = 0;
    int64_t from_ms = -1; /* of the first; those that want another time come later */
    if (engine->lookup_busy || engine->revoking || engine->drain != DRAIN_NONE)
        return;
    for (int k = 0; k < engine->partition_count; k++) {
        const struct partition *partition = engine->partitions[k];
        if (!is_startable(partition) || (count > 0 && partition->rebuild.from_ms != from_ms))
            continue;
        from_ms = partition->rebuild.from_ms;
        due[count++] = partition->id;
    }
    if (count > 0)
        look_up(engine, due, count, from_ms, on_restart_lookup);
}

static void on_trouble(void *data, enum kafka_trouble trouble, int32_t id, const char *text)
{
    struct engine *engine = data;
    engine->totals.kafka_troubles += trouble != KAFKA_TROUBLE_NONE;
    if (trouble == KAFKA_TROUBLE_NONE)
        log_info("kafka_recovered", "partition=%d", id);
    else
        log_warning("kafka_trouble", "partition=%d reason=%Q", id, text);
    if (trouble == KAFKA_TROUBLE_FENCED) {
        /* A join whose answer was lost makes the next one look like that of another member. */
        engine->restart_helps = true;
        engine_fatal(engine,
                     "%s. Either a second daemon has this group.instance.id: give it one of its "
                     "own; or an answer of the group was lost: a restart mends that", text);
    }
    struct partition *partition = engine_partition(engine, id);
    if (trouble == KAFKA_TROUBLE_OFFSET_GONE && partition)
        offset_gone(engine, partition);
}

static void on_topic(void *data, const struct kafka_topic_info *info)
{
    struct engine *engine = data;
    engine->topic = *info;
    if (engine->topic_partitions == 0)
        engine->topic_partitions = info->partition_count;
    if (engine->topic_partitions != info->partition_count)
        engine_fatal(engine,
                     "topic %s now has %d partitions instead of %d, so keys have moved between "
                     "shards; stop all daemons of the group, remove the rows and own hashes of "
                     "this application from Redis, and start again from the beginning of the log",
                     engine->config->kafka_topic, info->partition_count,
                     engine->topic_partitions);
}

const struct kafka_handlers engine_kafka_handlers = {
    .on_ready = on_ready,
    .on_assign = on_assign,
    .on_revoke = on_revoke,
    .on_end = on_end,
    .on_trouble = on_trouble,
    .on_topic = on_topic,
};
