/* The expression language: values, nulls, precedence, canonical text, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expr.h"
#include "fake_fields.h"

static struct value slots[FAKE_COUNT_OF];
static struct expr_input input = {.slots = slots};

static struct value text_value(const char *s)
{
    return value_text(VALUE_STRING, s, (uint32_t)strlen(s));
}

static void set_event(void)
{
    slots[FAKE_EVENT_TYPE] = text_value("click");
    slots[FAKE_ITEM_ID] = value_null();
    slots[FAKE_PRICE] = value_double(2.5);
    slots[FAKE_QUANTITY] = value_long(4);
    slots[FAKE_URL] = text_value("/a");
    slots[FAKE_FLAG] = value_bool(true);
    slots[FAKE_MAYBE] = value_null();
    slots[FAKE_RAW] = value_text(VALUE_BYTES, "\0\xff", 2);
    slots[FAKE_UTM] = text_value("mail");
    slots[FAKE_SKU] = value_null();
    input.ts.ms = 1769817600000; /* Saturday 2026-01-31 00:00 UTC */
    input.zone.ms = 0;
}

static struct expr *compile(const char *text)
{
    struct fieldspace fields = fake_fieldspace();
    struct expr_error error;
    struct expr *expr = expr_compile(text, &fields, &error);
    if (!expr)
        fail_msg("%s: column %d: %s", text, error.column, error.message);
    return expr;
}

/* A value as text, so that cases can stand in a table. */
static void show(struct value value, char *out, size_t size)
{
    switch ((enum value_type)value.type) {
    case VALUE_NULL:
        snprintf(out, size, "null");
        break;
    case VALUE_BOOL:
        snprintf(out, size, value.i ? "true" : "false");
        break;
    case VALUE_LONG:
        snprintf(out, size, "%lld", (long long)value.i);
        break;
    case VALUE_DOUBLE:
        snprintf(out, size, "%.15gd", value.d);
        break;
    default:
        snprintf(out, size, "'%.*s'", (int)value.len, value.s);
    }
}

static void check(const char *text, const char *expected)
{
    char shown[128];
    struct expr *expr = compile(text);
    show(expr_eval(expr, &input), shown, sizeof shown);
    if (strcmp(shown, expected) != 0)
        fail_msg("%s: %s expected, %s found", text, expected, shown);
    assert_int_equal(expr_test(expr, &input), strcmp(expected, "true") == 0);
    /* The canonical text means the same, and is its own canonical text. */
    struct expr *again = compile(expr_canonical(expr));
    show(expr_eval(again, &input), shown, sizeof shown);
    assert_string_equal(shown, expected);
    assert_string_equal(expr_canonical(again), expr_canonical(expr));
    expr_free(again);
    expr_free(expr);
}

