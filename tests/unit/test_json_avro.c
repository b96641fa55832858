/* Events as JSON lines: what becomes of them in Avro is what another JSON library reads in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "avroplan.h"
#include "jsonavro.h"
#include "jsonout.h"

static const char schema_text[] =
    "{\"type\":\"record\",\"name\":\"E\",\"fields\":["
    "{\"name\":\"s\",\"type\":\"string\"},"
    "{\"name\":\"l\",\"type\":\"long\"},"
    "{\"name\":\"i\",\"type\":\"int\",\"default\":7},"
    "{\"name\":\"d\",\"type\":\"double\",\"default\":0.5},"
    "{\"name\":\"b\",\"type\":\"boolean\",\"default\":true},"
    "{\"name\":\"o\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"u\",\"type\":[\"null\",\"long\",\"double\",\"boolean\",\"string\"],"
    "\"default\":null},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"X\",\"symbols\":[\"p\",\"q\"],"
    "\"default\":\"q\"},\"default\":\"p\"},"
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"long\"},\"default\":[1,2]},"
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"double\"},\"default\":{}},"
    "{\"name\":\"r\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"R\",\"fields\":["
    "{\"name\":\"x\",\"type\":\"long\"},{\"name\":\"y\",\"type\":\"string\",\"default\":\"why\"},"
    "{\"name\":\"next\",\"type\":[\"null\",\"R\"],\"default\":null}]}],\"default\":null},"
    "{\"name\":\"raw\",\"type\":\"bytes\",\"default\":\"\\u00ff\"},"
    "{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2},"
    "\"default\":\"ab\"},"
    "{\"name\":\"t\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"},"
    "\"default\":0},"
    "{\"name\":\"n\",\"type\":\"float\",\"default\":0}"
    "]}";

struct world {
    struct avroschema *schema;
    struct avroplan *plan;
    struct jsonavro *json;
    struct text datum, shown;
    struct jsonavro_meta meta;
    struct jsonavro_error err;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct avro_error err;
    world->schema = avroschema_parse(schema_text, strlen(schema_text), NULL, 0, AVROSCHEMA_READER,
                                     &err);
    assert_non_null(world->schema);
    world->plan = avroplan_compile(world->schema, world->schema, NULL, true, &err);
    assert_non_null(world->plan);
    world->json = jsonavro_new(world->schema);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    jsonavro_free(world->json);
    avroplan_free(world->plan);
    avroschema_free(world->schema);
    text_free(&world->datum);
    text_free(&world->shown);
    free(world);
    return 0;
}

/* What the plan finds in the line, as a JSON tree; NULL when the line is refused. */
static json_t *read_line(struct world *world, const char *line, size_t len)
{
    struct avro_error err;
    json_error_t error;
    text_clear(&world->datum);
    text_clear(&world->shown);
    if (!jsonavro_line(world->json, line, len, &world->datum, &world->meta, &world->err))
        return NULL;
    struct jsonout out = {.text = &world->shown};
    struct avroplan_sink sink = jsonout_sink(&out);
    assert_true(avroplan_walk(world->plan, world->datum.data, world->datum.len, &sink, &err));
    json_t *tree = json_loadb(world->shown.data, world->shown.len, JSON_ALLOW_NUL, &error);
    assert_non_null(tree);
    return tree;
}

static json_t *member_of(struct world *world, const char *line, const char *name)
{
    json_t *tree = read_line(world, line, strlen(line));
    if (!tree)
        fail_msg("%s: column %zu: %s", line, world->err.column, world->err.message);
    json_t *member = json_incref(json_object_get(tree, name));
    json_decref(tree);
    return member;
}

/* ---- against another library ---- */

/* A member that was given is found as it was; numbers are compared as numbers. */
static bool alike(const json_t *given, const json_t *found)
{
    const char *key;
    json_t *item;
    size_t i;
    json_t *exact = json_object_get(found, "$long");
    if (exact && json_is_integer(given))
        return strtoll(json_string_value(exact), NULL, 10) == json_integer_value(given);
    if (json_is_integer(given) && json_is_integer(found))
        return json_integer_value(given) == json_integer_value(found);
    if (json_is_number(given) && json_is_number(found))
        return json_number_value(given) == json_number_value(found);
    if (json_is_object(given) && json_is_object(found)) {
        json_object_foreach((json_t *)(uintptr_t)given, key, item)
            if (!alike(item, json_object_get(found, key)))
                return false;
        return true;
    }
    if (json_is_array(given) && json_array_size(given) == json_array_size(found)) {
        json_array_foreach(given, i, item)
            if (!alike(item, json_array_get(found, i)))
                return false;
        return true;
    }
    return json_equal(given, found);
}

static uint64_t seed = 42;

static unsigned roll(unsigned sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % sides;
}

static void put_string(struct text *line)
{
    static const char *const pieces[] = {"a", "hat", "\\n", "\\\"", "\\\\", "\\/", "\\u0000",
                                         "\\u00e9", "é", "\\ud83d\\ude00", "😀", "日本", " ",
                                         "\\t\\b\\f\\r", "\\uFFFF"};
    text_append_char(line, '"');
    for (unsigned count = roll(5); count > 0; count--)
        text_append_string(line, pieces[roll(sizeof pieces / sizeof *pieces)]);
    text_append_char(line, '"');
}

