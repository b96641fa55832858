/* The daemon's life, and the order of work in each turn of the loop. */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "log.h"
#include "pool.h"
#include "status.h"

enum {
    IDENTITY_MS = 1000,  /* how often consumed = in flight + sum of fates is checked */
    TTL_STEP_MS = 100,   /* how often the walk over TTLs makes a step */
    TTL_STEPS = 8,       /* a walk over all keys takes an eighth of the TTL */
    RECENT_MS = 30000,   /* how often engine_recent forgets; it goes back up to twice as far */
    PROGRESS_MS = 5000,  /* how often catching up is said ... */
    PROGRESS_LAG = 10000, /* ... while more records than these wait */
    POLL_ROUNDS = 4,     /* polls in one turn of the loop */
};

struct mono_time engine_now(const struct engine *engine)
{
    return (struct mono_time){(int64_t)uv_now(engine->loop)};
}

uint32_t engine_now_s(const struct engine *engine)
{
    return (uint32_t)(engine_now(engine).ms / 1000) + 1;
}

void engine_shard_name(const struct engine *engine, int32_t id, char name[CHECKPOINT_NAME_MAX])
{
    snprintf(name, CHECKPOINT_NAME_MAX, "%s:%s:%d", engine->config->kafka_group_id,
             engine->config->kafka_topic, id);
}

struct partition *engine_partition(struct engine *engine, int32_t id)
{
    for (int k = 0; k < engine->partition_count; k++)
        if (engine->partitions[k]->id == id)
            return engine->partitions[k];
    return NULL;
}

uint64_t engine_in_flight(const struct engine *engine)
{
    uint64_t waiting = 0;
    for (int k = 0; k < engine->partition_count; k++)
        waiting += engine->partitions[k]->fifo_count;
    return waiting;
}

void engine_recent(const struct engine *engine, struct histogram *event_to_visible_ms,
                   struct histogram *redis_write_us)
{
    const struct engine_past *past = &engine->past[1];
    histogram_difference(&engine->event_to_visible_ms, &past->event_to_visible_ms,
                         event_to_visible_ms);
    histogram_difference(&engine->redis_write_us, &past->redis_write_us, redis_write_us);
}

bool engine_clean(const struct engine *engine)
{
    for (int k = 0; k < engine->partition_count; k++)
        if (!flusher_clean(engine->partitions[k]))
            return false;
    return true;
}

