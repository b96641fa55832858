/* Simulation of shards under virtual time: the real core against a naive model and a fake Redis.
 *
 * A schedule is a seed: rules, features, a log and everything that can go wrong are drawn from it.
 * After each step fates, watermark, as_of, counts of sessions and each written row are compared
 * with the model; at the end all of Redis is, and logs run through an observed shard
 * (simeffects.h).
 *
 * FRESHET_SIM_SEEDS is the number of schedules (0: as many as fit into a few seconds),
 * FRESHET_SIM_SEED the one to run alone. FRESHET_SIM_LONG=1 is the long run: 200,000 schedules and
 * 20 million events at least; it fails, too, when a kind of event was never met. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkpoint.h"
#include "fakeredis.h"
#include "shardstate.h"
#include "simeffects.h"
#include "simlog.h"
#include "text.h"

enum {
    LANES_MAX = 3,
    STEPS = 420,
    COMMANDS_MAX = 6,
    FEED_MAX = 6,
    SETTLE_STEPS = 20000,
    HISTORY_MAX = 65536,
    DEFAULT_SECONDS = 5,
    LONG_SCHEDULES = 200000,
    LONG_EVENTS = 20000000,
    EFFECTS_PERCENT = 25, /* of the logs run through an observed shard */
};

/* What the owner sent to Redis, in order. */
struct command {
    enum { COMMAND_ACQUIRE, COMMAND_MARK, COMMAND_SWEEP, COMMAND_DONE, COMMAND_FLUSH } kind;
    uint64_t generation;
    uint64_t previous;
    int64_t previous_seq;
    struct fakeredis_batch batch; /* token for all kinds */
    struct shard_batch shard_batch;
    bool executed;
    enum fakeredis_result result;
    int64_t seq;
    struct lease_grant grant;
};

struct lane {
    int partition;
    struct simlog log;
    int position;    /* of the owner */
    bool saw_end;
    struct naive model; /* of the owner's position */
    struct shard *shard;
    uint64_t fed; /* records */
    int64_t watermark, as_of; /* before this step */
    int64_t assigned_end;
    struct fakeredis redis, snapshot;
    struct command commands[COMMANDS_MAX];
    int command_count;
    struct command zombie; /* of a killed owner, still on its way */
    bool has_zombie;
    uint64_t generation;
    bool lease_busy;
    bool empty_start;   /* else from a checkpoint */
    struct text saved;  /* the newest checkpoint: a base, and deltas behind it; empty: none */
    int64_t saved_offset;
    struct checkpoint_link next; /* segment of what is saved */
    struct checkpoint_link link; /* of the one under way */
    uint64_t batches_applied;
};

struct sim {
    uint64_t seed;
    struct rules rules;
    struct lane lanes[LANES_MAX];
    int lane_count;
    int64_t now; /* virtual, ms since the epoch */
    uint64_t tokens;
    struct arena arena;
    struct text text;
    unsigned faults; /* bit set: kinds that are on */
    bool disturbed;  /* false at the end: only what heals */
};

static struct sim sim;
static char history[HISTORY_MAX];
static size_t history_len;
static uint64_t events_run, rows_compared;

/* ---- telling ---- */

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    if (history_len > HISTORY_MAX - 512)
        history_len = 0; /* only the newest part matters */
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(history + history_len, 400, format, arguments);
    va_end(arguments);
    history_len += (size_t)(len < 400 ? len : 399);
    history[history_len++] = '\n';
    history[history_len] = '\0';
}