static void put_blanks(struct text *line)
{
    static const char *const blanks[] = {"", "", "", " ", "  ", "\t", "\r"};
    text_append_string(line, blanks[roll(7)]);
}

static void put_long(struct text *line)
{
    static const int64_t some[] = {0, 1, -1, 63, -64, 64, 1234567890123, INT64_MAX, INT64_MIN};
    text_append_long(line, some[roll(sizeof some / sizeof *some)]);
}

static void put_double(struct text *line)
{
    static const char *const some[] = {"0", "-0.0", "1", "0.1", "-19.99", "1e300", "5E-324",
                                       "123456789.123456789", "2.2250738585072014e-308",
                                       "9007199254740993", "1E+2", "0.30000000000000004"};
    text_append_string(line, some[roll(sizeof some / sizeof *some)]);
}

static void put_array(struct text *line)
{
    text_append_char(line, '[');
    for (unsigned left = roll(4); left > 0; left--) {
        put_long(line);
        text_append_string(line, left > 1 ? " ," : "");
    }
    text_append_char(line, ']');
}

static void put_map(struct text *line)
{
    text_append_char(line, '{');
    for (unsigned left = roll(4); left > 0; left--) {
        text_printf(line, "\"k%u\":", left);
        put_double(line);
        text_append_string(line, left > 1 ? "," : "");
    }
    text_append_char(line, '}');
}

static void put_record(struct text *line, int depth)
{
    text_append_string(line, roll(2) ? "{\"x\":" : "{ \"y\":\"z\", \"x\": ");
    put_long(line);
    if (depth > 0 && roll(2)) {
        text_append_string(line, ",\"next\":");
        put_record(line, depth - 1);
    }
    put_blanks(line);
    text_append_char(line, '}');
}

static void put_union(struct text *line)
{
    static const char *const some[] = {"null", "true", "false", "17", "-17.25", "1e2"};
    unsigned which = roll(7);
    if (which < 6)
        text_append_string(line, some[which]);
    else
        put_string(line);
}

static void put_member(struct text *line, char name)
{
    text_printf(line, "\"%c\"", name);
    put_blanks(line);
    text_append_char(line, ':');
    put_blanks(line);
    switch (name) {
    case 's':
    case 'o':
        put_string(line);
        return;
    case 'l':
        put_long(line);
        return;
    case 'i':
        text_append_long(line, (int)roll(1000) - 500);
        return;
    case 'd':
        put_double(line);
        return;
    case 'b':
        text_append_string(line, roll(2) ? "true" : "false");
        return;
    case 'u':
        put_union(line);
        return;
    case 'e':
        text_append_string(line, roll(2) ? "\"p\"" : "\"q\"");
        return;
    case 'a':
        put_array(line);
        return;
    case 'm':
        put_map(line);
        return;
    default:
        put_record(line, 3);
        return;
    }
}

static void test_random_lines(void **state)
{
    struct world *world = *state;
    struct text line = {0};
    for (int round = 0; round < 20000; round++) {
        char names[] = "slidbouemar";
        size_t count = strlen(names);
        for (size_t k = count; roll(3) && k > 1; k--) { /* some in the schema's order, some not */
            size_t other = roll((unsigned)k);
            char c = names[k - 1];
            names[k - 1] = names[other];
            names[other] = c;
        }
        text_clear(&line);
        text_append_char(&line, '{');
        for (size_t k = 0; k < count; k++) {
            bool needed = names[k] == 's' || names[k] == 'l';
            if (!needed && roll(3) == 0)
                continue;
            if (line.len > 1)
                text_append_char(&line, ',');
            put_blanks(&line);
            put_member(&line, names[k]);
        }
        text_append_char(&line, '}');
        json_error_t error;
        json_t *given = json_loadb(line.data, line.len, JSON_ALLOW_NUL, &error);
        assert_non_null(given);
        json_t *found = read_line(world, line.data, line.len);
        if (!found || !alike(given, found))
            fail_msg("%s\nis %s%s", line.data, found ? world->shown.data : "",
                     found ? "" : world->err.message);
        json_decref(given);
        json_decref(found);
    }
    text_free(&line);
}

/* Every prefix and every line with one byte changed: refused where the library refuses it. */
static void test_damaged_lines(void **state)
{
    struct world *world = *state;
    static const char line[] =
        "{\"s\":\"a\\u00e9\\n\",\"l\":-12,\"u\":1.5e3,\"a\":[1,2],\"m\":{\"k\":0.5},"
        "\"r\":{\"x\":1,\"next\":null},\"b\":true}";
    static const char bytes[] = "\"\\{}[]:,0-.eu \x1f\xff";
    int refused = 0;
    for (size_t at = 0; at < sizeof line - 1; at++) {
        assert_null(read_line(world, line, at));
        for (size_t k = 0; k < sizeof bytes - 1; k++) {
            char copy[sizeof line];
            json_error_t error;
            memcpy(copy, line, sizeof line);
            copy[at] = bytes[k];
            json_t *given = json_loadb(copy, sizeof line - 1, JSON_REJECT_DUPLICATES, &error);
            json_t *found = read_line(world, copy, sizeof line - 1);
            /* What is no JSON is refused; what is JSON may be, for its names and types. */
            if (!given)
                assert_null(found);
            assert_true(found || (world->err.column >= 1 && world->err.column <= sizeof line));
            refused += !found;
            json_decref(given);
            json_decref(found);
        }
    }
    assert_true(refused > 500);
}

