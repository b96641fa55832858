/* The features file: what it becomes, its version, and every way to get it wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_fields.h"
#include "feature.h"
#include "operator_state.h"

enum { ENTRIES_MAX = 2000 };

/* Entries of a text in INI, read as simply as can be: the daemon has the real reader. */
static struct feature_entry entries[ENTRIES_MAX];
static char buffer[1 << 16];

static int split(const char *text)
{
    int count = 0;
    int line = 1;
    const char *section = NULL;
    snprintf(buffer, sizeof buffer, "%s", text);
    for (char *at = buffer, *next; *at; at = next, line++) {
        char *end = strchr(at, '\n');
        next = end ? end + 1 : at + strlen(at);
        if (end)
            *end = '\0';
        if (*at == '[') {
            section = at + 1;
            *strchr(at, ']') = '\0';
            entries[count++] = (struct feature_entry){.section = section, .line = line};
        } else if (*at && *at != '#') {
            char *equals = strstr(at, " = ");
            *equals = '\0';
            entries[count++] =
                (struct feature_entry){section, at, equals + 3, line, (int)(equals + 3 - at) + 1};
        }
        assert_true(count < ENTRIES_MAX);
    }
    return count;
}

static struct feature_set *load_salted(const char *text, const char *salt)
{
    struct fieldspace fields = fake_fieldspace();
    struct feature_errors errors = {0};
    int count = split(text);
    struct feature_set *set = feature_set_load(entries, count, &fields, salt, &errors);
    if (!set)
        fail_msg("line %d: %s", errors.list[0].line, errors.list[0].message);
    feature_errors_free(&errors);
    return set;
}

static struct feature_set *load(const char *text)
{
    return load_salted(text, "salt");
}

static const char example[] = "[feature clicks_5m]\n"
                              "op = count\n"
                              "where = event_type=='click'\n"
                              "over = 5m\n"
                              "[feature spend]\n"
                              "op = sum(price * quantity)\n"
                              "over = 300s\n"
                              "[feature items]\n"
                              "op = last_distinct( item_id , 20 )\n"
                              "where = event_type == \"click\"\n"
                              "over = session\n"
                              "[feature open]\n"
                              "op = session_is_open\n"
                              "[feature rate]\n"
                              "op = ratio(clicks_5m, later, alpha = 1, beta = 20)\n"
                              "default = 0.5\n"
                              "[feature later]\n"
                              "op = distinct(item_id)\n"
                              "over = 1d\n"
                              "hop = 10m\n"
                              "[feature quantities]\n"
                              "op = sum(quantity)\n"
                              "over = session\n"
                              "[feature first_url]\n"
                              "op = first(page.url)\n"
                              "over = session\n"
                              "default = none\n";

