/* Shards are saved one after another, a bounded piece in each turn of the loop.
 *
 *   walks   keys are copied; what was copied goes to the store, which is waited for
 *   waits   for late records before the checkpoint's offset to be stored: a successor starts
 *           behind them and would never send them
 *   ends    the last record, with the token and the sequence as they are then, and all is made
 *           durable; only now may offsets be committed as far
 *
 * The store is behind by at most ENGINE_CHECKPOINT_BACKLOG bytes: beyond, the partition pauses, so
 * that no event copies any more. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "checkpoint_dir.h"
#include "checkpoint_kafka.h"
#include "engine.h"
#include "log.h"
#include "pool.h"

enum { HURRIED_STEPS = 32 };

/* ---- open ---- */

static struct checkpoint_store *open_topic(struct engine *engine, char *error)
{
    const struct config *config = engine->config;
    struct text shards = {0};
    text_printf(&shards, "%s:%s", config->kafka_group_id, config->kafka_topic);
    struct kafka_property *properties = engine_kafka_properties(config);
    struct checkpoint_kafka_options options = {
        .bootstrap = config->kafka_bootstrap_servers,
        .properties = properties,
        .property_count = (size_t)config->kafka_property_count,
        .topic = config->checkpoint_topic_name,
        .input_topic = config->kafka_topic,
        .shards = shards.data,
    };
    struct checkpoint_store *store = checkpoint_kafka_open(engine->loop, &options, error);
    memory_free(properties);
    text_free(&shards);
    return store;
}

bool checkpointer_open(struct engine *engine, char *error)
{
    const struct config *config = engine->config;
    char text[CHECKPOINT_STORE_TEXT];
    if (config->checkpoint_topic_name) {
        engine->checkpointer.store = open_topic(engine, text);
    } else if (config->checkpoint_path) {
        engine->checkpointer.store =
            checkpoint_dir_open(engine->loop, config->checkpoint_path, text);
    } else {
        log_info("checkpoints", "store=none effect=%Q",
                 "a restart reads the log from kafka.start; set checkpoint.dir to keep state");
        return true;
    }
    if (!engine->checkpointer.store) {
        snprintf(error, KAFKA_ERROR_TEXT, "%s", text);
        return false;
    }
    log_info("checkpoints", "store=%s place=%Q", engine->checkpointer.store->kind->name,
             config->checkpoint_path ? config->checkpoint_path : config->checkpoint_topic_name);
    return true;
}

/* ---- one checkpoint ---- */

/* Chains are ordered by number: that of a later one is greater, whoever makes it. */
static uint64_t new_chain(uint64_t before)
{
    uint64_t chance = 0;
    ssize_t got = getrandom(&chance, sizeof chance, 0);
    (void)got; /* it only keeps two that begin in one millisecond apart */
    uint64_t chain = (uint64_t)present_wall_ms() << 20 | (chance & 0xfffff);
    return chain > before ? chain : before + 1;
}

static bool wants_base(const struct partition *partition)
{
    const struct chain *chain = &partition->chain;
    return chain->next.index == 0 || checkpoint_needs_base(partition->shard) ||
           chain->next.index > ENGINE_CHECKPOINT_DELTAS || chain->delta_bytes > chain->base_bytes;
}

static void begin(struct engine *engine, struct partition *partition)
{
    struct checkpointer *self = &engine->checkpointer;
    char name[CHECKPOINT_NAME_MAX];
    engine_shard_name(engine, partition->id, name);
    self->running = partition;
    self->stage = CHECKPOINT_WALKS;
    self->link = partition->chain.next;
    if (wants_base(partition))
        self->link = (struct checkpoint_link){.chain = new_chain(partition->chain.next.chain)};
    self->bytes = 0;
    self->written_last = false;
    self->started = engine_now(engine);
    partition->checkpoint_tried = self->started;
    struct checkpoint_terms terms = {
        .name = name,
        .link = self->link,
        .wall_ms = present_wall_ms(),
        .now_s = engine_now_s(engine),
        .last_flush_ms = partition->last_flush_ms,
    };
    checkpoint_begin(partition->shard, &terms);
}

static void stop_running(struct checkpointer *self)
{
    partition_pause(self->running, PAUSE_CHECKPOINT, false);
    self->running->checkpoint_wanted = false;
    self->running = NULL;
}

static void failed(struct engine *engine, const char *why)
{
    struct checkpointer *self = &engine->checkpointer;
    struct partition *partition = self->running;
    snprintf(self->error, sizeof self->error, "%s", why);
    log_error("checkpoint_failed", "partition=%d reason=%Q action=%Q", partition->id, why,
              "it is tried again; nothing is lost, but offsets are not committed");
    engine->totals.checkpoints_failed++;
    partition->checkpoint_failed = true;
    checkpoint_abort(partition->shard);
    checkpoint_store_abandon(self->store);
    stop_running(self);
}

static void durable(struct engine *engine)
{
    struct checkpointer *self = &engine->checkpointer;
    struct partition *partition = self->running;
    struct chain *chain = &partition->chain;
    bool base = self->link.index == 0;
    chain->offset = checkpoint_offset(partition->shard);
    chain->saved = engine_now(engine);
    chain->next =
        (struct checkpoint_link){self->link.chain, self->link.index + 1, self->crc};
    chain->base_bytes = base ? self->bytes : chain->base_bytes;
    chain->delta_bytes = base ? 0 : chain->delta_bytes + self->bytes;
    engine->totals.checkpoints_base += base;
    engine->totals.checkpoints_delta += !base;
    int64_t took = mono_time_diff(chain->saved, self->started).ms;
    histogram_add(&engine->checkpoint_ms, took);
    log_debug("checkpoint_stored", "partition=%d offset=%lld kind=%s bytes=%llu ms=%lld",
              partition->id, (long long)chain->offset, base ? "base" : "delta",
              (unsigned long long)self->bytes, (long long)took);
    partition->checkpoint_failed = false;
    self->error[0] = '\0';
    checkpoint_stored(partition->shard);
    stop_running(self);
}

