/* Sums that fade: one exact sum an epoch of one half-life, so that order of arrival is nothing. */
#include <string.h>

#include "operator_private.h"

enum { EPOCHS_FIRST_CAPACITY = 1 };

/* Forgets the epochs that the newest one no longer sees. */
static void decay_drop_old(struct acc_decay *decay)
{
    int64_t oldest = decay->epochs[decay->count - 1].epoch - (OPERATOR_DECAY_EPOCHS - 1);
    uint32_t old = 0;
    while (decay->epochs[old].epoch < oldest)
        old++;
    decay->count -= old;
    memmove(&decay->epochs[0], &decay->epochs[old], decay->count * sizeof decay->epochs[0]);
}

/* The sum of an epoch, made when it is missing; NULL when it lies too far back. */
static struct acc_sum *decay_epoch(struct pool *pool, struct acc_decay *decay, int64_t epoch)
{
    if (decay->count > 0 &&
        epoch <= decay->epochs[decay->count - 1].epoch - OPERATOR_DECAY_EPOCHS)
        return NULL;
    uint32_t at = decay->count;
    while (at > 0 && decay->epochs[at - 1].epoch > epoch)
        at--;
    if (at > 0 && decay->epochs[at - 1].epoch == epoch)
        return &decay->epochs[at - 1].sum;
    if (decay->count == decay->capacity) {
        uint32_t capacity = decay->capacity ? 2 * decay->capacity : EPOCHS_FIRST_CAPACITY;
        decay->epochs = pool_resize(pool, decay->epochs, decay->capacity * sizeof decay->epochs[0],
                                    capacity * sizeof decay->epochs[0]);
        decay->capacity = capacity;
    }
    memmove(&decay->epochs[at + 1], &decay->epochs[at],
            (decay->count - at) * sizeof decay->epochs[0]);
    decay->epochs[at] = (struct decay_epoch){.epoch = epoch};
    decay->count++;
    if (at < decay->count - 1)
        return &decay->epochs[at].sum;
    decay_drop_old(decay);
    return &decay->epochs[decay->count - 1].sum;
}

enum operator_added decay_add(struct pool *pool, const struct feature *feature,
                              struct acc_decay *decay, const struct value *value, int64_t ts_ms)
{
    int64_t half_life = feature->half_life.ms;
    int64_t epoch = clock_floor_div(ts_ms, half_life);
    double age = (double)(ts_ms - epoch * half_life) / (double)half_life;
    struct acc_sum *sum = decay_epoch(pool, decay, epoch);
    if (!sum)
        return OPERATOR_ADDED; /* 64 half-lives old: it counts nothing */
    if (ts_ms > decay->newest_ms)
        decay->newest_ms = ts_ms; /* no event time is below 0, which it is at first */
    return sum_add_double(sum, value_as_double(value) * exp2(age));
}

void decay_merge(struct pool *pool, struct acc_decay *dst, const struct acc_decay *src)
{
    for (uint32_t k = 0; k < src->count; k++) {
        struct acc_sum *sum = decay_epoch(pool, dst, src->epochs[k].epoch);
        if (sum)
            sum_merge(sum, &src->epochs[k].sum);
    }
    if (src->count > 0 && src->newest_ms > dst->newest_ms)
        dst->newest_ms = src->newest_ms;
}

void decay_release(struct pool *pool, struct acc_decay *decay)
{
    pool_free(pool, decay->epochs, decay->capacity * sizeof decay->epochs[0]);
    *decay = (struct acc_decay){0};
}

struct value decay_result(const struct feature *feature, const char *const *bases, int count)
{
    const struct acc_decay *newest = NULL;
    for (int k = 0; k < count; k++) {
        const struct acc_decay *decay = source_at(feature, bases, k);
        if (decay->count > 0 && (!newest || decay->newest_ms > newest->newest_ms))
            newest = decay;
    }
    if (!newest)
        return value_null();
    int64_t last = newest->epochs[newest->count - 1].epoch;
    struct acc_sum sums[OPERATOR_DECAY_EPOCHS] = {0}; /* by epochs before the last */
    for (int k = 0; k < count; k++) {
        const struct acc_decay *decay = source_at(feature, bases, k);
        for (uint32_t i = 0; i < decay->count; i++) {
            int64_t before = last - decay->epochs[i].epoch;
            if (before < OPERATOR_DECAY_EPOCHS)
                sum_merge(&sums[before], &decay->epochs[i].sum);
        }
    }
    double sum = 0;
    for (int before = OPERATOR_DECAY_EPOCHS - 1; before >= 0; before--)
        sum += ldexp((double)sum_total(&sums[before]) * SUM_UNIT, -before);
    int64_t half_life = feature->half_life.ms;
    double age = (double)(newest->newest_ms - last * half_life) / (double)half_life;
    return value_double(operator_round12(sum * exp2(-age)));
}