static _Noreturn void violation(const struct lane *lane, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static _Noreturn void violation(const struct lane *lane, const char *format, ...)
{
    printf("%s\nseed %llu shard %d: violation: ", history, (unsigned long long)sim.seed,
           lane->partition);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    simlog_print_rules(&sim.rules);
    simeffects_shrink(&sim.rules, &lane->log, sim.seed);
    printf("FRESHET_SIM_SEED=%llu runs it again\n", (unsigned long long)sim.seed);
    fflush(stdout);
    exit(1);
}

/* ---- the owner reads ---- */

static void check_clocks(struct lane *lane)
{
    struct shard_status status;
    shard_status(lane->shard, &status);
    if (status.watermark.ms < lane->watermark)
        violation(lane, "the watermark went back");
    if (status.as_of.ms < lane->as_of)
        violation(lane, "as_of went back");
    lane->watermark = status.watermark.ms;
    lane->as_of = status.as_of.ms;
    if (lane->model.raw != INT64_MIN && status.watermark.ms != naive_watermark(&lane->model))
        violation(lane, "watermark %lld, not %lld", (long long)status.watermark.ms,
                  (long long)naive_watermark(&lane->model));
    if ((int)status.keys != naive_living(&lane->model))
        violation(lane, "%d living keys, not %d", (int)status.keys, naive_living(&lane->model));
    uint64_t sum = 0;
    for (int f = 0; f < FATE_COUNT_OF; f++)
        sum += status.fates[f];
    if (sum != lane->fed)
        violation(lane, "fates do not add up to the records");
    if (status.unsynced > status.keys + status.keys_forgotten_waiting)
        violation(lane, "unsynced %llu of %llu keys", (unsigned long long)status.unsynced,
                  (unsigned long long)(status.keys + status.keys_forgotten_waiting));
}

/* What is counted beside the fates. */
static void check_counts(const struct lane *lane)
{
    struct shard_status status;
    shard_status(lane->shard, &status);
    const struct {
        const char *name;
        uint64_t is;
        int64_t wanted;
        enum simlog_kind kind;
    } counts[] = {
        {"opened", status.sessions_opened, lane->model.opened, SIMLOG_told_opened},
        {"merged", status.sessions_merged, lane->model.merged, SIMLOG_merged},
        {"corrected", status.sessions_corrected, lane->model.corrected, SIMLOG_corrected},
        {"split", status.sessions_split, lane->model.split, SIMLOG_split},
        {"remembered ids", status.ids_remembered, lane->model.id_count, SIMLOG_dedup},
        {"unremembered ids", status.ids_overflowed, lane->model.ids_overflowed,
         SIMLOG_dedup_full},
    };
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        if (counts[k].is != (uint64_t)counts[k].wanted)
            violation(lane, "%llu %s, not %lld", (unsigned long long)counts[k].is, counts[k].name,
                      (long long)counts[k].wanted);
        if (counts[k].is > 0)
            simlog_met(counts[k].kind);
    }
}

/* The list is newest first, and no two live sessions are within the gap but for S10 to S12. */
static void check_sessions(const struct lane *lane)
{
    const struct rules *rules = &sim.rules;
    for (uint32_t handle = 0; handle < lane->shard->handle_count; handle++) {
        const struct session *session = entity_at(lane->shard, handle)->sessions.live, *before;
        for (; session && (before = session->next); session = before) {
            if (before->last_ms > session->last_ms ||
                (before->last_ms == session->last_ms && before->id > session->id))
                violation(lane, "sessions %lld and %lld are in the wrong order",
                          (long long)session->id, (long long)before->id);
            bool parted = rules_part_sessions(rules) ||
                          rules_cut_period(rules, before->last_ms) !=
                              rules_cut_period(rules, session->start_ms);
            if (!parted && session->start_ms - rules->gap.ms <= before->last_ms)
                violation(lane, "sessions %lld and %lld are within the gap",
                          (long long)session->id, (long long)before->id);
        }
    }
}

static void feed(struct lane *lane, const struct simlog_entry *entries, int count)
{
    struct record records[FEED_MAX] = {0};
    struct verdict verdicts[FEED_MAX];
    for (int k = 0; k < count; k++)
        records[k] = entries[k].record;
    shard_apply(lane->shard, records, count, verdicts);
    for (int k = 0; k < count; k++) {
        enum fate fate = naive_apply(&lane->model, &records[k]);
        const struct value *slots = records[k].slots;
        note("%d: offset %lld rts %lld key %.*s ts %lld %.*s: %s", lane->partition,
             (long long)records[k].offset, (long long)records[k].record_time_ms,
             (int)slots[SLOT_KEY].len, slots[SLOT_KEY].len ? slots[SLOT_KEY].s : "",
             (long long)slots[SLOT_TS].i, (int)slots[SLOT_TYPE].len,
             slots[SLOT_TYPE].len ? slots[SLOT_TYPE].s : "", fate_rows[verdicts[k].fate].name);
        if (verdicts[k].fate != fate)
            violation(lane, "fate %s, not %s", fate_rows[verdicts[k].fate].name,
                      fate_rows[fate].name);
        lane->fed++;
        events_run++;
    }
    check_counts(lane);
    check_sessions(lane);
}