static void compiled(void **state)
{
    (void)state;
    struct feature_set *set = load(example);
    assert_int_equal(set->count, 8);
    assert_int_equal(set->predicate_count, 1);
    assert_int_equal(set->argument_count, 4); /* item_id is shared */
    assert_int_equal(set->window_count, 2);
    assert_true(set->windows[0].length.ms == 300000 && set->windows[0].hop.ms == 5000);
    assert_true(set->windows[1].length.ms == 86400000 && set->windows[1].hop.ms == 600000);
    const struct feature *f = set->features;
    assert_string_equal(f[0].name, "clicks_5m");
    assert_int_equal(f[0].line, 1);
    assert_int_equal(f[0].op, OPERATOR_COUNT);
    assert_true(f[0].where == 0 && f[0].argument == -1 && f[0].window == 0);
    assert_true(f[0].kind.type == VALUE_LONG && !f[0].kind.nullable && !f[0].has_fallback);
    assert_string_equal(f[0].definition, "count where event_type == \"click\" over 5m hop 5s");
    assert_true(f[1].window == 0 && f[1].acc_offset == sizeof(struct acc_count));
    assert_true(f[1].kind.type == VALUE_DOUBLE && !f[1].of_long && f[1].where == -1);
    assert_int_equal(set->windows[0].acc_bytes, sizeof(struct acc_count) + sizeof(struct acc_sum));
    assert_true(f[2].window == -1 && f[2].acc_offset == 0 && f[2].count == 20 && f[2].is_list);
    assert_int_equal(f[2].kind.type, VALUE_STRING);
    assert_string_equal(f[2].definition, "last_distinct(item_id, 20) where event_type == \"click\" "
                                         "over session");
    assert_true(f[3].kind.type == VALUE_BOOL && f[3].window == -1 && f[3].argument == -1);
    assert_true(f[4].operands[0] == 0 && f[4].operands[1] == 5);
    assert_true(f[4].alpha == 1 && f[4].beta == 20 && f[4].has_fallback);
    assert_true(f[4].fallback.type == VALUE_DOUBLE && f[4].fallback.d == 0.5);
    assert_string_equal(f[4].definition,
                        "ratio(clicks_5m, later, alpha = 1.0, beta = 20.0) default 0.5");
    assert_true(f[5].window == 1 && f[5].argument == f[2].argument);
    assert_true(f[6].of_long && f[6].kind.type == VALUE_LONG);
    assert_int_equal(f[6].acc_offset, sizeof(struct acc_list));
    assert_true(f[7].fallback.len == 4 && memcmp(f[7].fallback.s, "none", 4) == 0);
    assert_string_equal(f[7].definition, "first(page.url) over session default \"none\"");
    assert_int_equal(set->session_acc_bytes,
                     sizeof(struct acc_list) + sizeof(struct acc_sum) + sizeof(struct acc_edge));
    for (int k = 0; k < set->count; k++)
        assert_int_equal(f[k].acc_offset % 8, 0);
    assert_int_equal(feature_set_find(set, "rate"), 4);
    assert_int_equal(feature_set_find(set, "nothing"), -1);
    feature_set_free(set);
    feature_set_free(NULL);
}

static uint64_t version_of(const char *text, const char *salt)
{
    struct feature_set *set = load_salted(text, salt);
    uint64_t version = set->version;
    feature_set_free(set);
    return version;
}

static const struct feature *feature_of(const struct feature_set *set, const char *name)
{
    int k = feature_set_find(set, name);
    assert_true(k >= 0);
    return &set->features[k];
}

static void compiled_maps_lifetimes_and_sessions(void **state)
{
    (void)state;
    struct feature_set *set =
        load("[feature by_item]\nop = sum(price)\nby = item_id\ncap = 5\nover = 1d\n"
             "[feature long_ago]\nop = count\nwhere = flag\nover = lifetime\n"
             "[feature taste]\nop = decayed_sum(quantity, 90m)\nby = item_id\n"
             "[feature plain]\nop = quantile(price, 0.25)\nover = 1d\n"
             "[feature lengths]\nop = mean(session_duration)\non = session\n"
             "by = hour_of_day(ts)\nwhere = session_event_count > 1\nover = 1d\n"
             "[feature visits]\nop = count\non = session\nover = lifetime\n"
             "[feature hours]\nop = count\non = event\nby = hour_of_day(ts)\nover = 1d\n");
    const struct feature *by_item = feature_of(set, "by_item"), *taste = feature_of(set, "taste"),
                         *lengths = feature_of(set, "lengths"), *hours = feature_of(set, "hours");
    assert_string_equal(by_item->definition, "sum(price) by item_id cap 5 over 1d hop 30m");
    assert_true(by_item->cap == 5 && by_item->kind.type == VALUE_DOUBLE && by_item->kind.nullable);
    assert_string_equal(feature_of(set, "long_ago")->definition, "count where flag over lifetime");
    assert_string_equal(taste->definition,
                        "decayed_sum(quantity, 1h30m) by item_id cap 32 over lifetime");
    assert_true(taste->half_life.ms == 5400000 && taste->by == by_item->by);
    assert_string_equal(feature_of(set, "plain")->definition,
                        "quantile(price, 0.25) over 1d hop 30m");
    assert_string_equal(lengths->definition,
                        "mean(session_duration) where session_event_count > 1 on session "
                        "by hour_of_day(ts) cap 32 over 1d hop 30m");
    assert_string_equal(hours->definition, "count by hour_of_day(ts) cap 32 over 1d hop 30m");
    /* expressions are shared by those that see the same: hour_of_day(ts) is there twice */
    assert_true(lengths->by != hours->by && hours->by < set->event_arguments &&
                lengths->by >= set->event_arguments);
    assert_true(lengths->where >= set->event_predicates);
    assert_true(set->has_lifetime && set->window_count == 2);
    assert_true(feature_window_is_lifetime(&set->windows[taste->window]));
    assert_int_equal(set->windows[0].acc_bytes,
                     3 * sizeof(struct acc_groups) + sizeof(struct acc_buckets));
    assert_true(set->plain.count == 2 && set->grouped.count == 3 && set->closed.count == 2);
    assert_true(set->closed.at[0] == 4 && set->closed.at[1] == 5);
    feature_set_free(set);
    uint64_t version = version_of("[feature a]\nop = count\nby = item_id\nover = 1d\n", "");
    assert_true(version ==
                version_of("[feature a]\nop = count\nby = item_id\ncap = 32\non = event\n"
                           "over = 1d\n",
                           ""));
    assert_true(version != version_of("[feature a]\nop = count\nby = page.url\nover = 1d\n", ""));
    assert_true(version != version_of("[feature a]\nop = count\nby = item_id\ncap = 33\n"
                                      "over = 1d\n",
                                      ""));
}

