/* Configuration and model are loaded as the daemon loads them; the lease is granted by nobody. */
#include "clickshard.h"

#include <stdio.h>
#include <string.h>

#include "avroplan.h"
#include "expect.h"
#include "pool.h"

enum { PORTION = 256 }; /* ENGINE_CHUNK */
static const int64_t start_ms = INT64_C(1760000000000);

static void load(struct clickshard *self, const char *features)
{
    const struct config_setting settings[] = {
        {CONFIG_ROW_schema_reader, FRESHET_SOURCE_DIR "/schemas/click.avsc", "bench"},
        {CONFIG_ROW_schema_framing, "raw", "bench"},
        {CONFIG_ROW_session_cut_at, "off", "bench"},
        {CONFIG_ROW_features_file, features, "bench"},
    };
    struct config_errors errors = {0};
    self->config =
        config_load_with(NULL, settings, sizeof settings / sizeof *settings, &errors);
    if (self->config)
        self->model = model_load(self->config, &errors);
    struct text said = {0};
    config_errors_print(&errors, &said);
    if (said.len > 0)
        fputs(said.data, stderr);
    expect(self->model);
    text_free(&said);
    config_errors_free(&errors);
    struct avro_error error;
    self->plan = avroplan_compile(self->model->reader, self->model->reader,
                                  self->model->projection, false, &error);
    expect(self->plan);
}

void clickshard_open(struct clickshard *self, const char *features, int64_t users,
                     double interval_ms)
{
    *self = (struct clickshard){.interval_ms = interval_ms};
    load(self, features);
    self->shard = shard_open(&self->model->rules, 0, INT64_MIN);
    struct lease *lease = shard_lease(self->shard);
    lease_acquiring(lease, "0123456789abcdef0123456789abcdef");
    struct lease_grant grant = {.had_own = true, .hw = -1, .as_of_ms = INT64_MIN};
    expect(!lease_granted(lease, &grant, 0, false));
    struct clickstream_options options = {
        .seed = 7, .users = users, .partitions = 1, .start_ms = start_ms,
        .interval_ms = interval_ms, .framing = FRAMING_RAW, .out_of_orderness_ms = 5000,
        .max_future_skew_ms = 300000, .gap_ms = 1800000, .window_lateness_ms = 3600000,
    };
    self->stream = clickstream_open(&options);
}

void clickshard_close(struct clickshard *self)
{
    clickstream_close(self->stream);
    shard_close(self->shard);
    avroplan_free(self->plan);
    model_free(self->model);
    config_free(self->config);
    arena_free(&self->arena);
}

void clickshard_make_users(struct clickshard *self, struct clickbatch *batch, int64_t first,
                           int count)
{
    enum { NAME_MAX_LEN = 32, STRIDE = 1031 };
    size_t width = (size_t)self->model->slot_count;
    *batch = (struct clickbatch){.count = count};
    batch->records = memory_alloc((size_t)count * sizeof *batch->records);
    batch->slots = memory_alloc((size_t)count * width * sizeof *batch->slots);
    for (int k = 0; k < count; k++) {
        struct clickstream_record made;
        struct avro_error error;
        struct value *slots = batch->slots + (size_t)k * width;
        clickstream_next(self->stream, &made);
        char *bytes = arena_alloc(&batch->arena, made.payload_len);
        memcpy(bytes, made.payload, made.payload_len);
        expect(avroplan_decode(self->plan, bytes, made.payload_len, slots, &error));
        char *name = arena_alloc(&batch->arena, NAME_MAX_LEN);
        int len = snprintf(name, NAME_MAX_LEN, "u%08lld",
                           (long long)(first + (int64_t)k * STRIDE % count));
        slots[self->model->rules.key_slot] = value_text(VALUE_STRING, name, (uint32_t)len);
        batch->records[k] =
            (struct record){self->offset++, made.record_time_ms, FATE_NONE, slots};
    }
}

void clickshard_shift(struct clickshard *self, struct clickbatch *batch)
{
    int64_t by_ms = (int64_t)(batch->count * self->interval_ms);
    for (int k = 0; k < batch->count; k++) {
        struct value *slots = batch->slots + (size_t)k * (size_t)self->model->slot_count;
        slots[self->model->rules.time_slot].i += by_ms;
        batch->records[k].record_time_ms += by_ms;
        batch->records[k].offset = self->offset++;
    }
}

void clickbatch_free(struct clickbatch *batch)
{
    memory_free(batch->records);
    memory_free(batch->slots);
    arena_free(&batch->arena);
}

void clickshard_apply(struct clickshard *self, const struct record *records, int count)
{
    struct verdict verdicts[PORTION];
    for (int done = 0; done < count; done += PORTION) {
        int portion = count - done < PORTION ? count - done : PORTION;
        shard_apply(self->shard, records + done, portion, verdicts);
        for (int k = 0; k < portion; k++)
            expect(verdicts[k].fate == FATE_APPLIED);
    }
}

void clickshard_flush(struct clickshard *self)
{
    while (!shard_advance(self->shard, INT64_MIN))
        continue;
    struct row row;
    while (shard_has_rows(self->shard)) {
        struct shard_batch batch;
        shard_batch_begin(self->shard, &batch);
        while (shard_batch_next(self->shard, &batch, &self->arena, 1, 0, &row))
            arena_reset(&self->arena);
        shard_batch_end(self->shard, &batch, true);
    }
}
