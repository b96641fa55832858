/* The parts of the hot path by themselves, in cache: nanoseconds, and what the gate counts.
 *
 *     bench_parts PART ROUNDS FEATURES-FILE
 *
 * Prints one line of JSON. Under callgrind, --toggle-collect=bench_measured leaves out what comes
 * before: see instructions.py. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkpoint.h"
#include "clickplan.h"
#include "clickshard.h"
#include "expect.h"
#include "flush_batch.h"
#include "hash.h"
#include "keytable.h"
#include "pool.h"

enum { USERS = 4096, INTERVAL_MS = 50 }; /* a round has one event of each user */

struct parts {
    struct clickshard shard;
    struct clickbatch batch;
    struct clickplan plan;
    struct text payloads[USERS];
    struct keytable table;
    uint64_t hashes[USERS + 1]; /* the last one is the one looked for */
    struct row rows[SHARD_BATCH_KEYS];
    int row_count;
    struct shard_batch taken;
    struct rowlayout layout;
    struct flush_batch flush;
};

/* ---- decode: 8 of the 15 fields of a click ---- */

static void prepare_decode(struct parts *self)
{
    struct clickstream_record made;
    clickplan_open(&self->plan);
    for (int k = 0; k < USERS; k++) {
        clickstream_next(self->shard.stream, &made);
        text_append(&self->payloads[k], made.payload, made.payload_len);
    }
}

static uint64_t run_decode(struct parts *self)
{
    struct value slots[CLICKPLAN_SLOTS];
    struct avro_error error;
    uint64_t sum = 0;
    for (int k = 0; k < USERS; k++) {
        const struct text *payload = &self->payloads[k];
        expect(avroplan_decode(self->plan.plan, payload->data, payload->len, slots, &error));
        sum = clickplan_digest(sum, slots);
    }
    return sum;
}

/* ---- table: a user is found ---- */

static bool is_sought(const void *context, uint32_t handle)
{
    const uint64_t *hashes = context;
    return hashes[handle] == hashes[USERS];
}

static void prepare_table(struct parts *self)
{
    for (uint32_t k = 0; k < USERS; k++) {
        self->hashes[k] = hash_bytes(&k, sizeof k);
        keytable_insert(&self->table, self->hashes[k], k);
    }
}

static uint64_t run_table(struct parts *self)
{
    uint64_t sum = 0;
    for (int k = 0; k < USERS; k++) {
        self->hashes[USERS] = self->hashes[k * 31 % USERS];
        sum = sum * 31 +
              keytable_find(&self->table, self->hashes[USERS], is_sought, self->hashes);
    }
    return sum;
}

/* ---- core: a decoded event makes its key dirty ---- */

static void prepare_shard(struct parts *self)
{
    clickshard_make_users(&self->shard, &self->batch, 0, USERS);
    for (int round = 0; round < 4; round++) {
        clickshard_apply(&self->shard, self->batch.records, USERS);
        clickshard_shift(&self->shard, &self->batch);
    }
}

static void before_core(struct parts *self)
{
    clickshard_flush(&self->shard);
    clickshard_shift(&self->shard, &self->batch);
}

static uint64_t run_core(struct parts *self)
{
    struct shard_status status;
    clickshard_apply(&self->shard, self->batch.records, USERS);
    shard_status(self->shard.shard, &status);
    return status.keys * 31 + status.dirty;
}

/* ---- row: a dirty key becomes a row ---- */

static void before_row(struct parts *self)
{
    before_core(self);
    run_core(self);
    shard_advance(self->shard.shard, INT64_MIN);
}

static uint64_t run_row(struct parts *self)
{
    uint64_t sum = 0;
    while (shard_has_rows(self->shard.shard)) {
        struct row row;
        shard_batch_begin(self->shard.shard, &self->taken);
        while (shard_batch_next(self->shard.shard, &self->taken, &self->shard.arena, 1, 0, &row)) {
            sum = sum * 31 + (uint64_t)row.values[0].i;
            arena_reset(&self->shard.arena);
        }
        shard_batch_end(self->shard.shard, &self->taken, true);
    }
    return sum;
}

/* ---- resp: a row becomes arguments of the flush script ---- */

static void prepare_resp(struct parts *self)
{
    prepare_shard(self);
    before_row(self);
    shard_batch_begin(self->shard.shard, &self->taken);
    while (shard_batch_next(self->shard.shard, &self->taken, &self->shard.arena, 1, 0,
                            &self->rows[self->row_count]))
        self->row_count++;
    rowlayout_init(&self->layout, ROWLAYOUT_HASH, self->shard.model->set, "", "features:{key}",
                   0);
    flush_batch_init(&self->flush);
}

