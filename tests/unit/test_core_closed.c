/* Features with `on = session`: what a session adds, when, and that it does so once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "corekit.h"

static const char lengths[] = "[feature mean]\nop = mean(session_duration)\non = session\n"
                              "over = 100s\nhop = 10s\n"
                              "[feature visits]\nop = count\non = session\n"
                              "over = 100s\nhop = 10s\n";

/* Gap 10 ms, lateness 5 ms, disorder 3 ms: a session is immutable when raw passes last + 18. */
static void start(struct corekit *kit, const char *features)
{
    corekit_init(kit, features);
    kit->rules.lateness.ms = 5;
    kit->rules.out_of_orderness.ms = 3;
    kit->rules.window_lateness.ms = 15;
    corekit_open(kit);
    corekit_grant(kit);
}

static void test_fed_when_the_watermark_makes_it_immutable(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, lengths);
    corekit_click(&kit, "k", 1000);
    corekit_click(&kit, "k", 1006);
    corekit_click(&kit, "clock", 1006 + 18); /* equality is still live */
    assert_int_equal(corekit_long(&kit, "k", "visits"), 0);
    assert_true(corekit_is_null(&kit, "k", "mean"));
    corekit_flush(&kit);
    corekit_advance(&kit, 1006 + 900); /* closed for the rows, but as_of alone adds nothing */
    corekit_flush(&kit);
    assert_int_equal(corekit_long(&kit, "k", "visits"), 0);
    corekit_click(&kit, "clock", 1006 + 19);
    assert_int_equal(corekit_long(&kit, "k", "visits"), 1);
    assert_true(corekit_value(&kit, "k", "mean").d == 6);
    assert_int_equal(corekit_flush(&kit), 2); /* the row of k is due, too */
    corekit_click(&kit, "clock", 1006 + 40);
    corekit_click(&kit, "k", 1006 + 41); /* and never again */
    assert_int_equal(corekit_long(&kit, "k", "visits"), 1);
    corekit_fini(&kit);
}

/* A record that is filtered moves the watermark all the same. */
static void test_any_record_feeds(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, lengths);
    corekit_where(&kit, "type != \"tick\"");
    corekit_open(&kit);
    corekit_click(&kit, "k", 1000);
    struct corekit_event tick = {.key = "clock", .ts_ms = 1011, .type = "tick"};
    assert_int_equal(corekit_event(&kit, &tick), FATE_FILTERED);
    assert_int_equal(corekit_long(&kit, "k", "visits"), 1);
    corekit_fini(&kit);
}

static void test_merged_and_corrected_sessions_feed_once(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, lengths);
    corekit_click(&kit, "k", 1000);
    corekit_click(&kit, "k", 1016); /* another session; the first is closed by now */
    assert_int_equal(corekit_click(&kit, "k", 1010), FATE_APPLIED); /* bridges them */
    assert_int_equal(corekit_rev(&kit, "k"), 2);
    corekit_click(&kit, "clock", 1016 + 18);
    assert_int_equal(corekit_long(&kit, "k", "visits"), 0);
    corekit_click(&kit, "clock", 1016 + 19);
    assert_int_equal(corekit_long(&kit, "k", "visits"), 1);
    assert_true(corekit_value(&kit, "k", "mean").d == 16);
    corekit_fini(&kit);
}

/* Several sessions of a key, the older of which came later, settle by one record or one by one. */
static void test_each_session_in_its_time(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, lengths);
    corekit_click(&kit, "k", 1030);
    corekit_click(&kit, "k", 1015); /* out of order: it settles first */
    corekit_click(&kit, "clock", 1015 + 19);
    assert_int_equal(corekit_long(&kit, "k", "visits"), 1);
    corekit_click(&kit, "clock", 1030 + 19);
    assert_int_equal(corekit_long(&kit, "k", "visits"), 2);
    for (int k = 1; k <= 3; k++)
        corekit_click(&kit, "k", 1030 + k * 20);
    corekit_click(&kit, "clock", 5000);
    assert_int_equal(corekit_long(&kit, "k", "visits"), 5);
    corekit_fini(&kit);
}

