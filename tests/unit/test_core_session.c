/* Fates, time and sessions, one test a rule of docs/semantics.md (gap 10 ms in most). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "corekit.h"
#include "session.h"
#include "text.h"

static const char frame[] = "[feature id]\nop = session_id\n"
                            "[feature number]\nop = session_number\n"
                            "[feature start]\nop = session_start\n"
                            "[feature last]\nop = session_last\n"
                            "[feature duration]\nop = session_duration\n"
                            "[feature events]\nop = session_event_count\n"
                            "[feature open]\nop = session_is_open\n"
                            "[feature since]\nop = prev_session_gap\n"
                            "[feature pace]\nop = mean_gap\n";

static void assert_session(struct corekit *kit, int64_t id, int64_t start, int64_t last,
                           int64_t events)
{
    assert_int_equal(corekit_long(kit, "k", "id"), id);
    assert_int_equal(corekit_long(kit, "k", "start"), start);
    assert_int_equal(corekit_long(kit, "k", "last"), last);
    assert_int_equal(corekit_long(kit, "k", "events"), events);
}

static void slow(struct corekit *kit)
{
    corekit_init(kit, frame);
    kit->rules.out_of_orderness.ms = 100000;
    corekit_open(kit);
}

static void test_s1_both_ends_are_inclusive(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, frame);
    corekit_click(&kit, "k", 100);
    assert_session(&kit, 0, 100, 100, 1);
    assert_int_equal(corekit_long(&kit, "k", "duration"), 0);
    assert_true(corekit_is_null(&kit, "k", "pace"));
    corekit_click(&kit, "k", 105);
    corekit_click(&kit, "k", 109);
    assert_session(&kit, 0, 100, 109, 3);
    assert_int_equal(corekit_long(&kit, "k", "duration"), 9);
    assert_float_equal(corekit_value(&kit, "k", "pace").d, 4.5, 0);
    corekit_fini(&kit);
}

static void test_s2_the_gap_is_inclusive(void **state)
{
    (void)state;
    struct corekit kit;
    slow(&kit);
    corekit_click(&kit, "k", 100);
    corekit_click(&kit, "k", 110);
    assert_session(&kit, 0, 100, 110, 2);
    corekit_click(&kit, "k", 121);
    assert_session(&kit, 2, 121, 121, 1);
    corekit_click(&kit, "k", 90); /* start - gap */
    assert_int_equal(corekit_long(&kit, "k", "number"), 2);
    corekit_click(&kit, "k", 79);
    assert_int_equal(corekit_long(&kit, "k", "number"), 3);
    corekit_fini(&kit);
}

static void test_s2_s7_a_bridge_merges_all_and_the_smallest_id_stays(void **state)
{
    (void)state;
    struct corekit kit;
    slow(&kit);
    corekit_click(&kit, "k", 120);
    corekit_click(&kit, "k", 100);
    assert_session(&kit, 0, 120, 120, 1);
    assert_int_equal(corekit_long(&kit, "k", "since"), 20);
    corekit_click(&kit, "k", 110);
    assert_session(&kit, 0, 100, 120, 3);
    assert_int_equal(corekit_long(&kit, "k", "number"), 1);
    assert_true(corekit_is_null(&kit, "k", "since"));
    assert_int_equal(corekit_status(&kit).sessions_merged, 1);
    assert_int_equal(corekit_status(&kit).sessions_opened, 2);
    assert_int_equal(corekit_status(&kit).sessions_live, 1);
    corekit_fini(&kit);
}

static void test_s3_immutable_after_deadline_and_lateness(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, frame);
    kit.rules.lateness.ms = 5;
    kit.rules.window_lateness.ms = 15;
    corekit_open(&kit);
    corekit_click(&kit, "k", 100);
    corekit_click(&kit, "clock", 115); /* = last + gap + lateness: still live */
    assert_int_equal(corekit_click(&kit, "k", 101), FATE_APPLIED);
    assert_session(&kit, 0, 100, 101, 2);
    corekit_click(&kit, "clock", 117); /* 101 + 15 < 117 */
    assert_int_equal(corekit_click(&kit, "k", 101), FATE_LATE);
    assert_int_equal(corekit_click(&kit, "k", 102), FATE_APPLIED); /* a session of its own */
    assert_session(&kit, 5, 102, 102, 1);
    assert_int_equal(corekit_long(&kit, "k", "since"), 1);
    corekit_fini(&kit);
}

