/* Operators: their values, and the laws that their flags in operators.def promise. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "corekit.h"
#include "hash.h"
#include "operator.h"

/* ---- accumulators by hand ---- */

enum { PARTS_MAX = 4 };

struct bench {
    struct feature_set *set;
    const struct feature *feature;
    struct pool pool;
    struct arena arena;
    char accs[PARTS_MAX][64];
};

static struct bench bench_of(const char *op)
{
    char text[256];
    snprintf(text, sizeof text, "[feature f]\nop = %s\nover = session\n", op);
    struct bench bench = {.set = corekit_features(text)};
    bench.feature = &bench.set->features[0];
    assert_true(operator_rows[bench.feature->op].acc_bytes <= sizeof bench.accs[0]);
    pool_init(&bench.pool);
    return bench;
}

static bool add(struct bench *bench, int part, struct value value, int64_t ts, int64_t offset)
{
    return operator_add(&bench->pool, bench->feature, bench->accs[part], &value,
                        (struct event_order){ts, offset});
}

static struct value result(struct bench *bench, int parts)
{
    const char *bases[PARTS_MAX];
    for (int k = 0; k < parts; k++)
        bases[k] = bench->accs[k];
    bool nothing;
    return operator_result(bench->feature, bases, parts, &bench->arena, &nothing);
}

static void bench_end(struct bench *bench)
{
    for (int k = 0; k < PARTS_MAX; k++)
        operator_release(&bench->pool, bench->feature, bench->accs[k]);
    assert_int_equal(bench->pool.used_bytes, 0);
    pool_fini(&bench->pool);
    arena_free(&bench->arena);
    feature_set_free(bench->set);
}

static struct value text(const char *s)
{
    return value_text(VALUE_STRING, s, (uint32_t)strlen(s));
}

/* ---- laws ---- */

static bool same(const struct value *a, const struct value *b)
{
    if (a->type != b->type || a->len != b->len)
        return false;
    if (a->type == VALUE_LIST) {
        for (uint32_t k = 0; k < a->len; k++)
            if (!same(&a->items[k], &b->items[k]))
                return false;
        return true;
    }
    if (a->type == VALUE_STRING)
        return memcmp(a->s, b->s, a->len) == 0;
    return a->i == b->i;
}

static uint64_t draw(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    return *random ^= *random << 17;
}

static struct value draw_value(uint64_t *random, const char *op)
{
    static const char *const words[] = {"a", "bb", "a rather long word", "another long word", ""};
    uint64_t n = draw(random);
    if (strstr(op, "price"))
        return value_double((double)(int64_t)(n % 20001) / 7 - 1000);
    if (strstr(op, "item"))
        return text(words[n % 5]);
    return value_long((int64_t)(n % 11) - 5);
}

/* Parts taken together, merged, and fed in any order give what one accumulator gives. */
static void check_laws(const char *op, uint64_t seed)
{
    enum { VALUES = 40 };
    struct bench one = bench_of(op), parts = bench_of(op), merged = bench_of(op);
    uint64_t random = seed;
    struct value values[VALUES];
    int64_t times[VALUES];
    int order[VALUES];
    for (int k = 0; k < VALUES; k++) {
        values[k] = draw_value(&random, op);
        times[k] = (int64_t)(draw(&random) % 20);
        order[k] = k;
        add(&one, 0, values[k], times[k], k);
    }
    for (int k = VALUES - 1; k > 0; k--) {
        int other = (int)(draw(&random) % (unsigned)(k + 1));
        int swap = order[k];
        order[k] = order[other];
        order[other] = swap;
    }
    for (int k = 0; k < VALUES; k++) {
        int part = (int)(draw(&random) % PARTS_MAX);
        add(&parts, part, values[order[k]], times[order[k]], order[k]);
        add(&merged, part, values[order[k]], times[order[k]], order[k]);
    }
    for (int k = 1; k < PARTS_MAX; k++)
        operator_merge(&merged.pool, merged.feature, merged.accs[0], merged.accs[k]);
    struct value wanted = result(&one, 1);
    struct value together = result(&parts, PARTS_MAX);
    struct value alone = result(&merged, 1);
    assert_true(same(&wanted, &together));
    assert_true(same(&wanted, &alone));
    bench_end(&one);
    bench_end(&parts);
    bench_end(&merged);
}

