/* The text buffer, the parsers of units and the guessing of words. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

static void appending(void **state)
{
    (void)state;
    struct text text = {0};
    for (int k = 0; k < 1000; k++)
        text_append_string(&text, "0123456789");
    assert_int_equal(text.len, 10000);
    assert_int_equal(strlen(text.data), 10000);
    text_clear(&text);
    assert_string_equal(text.data, "");
    text_printf(&text, "%s=%d", "a", 7);
    text_append_char(&text, ' ');
    text_append_long(&text, INT64_MIN);
    text_append(&text, NULL, 0);
    assert_string_equal(text.data, "a=7 -9223372036854775808");
    memcpy(text_reserve(&text, 3), "xyz", 3);
    text.len += 3;
    text_append_char(&text, '!');
    assert_string_equal(text.data, "a=7 -9223372036854775808xyz!");
    text_free(&text);
    assert_null(text.data);
}

static void longs(void **state)
{
    (void)state;
    static const int64_t numbers[] = {0, 1, -1, 10, -10, 1234567890123, INT64_MAX, INT64_MIN};
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
        char digits[21];
        char expected[32];
        int64_t back = 77;
        digits[text_format_long(digits, numbers[k])] = '\0';
        snprintf(expected, sizeof expected, "%" PRId64, numbers[k]);
        assert_string_equal(digits, expected);
        assert_true(text_parse_long(digits, &back));
        assert_true(back == numbers[k]);
    }
    static const char *const wrong[] = {"",
                                        "-",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1a",
                                        "0x1",
                                        "--1",
                                        "1.",
                                        "1e3",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "99999999999999999999"};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        int64_t number;
        assert_false(text_parse_long(wrong[k], &number));
    }
}

struct unit_case {
    const char *string;
    int64_t expected;
};

static void check_units(bool (*parse)(const char *, int64_t *), const struct unit_case *good,
                        const char *const *wrong)
{
    for (; good->string; good++) {
        int64_t number = -77;
        if (!parse(good->string, &number) || number != good->expected)
            fail_msg("%s: %" PRId64 " expected, %" PRId64 " found", good->string, good->expected,
                     number);
    }
    for (; *wrong; wrong++) {
        int64_t number;
        if (parse(*wrong, &number))
            fail_msg("`%s` was accepted", *wrong);
    }
}

static void durations(void **state)
{
    (void)state;
    static const struct unit_case good[] = {{"0", 0},           {"250ms", 250},
                                            {"30s", 30000},     {"5m", 300000},
                                            {"24h", 86400000},  {"30d", 2592000000},
                                            {"2w", 1209600000}, {"1h30m", 5400000},
                                            {"0s", 0},          {"1d2h3m4s5ms", 93784005},
                                            {"1s500ms", 1500},  {NULL, 0}};
    static const char *const wrong[] = {"",
                                        "5",
                                        "00",
                                        "5 m",
                                        "-5m",
                                        "1.5h",
                                        "5M",
                                        "30m1h",
                                        "1m30m",
                                        "m",
                                        "1h30",
                                        "5min",
                                        " 5m",
                                        "5m ",
                                        "999999999999999999w",
                                        "9223372036854775807d",
                                        "5mss",
                                        NULL};
    check_units(text_parse_duration, good, wrong);
    static const struct unit_case shown[] = {
        {"0", 0},           {"1m30s", 90000}, {"1d", 86400000}, {"250ms", 250}, {"30d", 2592000000},
        {"1h1ms", 3600001}, {"-1m", -60000},  {NULL, 0}};
    for (const struct unit_case *c = shown; c->string; c++) {
        struct text text = {0};
        text_append_duration(&text, c->expected);
        assert_string_equal(text.data, c->string);
        text_free(&text);
    }
    struct text least = {0};
    text_append_duration(&least, INT64_MIN);
    assert_string_equal(least.data, "-106751991167d7h12m55s808ms");
    text_free(&least);
}

static void sizes(void **state)
{
    (void)state;
    static const struct unit_case good[] = {
        {"0", 0},          {"4096", 4096}, {"64KiB", 65536}, {"64MiB", 67108864},
        {"1GiB", 1 << 30}, {"2kB", 2000},  {"3MB", 3000000}, {"4GB", 4000000000},
        {NULL, 0}};
    static const char *const wrong[] = {"",    "-1",     "1 MiB",         "1K", "1mib", "1MiB2",
                                        "MiB", "1.5MiB", "9999999999GiB", NULL};
    check_units(text_parse_size, good, wrong);
}

static void times_of_day(void **state)
{
    (void)state;
    static const struct unit_case good[] = {
        {"00:00", 0},           {"04:00", 14400000}, {"04:00:30", 14430000},
        {"23:59:59", 86399000}, {"off", -1},         {NULL, 0}};
    static const char *const wrong[] = {
        "", "4:00", "24:00", "04:60", "04:00:60", "04:00:", "04", "0400", "04:00:301", "OFF", NULL};
    check_units(text_parse_time_of_day, good, wrong);
    static const struct unit_case zones[] = {
        {"Z", 0}, {"+00:00", 0}, {"+02:00", 7200000}, {"-05:30", -19800000}, {NULL, 0}};
    static const char *const no_zones[] = {"",    "02:00",  "+2:00",   "+02", "+24:00",
                                           "UTC", "+02:60", "+02:00 ", NULL};
    check_units(text_parse_zone, zones, no_zones);
}

static void event_times(void **state)
{
    (void)state;
    static const struct unit_case good[] = {{"1769817600000", 1769817600000},
                                            {"-5", -5},
                                            {"1970-01-01T00:00:00", 0},
                                            {"1970-01-01T00:00:00Z", 0},
                                            {"2026-01-31T00:00:00Z", 1769817600000},
                                            {"2026-01-31T00:00:00.1Z", 1769817600100},
                                            {"2026-01-31T00:00:00.123", 1769817600123},
                                            {"2026-01-31T00:00:00.123999Z", 1769817600123},
                                            {"2026-01-31T02:00:00+02:00", 1769817600000},
                                            {"2026-01-30T18:30:00-05:30", 1769817600000},
                                            {"2024-02-29T12:34:56Z", 1709210096000},
                                            {"1969-12-31T23:59:59.999Z", -1},
                                            {NULL, 0}};
    static const char *const wrong[] = {"",
                                        "yesterday",
                                        "2026-01-31",
                                        "2026-01-31 00:00:00",
                                        "2026-02-29T00:00:00Z",
                                        "2026-04-31T00:00:00Z",
                                        "2026-13-01T00:00:00Z",
                                        "2026-00-01T00:00:00Z",
                                        "2026-01-31T24:00:00Z",
                                        "2026-01-31T00:00:60Z",
                                        "2026-01-31T00:00:00.Z",
                                        "2026-01-31T00:00:00.1234567890Z",
                                        "2026-01-31T00:00:00ZZ",
                                        "2026-1-31T00:00:00Z",
                                        NULL};
    check_units(text_parse_event_time, good, wrong);
    static const struct unit_case shown[] = {{"1970-01-01T00:00:00.000Z", 0},
                                             {"2024-02-29T12:34:56.007Z", 1709210096007},
                                             {"1969-12-31T23:59:59.999Z", -1},
                                             {"0001-01-01T00:00:00.000Z", -62135596800000},
                                             {"-62135596800001", -62135596800001},
                                             {"9999-12-31T23:59:59.999Z", 253402300799999},
                                             {"253402300800000", 253402300800000},
                                             {"-", INT64_MIN},
                                             {"-", INT64_MAX},
                                             {NULL, 0}};
    for (const struct unit_case *c = shown; c->string; c++) {
        struct text text = {0};
        text_append_event_time(&text, c->expected);
        assert_string_equal(text.data, c->string);
        text_free(&text);
    }
}

static void bools(void **state)
{
    (void)state;
    bool value = false;
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (int k = 0; k < 4; k++) {
        assert_true(text_parse_bool(yes[k], &value));
        assert_true(value);
        assert_true(text_parse_bool(no[k], &value));
        assert_false(value);
    }
    assert_false(text_parse_bool("Yes", &value));
    assert_false(text_parse_bool("", &value));
    assert_false(text_parse_bool("2", &value));
}

static void json_strings(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *expected;
    } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c\n\r\t\b\f", 10, "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\""},
        {"\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""}, /* overlong */
        {"\xe0\x80\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* surrogate */
        {"\xf4\x90\x80\x80", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"a\xe2\x82", 3, "\"a\xef\xbf\xbd\xef\xbf\xbd\""}, /* cut */
        {"\xff", 1, "\"\xef\xbf\xbd\""},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct text text = {0};
        char *exact = malloc(cases[k].len + 1); /* so that reading beyond the end is seen */
        memcpy(exact, cases[k].bytes, cases[k].len);
        exact = realloc(exact, cases[k].len ? cases[k].len : 1);
        text_append_json_string(&text, exact, cases[k].len);
        assert_string_equal(text.data, cases[k].expected);
        free(exact);
        text_free(&text);
    }
}

static void nearest_word(void **state)
{
    (void)state;
    static const char *const words[] = {"count", "last_distinct", "mean", NULL};
    assert_string_equal(text_nearest("cuont", words), "count");
    assert_string_equal(text_nearest("lastdistinct", words), "last_distinct");
    assert_string_equal(text_nearest("meen", words), "mean");
    static const char *const short_words[] = {"on", NULL};
    assert_string_equal(text_nearest("no", short_words), "on"); /* a swap is one edit */
    assert_null(text_nearest("quantile", words));
    assert_null(text_nearest("", words));
    char huge[500];
    memset(huge, 'a', sizeof huge);
    huge[sizeof huge - 1] = '\0';
    assert_string_equal(text_nearest(huge, words), "count"); /* no crash; any answer will do */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appending), cmocka_unit_test(longs),        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),     cmocka_unit_test(times_of_day), cmocka_unit_test(event_times),
        cmocka_unit_test(bools),     cmocka_unit_test(json_strings), cmocka_unit_test(nearest_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
