/* Operators: their values at the edges. The laws of all are in test_operator_laws. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hash.h"
#include "operatorkit.h"

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
            struct value value = bench_result(&bench, parts);
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
        bench_add(&bench, 0, value_double(0.1), 0, k);
    assert_true(bench_result(&bench, 1).d == (double)(10 * (int64_t)rint(0.1 * 0x1p40)) * 0x1p-40);
    bench_add(&bench, 0, value_double(0x1p-41), 0, 10); /* a tie goes to even: nothing */
    assert_true(bench_result(&bench, 1).d == (double)(10 * (int64_t)rint(0.1 * 0x1p40)) * 0x1p-40);
    bench_end(&bench);
    bench = bench_of("sum(price)");
    assert_int_equal(bench_add(&bench, 0, value_double(0x1p62), 0, 0), OPERATOR_ADDED);
    assert_int_equal(bench_add(&bench, 0, value_double(1e300), 0, 1), OPERATOR_CLAMPED);
    assert_int_equal(bench_add(&bench, 1, value_double(-1e300), 0, 2), OPERATOR_CLAMPED);
    assert_true(bench_result(&bench, 2).d == 0x1p62);
    bench_end(&bench);
}

static void test_sums_of_longs_are_exact_and_clamped(void **state)
{
    (void)state;
    struct bench bench = bench_of("sum(n)");
    bench_add(&bench, 0, value_long(INT64_MAX), 0, 0);
    bench_add(&bench, 0, value_long(INT64_MAX), 0, 1);
    assert_true(bench_result(&bench, 1).i == INT64_MAX);
    bench_add(&bench, 1, value_long(INT64_MIN), 0, 2);
    bench_add(&bench, 1, value_long(INT64_MIN), 0, 3);
    assert_int_equal(bench_result(&bench, 2).i, -2); /* the clamp is only shown */
    assert_true(bench_result_of(&bench, 1, 1).i == INT64_MIN);
    bench_end(&bench);
    bench = bench_of("mean(n)");
    bench_add(&bench, 0, value_long(INT64_MAX), 0, 0);
    bench_add(&bench, 0, value_long(INT64_MAX), 0, 1);
    assert_true(bench_result(&bench, 1).d == 0x1p63);
    bench_end(&bench);
}

static void test_lists_are_newest_first_and_bounded(void **state)
{
    (void)state;
    struct bench bench = bench_of("last_n(item, 3)");
    bench_add(&bench, 0, text("a value beyond eight bytes"), 5, 0);
    bench_add(&bench, 0, text("b"), 5, 1);
    bench_add(&bench, 0, text("old"), 1, 2);
    bench_add(&bench, 0, text("c"), 4, 3);
    bench_add(&bench, 0, text("too old"), 2, 4);
    struct value list = bench_result(&bench, 1);
    assert_int_equal(list.len, 3);
    assert_memory_equal(list.items[0].s, "b", 1);
    assert_memory_equal(list.items[1].s, "a value", 7);
    assert_memory_equal(list.items[2].s, "c", 1);
    bench_end(&bench);
    bench = bench_of("last_distinct(item, 2)");
    bench_add(&bench, 0, text("a"), 1, 0);
    bench_add(&bench, 0, text("b"), 2, 1);
    bench_add(&bench, 0, text("a"), 3, 2); /* a newer occurrence moves it */
    bench_add(&bench, 0, text("b"), 1, 3); /* an older one does not */
    list = bench_result(&bench, 1);
    assert_int_equal(list.len, 2);
    assert_memory_equal(list.items[0].s, "a", 1);
    bench_add(&bench, 1, text("b"), 9, 4); /* in another pane */
    list = bench_result(&bench, 2);
    assert_int_equal(list.len, 2);
    assert_memory_equal(list.items[0].s, "b", 1);
    bench_end(&bench);
    bench = bench_of("last_distinct(price, 5)");
    bench_add(&bench, 0, value_double(0.0), 1, 0);
    bench_add(&bench, 0, value_double(-0.0), 2, 1);
    assert_int_equal(bench_result(&bench, 1).len, 1);
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
        bench_add(&bench, 0, value_long(n), 0, n);
    for (int64_t n = 0; n < 1024; n++)
        bench_add(&bench, 0, value_long(n), 0, n);
    assert_int_equal(bench_result(&bench, 1).i, 1024); /* still exact */
    /* exact panes whose union is not, and one that is a sketch already */
    for (int64_t n = 1000; n < 1100; n++)
        bench_add(&bench, 1, value_long(n), 0, n);
    assert_int_equal(bench_result(&bench, 2).i, estimate(0, 1100));
    for (int64_t n = 1100; n < 4000; n++)
        bench_add(&bench, 2, value_long(n), 0, n);
    assert_int_equal(bench_result(&bench, 3).i, estimate(0, 4000));
    assert_in_range(bench_result(&bench, 3).i, 3800, 4200);
    /* merging exact into sketch, sketch into exact, sketch into sketch */
    bench_merge(&bench, 1, 2);
    bench_merge(&bench, 1, 0);
    assert_int_equal(bench_result_of(&bench, 1, 1).i, estimate(0, 4000));
    for (int64_t n = 0; n < 60000; n++)
        bench_add(&bench, 3, value_long(n), 0, n);
    bench_merge(&bench, 3, 1);
    assert_int_equal(bench_result_of(&bench, 3, 1).i, estimate(0, 60000));
    bench_end(&bench);
}