static void test_mergeable_operators_do_not_depend_on_arrival(void **state)
{
    (void)state;
    static const char *const ops[] = {
        "count",         "count(n)",       "sum(n)",           "sum(price)",
        "mean(n)",       "mean(price)",    "min(n)",           "min(price)",
        "max(n)",        "max(price)",     "first(item)",      "first(n)",
        "last(item)",    "last(price)",    "last_n(item, 7)",  "last_n(n, 100)",
        "last_distinct(item, 3)",          "last_distinct(n, 5)",
        "distinct(item)", "distinct(price)", "distinct(n)"};
    for (size_t k = 0; k < sizeof ops / sizeof ops[0]; k++)
        for (uint64_t seed = 1; seed <= 30; seed++)
            check_laws(ops[k], seed);
    /* every folded operator is among them */
    for (int op = 0; op < OPERATOR_COUNT_OF; op++) {
        bool found = operator_rows[op].scope != FOLDED;
        assert_true(found || operator_rows[op].flags & MERGEABLE);
        size_t len = strlen(operator_rows[op].name);
        for (size_t k = 0; k < sizeof ops / sizeof ops[0]; k++)
            found |= strncmp(ops[k], operator_rows[op].name, len) == 0 &&
                     (ops[k][len] == '(' || ops[k][len] == '\0');
        assert_true(found);
    }
}

/* ---- values ---- */

static void test_nothing_has_the_empty_value(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        struct value empty;
    } rows[] = {{"count", {.i = 0, .type = VALUE_LONG}},
                {"sum(n)", {.i = 0, .type = VALUE_LONG}},
                {"sum(price)", {.d = 0, .type = VALUE_DOUBLE}},
                {"distinct(item)", {.i = 0, .type = VALUE_LONG}},
                {"mean(n)", {.type = VALUE_NULL}},
                {"min(n)", {.type = VALUE_NULL}},
                {"last(item)", {.type = VALUE_NULL}},
                {"last_n(item, 2)", {.type = VALUE_NULL}}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct bench bench = bench_of(rows[k].op);
        for (int parts = 0; parts <= 2; parts++) {
            struct value value = result(&bench, parts);
            assert_true(same(&value, &rows[k].empty));
        }
        bench_end(&bench);
    }
}

static void test_sums_of_doubles_round_each_addend(void **state)
{
    (void)state;
    struct bench bench = bench_of("sum(price)");
    for (int k = 0; k < 10; k++)
        add(&bench, 0, value_double(0.1), 0, k);
    assert_true(result(&bench, 1).d == (double)(10 * (int64_t)rint(0.1 * 0x1p40)) * 0x1p-40);
    add(&bench, 0, value_double(0x1p-41), 0, 10); /* a tie goes to even: nothing */
    assert_true(result(&bench, 1).d == (double)(10 * (int64_t)rint(0.1 * 0x1p40)) * 0x1p-40);
    bench_end(&bench);
    bench = bench_of("sum(price)");
    assert_true(add(&bench, 0, value_double(0x1p62), 0, 0));
    assert_false(add(&bench, 0, value_double(1e300), 0, 1));
    assert_false(add(&bench, 1, value_double(-1e300), 0, 2));
    assert_true(result(&bench, 2).d == 0x1p62);
    bench_end(&bench);
}

static void test_sums_of_longs_are_exact_and_clamped(void **state)
{
    (void)state;
    struct bench bench = bench_of("sum(n)");
    add(&bench, 0, value_long(INT64_MAX), 0, 0);
    add(&bench, 0, value_long(INT64_MAX), 0, 1);
    assert_true(result(&bench, 1).i == INT64_MAX);
    add(&bench, 1, value_long(INT64_MIN), 0, 2);
    add(&bench, 1, value_long(INT64_MIN), 0, 3);
    assert_int_equal(result(&bench, 2).i, -2); /* the clamp is only shown */
    const char *second[] = {bench.accs[1]};
    bool nothing;
    assert_true(operator_result(bench.feature, second, 1, &bench.arena, &nothing).i == INT64_MIN);
    bench_end(&bench);
    bench = bench_of("mean(n)");
    add(&bench, 0, value_long(INT64_MAX), 0, 0);
    add(&bench, 0, value_long(INT64_MAX), 0, 1);
    assert_true(result(&bench, 1).d == 0x1p63);
    bench_end(&bench);
}

