/* One partition: records become state again, and state is compared with what Redis shows. */
#include "verify_lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "effect.h"
#include "pool.h"
#include "shard.h"

enum { BATCH = 256 };

struct verify_lane {
    const struct model *model;
    struct shard *shard; /* NULL before the first record */
    int32_t partition;
    uint64_t last_place;
    struct verify_own own;
    struct verify_rows *rows; /* of all lanes */
    struct verify_row **mine; /* rows of this partition, by as_of */
    uint32_t mine_count, mine_next;
    struct verify_field *empty; /* how the features of nobody are shown */
    char version[17];

    struct replay_item **items;
    int item_count, item_capacity;
    int64_t next_offset, first_offset; /* -1: none yet */
    uint64_t applied, beyond;
    int64_t as_of_ms; /* at which keys are compared */
    struct record records[BATCH];
    struct verdict verdicts[BATCH];

    struct arena arena; /* of the row at hand */
    struct text scratch;
    struct text lines;
    struct arena kept; /* keys of the differences */
    struct verify_difference *differences;
    size_t difference_count, difference_capacity;
    uint64_t compared;
};

/* ---- life ---- */

static int by_as_of(const void *left, const void *right)
{
    const struct verify_row *a = *(struct verify_row *const *)left;
    const struct verify_row *b = *(struct verify_row *const *)right;
    return (a->as_of_ms > b->as_of_ms) - (a->as_of_ms < b->as_of_ms);
}

static void take_rows(struct verify_lane *lane)
{
    lane->mine = memory_alloc(((size_t)lane->rows->count + 1) * sizeof(struct verify_row *));
    for (uint32_t i = 0; i < lane->rows->count; i++)
        if (lane->rows->list[i]->partition == lane->partition)
            lane->mine[lane->mine_count++] = lane->rows->list[i];
    qsort(lane->mine, lane->mine_count, sizeof(struct verify_row *), by_as_of);
}

static void show_nobody(struct verify_lane *lane)
{
    const struct feature_set *set = lane->model->set;
    struct shard *nobody = shard_open(&lane->model->rules, 0, INT64_MIN);
    struct row row;
    shard_row_at(nobody, "", 0, 0, &lane->arena, &row);
    lane->empty = memory_alloc((size_t)set->count * sizeof *lane->empty);
    for (int i = 0; i < set->count; i++) {
        size_t len;
        const char *shown = verify_shown(&row.values[i], &lane->scratch, &len);
        if (!shown)
            continue;
        char *copy = arena_alloc(&lane->kept, len + 1);
        memcpy(copy, shown, len);
        lane->empty[i] = (struct verify_field){copy, (uint32_t)len};
    }
    arena_reset(&lane->arena);
    shard_close(nobody);
}

struct verify_lane *verify_lane_open(const struct model *model, int32_t partition, uint64_t last,
                                     const struct verify_own *own, struct verify_rows *rows)
{
    struct verify_lane *lane = memory_alloc(sizeof *lane);
    lane->model = model;
    lane->partition = partition;
    lane->last_place = last;
    lane->own = *own;
    lane->rows = rows;
    lane->first_offset = -1;
    snprintf(lane->version, sizeof lane->version, "%016llx",
             (unsigned long long)model->set->version);
    take_rows(lane);
    show_nobody(lane);
    return lane;
}

void verify_lane_close(struct verify_lane *lane)
{
    shard_close(lane->shard);
    memory_free(lane->mine);
    memory_free(lane->empty);
    memory_free(lane->items);
    memory_free(lane->differences);
    arena_free(&lane->arena);
    arena_free(&lane->kept);
    text_free(&lane->scratch);
    text_free(&lane->lines);
    memory_free(lane);
}

int32_t verify_lane_partition(const struct verify_lane *lane)
{
    return lane->partition;
}

const struct verify_own *verify_lane_own(const struct verify_lane *lane)
{
    return &lane->own;
}

void verify_lane_counts(const struct verify_lane *lane, uint64_t *applied, uint64_t *beyond)
{
    *applied = lane->applied;
    *beyond = lane->beyond;
}

const char *verify_lane_lines(const struct verify_lane *lane)
{
    return lane->lines.data;
}