static void test_s4_lateness_is_of_the_merged_result(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, frame);
    corekit_click(&kit, "k", 5);
    corekit_click(&kit, "clock", 15);
    assert_int_equal(corekit_click(&kit, "k", 4), FATE_APPLIED); /* 4 + 10 < 15, but not 5 + 10 */
    assert_session(&kit, 0, 4, 5, 2);
    corekit_click(&kit, "clock", 16);
    assert_int_equal(corekit_click(&kit, "k", 4), FATE_LATE);
    assert_int_equal(kit.verdict.late_by_ms, 12);
    assert_session(&kit, 0, 4, 5, 2);
    assert_int_equal(corekit_click(&kit, "new", 5), FATE_LATE);
    assert_false(corekit_known(&kit, "new"));
    assert_int_equal(corekit_click(&kit, "new", 6), FATE_APPLIED);
    corekit_fini(&kit);
}

static void test_s5_s8_closed_is_strict_and_revisions_add_up(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, frame);
    kit.rules.lateness.ms = 1000;
    corekit_open(&kit);
    corekit_click(&kit, "k", 100);
    corekit_click(&kit, "clock", 110);
    corekit_click(&kit, "k", 100); /* last + gap = watermark: not closed */
    assert_int_equal(corekit_rev(&kit, "k"), 0);
    corekit_click(&kit, "clock", 111);
    corekit_click(&kit, "k", 100);
    assert_int_equal(corekit_rev(&kit, "k"), 1);
    corekit_click(&kit, "clock", 150);
    corekit_click(&kit, "k", 120); /* made closed: a session with revision 1 */
    assert_int_equal(corekit_rev(&kit, "k"), 1);
    corekit_click(&kit, "k", 110); /* 1 + 1 + event + merge */
    assert_session(&kit, 0, 100, 120, 5);
    assert_int_equal(corekit_rev(&kit, "k"), 4);
    assert_int_equal(corekit_status(&kit).sessions_corrected, 3);
    corekit_fini(&kit);
}

static void test_s9_order_is_by_event_time_and_offset(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, "[feature f]\nop = first(item)\nover = session\n"
                       "[feature l]\nop = last(item)\nover = session\n");
    kit.rules.out_of_orderness.ms = 1000;
    corekit_open(&kit);
    static const struct {
        int64_t ts;
        const char *item;
    } clicks[] = {{105, "b"}, {100, "a"}, {108, "y"}, {108, "z"}, {100, "later a"}, {106, "c"}};
    for (size_t k = 0; k < sizeof clicks / sizeof clicks[0]; k++)
        corekit_event(&kit, &(struct corekit_event){
                                .key = "k", .ts_ms = clicks[k].ts, .item = clicks[k].item});
    assert_memory_equal(corekit_value(&kit, "k", "f").s, "a", 1);
    assert_int_equal(corekit_value(&kit, "k", "f").len, 1);
    assert_memory_equal(corekit_value(&kit, "k", "l").s, "z", 1);
    corekit_fini(&kit);
}

static void test_s10_the_cut_parts_sessions(void **state)
{
    (void)state;
    const int64_t day = 86400000, four = 4 * 3600000;
    for (int zone = 0; zone < 2; zone++) {
        struct corekit kit;
        corekit_init(&kit, frame);
        kit.rules.out_of_orderness.ms = 1000;
        kit.rules.cut_at_ms = four + zone * 3600000;
        kit.rules.zone.ms = zone * 3600000;
        corekit_open(&kit);
        corekit_click(&kit, "k", day + four - 1);
        corekit_click(&kit, "k", day + four);
        assert_session(&kit, 1, day + four, day + four, 1);
        corekit_click(&kit, "k", day + four - 2); /* joins the one before the cut only */
        assert_session(&kit, 1, day + four, day + four, 1);
        assert_int_equal(corekit_long(&kit, "k", "since"), 1);
        assert_int_equal(corekit_status(&kit).sessions_merged, 0);
        corekit_fini(&kit);
    }
}

