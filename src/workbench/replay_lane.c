/* Items become batches for the shard; what the shard tells becomes rows. */
#include "replay_lane.h"

#include <string.h>

#include "expect.h"
#include "pool.h"
#include "replay_lane_private.h"

enum { BATCH = 256 }; /* records applied together: they stay in cache */

/* ---- rows ---- */

void lane_emit(struct lane *lane, const struct replay_row *row)
{
    if (lane->terms->options->avro_output)
        replay_row_avro(row, &lane->out);
    else
        replay_row_json(row, &lane->out);
    lane->rows++;
    arena_reset(&lane->arena);
}

static bool wants(const struct lane *lane, enum replay_kind kind)
{
    return lane->terms->options->rows & 1u << kind;
}

static struct replay_row row_of(const struct lane *lane, enum replay_kind kind,
                                const struct effect *effect)
{
    return (struct replay_row){
        .kind = kind,
        .key = effect->key,
        .key_len = effect->key_len,
        .as_of = effect->as_of,
        .watermark = effect->watermark,
        .partition = lane->partition,
        .offset = effect->offset,
    };
}

/* A row with the key's features; of_session: those of the effect's session. */
static void emit_features(struct lane *lane, enum replay_kind kind, const struct effect *effect,
                          bool of_session)
{
    struct replay_row shown = row_of(lane, kind, effect);
    struct row row;
    if (!wants(lane, kind))
        return;
    shard_effect_row(lane->shard, effect, &lane->arena, &row);
    shown.row = &row;
    shown.session = of_session ? &effect->session : NULL;
    lane_emit(lane, &shown);
}

/* At as_of = max(raw, ts): what a model could be asked at the moment of the event. */
static void emit_pre_event(struct lane *lane, const struct effect *effect)
{
    struct replay_row shown = row_of(lane, REPLAY_PRE_EVENT, effect);
    struct row row;
    if (effect->watermark.ms != EVENT_TIME_MIN.ms)
        shown.as_of = event_time_add(effect->watermark, lane->terms->model->rules.out_of_orderness);
    shown.as_of = event_time_max(shown.as_of, effect->ts);
    shard_row_at(lane->shard, effect->key, effect->key_len, shown.as_of.ms, &lane->arena, &row);
    shown.row = &row;
    lane->pre_begin = lane->out.len;
    lane_emit(lane, &shown);
    lane->pre_end = lane->out.len;
}

/* The event has no effect after all. */
static void drop_pre_event(struct lane *lane)
{
    struct text *out = &lane->out;
    memmove(out->data + lane->pre_begin, out->data + lane->pre_end, out->len - lane->pre_end);
    out->len -= lane->pre_end - lane->pre_begin;
    lane->rows--;
}

static void on_ended(struct lane *lane, const struct effect *effect)
{
    bool kept = fate_rows[effect->verdict.fate].class == FATE_KEPT;
    if (lane->pre_end > lane->pre_begin && !kept)
        drop_pre_event(lane);
    lane->pre_begin = lane->pre_end = 0;
    if (wants(lane, REPLAY_FATE)) {
        struct replay_row shown = row_of(lane, REPLAY_FATE, effect);
        shown.verdict = &effect->verdict;
        lane_emit(lane, &shown);
    }
    if (kept)
        emit_features(lane, REPLAY_EVENT, effect, false);
}

/* Follows the batch to the record that the effect is of. */
static void reach(struct lane *lane, int64_t offset)
{
    while (lane->batch_at < lane->batch_count && lane->records[lane->batch_at].offset < offset) {
        struct replay_item *item = lane->batch[lane->batch_at];
        item->bytes_end = lane->out.len;
        item->rows_end = lane->rows;
        lane->applied = item->record.offset;
        lane->batch_at++;
    }
}

static void on_effect(void *context, const struct shard *shard, const struct effect *effect)
{
    struct lane *lane = context;
    (void)shard;
    reach(lane, effect->offset);
    switch (effect->kind) {
    case EFFECT_ARRIVED:
        asked_arrival(lane, effect);
        if (lane->recorded.first)
            recorded_arrival(lane, effect, &lane->records[lane->batch_at]);
        if (wants(lane, REPLAY_PRE_EVENT))
            emit_pre_event(lane, effect);
        return;
    case EFFECT_CLOSED:
        lane->closed++;
        emit_features(lane, REPLAY_CLOSE, effect, true);
        return;
    case EFFECT_DECAYED:
        emit_features(lane, REPLAY_DECAY, effect, false);
        return;
    case EFFECT_FORGOTTEN:
        lane_points_forgotten(lane, effect);
        return;
    case EFFECT_OPENED:
        if (effect->session.open) /* one that is closed when it is made is a correction */
            emit_features(lane, REPLAY_OPEN, effect, true);
        return;
    case EFFECT_RETRACTED:
        if (wants(lane, REPLAY_RETRACT)) {
            struct replay_row shown = row_of(lane, REPLAY_RETRACT, effect);
            shown.session = &effect->session;
            lane_emit(lane, &shown);
        }
        return;
    case EFFECT_CORRECTED:
        emit_features(lane, REPLAY_CORRECTION, effect, true);
        return;
    case EFFECT_ENDED:
        on_ended(lane, effect);
        return;
    case EFFECT_COUNT_OF:
        break;
    }
    unreachable("an effect of no kind");
}

