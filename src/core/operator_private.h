/* The families of accumulators, among which operator.c shares out the operators. */
#ifndef FRESHET_OPERATOR_PRIVATE_H
#define FRESHET_OPERATOR_PRIVATE_H

#include <math.h>

#include "operator.h"

__extension__ typedef __int128 wide; /* totals of sums */
__extension__ typedef unsigned __int128 wide_bits;

/* The k-th of the accumulators that make one value together: see operator_result. */
static inline const void *source_at(const struct feature *feature, const char *const *bases, int k)
{
    return bases[k] + feature->acc_offset;
}

static inline bool order_before(struct event_order a, struct event_order b)
{
    return a.ts_ms != b.ts_ms ? a.ts_ms < b.ts_ms : a.offset < b.offset;
}

static inline struct event_order entry_order(const struct entry *entry)
{
    return (struct event_order){entry->ts_ms, entry->offset};
}

static inline double value_as_double(const struct value *value)
{
    return value->type == VALUE_DOUBLE ? value->d : (double)value->i;
}

/* Values that are equal shall look equal when they are kept: -0 becomes +0. */
static inline struct value value_as_kept(const struct value *value)
{
    return value->type == VALUE_DOUBLE && value->d == 0 ? value_double(0) : *value;
}

/* ---- exact sums ---- */

#define SUM_UNIT       0x1p-40 /* doubles are summed as multiples of this */
#define SUM_ADDEND_MAX 0x1p62  /* so that 2^25 of the greatest fit */

static inline wide sum_total(const struct acc_sum *sum)
{
    return (wide)(((wide_bits)(uint64_t)sum->high << 64) | sum->low);
}

static inline void sum_set(struct acc_sum *sum, wide total)
{
    sum->low = (uint64_t)total;
    sum->high = (int64_t)(total >> 64);
}

static inline enum operator_added sum_add_double(struct acc_sum *sum, double addend)
{
    bool within = fabs(addend) <= SUM_ADDEND_MAX;
    if (!within)
        addend = copysign(SUM_ADDEND_MAX, addend);
    sum_set(sum, sum_total(sum) + (wide)rint(addend / SUM_UNIT));
    sum->n++;
    return within ? OPERATOR_ADDED : OPERATOR_CLAMPED;
}

static inline void sum_merge(struct acc_sum *dst, const struct acc_sum *src)
{
    sum_set(dst, sum_total(dst) + sum_total(src));
    dst->n += src->n;
}

/* ---- var, stddev (operator_moment.c) ---- */

enum operator_added moments_add(struct acc_moments *moments, const struct value *value);
struct value moments_result(const struct feature *feature, const char *const *bases, int count);

/* ---- first, last, time_of_first, time_of_last (operator_edge.c) ---- */

void edge_add(struct pool *pool, const struct feature *feature, struct acc_edge *edge,
              const struct value *value, struct event_order order);
void edge_merge(struct pool *pool, const struct feature *feature, struct acc_edge *dst,
                struct acc_edge *src);
struct value edge_result(const struct feature *feature, const char *const *bases, int count);
void time_absorb(const struct feature *feature, struct acc_time *held,
                 const struct acc_time *other);
struct value time_result(const struct feature *feature, const char *const *bases, int count);

/* ---- first_n, last_n, last_distinct (operator_list.c) ---- */

void list_add(struct pool *pool, const struct feature *feature, struct acc_list *list,
              const struct value *value, struct event_order order);
void list_merge(struct pool *pool, const struct feature *feature, struct acc_list *dst,
                struct acc_list *src);
void list_release(struct pool *pool, struct acc_list *list);
struct value list_result(const struct feature *feature, const char *const *bases, int count,
                         struct arena *arena);

/* ---- distinct (operator_distinct.c) ---- */

void distinct_add(struct pool *pool, struct acc_distinct *set, const struct value *value);
void distinct_merge(struct pool *pool, struct acc_distinct *dst, struct acc_distinct *src);
void distinct_release(struct pool *pool, struct acc_distinct *set);
int64_t distinct_result(const struct feature *feature, const char *const *bases, int count,
                        struct arena *arena);

/* ---- top_k, entropy (operator_tally.c) ---- */

enum operator_added tally_add(struct pool *pool, struct acc_tally *tally,
                              const struct value *value);
void tally_merge(struct pool *pool, struct acc_tally *dst, struct acc_tally *src);
void tally_release(struct pool *pool, struct acc_tally *tally);
struct value tally_result(const struct feature *feature, const char *const *bases, int count,
                          struct arena *arena);

/* ---- quantile (operator_quantile.c) ---- */

void buckets_add(struct pool *pool, struct acc_buckets *acc, const struct value *value);
void buckets_merge(struct pool *pool, struct acc_buckets *dst, const struct acc_buckets *src);
void buckets_release(struct pool *pool, struct acc_buckets *acc);
struct value buckets_result(const struct feature *feature, const char *const *bases, int count,
                            struct arena *arena);

/* ---- decayed_sum (operator_decay.c) ---- */

enum operator_added decay_add(struct pool *pool, const struct feature *feature,
                              struct acc_decay *decay, const struct value *value, int64_t ts_ms);
void decay_merge(struct pool *pool, struct acc_decay *dst, const struct acc_decay *src);
void decay_release(struct pool *pool, struct acc_decay *decay);
struct value decay_result(const struct feature *feature, const char *const *bases, int count);

/* ---- `by` (operator_group.c) ---- */

enum { GROUP_ALIGNMENT = 8 };
/* Bytes from one group to the next. */
static inline size_t group_bytes(const struct feature *feature)
{
    size_t acc = operator_rows[feature->op].acc_bytes;
    return sizeof(struct group) + (acc + GROUP_ALIGNMENT - 1) / GROUP_ALIGNMENT * GROUP_ALIGNMENT;
}

static inline struct group *group_at(const struct feature *feature,
                                     const struct acc_groups *groups, uint32_t k)
{
    return (struct group *)(void *)(groups->groups + k * group_bytes(feature));
}

/* The feature as it is within a group. */
static inline struct feature group_feature(const struct feature *feature)
{
    struct feature one = *feature;
    one.by = -1;
    one.acc_offset = 0;
    return one;
}

void groups_merge(struct pool *pool, const struct feature *feature, struct acc_groups *dst,
                  struct acc_groups *src);
void groups_release(struct pool *pool, const struct feature *feature, struct acc_groups *groups);
struct value groups_result(const struct feature *feature, const char *const *bases, int count,
                           struct arena *arena, bool *nothing);

#endif