void engine_fatal(struct engine *engine, const char *format, ...)
{
    if (engine->fatal[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(engine->fatal, sizeof engine->fatal, format, arguments);
    va_end(arguments);
    log_error("fatal", "reason=%Q", engine->fatal);
    if (engine->on_fatal)
        engine->on_fatal(engine->on_fatal_context);
}

void engine_pause(struct engine *engine, bool pause)
{
    engine->paused = pause;
    for (int k = 0; k < engine->partition_count; k++)
        partition_pause(engine->partitions[k], PAUSE_OPERATOR, pause);
}

static struct redis_limits redis_limits(const struct config *config)
{
    return (struct redis_limits){config->redis_connect_timeout.ms, config->redis_reply_timeout.ms,
                                 (size_t)config->redis_max_inflight};
}

void engine_take_live(struct engine *engine)
{
    struct redis_limits limits = redis_limits(engine->config);
    redis_set_limits(engine->redis, &limits);
    writers_set_timeout(engine->writers, engine->config->schema_registry_timeout.ms);
}

/* ---- one turn ---- */

static void take_records(struct engine *engine)
{
    engine->kafka_ready = false;
    for (int round = 0; round < POLL_ROUNDS; round++) {
        size_t got = kafka_poll(engine->kafka, engine->polled, (size_t)engine->polled_capacity);
        for (size_t k = 0; k < got; k++) {
            struct partition *partition = engine_partition(engine, engine->polled[k].partition);
            if (partition && !engine->revoking)
                intake_push(partition, &engine->polled[k]);
            else
                kafka_message_done(engine->polled[k].owner);
        }
        if (got == 0)
            return;
        for (int k = 0; k < engine->partition_count; k++)
            if (engine->partitions[k]->fifo_count > 0)
                intake_run(engine->partitions[k]);
    }
}

/* Every record has one fate, or waits: said of all records since the start. */
static void check_identity(struct engine *engine)
{
    uint64_t sum = engine->totals.dropped + engine_in_flight(engine);
    for (int k = 0; k < FATE_COUNT_OF; k++)
        sum += engine->totals.fates[k];
    if (sum == engine->totals.consumed)
        return;
    engine->totals.identity_violations++;
    log_error("identity_violated", "consumed=%llu accounted=%llu",
              (unsigned long long)engine->totals.consumed, (unsigned long long)sum);
}

static void step_ttl(struct engine *engine, struct partition *partition)
{
    if (engine->ttl_ms == 0)
        return;
    struct shard_status status;
    shard_status(partition->shard, &status);
    int64_t steps = engine->ttl_ms / TTL_STEPS / TTL_STEP_MS + 1;
    int64_t budget = (int64_t)(status.keys + status.keys_forgotten_waiting) / steps + 1;
    shard_refresh_ttl(partition->shard, engine_now_s(engine), (uint32_t)(engine->ttl_ms / 1000),
                      (int)budget);
}

/* Redis has seen a later record than the log has: topic made anew, or an unclean election. */
static void watch_log_end(struct engine *engine, struct partition *partition)
{
    struct lease *lease = shard_lease(partition->shard);
    struct shard_status status;
    shard_status(partition->shard, &status);
    bool behind = lease->state == LEASE_HELD && status.held && partition->end_seen &&
                  partition->rebuild.state != REBUILD_DUE;
    if (!behind) {
        partition->behind_since = (struct mono_time){0};
        return;
    }
    if (partition->behind_since.ms == 0)
        partition->behind_since = engine_now(engine);
    if (mono_time_diff(engine_now(engine), partition->behind_since).ms < ENGINE_OFFSET_GONE_MS)
        return;
    if (engine->config->kafka_offset_reset == CONFIG_KAFKA_OFFSET_RESET_STOP) {
        engine_fatal(engine,
                     "partition %d: log_lost: rows in Redis are of offset %lld, the log ends at "
                     "%lld; with kafka.offset_reset = rebuild all rows are written again",
                     partition->id, (long long)lease->hold, (long long)status.next_offset);
        return;
    }
    log_error("log_lost", "partition=%d hold=%lld end=%lld action=%Q", partition->id,
              (long long)lease->hold, (long long)status.next_offset, "all rows are written again");
    engine->totals.offset_resets++;
    lease->hold = status.next_offset - 1;
    partition_resync(partition, RESYNC_LOG_LOST);
}

/* Catching up is said every few seconds, with the time that is left; so is what else takes long. */
static void say_progress(struct engine *engine)
{
    int64_t lag = status_lag(engine);
    struct duration silence = mono_time_diff(engine_now(engine), engine->last_progress);
    if (silence.ms < PROGRESS_MS)
        return;
    engine->last_progress = engine_now(engine);
    struct text work = {0};
    status_work(engine, &work);
    if (work.len > 0)
        log_info("working", "what=%Q", work.data);
    text_free(&work);
    if (lag < PROGRESS_LAG || engine->records_per_s < 1)
        return;
    log_info("catching_up", "lag=%lld records_per_s=%.0f seconds_left=%.0f", (long long)lag,
             engine->records_per_s, (double)lag / engine->records_per_s);
}

static void run_periodic(struct engine *engine)
{
    struct mono_time now = engine_now(engine);
    if (mono_time_diff(now, engine->last_identity).ms >= IDENTITY_MS) {
        int64_t elapsed = mono_time_diff(now, engine->last_identity).ms;
        engine->last_identity = now;
        check_identity(engine);
        engine->records_per_s =
            (double)(engine->totals.consumed - engine->rated_consumed) * 1000 / (double)elapsed;
        engine->rated_consumed = engine->totals.consumed;
        say_progress(engine);
        for (int k = 0; k < engine->partition_count; k++)
            watch_log_end(engine, engine->partitions[k]);
        stall_run(engine);
        assignment_restart_due(engine);
        takeover_run(engine);
    }
    if (mono_time_diff(now, engine->last_past).ms >= RECENT_MS) {
        engine->last_past = now;
        engine->past[1] = engine->past[0];
        engine->past[0] =
            (struct engine_past){engine->event_to_visible_ms, engine->redis_write_us};
    }
    if (mono_time_diff(now, engine->last_ttl).ms >= TTL_STEP_MS) {
        engine->last_ttl = now;
        for (int k = 0; k < engine->partition_count; k++)
            step_ttl(engine, engine->partitions[k]);
    }
}

static void run_turn(struct engine *engine)
{
    /* 1 Replies of Redis, deliveries and commits were handled as they came: what they freed can
     *   be used in this turn. */
    /* 2 Records, a bounded number: they make keys dirty. */
    if (engine->kafka_ready)
        take_records(engine);
    /* 3 A piece of a checkpoint: between two records, and bounded. */
    checkpointer_run(engine);
    bool tick = mono_time_diff(engine_now(engine), engine->last_tick).ms >= ENGINE_TICK_MS;
    if (!tick)
        return;
    engine->last_tick = engine_now(engine);
    /* 4 What time alone does, and what waited for others: schemas, the producer, a rebalance. */
    for (int k = 0; k < engine->partition_count; k++)
        intake_run(engine->partitions[k]);
    run_periodic(engine);
    /* 5 Rows, after the records of this turn, so that a key is written once for all of them; but
     *   none of a shard that may not have begun early enough. */
    for (int k = 0; k < engine->partition_count && !engine->revoking_lost; k++) {
        rebuild_run(engine->partitions[k]);
        flusher_run(engine->partitions[k]);
    }
    sweeper_run(engine);
    /* 6 Commits last: they speak of what is in a checkpoint, or without one of what was applied. */
    if (mono_time_diff(engine_now(engine), engine->last_commit).ms >=
            engine->config->kafka_commit_interval.ms &&
        !engine->revoking) {
        engine->last_commit = engine_now(engine);
        engine_commit(engine, NULL, NULL);
    }
    assignment_run(engine);
    drain_run(engine);
}

static void on_turn(uv_check_t *handle)
{
    struct engine *engine = handle->data;
    if (!engine->kafka || engine->leaving)
        return;
    uint64_t start = uv_hrtime();
    run_turn(engine);
    histogram_add(&engine->loop_us, (int64_t)((uv_hrtime() - start) / 1000));
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* it only makes the loop turn */
}

/* ---- open ---- */

static void on_writer_decided(void *context)
{
    struct engine *engine = context;
    for (int k = 0; k < engine->partition_count; k++)
        if (engine->partitions[k]->paused & PAUSE_SCHEMA)
            intake_run(engine->partitions[k]);
}

struct kafka_property *engine_kafka_properties(const struct config *config)
{
    size_t count = (size_t)config->kafka_property_count;
    struct kafka_property *properties = memory_alloc((count + 1) * sizeof *properties);
    for (size_t k = 0; k < count; k++)
        properties[k] = (struct kafka_property){config->kafka_properties[k].name,
                                                config->kafka_properties[k].value};
    return properties;
}

static bool open_kafka(struct engine *engine, char *error)
{
    const struct config *config = engine->config;
    struct kafka_property *properties = engine_kafka_properties(config);
    struct kafka_options options = {
        .bootstrap = config->kafka_bootstrap_servers,
        .group = config->kafka_group_id,
        .topic = config->kafka_topic,
        .properties = properties,
        .property_count = (size_t)config->kafka_property_count,
    };
    struct kafka_producer_options producer = {
        .bootstrap = options.bootstrap,
        .properties = options.properties,
        .property_count = options.property_count,
        .application = config->kafka_group_id,
        .delivered = reject_delivered,
        .data = engine,
    };
    bool ok = true;
    if (config->late_topic[0] || config->late_dead_letter_topic[0]) {
        engine->producer = kafka_producer_open(engine->loop, &producer, error);
        ok = engine->producer != NULL;
    }
    if (ok)
        engine->kafka = kafka_open(engine->loop, &options, &engine_kafka_handlers, engine, error);
    memory_free(properties);
    return ok && engine->kafka;
}

static void open_redis(struct engine *engine)
{
    const struct config *config = engine->config;
    struct redis_options options = {
        .address = config->redis,
        .user = config->redis_user,
        .password = config->redis_password,
        .client_name = "freshet",
        .limits = redis_limits(config),
    };
    engine->redis = redis_open(engine->loop, &options);
    rowlayout_init(&engine->layout, (enum rowlayout_kind)config->redis_layout, engine->model->set,
                   config->redis_prefix, config->redis_key, (size_t)config->redis_delta_memory);
    engine->ttl_ms = config_ttl_ms(config, engine->model->set);
}

struct engine *engine_open(uv_loop_t *loop, struct config *config, struct model *model,
                           char error[KAFKA_ERROR_TEXT])
{
    struct engine *engine = memory_alloc(sizeof *engine);
    engine->loop = loop;
    engine->config = config;
    engine->model = model;
    engine->started = engine_now(engine);
    engine->last_past = engine->started;
    engine->polled_capacity = (int)config->kafka_batch;
    engine->polled = memory_alloc((size_t)engine->polled_capacity * sizeof *engine->polled);
    expect_context.topic = config->kafka_topic;
    uv_check_init(loop, &engine->turn);
    uv_timer_init(loop, &engine->tick);
    engine->turn.data = engine;
    char writers_error[WRITERS_ERROR_MAX];
    engine->writers =
        writers_open(loop, config, model, on_writer_decided, engine, writers_error);
    if (!engine->writers)
        snprintf(error, KAFKA_ERROR_TEXT, "%.500s", writers_error);
    open_redis(engine);
    bool logs = *config->debug_rows != '\0';
    if (engine->writers && logs)
        engine->rowlog = rowlog_open(config->debug_rows, error, KAFKA_ERROR_TEXT);
    if (!engine->writers || (logs && !engine->rowlog) ||
        !checkpointer_open(engine, error) || !open_kafka(engine, error)) {
        engine_close(engine, NULL, NULL);
        return NULL;
    }
    engine->state = ENGINE_RUNNING;
    uv_check_start(&engine->turn, on_turn);
    uv_timer_start(&engine->tick, on_tick, ENGINE_TICK_MS, ENGINE_TICK_MS);
    return engine;
}

/* ---- close: each part says when it is gone; the last one frees the rest ---- */

static void engine_free(struct engine *engine)
{
    void (*closed)(void *context) = engine->closed;
    void *context = engine->closed_context;
    for (int k = 0; k < engine->partition_count; k++)
        partition_close(engine->partitions[k]);
    for (int k = 0; k < engine->kept_count; k++)
        shard_close(engine->kept[k].shard);
    memory_free(engine->partitions);
    memory_free(engine->kept);
    memory_free(engine->polled);
    arena_free(&engine->arena);
    rowlayout_fini(&engine->layout);
    rowlog_close(engine->rowlog);
    model_free(engine->model);
    config_free(engine->config);
    memory_free(engine);
    if (closed)
        closed(context);
}

static void part_closed(void *context)
{
    struct engine *engine = context;
    if (--engine->parts_open == 0)
        engine_free(engine);
}

static void handle_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

void engine_release_messages(struct engine *engine)
{
    for (int k = 0; k < engine->partition_count; k++) {
        intake_drop(engine->partitions[k]);
        rejects_drop(&engine->partitions[k]->rejects);
    }
    for (int k = 0; k < engine->kept_count; k++)
        rejects_drop(&engine->kept[k].rejects);
}

void engine_close(struct engine *engine, void (*closed)(void *context), void *context)
{
    engine->closed = closed;
    engine->closed_context = context;
    engine->leaving = true;
    engine->turn.data = engine;
    engine->tick.data = engine;
    engine->parts_open = 3; /* the two handles, and this call itself */
    uv_close((uv_handle_t *)&engine->turn, handle_closed);
    uv_close((uv_handle_t *)&engine->tick, handle_closed);
    if (engine->redis) {
        engine->parts_open++;
        redis_close(engine->redis, part_closed, engine);
    }
    engine_release_messages(engine);
    if (engine->kafka) {
        engine->parts_open++;
        kafka_close(engine->kafka, 0, part_closed, engine);
    }
    if (engine->producer) {
        engine->parts_open++;
        kafka_producer_close(engine->producer, ENGINE_REVOKE_MS, part_closed, engine);
    }
    if (engine->writers) {
        engine->parts_open++;
        writers_close(engine->writers, part_closed, engine);
    }
    takeover_void(engine);
    checkpointer_abort(engine, NULL);
    if (engine->checkpointer.store) {
        engine->parts_open++;
        checkpoint_store_close(engine->checkpointer.store, part_closed, engine);
    }
    part_closed(engine);
}