static void comparisons(void **state)
{
    (void)state;
    set_event();
    static const char *const cases[][2] = {
        {"event_type == \"click\"", "true"},
        {"event_type == 'clic'", "false"},
        {"event_type != 'view'", "true"},
        {"event_type < 'clicks'", "true"},
        {"event_type >= 'clicks'", "false"},
        {"'' < event_type", "true"},
        {"'\xc3' > 'z'", "true"}, /* bytewise, unsigned */
        {"quantity == 4", "true"},
        {"quantity == 4.0", "true"},
        {"4.5 > quantity", "true"},
        {"quantity <= 3", "false"},
        {"quantity >= 4", "true"},
        {"price == 2.5", "true"},
        {"price < 3", "true"},
        {"flag == true", "true"},
        {"flag != true", "false"},
        {"raw == raw", "true"},
        {"item_id == 'x'", "false"},
        {"item_id != 'x'", "false"},
        {"item_id == item_id", "false"},
        {"not item_id == 'x'", "true"},
        {"item_id is null", "true"},
        {"item_id is not null", "false"},
        {"price is not null", "true"},
        {"items[0].sku is null", "true"},
        {"props['a \"b'] == 'mail'", "true"},
        {"props [ \"a \\\"b\" ] == 'mail'", "true"},
        {"page . url == '/a'", "true"},
        {"9007199254740993 == 9007199254740992.0", "true"}, /* as doubles */
        {"9007199254740993 == 9007199254740992", "false"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        check(cases[k][0], cases[k][1]);
    slots[FAKE_PRICE] = value_double(NAN);
    check("price == price", "false");
    check("price != price", "true");
    check("price < 1", "false");
    check("price >= 1", "false");
    check("price", "null");
    check("price is null", "false");
    slots[FAKE_PRICE] = value_double(INFINITY);
    check("price > 1", "true");
    check("price", "null");
}

static void logic(void **state)
{
    (void)state;
    set_event();
    static const char *const cases[][2] = {
        {"true and false", "false"},
        {"true or false", "true"},
        {"false and false or true", "true"},
        {"true or false and false", "true"},
        {"not true or true", "true"},
        {"not (true or true)", "false"},
        {"not not true", "true"},
        {"not flag == false", "true"},
        {"maybe", "null"},
        {"maybe and true", "false"},
        {"maybe or false", "false"},
        {"true and maybe", "false"},
        {"false or maybe", "false"},
        {"not maybe", "true"},
        {"maybe == false", "false"},
        {"maybe is null and flag", "true"},
        {"flag and event_type == 'click' and quantity > 3", "true"},
        {"event_type in ('view', 'click')", "true"},
        {"event_type in ('view')", "false"},
        {"not event_type in ('view')", "true"},
        {"item_id in ('a', 'b')", "false"},
        {"not item_id in ('a', 'b')", "true"},
        {"quantity in (1, 4)", "true"},
        {"quantity in (1.0, 4.0)", "true"},
        {"price in (2, 2.5)", "true"},
        {"quantity + 1 in (quantity, quantity + 1)", "true"},
        {"flag in (false)", "false"},
        {"event_type in (item_id, 'click')", "true"},
        {"quantity in (1) or quantity in (2, 4) and true", "true"},
        {"(quantity in (4)) in (false, (quantity in (4, 5)))", "true"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        check(cases[k][0], cases[k][1]);
}

static void arithmetic(void **state)
{
    (void)state;
    set_event();
    static const char *const cases[][2] = {
        {"1 + 2 * 3", "7"},
        {"(1 + 2) * 3", "9"},
        {"10 - 3 - 2", "5"},
        {"10 - (3 - 2)", "9"},
        {"7 / 2", "3.5d"},
        {"8 / 2 / 2", "2d"},
        {"8 / (2 / 2)", "8d"},
        {"price * quantity", "10d"},
        {"quantity * 2", "8"},
        {"quantity + 0.5", "4.5d"},
        {"-quantity", "-4"},
        {"- -quantity", "4"},
        {"-price * 2", "-5d"},
        {"2 - -3", "5"},
        {"-2.5", "-2.5d"},
        {"-(2)", "-2"},
        {"-(1 - 1.0)", "0d"},
        {"1 / 0", "null"},
        {"0 / 0", "null"},
        {"price / 0.0", "null"},
        {"1e308 * 10", "null"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775807 + 1", "null"},
        {"-9223372036854775808 - 1", "null"},
        {"-(-9223372036854775808)", "null"},
        {"4611686018427387904 * 2", "null"},
        {"9223372036854775807 + 1.0", "9.22337203685478e+18d"},
        {"1 / 0 + 1", "null"},
        {"1 / 0 > 0", "false"},
        {"1 / 0 is null", "true"},
        {"1.5e3", "1500d"},
        {"1E+2", "100d"},
        {"'a\\n\\t\\\\\\'\\\"'", "'a\n\t\\'\"'"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        check(cases[k][0], cases[k][1]);
    slots[FAKE_QUANTITY] = slots[FAKE_PRICE] = value_null();
    check("quantity + 1", "null");
    check("1 - quantity", "null");
    check("price * 2", "null");
    check("2 / quantity", "null");
    check("-quantity", "null");
    check("-price", "null");
    check("quantity + 0.5", "null");
    check("hour_of_day(quantity)", "null");
}

static void clocks(void **state)
{
    (void)state;
    set_event();
    check("ts", "1769817600000");
    check("ts - 1", "1769817599999");
    check("hour_of_day(ts)", "0");
    check("day_of_week(ts)", "6");
    check("hour_of_day(ts - 1)", "23");
    check("day_of_week(ts - 1)", "5");
    check("hour_of_day (0)", "0");
    check("day_of_week(0)", "4");
    check("day_of_week(-1)", "3");
    check("hour_of_day(-1)", "23");
    check("day_of_week(345600000)", "1");
    check("day_of_week(-259200001)", "7");
    check("day_of_week(9223372036854775807)", "7");
    check("hour_of_day(9223372036854775807)", "7");
    check("day_of_week(-9223372036854775808)", "7");
    check("hour_of_day(-9223372036854775808)", "16");
    input.zone.ms = 7200000;
    check("hour_of_day(ts)", "2");
    check("day_of_week(ts + 79200000)", "7");
    input.zone.ms = -3600000;
    check("hour_of_day(ts)", "23");
    check("day_of_week(ts)", "5");
    check("hour_of_day(-9223372036854775808)", "15");
}

static void canonical(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"event_type=='click'", "event_type == \"click\""},
        {"((quantity))", "quantity"},
        {"(1+2)*3", "(1 + 2) * 3"},
        {"1+(2*3)", "1 + 2 * 3"},
        {"(1-2)-3", "1 - 2 - 3"},
        {"1-(2-3)", "1 - (2 - 3)"},
        {"1/(2*3)", "1 / (2 * 3)"},
        {"flag and (flag and maybe)", "flag and flag and maybe"},
        {"(flag and flag) and maybe", "flag and flag and maybe"},
        {"flag and (flag or maybe)", "flag and (flag or maybe)"},
        {"(flag and flag) or maybe", "flag and flag or maybe"},
        {"not (flag and maybe)", "not (flag and maybe)"},
        {"(not flag) and maybe", "not flag and maybe"},
        {"not (quantity == 1)", "not quantity == 1"},
        {"(not flag) == maybe", "(not flag) == maybe"},
        {"(quantity == 1) == flag", "(quantity == 1) == flag"},
        {"event_type in('a' ,\"b\")", "event_type in (\"a\", \"b\")"},
        {"item_id  is  not  null", "item_id is not null"},
        {"-(quantity)", "-quantity"},
        {"-(quantity + 1)", "-(quantity + 1)"},
        {"- 5", "-5"},
        {"1.50", "1.5"},
        {"2.0", "2.0"},
        {"1e22", "1e+22"},
        {"0.1", "0.1"},
        {"-0.0", "-0.0"},
        {"'it\\'s \"x\"'", "\"it's \\\"x\\\"\""},
        {"items [0] .sku", "items[0].sku"},
        {"props['a \"b']", "props[\"a \\\"b\"]"},
        {"day_of_week( ts )", "day_of_week(ts)"},
        {"true", "true"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct expr *expr = compile(cases[k][0]);
        assert_string_equal(expr_canonical(expr), cases[k][1]);
        expr_free(expr);
    }
}

static void kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum value_type type;
        bool nullable;
    } cases[] = {
        {"quantity", VALUE_LONG, false},    {"price", VALUE_DOUBLE, true},
        {"quantity * 2", VALUE_LONG, true}, {"quantity / 2", VALUE_DOUBLE, true},
        {"item_id", VALUE_STRING, true},    {"raw", VALUE_BYTES, false},
        {"price > 1", VALUE_BOOL, false},   {"maybe", VALUE_BOOL, true},
        {"ts", VALUE_LONG, false},          {"hour_of_day(quantity)", VALUE_LONG, false},
        {"-price", VALUE_DOUBLE, true},     {"'x'", VALUE_STRING, false},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct expr *expr = compile(cases[k].text);
        assert_int_equal(expr_kind(expr).type, cases[k].type);
        assert_int_equal(expr_kind(expr).nullable, cases[k].nullable);
        expr_free(expr);
    }
}

static const struct {
    const char *text;
    int column;
    const char *message;
} refusals[] = {
    {"", 1, "a value expected at the end"},
    {"event_type ==", 14, "a value expected at the end"},
    {"event_type = 'x'", 12,
     "an operator or the end expected instead of `=` (write `==` to compare)"},
    {"(event_type = 'x')", 13, "`)` expected instead of `=` (write `==` to compare)"},
    {"quantity 4", 10, "an operator or the end expected instead of `4`"},
    {"(quantity", 10, "`)` expected at the end"},
    {"quantity)", 9, "an operator or the end expected instead of `)`"},
    {"prise > 1", 1, "no field `prise` in the reader schema"},
    {"1 + page.prise", 5, "no field `page.prise` in the reader schema"},
    {"page.", 6, "a field name after `.` expected at the end"},
    {"items[x]", 7, "an index or a quoted key expected instead of `x`"},
    {"items[0", 8, "`]` expected at the end"},
    {"flag && flag", 6, "unknown sign `&&` (write `and`)"},
    {"flag || flag", 6, "unknown sign `||` (write `or`)"},
    {"quantity <> 1", 10, "unknown sign `<>` (write `!=`)"},
    {"!flag", 1, "unknown sign `!` (write `not`)"},
    {"quantity % 2", 10, "unexpected character `%`"},
    {"quantity \x01", 10, "unexpected byte 0x01"},
    {"event_type == \"click", 15, "the text has no closing \""},
    {"event_type == 'a\\x'", 17, "unknown escape `\\x` (there are \\\" \\' \\\\ \\n \\t)"},
    {"ts > 5m", 6, "`5m` is not a number (durations stand only at over and hop)"},
    {"1.", 1, "`1.` is not a number (durations stand only at over and hop)"},
    {"1e999", 1, "the number is too large for a double"},
    {"9223372036854775808", 1,
     "the number is too large for a long (write it as a double: 9223372036854775808.0)"},
    {"99999999999999999999", 1,
     "the number is too large for a long (write it as a double: 99999999999999999999.0)"},
    {"item_id == null", 12,
     "null can only stand after `is` (write `x is null` or `x is not null`)"},
    {"item_id is 3", 12, "`null` or `not null` expected instead of `3`"},
    {"item_id is not", 15, "`null` or `not null` expected at the end"},
    {"item_id not in ('a')", 9,
     "an operator or the end expected instead of `not` (write `not x in (...)`, with "
     "parentheses where it is an operand)"},
    {"event_type in 'a'", 15, "`(` and a list expected instead of `'a'`"},
    {"event_type in ()", 16, "a value expected instead of `)`"},
    {"event_type in ('a'", 19, "`,` or `)` expected at the end"},
    {"1 < quantity < 3", 14, "comparisons do not chain (write `a < b and b < c`)"},
    {"quantity is null == flag", 18, "comparisons do not chain (write `a < b and b < c`)"},
    {"event_type == 3", 12, "string cannot be compared with long (compare like with like)"},
    {"raw == 'x'", 5, "bytes cannot be compared with string (compare like with like)"},
    {"quantity in (1, 'x')", 17, "long cannot be compared with string (compare like with like)"},
    {"flag < true", 6, "bools have no order (use `==` or `!=`)"},
    {"event_type and flag", 1,
     "`and` needs a condition, and this is of type string (compare it with something)"},
    {"flag or quantity + 1", 9,
     "`or` needs a condition, and this is of type long (compare it with something)"},
    {"not quantity", 5,
     "`not` needs a condition, and this is of type long (compare it with something)"},
    {"event_type + 1", 1, "`+` needs numbers, and this is of type string"},
    {"1 * flag", 5, "`*` needs numbers, and this is of type bool"},
    {"-event_type", 2, "`-` needs numbers, and this is of type string"},
    {"hour_of_day(price)", 13,
     "hour_of_day needs a time in ms (a long), and this is of type double"},
    {"hour_of_day()", 13, "a value expected instead of `)`"},
    {"upper(item_id)", 1, "unknown function `upper` (there are hour_of_day and day_of_week)"},
    {"and", 1, "a value expected instead of `and`"},
    {"quantity == not flag", 13,
     "a value expected instead of `not` (write `not x in (...)`, with parentheses where it is "
     "an operand)"},
    {"quantity, 3", 9, "an operator or the end expected instead of `,`"},
};

static void refused(void **state)
{
    (void)state;
    struct fieldspace fields = fake_fieldspace();
    for (size_t k = 0; k < sizeof refusals / sizeof refusals[0]; k++) {
        struct expr_error error = {0};
        struct expr *expr = expr_compile(refusals[k].text, &fields, &error);
        if (expr || error.column != refusals[k].column ||
            strcmp(error.message, refusals[k].message) != 0)
            fail_msg("%s: %s, column %d: %s", refusals[k].text, expr ? "accepted" : "refused",
                     error.column, error.message);
    }
}

static char *repeat(const char *before, int count, const char *after)
{
    size_t unit = strlen(before);
    char *text = malloc(unit * (size_t)count + strlen(after) + 1);
    for (int k = 0; k < count; k++)
        memcpy(text + unit * (size_t)k, before, unit);
    memcpy(text + unit * (size_t)count, after, strlen(after) + 1);
    return text;
}

static void bounds(void **state)
{
    (void)state;
    struct fieldspace fields = fake_fieldspace();
    static const struct {
        const char *before;
        int count;
        const char *after;
        const char *message; /* NULL: accepted */
    } cases[] = {
        {"-", EXPR_DEPTH_MAX - 1, "quantity", NULL},
        {"-", EXPR_DEPTH_MAX, "quantity", "the expression is nested more than 64 deep"},
        {"(", EXPR_DEPTH_MAX, "quantity", "the expression is nested more than 64 deep"},
        {"not ", 4000, "flag", "the expression is longer than 4096 bytes"},
        {"not ", 1000, "flag", "the expression is nested more than 64 deep"},
        {"1+", 511, "1", NULL},
        {"1+", 512, "1", "the expression has more than 1024 parts"},
        {" ", EXPR_TEXT_MAX - 1, "1", NULL},
        {" ", EXPR_TEXT_MAX, "1", "the expression is longer than 4096 bytes"},
    };
    set_event();
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct expr_error error = {0};
        char *text = repeat(cases[k].before, cases[k].count, cases[k].after);
        struct expr *expr = expr_compile(text, &fields, &error);
        if (!cases[k].message) {
            assert_non_null(expr);
            expr_eval(expr, &input);
        } else {
            assert_null(expr);
            assert_memory_equal(error.message, cases[k].message, strlen(cases[k].message));
        }
        expr_free(expr);
        free(text);
    }
    expr_free(NULL);
}

/* The deepest nesting that is accepted fits the stack of values. */
static void deepest_stack(void **state)
{
    (void)state;
    struct fieldspace fields = fake_fieldspace();
    struct expr_error error;
    set_event();
    static const char *const units[] = {"quantity + (", "quantity in (1, ", "1 - quantity * (",
                                        "flag or quantity == 5 + 6 * ("};
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        struct expr *deepest = NULL;
        for (int count = 1; count < 40; count++) {
            char closing[64] = "1";
            char *text = repeat(units[u], count, "");
            char whole[2048];
            memset(closing + 1, ')', (size_t)count);
            closing[count + 1] = '\0';
            snprintf(whole, sizeof whole, "%s%s", text, closing);
            struct expr *expr = expr_compile(whole, &fields, &error);
            if (expr) {
                expr_free(deepest);
                deepest = expr;
                expr_eval(deepest, &input);
            }
            free(text);
        }
        expr_free(deepest);
    }
}

static void canonical_bytes(void **state)
{
    (void)state;
    char scratch[8];
    size_t len;
    struct value values[] = {value_long(-2), value_bool(true), value_double(-0.0),
                             value_double(1.5), value_text(VALUE_BYTES, "a\0b", 3)};
    static const struct {
        const char *bytes;
        size_t len;
    } expected[] = {{"\xfe\xff\xff\xff\xff\xff\xff\xff", 8},
                    {"\x01\0\0\0\0\0\0\0", 8},
                    {"\0\0\0\0\0\0\0\0", 8},
                    {"\0\0\0\0\0\0\xf8\x3f", 8},
                    {"a\0b", 3}};
    for (size_t k = 0; k < 5; k++) {
        const void *bytes = value_canonical(&values[k], scratch, &len);
        assert_int_equal(len, expected[k].len);
        assert_memory_equal(bytes, expected[k].bytes, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons),   cmocka_unit_test(logic),
        cmocka_unit_test(arithmetic),    cmocka_unit_test(clocks),
        cmocka_unit_test(canonical),     cmocka_unit_test(kinds),
        cmocka_unit_test(refused),       cmocka_unit_test(bounds),
        cmocka_unit_test(deepest_stack), cmocka_unit_test(canonical_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
