/* Sends each operator to its family of accumulators. Counts, sums and extremes, which most events
 * feed, are here, so that they cost no call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "held.h"
#include "operator_private.h"

double operator_round12(double number)
{
    if (!isfinite(number) || number == 0)
        return number;
    char text[32];
    snprintf(text, sizeof text, "%.11e", number);
    return strtod(text, NULL);
}

/* ---- sums ---- */

static enum operator_added sum_add(struct acc_sum *sum, const struct value *value)
{
    if (value->type == VALUE_DOUBLE)
        return sum_add_double(sum, value->d);
    sum_set(sum, sum_total(sum) + value->i);
    sum->n++;
    return OPERATOR_ADDED;
}

static struct value sum_result(const struct feature *feature, const char *const *bases, int count)
{
    wide total = 0;
    uint64_t n = 0;
    for (int k = 0; k < count; k++) {
        const struct acc_sum *sum = source_at(feature, bases, k);
        total += sum_total(sum);
        n += sum->n;
    }
    if (n == 0)
        return value_null();
    double shown = (double)total * (feature->of_long ? 1 : SUM_UNIT);
    if (feature->op == OPERATOR_MEAN)
        return value_double(shown / (double)n);
    if (!feature->of_long)
        return value_double(shown);
    if (total > INT64_MAX)
        return value_long(INT64_MAX);
    return value_long(total < INT64_MIN ? INT64_MIN : (int64_t)total);
}

/* ---- extremes ---- */

static bool extreme_beats(const struct feature *feature, const struct acc_extreme *held,
                          const struct acc_extreme *other)
{
    bool less = feature->of_long ? other->i < held->i : other->d < held->d;
    bool greater = feature->of_long ? other->i > held->i : other->d > held->d;
    return feature->op == OPERATOR_MIN ? less : greater;
}

static void extreme_absorb(const struct feature *feature, struct acc_extreme *held,
                           const struct acc_extreme *other)
{
    if (other->n == 0)
        return;
    if (held->n == 0 || extreme_beats(feature, held, other))
        held->i = other->i;
    held->n += other->n;
}

static struct value extreme_result(const struct feature *feature, const char *const *bases,
                                   int count)
{
    struct acc_extreme all = {0};
    for (int k = 0; k < count; k++)
        extreme_absorb(feature, &all, source_at(feature, bases, k));
    if (all.n == 0)
        return value_null();
    return feature->of_long ? value_long(all.i) : value_double(all.d);
}

/* ---- by operator ---- */

unsigned operator_acc_bytes(const struct feature *feature)
{
    return feature->by >= 0 ? sizeof(struct acc_groups) : operator_rows[feature->op].acc_bytes;
}

enum operator_added operator_add(struct pool *pool, const struct feature *feature, void *acc,
                                 const struct value *value, struct event_order order)
{
    switch (feature->op) {
    case OPERATOR_COUNT:
        ((struct acc_count *)acc)->n++;
        return OPERATOR_ADDED;
    case OPERATOR_SUM:
    case OPERATOR_MEAN:
        return sum_add(acc, value);
    case OPERATOR_VAR:
    case OPERATOR_STDDEV:
        return moments_add(acc, value);
    case OPERATOR_MIN:
    case OPERATOR_MAX:
        extreme_absorb(feature, acc, &(struct acc_extreme){.i = value->i, .n = 1});
        return OPERATOR_ADDED;
    case OPERATOR_FIRST:
    case OPERATOR_LAST:
        edge_add(pool, feature, acc, value, order);
        return OPERATOR_ADDED;
    case OPERATOR_TIME_OF_FIRST:
    case OPERATOR_TIME_OF_LAST:
        time_absorb(feature, acc, &(struct acc_time){order.ts_ms, 1});
        return OPERATOR_ADDED;
    case OPERATOR_FIRST_N:
    case OPERATOR_LAST_N:
    case OPERATOR_LAST_DISTINCT:
        list_add(pool, feature, acc, value, order);
        return OPERATOR_ADDED;
    case OPERATOR_DISTINCT:
        distinct_add(pool, acc, value);
        return OPERATOR_ADDED;
    case OPERATOR_TOP_K:
    case OPERATOR_ENTROPY:
        return tally_add(pool, acc, value);
    case OPERATOR_QUANTILE:
        buckets_add(pool, acc, value);
        return OPERATOR_ADDED;
    case OPERATOR_DECAYED_SUM:
        return decay_add(pool, feature, acc, value, order.ts_ms);
    default:
        unreachable("operator folds nothing");
    }
}

