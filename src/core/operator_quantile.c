/* Quantiles from logarithmic buckets: Masson, Rim and Lee, "DDSketch", 2019, without collapsing,
 * as the range of sizes bounds the number of buckets. */
#include <stdlib.h>
#include <string.h>

#include "operator_private.h"

/* Each bucket holds the sizes in (GAMMA^(i - 1), GAMMA^i]. */
#define GAMMA    (1.01 / 0.99)
#define SIZE_MIN 0x1p-40 /* smaller sizes count as 0 */
#define SIZE_LARGEST 0x1p62

/* Places of buckets: PLACE_OF_ONE + i for positive values, mirrored for negative ones. */
enum { PLACE_OF_ONE = 2048, BUCKETS_FIRST_CAPACITY = 2 };

static int64_t bucket_place(double number)
{
    double size = fabs(number);
    if (size < SIZE_MIN)
        return 0;
    if (size > SIZE_LARGEST)
        size = SIZE_LARGEST;
    int64_t place = PLACE_OF_ONE + (int64_t)ceil(log(size) / log(GAMMA));
    return number < 0 ? -place : place;
}

static double bucket_estimate(int64_t place)
{
    if (place == 0)
        return 0;
    double size = 2 * pow(GAMMA, (double)(llabs(place) - PLACE_OF_ONE)) / (GAMMA + 1);
    return operator_round12(place < 0 ? -size : size);
}

static void buckets_count(struct pool *pool, struct acc_buckets *acc, int64_t place, uint64_t n)
{
    uint32_t low = 0;
    uint32_t high = acc->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (acc->buckets[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == acc->count || acc->buckets[low].place != place) {
        if (acc->count == acc->capacity) {
            uint32_t capacity = acc->capacity ? 2 * acc->capacity : BUCKETS_FIRST_CAPACITY;
            acc->buckets = pool_resize(pool, acc->buckets, acc->capacity * sizeof acc->buckets[0],
                                       capacity * sizeof acc->buckets[0]);
            acc->capacity = capacity;
        }
        memmove(&acc->buckets[low + 1], &acc->buckets[low],
                (acc->count - low) * sizeof acc->buckets[0]);
        acc->buckets[low] = (struct bucket){.place = place};
        acc->count++;
    }
    acc->buckets[low].n += n;
}

void buckets_add(struct pool *pool, struct acc_buckets *acc, const struct value *value)
{
    buckets_count(pool, acc, bucket_place(value_as_double(value)), 1);
}

void buckets_merge(struct pool *pool, struct acc_buckets *dst, const struct acc_buckets *src)
{
    for (uint32_t k = 0; k < src->count; k++)
        buckets_count(pool, dst, src->buckets[k].place, src->buckets[k].n);
}

void buckets_release(struct pool *pool, struct acc_buckets *acc)
{
    pool_free(pool, acc->buckets, acc->capacity * sizeof acc->buckets[0]);
    *acc = (struct acc_buckets){0};
}

static int compare_places(const void *a, const void *b)
{
    int64_t left = ((const struct bucket *)a)->place;
    int64_t right = ((const struct bucket *)b)->place;
    return (left > right) - (left < right);
}

struct value buckets_result(const struct feature *feature, const char *const *bases, int count,
                            struct arena *arena)
{
    size_t total = 0;
    for (int k = 0; k < count; k++)
        total += ((const struct acc_buckets *)source_at(feature, bases, k))->count;
    if (total == 0)
        return value_null();
    struct bucket *all = arena_alloc(arena, total * sizeof *all);
    size_t buckets = 0;
    uint64_t n = 0;
    for (int k = 0; k < count; k++) {
        const struct acc_buckets *acc = source_at(feature, bases, k);
        for (uint32_t i = 0; i < acc->count; i++) {
            n += acc->buckets[i].n;
            all[buckets++] = acc->buckets[i];
        }
    }
    if (count > 1)
        qsort(all, buckets, sizeof *all, compare_places);
    double rank = feature->fraction * (double)(n - 1);
    size_t at = 0;
    for (uint64_t seen = all[0].n; (double)seen <= rank && at + 1 < buckets; seen += all[at].n)
        at++;
    return value_double(bucket_estimate(all[at].place));
}