static void consume(struct lane *lane)
{
    int rest = lane->log.count - lane->position;
    if (rest > 0) {
        int count = 1 + (int)simlog_below(rest < FEED_MAX ? rest : FEED_MAX);
        feed(lane, &lane->log.entries[lane->position], count);
        lane->position += count;
    } else if (lane->log.count > 0 && simlog_chance(10)) {
        simlog_met(SIMLOG_seen_before);
        feed(lane, &lane->log.entries[simlog_below(lane->log.count)], 1); /* seen before */
    } else {
        shard_end_of_log(lane->shard, lane->log.end);
        lane->saw_end = true;
    }
}

/* ---- the owner writes ---- */

static struct command *command_new(struct lane *lane, int kind)
{
    struct command *command = &lane->commands[lane->command_count++];
    memset(command, 0, offsetof(struct command, batch));
    command->kind = (__typeof__(command->kind))kind;
    command->executed = false;
    command->generation = lane->generation;
    command->batch.count = 0;
    const char *token = shard_lease(lane->shard)->token;
    command->batch.token = strtoull(token + 16, NULL, 16);
    return command;
}

static void run_lease(struct lane *lane)
{
    struct lease *lease = shard_lease(lane->shard);
    if (lane->lease_busy || lane->command_count == COMMANDS_MAX)
        return;
    enum lease_step step = lease_next(lease, shard_synced(lane->shard));
    struct command *command;
    char token[LEASE_TOKEN_BYTES + 1];
    switch (step) {
    case LEASE_WAIT:
        return;
    case LEASE_PROVE:
        lease_proved(lease, true);
        return;
    case LEASE_ACQUIRE:
        snprintf(token, sizeof token, "%032llx", (unsigned long long)++sim.tokens);
        lane->generation++;
        lease_acquiring(lease, token);
        command = command_new(lane, COMMAND_ACQUIRE);
        command->previous = lease->previous[0] ? strtoull(lease->previous + 16, NULL, 16) : 0;
        command->previous_seq = lease->acknowledged;
        break;
    case LEASE_SWEEP:
        if (lease_awaits_replies(lease))
            return;
        lease_step_sent(lease, step);
        command_new(lane, COMMAND_SWEEP)->batch.expected_seq = lease_batch_sent(lease);
        break;
    default:
        lease_step_sent(lease, step);
        command_new(lane, step == LEASE_MARK ? COMMAND_MARK : COMMAND_DONE);
    }
    lane->lease_busy = true;
}

/* The model's row of the key in words, until the next call. */
static const char *model_text(const struct naive *model, int key, int64_t as_of)
{
    struct value *values =
        arena_alloc(&sim.arena, (size_t)sim.rules.set->count * sizeof *values);
    uint64_t rev = naive_row(model, key, as_of, &sim.arena, values);
    text_clear(&sim.text);
    naive_render(&sim.text, sim.rules.set, values, rev);
    return sim.text.data;
}

static void take_row(struct lane *lane, const struct row *row, struct fakeredis_batch *batch)
{
    struct fakeredis_row *written = &batch->rows[batch->count++];
    int key = naive_key_of(row->key, row->key_len);
    text_clear(&sim.text);
    naive_render(&sim.text, sim.rules.set, row->values, row->rev);
    if (sim.text.len >= sizeof written->text)
        violation(lane, "the row does not fit into the fake Redis");
    memcpy(written->text, sim.text.data, sim.text.len + 1);
    written->key = key;
    written->exists = !row->removed;
    written->as_of = row->as_of.ms;
    written->offset = row->offset;
    const char *wanted = model_text(&lane->model, key, row->as_of.ms);
    if (strcmp(written->text, wanted) != 0)
        violation(lane, "row of %s at as_of %lld is\n%s\nnot\n%s", naive_keys[key],
                  (long long)row->as_of.ms, written->text, wanted);
    if (row->offset != lane->model.keys[key].offset)
        violation(lane, "_o of %s is %lld, not %lld", naive_keys[key], (long long)row->offset,
                  (long long)lane->model.keys[key].offset);
    if (row->removed && lane->model.keys[key].alive)
        violation(lane, "the living key %s is removed", naive_keys[key]);
    rows_compared++;
}

