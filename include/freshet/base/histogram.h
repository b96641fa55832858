/* A histogram of non-negative numbers in buckets of 12.5 % width, for latencies. */
#ifndef FRESHET_HISTOGRAM_H
#define FRESHET_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 496 }; /* 8 a power of two, up to 2^62 */

/* All zero is an empty histogram. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count;
    int64_t sum;
};

void histogram_add(struct histogram *histogram, int64_t number); /* negative counts as 0 */
/* The number below which the given share (0 to 1) lies, to the upper end of its bucket; 0 when
 * empty. */
int64_t histogram_quantile(const struct histogram *histogram, double share);
/* How many are at most limit, for cumulative buckets; exact to a bucket. */
uint64_t histogram_at_most(const struct histogram *histogram, int64_t limit);
/* What was added to now since it was what before is. */
void histogram_difference(const struct histogram *now, const struct histogram *before,
                          struct histogram *out);

#endif
