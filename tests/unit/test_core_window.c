/* Windows: panes, tails, decay and forgetting (design: semantics, sections 4 and 8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "corekit.h"
#include "hash.h"
#include "shardstate.h"
#include "window.h"

static const char minute[] = "[feature c]\nop = count\nover = 60s\nhop = 10s\n";
static const int64_t base = 1000000000000;

/* The first pane boundary at or after base, of a key and hop. */
static int64_t boundary(const char *key, int64_t hop)
{
    int64_t phase = (int64_t)(hash_bytes(key, strlen(key)) % WINDOW_PHASE_MODULUS_MS);
    return phase + (clock_floor_div(base - phase, hop) + 1) * hop;
}

static void test_pane_arithmetic(void **state)
{
    (void)state;
    struct feature_window window = {.length = {60000}, .hop = {10000}};
    assert_int_equal(pane_index(&window, 3, 10003), 1);
    assert_int_equal(pane_index(&window, 3, 10002), 0);
    assert_int_equal(pane_index(&window, 3, 2), -1);
    assert_int_equal(pane_index(&window, 3, -10000), -2);
    assert_int_equal(pane_tail(&window, 3, 70003), 1);
    assert_int_equal(pane_tail(&window, 3, 70002), 0);
    assert_int_equal(pane_leaves_ms(&window, 3, 0), 70003);
    /* the first as_of whose tail is beyond the pane */
    for (int64_t index = -3; index < 3; index++) {
        int64_t leaves = pane_leaves_ms(&window, 3, index);
        assert_int_equal(pane_tail(&window, 3, leaves), index + 1);
        assert_int_equal(pane_tail(&window, 3, leaves - 1), index);
    }
    assert_int_equal(pane_tail(&window, 0, INT64_MIN), clock_floor_div(INT64_MIN, 10000));
}

static void test_the_tail_is_snapped_back_to_a_hop(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, minute);
    kit.rules.keep.ms = 1000000;
    corekit_open(&kit);
    int64_t start = boundary("k", 10000);
    corekit_click(&kit, "k", start);
    corekit_click(&kit, "k", start + 9999);
    /* never less than the window: seen until a whole hop later */
    corekit_click(&kit, "clock", start + 69999);
    assert_int_equal(corekit_long(&kit, "k", "c"), 2);
    corekit_click(&kit, "clock", start + 70000);
    assert_int_equal(corekit_long(&kit, "k", "c"), 0);
    corekit_fini(&kit);
}

static void test_an_event_out_of_order_updates_its_own_pane(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, minute);
    kit.rules.window_lateness.ms = 100000;
    corekit_open(&kit);
    int64_t start = boundary("k", 10000);
    corekit_click(&kit, "k", start + 50000);
    assert_int_equal(corekit_click(&kit, "k", start), FATE_WINDOWS_ONLY);
    assert_int_equal(corekit_click(&kit, "k", start + 25000), FATE_WINDOWS_ONLY);
    assert_int_equal(corekit_click(&kit, "k", start - 10001), FATE_WINDOWS_ONLY); /* left already */
    assert_int_equal(corekit_long(&kit, "k", "c"), 3);
    corekit_click(&kit, "clock", start + 70000);
    assert_int_equal(corekit_long(&kit, "k", "c"), 2);
    corekit_click(&kit, "clock", start + 90000);
    assert_int_equal(corekit_long(&kit, "k", "c"), 1);
    corekit_fini(&kit);
}

static void test_a_window_has_no_upper_end(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, minute);
    corekit_event(&kit, &(struct corekit_event){
                            .key = "k", .ts_ms = base + 3000000, .record_ms = base});
    assert_int_equal(corekit_status(&kit).raw.ms, base);
    assert_int_equal(corekit_long(&kit, "k", "c"), 1);
    corekit_fini(&kit);
}

static void test_panes_ahead_of_raw_have_no_bound_but_the_skew(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, "[feature c]\nop = count\nover = 60s\nhop = 1s\n");
    kit.rules.max_future_skew.ms = 1000000000;
    kit.rules.gap.ms = 1000000;
    corekit_open(&kit);
    enum { PANES = 70000 };
    for (int k = 0; k < PANES; k++)
        corekit_event(&kit, &(struct corekit_event){
                                .key = "k", .ts_ms = base + 1000 * k, .record_ms = base});
    assert_int_equal(corekit_long(&kit, "k", "c"), PANES);
    corekit_fini(&kit);
}

