/* The fencing protocol of one shard, step by step (design: delivery). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lease.h"

static const char token_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char token_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
static const char token_c[] = "cccccccccccccccccccccccccccccccc";

static const struct lease_grant known = {.had_own = true, .hw = 10, .as_of_ms = 500, .seq = 7};

/* A lease that is held and at rest, at seq 7 and hold 10. */
static struct lease held(void)
{
    struct lease lease;
    lease_init(&lease);
    lease_acquiring(&lease, token_a);
    assert_false(lease_granted(&lease, &known, 100, false));
    return lease;
}

static void step(struct lease *lease, enum lease_step expected, bool synced, bool ok)
{
    assert_int_equal(lease_next(lease, synced), expected);
    lease_step_sent(lease, expected);
    assert_int_equal(lease_next(lease, synced), LEASE_WAIT);
    lease_step_ended(lease, expected, ok);
}

static void test_first_acquire(void **state)
{
    (void)state;
    struct lease lease;
    lease_init(&lease);
    assert_int_equal(lease_next(&lease, false), LEASE_ACQUIRE);
    assert_false(lease_may_write(&lease, 1000));
    lease_acquiring(&lease, token_a);
    assert_int_equal(lease_next(&lease, false), LEASE_WAIT);
    assert_string_equal(lease.previous, "");
    assert_false(lease_granted(&lease, &known, 100, false));
    assert_int_equal(lease.acknowledged, 7);
    assert_int_equal(lease.as_of_floor_ms, 500);
    assert_false(lease_may_write(&lease, 10)); /* offset 10 is still to be applied */
    assert_true(lease_may_write(&lease, 11));
    assert_int_equal(lease_next(&lease, true), LEASE_WAIT);
    assert_false(lease_will_sweep(&lease));
}

static void test_a_lost_acquire_takes_a_new_token_and_the_old_history(void **state)
{
    (void)state;
    struct lease lease = held();
    lease_batch_sent(&lease);
    lease_applied(&lease, 8);
    lease_refused(&lease, false);
    lease_proved(&lease, true);
    lease_acquiring(&lease, token_b);
    lease_not_granted(&lease);
    assert_int_equal(lease_next(&lease, false), LEASE_ACQUIRE);
    lease_acquiring(&lease, token_c);
    assert_string_equal(lease.token, token_c);
    assert_string_equal(lease.previous, token_a); /* the last that was granted */
    assert_int_equal(lease.acknowledged, 8);
}

static void test_redis_knows_nothing(void **state)
{
    (void)state;
    struct lease lease;
    lease_init(&lease);
    lease_acquiring(&lease, token_a);
    struct lease_grant nothing = {.hw = -1, .as_of_ms = INT64_MIN};
    assert_true(lease_granted(&lease, &nothing, 100, false));
    assert_int_equal(lease.hold, 99);
    assert_true(lease_will_sweep(&lease));
    /* the mark stands before any row */
    assert_false(lease_may_write(&lease, 100));
    step(&lease, LEASE_MARK, false, false);
    assert_false(lease_may_write(&lease, 100));
    step(&lease, LEASE_MARK, false, true);
    assert_true(lease_may_write(&lease, 100));
    assert_int_equal(lease_next(&lease, false), LEASE_WAIT);
    step(&lease, LEASE_SWEEP, true, false); /* failed: again */
    step(&lease, LEASE_SWEEP, true, true);
    step(&lease, LEASE_DONE, true, false);
    step(&lease, LEASE_DONE, true, true);
    assert_int_equal(lease_next(&lease, true), LEASE_WAIT);
    assert_int_equal(lease.resync, LEASE_SYNCED);
    assert_false(lease_will_sweep(&lease));
}

static void test_what_asks_for_a_resync(void **state)
{
    (void)state;
    struct lease lease;
    lease_init(&lease);
    lease_acquiring(&lease, token_a);
    assert_true(lease_granted(&lease, &known, 100, true)); /* an empty start */
    lease_init(&lease);
    lease_acquiring(&lease, token_a);
    struct lease_grant pending = known;
    pending.resync = true;
    assert_true(lease_granted(&lease, &pending, 100, false));
    lease = held();
    lease_want_resync(&lease);
    assert_false(lease_may_write(&lease, 1000));
    assert_int_equal(lease_next(&lease, true), LEASE_MARK);
}

