/* Delivery of a shard's rows: dirty keys, batches, acknowledgement, resync, forgetting, TTL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "corekit.h"
#include "shardstate.h"

static const char count[] = "[feature c]\nop = count\nover = session\n";
static const int64_t base = 1000000000000;
static const char token[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static void start(struct corekit *kit)
{
    corekit_start(kit, count);
    corekit_grant(kit);
}

static void click_keys(struct corekit *kit, int keys, int64_t ts)
{
    for (int k = 0; k < keys; k++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", k);
        corekit_click(kit, key, ts);
    }
}

static struct row next_row(struct corekit *kit, struct shard_batch *batch, uint32_t now_s,
                           uint32_t ttl_s)
{
    struct row row;
    assert_true(shard_batch_next(kit->shard, batch, &kit->arena, now_s, ttl_s, &row));
    return row;
}

static void begin(struct corekit *kit, struct shard_batch *batch)
{
    corekit_advance(kit, INT64_MIN);
    shard_batch_begin(kit->shard, batch);
}

static void test_dirty_keys_coalesce(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    corekit_click(&kit, "a", base + 5);
    corekit_click(&kit, "b", base + 6);
    corekit_click(&kit, "a", base + 3);
    assert_int_equal(corekit_status(&kit).dirty, 2);
    struct shard_batch batch;
    char keys[4][16];
    assert_int_equal(corekit_batch(&kit, &batch, 4, keys), 2);
    assert_string_equal(keys[0], "a"); /* the one that waits longest */
    assert_int_equal(batch.since_ms[0], base + 3);
    assert_int_equal(batch.since_ms[1], base + 6);
    assert_int_equal(batch.last_offset, 2);
    assert_int_equal(batch.as_of.ms, base + 6);
    assert_int_equal(corekit_status(&kit).inflight, 2);
    assert_false(shard_has_rows(kit.shard));
    shard_batch_end(kit.shard, &batch, true);
    assert_int_equal(corekit_status(&kit).inflight, 0);
    assert_int_equal(corekit_flush(&kit), 0);
    corekit_fini(&kit);
}

static void test_rows_say_where_they_come_from(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    corekit_click(&kit, "a", base);
    corekit_click(&kit, "a", base);
    struct shard_batch batch;
    begin(&kit, &batch);
    struct row row = next_row(&kit, &batch, 1, 0);
    assert_int_equal(row.key_len, 1);
    assert_memory_equal(row.key, "a", 1);
    assert_int_equal(row.partition, 0);
    assert_int_equal(row.offset, 1);
    assert_int_equal(row.as_of.ms, base);
    assert_int_equal(row.values[0].i, 2);
    assert_ptr_equal(row.set, kit.set);
    assert_null(row.warming);
    assert_false(row.removed || row.expire);
    shard_batch_end(kit.shard, &batch, true);
    corekit_fini(&kit);
}

static void test_unacknowledged_rows_are_dirty_again(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    corekit_click(&kit, "a", base);
    struct shard_batch lost, next;
    assert_int_equal(corekit_batch(&kit, &lost, 4, NULL), 1);
    corekit_click(&kit, "a", base + 1); /* while the first is under way */
    assert_int_equal(corekit_batch(&kit, &next, 4, NULL), 1);
    assert_int_equal(corekit_status(&kit).inflight, 2);
    shard_batch_end(kit.shard, &lost, false);
    assert_int_equal(corekit_status(&kit).dirty, 1);
    shard_batch_end(kit.shard, &next, true);
    assert_int_equal(corekit_status(&kit).dirty, 1); /* whichever came last in Redis */
    assert_int_equal(corekit_batch(&kit, &next, 4, NULL), 1);
    assert_int_equal(next.since_ms[0], base);
    assert_false(next.decay[0]);
    shard_batch_end(kit.shard, &next, true);
    corekit_fini(&kit);
}

