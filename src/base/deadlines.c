/* A radix heap: bucket b > 0 holds the entries that differ from last_ms first in bit b - 1.
 *
 * So every entry of a bucket is later than all of the buckets before it. When the first bucket
 * that is not empty comes within reach of the clock, last_ms moves into its range and all of its
 * entries fall into earlier buckets, for good: each entry moves at most 64 times. */
#include "deadlines.h"

#include "expect.h"
#include "pool.h"

enum {
    BUCKET_FIRST_CAPACITY = 16,
    BUCKET_KEPT_CAPACITY = 256, /* an emptied bucket gives more than this back */
};

void deadlines_init(struct deadlines *deadlines)
{
    *deadlines = (struct deadlines){.last_ms = INT64_MIN};
}

void deadlines_free(struct deadlines *deadlines)
{
    for (int b = 0; b < DEADLINES_BUCKETS; b++)
        memory_free(deadlines->buckets[b].entries);
    deadlines_init(deadlines);
}

static void bucket_add(struct deadlines_bucket *bucket, struct deadline deadline)
{
    if (bucket->count == bucket->capacity) {
        expect(bucket->capacity <= UINT32_MAX / 2);
        bucket->capacity = bucket->capacity ? 2 * bucket->capacity : BUCKET_FIRST_CAPACITY;
        bucket->entries =
            memory_resize(bucket->entries, (size_t)bucket->capacity * sizeof bucket->entries[0]);
    }
    bucket->entries[bucket->count++] = deadline;
}

static void deadlines_place(struct deadlines *deadlines, struct deadline deadline)
{
    int bucket = 0;
    if (deadline.at_ms > deadlines->last_ms)
        bucket = 64 - __builtin_clzll((uint64_t)deadline.at_ms ^ (uint64_t)deadlines->last_ms);
    bucket_add(&deadlines->buckets[bucket], deadline);
}

void deadlines_push(struct deadlines *deadlines, struct deadline deadline)
{
    deadlines_place(deadlines, deadline);
    deadlines->count++;
}

/* The earliest time that can be in bucket b > 0. The sign bit is flipped to count in unsigned. */
static int64_t bucket_start_ms(const struct deadlines *deadlines, int b)
{
    const uint64_t sign = (uint64_t)1 << 63;
    uint64_t bit = (uint64_t)1 << (b - 1);
    uint64_t last = (uint64_t)deadlines->last_ms ^ sign;
    return (int64_t)(((last & ~(bit - 1)) | bit) ^ sign);
}

static void deadlines_redistribute(struct deadlines *deadlines, int b, int64_t now_ms)
{
    struct deadlines_bucket *bucket = &deadlines->buckets[b];
    int64_t last_ms = now_ms;
    for (uint32_t k = 0; k < bucket->count; k++)
        if (bucket->entries[k].at_ms < last_ms)
            last_ms = bucket->entries[k].at_ms;
    deadlines->last_ms = last_ms;
    for (uint32_t k = 0; k < bucket->count; k++)
        deadlines_place(deadlines, bucket->entries[k]);
    bucket->count = 0;
    if (bucket->capacity > BUCKET_KEPT_CAPACITY) {
        memory_free(bucket->entries);
        *bucket = (struct deadlines_bucket){0};
    }
}

bool deadlines_pop(struct deadlines *deadlines, int64_t now_ms, struct deadline *out)
{
    while (deadlines->count > 0 && deadlines->last_ms <= now_ms) {
        struct deadlines_bucket *due = &deadlines->buckets[0];
        if (due->count > 0) {
            *out = due->entries[--due->count];
            deadlines->count--;
            return true;
        }
        int b = 1;
        while (deadlines->buckets[b].count == 0)
            b++;
        if (bucket_start_ms(deadlines, b) > now_ms)
            return false;
        deadlines_redistribute(deadlines, b, now_ms);
    }
    return false;
}

size_t deadlines_bytes(const struct deadlines *deadlines)
{
    size_t entries = 0;
    for (int b = 0; b < DEADLINES_BUCKETS; b++)
        entries += deadlines->buckets[b].capacity;
    return entries * sizeof(struct deadline);
}
