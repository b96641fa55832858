/* Deduplication by event id (n is the id; the window is 100 ms). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "corekit.h"
#include "dedup.h"

static const char count[] = "[feature n]\nop = count\nover = 1h\n";

static void start(struct corekit *kit)
{
    corekit_init(kit, count);
    kit->rules.id_slot = SLOT_N;
}

static enum fate send(struct corekit *kit, const char *key, int64_t ts_ms, int64_t id)
{
    struct corekit_event event = {.key = key, .ts_ms = ts_ms, .type = "click", .n = id};
    return corekit_event(kit, &event);
}

static void test_the_second_is_a_duplicate_for_its_key(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    corekit_open(&kit);
    assert_int_equal(send(&kit, "k", 1000, 7), FATE_APPLIED);
    assert_int_equal(send(&kit, "k", 1001, 7), FATE_DUPLICATE);
    assert_int_equal(send(&kit, "other", 1001, 7), FATE_APPLIED);
    assert_int_equal(send(&kit, "k", 1001, 8), FATE_APPLIED);
    assert_int_equal(corekit_long(&kit, "k", "n"), 2);
    assert_int_equal(send(&kit, "k", 1002, CORE_NO_N), FATE_APPLIED);
    assert_int_equal(send(&kit, "k", 1002, CORE_NO_N), FATE_APPLIED);
    assert_int_equal(corekit_status(&kit).ids_remembered, 3);
    corekit_fini(&kit);
}

/* The watermark must pass the event time plus the window; the duplicate does not prolong it. */
static void test_it_is_forgotten_when_the_watermark_has_passed(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    kit.rules.window_lateness.ms = 1000;
    corekit_open(&kit);
    send(&kit, "k", 1000, 7);
    assert_int_equal(send(&kit, "k", 1050, 7), FATE_DUPLICATE);
    send(&kit, "clock", 1100, CORE_NO_N);
    assert_int_equal(send(&kit, "k", 1001, 7), FATE_DUPLICATE);
    send(&kit, "clock", 1101, CORE_NO_N);
    assert_int_equal(corekit_status(&kit).ids_remembered, 0);
    assert_int_equal(send(&kit, "k", 1001, 7), FATE_WINDOWS_ONLY);
    assert_int_equal(corekit_status(&kit).ids_remembered, 1);
    /* Its own time is over for remembering. */
    assert_int_equal(send(&kit, "k", 1000, 9), FATE_WINDOWS_ONLY);
    assert_int_equal(send(&kit, "k", 1000, 9), FATE_WINDOWS_ONLY);
    assert_int_equal(corekit_status(&kit).ids_overflowed, 0);
    corekit_fini(&kit);
}

static void test_what_did_not_enter_state_is_not_remembered(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    kit.rules.max_keys = 1;
    corekit_where(&kit, "type == \"click\"");
    corekit_open(&kit);
    send(&kit, "k", 1000, 1);
    assert_int_equal(send(&kit, "k", 900, 2), FATE_LATE);
    assert_int_equal(send(&kit, "k", 1000, 2), FATE_APPLIED);
    assert_int_equal(send(&kit, "k", 900, 2), FATE_LATE); /* before duplicate */
    assert_int_equal(send(&kit, "new", 1000, 3), FATE_OVER_CAPACITY);
    assert_int_equal(send(&kit, "new", 1000, 3), FATE_OVER_CAPACITY);
    struct corekit_event view = {.key = "k", .ts_ms = 1000, .type = "view", .n = 1};
    assert_int_equal(corekit_event(&kit, &view), FATE_FILTERED);
    corekit_fini(&kit);
}

static void test_an_id_outlives_its_key(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    kit.rules.keep.ms = 0;
    kit.rules.dedup_window.ms = 100000000;
    corekit_open(&kit);
    send(&kit, "k", 1000, 7);
    send(&kit, "clock", 90000000, CORE_NO_N);
    assert_false(corekit_known(&kit, "k"));
    assert_int_equal(send(&kit, "k", 90000000, 7), FATE_DUPLICATE);
    corekit_fini(&kit);
}

static void test_a_full_memory_is_counted(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    kit.rules.dedup_max = 2;
    corekit_open(&kit);
    send(&kit, "k", 1000, 1);
    send(&kit, "k", 1000, 2);
    assert_int_equal(send(&kit, "k", 1000, 3), FATE_APPLIED);
    assert_int_equal(send(&kit, "k", 1000, 3), FATE_APPLIED);
    assert_int_equal(send(&kit, "k", 1000, 2), FATE_DUPLICATE);
    assert_int_equal(corekit_status(&kit).ids_overflowed, 2);
    send(&kit, "clock", 1101, CORE_NO_N);
    assert_int_equal(send(&kit, "k", 1101, 4), FATE_APPLIED);
    assert_int_equal(send(&kit, "k", 1101, 4), FATE_DUPLICATE);
    corekit_fini(&kit);
}

static void leaves(void *context, uint32_t handle)
{
    (void)context, (void)handle;
}

/* Handles are used again, and memory does not grow with time. */
static void test_memory_follows_what_is_remembered(void **state)
{
    (void)state;
    struct dedup dedup;
    dedup_init(&dedup);
    size_t bytes = 0;
    for (int64_t t = 0; t < 200000; t++) {
        struct value id = value_long(t);
        struct hash128 fingerprint = dedup_fingerprint("k", 1, &id);
        dedup_expire(&dedup, t, leaves, NULL);
        assert_false(dedup_knows(&dedup, &fingerprint));
        dedup_remember(&dedup, &fingerprint, t + 1000, 0);
        assert_true(dedup_knows(&dedup, &fingerprint));
        if (t == 50000)
            bytes = dedup_bytes(&dedup);
    }
    assert_int_equal(dedup_count(&dedup), 1001);
    assert_true(dedup_bytes(&dedup) <= 2 * bytes);
    dedup_free(&dedup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_is_a_duplicate_for_its_key),
        cmocka_unit_test(test_it_is_forgotten_when_the_watermark_has_passed),
        cmocka_unit_test(test_what_did_not_enter_state_is_not_remembered),
        cmocka_unit_test(test_an_id_outlives_its_key),
        cmocka_unit_test(test_a_full_memory_is_counted),
        cmocka_unit_test(test_memory_follows_what_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
