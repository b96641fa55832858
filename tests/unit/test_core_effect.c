/* Effects of an observed shard: what is told, in which order, with which row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "corekit.h"
#include "effect.h"
#include "text.h"

enum { ALL_KINDS = (1u << EFFECT_COUNT_OF) - 1 };

static const char *const names[EFFECT_COUNT_OF] = {
    [EFFECT_ARRIVED] = "arrived",     [EFFECT_CLOSED] = "closed",
    [EFFECT_DECAYED] = "decayed",     [EFFECT_FORGOTTEN] = "forgotten",
    [EFFECT_OPENED] = "opened",       [EFFECT_RETRACTED] = "retracted",
    [EFFECT_CORRECTED] = "corrected", [EFFECT_ENDED] = "ended",
};

static const char features[] = "[feature n]\nop = count\nover = session\n"
                               "[feature id]\nop = session_id\n"
                               "[feature number]\nop = session_number\n"
                               "[feature last_10s]\nop = count\nover = 10s\nhop = 1s\n";

struct world {
    struct corekit kit;
    struct text told;
    struct arena arena;
};

static void observe(void *context, const struct shard *shard, const struct effect *effect)
{
    struct world *world = context;
    struct text *told = &world->told;
    text_printf(told, "%s %.*s", names[effect->kind], (int)effect->key_len,
                effect->key ? effect->key : "");
    bool of_session = effect->kind == EFFECT_CLOSED || effect->kind == EFFECT_OPENED ||
                      effect->kind == EFFECT_RETRACTED || effect->kind == EFFECT_CORRECTED;
    if (of_session)
        text_printf(told, " %lld:%lld..%lld/%u%s", (long long)effect->session.id,
                    (long long)effect->session.start_ms, (long long)effect->session.last_ms,
                    effect->session.events, effect->session.open ? " open" : "");
    if (effect->kind == EFFECT_ENDED)
        text_printf(told, " %s", fate_rows[effect->verdict.fate].name);
    if (effect->key && effect->kind != EFFECT_RETRACTED) {
        struct row row;
        shard_effect_row(shard, effect, &world->arena, &row);
        assert_int_equal(row.key_len, effect->key_len);
        assert_int_equal(row.as_of.ms, effect->as_of.ms);
        text_printf(told, " n=%lld", (long long)row.values[0].i);
        if (of_session)
            assert_int_equal(row.values[1].i, effect->session.id);
    }
    text_printf(told, "\n");
}

static void begin(struct world *world)
{
    *world = (struct world){0};
    corekit_init(&world->kit, features);
    world->kit.rules.lateness.ms = 100;
    world->kit.rules.window_lateness.ms = 110;
    world->kit.rules.keep.ms = 50;
}

static void start(struct world *world, unsigned kinds)
{
    corekit_open(&world->kit);
    shard_observe(world->kit.shard, kinds, observe, world);
}

static void finish(struct world *world)
{
    corekit_fini(&world->kit);
    arena_free(&world->arena);
    text_free(&world->told);
}

static void click(struct world *world, const char *key, int64_t ts_ms)
{
    corekit_click(&world->kit, key, ts_ms);
}

#define TOLD(world, expected)                                                                      \
    do {                                                                                           \
        assert_string_equal((world)->told.data ? (world)->told.data : "", expected);               \
        text_clear(&(world)->told);                                                                \
    } while (0)

static void test_a_record_tells_its_story_in_order(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    start(&world, ALL_KINDS);
    click(&world, "a", 100);
    TOLD(&world, "arrived a n=0\nopened a 0:100..100/1 open n=1\nended a applied n=1\n");
    click(&world, "a", 105);
    TOLD(&world, "arrived a n=1\nended a applied n=2\n");
    click(&world, "b", 116); /* as_of 116 > 105 + 10 */
    TOLD(&world, "arrived b n=0\nclosed a 0:100..105/2 n=2\ndecayed a n=2\n"
                 "opened b 2:116..116/1 open n=1\nended b applied n=1\n");
    finish(&world);
}

/* A session that closes is told of even when a newer one is shown, and its row shows it. */
static void test_every_session_closes_once(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    world.kit.rules.out_of_orderness.ms = 100;
    start(&world, 1u << EFFECT_CLOSED);
    click(&world, "a", 100);
    click(&world, "a", 150);
    click(&world, "b", 240);
    click(&world, "b", 240);
    TOLD(&world, "closed a 0:100..100/1 n=1\n");
    shard_advance_to(world.kit.shard, 500);
    TOLD(&world, "closed a 1:150..150/1 n=1\nclosed b 2:240..240/2 n=2\n");
    shard_advance_to(world.kit.shard, 900);
    TOLD(&world, "");
    finish(&world);
}