/* What Redis did not have is as good as unacknowledged, and needs the whole row. */
static void test_rows_that_were_gone_are_written_whole(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    corekit_click(&kit, "a", base);
    corekit_click(&kit, "b", base);
    corekit_flush(&kit);
    corekit_click(&kit, "a", base + 1);
    corekit_click(&kit, "b", base + 1);
    struct shard_batch batch;
    begin(&kit, &batch);
    assert_false(next_row(&kit, &batch, 1, 0).whole);
    assert_false(next_row(&kit, &batch, 1, 0).whole);
    size_t len;
    assert_memory_equal(shard_batch_key(kit.shard, &batch, 1, &len), "b", 1);
    assert_int_equal(len, 1);
    batch.differs[1] = true;
    shard_batch_end(kit.shard, &batch, true);
    assert_int_equal(corekit_status(&kit).dirty, 1);
    begin(&kit, &batch);
    struct row row = next_row(&kit, &batch, 1, 10);
    assert_memory_equal(row.key, "b", 1);
    assert_true(row.whole && row.expire);
    shard_batch_end(kit.shard, &batch, true);
    corekit_click(&kit, "b", base + 2);
    begin(&kit, &batch);
    assert_false(next_row(&kit, &batch, 1, 0).whole);
    shard_batch_end(kit.shard, &batch, true);
    corekit_fini(&kit);
}

static void test_a_lost_row_keeps_the_older_since(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    corekit_click(&kit, "a", base);
    struct shard_batch lost, next;
    corekit_batch(&kit, &lost, 4, NULL);
    corekit_click(&kit, "a", base + 5);
    shard_batch_end(kit.shard, &lost, false);
    assert_int_equal(corekit_batch(&kit, &next, 4, NULL), 1);
    assert_int_equal(next.since_ms[0], base);
    shard_batch_end(kit.shard, &next, true);
    corekit_fini(&kit);
}

static void test_batches_have_a_bound(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    click_keys(&kit, 300, base);
    struct shard_batch batch;
    assert_int_equal(corekit_batch(&kit, &batch, 1000, NULL), SHARD_BATCH_KEYS);
    shard_batch_end(kit.shard, &batch, true);
    assert_int_equal(corekit_flush(&kit), 300 - SHARD_BATCH_KEYS);
    corekit_fini(&kit);
    /* and of field values: 40 features and 6 more fields a row */
    char features[4096] = "";
    for (int k = 0; k < 40; k++)
        snprintf(features + strlen(features), sizeof features - strlen(features),
                 "[feature f%d]\nop = count\nover = session\n", k);
    corekit_start(&kit, features);
    corekit_grant(&kit);
    click_keys(&kit, 100, base);
    assert_int_equal(corekit_batch(&kit, &batch, 1000, NULL), SHARD_BATCH_VALUES / 46);
    shard_batch_end(kit.shard, &batch, true);
    corekit_fini(&kit);
}

static void test_decay_waits_behind_events_and_takes_half(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, count);
    kit.rules.keep.ms = 1000000;
    corekit_open(&kit);
    corekit_grant(&kit);
    click_keys(&kit, 400, base);
    corekit_flush(&kit);
    corekit_advance(&kit, base + 11); /* all are closed */
    for (int k = 0; k < 300; k++) {
        char key[16];
        snprintf(key, sizeof key, "new%d", k);
        corekit_click(&kit, key, base + 11);
    }
    assert_int_equal(corekit_status(&kit).dirty_decay, 400);
    struct shard_batch batch;
    assert_int_equal(corekit_batch(&kit, &batch, 1000, NULL), 256);
    for (int k = 0; k < 256; k++)
        assert_int_equal(batch.decay[k], k >= 128);
    shard_batch_end(kit.shard, &batch, true);
    /* 172 events and 272 rows of decay are left */
    assert_int_equal(corekit_batch(&kit, &batch, 1000, NULL), 256);
    shard_batch_end(kit.shard, &batch, true);
    assert_int_equal(corekit_batch(&kit, &batch, 1000, NULL), 256 - 68);
    for (int k = 0; k < batch.count; k++)
        assert_int_equal(batch.decay[k], k >= 44);
    shard_batch_end(kit.shard, &batch, true);
    assert_int_equal(corekit_flush(&kit), 0);
    corekit_fini(&kit);
}

