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
    OPERATOR_TALLY_MAX = 4096,   /* different values in an accumulator of top_k and entropy */
    OPERATOR_GROUPS_MAX = 4096,  /* groups of `by` in a pane or session */
    OPERATOR_DECAY_EPOCHS = 64,  /* half-lives that decayed_sum looks back */
};

/* Where an event stands in event order: S9 orders by event time, then by offset. */
struct event_order {
    int64_t ts_ms;
    int64_t offset;
};

/* What became of a value. */
enum operator_added {
    OPERATOR_ADDED,
    OPERATOR_CLAMPED,  /* an addend of a sum lay beyond +-2^62 and was taken as that bound */
    OPERATOR_LEFT_OUT, /* a further value or group, where the accumulator holds all it can */
};

/* Adds one value (never null; a bool for an operator without an argument) to the accumulator at
 * acc, which is that of one value: the feature has no `by`. */
enum operator_added operator_add(struct pool *pool, const struct feature *feature, void *acc,
                                 const struct value *value, struct event_order order);
/* The same for a feature with `by`, within its group (never null). */
enum operator_added operator_add_grouped(struct pool *pool, const struct feature *feature,
                                         void *acc, const struct value *group,
                                         const struct value *value, struct event_order order);

/* Bytes of the feature's accumulator. */
unsigned operator_acc_bytes(const struct feature *feature);

/* Adds what src holds to dst and leaves src empty. Nothing is left out: what was held is kept. */
void operator_merge(struct pool *pool, const struct feature *feature, void *dst, void *src);

/* Frees what the accumulator owns and makes it empty. */
void operator_release(struct pool *pool, const struct feature *feature, void *acc);

/*
 * The feature's value over count accumulators taken together; the k-th is at
 * bases[k] + feature->acc_offset. nothing is set when no value was ever added to them: the value
 * is then the operator's empty value. Lists and maps live in the arena, their text in the
 * accumulators.
 */
struct value operator_result(const struct feature *feature, const char *const *bases, int count,
                             struct arena *arena, bool *nothing);

/* What passes through libm is rounded to 12 significant digits, so that it is the same anywhere. */
double operator_round12(double number);

#endif
