/* Rows as arguments of FLUSH: every type of value, whole, partial, removed rows and deltas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rowhash.h"

enum { FEATURES = 11 };

static const struct value strings[] = {
    {.s = "a\"b", .len = 3, .type = VALUE_STRING},
    {.s = "\xc3\xa9\n", .len = 3, .type = VALUE_STRING},
};
static const struct value numbers[] = {
    {.d = 0.5, .type = VALUE_DOUBLE},
    {.i = -3, .type = VALUE_LONG},
    {.i = 1, .type = VALUE_BOOL},
    {.s = "\xff" "A", .len = 2, .type = VALUE_BYTES},
};

static const struct value by_text[] = {
    {.s = "a\"b", .len = 3, .type = VALUE_STRING},  {.d = 0.25, .type = VALUE_DOUBLE},
    {.s = "\xc3\xa9", .len = 2, .type = VALUE_STRING}, {.s = "x", .len = 1, .type = VALUE_STRING},
};
static const struct value by_double[] = {
    {.d = -0.5, .type = VALUE_DOUBLE}, {.i = 1, .type = VALUE_BOOL},
    {.d = 3, .type = VALUE_DOUBLE},    {.i = 0, .type = VALUE_BOOL},
};
static const struct value by_bool[] = {
    {.i = 0, .type = VALUE_BOOL}, {.i = -7, .type = VALUE_LONG},
    {.i = 1, .type = VALUE_BOOL}, {.s = "\xff", .len = 1, .type = VALUE_BYTES},
};

static struct feature features[FEATURES] = {
    {.name = "count"}, {.name = "mean"},   {.name = "open"},    {.name = "last"},
    {.name = "blob"},  {.name = "recent"}, {.name = "numbers"}, {.name = "nothing"},
    {.name = "texts"}, {.name = "prices"}, {.name = "flags"},
};
static const struct feature_set set = {
    .features = features, .count = FEATURES, .version = 0x0123456789abcdefu};
static const struct value values[FEATURES] = {
    {.i = 42, .type = VALUE_LONG},
    {.d = 19.99, .type = VALUE_DOUBLE},
    {.i = 1, .type = VALUE_BOOL},
    {.s = "caf\xc3\xa9", .len = 5, .type = VALUE_STRING},
    {.s = "\0\r\n", .len = 3, .type = VALUE_BYTES},
    {.items = strings, .len = 2, .type = VALUE_LIST},
    {.items = numbers, .len = 4, .type = VALUE_LIST},
    {.type = VALUE_NULL},
    {.items = by_text, .len = 2, .type = VALUE_MAP},
    {.items = by_double, .len = 2, .type = VALUE_MAP},
    {.items = by_bool, .len = 2, .type = VALUE_MAP},
};

static struct row sample(void)
{
    return (struct row){.key = "u1", .key_len = 2, .partition = 3, .offset = 1234567,
                        .as_of = {1700000000000}, .rev = 2, .set = &set, .values = values};
}

#define PLACE                                                                                      \
    "$6\r\n_as_of\r\n$13\r\n1700000000000\r\n$4\r\n_rev\r\n$1\r\n2\r\n$2\r\n_o\r\n$7\r\n1234567\r\n"
#define META                                                                                       \
    PLACE "$2\r\n_v\r\n$16\r\n0123456789abcdef\r\n$2\r\n_p\r\n$1\r\n3\r\n"
#define VALUES                                                                                     \
    "$5\r\ncount\r\n$2\r\n42\r\n$4\r\nmean\r\n$5\r\n19.99\r\n$4\r\nopen\r\n$1\r\n1\r\n"            \
    "$4\r\nlast\r\n$5\r\ncaf\xc3\xa9\r\n$4\r\nblob\r\n$3\r\n\0\r\n\r\n"                            \
    "$6\r\nrecent\r\n$15\r\n[\"a\\\"b\",\"\xc3\xa9\\n\"]\r\n"                                      \
    "$7\r\nnumbers\r\n$16\r\n[0.5,-3,1,\"\xc3\xbf" "A\"]\r\n"                                      \
    "$5\r\ntexts\r\n$22\r\n{\"a\\\"b\":0.25,\"\xc3\xa9\":\"x\"}\r\n"                               \
    "$6\r\nprices\r\n$16\r\n{\"-0.5\":1,\"3\":0}\r\n"                                              \
    "$5\r\nflags\r\n$24\r\n{\"false\":-7,\"true\":\"\xc3\xbf\"}\r\n"
#define EXPECTED(string) string, sizeof(string) - 1

static void check_delta(const struct row *row, const struct rowdelta_change *change,
                        struct rowhash_size size, const char *expected, size_t len)
{
    struct rowhash hash;
    struct text out = {0};
    rowhash_init(&hash, &set);
    struct rowhash_size got = rowhash_append(&hash, row, change, &out);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, expected, len);
    assert_int_equal(got.arguments, size.arguments);
    assert_int_equal(got.values, size.values);
    assert_true(got.values <= rowhash_values_max(&hash));
    text_free(&out);
    rowhash_fini(&hash);
}

static void check(const struct row *row, struct rowhash_size size, const char *expected,
                  size_t len)
{
    check_delta(row, NULL, size, expected, len);
}

static void partial_row_deletes_nulls(void **state)
{
    (void)state;
    struct row row = sample();
    /* (15 sets * 1024 + 1 delete) * 8 + 0 */
    check(&row, (struct rowhash_size){32, 16},
          EXPECTED("$6\r\n122888\r\n" META VALUES "$7\r\nnothing\r\n"));
    row.expire = true;
    check(&row, (struct rowhash_size){32, 16},
          EXPECTED("$6\r\n122890\r\n" META VALUES "$7\r\nnothing\r\n"));
}

