/* SplitMix64, and Zipf by rejection-inversion (Hörmann and Derflinger, 1996): no tables, so that
 * ten million users cost nothing to set up. */
#include <math.h>

#include "clickrandom.h"

uint64_t clickrandom_bits(struct clickrandom *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

double clickrandom_unit(struct clickrandom *random)
{
    return (double)(clickrandom_bits(random) >> 11) * 0x1p-53;
}

int64_t clickrandom_below(struct clickrandom *random, int64_t bound)
{
    return (int64_t)(clickrandom_bits(random) % (uint64_t)bound);
}

double clickrandom_exponential(struct clickrandom *random, double mean)
{
    return -mean * log(1 - clickrandom_unit(random));
}

/* The integral of x^-exponent, and its inverse. */
static double area(double exponent, double x)
{
    return exponent == 1 ? log(x) : (pow(x, 1 - exponent) - 1) / (1 - exponent);
}

static double area_inverse(double exponent, double y)
{
    return exponent == 1 ? exp(y) : pow(1 + y * (1 - exponent), 1 / (1 - exponent));
}

void clickrandom_zipf_init(struct clickrandom_zipf *zipf, int64_t count, double exponent)
{
    zipf->count = count;
    zipf->exponent = exponent;
    zipf->low = area(exponent, 1.5) - 1;
    zipf->high = area(exponent, (double)count + 0.5);
    zipf->threshold = 2 - area_inverse(exponent, area(exponent, 2.5) - pow(2, -exponent));
}

int64_t clickrandom_zipf_rank(const struct clickrandom_zipf *zipf, struct clickrandom *random)
{
    if (zipf->exponent == 0)
        return 1 + clickrandom_below(random, zipf->count);
    for (;;) {
        double y = zipf->high + clickrandom_unit(random) * (zipf->low - zipf->high);
        double x = area_inverse(zipf->exponent, y);
        int64_t rank = (int64_t)(x + 0.5);
        rank = rank < 1 ? 1 : rank > zipf->count ? zipf->count : rank;
        double k = (double)rank;
        if (k - x <= zipf->threshold ||
            y >= area(zipf->exponent, k + 0.5) - pow(k, -zipf->exponent))
            return rank;
    }
}