struct verify_difference *verify_lane_differences(const struct verify_lane *lane, size_t *count,
                                                  uint64_t *compared)
{
    *count = lane->difference_count;
    *compared = lane->compared;
    return lane->differences;
}

/* ---- a row against that of its own place ---- */

static bool is_empty_row(const struct verify_lane *lane, const struct row *row)
{
    struct text *scratch = (struct text *)(uintptr_t)&lane->scratch;
    for (int i = 0; i < row->set->count; i++)
        if (!verify_field_equal(&lane->empty[i], &row->values[i], scratch))
            return false;
    return true;
}

static void judge(struct verify_lane *lane, struct verify_row *row, int64_t offset)
{
    struct row then;
    row->judged = true;
    row->judged_by = offset;
    bool known = shard_row_at(lane->shard, row->key, row->key_len, row->as_of_ms, &lane->arena,
                              &then);
    bool place = known ? then.offset == row->offset : true;
    row->was_right = place && verify_features_equal(row, &then, &lane->scratch);
    arena_reset(&lane->arena);
}

/* The places of rows that lie before the record. */
static void pass_places(struct verify_lane *lane, int64_t raw_ms)
{
    for (; lane->mine_next < lane->mine_count; lane->mine_next++) {
        struct verify_row *row = lane->mine[lane->mine_next];
        if (row->as_of_ms >= raw_ms)
            return;
        if (!row->judged)
            judge(lane, row, -1);
    }
}

static void on_effect(void *context, const struct shard *shard, const struct effect *effect)
{
    struct verify_lane *lane = context;
    (void)shard;
    if (effect->kind == EFFECT_ARRIVED)
        pass_places(lane, effect->raw.ms);
    struct verify_row *row =
        effect->key ? verify_rows_find(lane->rows, effect->key, effect->key_len) : NULL;
    if (!row || row->partition != lane->partition)
        return;
    bool kept = fate_rows[effect->verdict.fate].class == FATE_KEPT;
    if (effect->kind == EFFECT_ARRIVED) {
        if (!row->judged && effect->offset > row->offset)
            judge(lane, row, effect->offset);
    } else if (!kept && effect->offset == row->judged_by) {
        row->judged = false; /* the record has changed nothing of the key */
    }
    if (effect->kind == EFFECT_ENDED && effect->offset == row->offset && !kept)
        row->refused = effect->verdict.fate;
}

/* ---- records ---- */

bool verify_lane_add(struct verify_lane *lane, struct replay_item *item, char *error)
{
    if (!item->idle && item->record.offset == REPLAY_NO_OFFSET)
        item->record.offset = lane->next_offset;
    if (!item->idle && item->record.offset < lane->next_offset) {
        (void)snprintf(error, REPLAY_ERROR_TEXT, "offset %lld of partition %d does not come after "
                       "%lld (sort the records of a partition by offset)",
                       (long long)item->record.offset, item->partition,
                       (long long)lane->next_offset - 1);
        return false;
    }
    if (item->idle)
        return true; /* what Redis shows was emitted by freshetd, not by the file */
    lane->next_offset = item->record.offset + 1;
    if (lane->own.known && item->record.offset > lane->own.high_offset) {
        lane->beyond++;
        return true;
    }
    if (lane->item_count == lane->item_capacity) {
        lane->item_capacity = lane->item_capacity ? 2 * lane->item_capacity : BATCH;
        lane->items = memory_resize(lane->items, (size_t)lane->item_capacity * sizeof *lane->items);
    }
    lane->items[lane->item_count++] = item;
    return true;
}

/* start: what came before the first record is not known; RECORD_NO_TIME: nothing did. */
static void open_shard(struct verify_lane *lane, int64_t start_ms)
{
    lane->shard = shard_open(&lane->model->rules, lane->partition, start_ms);
    shard_sample(lane->shard, lane->last_place);
    if (lane->mine_count > 0)
        shard_observe(lane->shard, 1u << EFFECT_ARRIVED | 1u << EFFECT_ENDED, on_effect, lane);
}

void verify_lane_run(struct verify_lane *lane)
{
    int count = 0;
    for (int i = 0; i < lane->item_count; i++) {
        const struct record *record = &lane->items[i]->record;
        if (!lane->shard) {
            lane->first_offset = record->offset;
            open_shard(lane, record->offset > 0 ? record->record_time_ms : INT64_MIN);
        }
        lane->records[count++] = *record;
        if (count == BATCH || i + 1 == lane->item_count) {
            shard_apply(lane->shard, lane->records, count, lane->verdicts);
            count = 0;
        }
    }
    lane->applied += (uint64_t)lane->item_count;
    lane->item_count = 0;
}