static void test_fenced_and_rollback(void **state)
{
    (void)state;
    for (int rollback = 0; rollback < 2; rollback++) {
        struct lease lease = held();
        lease_batch_sent(&lease);
        lease_applied(&lease, 8);
        lease_refused(&lease, rollback);
        lease_refused(&lease, rollback); /* another batch in flight */
        assert_int_equal(lease.fenced, !rollback);
        assert_int_equal(lease.rollbacks, rollback);
        assert_false(lease_may_write(&lease, 1000));
        assert_int_equal(lease_next(&lease, true), LEASE_PROVE);
        lease_proved(&lease, true);
        assert_int_equal(lease_next(&lease, true), LEASE_ACQUIRE);
        lease_acquiring(&lease, token_b);
        assert_string_equal(lease.previous, token_a);
        assert_true(lease_granted(&lease, &known, 100, false));
    }
}

static void test_a_shard_that_went_elsewhere_is_dropped(void **state)
{
    (void)state;
    struct lease lease = held();
    lease_refused(&lease, false);
    lease_proved(&lease, false);
    assert_int_equal(lease.state, LEASE_DROPPED);
    assert_int_equal(lease_next(&lease, true), LEASE_WAIT);
    lease_doubt(&lease);
    lease_refused(&lease, true);
    lease_proved(&lease, true);
    assert_int_equal(lease.state, LEASE_DROPPED);
    assert_false(lease_may_write(&lease, 1000));
}

static void test_the_hold_is_only_raised(void **state)
{
    (void)state;
    static const int64_t marks[][2] = {{5, 10}, {20, 20}};
    for (int k = 0; k < 2; k++) {
        struct lease lease = held();
        lease_refused(&lease, false);
        lease_proved(&lease, true);
        lease_acquiring(&lease, token_b);
        struct lease_grant grant = known;
        grant.hw = marks[k][0];
        grant.as_of_ms = 400;
        lease_granted(&lease, &grant, 100, false);
        assert_int_equal(lease.hold, marks[k][1]);
        assert_int_equal(lease.as_of_floor_ms, 500);
    }
}

static void test_doubt_takes_a_new_token_without_a_resync(void **state)
{
    (void)state;
    struct lease lease = held();
    lease_doubt(&lease);
    assert_false(lease_may_write(&lease, 1000));
    assert_false(lease_will_sweep(&lease));
    lease_acquiring(&lease, token_b);
    assert_false(lease_granted(&lease, &known, 100, true));
    assert_true(lease_may_write(&lease, 11));
    /* but one that was under way starts anew */
    lease_want_resync(&lease);
    step(&lease, LEASE_MARK, false, true);
    lease_doubt(&lease);
    assert_true(lease_will_sweep(&lease));
    lease_acquiring(&lease, token_c);
    assert_true(lease_granted(&lease, &known, 100, true));
    assert_int_equal(lease_next(&lease, false), LEASE_MARK);
    lease_let_go(&lease);
    assert_int_equal(lease_next(&lease, false), LEASE_ACQUIRE);
}

static void test_batches_name_the_count_they_must_find(void **state)
{
    (void)state;
    struct lease lease = held();
    assert_int_equal(lease_batch_sent(&lease), 7);
    assert_int_equal(lease_batch_sent(&lease), 8);
    lease_applied(&lease, 8);
    assert_int_equal(lease_batch_sent(&lease), 9);
    lease_applied(&lease, 9);
    lease_applied(&lease, 10);
    assert_int_equal(lease.acknowledged, 10);
    assert_int_equal(lease_batch_sent(&lease), 10);
    lease_applied(&lease, 10); /* in the place of the one before, which is lost */
    assert_int_equal(lease.rollbacks, 1);
    assert_int_equal(lease_next(&lease, true), LEASE_PROVE);
}

