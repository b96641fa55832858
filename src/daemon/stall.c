/* A partition that stands still: the log has records for us, we have not paused it, and none comes.
 *
 * The client says nothing in this case: a broker may hang without closing its connections, and
 * librdkafka has left partitions paused over a rebalance. So the end of the log is asked for once
 * a partition is silent, and when it lies ahead for kafka.stall_timeout the alarm stands, and all
 * partitions are fetched anew from where their shards stand, which also takes back every pause
 * that is not ours. Only once: a broker that is so slow must get to answer. */
#include "engine.h"
#include "log.h"

static bool moves(const struct partition *partition, int64_t offset, int64_t end)
{
    return partition->consumed != partition->stall.consumed || partition->paused != 0 ||
           partition->fifo_count > 0 || (end >= 0 && end <= offset);
}

/* True when it has just become a stall. */
static bool look(struct partition *partition)
{
    struct engine *engine = partition->engine;
    struct stall *stall = &partition->stall;
    int64_t timeout = engine->config->kafka_stall_timeout.ms;
    struct mono_time now = engine_now(engine);
    int64_t end = kafka_asked_end(engine->kafka, partition->id);
    struct shard_status status;
    shard_status(partition->shard, &status);
    kafka_watch(engine->kafka, partition->id,
                mono_time_diff(now, partition->last_record).ms >= timeout / 2);
    if (moves(partition, status.next_offset, end)) {
        if (stall->lasts)
            log_info("partition_moves", "partition=%d", partition->id);
        *stall = (struct stall){.consumed = partition->consumed};
    } else if (end >= 0 && stall->since.ms == 0) {
        stall->since = now;
    }
    if (stall->lasts || stall->since.ms == 0 || mono_time_diff(now, stall->since).ms < timeout)
        return false;
    stall->lasts = true;
    engine->totals.stalls++;
    log_error("partition_stalled", "partition=%d offset=%lld end=%lld action=%Q", partition->id,
              (long long)status.next_offset, (long long)end, "it is fetched anew");
    return true;
}

void stall_run(struct engine *engine)
{
    bool found = false;
    if (!engine->kafka || engine->revoking || kafka_is_rebalancing(engine->kafka))
        return;
    for (int k = 0; k < engine->partition_count; k++)
        found |= look(engine->partitions[k]);
    if (found)
        assignment_fetch_again(engine);
}
