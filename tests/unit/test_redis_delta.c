/* Deltas against a real redis-server: only what changed is written, rows that are gone are told. */
#include "redis_world.h"

enum { FEATURES = 10 };

static struct feature features[FEATURES];
static const struct feature_set set = {.features = features, .count = FEATURES, .version = 0xfeed};

static int setup_delta(void **state)
{
    world_setup_connected(state);
    struct world *world = *state;
    for (int i = 0; i < FEATURES; i++) {
        features[i] = (struct feature){.kind.type = VALUE_LONG, .by = -1};
        snprintf(features[i].name, sizeof features[i].name, "f%d", i);
    }
    rowlayout_fini(&world->layout);
    rowlayout_init(&world->layout, ROWLAYOUT_HASH, &set, "", "features:{key}", 1 << 20);
    world_acquire(world, "a", NULL, 0);
    return 0;
}

/* Values of a row: the first is n, the last null when n is even, all others the same. */
static void add(struct world *world, const char *key, int64_t n)
{
    struct value values[FEATURES];
    for (int i = 0; i < FEATURES; i++)
        values[i] = value_long(i);
    values[0] = value_long(n);
    if (n % 2 == 0)
        values[FEATURES - 1] = value_null();
    struct row row = {.key = key, .key_len = (uint32_t)strlen(key), .partition = 3, .offset = n,
                      .as_of = {5000 + n}, .set = &set, .values = values};
    flush_batch_add(&world->batch, &world->layout, &row);
}

static void begin(struct world *world, uint64_t history)
{
    struct flush_terms terms = world_terms(world, world->flushed.seq);
    terms.history = history;
    flush_batch_begin(&world->batch, &terms);
}

/* How many fields the row of this n puts into the batch. */
static uint32_t write_row(struct world *world, const char *key, int64_t n, uint64_t history)
{
    begin(world, history);
    add(world, key, n);
    uint32_t values = world->batch.values;
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    return values;
}

enum { ALL = FEATURES + 5, PLACE = 3 }; /* fields of a row, and of each delta */

static void only_what_changed_is_written(void **state)
{
    struct world *world = *state;
    assert_int_equal(write_row(world, "u", 1, 1), ALL);
    assert_int_equal(write_row(world, "u", 1, 1), PLACE);
    assert_int_equal(write_row(world, "u", 3, 1), PLACE + 1);
    assert_int_equal(write_row(world, "u", 4, 1), PLACE + 2); /* one is deleted */
    assert_string_equal(world_do(world, "HGET features:u f0"), "4");
    assert_string_equal(world_do(world, "HGET features:u f8"), "8");
    assert_string_equal(world_do(world, "HEXISTS features:u f9"), "0");
    assert_string_equal(world_do(world, "HGET features:u _as_of"), "5004");
    assert_string_equal(world_do(world, "HGET features:u _v"), "000000000000feed");
    assert_int_equal(write_row(world, "u", 5, 1), PLACE + 2); /* it is there again */
    assert_string_equal(world_do(world, "HGET features:u f9"), "9");
    assert_int_equal(world->flushed.found_count, 0);
    assert_int_equal(write_row(world, "u", 5, 2), ALL); /* another history */
    assert_int_equal(world->flushed.found_count, 0);
}

static void expect_gone(struct world *world, uint32_t index)
{
    assert_int_equal(world->flushed.found_count, 1);
    assert_int_equal(world->flushed.found[0].index, index);
    assert_int_equal(world->flushed.found[0].partition, -1);
}

static void rows_that_are_gone_are_told(void **state)
{
    struct world *world = *state;
    static const char *const keys[] = {"kept", "deleted", "expired", "evicted"};
    begin(world, 1);
    for (int i = 0; i < 4; i++)
        add(world, keys[i], 1);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    world_do(world, "DEL features:deleted");
    world_do(world, "PEXPIRE features:expired 1");
    usleep(20000);
    begin(world, 1);
    for (int i = 0; i < 3; i++)
        add(world, keys[i], 3);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    assert_int_equal(world->flushed.found_count, 2);
    assert_int_equal(world->flushed.found[0].index, 1);
    assert_int_equal(world->flushed.found[1].index, 2);
    assert_string_equal(world_do(world, "HGET features:kept f0"), "3");
    /* A part is not shown to anybody. */
    assert_string_equal(world_do(world, "EXISTS features:deleted features:expired"), "0");

    /* The server throws rows away by itself. */
    world_do(world, "CONFIG SET maxmemory-policy allkeys-random");
    world_do(world, "CONFIG SET maxmemory 1");
    for (int i = 0; i < 1000 && strcmp(world_do(world, "EXISTS features:evicted"), "1") == 0; i++)
        usleep(10000);
    world_do(world, "CONFIG SET maxmemory 0");
    assert_string_equal(world_do(world, "EXISTS features:evicted"), "0");
    world_acquire(world, "a", NULL, 0); /* the own hash may have gone, too */
    world->flushed.seq = world->acquired.seq;
    write_row(world, "evicted", 3, 1);
    expect_gone(world, 0);
    assert_string_equal(world_do(world, "EXISTS features:evicted"), "0");
}

static void fields_that_are_gone_are_told(void **state)
{
    struct world *world = *state;
    write_row(world, "u", 1, 1);
    world_do(world, "HDEL features:u f0");
    write_row(world, "u", 3, 1); /* it sets f0, which was thought to be there */
    expect_gone(world, 0);
    assert_string_equal(world_do(world, "HGET features:u f0"), "3"); /* the rest is a row */

    write_row(world, "u", 3, 2);
    world_do(world, "HDEL features:u f9");
    write_row(world, "u", 4, 2); /* it deletes f9 */
    expect_gone(world, 0);

    write_row(world, "u", 4, 3);
    world_do(world, "HSET features:u f9 1"); /* more than there should be */
    write_row(world, "u", 5, 3);
    expect_gone(world, 0);

    write_row(world, "u", 5, 4);
    world_do(world, "SET features:u stranger");
    write_row(world, "u", 7, 4);
    expect_gone(world, 0);
    assert_string_equal(world_do(world, "EXISTS features:u"), "0");
}

static void gone_and_foreign_rows_in_one_batch(void **state)
{
    struct world *world = *state;
    begin(world, 1);
    add(world, "gone", 1);
    add(world, "foreign", 1);
    add(world, "ours", 1);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    world_do(world, "DEL features:gone");
    world_do(world, "HSET features:foreign _p 9 _as_of 9999");
    struct flush_terms terms = world_terms(world, world->flushed.seq);
    terms.history = 1;
    terms.check = true;
    flush_batch_begin(&world->batch, &terms);
    add(world, "gone", 3);
    add(world, "foreign", 3);
    add(world, "ours", 3);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    assert_int_equal(world->flushed.found_count, 2);
    assert_int_equal(world->flushed.found[0].partition, -1);
    assert_int_equal(world->flushed.found[1].index, 1);
    assert_int_equal(world->flushed.found[1].partition, 9);
    assert_string_equal(world_do(world, "HGET features:foreign f0"), "1");
    assert_string_equal(world_do(world, "HGET features:ours f0"), "3");
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup_delta, world_teardown)

int main(void)
{
    if (!world_possible())
        return 0;
    const struct CMUnitTest tests[] = {
        WITH_SERVER(only_what_changed_is_written),
        WITH_SERVER(rows_that_are_gone_are_told),
        WITH_SERVER(fields_that_are_gone_are_told),
        WITH_SERVER(gone_and_foreign_rows_in_one_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
