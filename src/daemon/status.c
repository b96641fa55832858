/* Sums over shards, alarms and readiness: what the other views of the daemon are made from. */
#include "status.h"

#include <stdio.h>

void engine_add_counters(struct shard_status *to, const struct shard_status *from)
{
    for (int k = 0; k < FATE_COUNT_OF; k++)
        to->fates[k] += from->fates[k];
    to->sessions_opened += from->sessions_opened;
    to->sessions_closed += from->sessions_closed;
    to->sessions_merged += from->sessions_merged;
    to->sessions_corrected += from->sessions_corrected;
    to->sessions_split += from->sessions_split;
    to->ids_overflowed += from->ids_overflowed;
    to->future_clamped += from->future_clamped;
    to->addends_clamped += from->addends_clamped;
    to->values_left_out += from->values_left_out;
    to->offset_gaps += from->offset_gaps;
    to->decay_rows += from->decay_rows;
    to->event_rows += from->event_rows;
}

void status_total(const struct engine *engine, struct shard_status *total)
{
    *total = engine->gone;
    for (int k = 0; k < engine->partition_count; k++) {
        struct shard_status status;
        shard_status(engine->partitions[k]->shard, &status);
        engine_add_counters(total, &status);
        total->keys += status.keys;
        total->keys_forgotten_waiting += status.keys_forgotten_waiting;
        total->sessions_live += status.sessions_live;
        total->dirty += status.dirty;
        total->dirty_decay += status.dirty_decay;
        total->inflight += status.inflight;
        total->unsynced += status.unsynced;
        total->state_bytes += status.state_bytes;
        total->held |= status.held;
    }
}

int64_t status_lag(const struct engine *engine)
{
    int64_t lag = engine->assigned ? 0 : -1;
    for (int k = 0; k < engine->partition_count; k++)
        lag += partition_lag(engine->partitions[k]);
    return lag;
}

struct event_time status_watermark(const struct engine *engine)
{
    struct event_time smallest = EVENT_TIME_MAX;
    for (int k = 0; k < engine->partition_count; k++) {
        struct shard_status status;
        shard_status(engine->partitions[k]->shard, &status);
        if (!engine->partitions[k]->idle)
            smallest = event_time_min(smallest, status.watermark);
    }
    return smallest.ms == INT64_MAX ? EVENT_TIME_MIN : smallest;
}

/* ---- alarms ---- */

static void alarm_partition(const struct partition *partition, status_alarm *alarm, void *context)
{
    struct shard_status status;
    shard_status(partition->shard, &status);
    const struct rules *rules = &partition->engine->model->rules;
    if (status.keys >= rules->max_keys)
        alarm(context, "over_capacity",
              "A shard holds state.max_keys keys and turns new ones away: raise it, or add "
              "partitions and daemons.");
    if (rules->id_slot >= 0 && status.ids_remembered >= rules->dedup_max)
        alarm(context, "dedup_full",
              "A shard remembers event.dedup_max ids and no further ones, so their duplicates "
              "count: raise it, or shorten event.dedup_window.");
    if (partition->stall.lasts)
        alarm(context, "stalled",
              "A partition has records and hands out none, though it is not paused. It was fetched "
              "anew: if it does not go on, look at its leader's broker, else restart the daemon.");
    if (partition->behind_since.ms != 0)
        alarm(context, "log_lost",
              "Rows in Redis are of a later offset than the log has: the topic was made anew or "
              "lost its end. kafka.offset_reset says what happens after a minute.");
}

static void alarm_clock(const struct engine *engine, status_alarm *alarm, void *context)
{
    int64_t ahead = engine->redis_ahead_ms;
    if (ahead > ENGINE_CLOCK_SKEW_MS || ahead < -ENGINE_CLOCK_SKEW_MS)
        alarm(context, "clock_skew",
              "The clocks of this host and of Redis differ by more than a minute: idle partitions "
              "do not decay until they agree.");
}

