/* A shard with the daemon's own model, fed by the generator's clicks, without Kafka and Redis. */
#ifndef FRESHET_BENCH_CLICKSHARD_H
#define FRESHET_BENCH_CLICKSHARD_H

#include "avroplan.h"
#include "clickstream.h"
#include "model.h"
#include "shard.h"

struct clickshard {
    struct config *config;
    struct model *model;
    struct avroplan *plan;
    struct shard *shard;
    struct clickstream *stream;
    struct arena arena;
    double interval_ms; /* between clicks */
    int64_t offset;     /* of the next record */
};

/* Decoded records; slots and the text in them belong to the batch. */
struct clickbatch {
    struct record *records;
    struct value *slots; /* of all records, one after another */
    struct arena arena;
    int count;
};

/* The stream draws from so many users; there are interval_ms between two clicks. */
void clickshard_open(struct clickshard *self, const char *features, int64_t users,
                     double interval_ms);
void clickshard_close(struct clickshard *self);
/* One click of each of `count` users from `first` on, in another order. */
void clickshard_make_users(struct clickshard *self, struct clickbatch *batch, int64_t first,
                           int count);
/* The same clicks once more, later. */
void clickshard_shift(struct clickshard *self, struct clickbatch *batch);
void clickbatch_free(struct clickbatch *batch);
/* Applies records in the daemon's portions; each must be applied. */
void clickshard_apply(struct clickshard *self, const struct record *records, int count);
/* Every row that waits counts as written. */
void clickshard_flush(struct clickshard *self);

#endif
