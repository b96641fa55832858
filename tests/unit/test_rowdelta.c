/* What has changed of a row: by value and type, key and history; what does not fit is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rowdelta.h"

enum { FEATURES = 70, ROW_BYTES = (2 + FEATURES) * 8 };

static struct feature features[FEATURES];
static const struct feature_set set = {.features = features, .count = FEATURES};

static struct row row_of(const char *key, const struct value *values)
{
    return (struct row){.key = key, .key_len = (uint32_t)strlen(key), .set = &set,
                        .values = values};
}

/* The one feature that differs; -1: none. Fails when several do. */
static int only_change(const struct rowdelta_change *change)
{
    int found = -1;
    for (int i = 0; i < FEATURES; i++) {
        if (!rowdelta_has(change, i))
            continue;
        assert_int_equal(found, -1);
        found = i;
    }
    return found;
}

static void tells_what_changed(void **state)
{
    (void)state;
    struct value values[FEATURES] = {0};
    struct value items[] = {value_long(1), value_long(2)};
    struct row row = row_of("ada", values);
    struct rowdelta_change change;
    struct rowdelta delta;
    rowdelta_init(&delta, &set, ROW_BYTES);
    assert_false(rowdelta_take(&delta, &row, 1, &change));
    assert_true(rowdelta_take(&delta, &row, 1, &change));
    assert_int_equal(only_change(&change), -1);
    /* Each is another value at the place of the one before it. */
    const struct value steps[] = {
        value_long(0), value_long(1), value_double(1), value_bool(true),
        value_text(VALUE_STRING, "a", 1), value_text(VALUE_STRING, "", 0),
        value_text(VALUE_STRING, "ab", 2),
        {.items = items, .len = 0, .type = VALUE_LIST},
        {.items = items, .len = 1, .type = VALUE_LIST},
        {.items = items, .len = 2, .type = VALUE_LIST},
        {.items = items, .len = 1, .type = VALUE_MAP},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        values[69] = steps[i];
        assert_true(rowdelta_take(&delta, &row, 1, &change));
        assert_int_equal(only_change(&change), 69);
        assert_int_equal(change.adds, i == 0);
        assert_true(rowdelta_take(&delta, &row, 1, &change));
        assert_int_equal(only_change(&change), -1);
    }
    struct value other = items[0];
    items[0] = items[1]; /* the items of a map, in another order */
    items[1] = other;
    rowdelta_take(&delta, &row, 1, &change);
    assert_int_equal(only_change(&change), 69);
    values[69] = value_null();
    rowdelta_take(&delta, &row, 1, &change);
    assert_int_equal(only_change(&change), 69);
    assert_int_equal(change.adds, 0);
    rowdelta_fini(&delta);
}

static void knows_one_history(void **state)
{
    (void)state;
    static const struct value values[FEATURES];
    struct row ada = row_of("ada", values), bob = row_of("bob", values);
    struct rowdelta_change change;
    struct rowdelta delta;
    rowdelta_init(&delta, &set, 2 * ROW_BYTES - 1);
    assert_false(rowdelta_take(&delta, &ada, 1, &change));
    assert_false(rowdelta_take(&delta, &ada, 2, &change));
    assert_true(rowdelta_take(&delta, &ada, 2, &change));
    rowdelta_forget(&delta, "bob", 3);
    assert_true(rowdelta_take(&delta, &ada, 2, &change));
    rowdelta_forget(&delta, "ada", 3);
    assert_false(rowdelta_take(&delta, &ada, 2, &change));
    assert_false(rowdelta_take(&delta, &bob, 2, &change)); /* there is room for one row */
    assert_false(rowdelta_take(&delta, &ada, 2, &change));
    rowdelta_fini(&delta);
}

static void remembers_many_rows(void **state)
{
    (void)state;
    enum { ROWS = 1000 };
    static const struct value values[FEATURES];
    struct rowdelta_change change;
    struct rowdelta delta;
    rowdelta_init(&delta, &set, 64 * ROWS * (size_t)ROW_BYTES);
    int known = 0;
    for (int i = 0; i < 2 * ROWS; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i % ROWS);
        struct row row = row_of(key, values);
        known += rowdelta_take(&delta, &row, 1, &change);
    }
    assert_in_range(known, ROWS * 95 / 100, ROWS);
    rowdelta_fini(&delta);
}

static void may_be_off(void **state)
{
    (void)state;
    struct feature_set few = {.features = features, .count = ROWDELTA_FEATURES_MIN - 1};
    static const struct value values[FEATURES];
    struct rowdelta_change change;
    struct rowdelta delta;
    for (int i = 0; i < 2; i++) {
        struct row row = row_of("ada", values);
        row.set = i ? &set : &few;
        rowdelta_init(&delta, row.set, i ? ROW_BYTES - 1 : 1 << 20);
        assert_false(rowdelta_take(&delta, &row, 1, &change));
        assert_false(rowdelta_take(&delta, &row, 1, &change));
        rowdelta_forget(&delta, "ada", 3);
        rowdelta_fini(&delta);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_changed),
        cmocka_unit_test(knows_one_history),
        cmocka_unit_test(remembers_many_rows),
        cmocka_unit_test(may_be_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