static void on_written(void *context, bool ok, const char *text)
{
    struct engine *engine = context;
    struct checkpointer *self = &engine->checkpointer;
    self->writing = false;
    if (!self->running)
        checkpoint_store_abandon(self->store); /* it was given up meanwhile */
    else if (!ok)
        failed(engine, text);
    else if (self->written_last)
        durable(engine);
}

static void write_some(struct engine *engine)
{
    struct checkpointer *self = &engine->checkpointer;
    struct partition *partition = self->running;
    struct text *bytes = checkpoint_bytes(partition->shard);
    bool last = self->stage == CHECKPOINT_ENDS;
    if (self->writing || (!last && bytes->len < ENGINE_CHECKPOINT_WRITE))
        return;
    struct checkpoint_segment segment = {partition->id, self->link.chain, self->link.index};
    self->writing = true;
    self->written_last = last;
    self->bytes += bytes->len;
    engine->totals.checkpoint_bytes += bytes->len;
    checkpoint_store_write(self->store, &segment, bytes, last, on_written, engine);
}

static int64_t thread_cpu_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void walk(struct engine *engine)
{
    struct checkpointer *self = &engine->checkpointer;
    struct shard *shard = self->running->shard;
    /* Nothing is consumed then, and others wait for us. */
    int steps = engine->revoking || engine->drain != DRAIN_NONE ? HURRIED_STEPS : 1;
    int64_t cpu_us = thread_cpu_us();
    uint64_t wall_ns = uv_hrtime();
    bool over = false;
    while (!over && steps-- > 0 && checkpoint_bytes(shard)->len < ENGINE_CHECKPOINT_BACKLOG / 4)
        over = checkpoint_step(shard);
    histogram_add(&engine->checkpoint_step_us, thread_cpu_us() - cpu_us);
    histogram_add(&engine->checkpoint_step_wall_us, (int64_t)((uv_hrtime() - wall_ns) / 1000));
    size_t waiting = checkpoint_bytes(shard)->len;
    size_t bound = ENGINE_CHECKPOINT_BACKLOG;
    if (self->running->paused & PAUSE_CHECKPOINT)
        bound /= 2;
    partition_pause(self->running, PAUSE_CHECKPOINT, waiting > bound);
    if (over)
        self->stage = CHECKPOINT_WAITS;
}

static bool late_records_stored(const struct partition *partition)
{
    int64_t offset = checkpoint_offset(partition->shard);
    return partition->rejects.count == 0 || rejects_first_offset(&partition->rejects) >= offset;
}

static void advance(struct engine *engine)
{
    struct checkpointer *self = &engine->checkpointer;
    if (self->stage == CHECKPOINT_WALKS)
        walk(engine);
    if (self->stage == CHECKPOINT_WAITS && late_records_stored(self->running)) {
        self->crc = checkpoint_end(self->running->shard);
        self->stage = CHECKPOINT_ENDS;
    }
    if (!self->written_last)
        write_some(engine);
}

/* ---- which is next ---- */

static bool is_due(const struct partition *partition)
{
    const struct engine *engine = partition->engine;
    if (rebuild_pending(partition))
        return false; /* it would be taken for one that is as good as the log */
    if (partition->checkpoint_wanted)
        return true;
    if (engine->revoking || engine->drain != DRAIN_NONE)
        return false;
    int64_t since = mono_time_diff(engine_now(engine), partition->checkpoint_tried).ms;
    int64_t interval = engine->config->checkpoint_interval.ms;
    if (partition->checkpoint_failed)
        return since >= (interval < ENGINE_CHECKPOINT_RETRY_MS ? interval
                                                               : ENGINE_CHECKPOINT_RETRY_MS);
    struct shard_status status;
    shard_status(partition->shard, &status);
    bool news = status.next_offset != partition->chain.offset;
    return since >= interval && (news || since >= ENGINE_CHECKPOINT_IDLE_MS);
}

/* The one that waits longest, so that a slow store serves all alike. */
static struct partition *next_due(const struct engine *engine)
{
    struct partition *next = NULL;
    for (int k = 0; k < engine->partition_count; k++) {
        struct partition *partition = engine->partitions[k];
        if (is_due(partition) &&
            (!next || partition->checkpoint_tried.ms < next->checkpoint_tried.ms))
            next = partition;
    }
    return next;
}

void checkpointer_run(struct engine *engine)
{
    struct checkpointer *self = &engine->checkpointer;
    if (!self->store)
        return;
    if (!self->running && !self->writing) {
        struct partition *next = next_due(engine);
        if (next)
            begin(engine, next);
    }
    if (self->running)
        advance(engine);
}

void checkpointer_want(struct engine *engine)
{
    checkpointer_abort(engine, NULL); /* it would have the state of before */
    for (int k = 0; engine->checkpointer.store && k < engine->partition_count; k++)
        engine->partitions[k]->checkpoint_wanted = true;
}

bool checkpointer_settled(const struct engine *engine)
{
    for (int k = 0; k < engine->partition_count; k++)
        if (engine->partitions[k]->checkpoint_wanted && !rebuild_pending(engine->partitions[k]))
            return false;
    return !engine->checkpointer.running;
}

void checkpointer_abort(struct engine *engine, const struct partition *partition)
{
    struct checkpointer *self = &engine->checkpointer;
    if (!self->running || (partition && self->running != partition))
        return;
    checkpoint_abort(self->running->shard);
    stop_running(self);
    if (!self->writing)
        checkpoint_store_abandon(self->store);
}
