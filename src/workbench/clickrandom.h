/* Seeded random numbers for the generator: the same everywhere for the same seed. */
#ifndef FRESHET_CLICKRANDOM_H
#define FRESHET_CLICKRANDOM_H

#include <stdint.h>

struct clickrandom {
    uint64_t state;
};

uint64_t clickrandom_bits(struct clickrandom *random);
double clickrandom_unit(struct clickrandom *random);                  /* [0, 1) */
int64_t clickrandom_below(struct clickrandom *random, int64_t bound); /* [0, bound) */
double clickrandom_exponential(struct clickrandom *random, double mean);

/* Ranks 1..count with probability proportional to rank^-exponent; exponent 0 is uniform. */
struct clickrandom_zipf {
    int64_t count;
    double exponent;
    double low, high, threshold; /* of the rejection */
};
void clickrandom_zipf_init(struct clickrandom_zipf *zipf, int64_t count, double exponent);
int64_t clickrandom_zipf_rank(const struct clickrandom_zipf *zipf, struct clickrandom *random);

#endif