void operator_merge(struct pool *pool, const struct feature *feature, void *dst, void *src)
{
    if (feature->by >= 0) {
        groups_merge(pool, feature, dst, src);
        return;
    }
    switch (feature->op) {
    case OPERATOR_COUNT:
        ((struct acc_count *)dst)->n += ((struct acc_count *)src)->n;
        break;
    case OPERATOR_SUM:
    case OPERATOR_MEAN:
        sum_merge(dst, src);
        break;
    case OPERATOR_VAR:
    case OPERATOR_STDDEV:
        sum_merge(&((struct acc_moments *)dst)->values, &((struct acc_moments *)src)->values);
        sum_merge(&((struct acc_moments *)dst)->squares, &((struct acc_moments *)src)->squares);
        break;
    case OPERATOR_MIN:
    case OPERATOR_MAX:
        extreme_absorb(feature, dst, src);
        break;
    case OPERATOR_FIRST:
    case OPERATOR_LAST:
        edge_merge(pool, feature, dst, src);
        break;
    case OPERATOR_TIME_OF_FIRST:
    case OPERATOR_TIME_OF_LAST:
        time_absorb(feature, dst, src);
        break;
    case OPERATOR_FIRST_N:
    case OPERATOR_LAST_N:
    case OPERATOR_LAST_DISTINCT:
        list_merge(pool, feature, dst, src);
        break;
    case OPERATOR_DISTINCT:
        distinct_merge(pool, dst, src);
        break;
    case OPERATOR_TOP_K:
    case OPERATOR_ENTROPY:
        tally_merge(pool, dst, src);
        break;
    case OPERATOR_QUANTILE:
        buckets_merge(pool, dst, src);
        break;
    case OPERATOR_DECAYED_SUM:
        decay_merge(pool, dst, src);
        break;
    default:
        unreachable("operator folds nothing");
    }
    operator_release(pool, feature, src);
}

void operator_release(struct pool *pool, const struct feature *feature, void *acc)
{
    if (feature->by >= 0) {
        groups_release(pool, feature, acc);
        return;
    }
    switch (feature->op) {
    case OPERATOR_FIRST:
    case OPERATOR_LAST:
        held_release(pool, &((struct acc_edge *)acc)->entry.value);
        break;
    case OPERATOR_FIRST_N:
    case OPERATOR_LAST_N:
    case OPERATOR_LAST_DISTINCT:
        list_release(pool, acc);
        break;
    case OPERATOR_DISTINCT:
        distinct_release(pool, acc);
        break;
    case OPERATOR_TOP_K:
    case OPERATOR_ENTROPY:
        tally_release(pool, acc);
        break;
    case OPERATOR_QUANTILE:
        buckets_release(pool, acc);
        break;
    case OPERATOR_DECAYED_SUM:
        decay_release(pool, acc);
        break;
    default:
        break;
    }
    memset(acc, 0, operator_rows[feature->op].acc_bytes);
}

static uint64_t count_total(const struct feature *feature, const char *const *bases, int count)
{
    uint64_t n = 0;
    for (int k = 0; k < count; k++)
        n += ((const struct acc_count *)source_at(feature, bases, k))->n;
    return n;
}

struct value operator_result(const struct feature *feature, const char *const *bases, int count,
                             struct arena *arena, bool *nothing)
{
    if (feature->by >= 0)
        return groups_result(feature, bases, count, arena, nothing);
    struct value value = value_null();
    switch (feature->op) {
    case OPERATOR_COUNT:
        value = value_long((int64_t)count_total(feature, bases, count));
        *nothing = value.i == 0;
        return value;
    case OPERATOR_SUM:
    case OPERATOR_MEAN:
        value = sum_result(feature, bases, count);
        break;
    case OPERATOR_VAR:
    case OPERATOR_STDDEV:
        value = moments_result(feature, bases, count);
        break;
    case OPERATOR_MIN:
    case OPERATOR_MAX:
        value = extreme_result(feature, bases, count);
        break;
    case OPERATOR_FIRST:
    case OPERATOR_LAST:
        value = edge_result(feature, bases, count);
        break;
    case OPERATOR_TIME_OF_FIRST:
    case OPERATOR_TIME_OF_LAST:
        value = time_result(feature, bases, count);
        break;
    case OPERATOR_FIRST_N:
    case OPERATOR_LAST_N:
    case OPERATOR_LAST_DISTINCT:
        value = list_result(feature, bases, count, arena);
        break;
    case OPERATOR_DISTINCT:
        value = value_long(distinct_result(feature, bases, count, arena));
        *nothing = value.i == 0;
        return value;
    case OPERATOR_TOP_K:
    case OPERATOR_ENTROPY:
        value = tally_result(feature, bases, count, arena);
        break;
    case OPERATOR_QUANTILE:
        value = buckets_result(feature, bases, count, arena);
        break;
    case OPERATOR_DECAYED_SUM:
        value = decay_result(feature, bases, count);
        break;
    default:
        unreachable("operator folds nothing");
    }
    *nothing = value.type == VALUE_NULL;
    if (*nothing && feature->op == OPERATOR_SUM)
        value = feature->of_long ? value_long(0) : value_double(0);
    return value;
}