static void test_panes_are_dropped_when_room_is_needed(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, "[feature l]\nop = last_n(item, 3)\nover = 5s\n");
    size_t used = 0;
    for (int k = 0; k < 1000; k++) {
        corekit_event(&kit, &(struct corekit_event){
                                .key = "k", .ts_ms = base + 1000 * k, .item = "long enough"});
        if (k == 100)
            used = kit.shard->pool.used_bytes;
    }
    assert_true(kit.shard->pool.used_bytes <= used);
    assert_int_equal(corekit_value(&kit, "k", "l").len, 3);
    corekit_fini(&kit);
}

static void test_features_with_the_same_window_share_panes(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, "[feature a]\nop = count\nwhere = type == \"click\"\nover = 60s\n"
                        "[feature b]\nop = sum(n)\nover = 60s\n"
                        "[feature c]\nop = count\nover = 120s\n");
    assert_int_equal(kit.set->window_count, 2);
    corekit_click(&kit, "k", base);
    corekit_event(&kit, &(struct corekit_event){.key = "k", .ts_ms = base, .type = "view", .n = 5});
    assert_int_equal(corekit_long(&kit, "k", "a"), 1);
    assert_int_equal(corekit_long(&kit, "k", "b"), 6);
    assert_int_equal(corekit_long(&kit, "k", "c"), 2);
    corekit_fini(&kit);
}

/* ---- decay ---- */

static void test_a_pane_that_leaves_makes_the_key_dirty(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, minute);
    corekit_grant(&kit);
    int64_t start = boundary("k", 10000);
    corekit_click(&kit, "k", start);
    assert_int_equal(corekit_flush(&kit), 1);
    corekit_advance(&kit, start + 11); /* closed: last + gap + 1 */
    assert_int_equal(corekit_flush(&kit), 1);
    assert_int_equal(corekit_status(&kit).sessions_closed, 1);
    corekit_advance(&kit, start + 1010); /* hidden one later: keep is 1 s */
    assert_int_equal(corekit_flush(&kit), 0);
    corekit_advance(&kit, start + 1011);
    assert_int_equal(corekit_flush(&kit), 1);
    corekit_advance(&kit, start + 69999);
    assert_int_equal(corekit_flush(&kit), 0);
    corekit_advance(&kit, start + 70000);
    struct shard_batch batch;
    assert_int_equal(corekit_status(&kit).dirty_decay, 1);
    assert_int_equal(corekit_batch(&kit, &batch, 10, NULL), 1);
    assert_true(batch.decay[0]);
    assert_int_equal(batch.since_ms[0], start + 70000);
    shard_batch_end(kit.shard, &batch, true);
    corekit_advance(&kit, start + 10000000);
    assert_int_equal(corekit_flush(&kit), 0);
    assert_int_equal(corekit_status(&kit).decay_rows, 3);
    assert_int_equal(corekit_status(&kit).event_rows, 1);
    corekit_fini(&kit);
}

static void test_one_jump_over_many_deadlines_is_one_row(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, minute);
    corekit_grant(&kit);
    int64_t start = boundary("k", 10000);
    corekit_click(&kit, "k", start);
    corekit_flush(&kit);
    corekit_advance(&kit, start + 10000000);
    assert_int_equal(corekit_status(&kit).dirty, 1);
    assert_int_equal(corekit_status(&kit).sessions_closed, 1);
    assert_int_equal(corekit_flush(&kit), 1);
    corekit_fini(&kit);
}