static void test_nothing_is_written_before_the_hold(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_start(&kit, count);
    struct lease *lease = shard_lease(kit.shard);
    lease_acquiring(lease, token);
    struct lease_grant grant = {.had_own = true, .hw = 1, .as_of_ms = base + 50, .seq = 4};
    assert_true(lease_granted(lease, &grant, 2, true));
    shard_resync(kit.shard);
    lease_step_sent(lease, LEASE_MARK);
    lease_step_ended(lease, LEASE_MARK, true);
    corekit_click(&kit, "a", base);
    assert_true(corekit_status(&kit).held);
    assert_false(shard_has_rows(kit.shard));
    assert_false(shard_synced(kit.shard));
    corekit_click(&kit, "b", base + 1);
    assert_false(corekit_status(&kit).held);
    assert_true(shard_has_rows(kit.shard));
    struct shard_batch batch;
    assert_int_equal(corekit_batch(&kit, &batch, 4, NULL), 2);
    assert_int_equal(batch.as_of.ms, base + 50); /* never before that of the owner before */
    shard_batch_end(kit.shard, &batch, true);
    assert_true(shard_synced(kit.shard));
    corekit_fini(&kit);
}

/* ---- resync ---- */

/* Puts the lease at the point where rows of a resync may be written. */
static void resync(struct corekit *kit)
{
    struct lease *lease = shard_lease(kit->shard);
    lease_want_resync(lease);
    shard_resync(kit->shard);
    assert_false(shard_has_rows(kit->shard));
    lease_step_sent(lease, LEASE_MARK);
    lease_step_ended(lease, LEASE_MARK, true);
}

static void test_resync_writes_every_key_whole(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    click_keys(&kit, 700, base);
    assert_int_equal(corekit_flush(&kit), 700);
    corekit_click(&kit, "k7", base);
    struct shard_batch batch;
    begin(&kit, &batch);
    assert_false(next_row(&kit, &batch, 1, 0).whole); /* known and acknowledged */
    shard_batch_end(kit.shard, &batch, true);
    resync(&kit);
    assert_int_equal(corekit_status(&kit).unsynced, 700);
    assert_false(shard_synced(kit.shard));
    int rows = 0;
    while (shard_has_rows(kit.shard)) {
        begin(&kit, &batch);
        struct row row;
        while (shard_batch_next(kit.shard, &batch, &kit.arena, 1, 0, &row))
            assert_true(row.whole);
        rows += batch.count;
        bool last = rows == 700;
        assert_false(shard_synced(kit.shard));
        if (last) { /* not before everything was acknowledged */
            shard_batch_end(kit.shard, &batch, false);
            assert_false(shard_synced(kit.shard));
            begin(&kit, &batch);
            while (shard_batch_next(kit.shard, &batch, &kit.arena, 1, 0, &row))
                continue;
        }
        shard_batch_end(kit.shard, &batch, true);
    }
    assert_int_equal(rows, 700);
    assert_true(shard_synced(kit.shard));
    corekit_fini(&kit);
}

static void test_an_acknowledgement_of_the_time_before_does_not_count(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    corekit_click(&kit, "a", base);
    struct shard_batch old;
    assert_int_equal(corekit_batch(&kit, &old, 4, NULL), 1);
    resync(&kit);
    shard_batch_end(kit.shard, &old, true);
    assert_false(shard_synced(kit.shard));
    assert_int_equal(corekit_flush(&kit), 1);
    assert_true(shard_synced(kit.shard));
    resync(&kit);
    resync(&kit); /* again, in the middle */
    assert_int_equal(corekit_status(&kit).unsynced, 1);
    assert_int_equal(corekit_flush(&kit), 1);
    assert_true(shard_synced(kit.shard));
    corekit_fini(&kit);
}