static void advance(struct lane *lane)
{
    bool idle = lane->saw_end && simlog_chance(70);
    if (idle)
        simlog_met(SIMLOG_idle);
    const struct lease *lease = shard_lease(lane->shard);
    struct shard_status status;
    shard_status(lane->shard, &status);
    int64_t expected = status.as_of.ms;
    if (lane->model.raw > expected)
        expected = lane->model.raw;
    if (lease->as_of_floor_ms > expected)
        expected = lease->as_of_floor_ms;
    if (idle && lane->model.raw != INT64_MIN && status.newest_record_time_ms != RECORD_NO_TIME &&
        lane->model.raw + sim.now - status.newest_record_time_ms > expected)
        expected = lane->model.raw + sim.now - status.newest_record_time_ms;
    while (!shard_advance(lane->shard, idle ? sim.now : INT64_MIN))
        continue;
    shard_status(lane->shard, &status);
    if (status.as_of.ms != expected)
        violation(lane, "as_of %lld, not %lld", (long long)status.as_of.ms, (long long)expected);
}

static void flush(struct lane *lane)
{
    struct lease *lease = shard_lease(lane->shard);
    if (lane->command_count == COMMANDS_MAX)
        return;
    struct shard_status status;
    shard_status(lane->shard, &status);
    if (!lease_may_write(lease, status.next_offset) || lease_awaits_replies(lease))
        return;
    advance(lane);
    if (!shard_has_rows(lane->shard) && lane->command_count > 0)
        return; /* else an empty batch, to see whether Redis has lost something */
    struct command *command = command_new(lane, COMMAND_FLUSH);
    shard_batch_begin(lane->shard, &command->shard_batch);
    command->batch.expected_seq = lease_batch_sent(lease);
    command->batch.hw = command->shard_batch.last_offset;
    command->batch.as_of = command->shard_batch.as_of.ms;
    int64_t bound = 1 + simlog_below(NAIVE_KEYS);
    struct row row;
    while (command->batch.count < bound &&
           shard_batch_next(lane->shard, &command->shard_batch, &sim.arena, 1, 0, &row))
        take_row(lane, &row, &command->batch);
    note("%d: flush of %d rows at as_of %lld", lane->partition, command->batch.count,
         (long long)command->batch.as_of);
}

/* ---- Redis works ---- */

static void sweep(struct lane *lane, struct command *command)
{
    command->result =
        fakeown_batch(&lane->redis.own, command->batch.token, command->batch.expected_seq);
    command->seq = command->batch.expected_seq + 1;
    for (int k = 0; k < NAIVE_KEYS && command->result == FAKEREDIS_OK; k++)
        if (!shard_holds_key(lane->shard, naive_keys[k], strlen(naive_keys[k])))
            lane->redis.rows[k].exists = false;
}

static void execute(struct lane *lane, struct command *command)
{
    struct fakeredis *redis = &lane->redis;
    bool went_back = false;
    switch (command->kind) {
    case COMMAND_ACQUIRE:
        command->grant = fakeown_acquire(&redis->own, command->batch.token, command->previous,
                                         command->previous_seq);
        command->result = FAKEREDIS_OK;
        break;
    case COMMAND_MARK:
    case COMMAND_DONE:
        command->result =
            fakeown_mark(&redis->own, command->batch.token, command->kind == COMMAND_MARK);
        break;
    case COMMAND_SWEEP:
        sweep(lane, command);
        break;
    case COMMAND_FLUSH:
        command->result = fakeredis_flush(redis, &command->batch, &command->seq, &went_back);
        if (went_back)
            violation(lane, "a row in Redis went back");
    }
    command->executed = true;
}

static void execute_next(struct lane *lane)
{
    for (int k = 0; k < lane->command_count; k++) {
        if (!lane->commands[k].executed) {
            execute(lane, &lane->commands[k]);
            return;
        }
    }
}

/* ---- replies ---- */

static void end_batch(struct lane *lane, const struct command *command)
{
    struct lease *lease = shard_lease(lane->shard);
    if (command->result == FAKEREDIS_OK)
        lease_applied(lease, command->seq);
    else if (command->result == FAKEREDIS_REFUSED)
        lease_not_applied(lease);
    else if (command->result == FAKEREDIS_UNKNOWN)
        lease_doubt(lease);
    else
        lease_refused(lease, command->result == FAKEREDIS_ROLLBACK);
}

static void end_lease_step(struct lane *lane, const struct command *command, enum lease_step step)
{
    struct lease *lease = shard_lease(lane->shard);
    if (command->kind == COMMAND_SWEEP)
        end_batch(lane, command);
    else if (command->result == FAKEREDIS_FENCED)
        lease_refused(lease, false);
    else if (command->result == FAKEREDIS_UNKNOWN)
        lease_doubt(lease);
    lease_step_ended(lease, step, command->result == FAKEREDIS_OK);
}