static void test_closed_and_hidden_by_as_of_behind_the_disorder(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, "[feature open]\nop = session_is_open\n"
                       "[feature events]\nop = session_event_count\n"
                       "[feature start]\nop = session_start\n");
    kit.rules.out_of_orderness.ms = 5;
    corekit_open(&kit);
    corekit_grant(&kit);
    corekit_click(&kit, "k", base);
    corekit_advance(&kit, base + 15);
    assert_int_equal(corekit_long(&kit, "k", "open"), 1);
    corekit_advance(&kit, base + 16);
    assert_int_equal(corekit_long(&kit, "k", "open"), 0);
    assert_int_equal(corekit_long(&kit, "k", "events"), 1);
    corekit_advance(&kit, base + 1015);
    assert_int_equal(corekit_long(&kit, "k", "events"), 1);
    corekit_advance(&kit, base + 1016);
    assert_int_equal(corekit_long(&kit, "k", "events"), 0);
    assert_true(corekit_is_null(&kit, "k", "start"));
    assert_int_equal(corekit_long(&kit, "k", "open"), 0);
    /* idle emission is not state: the event still joins */
    assert_int_equal(corekit_click(&kit, "k", base + 10), FATE_APPLIED);
    assert_int_equal(corekit_rev(&kit, "k"), 0);
    assert_int_equal(corekit_status(&kit).sessions_opened, 1);
    corekit_fini(&kit);
}

static void test_as_of_never_goes_back(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, minute);
    corekit_advance(&kit, 999999); /* before the first event: no as_of at all */
    assert_int_equal(corekit_status(&kit).as_of.ms, INT64_MIN);
    corekit_event(&kit, &(struct corekit_event){
                            .key = "k", .ts_ms = base - 40, .record_ms = base});
    corekit_advance(&kit, INT64_MIN);
    assert_int_equal(corekit_status(&kit).as_of.ms, base - 40);
    corekit_advance(&kit, base + 100); /* raw + (now - rts) */
    assert_int_equal(corekit_status(&kit).as_of.ms, base + 60);
    corekit_advance(&kit, base + 50);
    corekit_advance(&kit, INT64_MIN);
    assert_int_equal(corekit_status(&kit).as_of.ms, base + 60);
    shard_lease(kit.shard)->as_of_floor_ms = base + 70;
    corekit_advance(&kit, INT64_MIN);
    assert_int_equal(corekit_status(&kit).as_of.ms, base + 70);
    corekit_click(&kit, "k", base + 80);
    corekit_advance(&kit, INT64_MIN);
    assert_int_equal(corekit_status(&kit).as_of.ms, base + 80);
    corekit_fini(&kit);
}

/* ---- forgetting ---- */

static void test_a_session_holds_its_key_through_keep_and_lateness(void **state)
{
    (void)state;
    for (int longer = 0; longer < 2; longer++) {
        struct corekit kit;
        corekit_init(&kit, "[feature n]\nop = session_number\n");
        kit.rules.keep.ms = longer ? 20 : 5;
        kit.rules.lateness.ms = longer ? 5 : 20;
        corekit_open(&kit);
        corekit_click(&kit, "k", base);
        corekit_click(&kit, "clock", base + 30);
        assert_true(corekit_known(&kit, "k"));
        corekit_click(&kit, "clock", base + 31);
        assert_false(corekit_known(&kit, "k")); /* writes are held: dropped at once */
        corekit_fini(&kit);
    }
}

static void test_the_newest_pane_holds_its_key(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, "[feature c]\nop = count\nwhere = n > 0\nover = 60s\nhop = 10s\n");
    kit.rules.keep.ms = 0;
    kit.rules.out_of_orderness.ms = 5;
    kit.rules.window_lateness.ms = 1000000;
    corekit_open(&kit);
    int64_t start = boundary("k", 10000);
    corekit_click(&kit, "k", start);
    corekit_event(&kit, &(struct corekit_event){.key = "none", .ts_ms = start});
    corekit_click(&kit, "clock", start + 70004);
    assert_true(corekit_known(&kit, "k"));
    assert_false(corekit_known(&kit, "none")); /* it counts nowhere */
    /* the pane is invisible, but not over at the watermark */
    corekit_click(&kit, "k", start + 1);
    assert_int_equal(corekit_long(&kit, "k", "c"), 0);
    corekit_click(&kit, "clock", start + 70005);
    assert_false(corekit_known(&kit, "k"));
    /* an event that is over already does not keep its key */
    assert_int_equal(corekit_click(&kit, "k", start), FATE_WINDOWS_ONLY);
    assert_false(corekit_known(&kit, "k"));
    assert_int_equal(corekit_status(&kit).keys, 1);
    corekit_fini(&kit);
}