static void test_canonical_bytes(void **state)
{
    (void)state;
    struct bench bench = bench_of("distinct(price)");
    bench_add(&bench, 0, value_double(0.0), 0, 0);
    bench_add(&bench, 0, value_double(-0.0), 0, 1);
    assert_int_equal(bench_result(&bench, 1).i, 1);
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

/* ---- var and stddev ---- */

static void expect_moments(const double *values, int count, double var, double stddev)
{
    struct bench vars = bench_of("var(price)"), deviations = bench_of("stddev(price)");
    for (int k = 0; k < count; k++) {
        bench_add(&vars, k % PARTS_MAX, value_double(values[k]), k, k);
        bench_add(&deviations, k % PARTS_MAX, value_double(values[k]), k, k);
    }
    struct value got = bench_result(&vars, PARTS_MAX);
    if (got.type != VALUE_DOUBLE || got.d != var)
        fail_msg("var is %.17g, not %.17g", got.d, var);
    assert_true(bench_result(&deviations, PARTS_MAX).d == stddev);
    bench_end(&vars);
    bench_end(&deviations);
}

/* The wanted values are those of exact fractions, computed elsewhere. */
static void test_moments_are_exact_quotients(void **state)
{
    (void)state;
    expect_moments((double[]){42}, 1, 0, 0);
    expect_moments((double[]){5.5, 5.5, 5.5}, 3, 0, 0);
    expect_moments((double[]){0.1, 0.2, 0.3}, 3, 0.00666666666673, 0.0816496580931);
    expect_moments((double[]){0.1, 0.1, 0.1}, 3, 1.45519152284e-13, 3.81469726562e-07);
    expect_moments((double[]){1e-7, 3e-7}, 2, 0, 0); /* squares below 2^-41 are nothing */
    expect_moments((double[]){1e9, 1e9 + 1, 1e9 + 2}, 3, 0, 0); /* never below 0 */
    static double many[3999];
    for (int k = 1; k < 4000; k++)
        many[k - 1] = (double)(k * k) + 0.37;
    expect_moments(many, 3999, 22743466755700.0, 4769011.08781);
    for (int k = 0; k < 1000; k++)
        many[k] = 1.7e9 + k * 0.001;
    expect_moments(many, 1000, 0.00649975, 0.0806210270339);
    /* beyond the bounds of addends */
    expect_moments((double[]){0x1p62, -0x1p62}, 2, 4.61168601843e+18, 2147483648.0);
    expect_moments((double[]){1e300, -1e300}, 2, 4.61168601843e+18, 2147483648.0);
    expect_moments((double[]){0x1p61, -0x1p61, 1}, 3, 3.07445734562e+18, 1753413056.19);
    struct bench bench = bench_of("var(price)");
    assert_int_equal(bench_add(&bench, 0, value_double(0x1p31), 0, 0), OPERATOR_ADDED);
    assert_int_equal(bench_add(&bench, 0, value_double(0x1.8p31), 0, 1), OPERATOR_CLAMPED);
    bench_end(&bench);
    bench = bench_of("var(n)");
    assert_int_equal(bench_add(&bench, 0, value_long(INT64_MIN), 0, 0), OPERATOR_CLAMPED);
    assert_int_equal(bench_add(&bench, 0, value_long(INT64_MAX), 0, 1), OPERATOR_CLAMPED);
    assert_true(bench_result(&bench, 1).d == 4.61168601843e+18);
    bench_end(&bench);
}

/* ---- first_n, time_of_first, time_of_last ---- */

static void test_the_oldest_come_first(void **state)
{
    (void)state;
    struct bench bench = bench_of("first_n(item, 3)");
    bench_add(&bench, 0, text("d"), 9, 0);
    bench_add(&bench, 0, text("c, a word beyond eight bytes"), 5, 1);
    bench_add(&bench, 0, text("a"), 1, 2);
    bench_add(&bench, 0, text("e"), 9, 3); /* of the same time, but later in the log */
    bench_add(&bench, 1, text("b"), 1, 4);
    struct value list = bench_result(&bench, 1);
    assert_int_equal(list.len, 3);
    assert_memory_equal(list.items[0].s, "a", 1);
    assert_memory_equal(list.items[2].s, "d", 1);
    list = bench_result(&bench, 2);
    assert_memory_equal(list.items[1].s, "b", 1);
    assert_memory_equal(list.items[2].s, "c, a", 4);
    bench_end(&bench);
    bench = bench_of("time_of_first");
    assert_int_equal(bench_result(&bench, 1).type, VALUE_NULL);
    bench_add(&bench, 0, value_bool(true), 0, 0); /* the epoch itself is a time */
    bench_add(&bench, 1, value_bool(true), 7, 1);
    assert_int_equal(bench_result(&bench, 2).i, 0);
    assert_int_equal(bench_result_of(&bench, 1, 1).i, 7);
    bench_end(&bench);
    bench = bench_of("time_of_last");
    bench_add(&bench, 0, value_bool(true), 0, 0);
    assert_int_equal(bench_result(&bench, 1).i, 0);
    bench_add(&bench, 1, value_bool(true), 7, 1);
    assert_int_equal(bench_result(&bench, 2).i, 7);
    bench_end(&bench);
}

/* ---- top_k, entropy ---- */

static void test_the_most_frequent(void **state)
{
    (void)state;
    struct bench bench = bench_of("top_k(item, 2)");
    static const char *const items[] = {"b", "a", "c", "c", "b", "ab", "", "c"};
    for (int k = 0; k < 8; k++)
        bench_add(&bench, k % 2, text(items[k]), 0, k);
    struct value list = bench_result(&bench, 2);
    assert_int_equal(list.len, 2);
    assert_memory_equal(list.items[0].s, "c", 1);
    assert_memory_equal(list.items[1].s, "b", 1);
    bench_end(&bench);
    bench = bench_of("top_k(price, 9)"); /* equally frequent: ascending, and zero has no sign */
    static const double prices[] = {3, -0.0, -7, 0.0, 10, -0.0, 1e30};
    for (int k = 0; k < 7; k++)
        bench_add(&bench, 0, value_double(prices[k]), 0, k);
    list = bench_result(&bench, 1);
    assert_int_equal(list.len, 5);
    assert_true(list.items[0].d == 0 && !signbit(list.items[0].d));
    assert_true(list.items[1].d == -7 && list.items[2].d == 3 && list.items[3].d == 10);
    bench_end(&bench);
    bench = bench_of("top_k(n > 0, 5)");
    bench_add(&bench, 0, value_bool(true), 0, 0);
    bench_add(&bench, 0, value_bool(false), 0, 1);
    assert_false(bench_result(&bench, 1).items[0].i); /* false < true */
    bench_end(&bench);
}

static void test_further_values_are_left_out(void **state)
{
    (void)state;
    struct bench bench = bench_of("top_k(n, 1)");
    for (int64_t n = 0; n < OPERATOR_TALLY_MAX; n++)
        assert_int_equal(bench_add(&bench, 0, value_long(-n), 0, n), OPERATOR_ADDED);
    for (int64_t k = 0; k < 3; k++)
        assert_int_equal(bench_add(&bench, 0, value_long(1), 1, k), OPERATOR_LEFT_OUT);
    assert_int_equal(bench_add(&bench, 0, value_long(-5), 1, 9), OPERATOR_ADDED); /* a known one */
    assert_int_equal(bench_result(&bench, 1).items[0].i, -5);
    for (int64_t n = 0; n < 5; n++)
        bench_add(&bench, 1, value_long(7), 2, n);
    assert_int_equal(bench_result(&bench, 2).items[0].i, 7); /* each pane has its own room */
    bench_merge(&bench, 0, 1); /* and merging leaves nothing out */
    assert_int_equal(bench_result(&bench, 1).items[0].i, 7);
    assert_int_equal(bench_add(&bench, 0, value_long(8), 3, 0), OPERATOR_LEFT_OUT);
    bench_end(&bench);
}

static void test_entropy(void **state)
{
    (void)state;
    struct bench bench = bench_of("entropy(item)");
    assert_int_equal(bench_result(&bench, 1).type, VALUE_NULL);
    bench_add(&bench, 0, text("a"), 0, 0);
    assert_true(bench_result(&bench, 1).d == 0 && !signbit(bench_result(&bench, 1).d));
    bench_add(&bench, 1, text("b"), 0, 1);
    assert_true(bench_result(&bench, 2).d == 1);
    bench_add(&bench, 1, text("c"), 0, 2);
    assert_true(bench_result(&bench, 2).d == 1.58496250072); /* log2(3) */
    bench_end(&bench);
}

/* ---- quantile ---- */

static double quantile_of(const char *op, const double *values, int count)
{
    struct bench bench = bench_of(op);
    for (int k = 0; k < count; k++)
        bench_add(&bench, k % PARTS_MAX, value_double(values[k]), 0, k);
    double result = bench_result(&bench, PARTS_MAX).d;
    bench_end(&bench);
    return result;
}

static bool near(double got, double wanted)
{
    return fabs(got - wanted) <= 0.0100001 * fabs(wanted);
}

static void test_quantiles(void **state)
{
    (void)state;
    static const double values[] = {-1e30, -100, -0x1p-41, 0, 3, 1e300};
    assert_true(near(quantile_of("quantile(price, 0)", values, 6), -0x1p62)); /* the bound */
    assert_true(near(quantile_of("quantile(price, 0.2)", values, 6), -100));
    assert_true(quantile_of("quantile(price, 0.4)", values, 6) == 0);
    assert_true(quantile_of("quantile(price, 0.6)", values, 6) == 0);
    assert_true(near(quantile_of("quantile(price, 0.8)", values, 6), 3));
    assert_true(near(quantile_of("quantile(price, 1)", values, 6), 0x1p62));
    assert_true(near(quantile_of("quantile(price, 0.5)", (double[]){0x1p-40}, 1), 0x1p-40));
    /* between two ranks the lower counts: 0.5 * (4 - 1) = 1.5 */
    static const double four[] = {1, 10, 100, 1000};
    assert_true(near(quantile_of("quantile(price, 0.5)", four, 4), 10));
    assert_true(near(quantile_of("quantile(price, 0.67)", four, 4), 100));
    struct bench bench = bench_of("quantile(n, 1)");
    assert_int_equal(bench_result(&bench, 1).type, VALUE_NULL);
    bench_add(&bench, 0, value_long(INT64_MAX), 0, 0);
    assert_true(near(bench_result(&bench, 1).d, 0x1p62));
    bench_end(&bench);
}

/* ---- decayed_sum ---- */

static void test_decayed_sums_halve(void **state)
{
    (void)state;
    struct bench bench = bench_of("decayed_sum(price, 10ms)");
    assert_int_equal(bench_result(&bench, 1).type, VALUE_NULL);
    bench_add(&bench, 0, value_double(8), 3, 0);
    assert_true(bench_result(&bench, 1).d == 8);
    bench_add(&bench, 0, value_double(1), 13, 1);
    assert_true(bench_result(&bench, 1).d == 5);
    bench_add(&bench, 0, value_double(16), 3, 2); /* late: it has halved already */
    assert_true(bench_result(&bench, 1).d == 13);
    bench_add(&bench, 0, value_double(0), 18, 3);
    assert_true(bench_result(&bench, 1).d == operator_round12(13 / sqrt(2)));
    /* 63 half-lives back still counts, 64 do not; what falls out never comes back */
    bench_add(&bench, 0, value_double(0), 639, 4);
    assert_true(bench_result(&bench, 1).d > 0);
    bench_add(&bench, 0, value_double(0), 640 + 9, 5);
    assert_true(bench_result(&bench, 1).d > 0); /* of epoch 1 */
    bench_add(&bench, 0, value_double(0), 650, 6);
    assert_true(bench_result(&bench, 1).d == 0);
    assert_int_equal(bench_add(&bench, 0, value_double(1e300), 0, 7), OPERATOR_ADDED);
    assert_true(bench_result(&bench, 1).d == 0);
    assert_int_equal(bench_add(&bench, 0, value_double(-1e300), 650, 8), OPERATOR_CLAMPED);
    assert_true(bench_result(&bench, 1).d == operator_round12(-0x1p62));
    bench_end(&bench);
}

/* ---- by ---- */

static void test_groups(void **state)
{
    (void)state;
    struct bench bench = bench_with("sum(n)", "by = item\ncap = 2\n");
    assert_int_equal(bench_result(&bench, 2).type, VALUE_NULL);
    static const char *const groups[] = {"z", "a", "m", "z", "a", "b", "z", "m"};
    for (int k = 0; k < 8; k++) /* z three times, a and m twice, b once */
        bench_add_grouped(&bench, k % 3, text(groups[k]), value_long(1 << k), 0, k);
    struct value map = bench_result(&bench, 3);
    assert_int_equal(map.type, VALUE_MAP);
    assert_int_equal(map.len, 2);
    assert_memory_equal(map.items[0].s, "a", 1);
    assert_int_equal(map.items[1].i, 2 + 16);
    assert_memory_equal(map.items[2].s, "z", 1);
    assert_int_equal(map.items[3].i, 1 + 8 + 64);
    bench_end(&bench);
    bench = bench_with("count", "by = price\n");
    bench_add_grouped(&bench, 0, value_double(-0.0), value_bool(true), 0, 0);
    bench_add_grouped(&bench, 0, value_double(0.0), value_bool(true), 0, 1);
    bench_add_grouped(&bench, 0, value_double(-1), value_bool(true), 0, 2);
    map = bench_result(&bench, 1);
    assert_int_equal(map.len, 2);
    assert_true(map.items[0].d == -1 && map.items[2].d == 0 && !signbit(map.items[2].d));
    bench_end(&bench);
}

static void test_further_groups_are_left_out(void **state)
{
    (void)state;
    struct bench bench = bench_with("last(item)", "by = n\ncap = 1024\n");
    for (int64_t n = 0; n < OPERATOR_GROUPS_MAX; n++)
        assert_int_equal(
            bench_add_grouped(&bench, 0, value_long(n), text("a word beyond eight"), 0, n),
            OPERATOR_ADDED);
    assert_int_equal(bench_add_grouped(&bench, 0, value_long(-1), text("x"), 0, 1),
                     OPERATOR_LEFT_OUT);
    assert_int_equal(bench_add_grouped(&bench, 0, value_long(4095), text("x"), 9, 1),
                     OPERATOR_ADDED);
    struct value map = bench_result(&bench, 1);
    assert_int_equal(map.len, 1024);
    assert_int_equal(map.items[0].i, 0); /* all but one came once: the smallest are shown */
    assert_int_equal(map.items[2 * 1023].i, 4095);
    assert_memory_equal(map.items[2 * 1023 + 1].s, "x", 1);
    bench_add_grouped(&bench, 1, value_long(-1), text("y"), 0, 1);
    bench_add_grouped(&bench, 1, value_long(-1), text("y"), 0, 2);
    bench_merge(&bench, 0, 1);
    map = bench_result(&bench, 1);
    assert_int_equal(map.items[0].i, -1);
    bench_end(&bench);
}

/* ---- in a row ---- */

/* What is no number is counted nowhere; what is bounded says so. */
static void test_strange_numbers(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, "[feature v]\nop = var(price)\nover = session\n"
                        "[feature q]\nop = quantile(price, 0.5)\nover = 1s\n"
                        "[feature t]\nop = top_k(price, 3)\nover = lifetime\n"
                        "[feature e]\nop = entropy(price)\nover = session\n"
                        "[feature d]\nop = decayed_sum(price, 1s)\n"
                        "[feature f]\nop = first_n(price, 3)\nover = session\n"
                        "[feature l]\nop = time_of_last(price)\nover = session\n"
                        "[feature g]\nop = count\nby = price\nover = session\n"
                        "[feature h]\nop = sum(n)\nby = item\nover = 1s\n"
                        "[feature o]\nop = sum(n * 2)\nover = session\n");
    static const double strange[] = {NAN, INFINITY, -INFINITY};
    static const char *const names[] = {"v", "q", "t", "e", "d", "f", "l", "g"};
    for (int k = 0; k < 3; k++)
        corekit_event(&kit, &(struct corekit_event){.key = "k", .ts_ms = 1000 + k,
                                                    .price = strange[k], .n = INT64_MAX});
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        assert_true(corekit_is_null(&kit, "k", names[k]));
    assert_true(corekit_is_null(&kit, "k", "h")); /* item is null: no group */
    assert_int_equal(corekit_long(&kit, "k", "o"), 0); /* overflow is null */
    corekit_event(&kit, &(struct corekit_event){.key = "k", .ts_ms = 1004, .price = -1e299,
                                                .n = CORE_NO_N, .item = "i"});
    assert_int_equal(corekit_status(&kit).addends_clamped, 2); /* of v and of d */
    assert_true(corekit_is_null(&kit, "k", "h"));
    assert_int_equal(corekit_value(&kit, "k", "g").len, 1);
    assert_true(corekit_value(&kit, "k", "d").d == operator_round12(-0x1p62 * exp2(-0.004)));
    assert_int_equal(corekit_long(&kit, "k", "l"), 1004);
    corekit_fini(&kit);
}