static void end_acquire(struct lane *lane, const struct command *command)
{
    struct lease *lease = shard_lease(lane->shard);
    if (command->result != FAKEREDIS_OK) {
        lease_not_granted(lease);
        return;
    }
    bool resync = lease_granted(lease, &command->grant, lane->assigned_end,
                                lane->empty_start);
    if (resync)
        shard_resync(lane->shard);
    note("%d: granted hw %lld as_of %lld seq %lld resync %d", lane->partition,
         (long long)command->grant.hw, (long long)command->grant.as_of_ms,
         (long long)command->grant.seq, resync);
}

static void deliver(struct lane *lane, const struct command *command)
{
    bool current = command->generation == lane->generation;
    note("%d: reply to command %d: %d", lane->partition, (int)command->kind,
         (int)command->result);
    if (command->kind == COMMAND_FLUSH) {
        lane->batches_applied += command->result == FAKEREDIS_OK;
        if (current)
            end_batch(lane, command);
        struct shard_batch batch = command->shard_batch;
        shard_batch_end(lane->shard, &batch, command->result == FAKEREDIS_OK);
        return;
    }
    if (!current)
        return;
    lane->lease_busy = false;
    static const enum lease_step steps[] = {[COMMAND_MARK] = LEASE_MARK,
                                            [COMMAND_SWEEP] = LEASE_SWEEP,
                                            [COMMAND_DONE] = LEASE_DONE};
    if (command->kind == COMMAND_ACQUIRE)
        end_acquire(lane, command);
    else
        end_lease_step(lane, command, steps[command->kind]);
}

static void deliver_first(struct lane *lane)
{
    if (lane->command_count == 0 || !lane->commands[0].executed)
        return;
    struct command first = lane->commands[0];
    memmove(&lane->commands[0], &lane->commands[1],
            (size_t)--lane->command_count * sizeof first);
    deliver(lane, &first);
}

/* ---- faults ---- */

enum fault { FAULT_BREAK, FAULT_KILL, FAULT_RIVAL, FAULT_FLUSHALL, FAULT_OLD_RDB, FAULT_REFUSE,
             FAULT_PARK, FAULT_RESYNC, FAULT_KINDS };

/* Some of what was sent arrived, none of the replies did. */
static void connection_breaks(struct lane *lane)
{
    int arrived = (int)simlog_below(lane->command_count + 1);
    for (int k = 0; k < arrived; k++)
        if (!lane->commands[k].executed)
            execute(lane, &lane->commands[k]);
    while (lane->command_count > 0) {
        lane->commands[0].executed = true;
        lane->commands[0].result = FAKEREDIS_UNKNOWN;
        deliver_first(lane);
    }
}

/* ---- checkpoints ---- */

static const char shard_name[] = "sim:clicks:0";

/* Begins one or, later, ends it; meanwhile records go on. */
static void checkpoint_some(struct lane *lane)
{
    if (!checkpoint_under_way(lane->shard)) {
        lane->link = lane->next;
        if (checkpoint_needs_base(lane->shard) || simlog_chance(20))
            lane->link = (struct checkpoint_link){.chain = lane->next.chain + 1};
        struct checkpoint_terms terms = {
            .name = shard_name, .link = lane->link, .wall_ms = sim.now};
        checkpoint_begin(lane->shard, &terms);
        return;
    }
    while (!checkpoint_step(lane->shard))
        continue;
    uint32_t crc = checkpoint_end(lane->shard);
    if (simlog_chance(20)) { /* it does not become durable: the next has what it has */
        checkpoint_abort(lane->shard);
        return;
    }
    struct text *bytes = checkpoint_bytes(lane->shard);
    if (lane->link.index == 0)
        text_clear(&lane->saved);
    text_append(&lane->saved, bytes->data, bytes->len);
    lane->saved_offset = checkpoint_offset(lane->shard);
    checkpoint_stored(lane->shard);
    lane->next = (struct checkpoint_link){lane->link.chain, lane->link.index + 1, crc};
    note("%d: checkpoint at %lld", lane->partition, (long long)lane->saved_offset);
}

