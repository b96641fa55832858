/* S11 and S12: sessions that an event ends, and sessions of a tracker (gap 10 ms). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "corekit.h"
#include "hash.h"
#include "shardstate.h"
#include "text.h"

static const char frame[] = "[feature id]\nop = session_id\n"
                            "[feature number]\nop = session_number\n"
                            "[feature since]\nop = prev_session_gap\n"
                            "[feature n]\nop = count\nover = session\n"
                            "[feature first]\nop = first(type)\nover = session\n";

static void start(struct corekit *kit, bool ended, bool tracked)
{
    corekit_init(kit, frame);
    kit->rules.out_of_orderness.ms = 100000;
    if (ended)
        corekit_end_when(kit, "type == \"end\"");
    if (tracked)
        kit->rules.session_slot = SLOT_ITEM;
    corekit_open(kit);
}

static void say(struct corekit *kit, const char *type, const char *item, int64_t ts_ms)
{
    struct corekit_event event = {.key = "k", .ts_ms = ts_ms, .type = type, .item = item};
    assert_int_equal(corekit_event(kit, &event), FATE_APPLIED);
}

/* The live sessions, oldest first, as id:start..last/events. */
static void assert_sessions(struct corekit *kit, const char *expected)
{
    uint32_t handle = entity_find(kit->shard, "k", 1, hash_bytes("k", 1));
    const struct session *list[16], *session = entity_at(kit->shard, handle)->sessions.live;
    int count = 0;
    for (; session; session = session->next) {
        assert_true(count < 16);
        list[count++] = session;
    }
    struct text text = {0};
    while (count-- > 0) {
        const struct session *newer = count > 0 ? list[count - 1] : NULL;
        if (newer) /* newest first: largest last, then larger id */
            assert_true(newer->last_ms > list[count]->last_ms ||
                        (newer->last_ms == list[count]->last_ms && newer->id > list[count]->id));
        text_printf(&text, "%lld:%lld..%lld/%u%s", (long long)list[count]->id,
                    (long long)list[count]->start_ms, (long long)list[count]->last_ms,
                    list[count]->events, newer ? " " : "");
    }
    assert_string_equal(text.data, expected);
    text_free(&text);
}

static void test_s11_what_is_greater_opens_another(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, true, false);
    say(&kit, "view", NULL, 100);
    say(&kit, "end", NULL, 105);
    assert_sessions(&kit, "0:100..105/2");
    say(&kit, "view", NULL, 106);
    assert_sessions(&kit, "0:100..105/2 2:106..106/1");
    assert_int_equal(corekit_status(&kit).sessions_split, 1);
    assert_int_equal(corekit_long(&kit, "k", "id"), 2);
    assert_int_equal(corekit_long(&kit, "k", "number"), 2);
    assert_int_equal(corekit_long(&kit, "k", "since"), 1);
    say(&kit, "view", NULL, 104); /* within the gap of both: it is on the side of the ended one */
    assert_sessions(&kit, "0:100..105/3 2:106..106/1");
    assert_int_equal(corekit_status(&kit).sessions_merged, 0);
    corekit_fini(&kit);
}

/* Of two events in one millisecond the one of the smaller offset comes first. */
static void test_s11_offsets_decide_within_a_millisecond(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, true, false);
    say(&kit, "end", NULL, 100);
    say(&kit, "view", NULL, 100);
    assert_sessions(&kit, "0:100..100/1 1:100..100/1");
    assert_int_equal(corekit_long(&kit, "k", "number"), 1); /* none has a smaller start */
    assert_int_equal(corekit_long(&kit, "k", "id"), 1);
    say(&kit, "view", NULL, 99);
    assert_sessions(&kit, "0:99..100/2 1:100..100/1");
    corekit_fini(&kit);
}

static void test_s11_the_end_moves_up_only(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, true, false);
    say(&kit, "view", NULL, 100);
    say(&kit, "view", NULL, 108);
    say(&kit, "end", NULL, 104); /* what came before it stays */
    assert_sessions(&kit, "0:100..108/3");
    say(&kit, "end", NULL, 102);
    say(&kit, "view", NULL, 103); /* the end is still 104 */
    assert_sessions(&kit, "0:100..108/5");
    say(&kit, "view", NULL, 106);
    assert_sessions(&kit, "5:106..106/1 0:100..108/5");
    assert_int_equal(corekit_long(&kit, "k", "id"), 0);
    corekit_fini(&kit);
}

