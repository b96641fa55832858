/* The scripts against a real redis-server: what is written, fencing, loss, resync, foreign rows. */
#include "redis_world.h"

static void first_owner_writes_rows(void **state)
{
    struct world *world = *state;
    assert_int_equal(world_acquire(world, "a", NULL, 0), REDIS_RESULT_OK);
    assert_false(world->acquired.known);
    assert_int_equal(world->acquired.high_offset, -1);
    assert_int_equal(world->acquired.seq, 0);
    assert_false(world->acquired.resync);
    assert_true(world->acquired.time_ms > 1600000000000);

    struct flush_terms terms = world_terms(world, 0);
    flush_batch_begin(&world->batch, &terms);
    world_add(world, "u1", 7, "shoes", true);
    world_add(world, "u2", 8, NULL, true);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    assert_int_equal(world->flushed.seq, 1);
    assert_int_equal(world->flushed.found_count, 0);
    assert_true(world->flushed.time_ms >= world->acquired.time_ms);
    assert_string_equal(world_do(world, "HGET features:u1 clicks"), "7");
    assert_string_equal(world_do(world, "HGET features:u1 last"), "shoes");
    assert_string_equal(world_do(world, "HGET features:u1 _as_of"), "5000");
    assert_string_equal(world_do(world, "HGET features:u1 _rev"), "0");
    assert_string_equal(world_do(world, "HGET features:u1 _v"), "000000000000feed");
    assert_string_equal(world_do(world, "HGET features:u1 _p"), "3");
    assert_string_equal(world_do(world, "HGET features:u1 _o"), "77");
    assert_string_equal(world_do(world, "HLEN features:u1"), "7");
    assert_string_equal(world_do(world, "HLEN features:u2"), "6");
    assert_true(atol(world_do(world, "PTTL features:u2")) > 3500000);
    assert_string_equal(world_do(world, "HGET %s hw", world->own), "100");
    assert_string_equal(world_do(world, "HGET %s as", world->own), "5000");
    assert_string_equal(world_do(world, "PTTL %s", world->own), "-1");
}

static void partial_whole_and_removed_rows(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_do(world, "HSET features:u1 stale 1 last boots _w x");
    world_do(world, "HSET features:u2 stale 1 last boots");
    world_do(world, "HSET features:u3 stale 1");
    world_do(world, "SET features:u4 nonsense");
    struct flush_terms terms = world_terms(world, 0);
    terms.ttl_ms = 0;
    flush_batch_begin(&world->batch, &terms);
    world_add(world, "u1", 1, NULL, false);
    world_add(world, "u2", 2, NULL, true);
    struct row removed = {.key = "u3", .key_len = 2, .set = &world_set, .removed = true};
    flush_batch_add(&world->batch, &world->layout, &removed);
    world_add(world, "u4", 4, NULL, false);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    assert_string_equal(world_do(world, "HEXISTS features:u1 last"), "0");
    assert_string_equal(world_do(world, "HEXISTS features:u1 stale"), "1");
    assert_string_equal(world_do(world, "HEXISTS features:u2 stale"), "0");
    assert_string_equal(world_do(world, "HGET features:u2 clicks"), "2");
    assert_string_equal(world_do(world, "PTTL features:u2"), "-1");
    assert_string_equal(world_do(world, "EXISTS features:u3"), "0");
    assert_string_equal(world_do(world, "HGET features:u4 clicks"), "4");

    /* A batch without rows counts, and never lowers what stands in the own hash. */
    terms.expected_seq = 1;
    terms.high_offset = 50;
    terms.as_of = EVENT_TIME_MIN;
    flush_batch_begin(&world->batch, &terms);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    assert_int_equal(world->flushed.seq, 2);
    assert_string_equal(world_do(world, "HGET %s hw", world->own), "100");
    assert_string_equal(world_do(world, "HGET %s as", world->own), "5000");
}

static void expiry_is_refreshed_on_demand(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_write(world, 0, "u1", 1);
    world_do(world, "PEXPIRE features:u1 1000000");
    struct flush_terms terms = world_terms(world, 1);
    flush_batch_begin(&world->batch, &terms);
    world_add(world, "u1", 2, NULL, false);
    world_flush(world);
    assert_true(atol(world_do(world, "PTTL features:u1")) <= 1000000);

    struct value values[] = {value_long(3), value_null()};
    struct row row = {.key = "u1", .key_len = 2, .partition = 3, .as_of = {5000},
                      .set = &world_set, .values = values, .expire = true};
    terms.expected_seq = 2;
    flush_batch_begin(&world->batch, &terms);
    flush_batch_add(&world->batch, &world->layout, &row);
    world_flush(world);
    assert_true(atol(world_do(world, "PTTL features:u1")) > 1000000);
}

