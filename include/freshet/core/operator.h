/* Operators at work: adding values to accumulators, merging them, reading them. */
#ifndef FRESHET_OPERATOR_H
#define FRESHET_OPERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "feature.h"
#include "operator_state.h"
#include "pool.h"
#include "value.h"

enum {
    OPERATOR_DISTINCT_EXACT_MAX = 1024, /* beyond: HyperLogLog */
    OPERATOR_HLL_BITS = 12,
    OPERATOR_HLL_REGISTERS = 1 << OPERATOR_HLL_BITS,
};

/* Where an event stands in event order: S9 orders by event time, then by offset. */
struct event_order {
    int64_t ts_ms;
    int64_t offset;
};

/*
 * Adds one value (never null; a bool for `count` without an argument) to the accumulator at acc.
 * Returns false when the addend of a sum lay beyond +-2^62 and was taken as that bound.
 */
bool operator_add(struct pool *pool, const struct feature *feature, void *acc,
                  const struct value *value, struct event_order order);

/* Adds what src holds to dst and leaves src empty. */
void operator_merge(struct pool *pool, const struct feature *feature, void *dst, void *src);

/* Frees what the accumulator owns and makes it empty. */
void operator_release(struct pool *pool, const struct feature *feature, void *acc);

/*
 * The operator's value over count accumulators taken together; the k-th is at
 * bases[k] + feature->acc_offset. nothing is set when no value was ever added to them: the value
 * is then the operator's empty value. Lists live in the arena, their text in the accumulators.
 */
struct value operator_result(const struct feature *feature, const char *const *bases, int count,
                             struct arena *arena, bool *nothing);

/* What passes through libm is rounded to 12 significant digits, so that it is the same anywhere. */
double operator_round12(double number);

#endif
