/* Saving and loading, one pair of functions a state; the table below is made from operators.def. */
#include "accumulatorsave.h"

#include <string.h>

#include "checkpointlayout.h"
#include "held.h"
#include "operator_private.h"

/* ---- parts ---- */

void held_save(struct text *out, const union held_value *held)
{
    text_append_char(out, (char)held->type);
    if (held_is_text(held)) {
        struct value value = held_view(held);
        segment_put_bytes(out, value.s, value.len);
    } else if (held->type == VALUE_DOUBLE) {
        segment_put_u64(out, (uint64_t)held->i);
    } else if (held->type != VALUE_NULL) {
        segment_put_signed(out, held->i);
    }
}

bool held_load(struct segment_reader *in, struct pool *pool, union held_value *held, int wanted)
{
    int type = (int)segment_get_at_most(in, VALUE_BYTES);
    if (wanted >= 0 && type != wanted)
        return segment_fail(in); /* values of different types cannot be compared */
    struct value value = {.type = (uint8_t)type};
    size_t len = 0;
    if (type == VALUE_STRING || type == VALUE_BYTES) {
        value.s = segment_get_bytes(in, &len);
        if (len > UINT32_MAX)
            return segment_fail(in);
        value.len = (uint32_t)len;
    } else if (type == VALUE_DOUBLE) {
        value.i = (int64_t)segment_get_u64(in);
    } else if (type != VALUE_NULL) {
        value.i = segment_get_signed(in);
    }
    if (!in->broken)
        *held = held_copy(pool, &value);
    return !in->broken;
}

static void entry_save(struct text *out, const struct entry *entry)
{
    segment_put_signed(out, entry->ts_ms);
    segment_put_signed(out, entry->offset);
    held_save(out, &entry->value);
}

static bool entry_load(struct segment_reader *in, struct pool *pool, struct entry *entry,
                       enum value_type type)
{
    entry->ts_ms = segment_get_signed(in);
    entry->offset = segment_get_signed(in);
    return held_load(in, pool, &entry->value, (int)type);
}

static void sum_save(struct text *out, const struct acc_sum *sum)
{
    segment_put_u64(out, sum->low);
    segment_put_signed(out, sum->high);
    segment_put_number(out, sum->n);
}

static void sum_load(struct segment_reader *in, struct acc_sum *sum)
{
    sum->low = segment_get_u64(in);
    sum->high = segment_get_signed(in);
    sum->n = segment_get_number(in);
}

/* A count of things that take at least a byte each. */
static uint32_t count_load(struct segment_reader *in, uint64_t bound)
{
    uint64_t count = segment_get_at_most(in, bound);
    if (count <= segment_left(in))
        return (uint32_t)count;
    segment_fail(in);
    return 0;
}

/* ---- states ---- */

/* What loading an accumulator needs to know. */
struct loading {
    const struct feature *feature;
    enum value_type type; /* of the argument */
    struct pool *pool;
};

#define SAVE(state) static void state##_save(struct text *out, const void *acc)
#define LOAD(state)                                                                                \
    static bool state##_load(struct segment_reader *in, const struct loading *loading, void *acc)

SAVE(acc_none)
{
    (void)out, (void)acc;
}

LOAD(acc_none)
{
    (void)in, (void)loading, (void)acc;
    return true;
}

SAVE(acc_count)
{
    segment_put_number(out, ((const struct acc_count *)acc)->n);
}

LOAD(acc_count)
{
    (void)loading;
    ((struct acc_count *)acc)->n = segment_get_number(in);
    return !in->broken;
}

SAVE(acc_sum)
{
    sum_save(out, acc);
}

LOAD(acc_sum)
{
    (void)loading;
    sum_load(in, acc);
    return !in->broken;
}

SAVE(acc_moments)
{
    const struct acc_moments *moments = acc;
    sum_save(out, &moments->values);
    sum_save(out, &moments->squares);
}

LOAD(acc_moments)
{
    (void)loading;
    struct acc_moments *moments = acc;
    sum_load(in, &moments->values);
    sum_load(in, &moments->squares);
    return !in->broken;
}

SAVE(acc_extreme)
{
    const struct acc_extreme *extreme = acc;
    segment_put_u64(out, (uint64_t)extreme->i);
    segment_put_number(out, extreme->n);
}

LOAD(acc_extreme)
{
    (void)loading;
    struct acc_extreme *extreme = acc;
    extreme->i = (int64_t)segment_get_u64(in);
    extreme->n = segment_get_number(in);
    return !in->broken;
}

SAVE(acc_edge)
{
    entry_save(out, &((const struct acc_edge *)acc)->entry);
}

LOAD(acc_edge)
{
    return entry_load(in, loading->pool, &((struct acc_edge *)acc)->entry, loading->type);
}

