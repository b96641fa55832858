/* State that no cache holds: nanoseconds of an event applied, of a row made, of one acknowledged.
 *
 *     bench_state FEATURES-FILE USERS ROUNDS WAITING
 *
 * Every user has a session; then ROUNDS events a user come in, users drawn at random. WAITING
 * rows stay dirty, and a batch is acknowledged when others have been made. Prints JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clickrandom.h"
#include "clickshard.h"
#include "expect.h"

enum { PORTION = 4096, UNDER_WAY = 16, NAME_BYTES = 32 };
static const double interval_ms = 0.05;

struct state_bench {
    struct clickshard shard;
    struct clickbatch batch;
    struct shard_batch under_way[UNDER_WAY];
    uint64_t batches;
    struct clickrandom random;
    double apply_ns, row_ns, acknowledge_ns;
    double events, rows;
};

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void fill(struct state_bench *self, int64_t users)
{
    for (int64_t made = 0; made < users; made += PORTION) {
        clickbatch_free(&self->batch);
        clickshard_make_users(&self->shard, &self->batch, made, PORTION);
        clickshard_apply(&self->shard, self->batch.records, PORTION);
        clickshard_flush(&self->shard);
    }
}

/* The clicks of the batch become those of other users. */
static void draw_users(struct state_bench *self, int64_t users)
{
    struct value *keys = self->batch.slots + self->shard.model->rules.key_slot;
    for (int k = 0; k < self->batch.count; k++) {
        struct value *key = &keys[k * self->shard.model->slot_count];
        snprintf((char *)(uintptr_t)key->s, NAME_BYTES, "u%08u",
                 (unsigned)clickrandom_below(&self->random, users));
    }
}

static void write_rows(struct state_bench *self, uint64_t waiting)
{
    struct shard *shard = self->shard.shard;
    struct shard_status status;
    struct row row;
    shard_advance(shard, INT64_MIN);
    while (shard_status(shard, &status), status.dirty > waiting) {
        struct shard_batch *batch = &self->under_way[self->batches++ % UNDER_WAY];
        double start = now_ns();
        shard_batch_end(shard, batch, true);
        double ended = now_ns();
        shard_batch_begin(shard, batch);
        while (shard_batch_next(shard, batch, &self->shard.arena, 1, 0, &row))
            arena_reset(&self->shard.arena);
        self->row_ns += now_ns() - ended;
        self->acknowledge_ns += ended - start;
        self->rows += batch->count;
    }
}

int main(int argc, char **argv)
{
    static struct state_bench self;
    if (argc != 5) {
        fprintf(stderr, "usage: bench_state FEATURES-FILE USERS ROUNDS WAITING\n");
        return 64;
    }
    int64_t users = atoll(argv[2]);
    double events = (double)users * atof(argv[3]);
    clickshard_open(&self.shard, argv[1], 1, interval_ms);
    fill(&self, users);
    while (self.events < events) {
        clickshard_shift(&self.shard, &self.batch);
        draw_users(&self, users);
        double start = now_ns();
        clickshard_apply(&self.shard, self.batch.records, PORTION);
        self.apply_ns += now_ns() - start;
        self.events += PORTION;
        write_rows(&self, (uint64_t)atoll(argv[4]));
    }
    printf("{\"users\": %lld, \"events\": %.0f, \"rows\": %.0f, \"apply_ns\": %.1f, "
           "\"row_ns\": %.1f, \"acknowledge_ns\": %.1f}\n", (long long)users, self.events,
           self.rows, self.apply_ns / self.events, self.row_ns / self.rows,
           self.acknowledge_ns / self.rows);
    clickbatch_free(&self.batch);
    clickshard_close(&self.shard);
    return 0;
}
