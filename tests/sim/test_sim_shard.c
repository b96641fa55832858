/* Simulation of shards under virtual time: the real core against a naive model and a fake Redis.
 *
 * A schedule is a seed: rules, a log and everything that can go wrong are drawn from it. After each
 * step fates, watermark, as_of and each written row are compared with the model; at the end all of
 * Redis is. FRESHET_SIM_SEEDS is the number of schedules (0: as many as fit into five seconds),
 * FRESHET_SIM_SEED the one to run alone. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fakeredis.h"
#include "shardstate.h"
#include "text.h"

enum {
    LANES_MAX = 3,
    LOG_MAX = 160,
    STEPS = 420,
    COMMANDS_MAX = 6,
    FEED_MAX = 6,
    SETTLE_STEPS = 20000,
    HISTORY_MAX = 65536,
    DEFAULT_SECONDS = 5,
};

static const char features_text[] = "[feature clicks]\nop = count\nwhere = type == \"click\"\n"
                                    "over = session\n"
                                    "[feature clicks_5s]\nop = count\nwhere = type == \"click\"\n"
                                    "over = 5s\n"
                                    "[feature all_20s]\nop = count\nover = 20s\nhop = 5s\n"
                                    "[feature n_sum]\nop = sum(n)\nover = session\n"
                                    "[feature spent]\nop = sum(price)\nover = 20s\nhop = 5s\n"
                                    "[feature price_mean]\nop = mean(price)\nover = session\n"
                                    "[feature price_max]\nop = max(price)\nover = 60s\n"
                                    "[feature n_min]\nop = min(n)\nover = session\n"
                                    "[feature items]\nop = last_n(item, 3)\nover = session\n"
                                    "[feature kinds]\nop = last_distinct(item, 2)\nover = 60s\n"
                                    "[feature entry]\nop = first(item)\nover = session\n"
                                    "[feature newest]\nop = last(type)\nover = 10s\n"
                                    "[feature variety]\nop = distinct(item)\nover = session\n"
                                    "[feature variety_60s]\nop = distinct(item)\nover = 60s\n"
                                    "[feature rate]\nop = ratio(clicks, all_20s, alpha = 1)\n"
                                    "[feature id]\nop = session_id\n"
                                    "[feature number]\nop = session_number\n"
                                    "[feature start]\nop = session_start\n"
                                    "[feature last]\nop = session_last\n"
                                    "[feature length]\nop = session_duration\n"
                                    "[feature events]\nop = session_event_count\n"
                                    "[feature is_open]\nop = session_is_open\n"
                                    "[feature since]\nop = prev_session_gap\n"
                                    "[feature pace]\nop = mean_gap\n";

/* A record of the log with what it points to. */
struct logged {
    struct record record;
    struct value slots[SLOT_COUNT];
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
    struct logged log[LOG_MAX];
    int log_count;
    int64_t log_end; /* the next offset */
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
    uint64_t batches_applied;
};

struct sim {
    uint64_t seed, random;
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
static uint64_t records_run, rows_compared;

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
    const struct rules *rules = &sim.rules;
    printf("%s\nseed %llu shard %d: violation: ", history, (unsigned long long)sim.seed,
           lane->partition);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\nrules: gap=%lld lateness=%lld disorder=%lld keep=%lld window_lateness=%lld cut=%lld/"
           "%lld max_keys=%llu\n",
           (long long)rules->gap.ms, (long long)rules->lateness.ms,
           (long long)rules->out_of_orderness.ms, (long long)rules->keep.ms,
           (long long)rules->window_lateness.ms, (long long)rules->cut_at_ms,
           (long long)rules->cut_every.ms, (unsigned long long)rules->max_keys);
    printf("FRESHET_SIM_SEED=%llu runs it again\n", (unsigned long long)sim.seed);
    fflush(stdout);
    exit(1);
}

/* ---- chance ---- */