static void test_s11_an_end_parts_what_it_would_bridge(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, true, false);
    say(&kit, "view", NULL, 100);
    say(&kit, "view", NULL, 118);
    say(&kit, "end", NULL, 109);
    assert_sessions(&kit, "0:100..109/2 1:118..118/1");
    assert_int_equal(corekit_status(&kit).sessions_split, 0);
    say(&kit, "view", NULL, 110);
    assert_sessions(&kit, "0:100..109/2 1:110..118/2");
    assert_int_equal(corekit_status(&kit).sessions_split, 1);
    corekit_fini(&kit);
}

static void test_s11_a_bridge_before_the_end_merges(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, true, false);
    say(&kit, "view", NULL, 100);
    say(&kit, "end", NULL, 118);
    say(&kit, "click", NULL, 109);
    assert_sessions(&kit, "0:100..118/3");
    say(&kit, "view", NULL, 119); /* the end went with the merge */
    assert_sessions(&kit, "0:100..118/3 3:119..119/1");
    corekit_fini(&kit);
}

static void test_s12_trackers_never_share_a_session(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, false, true);
    say(&kit, "a1", "tab a", 100);
    say(&kit, "b1", "a longer name of tab b", 101);
    say(&kit, "n1", NULL, 102);
    assert_sessions(&kit, "0:100..100/1 1:101..101/1 2:102..102/1");
    say(&kit, "a2", "tab a", 104); /* now the one of tab a is the newest */
    assert_sessions(&kit, "1:101..101/1 2:102..102/1 0:100..104/2");
    assert_int_equal(corekit_long(&kit, "k", "id"), 0);
    assert_int_equal(corekit_long(&kit, "k", "number"), 1);
    assert_true(corekit_is_null(&kit, "k", "since"));
    say(&kit, "b2", "a longer name of tab b", 104); /* the same last: the larger id */
    assert_int_equal(corekit_long(&kit, "k", "id"), 1);
    assert_int_equal(corekit_long(&kit, "k", "number"), 2);
    assert_int_equal(corekit_long(&kit, "k", "since"), 101 - 104);
    say(&kit, "n2", NULL, 105);
    assert_sessions(&kit, "0:100..104/2 1:101..104/2 2:102..105/2");
    assert_int_equal(corekit_long(&kit, "k", "n"), 2);
    assert_string_equal(corekit_value(&kit, "k", "first").s, "n1");
    corekit_fini(&kit);
}

static void test_s12_merges_within_a_tracker(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, false, true);
    say(&kit, "x", "a", 118);
    say(&kit, "x", "b", 109);
    say(&kit, "x", "a", 100);
    assert_sessions(&kit, "2:100..100/1 1:109..109/1 0:118..118/1");
    say(&kit, "x", "a", 109);
    assert_sessions(&kit, "1:109..109/1 0:100..118/3");
    assert_int_equal(corekit_status(&kit).sessions_merged, 1);
    assert_int_equal(corekit_status(&kit).sessions_split, 0);
    corekit_fini(&kit);
}

/* One long session of a tracker over many short ones of another: all of their starts are known. */
static void test_s12_a_long_session_counts_what_began_before_it(void **state)
{
    (void)state;
    struct corekit kit;
    start(&kit, false, true);
    say(&kit, "x", "b", 990);
    for (int64_t t = 1000; t <= 2000; t += 5) {
        say(&kit, "x", "a", t);
        if (t % 20 == 0)
            say(&kit, "x", "b", t);
    }
    corekit_click(&kit, "clock", 101000);
    assert_int_equal(corekit_long(&kit, "k", "id"), corekit_status(&kit).next_offset - 2);
    say(&kit, "x", "a", 2002);
    assert_int_equal(corekit_long(&kit, "k", "number"), 2);
    assert_int_equal(corekit_long(&kit, "k", "since"), 1000 - 1000);
    corekit_fini(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_s11_what_is_greater_opens_another),
        cmocka_unit_test(test_s11_offsets_decide_within_a_millisecond),
        cmocka_unit_test(test_s11_the_end_moves_up_only),
        cmocka_unit_test(test_s11_an_end_parts_what_it_would_bridge),
        cmocka_unit_test(test_s11_a_bridge_before_the_end_merges),
        cmocka_unit_test(test_s12_trackers_never_share_a_session),
        cmocka_unit_test(test_s12_merges_within_a_tracker),
        cmocka_unit_test(test_s12_a_long_session_counts_what_began_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