static void windows_are_shared_by_length_and_hop(void **state)
{
    (void)state;
    struct feature_set *set = load("[feature a]\nop = count\nover = 5m\n"
                                   "[feature b]\nop = count\nover = 5m\nhop = 1s\n"
                                   "[feature c]\nop = count\nover = 300s\nhop = 5s\n");
    assert_int_equal(set->window_count, 2);
    assert_int_equal(set->features[1].window, 1);
    assert_int_equal(set->features[2].window, 0);
    assert_int_equal(set->windows[0].acc_bytes, 2 * sizeof(struct acc_count));
    feature_set_free(set);
}

static void versions(void **state)
{
    (void)state;
    static const char base[] = "[feature a]\nop = count\nwhere = flag\nover = 5m\n"
                               "[feature b]\nop = sum(quantity)\nover = session\n";
    static const char *const same[] = {
        "[feature b]\nover = session\nop = sum( (quantity) )\n"
        "[feature a]\nop = count()\nwhere = (flag)\nover = 300s\nhop = 5s\n",
    };
    static const char *const different[] = {
        "[feature a]\nop = count\nwhere = flag\nover = 5m\n",
        "[feature a]\nop = count\nwhere = flag\nover = 5m\n[feature c]\nop = sum(quantity)\n"
        "over = session\n",
        "[feature a]\nop = count\nwhere = not flag\nover = 5m\n[feature b]\nop = sum(quantity)\n"
        "over = session\n",
        "[feature a]\nop = count\nwhere = flag\nover = 5m\nhop = 1s\n[feature b]\n"
        "op = sum(quantity)\nover = session\n",
        "[feature a]\nop = count\nwhere = flag\nover = 5m\ndefault = null\n[feature b]\n"
        "op = sum(quantity)\nover = session\n",
    };
    uint64_t version = version_of(base, "salt");
    assert_true(version == version_of(same[0], "salt"));
    assert_true(version != version_of(base, "other salt"));
    for (size_t k = 0; k < sizeof different / sizeof different[0]; k++)
        assert_true(version != version_of(different[k], "salt"));
    struct feature_set *set = load(base);
    assert_string_equal(set->canonical, "a = count where flag over 5m hop 5s\n"
                                        "b = sum(quantity) over session\nsalt");
    feature_set_free(set);
}