/* ---- the end ---- */

static void put_escaped(struct text *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < ' ' || c == 0x7f)
            text_printf(out, "\\x%02x", c);
        else
            text_append_char(out, bytes[i]);
    }
}

/* A line without its reason; NULL: nothing is there. */
static void put_line(struct verify_lane *lane, const struct verify_difference *difference,
                     const char *feature, const struct verify_field *redis, const char *computed,
                     size_t computed_len)
{
    struct text *out = &lane->lines;
    put_escaped(out, difference->key, difference->key_len);
    text_printf(out, "\t%s\t", feature);
    if (redis->s)
        put_escaped(out, redis->s, redis->len);
    else
        text_append_string(out, "(none)");
    text_append_char(out, '\t');
    if (computed)
        put_escaped(out, computed, computed_len);
    else
        text_append_string(out, "(none)");
    text_append_char(out, '\n');
}

static void put_text_line(struct verify_lane *lane, const struct verify_difference *difference,
                          const char *name, const char *redis, const char *computed)
{
    struct verify_field field = {redis, redis ? (uint32_t)strlen(redis) : 0};
    put_line(lane, difference, name, &field, computed, computed ? strlen(computed) : 0);
}

static void put_long_line(struct verify_lane *lane, const struct verify_difference *difference,
                          const char *name, int64_t redis, int64_t computed)
{
    char one[24], other[24];
    snprintf(one, sizeof one, "%lld", (long long)redis);
    snprintf(other, sizeof other, "%lld", (long long)computed);
    put_text_line(lane, difference, name, one, other);
}

static struct verify_difference *difference_new(struct verify_lane *lane, const char *key,
                                                size_t len, const struct verify_row *row,
                                                enum verify_reason reason)
{
    if (lane->difference_count == lane->difference_capacity) {
        lane->difference_capacity = lane->difference_capacity ? 2 * lane->difference_capacity : 64;
        lane->differences = memory_resize(lane->differences, lane->difference_capacity *
                                                                 sizeof *lane->differences);
    }
    char *copy = arena_alloc(&lane->kept, len + 1);
    memcpy(copy, key, len);
    struct verify_difference *difference = &lane->differences[lane->difference_count++];
    *difference = (struct verify_difference){
        .lane = lane,
        .key = copy,
        .key_len = len,
        .row = row,
        .reason = reason,
        .lines_begin = lane->lines.len,
    };
    return difference;
}

/* Why features of the row may differ, when all of them have the same reason. */
static enum verify_reason reason_of(const struct verify_lane *lane, const struct verify_row *row,
                                    const struct row *computed, bool known)
{
    if (strcmp(row->version, lane->version) != 0)
        return VERIFY_VERSION;
    if (row->offset >= lane->next_offset)
        return VERIFY_INPUT;
    if (row->judged && row->was_right)
        return VERIFY_UNFLUSHED;
    if (row->offset < lane->first_offset)
        return VERIFY_BEGINNING;
    if (row->refused != FATE_NONE && (!known || row->offset > computed->offset))
        return VERIFY_LATE;
    return VERIFY_UNKNOWN;
}

/* Lines for each feature that differs; a reason of each where the row as a whole has none. */
static void put_features(struct verify_lane *lane, const struct verify_row *row,
                         const struct row *computed, struct verify_difference *difference)
{
    enum verify_reason whole = difference->reason, worst = VERIFY_REASON_COUNT;
    const char *beginning = computed->warming ? computed->warming : "";
    for (int i = 0; i < computed->set->count; i++) {
        const char *name = computed->set->features[i].name;
        if (verify_field_equal(&row->fields[i], &computed->values[i], &lane->scratch))
            continue;
        enum verify_reason reason = whole != VERIFY_UNKNOWN              ? whole
                                    : verify_names(row->warming, name)   ? VERIFY_WARMING
                                    : verify_names(beginning, name)      ? VERIFY_BEGINNING
                                                                         : VERIFY_UNKNOWN;
        size_t len;
        const char *shown = verify_shown(&computed->values[i], &lane->scratch, &len);
        put_line(lane, difference, name, &row->fields[i], shown, len);
        worst = worst == VERIFY_REASON_COUNT || reason > worst ? reason : worst;
    }
    if (worst != VERIFY_REASON_COUNT)
        difference->reason = worst;
}

