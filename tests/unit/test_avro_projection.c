/* Paths of features: which slots and kinds they get, and what is said about wrong ones. */
#include "avro_testing.h"

#include "projection.h"

static const char *const reader =
    "{'type':'record','name':'C','fields':["
    "{'name':'b','type':'boolean'},{'name':'i','type':'int'},{'name':'l','type':'long'},"
    "{'name':'f','type':'float'},{'name':'d','type':'double'},{'name':'s','type':'string'},"
    "{'name':'y','type':'bytes'},{'name':'x','type':{'type':'fixed','name':'F','size':2}},"
    "{'name':'e','type':{'type':'enum','name':'E','symbols':['A']}},{'name':'n','type':'null'},"
    "{'name':'os','type':['null','string']},{'name':'il','type':['int','null','long']},"
    "{'name':'is','type':['int','string']},{'name':'empty','type':[]},"
    "{'name':'page','type':{'type':'record','name':'P','fields':["
    "{'name':'url','type':'string'},{'name':'ref','type':['null','string']}]}},"
    "{'name':'opage','type':['null','P']},"
    "{'name':'items','type':{'type':'array','items':'P'}},"
    "{'name':'props','type':{'type':'map','values':'long'}},"
    "{'name':'deep','type':['null',{'type':'map','values':{'type':'array','items':'P'}}]},"
    "{'name':'two','type':['P',{'type':'record','name':'Q','fields':[]}]},"
    "{'name':'next','type':['null','C']}]}";

struct fixture {
    struct avroschema *schema;
    struct projection *projection;
    struct fieldspace space;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture.schema = testing_schema(reader, AVROSCHEMA_READER);
    fixture.projection = projection_new(fixture.schema);
    fixture.space = projection_fieldspace(fixture.projection);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    projection_free(fixture->projection);
    avroschema_free(fixture->schema);
    return 0;
}

static char err[256];

static int resolve(const struct fixture *fixture, const char *path, struct value_kind *kind)
{
    *err = '\0';
    return fixture->space.resolve(fixture->space.self, path, strlen(path), kind, err, sizeof err);
}

static void test_kinds(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *path;
        enum value_type type;
        bool nullable;
    } paths[] = {
        {"b", VALUE_BOOL, false},
        {"i", VALUE_LONG, false},
        {"l", VALUE_LONG, false},
        {"f", VALUE_DOUBLE, false},
        {"d", VALUE_DOUBLE, false},
        {"s", VALUE_STRING, false},
        {"y", VALUE_BYTES, false},
        {"x", VALUE_BYTES, false},
        {"e", VALUE_STRING, false},
        {"os", VALUE_STRING, true},
        {"il", VALUE_LONG, true},
        {"page.url", VALUE_STRING, false},
        {"page.ref", VALUE_STRING, true},
        {"opage.url", VALUE_STRING, true},
        {"items[0].url", VALUE_STRING, true},
        {"items[17].url", VALUE_STRING, true},
        {"props[\"utm\"]", VALUE_LONG, true},
        {"props['utm']", VALUE_LONG, true},
        {"props[\"a\\\"b\\\\.]\"]", VALUE_LONG, true},
        {"props[\"\"]", VALUE_LONG, true},
        {"deep[\"k\"][3].ref", VALUE_STRING, true},
        {"next.next.page.url", VALUE_STRING, true},
    };
    int slots[sizeof paths / sizeof *paths];
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct value_kind kind;
        slots[i] = resolve(fixture, paths[i].path, &kind);
        if (slots[i] < 0 || kind.type != paths[i].type || kind.nullable != paths[i].nullable)
            fail_msg("%s: slot %d, type %d, nullable %d: %s", paths[i].path, slots[i], kind.type,
                     kind.nullable, err);
    }
    assert_int_equal(slots[16], slots[17]); /* the same key in other quotes */
    assert_string_equal(projection_slot_path(fixture->projection, slots[16]), "props[\"utm\"]");
    struct value_kind kind;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(resolve(fixture, paths[i].path, &kind), slots[i]);
    assert_int_equal(projection_slot_count(fixture->projection), sizeof paths / sizeof *paths - 1);
}