static void test_s14_times_saturate(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, frame);
    kit.rules.gap.ms = INT64_MAX;
    kit.rules.lateness.ms = INT64_MAX;
    kit.rules.keep.ms = INT64_MAX;
    kit.rules.window_lateness.ms = INT64_MAX;
    corekit_open(&kit);
    assert_int_equal(corekit_click(&kit, "k", RULES_EVENT_TIME_MAX_MS), FATE_APPLIED);
    assert_int_equal(corekit_click(&kit, "k", 1), FATE_APPLIED);
    assert_session(&kit, 0, 1, RULES_EVENT_TIME_MAX_MS, 2);
    assert_int_equal(corekit_long(&kit, "k", "open"), 1);
    corekit_fini(&kit);
}

static void test_sessions_that_grow_back_over_immutable_ones(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, frame);
    corekit_click(&kit, "k", 100);
    corekit_click(&kit, "clock", 113);
    corekit_click(&kit, "k", 104); /* 100 is immutable: within the gap, but alone */
    assert_int_equal(corekit_long(&kit, "k", "number"), 2);
    corekit_click(&kit, "k", 97); /* and now it begins before the other */
    assert_session(&kit, 2, 97, 104, 2);
    assert_int_equal(corekit_long(&kit, "k", "number"), 1);
    assert_true(corekit_is_null(&kit, "k", "since"));
    corekit_click(&kit, "clock", 115);
    corekit_click(&kit, "k", 105); /* makes it immutable, opens a third */
    assert_int_equal(corekit_long(&kit, "k", "number"), 3);
    assert_int_equal(corekit_long(&kit, "k", "since"), 5); /* from [100, 100], by start */
    corekit_click(&kit, "k", 99);
    assert_session(&kit, 5, 99, 105, 2);
    assert_int_equal(corekit_long(&kit, "k", "number"), 2);
    assert_int_equal(corekit_long(&kit, "k", "since"), -5); /* from [97, 104] */
    corekit_click(&kit, "k", 96);
    assert_int_equal(corekit_long(&kit, "k", "number"), 1);
    corekit_click(&kit, "clock", 120);
    corekit_click(&kit, "k", 94); /* late: settles, changes nothing */
    assert_int_equal(kit.verdict.fate, FATE_LATE);
    assert_int_equal(corekit_long(&kit, "k", "number"), 1);
    corekit_fini(&kit);
}

static void test_many_sessions_number_on(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, frame);
    for (int k = 0; k < 3 * SESSION_PAST_MAX; k++) {
        corekit_click(&kit, "k", 1000 + 20 * k);
        assert_int_equal(corekit_long(&kit, "k", "number"), k + 1);
        if (k > 0)
            assert_int_equal(corekit_long(&kit, "k", "since"), 20);
    }
    corekit_fini(&kit);
}

static void test_a_thousand_live_sessions_settle(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, frame);
    kit.rules.out_of_orderness.ms = 100000;
    corekit_open(&kit);
    for (int k = 0; k < 1000; k++)
        corekit_click(&kit, "k", 1000 + 20 * k);
    assert_int_equal(corekit_status(&kit).sessions_live, 1000);
    corekit_click(&kit, "k", 110000); /* watermark 10000 */
    assert_int_equal(corekit_long(&kit, "k", "number"), 1001);
    assert_int_equal(corekit_status(&kit).sessions_live, 551);
    corekit_click(&kit, "k", 130000);
    assert_int_equal(corekit_long(&kit, "k", "number"), 1002);
    assert_int_equal(corekit_status(&kit).sessions_live, 2);
    corekit_fini(&kit);
}

/* ---- time ---- */