static uint64_t run_resp(struct parts *self)
{
    struct flush_terms terms = {.own_key = "freshet:{bench:clicks:0}:own", .token = "t",
                                .ttl_ms = 1000};
    uint64_t sum = 0;
    for (int k = 0; k < USERS; k++) {
        if (k % self->row_count == 0) {
            sum += self->flush.args.len;
            flush_batch_begin(&self->flush, &terms);
        }
        flush_batch_add(&self->flush, &self->layout, &self->rows[k % self->row_count]);
    }
    return sum * 31 + hash_bytes(self->flush.args.data, self->flush.args.len);
}

/* ---- checkpoint: a key's state is copied ---- */

static uint64_t run_checkpoint(struct parts *self)
{
    struct checkpoint_terms terms = {.name = "bench:clicks:0", .link = {.chain = 1}, .now_s = 1};
    checkpoint_begin(self->shard.shard, &terms);
    while (!checkpoint_step(self->shard.shard))
        continue;
    checkpoint_end(self->shard.shard);
    struct text *bytes = checkpoint_bytes(self->shard.shard);
    uint64_t sum = bytes->len;
    text_clear(bytes);
    checkpoint_abort(self->shard.shard);
    return sum;
}

/* ---- measuring ---- */

static const struct part {
    const char *name;
    void (*prepare)(struct parts *self);
    void (*before)(struct parts *self); /* each round; not measured */
    uint64_t (*run)(struct parts *self);
} parts[] = {
    {"decode", prepare_decode, NULL, run_decode},
    {"table", prepare_table, NULL, run_table},
    {"core", prepare_shard, before_core, run_core},
    {"row", prepare_shard, before_row, run_row},
    {"resp", prepare_resp, NULL, run_resp},
    {"checkpoint", prepare_shard, before_core, run_checkpoint},
};

uint64_t bench_measured(const struct part *part, struct parts *self);

__attribute__((noinline)) uint64_t bench_measured(const struct part *part, struct parts *self)
{
    uint64_t sum = part->run(self);
    __asm__ volatile("" : "+r"(sum)); /* no tail call: callgrind must see the return */
    return sum;
}

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* What the users' rows would be now. */
static uint64_t digest_rows(struct parts *self)
{
    uint64_t sum = 0;
    for (int k = 0; k < self->batch.count; k++) {
        const struct value *key =
            &self->batch.records[k].slots[self->shard.model->rules.key_slot];
        struct row row;
        expect(shard_peek(self->shard.shard, key->s, key->len, &self->shard.arena, &row));
        for (int i = 0; i < row.set->count; i++)
            sum = sum * 31 + (row.values[i].type == VALUE_STRING
                                  ? hash_bytes(row.values[i].s, row.values[i].len)
                                  : (uint64_t)row.values[i].i);
        arena_reset(&self->shard.arena);
    }
    return sum;
}

static void measure(const struct part *part, struct parts *self, int rounds)
{
    double ns = 0;
    uint64_t sum = 0;
    part->prepare(self);
    for (int round = 0; round < rounds; round++) {
        if (part->before)
            part->before(self);
        double start = cpu_ns();
        sum = sum * 31 + bench_measured(part, self);
        ns += cpu_ns() - start;
    }
    sum += digest_rows(self);
    printf("{\"part\": \"%s\", \"operations\": %d, \"ns\": %.1f, \"digest\": \"%016" PRIx64
           "\", \"compiler\": \"%s %s\"}\n",
           part->name, rounds * USERS, ns / ((double)rounds * USERS), sum,
#ifdef __clang__
           "clang",
#else
           "gcc",
#endif
           __VERSION__);
}

int main(int argc, char **argv)
{
    const struct part *part = NULL;
    for (size_t k = 0; argc == 4 && k < sizeof parts / sizeof *parts; k++)
        if (strcmp(parts[k].name, argv[1]) == 0)
            part = &parts[k];
    if (!part || atoi(argv[2]) < 1) {
        fprintf(stderr, "usage: bench_parts PART ROUNDS FEATURES-FILE\n");
        return 64;
    }
    struct parts *self = memory_alloc(sizeof *self);
    clickshard_open(&self->shard, argv[3], USERS, INTERVAL_MS);
    measure(part, self, atoi(argv[2]));
    return 0; /* the process ends: nothing is freed */
}