/* ---- by hand ---- */

static void test_defaults(void **state)
{
    json_t *tree = read_line(*state, "{\"l\":1,\"s\":\"\"}", 14);
    json_t *wanted = json_pack(
        "{s:s,s:i,s:i,s:f,s:b,s:n,s:n,s:s,s:[i,i],s:{},s:n,s:{s:s},s:{s:s},s:i,s:f}", "s", "", "l",
        1, "i", 7, "d", 0.5, "b", 1, "o", "u", "e", "p", "a", 1, 2, "m", "r", "raw", "$hex", "ff",
        "f", "$hex", "6162", "t", 0, "n", 0.0);
    assert_non_null(wanted);
    assert_true(json_equal(tree, wanted));
    json_decref(tree);
    json_decref(wanted);
}

static void assert_member(struct world *world, const char *value, const char *name,
                          const char *wanted)
{
    char line[256];
    snprintf(line, sizeof line, "{\"s\":\"\",\"l\":0,\"%s\":%s}", name, value);
    json_t *member = member_of(world, line, name);
    char *text = json_dumps(member, JSON_ENCODE_ANY | JSON_COMPACT);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(member);
}

static void test_values(void **state)
{
    struct world *world = *state;
    assert_member(world, "\"z\"", "e", "\"q\""); /* the enum's default */
    assert_member(world, "5", "u", "5");
    assert_member(world, "5.0", "u", "5.0");
    assert_member(world, "9223372036854775808", "u", "9.2233720368547758e18");
}

static void test_what_json_cannot_hold(void **state)
{
    struct world *world = *state;
    assert_member(world, "{\"$f\":\"NaN\"}", "d", "{\"$f\":\"NaN\"}");
    assert_member(world, "{\"$f\":\"-Infinity\"}", "n", "{\"$f\":\"-Infinity\"}");
    assert_member(world, "{\"$hex\":\"00fF\"}", "raw", "{\"$hex\":\"00ff\"}");
    assert_member(world, "\"\\u0000\xc3\xbf\"", "f", "{\"$hex\":\"00ff\"}");
    assert_member(world, "{\"$long\":\"9007199254740993\"}", "t",
                  "{\"$long\":\"9007199254740993\"}");
    assert_member(world, "\"1970-01-01T00:00:01.5Z\"", "t", "1500000");
    assert_member(world, "0.1", "n", "0.10000000149011612");
}

static void test_meta(void **state)
{
    struct world *world = *state;
    static const char line[] = "{\"@offset\":5,\"s\":\"\",\"@partition\":3,\"l\":0,"
                               "\"@timestamp\":99}";
    json_decref(read_line(world, line, sizeof line - 1));
    assert_true(world->meta.has_offset && world->meta.has_record_time);
    assert_int_equal(world->meta.offset, 5);
    assert_int_equal(world->meta.partition, 3);
    assert_int_equal(world->meta.record_time_ms, 99);
    static const char op[] = "{ \"@op\" : \"idle\", \"as_of\": 12, \"@partition\": 2 }";
    assert_true(jsonavro_line(world->json, op, sizeof op - 1, &world->datum, &world->meta,
                              &world->err));
    assert_true(world->meta.idle);
    assert_int_equal(world->meta.as_of_ms, 12);
    assert_int_equal(world->meta.partition, 2);
}

static void test_presumed_fields(void **state)
{
    struct world *world = *state;
    static const char presumed[] = "{\"s\":\"presumed\",\"i\":1}";
    assert_true(jsonavro_presume(world->json, presumed, sizeof presumed - 1, &world->err));
    json_t *member = member_of(world, "{\"l\":2}", "s");
    assert_string_equal(json_string_value(member), "presumed");
    json_decref(member);
    member = member_of(world, "{\"l\":2,\"i\":9}", "i");
    assert_int_equal(json_integer_value(member), 9);
    json_decref(member);
    assert_false(jsonavro_presume(world->json, "{\"s\":1}", 7, &world->err));
    assert_int_equal(world->err.column, 6);
}

static void test_depth(void **state)
{
    struct world *world = *state;
    struct text line = {0};
    text_append_string(&line, "{\"s\":\"\",\"l\":0,\"r\":");
    for (int i = 0; i < 100; i++)
        text_append_string(&line, "{\"x\":1,\"next\":");
    assert_null(read_line(world, line.data, line.len));
    assert_non_null(strstr(world->err.message, "deeper"));
    text_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_json_cannot_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_meta, setup, teardown),
        cmocka_unit_test_setup_teardown(test_presumed_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