static void test_t2_clamp_and_reject(void **state)
{
    (void)state;
    for (int reject = 0; reject < 2; reject++) {
        struct corekit kit;
        corekit_init(&kit, frame);
        kit.rules.max_future_skew.ms = 50;
        kit.rules.reject_future = reject;
        corekit_open(&kit);
        struct corekit_event event = {.key = "k", .ts_ms = 1050, .record_ms = 1000};
        assert_int_equal(corekit_event(&kit, &event), FATE_APPLIED);
        event.ts_ms = 1051;
        event.key = "ahead";
        assert_int_equal(corekit_event(&kit, &event), reject ? FATE_FUTURE : FATE_APPLIED);
        assert_int_equal(corekit_status(&kit).future_clamped, !reject);
        if (!reject)
            assert_int_equal(corekit_long(&kit, "ahead", "last"), 1000);
        assert_int_equal(corekit_status(&kit).raw.ms, 1000);
        corekit_fini(&kit);
    }
}

static void test_w1_raw_is_the_greatest_of_the_lesser(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, frame);
    kit.rules.out_of_orderness.ms = 7;
    kit.rules.max_age.ms = 500;
    corekit_where(&kit, "n == 1");
    corekit_open(&kit);
    assert_int_equal(corekit_status(&kit).watermark.ms, INT64_MIN);
    struct corekit_event event = {.key = "k", .ts_ms = 900, .record_ms = 1000, .n = 1};
    corekit_event(&kit, &event);
    assert_int_equal(corekit_status(&kit).raw.ms, 900);
    assert_int_equal(corekit_status(&kit).watermark.ms, 893);
    event = (struct corekit_event){.key = "k", .ts_ms = 950, .record_ms = 940, .n = 1};
    corekit_event(&kit, &event);
    assert_int_equal(corekit_status(&kit).raw.ms, 940);
    event = (struct corekit_event){.key = "k", .ts_ms = 920, .record_ms = 2000, .n = 1};
    assert_int_equal(corekit_event(&kit, &event), FATE_TOO_OLD);
    assert_int_equal(corekit_status(&kit).raw.ms, 940);
    event = (struct corekit_event){.key = "k", .ts_ms = 990, .record_ms = 990, .n = 2};
    assert_int_equal(corekit_event(&kit, &event), FATE_FILTERED); /* after raw moved */
    assert_int_equal(corekit_status(&kit).raw.ms, 990);
    event = (struct corekit_event){.key = "k", .ts_ms = 980, .record_ms = 980, .n = 1};
    corekit_event(&kit, &event);
    assert_int_equal(corekit_status(&kit).raw.ms, 990);
    corekit_fini(&kit);
}

static void test_a_record_without_time_takes_the_greatest_before(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, frame);
    kit.rules.max_future_skew.ms = 50;
    kit.rules.record_time_max_ms = 5000;
    corekit_open(&kit);
    struct corekit_event event = {.key = "k", .ts_ms = 100, .record_ms = RECORD_NO_TIME};
    assert_int_equal(corekit_event(&kit, &event), FATE_APPLIED); /* its own */
    assert_int_equal(corekit_status(&kit).raw.ms, 100);
    event = (struct corekit_event){.key = "k", .ts_ms = 4000, .record_ms = 5001};
    assert_int_equal(corekit_event(&kit, &event), FATE_BAD_TIME); /* time.rts_max */
    event = (struct corekit_event){.key = "k", .ts_ms = 110, .record_ms = 200};
    corekit_event(&kit, &event);
    event = (struct corekit_event){.key = "k", .ts_ms = 300, .record_ms = RECORD_NO_TIME};
    corekit_event(&kit, &event); /* 200: clamped */
    assert_int_equal(corekit_status(&kit).future_clamped, 1);
    assert_int_equal(corekit_status(&kit).raw.ms, 200);
    assert_int_equal(corekit_status(&kit).newest_record_time_ms, 200);
    corekit_fini(&kit);
}

/* ---- fates ---- */

static enum fate apply(struct corekit *kit, const struct record *record)
{
    struct verdict verdict;
    shard_apply(kit->shard, record, 1, &verdict);
    return verdict.fate;
}