static void largest_batch(void **state)
{
    struct world *world = *state;
    world_flush_largest(world);
    assert_string_equal(world_do(world, "HGET features:k255 clicks"), "255");
}

static void second_owner_fences_the_first(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_write(world, 0, "u1", 1);
    assert_int_equal(world_acquire(world, "b", "a", 1), REDIS_RESULT_OK);
    assert_true(world->acquired.known);
    assert_int_equal(world->acquired.high_offset, 100);
    assert_int_equal(world->acquired.as_of.ms, 5000);
    assert_int_equal(world->acquired.seq, 1);
    assert_false(world->acquired.resync);

    assert_int_equal(world_write(world, 1, "u1", 2), REDIS_RESULT_FENCED);
    assert_string_equal(world_do(world, "HGET features:u1 clicks"), "1");
    assert_int_equal(redis_health(world->redis)->trouble, REDIS_TROUBLE_NONE);
}

static void lost_batches_are_noticed(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_write(world, 0, "u1", 1);
    assert_int_equal(world_write(world, 7, "u1", 2), REDIS_RESULT_ROLLBACK);
    assert_string_equal(world_do(world, "HGET features:u1 clicks"), "1");

    /* Redis forgets all: no owner, then a resync for whoever had acknowledged batches. */
    world_do(world, "FLUSHALL");
    assert_int_equal(world_write(world, 1, "u1", 2), REDIS_RESULT_FENCED);
    world_acquire(world, "b", "a", 1);
    assert_false(world->acquired.known);
    assert_int_equal(world->acquired.seq, 0);
    assert_true(world->acquired.resync);
}

/* The history says how many batches a token applied, however many owners came after. */
static void history_of_owners(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_write(world, 0, "u1", 1);
    world_write(world, 1, "u1", 2);
    world_acquire(world, "b", "a", 2);
    assert_false(world->acquired.resync);
    world_acquire(world, "c", "a", 2); /* a's end is b's beginning */
    assert_false(world->acquired.resync);
    world_acquire(world, "d", "a", 3);
    assert_true(world->acquired.resync);
    world_do(world, "HSET %s rs 0", world->own);
    world_acquire(world, "e", "stranger", 0);
    assert_true(world->acquired.resync);
    world_do(world, "HSET %s rs 0", world->own);

    for (int i = 0; i < 20; i++) {
        char token[16];
        snprintf(token, sizeof token, "t%d", i);
        world_acquire(world, token, NULL, 0);
    }
    world_acquire(world, "f", "t5", 2);
    assert_false(world->acquired.resync);
    world_acquire(world, "g", "t0", 2); /* long forgotten */
    assert_true(world->acquired.resync);
    int owners = 1;
    for (const char *p = world_do(world, "HGET %s th", world->own); *p; p++)
        owners += *p == ' ';
    assert_int_equal(owners, 16);
}

static void on_resynced(void *context, enum redis_result result)
{
    struct world *world = context;
    world->resynced = result;
    world->answers++;
}

static void mark_and_done(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    for (int pending = 1; pending >= 0; pending--) {
        int before = world->answers;
        redis_set_resync(world->redis, world->own, "a", pending, on_resynced, world);
        WORLD_WAIT(world, world->answers > before);
        assert_int_equal(world->resynced, REDIS_RESULT_OK);
        assert_string_equal(world_do(world, "HGET %s rs", world->own), pending ? "1" : "0");
    }
    redis_set_resync(world->redis, world->own, "z", true, on_resynced, world);
    int before = world->answers;
    WORLD_WAIT(world, world->answers > before);
    assert_int_equal(world->resynced, REDIS_RESULT_FENCED);
    assert_string_equal(world_do(world, "HGET %s rs", world->own), "0");
}

/* What a walk over all rows saw. */
struct walk {
    struct world *world;
    char cursor[32];
    bool stepped;
    int rows;
    int rows_of_3;
};

