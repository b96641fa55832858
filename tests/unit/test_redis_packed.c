/* Layout packed against a real redis-server, and what becomes of rows when the layout changes. */
#include "redis_world.h"

static void set_layout(struct world *world, enum rowlayout_kind kind)
{
    rowlayout_fini(&world->layout);
    rowlayout_init(&world->layout, kind, &world_set, "", "features:{key}", 0);
}

static int setup_packed(void **state)
{
    world_setup_connected(state);
    set_layout(*state, ROWLAYOUT_PACKED);
    return 0;
}

/* The row of a key as "name=value;" of each field; "" when it is none of ours. */
static void put_field(void *context, const char *name, const char *value, size_t len)
{
    text_printf(context, "%s=%.*s;", name, (int)len, value);
}

static const char *row_of(struct world *world, const char *key)
{
    static struct text fields;
    struct rowpack_reader reader;
    text_clear(&fields);
    text_append_string(&fields, "");
    redisReply *reply = redisCommand(world->admin, "GET %s", key);
    assert_non_null(reply);
    rowpack_reader_init(&reader, &world_set);
    if (reply->type == REDIS_REPLY_STRING)
        rowpack_read(&reader, reply->str, reply->len, put_field, &fields);
    rowpack_reader_fini(&reader);
    freeReplyObject(reply);
    return fields.data;
}

#define COMMON "_as_of=5000;_p=3;_rev=0;_o=77;_v=000000000000feed;"

static void rows_are_strings(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    struct flush_terms terms = world_terms(world, 0);
    flush_batch_begin(&world->batch, &terms);
    world_add(world, "u1", 7, "shoes", true);
    world_add(world, "u2", 8, NULL, true);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    assert_int_equal(world->flushed.seq, 1);
    assert_int_equal(world->flushed.found_count, 0);
    assert_string_equal(row_of(world, "features:u1"), COMMON "clicks=7;last=shoes;");
    assert_string_equal(row_of(world, "features:u2"), COMMON "clicks=8;");
    assert_string_equal(world_do(world, "HGET %s hw", world->own), "100");
    assert_string_equal(world_do(world, "HGET %s ly", world->own), "packed");
    assert_int_equal(world_write(world, 7, "u1", 2), REDIS_RESULT_ROLLBACK);
    world_acquire(world, "b", "a", 1);
    assert_false(world->acquired.resync);
    assert_int_equal(world_write(world, 1, "u1", 2), REDIS_RESULT_FENCED);
    assert_string_equal(row_of(world, "features:u1"), COMMON "clicks=7;last=shoes;");
}

static void add_row(struct world *world, const char *key, bool expire, bool removed)
{
    struct value values[] = {value_long(3), value_null()};
    struct row row = {.key = key, .key_len = (uint32_t)strlen(key), .partition = 3, .offset = 77,
                      .as_of = {5000}, .set = &world_set, .values = values, .expire = expire,
                      .removed = removed};
    flush_batch_add(&world->batch, &world->layout, &row);
}

static void expiry_and_removal(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_do(world, "SET features:kept x PX 1000000");
    world_do(world, "SET features:anew x PX 1000000");
    world_do(world, "SET features:removed x");
    world_do(world, "HSET features:hash a 1");
    world_do(world, "LPUSH features:list a");
    struct flush_terms terms = world_terms(world, 0);
    flush_batch_begin(&world->batch, &terms);
    add_row(world, "kept", false, false);
    add_row(world, "anew", true, false);
    add_row(world, "gone", false, false);
    add_row(world, "removed", false, true);
    add_row(world, "hash", true, false);
    add_row(world, "list", true, false);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    long kept = atol(world_do(world, "PTTL features:kept"));
    assert_true(kept > 0 && kept <= 1000000);
    assert_true(atol(world_do(world, "PTTL features:anew")) > 3500000);
    assert_true(atol(world_do(world, "PTTL features:gone")) > 3500000);
    assert_string_equal(world_do(world, "EXISTS features:removed"), "0");
    assert_string_equal(row_of(world, "features:hash"), COMMON "clicks=3;");
    assert_string_equal(row_of(world, "features:list"), COMMON "clicks=3;");

    terms = world_terms(world, 1);
    terms.ttl_ms = 0;
    flush_batch_begin(&world->batch, &terms);
    add_row(world, "forever", false, false);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    assert_string_equal(world_do(world, "PTTL features:forever"), "-1");
}

/* A row of another partition in layout packed: SET by way of a batch without check. */
static void plant(struct world *world, int64_t seq, const char *key, int32_t partition,
                  int64_t as_of_ms)
{
    struct flush_terms terms = world_terms(world, seq);
    struct value values[] = {value_long(1), value_null()};
    struct row row = {.key = key, .key_len = (uint32_t)strlen(key), .partition = partition,
                      .as_of = {as_of_ms}, .set = &world_set, .values = values, .whole = true};
    flush_batch_begin(&world->batch, &terms);
    flush_batch_add(&world->batch, &world->layout, &row);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
}