/* The effects that are needed for what is asked; closing sessions are always counted. */
static unsigned observed_kinds(const struct lane_terms *terms)
{
    static const struct {
        unsigned rows, effects;
    } needs[] = {
        {1u << REPLAY_EVENT | 1u << REPLAY_FATE, 1u << EFFECT_ENDED},
        {1u << REPLAY_PRE_EVENT, 1u << EFFECT_ARRIVED | 1u << EFFECT_ENDED},
        {1u << REPLAY_DECAY, 1u << EFFECT_DECAYED},
        {1u << REPLAY_OPEN, 1u << EFFECT_OPENED},
        {1u << REPLAY_CORRECTION, 1u << EFFECT_CORRECTED},
        {1u << REPLAY_RETRACT, 1u << EFFECT_RETRACTED},
    };
    unsigned kinds = 1u << EFFECT_CLOSED;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (terms->options->rows & needs[i].rows)
            kinds |= needs[i].effects;
    if (terms->time_count > 0 || terms->labels)
        kinds |= 1u << EFFECT_ARRIVED;
    if (terms->points)
        kinds |= 1u << EFFECT_FORGOTTEN;
    return kinds;
}

/* ---- life ---- */

struct lane *lane_open(const struct lane_terms *terms, int32_t partition)
{
    struct lane *lane = memory_alloc(sizeof *lane);
    lane->terms = terms;
    lane->partition = partition;
    lane->applied = REPLAY_NONE;
    lane->shard = shard_open(&terms->model->rules, partition, INT64_MIN);
    lane->records = memory_alloc(BATCH * sizeof *lane->records);
    lane->verdicts = memory_alloc(BATCH * sizeof *lane->verdicts);
    lane->batch = memory_alloc(BATCH * sizeof *lane->batch);
    shard_observe(lane->shard, observed_kinds(terms), on_effect, lane);
    asked_open(lane);
    recorded_open(lane);
    lane_points_open(lane);
    return lane;
}

void lane_close(struct lane *lane)
{
    asked_close(lane);
    recorded_close(lane);
    shard_close(lane->shard);
    memory_free(lane->items);
    memory_free(lane->records);
    memory_free(lane->verdicts);
    memory_free(lane->batch);
    memory_free(lane->forgotten);
    text_free(&lane->out);
    text_free(&lane->points_out);
    arena_free(&lane->arena);
    memory_free(lane);
}

int32_t lane_partition(const struct lane *lane)
{
    return lane->partition;
}

int64_t lane_next_offset(const struct lane *lane)
{
    return lane->next_offset;
}

void lane_status(const struct lane *lane, struct shard_status *status)
{
    shard_status(lane->shard, status);
    status->sessions_closed = lane->closed; /* also those of which no row is due */
}

const struct text *lane_out(const struct lane *lane, size_t *rows)
{
    *rows = lane->rows;
    return &lane->out;
}

const struct text *lane_points(const struct lane *lane)
{
    return &lane->points_out;
}

void lane_clear(struct lane *lane)
{
    text_clear(&lane->out);
    lane->rows = 0;
}

/* ---- work ---- */

void lane_add(struct lane *lane, struct replay_item *item)
{
    if (lane->item_count == lane->item_capacity) {
        lane->item_capacity = lane->item_capacity ? 2 * lane->item_capacity : BATCH;
        lane->items =
            memory_resize(lane->items, (size_t)lane->item_capacity * sizeof *lane->items);
    }
    lane->items[lane->item_count++] = item;
    if (!item->idle)
        lane->next_offset = item->record.offset + 1;
}

bool lane_has_work(const struct lane *lane)
{
    return lane->item_count > 0;
}

static void apply_batch(struct lane *lane)
{
    if (lane->batch_count == 0)
        return;
    lane->batch_at = 0;
    shard_apply(lane->shard, lane->records, lane->batch_count, lane->verdicts);
    reach(lane, INT64_MAX);
    lane->batch_count = 0;
}

static void run_idle(struct lane *lane, struct replay_item *item)
{
    shard_advance_to(lane->shard, item->as_of_ms);
    item->bytes_end = lane->out.len;
    item->rows_end = lane->rows;
}

void lane_run(struct lane *lane)
{
    for (int i = 0; i < lane->item_count; i++) {
        struct replay_item *item = lane->items[i];
        bool point = !item->idle && lane_points_next(lane) < item->record.offset;
        if (item->idle || point || lane->batch_count == BATCH)
            apply_batch(lane);
        if (item->idle) {
            run_idle(lane, item);
            continue;
        }
        if (point)
            lane_points_take(lane, item->record.offset);
        lane->records[lane->batch_count] = item->record;
        lane->batch[lane->batch_count++] = item;
    }
    apply_batch(lane);
    lane->item_count = 0;
}

void lane_finish(struct lane *lane)
{
    asked_finish(lane);
    recorded_finish(lane);
    lane_points_take(lane, INT64_MAX);
}
