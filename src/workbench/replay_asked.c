/* Rows at a time: what a model could have known just before it (design: semantics, section 7).
 *
 * The row of a key at t is taken on the shard's prefix before the first record that brings raw to t
 * or beyond, or before the key's first record at or beyond t, whichever is earlier, at t - 1 ms. */
#include <stdatomic.h>

#include "pool.h"
#include "replay_lane_private.h"

void asked_open(struct lane *lane)
{
    const struct lane_terms *terms = lane->terms;
    struct asked *asked = &lane->asked;
    asked->early = memory_alloc((size_t)(terms->time_count + 1) * sizeof *asked->early);
    if (!terms->labels || terms->options->final_knowledge)
        return;
    asked->taken = memory_alloc((size_t)terms->labels->count + 1);
    asked->next_of_key =
        memory_alloc(((size_t)terms->labels->key_count + 1) * sizeof *asked->next_of_key);
    for (uint32_t k = 0; k < terms->labels->key_count; k++)
        asked->next_of_key[k] = terms->labels->first_of_key[k];
}

void asked_close(struct lane *lane)
{
    for (int i = 0; i < lane->terms->time_count; i++)
        keyset_free(&lane->asked.early[i]);
    memory_free(lane->asked.early);
    memory_free(lane->asked.taken);
    memory_free(lane->asked.next_of_key);
}

/* The row of the key at time_ms, if it has state. */
static bool take_row(struct lane *lane, struct replay_row shown, int64_t time_ms)
{
    struct shard_status status;
    struct row row;
    shown.as_of.ms = clock_sub_ms(time_ms, 1);
    if (!shard_row_at(lane->shard, shown.key, shown.key_len, shown.as_of.ms, &lane->arena, &row)) {
        arena_reset(&lane->arena);
        return false;
    }
    shard_status(lane->shard, &status);
    shown.watermark = status.watermark;
    shown.partition = lane->partition;
    shown.offset = lane->applied;
    shown.asked.ms = time_ms;
    shown.row = &row;
    lane_emit(lane, &shown);
    return true;
}

/* ---- --as-of ---- */

static void take_all_keys(struct lane *lane, int time)
{
    struct keyset *early = &lane->asked.early[time];
    struct shard_walk walk;
    struct replay_row shown = {.kind = REPLAY_AS_OF};
    shard_walk_begin(lane->shard, &walk);
    while (shard_walk_next(lane->shard, &walk, &shown.key, &shown.key_len))
        if (!keyset_has(early, shown.key, shown.key_len))
            take_row(lane, shown, lane->terms->times[time]);
    shard_walk_end(&walk);
    keyset_free(early);
}

static void reach_times(struct lane *lane, int64_t raw_ms)
{
    struct asked *asked = &lane->asked;
    while (asked->next_time < lane->terms->time_count &&
           lane->terms->times[asked->next_time] <= raw_ms)
        take_all_keys(lane, asked->next_time++);
}

/* The times that the key reaches before the shard does. */
static void reach_times_of_key(struct lane *lane, const struct effect *effect)
{
    struct replay_row shown = {.kind = REPLAY_AS_OF, .key = effect->key,
                               .key_len = effect->key_len};
    for (int i = lane->asked.next_time;
         i < lane->terms->time_count && lane->terms->times[i] <= effect->ts.ms; i++)
        if (keyset_add(&lane->asked.early[i], effect->key, effect->key_len))
            take_row(lane, shown, lane->terms->times[i]);
}

/* ---- labels ---- */

static void take_label(struct lane *lane, uint32_t index)
{
    struct label *label = &lane->terms->labels->list[index];
    if (lane->asked.taken[index])
        return;
    lane->asked.taken[index] = true;
    struct replay_row shown = {
        .kind = REPLAY_LABEL,
        .key = label->key,
        .key_len = label->key_len,
        .label = label->columns,
    };
    if (take_row(lane, shown, label->time_ms))
        atomic_store(&label->found, true);
}

static void reach_labels(struct lane *lane, int64_t raw_ms)
{
    const struct labels *labels = lane->terms->labels;
    struct asked *asked = &lane->asked;
    while (asked->next_label < labels->count &&
           labels->list[asked->next_label].time_ms <= raw_ms)
        take_label(lane, asked->next_label++);
}

static void reach_labels_of_key(struct lane *lane, const struct effect *effect)
{
    const struct labels *labels = lane->terms->labels;
    uint32_t key = labels_find(labels, effect->key, effect->key_len);
    if (key == LABELS_NONE)
        return;
    uint32_t *next = &lane->asked.next_of_key[key];
    for (; *next != LABELS_NONE && labels->list[*next].time_ms <= effect->ts.ms;
         *next = labels->list[*next].next_of_key)
        take_label(lane, *next);
}

/* ---- both ---- */

void asked_arrival(struct lane *lane, const struct effect *effect)
{
    reach_times(lane, effect->raw.ms);
    reach_times_of_key(lane, effect);
    if (!lane->asked.taken)
        return;
    reach_labels(lane, effect->raw.ms);
    reach_labels_of_key(lane, effect);
}

void asked_finish(struct lane *lane)
{
    reach_times(lane, INT64_MAX);
    if (lane->asked.taken)
        reach_labels(lane, INT64_MAX);
}