static void test_batches_behind_one_that_was_not_applied_are_no_rollback(void **state)
{
    (void)state;
    struct lease lease = held();
    for (int k = 0; k < 3; k++)
        lease_batch_sent(&lease);
    lease_applied(&lease, 8);
    lease_not_applied(&lease);
    assert_true(lease_awaits_replies(&lease)); /* the third is not back */
    lease_refused(&lease, true);
    assert_int_equal(lease.rollbacks, 0);
    assert_false(lease_awaits_replies(&lease));
    assert_int_equal(lease_batch_sent(&lease), 8);
    lease_refused(&lease, true);
    assert_int_equal(lease.rollbacks, 1);
    /* what was under way with an old token is not counted */
    lease_proved(&lease, true);
    lease_acquiring(&lease, token_b);
    lease_granted(&lease, &known, 100, false);
    assert_int_equal(lease_batch_sent(&lease), 7);
}

/* A Redis that is not ours, or whose scripts are not: the owner must not wait for ever. */
static void test_what_is_applied_behind_a_gap_ends_it(void **state)
{
    (void)state;
    struct lease lease = held();
    lease_batch_sent(&lease);
    lease_batch_sent(&lease);
    lease_not_applied(&lease);
    lease_applied(&lease, 8);
    assert_false(lease_awaits_replies(&lease));
    assert_int_equal(lease_batch_sent(&lease), 8);
    lease_batch_sent(&lease);
    lease_not_applied(&lease);
    lease_applied(&lease, 10);
    assert_int_equal(lease.rollbacks, 1);
    assert_int_equal(lease_next(&lease, true), LEASE_PROVE);
}

static void test_a_resync_begun_in_the_middle_of_a_sweep(void **state)
{
    (void)state;
    struct lease lease = held();
    lease_want_resync(&lease);
    step(&lease, LEASE_MARK, false, true);
    lease_step_sent(&lease, LEASE_SWEEP);
    lease_want_resync(&lease);
    assert_int_equal(lease_next(&lease, false), LEASE_MARK);
    lease_step_ended(&lease, LEASE_SWEEP, true); /* of the old one */
    step(&lease, LEASE_MARK, false, true);
    assert_int_equal(lease_next(&lease, false), LEASE_WAIT); /* all must be written first */
    step(&lease, LEASE_SWEEP, true, true);
    /* and in the middle of DONE */
    lease_step_sent(&lease, LEASE_DONE);
    lease_want_resync(&lease);
    lease_step_ended(&lease, LEASE_DONE, true);
    assert_int_equal(lease.resync, LEASE_RESYNCING);
    assert_int_equal(lease_next(&lease, true), LEASE_MARK);
}

static void test_a_step_that_ends_after_a_refusal_is_no_news(void **state)
{
    (void)state;
    struct lease lease = held();
    lease_want_resync(&lease);
    lease_step_sent(&lease, LEASE_MARK);
    lease_refused(&lease, false);
    lease_step_ended(&lease, LEASE_MARK, true);
    assert_false(lease.marked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_acquire),
        cmocka_unit_test(test_a_lost_acquire_takes_a_new_token_and_the_old_history),
        cmocka_unit_test(test_redis_knows_nothing),
        cmocka_unit_test(test_what_asks_for_a_resync),
        cmocka_unit_test(test_fenced_and_rollback),
        cmocka_unit_test(test_a_shard_that_went_elsewhere_is_dropped),
        cmocka_unit_test(test_the_hold_is_only_raised),
        cmocka_unit_test(test_doubt_takes_a_new_token_without_a_resync),
        cmocka_unit_test(test_batches_name_the_count_they_must_find),
        cmocka_unit_test(test_batches_behind_one_that_was_not_applied_are_no_rollback),
        cmocka_unit_test(test_what_is_applied_behind_a_gap_ends_it),
        cmocka_unit_test(test_a_resync_begun_in_the_middle_of_a_sweep),
        cmocka_unit_test(test_a_step_that_ends_after_a_refusal_is_no_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