/* Whichever layouts meet: the foreign rows have one, ours the other. */
static void foreign_rows_are_reported(struct world *world, enum rowlayout_kind theirs,
                                      enum rowlayout_kind ours)
{
    set_layout(world, theirs);
    world_acquire(world, "a", NULL, 0);
    plant(world, 0, "newer", 9, 1700000000001);
    plant(world, 1, "older", 8, 1699999999999);
    plant(world, 2, "ours", 3, 1800000000000);
    plant(world, 3, "gone", 2147483647, 1);
    set_layout(world, ours);
    struct flush_terms terms = world_terms(world, 4);
    terms.check = true;
    terms.partition = 3;
    flush_batch_begin(&world->batch, &terms);
    static const char *const keys[] = {"fresh", "newer", "older", "ours"};
    for (int i = 0; i < 4; i++) {
        struct value values[] = {value_long(2), value_null()};
        struct row row = {.key = keys[i], .key_len = (uint32_t)strlen(keys[i]),
                          .partition = 3, .as_of = {1700000000000}, .set = &world_set,
                          .values = values, .whole = true, .expire = true};
        flush_batch_add(&world->batch, &world->layout, &row);
    }
    add_row(world, "gone", false, true);
    world_do(world, "SET features:fresh \xc3\x01" "short");
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    assert_int_equal(world->flushed.found_count, 3);
    assert_int_equal(world->flushed.found[0].index, 1);
    assert_int_equal(world->flushed.found[0].partition, 9);
    assert_int_equal(world->flushed.found[1].index, 2);
    assert_int_equal(world->flushed.found[1].partition, 8);
    assert_int_equal(world->flushed.found[2].index, 4);
    assert_int_equal(world->flushed.found[2].partition, 2147483647);
    static const char *const types[] = {"hash", "string"};
    assert_string_equal(world_do(world, "TYPE features:fresh"), types[ours]);
    assert_string_equal(world_do(world, "TYPE features:newer"), types[theirs]);
    assert_string_equal(world_do(world, "TYPE features:older"), types[ours]);
    assert_string_equal(world_do(world, "TYPE features:ours"), types[ours]);
    assert_string_equal(world_do(world, "TYPE features:gone"), types[theirs]);
}

static void foreign_packed_under_packed(void **state)
{
    foreign_rows_are_reported(*state, ROWLAYOUT_PACKED, ROWLAYOUT_PACKED);
}

static void foreign_packed_under_hash(void **state)
{
    foreign_rows_are_reported(*state, ROWLAYOUT_PACKED, ROWLAYOUT_HASH);
}

static void foreign_hash_under_packed(void **state)
{
    foreign_rows_are_reported(*state, ROWLAYOUT_HASH, ROWLAYOUT_PACKED);
}

/* Every owner with another layout has everything written again; one that comes back does not. */
static void changed_layout_is_a_resync(void **state)
{
    struct world *world = *state;
    set_layout(world, ROWLAYOUT_HASH);
    world_acquire(world, "a", NULL, 0);
    world_write(world, 0, "u1", 1);
    world_do(world, "HDEL %s ly", world->own); /* as it was before there were layouts */
    world_acquire(world, "b", "a", 1);
    assert_false(world->acquired.resync);
    set_layout(world, ROWLAYOUT_PACKED);
    world_acquire(world, "c", "b", 1);
    assert_true(world->acquired.resync);
    world_acquire(world, "d", "c", 1);
    assert_true(world->acquired.resync); /* nobody has said DONE */
    world_do(world, "HSET %s rs 0", world->own);
    world_acquire(world, "e", "d", 1);
    assert_false(world->acquired.resync);
    set_layout(world, ROWLAYOUT_HASH);
    world_acquire(world, "f", "e", 1);
    assert_true(world->acquired.resync);
}

static void full_batches(void **state)
{
    struct world *world = *state;
    world_flush_largest(world);
    assert_string_equal(row_of(world, "features:k255"), COMMON "clicks=255;last=a name;");
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup_packed, world_teardown)

int main(void)
{
    if (!world_possible())
        return 0;
    const struct CMUnitTest tests[] = {
        WITH_SERVER(rows_are_strings),
        WITH_SERVER(expiry_and_removal),
        WITH_SERVER(foreign_packed_under_packed),
        WITH_SERVER(foreign_packed_under_hash),
        WITH_SERVER(foreign_hash_under_packed),
        WITH_SERVER(changed_layout_is_a_resync),
        WITH_SERVER(full_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
