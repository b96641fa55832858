/* --knowledge final: the row of a label from all events of its key before it, however late they
 * came.
 *
 * The records of labelled keys are kept. At the end, each label has a shard of its own, which is
 * given the key's records before the label in the order in which they came, under a lateness that
 * is large enough for all of them, and then a record of nobody that brings time to the label. */
#include <stdatomic.h>
#include <string.h>

#include "pool.h"
#include "replay_lane_private.h"

void recorded_open(struct lane *lane)
{
    const struct labels *labels = lane->terms->labels;
    struct recorded *recorded = &lane->recorded;
    if (!labels || !lane->terms->options->final_knowledge)
        return;
    recorded->first = memory_alloc(((size_t)labels->key_count + 1) * sizeof *recorded->first);
    recorded->last = memory_alloc(((size_t)labels->key_count + 1) * sizeof *recorded->last);
}

void recorded_close(struct lane *lane)
{
    memory_free(lane->recorded.first);
    memory_free(lane->recorded.last);
    arena_free(&lane->recorded.arena);
}

static const struct value *copy_slots(struct arena *arena, const struct value *slots, int count)
{
    struct value *copy = arena_alloc(arena, (size_t)count * sizeof *copy);
    for (int i = 0; i < count; i++) {
        copy[i] = slots[i];
        if (slots[i].type != VALUE_STRING && slots[i].type != VALUE_BYTES)
            continue;
        char *text = arena_alloc(arena, slots[i].len);
        if (slots[i].len > 0)
            memcpy(text, slots[i].s, slots[i].len);
        copy[i].s = text;
    }
    return copy;
}

void recorded_arrival(struct lane *lane, const struct effect *effect, const struct record *record)
{
    struct recorded *recorded = &lane->recorded;
    uint32_t key = labels_find(lane->terms->labels, effect->key, effect->key_len);
    if (key == LABELS_NONE)
        return;
    struct recorded_record *copy = arena_alloc(&recorded->arena, sizeof *copy);
    *copy = (struct recorded_record){.record = *record, .ts_ms = effect->ts.ms};
    copy->record.slots =
        copy_slots(&recorded->arena, record->slots, lane->terms->model->slot_count);
    if (recorded->last[key])
        recorded->last[key]->next = copy;
    else
        recorded->first[key] = copy;
    recorded->last[key] = copy;
}

/* The greatest distance that an event of the key stays behind one before it. */
static int64_t disorder_ms(const struct recorded_record *first, int64_t before_ms)
{
    int64_t greatest = INT64_MIN, disorder = 0;
    for (const struct recorded_record *record = first; record; record = record->next) {
        if (record->ts_ms >= before_ms)
            continue;
        if (record->ts_ms > greatest)
            greatest = record->ts_ms;
        if (greatest - record->ts_ms > disorder)
            disorder = greatest - record->ts_ms;
    }
    return disorder;
}

/* Brings raw to time_ms by a record whose key is nobody's. */
static void pass_time(struct lane *lane, struct shard *shard, int64_t offset, int64_t time_ms)
{
    const struct model *model = lane->terms->model;
    struct value *slots = arena_alloc(&lane->arena, (size_t)model->slot_count * sizeof *slots);
    memset(slots, 0, (size_t)model->slot_count * sizeof *slots);
    slots[model->rules.key_slot] = model->key_kind.type == VALUE_LONG
                                       ? value_long(INT64_MIN)
                                       : value_text(model->key_kind.type, "\1", 1);
    slots[model->rules.time_slot] = value_long(time_ms);
    struct record record = {offset, time_ms, FATE_NONE, slots};
    struct verdict verdict;
    shard_apply(shard, &record, 1, &verdict);
}

static void take_label(struct lane *lane, struct label *label)
{
    const struct recorded_record *record = lane->recorded.first[label->key_index];
    struct rules rules = lane->terms->model->rules;
    int64_t disorder = disorder_ms(record, label->time_ms);
    rules.lateness.ms = disorder > rules.lateness.ms ? disorder : rules.lateness.ms;
    rules.window_lateness.ms =
        clock_add_ms(clock_add_ms(rules.window_lateness.ms, disorder), rules.gap.ms);
    struct shard *shard = shard_open(&rules, lane->partition, INT64_MIN);
    int64_t offset = REPLAY_NONE;
    for (; record; record = record->next) {
        struct verdict verdict;
        if (record->ts_ms >= label->time_ms)
            continue;
        shard_apply(shard, &record->record, 1, &verdict);
        offset = record->record.offset;
    }
    pass_time(lane, shard, offset + 1, label->time_ms - 1);
    struct shard_status status;
    struct row row;
    shard_status(shard, &status);
    struct replay_row shown = {
        .kind = REPLAY_LABEL,
        .key = label->key,
        .key_len = label->key_len,
        .as_of.ms = label->time_ms - 1,
        .watermark = status.watermark,
        .partition = lane->partition,
        .offset = offset,
        .asked.ms = label->time_ms,
        .label = label->columns,
        .final = true,
        .row = &row,
    };
    if (offset != REPLAY_NONE &&
        shard_row_at(shard, label->key, label->key_len, shown.as_of.ms, &lane->arena, &row)) {
        lane_emit(lane, &shown);
        atomic_store(&label->found, true);
    }
    arena_reset(&lane->arena);
    shard_close(shard);
}

void recorded_finish(struct lane *lane)
{
    struct labels *labels = lane->terms->labels;
    for (uint32_t i = 0; lane->recorded.first && i < labels->count; i++)
        if (lane->recorded.first[labels->list[i].key_index])
            take_label(lane, &labels->list[i]);
}