/* What is fed keeps the key from being forgotten; what has left its window is not fed. */
static void test_forgetting(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, lengths);
    kit.rules.keep.ms = 0; /* the session alone would be forgotten with the record that feeds it */
    corekit_open(&kit);
    corekit_click(&kit, "k", 1000);
    corekit_click(&kit, "gone", 1000);
    corekit_click(&kit, "clock", 1011);
    assert_true(corekit_known(&kit, "k"));
    assert_int_equal(corekit_status(&kit).keys, 3);
    assert_int_equal(corekit_long(&kit, "k", "visits"), 1);
    corekit_click(&kit, "late", 50000);
    corekit_click(&kit, "clock", 200000); /* sessions of `late` settle when their pane has left */
    assert_int_equal(corekit_status(&kit).keys, 1);
    corekit_click(&kit, "k", 200001); /* a new life */
    corekit_click(&kit, "clock", 200100);
    assert_int_equal(corekit_long(&kit, "k", "visits"), 1);
    corekit_fini(&kit);
}

/* Expressions see the session; order is by (last, id). */
static void test_what_a_session_shows(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, "[feature newest]\nop = last(session_id)\non = session\nover = lifetime\n"
                "[feature oldest]\nop = first(session_start)\non = session\nover = lifetime\n"
                "[feature ends]\nop = last_n(ts, 3)\non = session\nover = lifetime\n"
                "[feature pace]\nop = max(mean_gap)\non = session\nover = lifetime\n"
                "[feature long_ones]\nop = count\nwhere = session_event_count > 1\non = session\n"
                "over = lifetime\n"
                "[feature by_size]\nop = mean(session_duration)\nby = session_event_count\n"
                "on = session\nover = lifetime\n"
                "[feature by_hour]\nop = count(mean_gap)\nby = hour_of_day(session_last)\n"
                "on = session\nover = lifetime\n"
                "[feature paced]\nop = count\nby = mean_gap\non = session\nover = lifetime\n"
                "[feature events]\nop = count\nover = lifetime\n");
    corekit_click(&kit, "k", 100);
    corekit_click(&kit, "clock", 200);
    assert_true(corekit_is_null(&kit, "k", "pace")); /* one event has no gap */
    assert_true(corekit_is_null(&kit, "k", "paced"));
    corekit_click(&kit, "k", 3600000);
    corekit_click(&kit, "k", 3600008);
    corekit_click(&kit, "k", 3600010);
    corekit_click(&kit, "clock", 4000000);
    assert_int_equal(corekit_long(&kit, "k", "newest"), 2);
    assert_int_equal(corekit_long(&kit, "k", "oldest"), 100);
    assert_int_equal(corekit_value(&kit, "k", "ends").items[0].i, 3600010);
    assert_int_equal(corekit_value(&kit, "k", "ends").len, 2);
    assert_true(corekit_value(&kit, "k", "pace").d == 5);
    assert_int_equal(corekit_long(&kit, "k", "long_ones"), 1);
    assert_int_equal(corekit_long(&kit, "k", "events"), 4);
    struct value sizes = corekit_value(&kit, "k", "by_size");
    assert_int_equal(sizes.len, 2);
    assert_true(sizes.items[0].i == 1 && sizes.items[1].d == 0);
    assert_true(sizes.items[2].i == 3 && sizes.items[3].d == 10);
    struct value hours = corekit_value(&kit, "k", "by_hour");
    assert_true(hours.len == 1 && hours.items[0].i == 1 && hours.items[1].i == 1);
    assert_int_equal(corekit_value(&kit, "k", "paced").len, 1);
    corekit_fini(&kit);
}

/* What an empty start cannot know: W + hop and a cut period; without a cut it never can. */
static void test_warming(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        struct corekit kit;
        corekit_init(&kit, lengths);
        kit.rules.cut_at_ms = cut ? 0 : -1;
        kit.rules.max_future_skew.ms = 0;
        kit.shard = shard_open(&kit.rules, 0, 0);
        corekit_click(&kit, "k", 86400000 + 110000 - 1);
        corekit_advance(&kit, INT64_MIN);
        assert_string_equal(corekit_status(&kit).warming, "mean,visits");
        corekit_click(&kit, "k", 86400000 + 110000);
        corekit_advance(&kit, INT64_MIN);
        assert_int_equal(corekit_status(&kit).warming == NULL, cut);
        corekit_fini(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fed_when_the_watermark_makes_it_immutable),
        cmocka_unit_test(test_any_record_feeds),
        cmocka_unit_test(test_merged_and_corrected_sessions_feed_once),
        cmocka_unit_test(test_each_session_in_its_time),
        cmocka_unit_test(test_forgetting),
        cmocka_unit_test(test_what_a_session_shows),
        cmocka_unit_test(test_warming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