static void test_what_is_left_out_is_counted(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, "[feature t]\nop = top_k(n, 3)\nover = session\n"
                        "[feature g]\nop = count\nby = n\nover = lifetime\n");
    for (int64_t n = 0; n < OPERATOR_TALLY_MAX + 2; n++)
        corekit_event(&kit, &(struct corekit_event){.key = "k", .ts_ms = 1000, .n = n});
    assert_int_equal(corekit_status(&kit).values_left_out, 4);
    assert_int_equal(corekit_value(&kit, "k", "g").len, FEATURE_CAP_DEFAULT);
    corekit_fini(&kit);
}

/* A lifetime is one pane: nothing leaves it, and its key is never forgotten. */
static void test_lifetime(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, "[feature all]\nop = count\nover = lifetime\n"
                        "[feature spent]\nop = decayed_sum(price, 1h)\nwhere = type == \"buy\"\n"
                        "[feature recent]\nop = count\nover = 1s\n"
                        "[feature visit]\nop = session_number\n");
    corekit_click(&kit, "k", 0); /* before the key's phase */
    corekit_click(&kit, "k", INT64_C(253402300799000));
    assert_int_equal(corekit_long(&kit, "k", "all"), 2);
    assert_int_equal(corekit_long(&kit, "k", "recent"), 1);
    assert_true(corekit_is_null(&kit, "k", "spent"));
    assert_int_equal(corekit_long(&kit, "k", "visit"), 2);
    assert_int_equal(corekit_click(&kit, "k", INT64_C(253402300799999)), FATE_APPLIED);
    assert_int_equal(corekit_status(&kit).keys, 1);
    assert_int_equal(corekit_long(&kit, "k", "visit"), 3);
    corekit_fini(&kit);
    corekit_start(&kit, "[feature spent]\nop = decayed_sum(price, 1h)\n");
    corekit_event(&kit, &(struct corekit_event){.key = "k", .ts_ms = 0, .price = CORE_NO_PRICE});
    corekit_click(&kit, "other", INT64_C(253402300799000));
    assert_int_equal(corekit_status(&kit).keys, 2); /* also when nothing of it was counted */
    corekit_fini(&kit);
}

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
        cmocka_unit_test(test_nothing_has_the_empty_value),
        cmocka_unit_test(test_sums_of_doubles_round_each_addend),
        cmocka_unit_test(test_sums_of_longs_are_exact_and_clamped),
        cmocka_unit_test(test_lists_are_newest_first_and_bounded),
        cmocka_unit_test(test_distinct_is_a_function_of_the_set),
        cmocka_unit_test(test_canonical_bytes),
        cmocka_unit_test(test_round12),
        cmocka_unit_test(test_defaults_ratios_and_nulls_in_rows),
        cmocka_unit_test(test_addends_out_of_bounds_are_counted),
        cmocka_unit_test(test_moments_are_exact_quotients),
        cmocka_unit_test(test_the_oldest_come_first),
        cmocka_unit_test(test_the_most_frequent),
        cmocka_unit_test(test_further_values_are_left_out),
        cmocka_unit_test(test_entropy),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_decayed_sums_halve),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_further_groups_are_left_out),
        cmocka_unit_test(test_strange_numbers),
        cmocka_unit_test(test_what_is_left_out_is_counted),
        cmocka_unit_test(test_lifetime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
