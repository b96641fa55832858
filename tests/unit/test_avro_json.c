/* JSON in (schemas) and out (datums). */
#include "avro_testing.h"

#include <math.h>

#include "jsontree.h"

static struct arena arena;
static struct json_error err;

static const struct json_node *parse(const char *text)
{
    return jsontree_parse(&arena, text, strlen(text), &err);
}

static void test_tree(void **state)
{
    (void)state;
    const struct json_node *root =
        parse("{\"a\": [null, true, false, -3, 2.5, \"x\\u0000y\"], \"b\": {}, \"a2\": 1e3}");
    assert_non_null(root);
    assert_int_equal(root->type, JSON_TREE_OBJECT);
    assert_int_equal(root->count, 3);
    const struct json_node *item = jsontree_get(root, "a")->first;
    assert_int_equal(jsontree_get(root, "a")->count, 6);
    assert_int_equal(item->type, JSON_TREE_NULL);
    assert_int_equal((item = item->next)->type, JSON_TREE_TRUE);
    assert_int_equal((item = item->next)->type, JSON_TREE_FALSE);
    assert_int_equal((item = item->next)->integer, -3);
    assert_true(item->real == -3.0);
    assert_true((item = item->next)->real == 2.5);
    assert_int_equal((item = item->next)->len, 3);
    assert_memory_equal(item->text, "x\0y", 4);
    assert_null(item->next);
    assert_int_equal(jsontree_get(root, "b")->count, 0);
    assert_true(jsontree_get(root, "a2")->real == 1000.0);
    assert_null(jsontree_get(root, "c"));
    assert_null(jsontree_get(item, "a"));
    assert_null(jsontree_get(NULL, "a"));
    arena_free(&arena);
}

static void test_wrong_json(void **state)
{
    (void)state;
    assert_null(parse("[1, }"));
    assert_false(err.limit);
    assert_in_range(err.offset, 3, 5);
    assert_null(parse("[1] 2"));
    assert_null(parse("\"\xff\""));
    assert_null(parse(""));
    arena_free(&arena);
}

static void test_too_deep_and_too_large(void **state)
{
    (void)state;
    static char text[JSONTREE_MAX_BYTES + 2];
    for (int deep = JSONTREE_MAX_DEPTH - 1; deep <= 100000; deep = deep * 100) {
        memset(text, '[', (size_t)deep);
        memset(text + deep, ']', (size_t)deep);
        text[2 * deep] = '\0';
        assert_true((parse(text) != NULL) == (deep < JSONTREE_MAX_DEPTH));
        assert_int_equal(err.limit, deep >= JSONTREE_MAX_DEPTH);
    }
    memset(text, '[', 600);
    memset(text + 600, ']', 600);
    text[1200] = '\0';
    assert_null(parse(text));
    assert_true(err.limit);
    memset(text, ' ', sizeof text - 1);
    assert_null(parse(text));
    assert_true(err.limit);
    arena_free(&arena);
}

static void assert_json(struct value value, const char *expected)
{
    struct text text = {0};
    jsonout_value(&text, value);
    assert_string_equal(text.data, expected);
    text_free(&text);
}

static void test_values(void **state)
{
    (void)state;
    assert_json(value_null(), "null");
    assert_json(value_bool(true), "true");
    assert_json(value_bool(false), "false");
    assert_json(value_long(-5), "-5");
    assert_json(value_long(INT64_C(1) << 53), "9007199254740992");
    assert_json(value_long((INT64_C(1) << 53) + 1), "{\"$long\": \"9007199254740993\"}");
    assert_json(value_long(-(INT64_C(1) << 53)), "-9007199254740992");
    assert_json(value_long(INT64_MIN), "{\"$long\": \"-9223372036854775808\"}");
    assert_json(value_double(42), "42.0");
    assert_json(value_double(-0.0), "-0.0");
    assert_json(value_double(0.1), "0.1");
    assert_json(value_double(1e22), "1e+22");
    assert_json(value_double(NAN), "{\"$f\": \"NaN\"}");
    assert_json(value_double(INFINITY), "{\"$f\": \"Infinity\"}");
    assert_json(value_double(-INFINITY), "{\"$f\": \"-Infinity\"}");
    assert_json(value_text(VALUE_STRING, "a\"\0\xc3\xa9", 5), "\"a\\\"\\u0000\xc3\xa9\"");
    assert_json(value_text(VALUE_BYTES, "\x00\xff\x1a", 3), "{\"$hex\": \"00ff1a\"}");
    assert_json(value_text(VALUE_BYTES, "", 0), "{\"$hex\": \"\"}");
    const struct value items[] = {value_long(1), value_text(VALUE_STRING, "x", 1)};
    assert_json((struct value){.items = items, .len = 2, .type = VALUE_LIST}, "[1, \"x\"]");
}

static void test_containers(void **state)
{
    (void)state;
    const char *schema = "{'type':'array','items':{'type':'map','values':{'type':'record',"
                         "'name':'R','fields':[{'name':'a','type':{'type':'array','items':'int'}},"
                         "{'name':'b','type':['null','R']}]}}}";
    assert_string_equal(testing_decode(schema, schema, "00"), "[]");
    assert_string_equal(
        testing_decode(schema, schema, "06 00 04 0278 00 00 0279 04 02 04 00 02 00 00 00 00 00"),
        "[{}, {\"x\": {\"a\": [], \"b\": null}, \"y\": {\"a\": [1, 2], \"b\": {\"a\": [], \"b\": "
        "null}}}, {}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_wrong_json),
        cmocka_unit_test(test_too_deep_and_too_large),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_containers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