static void on_scanned(void *context, const struct scan_result *result)
{
    struct walk *walk = context;
    assert_int_equal(result->result, REDIS_RESULT_OK);
    snprintf(walk->cursor, sizeof walk->cursor, "%s", result->cursor);
    for (size_t i = 0; i < result->count; i++) {
        size_t len;
        int32_t partition;
        const char *key = redis_scan_key(result, i, &len, &partition);
        assert_memory_equal(key, "features:", 9);
        walk->rows++;
        walk->rows_of_3 += partition == 3;
    }
    walk->stepped = true;
}

static void on_swept(void *context, const struct sweep_result *result)
{
    struct world *world = context;
    world->swept = *result;
    world->answers++;
}

static void scan_and_sweep(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    for (int i = 0; i < 1000; i++)
        world_do(world, "HSET features:k%d _p %d", i, i % 2 ? 3 : 4);
    world_do(world, "HSET features:strange x 1");
    world_do(world, "HSET other:1 _p 3");
    world_do(world, "SET features:string 1");
    for (char partition = 3; partition <= 4; partition++) { /* packed: as_of 1, partition */
        char row[] = "\xc3\x01" "12345678" "\x02" "?" "more";
        row[11] = (char)(2 * partition);
        world_do(world, "SET features:p%d %b", partition, row, sizeof row - 1);
    }
    struct walk walk = {.world = world, .cursor = "0"};
    do {
        walk.stepped = false;
        redis_scan(world->redis, walk.cursor, "features:*", on_scanned, &walk);
        WORLD_WAIT(world, walk.stepped);
    } while (strcmp(walk.cursor, "0") != 0);
    assert_int_equal(walk.rows, 1004); /* of any type */
    assert_int_equal(walk.rows_of_3, 501);

    struct text keys = {0};
    static const char *const names[] = {"features:k0", "features:k1", "features:k3",
                                        "features:string", "features:none", "features:p3",
                                        "features:p4"};
    for (size_t i = 0; i < 7; i++)
        rowname_append(&world->layout.name, names[i] + 9, strlen(names[i] + 9), &keys);
    struct sweep_terms terms = {world->own, "z", 0, 3};
    int before = world->answers;
    redis_sweep(world->redis, &terms, &keys, 7, on_swept, world);
    WORLD_WAIT(world, world->answers > before);
    assert_int_equal(world->swept.result, REDIS_RESULT_FENCED);
    terms.token = "a";
    redis_sweep(world->redis, &terms, &keys, 7, on_swept, world);
    WORLD_WAIT(world, world->answers > before + 1);
    assert_int_equal(world->swept.result, REDIS_RESULT_OK);
    assert_int_equal(world->swept.deleted, 3);
    /* It has the first number: sent again it finds another count. */
    redis_sweep(world->redis, &terms, &keys, 7, on_swept, world);
    WORLD_WAIT(world, world->answers > before + 2);
    assert_int_equal(world->swept.result, REDIS_RESULT_ROLLBACK);
    assert_int_equal(world_write(world, 1, "u1", 1), REDIS_RESULT_OK);
    assert_string_equal(world_do(world, "EXISTS features:k0"), "1");
    assert_string_equal(world_do(world, "EXISTS features:k1 features:p3"), "0");
    assert_string_equal(world_do(world, "EXISTS features:p4"), "1");
    text_free(&keys);
}

/* What stands at the own key of a shard may be a stranger's: it is no owner, and gives way. */
static void own_key_of_a_stranger(void **state)
{
    struct world *world = *state;
    world_do(world, "SET %s mine", world->own);
    assert_int_equal(world_acquire(world, "a", NULL, 0), REDIS_RESULT_OK);
    assert_false(world->acquired.known);
    assert_int_equal(world->acquired.seq, 0);
    assert_int_equal(world_write(world, 0, "u1", 1), REDIS_RESULT_OK);

    world_do(world, "SET %s mine", world->own);
    assert_int_equal(world_write(world, 1, "u1", 2), REDIS_RESULT_FENCED);
    int before = world->answers;
    redis_set_resync(world->redis, world->own, "a", true, on_resynced, world);
    WORLD_WAIT(world, world->answers > before);
    assert_int_equal(world->resynced, REDIS_RESULT_FENCED);
    struct text keys = {0};
    rowname_append(&world->layout.name, "u1", 2, &keys);
    struct sweep_terms terms = {world->own, "a", 1, 3};
    redis_sweep(world->redis, &terms, &keys, 1, on_swept, world);
    WORLD_WAIT(world, world->answers > before + 1);
    assert_int_equal(world->swept.result, REDIS_RESULT_FENCED);
    text_free(&keys);
    assert_int_equal(world_acquire(world, "b", "a", 1), REDIS_RESULT_OK);
    assert_true(world->acquired.resync); /* what was acknowledged cannot be relied on */
}