static void test_fates_in_their_order(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, frame);
    kit.rules.window_lateness.ms = 20;
    corekit_open(&kit);
    assert_int_equal(corekit_click(&kit, "k", 100), FATE_APPLIED);
    struct value slots[SLOT_COUNT];
    corekit_slots(&(struct corekit_event){.key = NULL, .ts_ms = -1}, slots);
    struct record record = {.offset = 0, .record_time_ms = 100, .fate = FATE_TOMBSTONE,
                            .slots = slots};
    assert_int_equal(apply(&kit, &record), FATE_REPLAYED);
    for (int fate = FATE_TOMBSTONE; fate <= FATE_UNDECODABLE; fate++) {
        record.offset++;
        record.fate = (enum fate)fate;
        assert_int_equal(apply(&kit, &record), fate);
    }
    record.fate = FATE_NONE;
    kit.offset = record.offset + 1;
    char long_key[RULES_KEY_MAX + 2];
    memset(long_key, 'x', sizeof long_key - 1);
    long_key[RULES_KEY_MAX + 1] = '\0';
    assert_int_equal(corekit_click(&kit, NULL, -1), FATE_BAD_TIME); /* before no_key */
    assert_int_equal(corekit_click(&kit, "k", RULES_EVENT_TIME_MAX_MS + 1), FATE_BAD_TIME);
    assert_int_equal(corekit_click(&kit, "k", CORE_NO_TS), FATE_BAD_TIME);
    assert_int_equal(corekit_click(&kit, NULL, 100), FATE_NO_KEY);
    assert_int_equal(corekit_click(&kit, "", 100), FATE_NO_KEY);
    assert_int_equal(corekit_click(&kit, long_key, 100), FATE_NO_KEY);
    assert_int_equal(corekit_click(&kit, long_key + 1, 100), FATE_APPLIED);
    corekit_click(&kit, "clock", 200);
    assert_int_equal(corekit_click(&kit, "k", 180), FATE_WINDOWS_ONLY);
    assert_int_equal(kit.verdict.late_by_ms, 20);
    assert_int_equal(corekit_click(&kit, "k", 179), FATE_LATE);
    assert_int_equal(corekit_click(&kit, "k", 190), FATE_APPLIED);
    assert_int_equal(kit.verdict.late_by_ms, 0);
    struct shard_status status = corekit_status(&kit);
    uint64_t sum = 0;
    for (int fate = 0; fate < FATE_COUNT_OF; fate++)
        sum += status.fates[fate];
    assert_int_equal(sum, 17);
    assert_int_equal(status.fates[FATE_BAD_TIME], 3);
    corekit_fini(&kit);
}

static void test_keys_may_be_numbers(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, frame);
    struct value slots[SLOT_COUNT];
    corekit_slots(&(struct corekit_event){.ts_ms = 100}, slots);
    slots[SLOT_KEY] = value_long(-42);
    struct record record = {.offset = 0, .record_time_ms = 100, .fate = FATE_NONE, .slots = slots};
    assert_int_equal(apply(&kit, &record), FATE_APPLIED);
    assert_true(corekit_known(&kit, "-42"));
    slots[SLOT_KEY] = value_double(1);
    record.offset = 1;
    assert_int_equal(apply(&kit, &record), FATE_NO_KEY);
    corekit_fini(&kit);
}

static void test_max_keys_counts_the_living(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, frame);
    kit.rules.max_keys = 1;
    kit.rules.keep.ms = 0;
    kit.rules.window_lateness.ms = 50;
    corekit_open(&kit);
    corekit_grant(&kit); /* so that forgotten keys wait for their last row */
    assert_int_equal(corekit_click(&kit, "a", 100), FATE_APPLIED);
    assert_int_equal(corekit_click(&kit, "b", 100), FATE_OVER_CAPACITY);
    assert_int_equal(corekit_click(&kit, "a", 101), FATE_APPLIED);
    assert_int_equal(corekit_click(&kit, "b", 111), FATE_OVER_CAPACITY);
    assert_int_equal(corekit_click(&kit, "b", 112), FATE_APPLIED); /* a is forgotten */
    assert_int_equal(corekit_status(&kit).keys, 1);
    assert_int_equal(corekit_status(&kit).keys_forgotten_waiting, 1);
    assert_int_equal(corekit_click(&kit, "a", 112), FATE_OVER_CAPACITY); /* it too is new */
    assert_int_equal(corekit_click(&kit, "a", 80), FATE_OVER_CAPACITY);  /* windows_only */
    assert_int_equal(corekit_click(&kit, "a", 50), FATE_LATE);
    corekit_fini(&kit);
}