static void hops(void **state)
{
    (void)state;
    static const int64_t cases[][2] = {
        {1000, 1000},
        {30000, 1000},
        {60000, 1000},
        {300000, 5000},
        {3600000, 60000},
        {86400000, 1800000},
        {604800000, 10800000},
        {2592000000, 43200000},
        {48 * 86400000LL, 86400000},
        {7000, 1000},
        {49 * 3600000LL, 3600000},
        {240000, 5000},
        {239000, 1000},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        assert_int_equal(feature_default_hop((struct duration){cases[k][0]}).ms, cases[k][1]);
}

static void defaults(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        const char *given;
        enum value_type type;
        const char *shown;
    } cases[] = {
        {"count", "-3", VALUE_LONG, "-3"},
        {"count", "null", VALUE_NULL, "null"},
        {"mean(quantity)", "2", VALUE_DOUBLE, "2.0"},
        {"max(price)", "-1.5", VALUE_DOUBLE, "-1.5"},
        {"last(flag)", "true", VALUE_BOOL, "true"},
        {"last(flag)", "false", VALUE_BOOL, "false"},
        {"last(item_id)", "two words", VALUE_STRING, "\"two words\""},
        {"last(item_id)", "\"null\"", VALUE_STRING, "\"null\""},
        {"last(item_id)", "'it\\'s'", VALUE_STRING, "\"it's\""},
        {"last(raw)", "x", VALUE_BYTES, "\"x\""},
        {"last_n(item_id, 2)", "null", VALUE_NULL, "null"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        char text[200];
        snprintf(text, sizeof text, "[feature a]\nop = %s\nover = session\ndefault = %s\n",
                 cases[k].op, cases[k].given);
        struct feature_set *set = load(text);
        assert_true(set->features[0].has_fallback);
        assert_int_equal(set->features[0].fallback.type, cases[k].type);
        assert_int_equal(set->features[0].kind.nullable, cases[k].type == VALUE_NULL);
        const char *shown = strstr(set->features[0].definition, " default ");
        assert_non_null(shown);
        assert_string_equal(shown + 9, cases[k].shown);
        feature_set_free(set);
    }
}

#define AFTER_A      "[feature a]\nop = count\nover = 5m\n" /* lines 1 to 3 */
#define OVER_SESSION "\nover = session\n"

static const struct wrong {
    const char *text;
    int line;
    int column;
    const char *message;
} wrongs[] = {
    {"", 1, 0, "there is no feature (add a section [feature NAME])"},
    {AFTER_A "[features b]\nop = count\n", 4, 0,
     "unknown section [features b] (each section is [feature NAME])"},
    {"[feature ]\n", 1, 0,
     "`` cannot be a feature's name (use 1 to 64 letters, digits and _, the first a letter)"},
    {"[feature _a]\n", 1, 0,
     "`_a` cannot be a feature's name (use 1 to 64 letters, digits and _, the first a letter)"},
    {"[feature 5m]\n", 1, 0,
     "`5m` cannot be a feature's name (use 1 to 64 letters, digits and _, the first a letter)"},
    {"[feature a-b]\n", 1, 0,
     "`a-b` cannot be a feature's name (use 1 to 64 letters, digits and _, the first a letter)"},
    {"[feature aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", 1, 0,
     "`aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` cannot be a feature's "
     "name (use 1 to 64 letters, digits and _, the first a letter)"},
    {AFTER_A "[feature  a]\n", 4, 0,
     "feature a is defined twice, first in line 1 (rename or remove one)"},
    {AFTER_A "over = 5m\n", 4, 0, "`over` is given twice, first in line 3 (remove one)"},
    {AFTER_A "were = flag\n", 4, 0, "unknown key `were` (did you mean `where`?)"},
    {AFTER_A "colour = red\n", 4, 0,
     "unknown key `colour` (there are op, where, on, by, cap, over, hop and default)"},
    {AFTER_A "on = sessions\n", 4, 6,
     "`sessions` is neither event nor session (what the feature folds)"},
    {AFTER_A "by = item\n", 4, 6, "no field `item` in the reader schema"},
    {AFTER_A "by = item_id\ncap = 0\n", 5, 7, "`cap` must be a whole number from 1 to 1024"},
    {AFTER_A "by = item_id\ncap = 1025\n", 5, 7, "`cap` must be a whole number from 1 to 1024"},
    {AFTER_A "by = item_id\ncap = all\n", 5, 7, "`cap` must be a whole number from 1 to 1024"},
    {AFTER_A "cap = 3\n", 4, 7,
     "`cap` bounds the groups of `by`, which is not given (remove the line)"},
    {AFTER_A "by = item_id\ndefault = 0\n", 5, 11,
     "a map has no default: it is null without groups (remove the line)"},
    {AFTER_A "by = item_id\ndefault = null\n", 5, 11,
     "a map has no default: it is null without groups (remove the line)"},
    {"[feature a]\nop = last_n(item_id, 2)\nby = item_id" OVER_SESSION, 3, 6,
     "`by` does not go with last_n, which shows a list (remove the line)"},
    {"[feature a]\nop = top_k(item_id, 2)\nby = item_id" OVER_SESSION, 3, 6,
     "`by` does not go with top_k, which shows a list (remove the line)"},
    {"[feature a]\nop = session_id\nby = item_id\n", 3, 6,
     "`by` does not go with session_id, which is a fact of the shown session (remove the line)"},
    {"[feature a]\nop = session_id\non = session\n", 3, 6,
     "`on` does not go with session_id, which is a fact of the shown session (remove the line)"},
    {AFTER_A "[feature b]\nop = ratio(a, a)\nby = item_id\n", 6, 6,
     "`by` does not go with ratio, which is computed from other features (remove the line)"},
    {AFTER_A "[feature b]\nop = ratio(a, c)\n[feature c]\nop = count\nby = item_id" OVER_SESSION, 5,
     15, "c is not a number (name features that are)"},
    {"[feature a]\nop = mean(session_duration)\non = session" OVER_SESSION, 4, 8,
     "`on = session` folds sessions that are over (use a duration such as 30d, or lifetime)"},
    {"[feature a]\nop = mean(session_duration)\non = session\n", 1, 0,
     "feature a has no `over` (add `over = lifetime`, or a duration such as `over = 24h`)"},
    {"[feature a]\nop = mean(price)\non = session\nover = 30d\n", 2, 11,
     "a closed session has no `price` (it has session_id, session_start, session_last, "
     "session_duration, session_event_count and mean_gap)"},
    {"[feature a]\nop = mean(session_durations)\non = session\nover = 30d\n", 2, 11,
     "a closed session has no `session_durations` (did you mean session_duration?)"},
    {"[feature a]\nop = count\nwhere = mean_gap\non = session\nover = 30d\n", 3, 9,
     "`where` needs a condition, and this is of type double (compare it with something)"},
    {"[feature a]\nop = count\nby = price > 1\non = session\nover = 30d\n", 3, 6,
     "a closed session has no `price` (it has session_id, session_start, session_last, "
     "session_duration, session_event_count and mean_gap)"},
    {"[feature a]\n", 1, 0, "feature a has no `op` (add a line such as `op = count`)"},
    {"[feature a]\nop = cuont" OVER_SESSION, 2, 6,
     "unknown operator `cuont` (did you mean `count`?)"},
    {"[feature a]\nop = wonderful" OVER_SESSION, 2, 6,
     "unknown operator `wonderful` (see --dump operators)"},
    {"[feature a]\nop = quantile(price)" OVER_SESSION, 2, 20,
     "`quantile` takes other arguments (write it with an expression and a fraction, as in "
     "quantile(price, 0.9))"},
    {"[feature a]\nop = quantile(price, 1.1)" OVER_SESSION, 2, 22,
     "the fraction must be a number from 0 to 1 (0.5 is the median)"},
    {"[feature a]\nop = quantile(price, -0.5)" OVER_SESSION, 2, 22,
     "the fraction must be a number from 0 to 1 (0.5 is the median)"},
    {"[feature a]\nop = quantile(price, half)" OVER_SESSION, 2, 22,
     "the fraction must be a number from 0 to 1 (0.5 is the median)"},
    {"[feature a]\nop = quantile(item_id, 0.5)" OVER_SESSION, 2, 15,
     "`quantile` needs a number, and this is of type string"},
    {"[feature a]\nop = decayed_sum(price)\n", 2, 23,
     "`decayed_sum` takes other arguments (write it with an expression and a half-life, as in "
     "decayed_sum(price, 1h))"},
    {"[feature a]\nop = decayed_sum(price, 3)\n", 2, 25,
     "the half-life must be a duration (write it as 30m, 1h, 7d)"},
    {"[feature a]\nop = decayed_sum(price, 0)\n", 2, 25,
     "the half-life must be a duration (write it as 30m, 1h, 7d)"},
    {"[feature a]\nop = decayed_sum(price, 3y)\n", 2, 25,
     "the half-life must be a duration (write it as 30m, 1h, 7d)"},
    {"[feature a]\nop = decayed_sum(price, 1h)\nover = 30d\n", 3, 8,
     "decayed_sum looks back over the lifetime (write `over = lifetime`, or remove the line)"},
    {"[feature a]\nop = decayed_sum(price, 1h)\nhop = 1h\n", 3, 7,
     "a lifetime has no hop (remove the line)"},
    {"[feature a]\nop = count\nover = lifetime\nhop = 1h\n", 4, 7,
     "a lifetime has no hop (remove the line)"},
    {"[feature a]\nop = sum(1h)" OVER_SESSION, 2, 10,
     "`1h` is not a number (durations stand only at over and hop)"},
    {"[feature a]\nop = last_n(item_id, 1h)" OVER_SESSION, 2, 22,
     "the length of the list must be a whole number from 1 to 1024"},
    {"[feature a]\nop = first_n(item_id)" OVER_SESSION, 2, 21,
     "`first_n` takes other arguments (write it with an expression and a number, as in "
     "last_n(item_id, 20))"},
    {"[feature a]\nop = var(item_id)" OVER_SESSION, 2, 10,
     "`var` needs a number, and this is of type string"},
    {"[feature a]\nop = 3" OVER_SESSION, 2, 6,
     "an operator is expected here (such as count or sum(price))"},
    {"[feature a]\nop = sum(price" OVER_SESSION, 2, 15, "`)` expected at the end"},
    {"[feature a]\nop = sum(price) / 2" OVER_SESSION, 2, 17,
     "nothing can follow the operator (arithmetic goes into its argument)"},
    {"[feature a]\nop = sum" OVER_SESSION, 2, 9,
     "`sum` takes other arguments (write it with one expression, as in sum(price))"},
    {"[feature a]\nop = sum(price, 3)" OVER_SESSION, 2, 17,
     "`sum` takes other arguments (write it with one expression, as in sum(price))"},
    {"[feature a]\nop = count(price, 3)" OVER_SESSION, 2, 19,
     "`count` takes other arguments (write it with one expression or none)"},
    {"[feature a]\nop = last_n(item_id)" OVER_SESSION, 2, 20,
     "`last_n` takes other arguments (write it with an expression and a number, as in "
     "last_n(item_id, 20))"},
    {"[feature a]\nop = session_id(price)\n", 2, 17,
     "`session_id` takes no arguments (write it without arguments)"},
    {"[feature a]\nop = sum(price,)" OVER_SESSION, 2, 16, "an argument is missing here"},
    {"[feature a]\nop = sum(prise)" OVER_SESSION, 2, 10, "no field `prise` in the reader schema"},
    {"[feature a]\nop = sum(price *)" OVER_SESSION, 2, 17, "a value expected at the end"},
    {"[feature a]\nop = sum( quantity + page.x )" OVER_SESSION, 2, 22,
     "no field `page.x` in the reader schema"},
    {"[feature a]\nop = sum(item_id)" OVER_SESSION, 2, 10,
     "`sum` needs a number, and this is of type string"},
    {"[feature a]\nop = max(flag)" OVER_SESSION, 2, 10,
     "`max` needs a number, and this is of type bool"},
    {"[feature a]\nop = last_n(item_id, 0)" OVER_SESSION, 2, 22,
     "the length of the list must be a whole number from 1 to 1024"},
    {"[feature a]\nop = last_n(item_id, 1025)" OVER_SESSION, 2, 22,
     "the length of the list must be a whole number from 1 to 1024"},
    {"[feature a]\nop = last_n(item_id, quantity)" OVER_SESSION, 2, 22,
     "the length of the list must be a whole number from 1 to 1024"},
    {"[feature a]\nop = last_n(item_id, n = 3)" OVER_SESSION, 2, 26,
     "`last_n` has no argument named n (leave out `n =`)"},
    {"[feature a]\nop = count\nover = session\nwhere = quantity\n", 4, 9,
     "`where` needs a condition, and this is of type long (compare it with something)"},
    {"[feature a]\nop = count\nover = session\nwhere = quantity > prise\n", 4, 20,
     "no field `prise` in the reader schema"},
    {"[feature a]\nop = count\n", 1, 0,
     "feature a has no `over` (add `over = session`, or a duration such as `over = 24h`)"},
    {"[feature a]\nop = count\nover = 5\n", 3, 8,
     "`5` is neither session, lifetime nor a duration (write it as 30s, 5m, 24h, 30d)"},
    {"[feature a]\nop = count\nover = 1500ms\n", 3, 8,
     "a window is one or more whole seconds (write `over = 5m`)"},
    {"[feature a]\nop = count\nover = 0\n", 3, 8,
     "a window is one or more whole seconds (write `over = 5m`)"},
    {"[feature a]\nop = count\nover = 5003s\n", 3, 8,
     "the window has 5003 hops, more than 4096 (use a length in whole minutes)"},
    {"[feature a]\nop = count\nover = 30d\nhop = 5m\n", 4, 7,
     "the window has 8640 hops, more than 4096 (use a greater step of the ladder)"},
    {"[feature a]\nop = count\nover = 5m\nhop = 2m\n", 4, 7,
     "`2m` is no step of the ladder (use one of 1s 5s 10s 30s 1m 5m 10m 30m 1h 3h 6h 12h 1d)"},
    {"[feature a]\nop = count\nover = 5m\nhop = soon\n", 4, 7,
     "`soon` is no step of the ladder (use one of 1s 5s 10s 30s 1m 5m 10m 30m 1h 3h 6h 12h 1d)"},
    {"[feature a]\nop = count\nover = 7m\nhop = 5m\n", 4, 7,
     "the hop must divide the window (use a smaller step of the ladder)"},
    {"[feature a]\nop = count\nover = 5m\nhop = 1h\n", 4, 7,
     "the hop must divide the window (use a smaller step of the ladder)"},
    {"[feature a]\nop = count\nover = session\nhop = 1m\n", 4, 7,
     "a session has no hop (remove the line)"},
    {"[feature a]\nop = session_id\nover = session\n", 3, 8,
     "`over` does not go with session_id, which is a fact of the shown session (remove the line)"},
    {"[feature a]\nop = session_id\nwhere = flag\n", 3, 9,
     "`where` does not go with session_id, which is a fact of the shown session (remove the line)"},
    {AFTER_A "[feature b]\nop = ratio(a, a)\nover = 5m\n", 6, 8,
     "`over` does not go with ratio, which is computed from other features (remove the line)"},
    {AFTER_A "[feature b]\nop = ratio(a)\n", 5, 13,
     "`ratio` takes other arguments (write it with two features, as in ratio(a, b, alpha = 1, "
     "beta = 20))"},
    {AFTER_A "[feature b]\nop = ratio(a, a, 1)\n", 5, 18,
     "after its two features ratio takes alpha and beta (write `alpha = 1` or `beta = 20`)"},
    {AFTER_A "[feature b]\nop = ratio(a, a, gamma = 1)\n", 5, 26,
     "after its two features ratio takes alpha and beta (write `alpha = 1` or `beta = 20`)"},
    {AFTER_A "[feature b]\nop = ratio(a, a, alpha = x)\n", 5, 26, "alpha must be a number"},
    {AFTER_A "[feature b]\nop = ratio(a, a, alpha = 1, alpha = 2)\n", 5, 37,
     "alpha is given twice"},
    {AFTER_A "[feature long_name]\nop = ratio(a, long_nmae)\n", 5, 15,
     "there is no feature `long_nmae` (did you mean long_name)"},
    {AFTER_A "[feature b]\nop = ratio(a, something_else)\n", 5, 15,
     "there is no feature `something_else` (name a feature of this file)"},
    {AFTER_A "[feature b]\nop = ratio(a, c)\n[feature c]\nop = ratio(a, a)\n", 5, 15,
     "c is a ratio itself (name features that are not computed from others)"},
    {AFTER_A "[feature b]\nop = ratio(a, c)\n[feature c]\nop = last(item_id)" OVER_SESSION, 5, 15,
     "c is not a number (name features that are)"},
    {AFTER_A "[feature b]\nop = ratio(a, c)\n[feature c]\nop = last_n(quantity, 3)" OVER_SESSION, 5,
     15, "c is not a number (name features that are)"},
    {AFTER_A "default = x\n", 4, 11, "the default must be a long like the feature, or null"},
    {AFTER_A "default = 1.5\n", 4, 11, "the default must be a long like the feature, or null"},
    {"[feature a]\nop = last(flag)\nover = 5m\ndefault = yes\n", 4, 11,
     "the default must be a bool like the feature, or null"},
    {"[feature a]\nop = mean(price)\nover = 5m\ndefault = 1 2\n", 4, 11,
     "the default must be a double like the feature, or null"},
    {"[feature a]\nop = last(item_id)\nover = 5m\ndefault = \"x\n", 4, 11,
     "the default must be a string like the feature, or null"},
    {"[feature a]\nop = last_n(item_id, 3)\nover = 5m\ndefault = x\n", 4, 11,
     "a list has no default (remove the line)"},
};

static void wrong_files(void **state)
{
    (void)state;
    struct fieldspace fields = fake_fieldspace();
    for (size_t k = 0; k < sizeof wrongs / sizeof wrongs[0]; k++) {
        const struct wrong *wrong = &wrongs[k];
        struct feature_errors errors = {0};
        int count = split(wrong->text);
        assert_null(feature_set_load(entries, count, &fields, "", &errors));
        const struct feature_error *error = errors.list;
        if (errors.count != 1 || error->line != wrong->line || error->column != wrong->column ||
            strcmp(error->message, wrong->message) != 0)
            fail_msg("%s\n%d errors, the first at %d:%d: %s\nbut expected at %d:%d: %s",
                     wrong->text, errors.count, error->line, error->column, error->message,
                     wrong->line, wrong->column, wrong->message);
        feature_errors_free(&errors);
    }
}

static void all_errors_in_order(void **state)
{
    (void)state;
    static const char text[] = "[feature a]\n"
                               "op = ratio(b, c)\n"
                               "[feature b]\n"
                               "over = soon\n"
                               "where = quantity\n"
                               "op = sum(item_id)\n"
                               "default = 3\n"
                               "[feature c]\n"
                               "op = nothing_like_it\n"
                               "hop = 3\n"
                               "[feature d]\n"
                               "op = ratio(x, y, z = 1)\n";
    static const int places[][2] = {{4, 8}, {5, 9}, {6, 10}, {9, 6}, {12, 12}, {12, 15}, {12, 22}};
    struct fieldspace fields = fake_fieldspace();
    struct feature_errors errors = {0};
    int count = split(text);
    assert_null(feature_set_load(entries, count, &fields, "", &errors));
    assert_int_equal(errors.count, 7);
    for (int k = 0; k < errors.count; k++) {
        assert_int_equal(errors.list[k].line, places[k][0]);
        assert_int_equal(errors.list[k].column, places[k][1]);
    }
    feature_errors_free(&errors);
}

static struct feature_set *load_many(int features, int windows, struct feature_errors *errors)
{
    static char text[1 << 15];
    struct fieldspace fields = fake_fieldspace();
    size_t len = 0;
    for (int k = 0; k < features; k++)
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "[feature f%d]\nop = count\nover = %dm\n", k, 1 + k % windows);
    int count = split(text);
    return feature_set_load(entries, count, &fields, "", errors);
}