static void whole_row_replaces_and_expires(void **state)
{
    (void)state;
    struct row row = sample();
    row.whole = true;
    row.warming = "mean,recent";
    check(&row, (struct rowhash_size){33, 16},
          EXPECTED("$6\r\n131075\r\n" META "$2\r\n_w\r\n$11\r\nmean,recent\r\n" VALUES));
}

static void delta_has_what_changed(void **state)
{
    (void)state;
    struct row row = sample();
    row.warming = "mean";
    struct rowdelta_change change = {.features = {1u << 1 | 1u << 3 | 1u << 7}, .adds = 1};
    /* ((1 add * 1024 + 5 sets) * 1024 + 1 delete) * 8 + ROWHASH_DELTA */
    check_delta(&row, &change, (struct rowhash_size){12, 6},
                EXPECTED("$7\r\n8429580\r\n" PLACE "$4\r\nmean\r\n$5\r\n19.99\r\n"
                         "$4\r\nlast\r\n$5\r\ncaf\xc3\xa9\r\n$7\r\nnothing\r\n"));
    row.expire = true;
    change = (struct rowdelta_change){0};
    /* 3 sets * 1024 * 8 + ROWHASH_DELTA + ROWHASH_EXPIRE */
    check_delta(&row, &change, (struct rowhash_size){7, 3}, EXPECTED("$5\r\n24582\r\n" PLACE));
}

static void removed_row_is_a_code(void **state)
{
    (void)state;
    struct row row = sample();
    row.removed = true;
    row.values = NULL;
    check(&row, (struct rowhash_size){1, 0}, EXPECTED("$1\r\n1\r\n"));
}

static void long_texts_have_room(void **state)
{
    (void)state;
    enum { LEN = 50000 };
    char *zeros = calloc(1, LEN);
    struct value items[] = {{.s = zeros, .len = LEN, .type = VALUE_STRING},
                            {.s = zeros, .len = LEN, .type = VALUE_BYTES}};
    struct value many[FEATURES];
    for (int i = 0; i < FEATURES; i++)
        many[i] = i % 2 ? items[i / 2 % 2]
                        : (struct value){.items = items,
                                          .len = i % 4 ? 1 : 2,
                                          .type = i % 4 ? VALUE_MAP : VALUE_LIST};
    struct row row = sample();
    row.values = many;
    struct rowhash hash;
    struct text out = {0};
    rowhash_init(&hash, &set);
    rowhash_append(&hash, &row, NULL, &out); /* under ASan: writes stay in the reserved room */
    assert_true(out.len > 4 * LEN + 4 * 2 * 6 * LEN);
    text_free(&out);
    rowhash_fini(&hash);
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partial_row_deletes_nulls),
        cmocka_unit_test(whole_row_replaces_and_expires),
        cmocka_unit_test(delta_has_what_changed),
        cmocka_unit_test(removed_row_is_a_code),
        cmocka_unit_test(long_texts_have_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