static void test_keys_made_while_held_are_unsynced(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    lease_doubt(shard_lease(kit.shard));
    corekit_click(&kit, "a", base);
    assert_int_equal(corekit_status(&kit).unsynced, 1);
    lease_acquiring(shard_lease(kit.shard), token);
    struct lease_grant grant = {.had_own = true, .hw = -1, .as_of_ms = INT64_MIN};
    assert_false(lease_granted(shard_lease(kit.shard), &grant, 0, false));
    assert_false(shard_synced(kit.shard));
    corekit_flush(&kit);
    assert_true(shard_synced(kit.shard));
    corekit_fini(&kit);
}

/* ---- forgetting ---- */

static void forget(struct corekit *kit, const char *key)
{
    corekit_click(kit, key, base);
    corekit_flush(kit);
    corekit_click(kit, "clock", base + 1011);
    assert_true(shard_has_rows(kit->shard));
}

static void test_a_forgotten_key_goes_after_its_ack(void **state)
{
    (void)state;
    for (int delete = 0; delete < 2; delete++) {
        struct corekit kit;
        corekit_init(&kit, count);
        kit.rules.delete_forgotten = delete;
        corekit_open(&kit);
        corekit_grant(&kit);
        forget(&kit, "a");
        assert_int_equal(corekit_status(&kit).keys, 1);
        assert_int_equal(corekit_status(&kit).keys_forgotten_waiting, 1);
        for (int acknowledged = 0; acknowledged < 2; acknowledged++) {
            struct shard_batch batch;
            begin(&kit, &batch);
            struct row row = next_row(&kit, &batch, 1, 0);
            if (row.key_len > 1)
                row = next_row(&kit, &batch, 1, 0);
            assert_memory_equal(row.key, "a", 1);
            assert_int_equal(row.removed, delete);
            assert_int_equal(row.values[0].i, 0);
            assert_int_equal(row.offset, 0);
            assert_true(corekit_known(&kit, "a"));
            shard_batch_end(kit.shard, &batch, acknowledged);
        }
        assert_false(corekit_known(&kit, "a"));
        assert_int_equal(corekit_status(&kit).keys_forgotten_waiting, 0);
        corekit_fini(&kit);
    }
}

static void test_forgotten_while_in_flight(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    corekit_click(&kit, "a", base);
    struct shard_batch batch;
    corekit_batch(&kit, &batch, 4, NULL);
    corekit_click(&kit, "clock", base + 1011);
    shard_batch_end(kit.shard, &batch, true); /* of the living row: the last is still to come */
    assert_true(corekit_known(&kit, "a"));
    corekit_flush(&kit);
    assert_false(corekit_known(&kit, "a"));
    corekit_fini(&kit);
}

static void test_forgotten_while_held(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    corekit_click(&kit, "a", base);
    corekit_flush(&kit);
    corekit_click(&kit, "b", base + 500);
    struct shard_batch batch;
    corekit_batch(&kit, &batch, 1, NULL);
    corekit_click(&kit, "b", base + 500); /* dirty, too */
    lease_refused(shard_lease(kit.shard), false);
    corekit_click(&kit, "clock", base + 1011);
    assert_false(corekit_known(&kit, "a")); /* at once: a sweep will follow */
    corekit_click(&kit, "clock", base + 1511);
    assert_true(corekit_known(&kit, "b")); /* its row is under way */
    shard_batch_end(kit.shard, &batch, false);
    assert_true(corekit_known(&kit, "b"));
    corekit_fini(&kit);
}

static void test_forgotten_in_doubt_when_no_sweep_follows(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    corekit_click(&kit, "a", base);
    corekit_flush(&kit);
    lease_doubt(shard_lease(kit.shard));
    corekit_click(&kit, "clock", base + 1011);
    assert_true(corekit_known(&kit, "a")); /* nobody else would clean its row */
    lease_acquiring(shard_lease(kit.shard), token);
    struct lease_grant grant = {.had_own = true, .hw = -1, .as_of_ms = INT64_MIN};
    assert_false(lease_granted(shard_lease(kit.shard), &grant, 0, true));
    assert_int_equal(corekit_flush(&kit), 2);
    assert_false(corekit_known(&kit, "a"));
    corekit_fini(&kit);
}