static uint64_t draw(void)
{
    uint64_t z = (sim.random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t below(int64_t bound)
{
    return bound > 0 ? (int64_t)(draw() % (uint64_t)bound) : 0;
}

static bool chance(int percent)
{
    return below(100) < percent;
}

/* ---- the log ---- */

static void produce(struct lane *lane)
{
    static const char *const types[] = {"click", "view", "tick"};
    static const char *const items[] = {"a", "bb", "a longer name", "another long name", "c"};
    if (lane->log_count == LOG_MAX - 1)
        return; /* the last place is for forget_all */
    struct logged *entry = &lane->log[lane->log_count++];
    int64_t behind = chance(70) ? below(500) : below(3 * sim.rules.gap.ms + 3000);
    if (chance(5))
        behind = below(30000);
    struct corekit_event event = {
        .key = naive_keys[below(NAIVE_KEYS)],
        .ts_ms = sim.now - behind,
        .type = chance(5) ? NULL : types[below(chance(85) ? 2 : 3)],
        .item = chance(35) ? NULL : items[below(5)],
        .price = chance(45) ? CORE_NO_PRICE : (double)(below(2000) - 200) / 100,
        .n = chance(20) ? CORE_NO_N : below(7) - 2,
    };
    if (chance(3))
        event.ts_ms = sim.now + below(8000);
    if (chance(2))
        event.key = chance(50) ? NULL : "";
    if (chance(2))
        event.ts_ms = chance(50) ? -1 : CORE_NO_TS;
    corekit_slots(&event, entry->slots);
    entry->record = (struct record){
        .offset = lane->log_end + (chance(4) ? below(3) : 0), /* control records take offsets */
        .record_time_ms = chance(3) ? RECORD_NO_TIME : sim.now - below(300),
        .fate = chance(3) ? (enum fate)(FATE_TOMBSTONE + below(4)) : FATE_NONE,
        .slots = entry->slots,
    };
    lane->log_end = entry->record.offset + 1;
    if (chance(2))
        lane->log_end++;
    lane->saw_end = false;
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

static void feed(struct lane *lane, const struct logged *entries, int count)
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
        records_run++;
    }
}

static void consume(struct lane *lane)
{
    int rest = lane->log_count - lane->position;
    if (rest > 0) {
        int count = 1 + (int)below(rest < FEED_MAX ? rest : FEED_MAX);
        feed(lane, &lane->log[lane->position], count);
        lane->position += count;
    } else if (lane->log_count > 0 && chance(10)) {
        feed(lane, &lane->log[below(lane->log_count)], 1); /* seen before */
    } else {
        shard_end_of_log(lane->shard, lane->log_end);
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
    default:
        lease_step_sent(lease, step);
        command_new(lane, step == LEASE_MARK    ? COMMAND_MARK
                          : step == LEASE_SWEEP ? COMMAND_SWEEP
                                                : COMMAND_DONE);
    }
    lane->lease_busy = true;
}

static int key_index(const char *key, size_t len)
{
    for (int k = 0; k < NAIVE_KEYS; k++)
        if (strlen(naive_keys[k]) == len && memcmp(naive_keys[k], key, len) == 0)
            return k;
    return -1;
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
    int key = key_index(row->key, row->key_len);
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
    bool idle = lane->saw_end && chance(70);
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
    if (!lease_may_write(lease, status.next_offset))
        return;
    advance(lane);
    if (!shard_has_rows(lane->shard) && lane->command_count > 0)
        return; /* else an empty batch, to see whether Redis has lost something */
    struct command *command = command_new(lane, COMMAND_FLUSH);
    shard_batch_begin(lane->shard, &command->shard_batch);
    command->batch.expected_seq = lease->acknowledged;
    command->batch.hw = command->shard_batch.last_offset;
    command->batch.as_of = command->shard_batch.as_of.ms;
    int64_t bound = 1 + below(NAIVE_KEYS);
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
        command->batch.token == lane->redis.token ? FAKEREDIS_OK : FAKEREDIS_FENCED;
    for (int k = 0; k < NAIVE_KEYS && command->result == FAKEREDIS_OK; k++)
        if (!shard_holds_key(lane->shard, naive_keys[k], strlen(naive_keys[k])))
            lane->redis.rows[k].exists = false;
    lane->redis.sweeps++;
}

static void execute(struct lane *lane, struct command *command)
{
    struct fakeredis *redis = &lane->redis;
    bool went_back = false;
    switch (command->kind) {
    case COMMAND_ACQUIRE:
        command->grant = fakeredis_acquire(redis, command->batch.token, command->previous,
                                           command->previous_seq);
        command->result = FAKEREDIS_OK;
        break;
    case COMMAND_MARK:
    case COMMAND_DONE:
        command->result =
            fakeredis_mark(redis, command->batch.token, command->kind == COMMAND_MARK);
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

static void end_lease_step(struct lane *lane, const struct command *command, enum lease_step step)
{
    struct lease *lease = shard_lease(lane->shard);
    if (command->result == FAKEREDIS_FENCED)
        lease_refused(lease, false);
    if (command->result == FAKEREDIS_UNKNOWN)
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
    bool resync = lease_granted(lease, &command->grant, lane->assigned_end, true);
    if (resync)
        shard_resync(lane->shard);
    note("%d: granted hw %lld as_of %lld seq %lld resync %d", lane->partition,
         (long long)command->grant.hw, (long long)command->grant.as_of_ms,
         (long long)command->grant.seq, resync);
}

static void deliver(struct lane *lane, const struct command *command)
{
    bool current = command->generation == lane->generation;
    struct lease *lease = shard_lease(lane->shard);
    note("%d: reply to command %d: %d", lane->partition, (int)command->kind,
         (int)command->result);
    if (command->kind == COMMAND_FLUSH) {
        lane->batches_applied += command->result == FAKEREDIS_OK;
        if (current && command->result == FAKEREDIS_OK)
            lease_applied(lease, command->seq);
        else if (current && command->result == FAKEREDIS_UNKNOWN)
            lease_doubt(lease);
        else if (current && command->result != FAKEREDIS_REFUSED)
            lease_refused(lease, command->result == FAKEREDIS_ROLLBACK);
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
    int arrived = (int)below(lane->command_count + 1);
    for (int k = 0; k < arrived; k++)
        if (!lane->commands[k].executed)
            execute(lane, &lane->commands[k]);
    while (lane->command_count > 0) {
        lane->commands[0].executed = true;
        lane->commands[0].result = FAKEREDIS_UNKNOWN;
        deliver_first(lane);
    }
}

static void start_owner(struct lane *lane)
{
    lane->shard = shard_open(&sim.rules, lane->partition, INT64_MIN);
    naive_init(&lane->model, &sim.rules);
    lane->position = 0;
    lane->saw_end = false;
    lane->assigned_end = lane->log_end;
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
        if (chance(50)) {
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
    for (int k = 0; k < lane->log_count; k++)
        naive_apply(&rival, &lane->log[k].record);
    struct fakeredis_batch batch = {.token = ++sim.tokens, .hw = lane->log_end - 1};
    fakeredis_acquire(&lane->redis, batch.token, 0, 0);
    batch.as_of = rival.raw;
    if (lane->redis.has_hw && lane->redis.as_of > batch.as_of)
        batch.as_of = lane->redis.as_of;
    if (rival.raw == INT64_MIN || batch.hw < lane->redis.hw || chance(50))
        return; /* it was too slow to write */
    for (int k = 0; k < NAIVE_KEYS; k++) {
        if (!rival.keys[k].alive)
            continue;
        struct fakeredis_row *row = &batch.rows[batch.count++];
        *row = (struct fakeredis_row){.key = k, .exists = true, .as_of = batch.as_of,
                                      .offset = rival.keys[k].offset};
        snprintf(row->text, sizeof row->text, "%s", model_text(&rival, k, batch.as_of));
    }
    batch.expected_seq = lane->redis.seq;
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
    lane->assigned_end = lane->log_end;
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
    enum fault kind = (enum fault)below(FAULT_KINDS);
    if (!(sim.faults & 1u << kind) || chance(50))
        return;
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
        /* A sweep has no number: a loss of nothing but its deletions cannot be noticed. */
        if (lane->snapshot.token != lane->redis.token || lane->snapshot.seq != lane->redis.seq ||
            lane->snapshot.sweeps == lane->redis.sweeps)
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
    switch (below(sim.disturbed ? 16 : 8)) {
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
        produce(lane);
        break;
    case 11:
        sim.now += chance(90) ? below(1500) : below(60000);
        break;
    case 12:
        execute_zombie(lane);
        break;
    case 13:
        if (chance(20))
            lane->snapshot = lane->redis;
        consume(lane);
        break;
    case 14:
        consume(lane);
        break;
    default:
        if (chance(30))
            fault(lane);
    }
    check_clocks(lane);
}

static void draw_rules(void)
{
    struct rules *rules = &sim.rules;
    rules->gap.ms = chance(50) ? 500 + below(5000) : 1 + below(300);
    rules->lateness.ms = chance(50) ? 0 : below(6000);
    rules->out_of_orderness.ms = chance(40) ? 0 : below(4000);
    rules->keep.ms = chance(30) ? 0 : below(20000);
    rules->window_lateness.ms = rules->gap.ms + rules->lateness.ms + below(20000);
    rules->max_future_skew.ms = below(5000);
    rules->reject_future = chance(20);
    rules->max_age.ms = chance(80) ? 0 : 5000 + below(20000);
    rules->cut_at_ms = chance(70) ? -1 : below(20000);
    rules->cut_every.ms = 20000 + below(40000);
    rules->zone.ms = below(3) * 1800000 - 1800000;
    rules->max_keys = chance(70) ? 1000 : (uint64_t)(2 + below(4));
    rules->delete_forgotten = chance(50);
}

static bool settled(struct lane *lane)
{
    const struct lease *lease = shard_lease(lane->shard);
    return lane->position == lane->log_count && lane->saw_end && lane->command_count == 0 &&
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
    struct logged *last = &lane->log[lane->log_count++];
    struct corekit_event event = {.key = "ada", .ts_ms = sim.now + 1000000000, .type = "tick"};
    corekit_slots(&event, last->slots);
    last->record = (struct record){.offset = lane->log_end,
                                   .record_time_ms = event.ts_ms,
                                   .fate = FATE_NONE,
                                   .slots = last->slots};
    lane->log_end++;
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
    sim.random = seed * 0x2545f4914f6cdd1du + 1;
    history_len = 0;
    history[0] = '\0';
    draw_rules();
    sim.now = 1700000000000 + below(1000000000);
    sim.tokens = 0;
    sim.faults = (unsigned)draw();
    sim.lane_count = 1 + (int)below(LANES_MAX);
    for (int k = 0; k < sim.lane_count; k++) {
        struct lane *lane = &sim.lanes[k];
        lane->partition = k;
        lane->log_count = 0;
        lane->log_end = 0;
        lane->has_zombie = false;
        lane->generation = 0;
        memset(&lane->redis, 0, sizeof lane->redis);
        lane->snapshot = lane->redis;
        start_owner(lane);
    }
    sim.disturbed = true;
    for (int k = 0; k < STEPS * sim.lane_count; k++)
        step_lane(&sim.lanes[below(sim.lane_count)]);
    sim.disturbed = false;
    for (int k = 0; k < sim.lane_count; k++) {
        struct lane *lane = &sim.lanes[k];
        settle(lane);
        compare_redis(lane);
        forget_all(lane);
        shard_close(lane->shard);
    }
}

static int64_t environment(const char *name)
{
    const char *text = getenv(name);
    return text ? atoll(text) : 0;
}

int main(void)
{
    struct fieldspace space = corekit_fields();
    struct expr_error error;
    struct expr *where = expr_compile("type is null or type != \"tick\"", &space, &error);
    sim.rules = (struct rules){.key_slot = SLOT_KEY, .time_slot = SLOT_TS,
                               .session_slot = -1, .id_slot = -1, .where = where};
    struct feature_set *set = corekit_features(features_text);
    sim.rules.set = set;

    int64_t alone = environment("FRESHET_SIM_SEED");
    int64_t seeds = environment("FRESHET_SIM_SEEDS");
    time_t end = time(NULL) + DEFAULT_SECONDS;
    uint64_t run = 0;
    if (alone > 0)
        run_schedule((uint64_t)alone);
    else
        while (seeds > 0 ? (int64_t)run < seeds : time(NULL) < end)
            run_schedule(++run);
    printf("%llu schedules, %llu records, %llu rows compared\n", (unsigned long long)run,
           (unsigned long long)records_run, (unsigned long long)rows_compared);
    arena_free(&sim.arena);
    text_free(&sim.text);
    expr_free(where);
    feature_set_free(set);
    return 0;
}