static void limits(void **state)
{
    (void)state;
    struct feature_errors errors = {0};
    struct feature_set *set = load_many(FEATURES_MAX, FEATURE_WINDOWS_MAX, &errors);
    assert_non_null(set);
    assert_int_equal(set->count, FEATURES_MAX);
    assert_int_equal(set->window_count, FEATURE_WINDOWS_MAX);
    feature_set_free(set);
    assert_null(load_many(FEATURES_MAX + 3, 1, &errors));
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.list[0].message, "there are more than 256 features (remove some)");
    feature_errors_free(&errors);
    assert_null(load_many(FEATURE_WINDOWS_MAX + 1, FEATURE_WINDOWS_MAX + 1, &errors));
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.list[0].message,
                        "there are more than 64 different windows (let features share them)");
    feature_errors_free(&errors);
}

/* The shop's features, against the fields of this test. */
static void shipped_features(void **state)
{
    (void)state;
    static char text[1 << 15];
    FILE *file = fopen(FRESHET_SOURCE_DIR "/schemas/features.ini", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    struct feature_set *set = load(text);
    assert_true(set->count >= 20);
    int ctr = feature_set_find(set, "ctr_24h");
    assert_true(ctr >= 0 && set->features[ctr].alpha == 1 && set->features[ctr].beta == 20);
    feature_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_shared_by_length_and_hop),
        cmocka_unit_test(compiled),
        cmocka_unit_test(compiled_maps_lifetimes_and_sessions),
        cmocka_unit_test(versions),
        cmocka_unit_test(hops),
        cmocka_unit_test(defaults),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(all_errors_in_order),
        cmocka_unit_test(limits),
        cmocka_unit_test(shipped_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