static void test_gaps_in_offsets_are_counted(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, frame);
    kit.offset = 7; /* where the log begins is no gap */
    corekit_click(&kit, "k", 100);
    corekit_click(&kit, "k", 100);
    assert_int_equal(corekit_status(&kit).offset_gaps, 0);
    kit.offset = 12;
    corekit_click(&kit, "k", 100);
    assert_int_equal(corekit_status(&kit).offset_gaps, 1);
    shard_end_of_log(kit.shard, 15);
    shard_end_of_log(kit.shard, 3);
    assert_int_equal(corekit_status(&kit).next_offset, 15);
    corekit_fini(&kit);
}

/* ---- explaining ---- */

static void test_explain_tells_sessions_and_delivery(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, "[feature c]\nop = count\nover = 1m\n[feature p]\nop = sum(price)\n"
                       "over = 2m\n");
    kit.rules.lateness.ms = 5;
    corekit_open(&kit);
    corekit_event(&kit, &(struct corekit_event){
                            .key = "k", .ts_ms = 100, .price = CORE_NO_PRICE});
    struct text out = {0};
    assert_true(shard_explain(kit.shard, "k", 1, &out));
    assert_non_null(strstr(out.data, "  0        open: 1 events from 1970-01-01T00:00:00.100Z "));
    assert_non_null(strstr(out.data, "writes are held"));
    assert_non_null(strstr(out.data, "              2m    1s     0\n"));
    assert_non_null(strstr(out.data, "              1m    1s     1  "));
    corekit_click(&kit, "clock", 112);
    text_clear(&out);
    assert_true(shard_explain(kit.shard, "k", 1, &out));
    assert_non_null(strstr(out.data, "closed, may still be corrected"));
    corekit_click(&kit, "clock", 200);
    corekit_click(&kit, "k", 200);
    text_clear(&out);
    assert_true(shard_explain(kit.shard, "k", 1, &out));
    assert_non_null(strstr(out.data, "closed, immutable"));
    assert_non_null(strstr(out.data, "sessions   2 in this life of the key, of which immutable 1"));
    assert_false(shard_explain(kit.shard, "nobody", 6, &out));
    text_free(&out);
    corekit_fini(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_s1_both_ends_are_inclusive),
        cmocka_unit_test(test_s2_the_gap_is_inclusive),
        cmocka_unit_test(test_s2_s7_a_bridge_merges_all_and_the_smallest_id_stays),
        cmocka_unit_test(test_s3_immutable_after_deadline_and_lateness),
        cmocka_unit_test(test_s4_lateness_is_of_the_merged_result),
        cmocka_unit_test(test_s5_s8_closed_is_strict_and_revisions_add_up),
        cmocka_unit_test(test_s9_order_is_by_event_time_and_offset),
        cmocka_unit_test(test_s10_the_cut_parts_sessions),
        cmocka_unit_test(test_s14_times_saturate),
        cmocka_unit_test(test_sessions_that_grow_back_over_immutable_ones),
        cmocka_unit_test(test_many_sessions_number_on),
        cmocka_unit_test(test_a_thousand_live_sessions_settle),
        cmocka_unit_test(test_t2_clamp_and_reject),
        cmocka_unit_test(test_w1_raw_is_the_greatest_of_the_lesser),
        cmocka_unit_test(test_a_record_without_time_takes_the_greatest_before),
        cmocka_unit_test(test_fates_in_their_order),
        cmocka_unit_test(test_keys_may_be_numbers),
        cmocka_unit_test(test_max_keys_counts_the_living),
        cmocka_unit_test(test_gaps_in_offsets_are_counted),
        cmocka_unit_test(test_explain_tells_sessions_and_delivery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