static void test_a_revived_key_gets_its_ttl_again(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, count);
    kit.rules.delete_forgotten = true;
    corekit_open(&kit);
    corekit_grant(&kit);
    forget(&kit, "a");
    struct shard_batch batch;
    corekit_batch(&kit, &batch, 4, NULL); /* its DEL among them */
    corekit_click(&kit, "a", base + 1012);
    shard_batch_end(kit.shard, &batch, true);
    assert_true(corekit_known(&kit, "a"));
    begin(&kit, &batch);
    struct row row = next_row(&kit, &batch, 5, 100);
    assert_false(row.removed);
    assert_true(row.expire); /* the TTL went with the row */
    shard_batch_end(kit.shard, &batch, true);
    corekit_fini(&kit);
}

/* ---- TTL ---- */

static bool expires(struct corekit *kit, uint32_t now_s, bool acknowledged)
{
    struct shard_batch batch;
    corekit_click(kit, "a", base);
    begin(kit, &batch);
    bool expire = next_row(kit, &batch, now_s, 100).expire;
    shard_batch_end(kit->shard, &batch, acknowledged);
    return expire;
}

static void test_the_ttl_is_set_anew_when_half_is_over(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    assert_true(expires(&kit, 10, true));
    assert_false(expires(&kit, 60, true));
    assert_true(expires(&kit, 61, true));
    assert_true(expires(&kit, 112, false));
    assert_true(expires(&kit, 113, true)); /* the one before was lost */
    shard_refresh_ttl(kit.shard, 163, 100, 10);
    assert_false(shard_has_rows(kit.shard));
    shard_refresh_ttl(kit.shard, 164, 0, 10);
    assert_false(shard_has_rows(kit.shard));
    shard_refresh_ttl(kit.shard, 164, 100, 10);
    assert_true(shard_has_rows(kit.shard));
    assert_int_equal(corekit_flush(&kit), 1);
    corekit_fini(&kit);
}

static void test_a_lost_ttl_is_set_soon_after_boot(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    struct shard_batch lost, next;
    corekit_click(&kit, "a", base);
    begin(&kit, &lost);
    next_row(&kit, &lost, 1, 100);
    corekit_click(&kit, "a", base);
    begin(&kit, &next);
    next_row(&kit, &next, 1, 100);
    shard_batch_end(kit.shard, &lost, false);
    shard_batch_end(kit.shard, &next, true);
    assert_true(expires(&kit, 2, true)); /* though 2 is less than half of the TTL */
    corekit_fini(&kit);
}

/* ---- warming ---- */

static void test_warming_names_features_that_cannot_be_right_yet(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, "[feature c]\nop = count\nover = 60s\nhop = 10s\n"
                       "[feature long]\nop = count\nover = 120s\nhop = 10s\n"
                       "[feature r]\nop = ratio(c, long)\n"
                       "[feature s]\nop = count\nover = session\n"
                       "[feature n]\nop = session_number\n");
    kit.rules.max_future_skew.ms = 1000;
    kit.shard = shard_open(&kit.rules, 0, base);
    corekit_grant(&kit);
    corekit_click(&kit, "a", base);
    corekit_advance(&kit, INT64_MIN);
    assert_string_equal(corekit_status(&kit).warming, "c,long,r,s,n");
    resync(&kit);
    corekit_flush(&kit);
    corekit_click(&kit, "a", base + 71000 - 1);
    corekit_advance(&kit, INT64_MIN);
    assert_string_equal(corekit_status(&kit).warming, "c,long,r,s,n");
    corekit_click(&kit, "a", base + 71000);
    corekit_advance(&kit, INT64_MIN);
    assert_string_equal(corekit_status(&kit).warming, "long,r,s,n");
    assert_int_equal(shard_lease(kit.shard)->resync, LEASE_RESYNCING); /* all rows whole */
    corekit_advance(&kit, base + 131000);
    assert_string_equal(corekit_status(&kit).warming, "s,n"); /* no cut: no finite reach */
    corekit_fini(&kit);
}