static void test_lists_are_newest_first_and_bounded(void **state)
{
    (void)state;
    struct bench bench = bench_of("last_n(item, 3)");
    add(&bench, 0, text("a value beyond eight bytes"), 5, 0);
    add(&bench, 0, text("b"), 5, 1);
    add(&bench, 0, text("old"), 1, 2);
    add(&bench, 0, text("c"), 4, 3);
    add(&bench, 0, text("too old"), 2, 4);
    struct value list = result(&bench, 1);
    assert_int_equal(list.len, 3);
    assert_memory_equal(list.items[0].s, "b", 1);
    assert_memory_equal(list.items[1].s, "a value", 7);
    assert_memory_equal(list.items[2].s, "c", 1);
    bench_end(&bench);
    bench = bench_of("last_distinct(item, 2)");
    add(&bench, 0, text("a"), 1, 0);
    add(&bench, 0, text("b"), 2, 1);
    add(&bench, 0, text("a"), 3, 2); /* a newer occurrence moves it */
    add(&bench, 0, text("b"), 1, 3); /* an older one does not */
    list = result(&bench, 1);
    assert_int_equal(list.len, 2);
    assert_memory_equal(list.items[0].s, "a", 1);
    add(&bench, 1, text("b"), 9, 4); /* in another pane */
    list = result(&bench, 2);
    assert_int_equal(list.len, 2);
    assert_memory_equal(list.items[0].s, "b", 1);
    bench_end(&bench);
    bench = bench_of("last_distinct(price, 5)");
    add(&bench, 0, value_double(0.0), 1, 0);
    add(&bench, 0, value_double(-0.0), 2, 1);
    assert_int_equal(result(&bench, 1).len, 1);
    bench_end(&bench);
}

/* ---- distinct ---- */

static int64_t estimate(int64_t from, int64_t to)
{
    static uint8_t registers[OPERATOR_HLL_REGISTERS];
    memset(registers, 0, sizeof registers);
    for (int64_t n = from; n < to; n++) {
        uint64_t hash = hash_bytes(&n, sizeof n);
        uint64_t rest = hash << 12;
        uint8_t rank = 1;
        while (rank < 53 && !(rest >> 63)) {
            rest <<= 1;
            rank++;
        }
        if (rank > registers[hash >> 52])
            registers[hash >> 52] = rank;
    }
    double sum = 0;
    int zeros = 0;
    for (int k = 0; k < OPERATOR_HLL_REGISTERS; k++) {
        sum += pow(2, -registers[k]);
        zeros += registers[k] == 0;
    }
    double e = 0.7213 / (1 + 1.079 / 4096) * 4096 * 4096 / sum;
    if (e <= 2.5 * 4096 && zeros)
        e = 4096 * log(4096.0 / zeros);
    return (int64_t)rint(operator_round12(e));
}

static void test_distinct_is_a_function_of_the_set(void **state)
{
    (void)state;
    struct bench bench = bench_of("distinct(n)");
    for (int64_t n = 0; n < 1024; n++)
        add(&bench, 0, value_long(n), 0, n);
    for (int64_t n = 0; n < 1024; n++)
        add(&bench, 0, value_long(n), 0, n);
    assert_int_equal(result(&bench, 1).i, 1024); /* still exact */
    /* exact panes whose union is not, and one that is a sketch already */
    for (int64_t n = 1000; n < 1100; n++)
        add(&bench, 1, value_long(n), 0, n);
    assert_int_equal(result(&bench, 2).i, estimate(0, 1100));
    for (int64_t n = 1100; n < 4000; n++)
        add(&bench, 2, value_long(n), 0, n);
    assert_int_equal(result(&bench, 3).i, estimate(0, 4000));
    assert_in_range(result(&bench, 3).i, 3800, 4200);
    /* merging exact into sketch, sketch into exact, sketch into sketch */
    operator_merge(&bench.pool, bench.feature, bench.accs[1], bench.accs[2]);
    operator_merge(&bench.pool, bench.feature, bench.accs[1], bench.accs[0]);
    const char *merged[] = {bench.accs[1]};
    bool nothing;
    assert_int_equal(operator_result(bench.feature, merged, 1, &bench.arena, &nothing).i,
                     estimate(0, 4000));
    for (int64_t n = 0; n < 60000; n++)
        add(&bench, 3, value_long(n), 0, n);
    operator_merge(&bench.pool, bench.feature, bench.accs[3], bench.accs[1]);
    const char *large[] = {bench.accs[3]};
    assert_int_equal(operator_result(bench.feature, large, 1, &bench.arena, &nothing).i,
                     estimate(0, 60000));
    bench_end(&bench);
}

