/* The laws that the flags of operators.def promise, for every folded row of the table, with `by`
 * and without; and each value against its definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "naive_fold.h"
#include "operatorkit.h"

enum { EVENTS = 40, SEEDS = 12, CALLS_MAX = 32, CALL_BYTES = 64 };

/* ---- what can be written for an operator ---- */

/* Every call the row allows, with each kind of argument and several parameters. */
static int calls_of(const struct operator_row *row, char calls[][CALL_BYTES])
{
    static const char *const numbers[] = {"n", "price", NULL};
    static const char *const any[] = {"n", "price", "item", "n > 0", NULL};
    static const char *const parameters[][4] = {
        [NO_PARAMETER] = {""},
        [LENGTH] = {", 1", ", 3", ", 100"},
        [FRACTION] = {", 0", ", 0.5", ", 0.9", ", 1"},
        [HALF_LIFE] = {", 3ms", ", 1s"},
    };
    const char *const *arguments = row->argument == NUMBER_ARG ? numbers : any;
    int count = 0;
    if (row->argument == OPT_ARG)
        snprintf(calls[count++], CALL_BYTES, "%s", row->name);
    for (; *arguments; arguments++)
        for (int k = 0; k < 4 && parameters[row->parameter][k]; k++)
            snprintf(calls[count++], CALL_BYTES, "%s(%s%s)", row->name, *arguments,
                     parameters[row->parameter][k]);
    assert_true(count <= CALLS_MAX);
    return count;
}

/* ---- events ---- */

struct sample {
    struct naive_counted counted;
    int64_t offset;
};

static uint64_t draw(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    return *random ^= *random << 17;
}

static struct value draw_value(uint64_t *random, enum value_type type)
{
    static const char *const words[] = {"a", "bb", "a rather long word", "another long word", ""};
    uint64_t n = draw(random);
    switch (type) {
    case VALUE_DOUBLE:
        return n % 13 == 0 ? value_double(n % 2 ? 0.0 : -0.0)
                           : value_double((double)(int64_t)(n % 201) / 7 - 10);
    case VALUE_LONG:
        return value_long((int64_t)(n % 11) - 5);
    case VALUE_STRING:
        return text(words[n % 5]);
    default:
        return value_bool(n & 1);
    }
}

static enum value_type argument_type(const struct bench *bench)
{
    const struct feature *feature = bench->feature;
    return feature->argument < 0 ? VALUE_BOOL
                                 : expr_kind(bench->set->arguments[feature->argument]).type;
}

static void draw_samples(const struct bench *bench, uint64_t *random, struct sample *samples)
{
    for (int k = 0; k < EVENTS; k++) {
        samples[k].counted.value = draw_value(random, argument_type(bench));
        samples[k].counted.group = draw_value(random, VALUE_STRING);
        samples[k].counted.ts = (int64_t)(draw(random) % 20);
        samples[k].offset = k;
    }
}

static void shuffle(uint64_t *random, struct sample *samples)
{
    for (int k = EVENTS - 1; k > 0; k--) {
        int other = (int)(draw(random) % (unsigned)(k + 1));
        struct sample swap = samples[k];
        samples[k] = samples[other];
        samples[other] = swap;
    }
}

static void add_sample(struct bench *bench, int part, const struct sample *sample)
{
    const struct naive_counted *counted = &sample->counted;
    assert_int_equal(bench_add_grouped(bench, part, counted->group, counted->value, counted->ts,
                                       sample->offset),
                     OPERATOR_ADDED);
}

static int compare_samples(const void *a, const void *b)
{
    const struct sample *left = a;
    const struct sample *right = b;
    int64_t order = left->counted.ts != right->counted.ts ? left->counted.ts - right->counted.ts
                                                          : left->offset - right->offset;
    return order < 0 ? -1 : order > 0;
}

static struct value by_definition(struct bench *bench, const struct sample *samples)
{
    struct sample sorted[EVENTS];
    struct naive_counted *counted = arena_alloc(&bench->arena, EVENTS * sizeof *counted);
    memcpy(sorted, samples, sizeof sorted);
    qsort(sorted, EVENTS, sizeof *sorted, compare_samples);
    for (int k = 0; k < EVENTS; k++)
        counted[k] = sorted[k].counted;
    return naive_fold(bench->feature, counted, EVENTS, &bench->arena);
}

static void expect_same(struct value got, struct value wanted, const char *op, const char *law)
{
    if (!same(&got, &wanted))
        fail_msg("%s: %s (%.17g, not %.17g)", op, law, got.d, wanted.d);
}

/* ---- laws ---- */

/* One accumulator fed with all events, in two orders of arrival, has the value of the definition;
 * parts of them taken together have it too. */