static void test_session_features_warm_for_their_reach(void **state)
{
    (void)state;
    struct corekit kit;
    corekit_init(&kit, count);
    kit.rules.max_future_skew.ms = 0;
    kit.rules.cut_at_ms = 0;
    kit.rules.cut_every.ms = 1000;
    kit.rules.lateness.ms = 3;
    kit.rules.out_of_orderness.ms = 7;
    kit.shard = shard_open(&kit.rules, 0, base);
    corekit_grant(&kit);
    corekit_click(&kit, "a", base);
    corekit_advance(&kit, base + 1000 + 10 + 3 + 7 + 1000 - 1);
    assert_string_equal(corekit_status(&kit).warming, "c");
    corekit_advance(&kit, base + 1000 + 10 + 3 + 7 + 1000);
    assert_null(corekit_status(&kit).warming);
    corekit_fini(&kit);
}

static void test_a_long_list_of_warming_features_is_cut(void **state)
{
    (void)state;
    static char features[32768];
    features[0] = '\0';
    char *at = features;
    for (int k = 0; k < 120; k++)
        at += snprintf(at, 128, "[feature a_feature_with_a_rather_long_name_%03d]\nop = count\n"
                                "over = session\n", k);
    struct corekit kit;
    corekit_init(&kit, features);
    kit.shard = shard_open(&kit.rules, 0, base);
    corekit_click(&kit, "a", base);
    corekit_advance(&kit, INT64_MIN);
    const char *warming = corekit_status(&kit).warming;
    assert_true(strlen(warming) < SHARD_WARMING_MAX);
    assert_string_equal(warming + strlen(warming) - 4, ",...");
    corekit_fini(&kit);
}

static void test_work_on_deadlines_has_a_budget(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit);
    click_keys(&kit, SHARD_DUE_BUDGET + 100, base);
    struct value slots[SLOT_COUNT];
    corekit_slots(&(struct corekit_event){.key = "z", .ts_ms = base + 11}, slots);
    corekit_click(&kit, "z", base + 11);
    assert_false(shard_advance(kit.shard, INT64_MIN));
    assert_true(shard_advance(kit.shard, INT64_MIN));
    assert_int_equal(corekit_status(&kit).sessions_closed, SHARD_DUE_BUDGET + 100);
    corekit_fini(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dirty_keys_coalesce),
        cmocka_unit_test(test_rows_say_where_they_come_from),
        cmocka_unit_test(test_unacknowledged_rows_are_dirty_again),
        cmocka_unit_test(test_rows_that_were_gone_are_written_whole),
        cmocka_unit_test(test_a_lost_row_keeps_the_older_since),
        cmocka_unit_test(test_batches_have_a_bound),
        cmocka_unit_test(test_decay_waits_behind_events_and_takes_half),
        cmocka_unit_test(test_nothing_is_written_before_the_hold),
        cmocka_unit_test(test_resync_writes_every_key_whole),
        cmocka_unit_test(test_an_acknowledgement_of_the_time_before_does_not_count),
        cmocka_unit_test(test_keys_made_while_held_are_unsynced),
        cmocka_unit_test(test_a_forgotten_key_goes_after_its_ack),
        cmocka_unit_test(test_forgotten_while_in_flight),
        cmocka_unit_test(test_forgotten_while_held),
        cmocka_unit_test(test_forgotten_in_doubt_when_no_sweep_follows),
        cmocka_unit_test(test_a_revived_key_gets_its_ttl_again),
        cmocka_unit_test(test_the_ttl_is_set_anew_when_half_is_over),
        cmocka_unit_test(test_a_lost_ttl_is_set_soon_after_boot),
        cmocka_unit_test(test_warming_names_features_that_cannot_be_right_yet),
        cmocka_unit_test(test_session_features_warm_for_their_reach),
        cmocka_unit_test(test_a_long_list_of_warming_features_is_cut),
        cmocka_unit_test(test_work_on_deadlines_has_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