/* The shard as it was saved, and the model at the same offset. */
static void restore(struct lane *lane)
{
    struct checkpoint_loader *loader =
        checkpoint_loader_open(&sim.rules, lane->partition, shard_name, sim.now, 1);
    checkpoint_loader_feed(loader, lane->saved.data, lane->saved.len);
    if (!checkpoint_loader_whole(loader) || !checkpoint_loader_settle(loader))
        violation(lane, "the checkpoint is refused: %s", checkpoint_loader_text(loader));
    lane->shard = checkpoint_loader_take(loader);
    checkpoint_loader_close(loader);
    /* Who saved it without ever holding the shard knew no more of Redis than who starts empty. */
    lane->empty_start = shard_lease(lane->shard)->previous[0] == '\0';
    while (lane->position < lane->log.count &&
           lane->log.entries[lane->position].record.offset < lane->saved_offset)
        naive_apply(&lane->model, &lane->log.entries[lane->position++].record);
    lane->model.next_offset = lane->saved_offset;
    /* Counters are of the process. */
    lane->model.opened = lane->model.merged = lane->model.corrected = lane->model.split = 0;
    lane->model.ids_overflowed = 0;
    simlog_met(SIMLOG_restored);
    note("%d: restored at %lld", lane->partition, (long long)lane->saved_offset);
}

/* ---- owners ---- */

static void start_owner(struct lane *lane)
{
    naive_init(&lane->model, &sim.rules);
    lane->position = 0;
    lane->empty_start = lane->saved.len == 0 || simlog_chance(30);
    if (lane->empty_start)
        lane->shard = shard_open(&sim.rules, lane->partition, INT64_MIN);
    else
        restore(lane);
    lane->saw_end = false;
    lane->assigned_end = lane->log.end;
    lane->watermark = lane->as_of = INT64_MIN;
    lane->fed = 0;
    lane->command_count = 0;
    lane->lease_busy = false;
    lane->generation++;
}

/* A command of the owner before may still be on its way when the next one starts. */
static void kill_owner(struct lane *lane)
{
    for (int k = 0; k < lane->command_count; k++) {
        struct command *command = &lane->commands[k];
        if (command->executed || command->kind == COMMAND_SWEEP)
            continue;
        if (simlog_chance(50)) {
            execute(lane, command);
        } else {
            lane->zombie = *command;
            lane->has_zombie = true;
            break;
        }
    }
    shard_close(lane->shard);
    start_owner(lane);
}

/* Another owner that has read all of the log takes the shard and writes every row, but leaves. */
static void rival_writes(struct lane *lane)
{
    static struct naive rival;
    naive_init(&rival, &sim.rules);
    for (int k = 0; k < lane->log.count; k++)
        naive_apply(&rival, &lane->log.entries[k].record);
    struct fakeredis_batch batch = {.token = ++sim.tokens, .hw = lane->log.end - 1};
    fakeown_acquire(&lane->redis.own, batch.token, 0, 0);
    batch.as_of = rival.raw;
    if (lane->redis.own.has_hw && lane->redis.own.as_of > batch.as_of)
        batch.as_of = lane->redis.own.as_of;
    if (rival.raw == INT64_MIN || batch.hw < lane->redis.own.hw || simlog_chance(50))
        return; /* it was too slow to write */
    for (int k = 0; k < NAIVE_KEYS; k++) {
        if (!rival.keys[k].alive)
            continue;
        struct fakeredis_row *row = &batch.rows[batch.count++];
        *row = (struct fakeredis_row){.key = k, .exists = true, .as_of = batch.as_of,
                                      .offset = rival.keys[k].offset};
        snprintf(row->text, sizeof row->text, "%s", model_text(&rival, k, batch.as_of));
    }
    batch.expected_seq = lane->redis.own.seq;
    int64_t seq;
    bool went_back = false;
    fakeredis_flush(&lane->redis, &batch, &seq, &went_back);
    if (went_back)
        violation(lane, "a row of the rival went back");
}

/* The partition is elsewhere for a while; the shard stays in memory and goes on later. */
static void park(struct lane *lane)
{
    lane->generation++;
    lease_let_go(shard_lease(lane->shard));
    connection_breaks(lane);
    rival_writes(lane);
    lane->lease_busy = false;
    lane->assigned_end = lane->log.end;
}

static void refuse_batch(struct lane *lane)
{
    for (int k = 0; k < lane->command_count; k++) {
        struct command *command = &lane->commands[k];
        if (!command->executed && command->kind == COMMAND_FLUSH) {
            command->executed = true;
            command->result = FAKEREDIS_REFUSED;
            return;
        }
    }
}