static struct value check_value(const char *op, const char *keys, uint64_t *random)
{
    struct sample samples[EVENTS];
    struct bench one = bench_with(op, keys), other = bench_with(op, keys),
                 panes = bench_with(op, keys);
    draw_samples(&one, random, samples);
    struct value wanted = by_definition(&one, samples);
    for (int k = 0; k < EVENTS; k++)
        add_sample(&one, 0, &samples[k]);
    expect_same(bench_result(&one, 1), wanted, op, "not what the definition says");
    shuffle(random, samples);
    for (int k = 0; k < EVENTS; k++) {
        add_sample(&other, 0, &samples[k]);
        add_sample(&panes, (int)(draw(random) % PARTS_MAX), &samples[k]);
    }
    expect_same(bench_result(&other, 1), wanted, op, "depends on the order of arrival");
    expect_same(bench_result(&panes, PARTS_MAX), wanted, op, "panes together differ from one");
    struct value kept = wanted.type == VALUE_DOUBLE || wanted.type == VALUE_LONG ? wanted
                                                                                 : value_null();
    bench_end(&one);
    bench_end(&other);
    bench_end(&panes);
    return kept;
}

/* (a + b) + c, a + (b + c) and (c + b) + a are the same, and the same as all in one. */
static void check_merge(const char *op, const char *keys, uint64_t *random)
{
    static const int merges[][2][2] = {
        {{0, 1}, {0, 2}}, /* into 0 */
        {{1, 2}, {0, 1}},
        {{2, 1}, {2, 0}}, /* into 2 */
        {{0, 3}, {3, 0}}, /* empty ones, both ways: part 3 is not fed */
    };
    struct sample samples[EVENTS];
    for (size_t m = 0; m < sizeof merges / sizeof merges[0]; m++) {
        struct bench bench = bench_with(op, keys);
        if (m == 0)
            draw_samples(&bench, random, samples);
        for (int k = 0; k < EVENTS; k++)
            add_sample(&bench, m == 3 ? 0 : k * 7 % 3, &samples[k]);
        struct value wanted = by_definition(&bench, samples);
        for (int step = 0; step < 2; step++) {
            bench_merge(&bench, merges[m][step][0], merges[m][step][1]);
            char empty[ACC_BYTES_MAX] = {0};
            assert_memory_equal(bench.accs[merges[m][step][1]], empty, ACC_BYTES_MAX);
        }
        expect_same(bench_result_of(&bench, merges[m][1][0], 1), wanted, op,
                    "merging is not associative or not commutative");
        bench_end(&bench);
    }
}

/* Whether the value changes when the events swap their places in event order. */
static bool depends_on_order(const char *op, const char *keys, uint64_t *random)
{
    struct sample samples[EVENTS];
    struct bench one = bench_with(op, keys), other = bench_with(op, keys);
    draw_samples(&one, random, samples);
    for (int k = 0; k < EVENTS; k++)
        add_sample(&one, 0, &samples[k]);
    for (int k = 0; k < EVENTS; k++) {
        samples[k].counted.ts = (int64_t)(draw(random) % 500);
        samples[k].offset = EVENTS - k;
        add_sample(&other, 0, &samples[k]);
    }
    struct value a = bench_result(&one, 1);
    struct value b = bench_result(&other, 1);
    bool depends = !same(&a, &b);
    bench_end(&one);
    bench_end(&other);
    return depends;
}

/* check(row, op, keys, seed) for each row that folds, each call and with and without `by`. */
static void for_all(void (*check)(const struct operator_row *row, const char *op, const char *keys,
                                  uint64_t *random))
{
    int rows = 0;
    for (int id = 0; id < OPERATOR_COUNT_OF; id++) {
        const struct operator_row *row = &operator_rows[id];
        char calls[CALLS_MAX][CALL_BYTES];
        if (row->scope != FOLDED)
            continue;
        rows++;
        for (int k = calls_of(row, calls) - 1; k >= 0; k--)
            for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                uint64_t random = seed * 0x9e3779b97f4a7c15;
                check(row, calls[k], "", &random);
                if (row->result != LIST)
                    check(row, calls[k], seed % 2 ? "by = item\n" : "by = item\ncap = 2\n",
                          &random);
            }
    }
    assert_true(rows >= 19);
}

static void values_follow_the_definitions(const struct operator_row *row, const char *op,
                                          const char *keys, uint64_t *random)
{
    (void)row;
    check_value(op, keys, random);
}

static void test_values(void **state)
{
    (void)state;
    for_all(values_follow_the_definitions);
}

static void merging_obeys(const struct operator_row *row, const char *op, const char *keys,
                          uint64_t *random)
{
    if (row->flags & MERGEABLE)
        check_merge(op, keys, random);
}