SAVE(acc_time)
{
    const struct acc_time *time = acc;
    segment_put_signed(out, time->ts_ms);
    segment_put_number(out, time->n);
}

LOAD(acc_time)
{
    (void)loading;
    struct acc_time *time = acc;
    time->ts_ms = segment_get_signed(in);
    time->n = segment_get_number(in);
    return !in->broken;
}

SAVE(acc_list)
{
    const struct acc_list *list = acc;
    segment_put_number(out, list->count);
    for (uint32_t k = 0; k < list->count; k++)
        entry_save(out, &list->entries[k]);
}

LOAD(acc_list)
{
    struct acc_list *list = acc;
    uint32_t count = count_load(in, loading->feature->count);
    list->entries = pool_alloc(loading->pool, count * sizeof list->entries[0]);
    list->capacity = count;
    while (list->count < count &&
           entry_load(in, loading->pool, &list->entries[list->count], loading->type))
        list->count++;
    return !in->broken;
}

SAVE(acc_distinct)
{
    const struct acc_distinct *set = acc;
    bool sketch = set->capacity == 0 && set->registers;
    text_append_char(out, sketch);
    if (sketch) {
        text_append(out, set->registers, OPERATOR_HLL_REGISTERS);
        return;
    }
    segment_put_number(out, set->count);
    for (uint32_t k = 0; k < set->count; k++)
        segment_put_u64(out, set->members[k]);
}

static bool sketch_load(struct segment_reader *in, struct pool *pool, struct acc_distinct *set)
{
    enum { RANK_MAX = 64 - OPERATOR_HLL_BITS + 1 };
    if (segment_left(in) < OPERATOR_HLL_REGISTERS)
        return segment_fail(in);
    for (int k = 0; k < OPERATOR_HLL_REGISTERS; k++)
        if (in->at[k] > RANK_MAX)
            return segment_fail(in);
    set->registers = pool_alloc(pool, OPERATOR_HLL_REGISTERS);
    memcpy(set->registers, in->at, OPERATOR_HLL_REGISTERS);
    in->at += OPERATOR_HLL_REGISTERS;
    return true;
}

LOAD(acc_distinct)
{
    struct acc_distinct *set = acc;
    if (segment_get_at_most(in, 1))
        return sketch_load(in, loading->pool, set);
    uint32_t count = count_load(in, OPERATOR_DISTINCT_EXACT_MAX);
    set->members = pool_alloc(loading->pool, count * sizeof set->members[0]);
    set->capacity = count;
    for (; set->count < count; set->count++) {
        set->members[set->count] = segment_get_u64(in);
        if (set->count && set->members[set->count] <= set->members[set->count - 1])
            return segment_fail(in); /* they are looked up by halving */
    }
    return !in->broken;
}

SAVE(acc_tally)
{
    const struct acc_tally *tally = acc;
    segment_put_number(out, tally->count);
    for (uint32_t k = 0; k < tally->count; k++) {
        held_save(out, &tally->tallies[k].value);
        segment_put_number(out, tally->tallies[k].n);
    }
}

LOAD(acc_tally)
{
    struct acc_tally *tally = acc;
    uint32_t count = count_load(in, UINT32_MAX); /* merged ones may have more than they may gain */
    tally->tallies = pool_alloc(loading->pool, count * sizeof tally->tallies[0]);
    tally->capacity = count;
    for (; tally->count < count; tally->count++) {
        struct tally *one = &tally->tallies[tally->count];
        if (!held_load(in, loading->pool, &one->value, (int)loading->type))
            return false;
        one->n = segment_get_number(in);
    }
    return !in->broken;
}

SAVE(acc_buckets)
{
    const struct acc_buckets *buckets = acc;
    segment_put_number(out, buckets->count);
    for (uint32_t k = 0; k < buckets->count; k++) {
        segment_put_signed(out, buckets->buckets[k].place);
        segment_put_number(out, buckets->buckets[k].n);
    }
}

LOAD(acc_buckets)
{
    enum { PLACE_BOUND = 1 << 20 }; /* the sizes of doubles have fewer */
    struct acc_buckets *buckets = acc;
    uint32_t count = count_load(in, UINT32_MAX);
    buckets->buckets = pool_alloc(loading->pool, count * sizeof buckets->buckets[0]);
    buckets->capacity = count;
    for (; buckets->count < count; buckets->count++) {
        struct bucket *one = &buckets->buckets[buckets->count];
        one->place = segment_get_signed(in);
        one->n = segment_get_number(in);
        if (one->place < -PLACE_BOUND || one->place > PLACE_BOUND ||
            (buckets->count && one->place <= one[-1].place))
            return segment_fail(in);
    }
    return !in->broken;
}