static void test_canonical_bytes(void **state)
{
    (void)state;
    struct bench bench = bench_of("distinct(price)");
    add(&bench, 0, value_double(0.0), 0, 0);
    add(&bench, 0, value_double(-0.0), 0, 1);
    assert_int_equal(result(&bench, 1).i, 1);
    bench_end(&bench);
    char scratch[8];
    size_t len;
    struct value number = value_long(-2), yes = value_bool(true);
    assert_memory_equal(value_canonical(&number, scratch, &len), "\xfe\xff\xff\xff\xff\xff\xff\xff",
                        8);
    assert_memory_equal(value_canonical(&yes, scratch, &len), "\1\0\0\0\0\0\0\0", 8);
    assert_int_equal(len, 8);
}

static void test_round12(void **state)
{
    (void)state;
    assert_true(operator_round12(0) == 0);
    assert_true(isinf(operator_round12(INFINITY)));
    assert_true(operator_round12(1.0 / 3) == 0.333333333333);
    assert_true(operator_round12(123456789012.5) == 123456789012.0);
}

/* ---- in a row ---- */

static void test_defaults_ratios_and_nulls_in_rows(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, "[feature views]\nop = count\nwhere = type == \"view\"\nover = session\n"
                        "[feature clicks]\nop = count\nwhere = type == \"click\"\nover = session\n"
                        "[feature none]\nop = count\nwhere = type == \"x\"\nover = session\n"
                        "default = -1\n"
                        "[feature mean]\nop = mean(price)\nover = session\ndefault = 0.5\n"
                        "[feature low]\nop = min(price)\nover = session\n"
                        "[feature ctr]\nop = ratio(clicks, views, alpha = 1, beta = 2)\n"
                        "[feature bare]\nop = ratio(clicks, views)\n"
                        "[feature of_null]\nop = ratio(low, views)\ndefault = 7\n"
                        "[feature pace]\nop = mean_gap\ndefault = 3\n"
                        "[feature given]\nop = count(n)\nover = session\n"
                        "[feature items]\nop = last_n(item, 2)\nover = session\n");
    corekit_event(&kit, &(struct corekit_event){.key = "k", .ts_ms = 1000, .type = "click",
                                                .price = CORE_NO_PRICE, .n = CORE_NO_N});
    assert_int_equal(corekit_long(&kit, "k", "clicks"), 1);
    assert_int_equal(corekit_long(&kit, "k", "none"), -1);
    assert_int_equal(corekit_long(&kit, "k", "given"), 0);
    assert_true(corekit_value(&kit, "k", "mean").d == 0.5);
    assert_true(corekit_is_null(&kit, "k", "low"));
    assert_true(corekit_value(&kit, "k", "ctr").d == 2.0 / 3);
    assert_true(corekit_is_null(&kit, "k", "bare")); /* 1 / 0 */
    assert_true(corekit_value(&kit, "k", "of_null").d == 7);
    assert_true(corekit_value(&kit, "k", "pace").d == 3);
    assert_true(corekit_is_null(&kit, "k", "items"));
    corekit_event(&kit, &(struct corekit_event){.key = "k", .ts_ms = 1002, .type = "view",
                                                .price = 4, .n = 0, .item = "i"});
    assert_true(corekit_value(&kit, "k", "bare").d == 1);
    assert_true(corekit_value(&kit, "k", "of_null").d == 4);
    assert_true(corekit_value(&kit, "k", "pace").d == 2);
    assert_int_equal(corekit_long(&kit, "k", "given"), 1);
    assert_int_equal(corekit_value(&kit, "k", "items").len, 1);
    struct row row;
    assert_false(shard_peek(kit.shard, "nobody", 6, &kit.arena, &row));
    corekit_fini(&kit);
}

static void test_addends_out_of_bounds_are_counted(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, "[feature s]\nop = sum(price)\nover = session\n");
    corekit_event(&kit, &(struct corekit_event){.key = "k", .ts_ms = 1000, .price = 1e30});
    assert_int_equal(corekit_status(&kit).addends_clamped, 1);
    assert_true(corekit_value(&kit, "k", "s").d == 0x1p62);
    corekit_fini(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mergeable_operators_do_not_depend_on_arrival),
        cmocka_unit_test(test_nothing_has_the_empty_value),
        cmocka_unit_test(test_sums_of_doubles_round_each_addend),
        cmocka_unit_test(test_sums_of_longs_are_exact_and_clamped),
        cmocka_unit_test(test_lists_are_newest_first_and_bounded),
        cmocka_unit_test(test_distinct_is_a_function_of_the_set),
        cmocka_unit_test(test_canonical_bytes),
        cmocka_unit_test(test_round12),
        cmocka_unit_test(test_defaults_ratios_and_nulls_in_rows),
        cmocka_unit_test(test_addends_out_of_bounds_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
