/* Variance from exact sums: the quotient of two large integers, rounded once. */
#include <string.h>

#include "expect.h"
#include "operator_private.h"

enum operator_added moments_add(struct acc_moments *moments, const struct value *value)
{
    double d = value_as_double(value);
    enum operator_added added = sum_add_double(&moments->values, d);
    enum operator_added square = sum_add_double(&moments->squares, d * d);
    return added == OPERATOR_ADDED ? square : added;
}

/* ---- integers of 256 bits ---- */

enum { LIMBS = 4, LIMB_BITS = 64 };

/* The lowest limb first. */
struct large {
    uint64_t limbs[LIMBS];
};

static struct large large_product(wide_bits a, wide_bits b)
{
    uint64_t left[] = {(uint64_t)a, (uint64_t)(a >> LIMB_BITS)};
    uint64_t right[] = {(uint64_t)b, (uint64_t)(b >> LIMB_BITS)};
    struct large product = {0};
    for (int i = 0; i < 2; i++) {
        uint64_t carry = 0;
        for (int k = 0; k < 2; k++) {
            wide_bits sum = (wide_bits)left[i] * right[k] + product.limbs[i + k] + carry;
            product.limbs[i + k] = (uint64_t)sum;
            carry = (uint64_t)(sum >> LIMB_BITS);
        }
        product.limbs[i + 2] = carry;
    }
    return product;
}

/* By less than a limb; what goes beyond the highest is lost. */
static struct large large_shifted(struct large number, int bits)
{
    for (int k = LIMBS - 1; k > 0; k--)
        number.limbs[k] = number.limbs[k] << bits | number.limbs[k - 1] >> (LIMB_BITS - bits);
    number.limbs[0] <<= bits;
    return number;
}

/* a -= b; true when b was greater. */
static bool large_subtract(struct large *a, const struct large *b)
{
    bool borrow = false;
    for (int k = 0; k < LIMBS; k++) {
        uint64_t difference;
        bool below = __builtin_sub_overflow(a->limbs[k], b->limbs[k], &difference);
        borrow = __builtin_sub_overflow(difference, borrow, &a->limbs[k]) || below;
    }
    return borrow;
}

/* The nearest double of number / divisor / 2^halvings, by long division: 55 binary digits, the
 * last of which also stands for all that follow. */
static double large_quotient(const struct large *number, wide_bits divisor, int halvings)
{
    static const struct large zero;
    if (memcmp(number, &zero, sizeof zero) == 0)
        return 0;
    wide_bits rest = 0;
    uint64_t quotient = 0;
    uint64_t left = 0; /* digits of number that the quotient has not seen */
    int at = LIMBS * LIMB_BITS;
    while (quotient >> 54 == 0) {
        at--;
        uint64_t digit = at < 0 ? 0 : number->limbs[at / LIMB_BITS] >> (at % LIMB_BITS) & 1;
        rest = rest << 1 | digit;
        quotient = quotient << 1 | (rest >= divisor);
        if (rest >= divisor)
            rest -= divisor;
    }
    for (int k = at - 1; k >= 0; k--)
        left |= number->limbs[k / LIMB_BITS] >> (k % LIMB_BITS) & 1;
    quotient |= left || rest != 0;
    return ldexp((double)quotient, at - halvings);
}

/* ---- value ---- */

/* (n * squares - values^2) / n^2, with squares in units of 2^-40 and values^2 in those of 2^-80. */
static double variance(const struct acc_moments *all)
{
    enum { UNIT_BITS = 40 };
    wide values = sum_total(&all->values);
    wide_bits size = values < 0 ? -(wide_bits)values : (wide_bits)values;
    wide_bits n = all->values.n;
    expect(n >> 62 == 0); /* its square has room for the remainder of the division */
    struct large spread =
        large_shifted(large_product(n, (wide_bits)sum_total(&all->squares)), UNIT_BITS);
    struct large square = large_product(size, size);
    if (large_subtract(&spread, &square))
        return 0; /* only by the rounding of the addends */
    return large_quotient(&spread, n * n, 2 * UNIT_BITS);
}

struct value moments_result(const struct feature *feature, const char *const *bases, int count)
{
    struct acc_moments all = {0};
    for (int k = 0; k < count; k++) {
        const struct acc_moments *moments = source_at(feature, bases, k);
        sum_merge(&all.values, &moments->values);
        sum_merge(&all.squares, &moments->squares);
    }
    if (all.values.n == 0)
        return value_null();
    double shown = variance(&all);
    return value_double(operator_round12(feature->op == OPERATOR_VAR ? shown : sqrt(shown)));
}