static void test_wrong_paths(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const paths[][2] = {
        {"nix", "the record C has no field \"nix\"; it has: b, i, l,"},
        {"page.nix", "the record P has no field \"nix\"; it has: url, ref"},
        {"", "a field name is missing at byte 1"},
        {".s", "a field name is missing at byte 1"},
        {"page.", "a field name is missing at byte 6"},
        {"page..url", "a field name is missing at byte 6"},
        {"page url", "expected \".\" or \"[\" at byte 5"},
        {"s.x", "\"x\" is a field, but what is before it is of type string"},
        {"os.x", "\"x\" is a field, but what is before it is of type string"},
        {"page[0]", "[0] needs an array, but what is before it is of type record"},
        {"props[0]", "[0] needs an array, but what is before it is of type map"},
        {"items[\"a\"]", "[\"a\"] needs a map, but what is before it is of type array"},
        {"items[]", "in brackets stands"},
        {"items[-1]", "in brackets stands"},
        {"items[", "in brackets stands"},
        {"items[1", "a closing bracket is missing"},
        {"items[1.url", "a closing bracket is missing"},
        {"items[100001].url", "the greatest array index is 100000"},
        {"items[99999999999999999999].url", "the greatest array index is 100000"},
        {"props[\"a]", "the map key has no closing quote"},
        {"props[\"a\\", "the map key has no closing quote"},
        {"props[\"a\"", "a closing bracket is missing"},
        {"[0]", "[0] needs an array, but what is before it is of type record"},
        {"page", "is of type record: name a part of it, as in page.url"},
        {"opage", "is of type record"},
        {"items", "is of type array: name a part of it, as in items[0]"},
        {"props", "is of type map: name a part of it, as in props[\"utm\"]"},
        {"is", "is a union of types that are not alike"},
        {"n", "is always null"},
        {"empty", "is always null"},
        {"two.url", "what is before byte 4 of the path is a union of several types"},
    };
    struct value_kind kind;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int slot = resolve(fixture, paths[i][0], &kind);
        if (slot >= 0 || strncmp(err, paths[i][1], strlen(paths[i][1])) != 0)
            fail_msg("%s gives: %s\n  not: %s", paths[i][0], err, paths[i][1]);
    }
    assert_int_equal(projection_slot_count(fixture->projection), 0);
}

/* A path that was refused leaves a node in the tree; plans must still skip what is there. */
static void test_plans_after_a_refused_path(void **state)
{
    (void)state;
    struct avroschema *schema = testing_schema(
        "{'type':'record','name':'R','fields':[{'name':'is','type':['int','string']},"
        "{'name':'z','type':'int'}]}",
        AVROSCHEMA_READER);
    struct projection *projection = projection_new(schema);
    struct fieldspace space = projection_fieldspace(projection);
    struct value_kind kind;
    assert_int_equal(space.resolve(space.self, "is", 2, &kind, err, sizeof err), -1);
    assert_int_equal(space.resolve(space.self, "z", 1, &kind, err, sizeof err), 0);
    struct avro_error error;
    struct avroplan *plan = avroplan_compile(schema, schema, projection, true, &error);
    assert_non_null(plan);
    struct value slot;
    assert_true(avroplan_decode(plan, "\x02\x02x\x0e", 4, &slot, &error));
    assert_int_equal(slot.i, 7);
    assert_true(avroplan_decode(plan, "\x00\x02\x0e", 3, &slot, &error));
    assert_int_equal(slot.i, 7);
    avroplan_free(plan);
    projection_free(projection);
    avroschema_free(schema);
}

static void test_bounds(void **state)
{
    const struct fixture *fixture = *state;
    struct value_kind kind;
    char path[PROJECTION_MAX_PATH + 100];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(resolve(fixture, path, &kind), -1);
    assert_non_null(strstr(err, "at most 511 bytes"));
    *path = '\0';
    for (int i = 0; i < PROJECTION_MAX_DEPTH; i++)
        strncat(path, "next.", sizeof path - strlen(path) - 1);
    strncat(path, "s", sizeof path - strlen(path) - 1);
    assert_int_equal(resolve(fixture, path, &kind), -1);
    assert_non_null(strstr(err, "at most 64 steps"));
    assert_int_equal(resolve(fixture, path + 5, &kind), 0);
    for (int i = 1; i < FIELDSPACE_MAX_SLOTS; i++) {
        (void)snprintf(path, sizeof path, "items[%d].url", i);
        assert_int_equal(resolve(fixture, path, &kind), i);
    }
    assert_int_equal(resolve(fixture, "s", &kind), -1);
    assert_non_null(strstr(err, "more than 256 fields"));
    assert_int_equal(resolve(fixture, path, &kind), FIELDSPACE_MAX_SLOTS - 1);
}

static void test_root_that_is_no_record(void **state)
{
    (void)state;
    struct value_kind kind;
    struct avroschema *schema = testing_schema(
        "['null',{'type':'array','items':{'type':'map','values':'int'}}]", AVROSCHEMA_READER);
    struct projection *projection = projection_new(schema);
    struct fieldspace space = projection_fieldspace(projection);
    const char *path = "[2]['k']";
    assert_int_equal(space.resolve(space.self, path, strlen(path), &kind, err, sizeof err), 0);
    assert_int_equal(kind.type, VALUE_LONG);
    assert_int_equal(space.resolve(space.self, "a", 1, &kind, err, sizeof err), -1);
    projection_free(projection);
    avroschema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
        cmocka_unit_test(test_root_that_is_no_record),
        cmocka_unit_test(test_plans_after_a_refused_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