static void fault(struct lane *lane)
{
    enum fault kind = (enum fault)simlog_below(FAULT_KINDS);
    if (!(sim.faults & 1u << kind) || simlog_chance(50))
        return;
    static const enum simlog_kind kinds[FAULT_KINDS] = {
        [FAULT_BREAK] = SIMLOG_lost_connection, [FAULT_KILL] = SIMLOG_restart,
        [FAULT_RIVAL] = SIMLOG_rival,           [FAULT_FLUSHALL] = SIMLOG_redis_flushed,
        [FAULT_OLD_RDB] = SIMLOG_redis_rolled_back, [FAULT_REFUSE] = SIMLOG_redis_refused,
        [FAULT_PARK] = SIMLOG_parked,           [FAULT_RESYNC] = SIMLOG_resync,
    };
    simlog_met(kinds[kind]);
    note("%d: fault %d", lane->partition, (int)kind);
    switch (kind) {
    case FAULT_BREAK:
        connection_breaks(lane);
        break;
    case FAULT_KILL:
        kill_owner(lane);
        break;
    case FAULT_RIVAL:
        rival_writes(lane);
        break;
    case FAULT_FLUSHALL:
        memset(&lane->redis, 0, sizeof lane->redis);
        break;
    case FAULT_OLD_RDB:
        lane->redis = lane->snapshot;
        break;
    case FAULT_PARK:
        park(lane);
        break;
    case FAULT_REFUSE:
        refuse_batch(lane);
        break;
    default:
        if (shard_lease(lane->shard)->state == LEASE_HELD) {
            lease_want_resync(shard_lease(lane->shard));
            shard_resync(lane->shard);
        }
    }
}

static void execute_zombie(struct lane *lane)
{
    if (!lane->has_zombie || lane->zombie.kind == COMMAND_ACQUIRE)
        return;
    lane->has_zombie = false;
    execute(lane, &lane->zombie);
}

/* ---- a schedule ---- */

static void step_lane(struct lane *lane)
{
    arena_reset(&sim.arena);
    switch (simlog_below(sim.disturbed ? 16 : 8)) {
    case 0:
        consume(lane);
        break;
    case 1:
    case 2:
        run_lease(lane);
        break;
    case 3:
        flush(lane);
        break;
    case 4:
    case 5:
        execute_next(lane);
        break;
    case 6:
    case 7:
        deliver_first(lane);
        break;
    case 8:
    case 9:
    case 10:
        simlog_produce(&lane->log, &sim.rules, sim.now);
        lane->saw_end = false;
        break;
    case 11:
        sim.now += simlog_chance(90) ? simlog_below(1500) : simlog_below(60000);
        break;
    case 12:
        execute_zombie(lane);
        break;
    case 13:
        if (simlog_chance(20))
            lane->snapshot = lane->redis;
        else if (simlog_chance(50))
            checkpoint_some(lane);
        consume(lane);
        break;
    case 14:
        consume(lane);
        break;
    default:
        if (simlog_chance(30))
            fault(lane);
    }
    check_clocks(lane);
}

static bool settled(struct lane *lane)
{
    const struct lease *lease = shard_lease(lane->shard);
    return lane->position == lane->log.count && lane->saw_end && lane->command_count == 0 &&
           lease->state == LEASE_HELD && lease->resync == LEASE_SYNCED &&
           !shard_has_rows(lane->shard);
}

/* Nothing goes wrong any more: everything must find its way. */
static void settle(struct lane *lane)
{
    /* More than can be under way: the last was sent after the last loss. */
    uint64_t wanted = lane->batches_applied + COMMANDS_MAX + 1;
    for (int k = 0; k < SETTLE_STEPS; k++) {
        step_lane(lane);
        if (settled(lane) && lane->batches_applied >= wanted) {
            advance(lane); /* as_of may have gone on since */
            if (settled(lane))
                return;
        }
    }
    violation(lane, "it does not come to rest: lease %d resync %d unsynced %llu",
              (int)shard_lease(lane->shard)->state, (int)shard_lease(lane->shard)->resync,
              (unsigned long long)lane->shard->unsynced);
}