static void test_a_closed_session_is_corrected_and_replaced(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    start(&world, ALL_KINDS & ~(1u << EFFECT_ARRIVED | 1u << EFFECT_ENDED | 1u << EFFECT_DECAYED));
    click(&world, "a", 115);
    click(&world, "a", 100);
    TOLD(&world, "opened a 0:115..115/1 open n=1\n"
                 "opened a 1:100..100/1 n=1\ncorrected a 1:100..100/1 n=1\n");
    click(&world, "b", 140);
    TOLD(&world, "closed a 0:115..115/1 n=1\nopened b 2:140..140/1 open n=1\n");
    click(&world, "a", 108);
    TOLD(&world, "retracted a 1:100..100/1\ncorrected a 0:100..115/3 n=3\n");
    click(&world, "a", 125);
    click(&world, "a", 135);
    TOLD(&world, "corrected a 0:100..125/4 n=4\ncorrected a 0:100..135/5 open n=5\n");
    finish(&world);
}

/* A session is published once it was told of as closed, though it is open again. */
static void test_a_session_that_opened_again_stays_published(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    start(&world, 1u << EFFECT_CLOSED | 1u << EFFECT_CORRECTED | 1u << EFFECT_RETRACTED);
    click(&world, "a", 80);
    click(&world, "a", 100);
    shard_advance_to(world.kit.shard, 111);
    click(&world, "a", 110);
    TOLD(&world, "closed a 0:80..80/1 n=1\nclosed a 1:100..100/1 n=1\n"
                 "corrected a 1:100..110/2 open n=2\n");
    shard_advance_to(world.kit.shard, 115);
    click(&world, "a", 90);
    TOLD(&world, "retracted a 1:100..110/2 open\ncorrected a 0:80..110/4 open n=4\n");
    finish(&world);
}

static void test_forgotten_after_all_else(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    start(&world, ALL_KINDS & ~(1u << EFFECT_ARRIVED | 1u << EFFECT_ENDED));
    click(&world, "b", 100);
    click(&world, "a", 100);
    TOLD(&world, "opened b 0:100..100/1 open n=1\nopened a 1:100..100/1 open n=1\n");
    click(&world, "c", 50000);
    TOLD(&world, "closed a 1:100..100/1 n=1\ndecayed a n=0\nclosed b 0:100..100/1 n=1\n"
                 "decayed b n=0\nforgotten b n=0\nforgotten a n=0\nopened c 2:50000..50000/1 open "
                 "n=1\n");
    finish(&world);
}

static void test_fates_are_told_without_a_key(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    start(&world, 1u << EFFECT_ENDED);
    struct record record = {.offset = 0, .record_time_ms = 5, .fate = FATE_TOMBSTONE};
    struct verdict verdict;
    shard_apply(world.kit.shard, &record, 1, &verdict);
    world.kit.offset = 1;
    click(&world, "", 100);
    TOLD(&world, "ended  tombstone\nended  no_key\n");
    finish(&world);
}

static void test_rows_at_any_time_move_nothing(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    start(&world, 1u << EFFECT_CLOSED);
    click(&world, "a", 20000);
    struct row row;
    assert_true(shard_row_at(world.kit.shard, "a", 1, 40000, &world.arena, &row));
    assert_int_equal(row.values[3].i, 0);
    assert_true(shard_row_at(world.kit.shard, "a", 1, 20000, &world.arena, &row));
    assert_int_equal(row.values[3].i, 1);
    assert_int_equal(row.offset, 0);
    assert_false(shard_row_at(world.kit.shard, "nobody", 6, 20000, &world.arena, &row));
    assert_int_equal(row.values[0].i, 0);
    assert_int_equal(row.values[1].type, VALUE_NULL);
    assert_int_equal(row.offset, -1);
    assert_int_equal(corekit_status(&world.kit).as_of.ms, 20000);
    assert_int_equal(corekit_status(&world.kit).keys, 1);
    TOLD(&world, "");
    finish(&world);
}

static void test_the_walk_is_in_order_of_keys(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    start(&world, 1u << EFFECT_CLOSED);
    const char *const keys[] = {"bb", "b", "a key that is longer than inline ones", "c", "a"};
    for (int k = 0; k < 5; k++)
        click(&world, keys[k], 100);
    struct shard_walk walk;
    shard_walk_begin(world.kit.shard, &walk);
    const char *key;
    size_t len;
    while (shard_walk_next(world.kit.shard, &walk, &key, &len))
        text_printf(&world.told, "%.*s;", (int)len, key);
    shard_walk_end(&walk);
    TOLD(&world, "a;a key that is longer than inline ones;b;bb;c;");
    finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_tells_its_story_in_order),
        cmocka_unit_test(test_every_session_closes_once),
        cmocka_unit_test(test_a_closed_session_is_corrected_and_replaced),
        cmocka_unit_test(test_a_session_that_opened_again_stays_published),
        cmocka_unit_test(test_forgotten_after_all_else),
        cmocka_unit_test(test_fates_are_told_without_a_key),
        cmocka_unit_test(test_rows_at_any_time_move_nothing),
        cmocka_unit_test(test_the_walk_is_in_order_of_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
