/* Buckets: numbers below 16 each have their own, then eight a power of two. */
#include "histogram.h"

static int bucket_of(int64_t number)
{
    if (number < 16)
        return number < 0 ? 0 : (int)number;
    int power = 63 - __builtin_clzll((unsigned long long)number);
    int eighth = (int)((number >> (power - 3)) & 7);
    return 16 + (power - 4) * 8 + eighth;
}

static int64_t bucket_end(int bucket)
{
    if (bucket < 16)
        return bucket;
    int power = (bucket - 16) / 8 + 4;
    int64_t eighths = 9 + (bucket - 16) % 8;
    return (eighths << (power - 3)) - 1;
}

void histogram_add(struct histogram *histogram, int64_t number)
{
    int bucket = bucket_of(number);
    histogram->counts[bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1]++;
    histogram->count++;
    histogram->sum += number > 0 ? number : 0;
}

int64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t below = 0;
    for (int k = 0; k < HISTOGRAM_BUCKETS; k++) {
        below += histogram->counts[k];
        if (histogram->counts[k] && (double)below >= share * (double)histogram->count)
            return bucket_end(k);
    }
    return 0;
}

uint64_t histogram_at_most(const struct histogram *histogram, int64_t limit)
{
    uint64_t below = 0;
    for (int k = 0; k < HISTOGRAM_BUCKETS && bucket_end(k) <= limit; k++)
        below += histogram->counts[k];
    return below;
}

void histogram_difference(const struct histogram *now, const struct histogram *before,
                          struct histogram *out)
{
    for (int k = 0; k < HISTOGRAM_BUCKETS; k++)
        out->counts[k] = now->counts[k] - before->counts[k];
    out->count = now->count - before->count;
    out->sum = now->sum - before->sum;
}