static void test_a_pane_out_of_sight_holds_a_new_key_until_the_watermark(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, minute);
    kit.rules.out_of_orderness.ms = 5000;
    kit.rules.window_lateness.ms = 1000000;
    corekit_open(&kit);
    int64_t start = boundary("k", 10000);
    corekit_click(&kit, "clock", start + 72000);
    assert_int_equal(corekit_click(&kit, "k", start), FATE_WINDOWS_ONLY);
    assert_true(corekit_known(&kit, "k"));
    assert_int_equal(corekit_long(&kit, "k", "c"), 0);
    corekit_click(&kit, "clock", start + 75000);
    assert_false(corekit_known(&kit, "k"));
    corekit_fini(&kit);
}

static void test_a_new_life_begins_with_nothing(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, "[feature n]\nop = session_number\n[feature c]\nop = count\nover = 5s\n");
    corekit_open(&kit);
    corekit_grant(&kit);
    corekit_click(&kit, "k", base);
    corekit_click(&kit, "k", base + 20);
    assert_int_equal(corekit_long(&kit, "k", "n"), 2);
    corekit_flush(&kit);
    corekit_click(&kit, "clock", base + 7000);
    assert_int_equal(corekit_status(&kit).keys_forgotten_waiting, 1);
    assert_true(corekit_known(&kit, "k"));
    assert_int_equal(corekit_long(&kit, "k", "c"), 0);
    assert_true(corekit_is_null(&kit, "k", "n"));
    corekit_click(&kit, "k", base + 7000); /* while the last row still waits */
    assert_int_equal(corekit_status(&kit).keys_forgotten_waiting, 0);
    assert_int_equal(corekit_long(&kit, "k", "n"), 1);
    assert_int_equal(corekit_flush(&kit), 2);
    corekit_click(&kit, "clock", base + 14000);
    corekit_flush(&kit);
    assert_false(corekit_known(&kit, "k"));
    corekit_click(&kit, "k", base + 14000);
    assert_int_equal(corekit_long(&kit, "k", "n"), 1);
    corekit_fini(&kit);
}

static void test_handles_are_used_again_and_old_deadlines_are_stale(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, "[feature c]\nop = count\nover = 60s\n");
    kit.rules.keep.ms = 0;
    corekit_open(&kit);
    for (int k = 0; k < 200; k++) {
        char key[] = {'a', (char)('0' + k / 10 % 10), (char)('0' + k % 10), '\0'};
        corekit_click(&kit, key, base + 70000 * k);
        assert_int_equal(corekit_status(&kit).keys, 1);
        assert_int_equal(corekit_long(&kit, key, "c"), 1);
        corekit_advance(&kit, INT64_MIN);
    }
    assert_true(kit.shard->handle_count <= 2);
    corekit_fini(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pane_arithmetic),
        cmocka_unit_test(test_the_tail_is_snapped_back_to_a_hop),
        cmocka_unit_test(test_an_event_out_of_order_updates_its_own_pane),
        cmocka_unit_test(test_a_window_has_no_upper_end),
        cmocka_unit_test(test_panes_ahead_of_raw_have_no_bound_but_the_skew),
        cmocka_unit_test(test_panes_are_dropped_when_room_is_needed),
        cmocka_unit_test(test_features_with_the_same_window_share_panes),
        cmocka_unit_test(test_a_pane_that_leaves_makes_the_key_dirty),
        cmocka_unit_test(test_one_jump_over_many_deadlines_is_one_row),
        cmocka_unit_test(test_closed_and_hidden_by_as_of_behind_the_disorder),
        cmocka_unit_test(test_as_of_never_goes_back),
        cmocka_unit_test(test_a_session_holds_its_key_through_keep_and_lateness),
        cmocka_unit_test(test_the_newest_pane_holds_its_key),
        cmocka_unit_test(test_a_pane_out_of_sight_holds_a_new_key_until_the_watermark),
        cmocka_unit_test(test_a_new_life_begins_with_nothing),
        cmocka_unit_test(test_handles_are_used_again_and_old_deadlines_are_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