/* A row of this partition against the state at the end. */
static void compare_row(struct verify_lane *lane, struct verify_row *row,
                        const struct row *computed, bool known)
{
    bool empty = is_empty_row(lane, computed);
    bool version = strcmp(row->version, lane->version) == 0;
    bool place = empty || row->offset == computed->offset;
    bool time = !lane->own.known || row->as_of_ms <= lane->own.as_of_ms;
    bool features = true;
    for (int i = 0; i < computed->set->count; i++)
        features &= verify_field_equal(&row->fields[i], &computed->values[i], &lane->scratch);
    if (version && place && time && features && !row->stray)
        return;
    struct verify_difference *difference = difference_new(
        lane, row->key, row->key_len, row, reason_of(lane, row, computed, known));
    if (!version)
        put_text_line(lane, difference, "_v", row->version, lane->version);
    if (version && !features)
        put_features(lane, row, computed, difference);
    if (version && !place)
        put_long_line(lane, difference, "_o", row->offset, computed->offset);
    if (version && !time) {
        put_long_line(lane, difference, "_as_of", row->as_of_ms, lane->own.as_of_ms);
        difference->reason = VERIFY_UNKNOWN;
    }
    if (version && row->stray) {
        put_text_line(lane, difference, row->stray, "(a field of no feature)", NULL);
        difference->reason = VERIFY_UNKNOWN;
    }
    difference->lines_end = lane->lines.len;
}

/* A key with state whose row is missing, or belongs to another partition. */
static void compare_other(struct verify_lane *lane, const char *key, size_t len,
                          struct verify_row *row, const struct row *computed)
{
    if (is_empty_row(lane, computed))
        return;
    struct verify_difference *difference =
        difference_new(lane, key, len, row, row ? VERIFY_FOREIGN : VERIFY_MISSING);
    difference->newest_ms = computed->as_of.ms;
    if (row) {
        atomic_store(&row->foreign, true);
        put_long_line(lane, difference, "_p", row->partition, lane->partition);
    } else
        put_text_line(lane, difference, "(row)", NULL, "(a row)");
    difference->lines_end = lane->lines.len;
}

static void compare_key(struct verify_lane *lane, const char *key, size_t len)
{
    struct verify_row *row = verify_rows_find(lane->rows, key, len);
    struct row computed;
    bool known = shard_row_at(lane->shard, key, len, lane->as_of_ms, &lane->arena,
                              &computed);
    lane->compared++;
    if (row && row->partition == lane->partition)
        compare_row(lane, row, &computed, known);
    else
        compare_other(lane, key, len, row, &computed);
    arena_reset(&lane->arena);
}

void verify_lane_compare_keys(struct verify_lane *lane)
{
    struct shard_status status;
    struct shard_walk walk;
    const char *key;
    size_t len;
    if (!lane->shard)
        open_shard(lane, INT64_MIN);
    for (uint32_t i = 0; i < lane->mine_count; i++)
        if (!lane->mine[i]->judged)
            judge(lane, lane->mine[i], -1);
    shard_status(lane->shard, &status);
    lane->as_of_ms = status.raw.ms;
    if (lane->own.known && lane->own.as_of_ms > lane->as_of_ms)
        lane->as_of_ms = lane->own.as_of_ms;
    shard_advance_to(lane->shard, lane->as_of_ms); /* so that it is known what still warms up */
    shard_walk_begin(lane->shard, &walk);
    while (shard_walk_next(lane->shard, &walk, &key, &len))
        compare_key(lane, key, len);
    shard_walk_end(&walk);
}

void verify_lane_compare_rows(struct verify_lane *lane)
{
    for (uint32_t i = 0; i < lane->mine_count; i++) {
        const struct verify_row *row = lane->mine[i];
        if (!shard_holds_key(lane->shard, row->key, row->key_len) && !atomic_load(&row->foreign))
            compare_key(lane, row->key, row->key_len);
    }
}