SAVE(acc_decay)
{
    const struct acc_decay *decay = acc;
    segment_put_signed(out, decay->newest_ms);
    segment_put_number(out, decay->count);
    for (uint32_t k = 0; k < decay->count; k++) {
        segment_put_signed(out, decay->epochs[k].epoch);
        sum_save(out, &decay->epochs[k].sum);
    }
}

LOAD(acc_decay)
{
    struct acc_decay *decay = acc;
    decay->newest_ms = segment_get_signed(in);
    uint32_t count = count_load(in, OPERATOR_DECAY_EPOCHS);
    decay->epochs = pool_alloc(loading->pool, count * sizeof decay->epochs[0]);
    decay->capacity = count;
    for (; decay->count < count; decay->count++) {
        struct decay_epoch *one = &decay->epochs[decay->count];
        one->epoch = segment_get_signed(in);
        sum_load(in, &one->sum);
        if (one->epoch < 0 || one->epoch > RULES_EVENT_TIME_MAX_MS ||
            (decay->count && one->epoch <= one[-1].epoch))
            return segment_fail(in);
    }
    return !in->broken;
}

/* ---- by operator ---- */

static const struct {
    void (*save)(struct text *out, const void *acc);
    bool (*load)(struct segment_reader *in, const struct loading *loading, void *acc);
} rows[OPERATOR_COUNT_OF] = {
#define OPERATOR(ID, name, argument, parameter, scope, result, state, flags, example, value,       \
                 sentence)                                                                         \
    [OPERATOR_##ID] = {state##_save, state##_load},
#include "operators.def"
#undef OPERATOR
};

/* ---- with `by`: one of each group ---- */

static void groups_save(struct text *out, const struct feature *feature,
                        const struct acc_groups *groups)
{
    struct feature one = group_feature(feature);
    segment_put_number(out, groups->count);
    for (uint32_t k = 0; k < groups->count; k++) {
        const struct group *group = group_at(feature, groups, k);
        held_save(out, &group->value);
        segment_put_number(out, group->n);
        accumulator_save(out, &one, group->acc);
    }
}

static bool groups_load(struct segment_reader *in, const struct feature_set *set,
                        const struct feature *feature, struct pool *pool,
                        struct acc_groups *groups)
{
    struct feature one = group_feature(feature);
    enum value_type type = checkpoint_argument_type(set, feature->by);
    uint32_t count = count_load(in, UINT32_MAX);
    groups->groups = pool_alloc(pool, count * group_bytes(feature));
    groups->capacity = count;
    for (; groups->count < count; groups->count++) {
        struct group *group = group_at(feature, groups, groups->count);
        if (!held_load(in, pool, &group->value, (int)type))
            return false;
        group->n = segment_get_number(in);
        if (!accumulator_load(in, set, &one, pool, group->acc))
            return false;
    }
    return true;
}

/* ---- any ---- */

static bool is_empty(const struct feature *feature, const void *acc)
{
    const char *bytes = acc;
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, operator_acc_bytes(feature) - 1) == 0;
}

void accumulator_save(struct text *out, const struct feature *feature, const void *acc)
{
    size_t at = out->len;
    text_append_char(out, 0);
    if (is_empty(feature, acc))
        return;
    if (feature->by >= 0)
        groups_save(out, feature, acc);
    else
        rows[feature->op].save(out, acc);
    size_t len = out->len - at - 1;
    if (len < 0x80) {
        out->data[at] = (char)len;
        return;
    }
    /* The length takes more than the byte that was left for it. */
    segment_put_number(out, len);
    size_t digits = out->len - at - 1 - len;
    char number[10];
    memcpy(number, out->data + out->len - digits, digits);
    memmove(out->data + at + digits, out->data + at + 1, len);
    memcpy(out->data + at, number, digits);
    out->len--;
}

bool accumulator_load(struct segment_reader *in, const struct feature_set *set,
                      const struct feature *feature, struct pool *pool, void *acc)
{
    size_t len;
    const char *bytes = segment_get_bytes(in, &len);
    if (in->broken || len == 0)
        return !in->broken;
    struct segment_reader own = {(const uint8_t *)bytes, (const uint8_t *)bytes + len, false};
    struct loading loading = {feature, checkpoint_argument_type(set, feature->argument), pool};
    bool ok = feature->by >= 0 ? groups_load(&own, set, feature, pool, acc)
                               : rows[feature->op].load(&own, &loading, acc);
    if (!ok || segment_left(&own) > 0)
        return segment_fail(in);
    return true;
}

bool accumulator_skip(struct segment_reader *in)
{
    size_t len;
    (void)segment_get_bytes(in, &len);
    return !in->broken;
}