/* Semantics, section 8: every row is the model's; one that is all empty may be missing. */
static void compare_redis(struct lane *lane)
{
    struct shard_status status;
    shard_status(lane->shard, &status);
    if (status.inflight || status.dirty || status.unsynced || status.keys_forgotten_waiting)
        violation(lane, "at rest, but not clean");
    if (lane->model.raw == INT64_MIN)
        return;
    for (int k = 0; k < NAIVE_KEYS; k++) {
        const struct fakeredis_row *row = &lane->redis.rows[k];
        const char *wanted = model_text(&lane->model, k, status.as_of.ms);
        if (row->exists && strcmp(row->text, wanted) != 0)
            violation(lane, "at the end Redis has for %s\n%s\nnot\n%s", naive_keys[k], row->text,
                      wanted);
        if (row->exists && lane->model.keys[k].alive &&
            row->offset != lane->model.keys[k].offset)
            violation(lane, "at the end _o of %s is wrong", naive_keys[k]);
        if (!row->exists && lane->model.keys[k].alive)
            violation(lane, "at the end Redis has no row for %s", naive_keys[k]);
    }
}

/* Far in the future, by a record that event.where drops: no key is left, nor its memory. */
static void forget_all(struct lane *lane)
{
    if (sim.rules.set->has_lifetime)
        return;
    simlog_produce_last(&lane->log, sim.now);
    lane->saw_end = false;
    settle(lane);
    if (lane->shard->pool.used_bytes != 0 || lane->shard->table.count != 0)
        violation(lane, "%zu bytes are left when all is forgotten", lane->shard->pool.used_bytes);
    if (!lane->shard->rules->delete_forgotten)
        return;
    for (int k = 0; k < NAIVE_KEYS; k++)
        if (lane->redis.rows[k].exists)
            violation(lane, "the forgotten row of %s is still there", naive_keys[k]);
}

static void run_schedule(uint64_t seed)
{
    sim.seed = seed;
    simlog_seed(seed);
    history_len = 0;
    history[0] = '\0';
    simlog_rules(&sim.rules);
    struct feature_set *set = simlog_features();
    sim.rules.set = set;
    sim.now = 1700000000000 + simlog_below(1000000000);
    sim.tokens = 0;
    sim.faults = (unsigned)simlog_draw();
    sim.lane_count = 1 + (int)simlog_below(LANES_MAX);
    if (sim.lane_count > 1)
        simlog_met(SIMLOG_several_partitions);
    for (int k = 0; k < sim.lane_count; k++) {
        struct lane *lane = &sim.lanes[k];
        lane->partition = k;
        lane->log.count = 0;
        lane->log.end = 0;
        lane->has_zombie = false;
        lane->generation = 0;
        memset(&lane->redis, 0, sizeof lane->redis);
        lane->snapshot = lane->redis;
        text_clear(&lane->saved);
        start_owner(lane);
    }
    sim.disturbed = true;
    for (int k = 0; k < STEPS * sim.lane_count; k++)
        step_lane(&sim.lanes[simlog_below(sim.lane_count)]);
    sim.disturbed = false;
    for (int k = 0; k < sim.lane_count; k++) {
        struct lane *lane = &sim.lanes[k];
        settle(lane);
        compare_redis(lane);
        forget_all(lane);
        shard_close(lane->shard);
        if (simlog_chance(EFFECTS_PERCENT)) {
            simeffects_check(&sim.rules, &lane->log, seed);
            events_run += (uint64_t)lane->log.count;
        }
    }
    feature_set_free(set);
}

static int64_t environment(const char *name)
{
    const char *text = getenv(name);
    return text ? atoll(text) : 0;
}

int main(void)
{
    int64_t alone = environment("FRESHET_SIM_SEED");
    int64_t seeds = environment("FRESHET_SIM_SEEDS");
    bool is_long = environment("FRESHET_SIM_LONG") > 0;
    time_t end = time(NULL) + DEFAULT_SECONDS;
    uint64_t run = 0;
    if (alone > 0)
        run_schedule((uint64_t)alone);
    else if (is_long)
        while (run < LONG_SCHEDULES || events_run < LONG_EVENTS)
            run_schedule(++run);
    else
        while (seeds > 0 ? (int64_t)run < seeds : time(NULL) < end)
            run_schedule(++run);
    printf("%llu schedules, %llu events, %llu rows compared\n", (unsigned long long)run,
           (unsigned long long)events_run, (unsigned long long)rows_compared);
    int never = simlog_print_kinds();
    if (is_long && never > 0)
        printf("%d kinds were never met\n", never);
    for (int k = 0; k < LANES_MAX; k++)
        text_free(&sim.lanes[k].saved);
    arena_free(&sim.arena);
    text_free(&sim.text);
    simlog_fini();
    return is_long && never > 0;
}