static void alarm_checkpoints(const struct engine *engine, status_alarm *alarm, void *context)
{
    if (engine->checkpointer.error[0])
        alarm(context, "checkpoint_failed", engine->checkpointer.error);
    int64_t bound = ENGINE_CHECKPOINT_OLD * engine->config->checkpoint_interval.ms;
    for (int k = 0; engine->checkpointer.store && k < engine->partition_count; k++) {
        struct shard_status status;
        shard_status(engine->partitions[k]->shard, &status);
        if (status.next_offset == engine->partitions[k]->chain.offset ||
            status_checkpoint_age_ms(engine->partitions[k]) < bound + ENGINE_CHECKPOINT_IDLE_MS)
            continue;
        alarm(context, "checkpoint_old",
              "A shard's last checkpoint is long ago, so a restart would replay much: late records "
              "that cannot be stored hold it back, or the store is slow.");
        return;
    }
}

int64_t status_checkpoint_age_ms(const struct partition *partition)
{
    struct mono_time since =
        partition->chain.offset < 0 ? partition->opened : partition->chain.saved;
    return mono_time_diff(engine_now(partition->engine), since).ms;
}

void status_alarms(const struct engine *engine, status_alarm *alarm, void *context)
{
    if (engine->fatal[0])
        alarm(context, "fatal", engine->fatal);
    redis_alarms(engine->redis, alarm, context);
    if (engine->kafka && kafka_trouble_text(engine->kafka)[0])
        alarm(context, "kafka", kafka_trouble_text(engine->kafka));
    const struct registry_health *registry = writers_registry_health(engine->writers);
    if (registry && !registry->reachable)
        alarm(context, "registry", registry->error);
    if (engine->totals.rows_foreign > 0)
        alarm(context, "foreign_key",
              "Rows of keys were found that belong to another partition: the topic is not "
              "partitioned by the entity key (event.key), or its partition count was changed. "
              "Such keys are wrong; repartition the topic by the key and start again.");
    if (engine->totals.rejects_failed > 0)
        alarm(context, "reject_not_stored",
              "A late or dead-letter record could not be stored: commits stand still before it; "
              "repair the topic and restart.");
    if (engine->totals.identity_violations > 0)
        alarm(context, "identity",
              "Records consumed are not the sum of their fates: a defect of freshet, please "
              "report it with this log.");
    if (engine->totals.offset_resets > 0)
        alarm(context, "offset_reset",
              "A shard was rebuilt because the log no longer held its offset: what went with the "
              "log is missing until the windows of the features have passed. STATUS and _w name "
              "the features that this concerns.");
    alarm_clock(engine, alarm, context);
    alarm_checkpoints(engine, alarm, context);
    for (int k = 0; k < engine->partition_count; k++)
        alarm_partition(engine->partitions[k], alarm, context);
}

/* ---- readiness ---- */

static void missing(struct text *why_not, const char *what)
{
    text_printf(why_not, "%s%s", why_not->len ? "; " : "", what);
}

bool status_ready(const struct engine *engine, struct text *why_not)
{
    size_t before = why_not->len;
    if (engine->state != ENGINE_RUNNING)
        missing(why_not, "stopping");
    if (!engine->assigned)
        missing(why_not, "no partitions assigned yet");
    int64_t lag = status_lag(engine);
    if (lag > engine->config->http_ready_lag)
        missing(why_not, "catching up");
    if (!redis_health(engine->redis)->connected ||
        redis_health(engine->redis)->trouble != REDIS_TROUBLE_NONE)
        missing(why_not, "Redis does not take rows");
    const struct registry_health *registry = writers_registry_health(engine->writers);
    if (registry && !registry->reachable)
        missing(why_not, "the schema registry does not answer");
    if (engine->kafka && kafka_trouble_text(engine->kafka)[0])
        missing(why_not, "trouble with Kafka");
    if (engine->fatal[0])
        missing(why_not, engine->fatal);
    return why_not->len == before;
}
