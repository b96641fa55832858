/* For tests of operators: accumulators by hand, without a shard. */
#ifndef FRESHET_TESTS_OPERATORKIT_H
#define FRESHET_TESTS_OPERATORKIT_H

#include <stdio.h>
#include <string.h>

#include "corekit.h"
#include "operator.h"

enum { PARTS_MAX = 4, ACC_BYTES_MAX = 64 };

/* A feature over a session (or the lifetime, for the operators that know nothing else) and some
 * accumulators of it. */
struct bench {
    struct feature_set *set;
    const struct feature *feature;
    struct pool pool;
    struct arena arena;
    char accs[PARTS_MAX][ACC_BYTES_MAX];
};

/* keys: further lines of the feature, each with its line end. */
static inline struct bench bench_with(const char *op, const char *keys)
{
    char text[256];
    bool lifetime = strncmp(op, "decayed_sum", 11) == 0;
    snprintf(text, sizeof text, "[feature f]\nop = %s\nover = %s\n%s", op,
             lifetime ? "lifetime" : "session", keys);
    struct bench bench = {.set = corekit_features(text)};
    bench.feature = &bench.set->features[0];
    assert_true(operator_acc_bytes(bench.feature) <= ACC_BYTES_MAX);
    pool_init(&bench.pool);
    return bench;
}

static inline struct bench bench_of(const char *op)
{
    return bench_with(op, "");
}

static inline enum operator_added bench_add_grouped(struct bench *bench, int part,
                                                    struct value group, struct value value,
                                                    int64_t ts, int64_t offset)
{
    struct event_order order = {ts, offset};
    if (bench->feature->by < 0)
        return operator_add(&bench->pool, bench->feature, bench->accs[part], &value, order);
    return operator_add_grouped(&bench->pool, bench->feature, bench->accs[part], &group, &value,
                                order);
}

static inline enum operator_added bench_add(struct bench *bench, int part, struct value value,
                                            int64_t ts, int64_t offset)
{
    return bench_add_grouped(bench, part, value_null(), value, ts, offset);
}

static inline void bench_merge(struct bench *bench, int into, int from)
{
    operator_merge(&bench->pool, bench->feature, bench->accs[into], bench->accs[from]);
}

/* The value over the parts from first on. */
static inline struct value bench_result_of(struct bench *bench, int first, int parts)
{
    const char *bases[PARTS_MAX];
    for (int k = 0; k < parts; k++)
        bases[k] = bench->accs[first + k];
    bool nothing;
    return operator_result(bench->feature, bases, parts, &bench->arena, &nothing);
}

static inline struct value bench_result(struct bench *bench, int parts)
{
    return bench_result_of(bench, 0, parts);
}

/* Releases all; nothing may be left in the pool. */
static inline void bench_end(struct bench *bench)
{
    for (int k = 0; k < PARTS_MAX; k++)
        operator_release(&bench->pool, bench->feature, bench->accs[k]);
    assert_int_equal(bench->pool.used_bytes, 0);
    pool_fini(&bench->pool);
    arena_free(&bench->arena);
    feature_set_free(bench->set);
}

static inline struct value text(const char *s)
{
    return value_text(VALUE_STRING, s, (uint32_t)strlen(s));
}

/* Equal to the bit, but for the sign of zero. */
static inline bool same(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == VALUE_LIST || a->type == VALUE_MAP) {
        uint32_t items = a->type == VALUE_MAP ? 2 * a->len : a->len;
        if (a->len != b->len)
            return false;
        for (uint32_t k = 0; k < items; k++)
            if (!same(&a->items[k], &b->items[k]))
                return false;
        return true;
    }
    return a->type == VALUE_NULL || value_compare(a, b) == 0;
}

#endif