/* A hash at the own key whose numbers are none. */
static void own_hash_of_a_stranger(void **state)
{
    struct world *world = *state;
    world_do(world, "HSET %s hw many as soon rs ? seq first th nonsense", world->own);
    assert_int_equal(world_acquire(world, "a", NULL, 0), REDIS_RESULT_OK);
    assert_false(world->acquired.known);
    assert_int_equal(world->acquired.seq, 0);
    assert_int_equal(world_write(world, 0, "u1", 1), REDIS_RESULT_OK);
    world_do(world, "HSET %s hw many as soon", world->own);
    assert_int_equal(world_write(world, 1, "u1", 2), REDIS_RESULT_OK);
    assert_string_equal(world_do(world, "HGET %s hw", world->own), "100");
    assert_string_equal(world_do(world, "HGET %s as", world->own), "5000");
    world_do(world, "HDEL %s seq", world->own);
    assert_int_equal(world_write(world, 2, "u1", 3), REDIS_RESULT_ROLLBACK);
}

static void foreign_rows_are_reported(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_do(world, "HSET features:newer _p 9 _as_of 5001 clicks 1");
    world_do(world, "HSET features:older _p 8 _as_of 4999 clicks 1");
    world_do(world, "HSET features:ours _p 3 _as_of 9999 clicks 1");
    world_do(world, "HSET features:gone _p 7 _as_of 1");
    struct flush_terms terms = world_terms(world, 0);
    terms.check = true;
    flush_batch_begin(&world->batch, &terms);
    world_add(world, "fresh", 2, NULL, true);
    world_add(world, "newer", 2, NULL, true);
    world_add(world, "older", 2, NULL, false);
    world_add(world, "ours", 2, NULL, true);
    struct row removed = {.key = "gone", .key_len = 4, .set = &world_set, .removed = true};
    flush_batch_add(&world->batch, &world->layout, &removed);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    assert_int_equal(world->flushed.found_count, 3);
    assert_int_equal(world->flushed.found[0].index, 1);
    assert_int_equal(world->flushed.found[0].partition, 9);
    assert_int_equal(world->flushed.found[1].index, 2);
    assert_int_equal(world->flushed.found[1].partition, 8);
    assert_int_equal(world->flushed.found[2].index, 4);
    assert_string_equal(world_do(world, "HGET features:fresh clicks"), "2");
    assert_string_equal(world_do(world, "HGET features:newer clicks"), "1");
    assert_string_equal(world_do(world, "HGET features:older clicks"), "2");
    assert_string_equal(world_do(world, "HGET features:ours clicks"), "2");
    assert_string_equal(world_do(world, "EXISTS features:gone"), "1");
}

static void tokens_and_names(void **state)
{
    (void)state;
    char one[REDIS_TOKEN_MAX], two[REDIS_TOKEN_MAX];
    redis_token(one);
    redis_token(two);
    assert_int_equal(strlen(one), 32);
    assert_int_equal(strspn(one, "0123456789abcdef"), 32);
    assert_string_not_equal(one, two);
    struct text own = {0};
    redis_own_key(&own, "shadow:", "shop", "clicks", 12);
    assert_string_equal(own.data, "shadow:freshet:{shop:clicks:12}:own");
    text_free(&own);
}

#define WITH_SERVER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, world_setup_connected, world_teardown)

int main(void)
{
    if (!world_possible())
        return 0;
    const struct CMUnitTest tests[] = {
        WITH_SERVER(first_owner_writes_rows),
        WITH_SERVER(partial_whole_and_removed_rows),
        WITH_SERVER(expiry_is_refreshed_on_demand),
        WITH_SERVER(largest_batch),
        WITH_SERVER(second_owner_fences_the_first),
        WITH_SERVER(lost_batches_are_noticed),
        WITH_SERVER(history_of_owners),
        WITH_SERVER(mark_and_done),
        WITH_SERVER(scan_and_sweep),
        WITH_SERVER(own_key_of_a_stranger),
        WITH_SERVER(own_hash_of_a_stranger),
        WITH_SERVER(foreign_rows_are_reported),
        cmocka_unit_test(tokens_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