static void test_mergeable(void **state)
{
    (void)state;
    for_all(merging_obeys);
    for (int id = 0; id < OPERATOR_COUNT_OF; id++) /* sessions merge, and panes are combined */
        assert_int_equal(operator_rows[id].scope == FOLDED,
                         (operator_rows[id].flags & MERGEABLE) != 0);
}

static uint64_t ordered_seen; /* one bit a row: it was seen to depend on event order */

static void order_is_as_flagged(const struct operator_row *row, const char *op, const char *keys,
                                uint64_t *random)
{
    bool depends = depends_on_order(op, keys, random);
    if (depends && !(row->flags & ORDERED))
        fail_msg("%s depends on event order, but is not ORDERED", op);
    if (depends)
        ordered_seen |= UINT64_C(1) << (row - operator_rows);
}

static void test_ordered(void **state)
{
    (void)state;
    for_all(order_is_as_flagged);
    for (int id = 0; id < OPERATOR_COUNT_OF; id++)
        if (operator_rows[id].flags & ORDERED && !(ordered_seen >> id & 1))
            fail_msg("%s is ORDERED, but was never seen to be", operator_rows[id].name);
}

/* What is not APPROXIMATE has no error whatever the number of different values; what is keeps to
 * the bound that its sentence states. */
static void test_approximate(void **state)
{
    (void)state;
    enum { DIFFERENT = 6000 };
    static struct naive_counted counted[DIFFERENT];
    for (int id = 0; id < OPERATOR_COUNT_OF; id++) {
        const struct operator_row *row = &operator_rows[id];
        char calls[CALLS_MAX][CALL_BYTES];
        if (row->scope != FOLDED || row->parameter == HALF_LIFE)
            continue;
        for (int call = calls_of(row, calls) - 1; call >= 0; call--) {
            if (!strstr(calls[call], "(n"))
                continue;
            struct bench bench = bench_of(calls[call]);
            bool wide = row->result != DOUBLE || row->parameter == FRACTION || id == OPERATOR_MEAN;
            for (int k = 0; k < DIFFERENT; k++) {
                counted[k] = (struct naive_counted){
                    .value = value_long(wide ? k * 37 : k % 500), .ts = k};
                bench_add(&bench, 0, counted[k].value, k, k);
            }
            struct value got = bench_result(&bench, 1);
            struct value wanted = naive_fold(bench.feature, counted, DIFFERENT, &bench.arena);
            if (!(row->flags & APPROXIMATE))
                expect_same(got, wanted, calls[call], "not exact");
            else if (id == OPERATOR_DISTINCT)
                assert_true(labs(got.i - DIFFERENT) < DIFFERENT * 5 * 16 / 1000);
            else if (id == OPERATOR_QUANTILE)
                assert_true(fabs(got.d - naive_quantile(bench.feature, counted, DIFFERENT)) <=
                            0.0100001 * fabs(naive_quantile(bench.feature, counted, DIFFERENT)));
            bench_end(&bench);
        }
    }
}

/* An empty start in the middle of the log says which features it cannot know yet. */
static void test_unbounded(void **state)
{
    (void)state;
    int unbounded = 0;
    for (int id = 0; id < OPERATOR_COUNT_OF; id++) {
        const struct operator_row *row = &operator_rows[id];
        char calls[CALLS_MAX][CALL_BYTES];
        if (row->scope == DERIVED)
            continue;
        if (row->scope == FRAME)
            snprintf(calls[0], CALL_BYTES, "%s", row->name);
        else
            calls_of(row, calls);
        for (int lifetime = 0; lifetime < 2; lifetime++) {
            if (lifetime && row->scope == FRAME)
                continue;
            struct corekit kit;
            char features[200];
            const char *over = lifetime ? "over = lifetime\n" : "over = 1s\n";
            snprintf(features, sizeof features, "[feature f]\nop = %s\n%s", calls[0],
                     row->scope == FRAME || row->parameter == HALF_LIFE ? "" : over);
            corekit_init(&kit, features);
            kit.rules.cut_at_ms = 0;
            kit.shard = shard_open(&kit.rules, 0, 0);
            corekit_click(&kit, "k", INT64_C(200) * 86400000);
            corekit_advance(&kit, INT64_MIN);
            const char *warming = corekit_status(&kit).warming;
            bool wanted = row->flags & UNBOUNDED || lifetime;
            unbounded += wanted;
            if (wanted != (warming && strcmp(warming, "f") == 0))
                fail_msg("%s: warming is %s", features, warming ? warming : "nothing");
            corekit_fini(&kit);
        }
    }
    assert_true(unbounded > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_mergeable),
        cmocka_unit_test(test_ordered), cmocka_unit_test(test_approximate),
        cmocka_unit_test(test_unbounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
