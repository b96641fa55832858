/* Schema parsing: names, checks, defaults, references, bounds, fingerprints. */
#include "avro_testing.h"

#include "avrofingerprint.h"

#define REC(fields) "{'type':'record','name':'R','fields':[" fields "]}"

static void assert_refused(const char *schema, const char *start)
{
    const char *error = testing_schema_error(schema);
    if (strncmp(error, start, strlen(start)) != 0)
        fail_msg("%.200s\n  gives: %s\n  not: %s", schema, error, start);
}

static void assert_accepted(const char *schema)
{
    avroschema_free(testing_schema(schema, AVROSCHEMA_READER));
}

/* Each is wrong in one way. */
static const char *const refused[] = {
    "",
    "{",
    "nul",
    "7",
    "null",
    "true",
    "{}",
    "'integer'",
    "'int' 'int'",
    "{'type':7}",
    "{'type':{'type':'int'}}",
    "{'type':['int']}",
    "{'type':'unknown'}",
    "{'type':'array'}",
    "{'type':'array','items':null}",
    "{'type':'map'}",
    "{'type':'map','values':'nothing'}",
    "{'type':'record','name':'R'}",
    "{'type':'record','fields':[]}",
    "{'type':'record','name':'','fields':[]}",
    "{'type':'record','name':7,'fields':[]}",
    "{'type':'record','name':'1R','fields':[]}",
    "{'type':'record','name':'R-S','fields':[]}",
    "{'type':'record','name':'a..R','fields':[]}",
    "{'type':'record','name':'.R','fields':[]}",
    "{'type':'record','name':'R.','fields':[]}",
    "{'type':'record','name':'int','fields':[]}",
    "{'type':'record','name':'a.string','fields':[]}",
    "{'type':'record','name':'R','namespace':'a b','fields':[]}",
    "{'type':'record','name':'R','namespace':7,'fields':[]}",
    "{'type':'record','name':'R','fields':{}}",
    REC("7"),
    REC("'f'"),
    REC("{'name':'f'}"),
    REC("{'type':'int'}"),
    REC("{'name':'f.g','type':'int'}"),
    REC("{'name':'','type':'int'}"),
    REC("{'name':'f','type':'int'},{'name':'f','type':'int'}"),
    REC("{'name':'f','type':'int','order':'up'}"),
    REC("{'name':'f','type':'int','order':1}"),
    REC("{'name':'f','type':'int','aliases':'g'}"),
    REC("{'name':'f','type':'int','aliases':[7]}"),
    REC("{'name':'f','type':'S'},{'name':'g','type':{'type':'fixed','name':'S','size':1}}"),
    "{'type':'record','name':'R','aliases':'S','fields':[]}",
    "{'type':'record','name':'R','aliases':['-'],'fields':[]}",
    "{'type':'enum','name':'E'}",
    "{'type':'enum','symbols':['A']}",
    "{'type':'enum','name':'E','symbols':'A'}",
    "{'type':'enum','name':'E','symbols':[7]}",
    "{'type':'enum','name':'E','symbols':['A','A']}",
    "{'type':'enum','name':'E','symbols':['A-B']}",
    "{'type':'enum','name':'E','symbols':['A.B']}",
    "{'type':'enum','name':'E','symbols':['']}",
    "{'type':'enum','name':'E','symbols':['A'],'default':'B'}",
    "{'type':'enum','name':'E','symbols':['A'],'default':0}",
    "{'type':'fixed','name':'F'}",
    "{'type':'fixed','size':4}",
    "{'type':'fixed','name':'F','size':-1}",
    "{'type':'fixed','name':'F','size':'4'}",
    "{'type':'fixed','name':'F','size':4.5}",
    "['int','int']",
    "['null',['int']]",
    "['string',{'type':'string'}]",
    "[{'type':'array','items':'int'},{'type':'array','items':'long'}]",
    "[{'type':'fixed','name':'F','size':1},'F']",
    REC("{'name':'a','type':{'type':'fixed','name':'F','size':1}},"
        "{'name':'b','type':{'type':'fixed','name':'F','size':1}}"),
    REC("{'name':'r','type':{'type':'enum','name':'R','symbols':[]}}"),
};

static void test_refused_schemas(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_refused(refused[i], "schema: ");
}

static void test_accepted_schemas(void **state)
{
    (void)state;
    static const char *const good[] = {
        "'int'",
        " {'type':'int'} ",
        "[]",
        "['int']",
        "{'type':'fixed','name':'F','size':0}",
        "{'type':'enum','name':'E','symbols':[]}",
        "{'type':'record','name':'R','fields':[]}",
        "{'type':'record','name':'R','namespace':null,'doc':null,'aliases':null,'fields':[]}",
        "{'type':'record','name':'R','namespace':'','fields':[]}",
        "{'type':'record','name':'_r9','namespace':'a.b','x':{'y':1},'fields':[]}",
        REC("{'name':'next','type':['null','R']}"),
        REC("{'name':'n','type':{'type':'R'}}"),
        REC("{'name':'f','type':'int','order':'ignore'}"),
        /* The same short name in two namespaces. */
        "[{'type':'fixed','name':'a.F','size':1},{'type':'fixed','name':'b.F','size':2}]",
        /* A name without namespace from within one, as Java finds it. */
        REC("{'name':'a','type':{'type':'record','name':'n.S','fields':"
            "[{'name':'r','type':['null','R']}]}}"),
        /* Logical types that are unknown or stand on the wrong type are ignored. */
        "{'type':'string','logicalType':'timestamp-millis'}",
        "{'type':'long','logicalType':'nonsense'}",
        "{'type':'long','logicalType':7}",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_accepted(good[i]);
}

static void test_errors_say_where(void **state)
{
    (void)state;
    assert_refused(REC("{'name':'a','type':{'type':'record','name':'S','fields':"
                       "[{'name':'b','type':'nix'}]}}"),
                   "schema: there is no type \"nix\" (yet), at field a.b");
    assert_refused("['null', x]", "schema: not JSON: ");
    assert_non_null(strstr(testing_schema_error("['null', x]"), "at byte "));
    assert_refused(REC("{'name':'f','type':'int','default':'x'}"),
                   "schema: the default does not fit the type int, at field R.f");
}

static void test_defaults_that_fit_and_not(void **state)
{
    (void)state;
    static const char *const types[][3] = {
        /* type, a default that fits, one that does not */
        {"'null'", "null", "0"},
        {"'boolean'", "true", "1"},
        {"'int'", "-2147483648", "2147483648"},
        {"'int'", "5", "5.0"},
        {"'long'", "9223372036854775807", "'5'"},
        {"'float'", "1", "'1'"},
        {"'double'", "1e300", "null"},
        {"'bytes'", "'\\u0000\\u00ff'", "'\\u0100'"},
        {"'string'", "'\\u0100'", "7"},
        {"{'type':'fixed','name':'F','size':2}", "'\\u00ff\\u0001'", "'x'"},
        {"{'type':'enum','name':'E','symbols':['A']}", "'A'", "'B'"},
        {"{'type':'array','items':'int'}", "[1]", "['x']"},
        {"{'type':'map','values':'int'}", "{'a':1}", "[1]"},
        {"['null','int']", "null", "'x'"},
        {"['null','int']", "5", "5.5"},
        {"{'type':'record','name':'S','fields':[{'name':'x','type':'int'}]}", "{'x':1}", "{}"},
        {"{'type':'record','name':'S','fields':[{'name':'x','type':'int','default':3}]}", "{}",
         "{'x':'y'}"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char schema[512];
        for (int bad = 0; bad < 2; bad++) {
            (void)snprintf(schema, sizeof schema, REC("{'name':'f','type':%s,'default':%s}"),
                           types[i][0], types[i][1 + bad]);
            if (bad)
                assert_refused(schema, "schema: the default does not fit");
            else
                assert_accepted(schema);
            /* A writer's defaults are not looked at. */
            avroschema_free(testing_schema(schema, AVROSCHEMA_WRITER));
        }
    }
}

static void test_names_and_namespaces(void **state)
{
    (void)state;
    struct avroschema *schema = testing_schema(
        "{'type':'record','name':'a.full.Name','namespace':'ignored','aliases':['Old','x.y'],"
        "'fields':[{'name':'e','type':{'type':'enum','name':'Inner','symbols':['d']}},"
        "{'name':'f','type':{'type':'fixed','name':'G','namespace':'','size':2}},"
        "{'name':'g','type':'Inner'}]}",
        AVROSCHEMA_READER);
    const struct avro_type *record = schema->root;
    assert_string_equal(record->full_name, "a.full.Name");
    assert_string_equal(record->name, "Name");
    assert_string_equal(record->aliases[0], "a.full.Old");
    assert_string_equal(record->aliases[1], "x.y");
    assert_string_equal(record->fields[0].type->full_name, "a.full.Inner");
    assert_string_equal(record->fields[1].type->full_name, "G");
    assert_ptr_equal(record->fields[2].type, record->fields[0].type);
    avroschema_free(schema);
}

static void test_references_between_schemas(void **state)
{
    (void)state;
    struct avroschema *page = testing_schema(
        "{'type':'record','name':'shop.Page','fields':[{'name':'url','type':'string'}]}",
        AVROSCHEMA_READER);
    const struct avroschema *known[] = {page};
    const char *text = "{\"type\":\"record\",\"name\":\"shop.Click\",\"fields\":"
                       "[{\"name\":\"page\",\"type\":\"Page\"},{\"name\":\"next\",\"type\":"
                       "[\"null\",\"shop.Page\"]}]}";
    struct avro_error err;
    struct avroschema *click =
        avroschema_parse(text, strlen(text), known, 1, AVROSCHEMA_READER, &err);
    assert_non_null(click);
    assert_ptr_equal(click->root->fields[0].type, page->root);
    struct text canonical = {0};
    avrofingerprint_canonical(click, &canonical);
    assert_string_equal(
        canonical.data,
        "{\"name\":\"shop.Click\",\"type\":\"record\",\"fields\":[{\"name\":\"page\",\"type\":"
        "{\"name\":\"shop.Page\",\"type\":\"record\",\"fields\":[{\"name\":\"url\",\"type\":"
        "\"string\"}]}},{\"name\":\"next\",\"type\":[\"null\",\"shop.Page\"]}]}");
    text_free(&canonical);
    avroschema_free(click);
    const char *twice = "{\"type\":\"fixed\",\"name\":\"shop.Page\",\"size\":1}";
    assert_null(avroschema_parse(twice, strlen(twice), known, 1, AVROSCHEMA_READER, &err));
    assert_int_equal(err.code, AVRO_ERROR_SCHEMA);
    avroschema_free(page);
}

static void repeat(struct text *text, const char *piece, int times)
{
    for (int i = 0; i < times; i++)
        text_append_string(text, piece);
}

static void assert_limit(struct text *text)
{
    struct avro_error err = {0};
    assert_null(avroschema_parse(text->data, text->len, NULL, 0, AVROSCHEMA_READER, &err));
    assert_string_equal(avroerror_name(err.code), "limit");
    text_clear(text);
}

static void test_bounds(void **state)
{
    (void)state;
    struct text text = {0};
    repeat(&text, " ", AVROSCHEMA_MAX_BYTES + 1);
    assert_limit(&text);
    repeat(&text, "{\"type\":\"array\",\"items\":", AVROSCHEMA_MAX_DEPTH);
    text_append_string(&text, "\"int\"");
    repeat(&text, "}", AVROSCHEMA_MAX_DEPTH);
    assert_limit(&text);
    repeat(&text, "[", 2000); /* below jansson's own bound */
    repeat(&text, "]", 2000);
    assert_limit(&text);
    repeat(&text, "[", 100000); /* beyond it */
    assert_limit(&text);
    text_append_string(&text, "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"s\"");
    for (int i = 0; i < AVROSCHEMA_MAX_NAMES; i++)
        text_printf(&text, ",\"s%d\"", i);
    text_append_string(&text, "]}");
    assert_limit(&text);
    text_append_string(&text, "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
                              "{\"name\":\"f\",\"type\":\"int\"}");
    for (int i = 0; i < AVROSCHEMA_MAX_NAMES; i++)
        text_printf(&text, ",{\"name\":\"f%d\",\"type\":\"int\"}", i);
    text_append_string(&text, "]}");
    assert_limit(&text);
    text_append_string(&text, "{\"type\":\"fixed\",\"name\":\"F\",\"size\":2147483648}");
    assert_limit(&text);
    /* A default that would unfold for ever, and one that would unfold to 2^40 records. */
    text_append_string(&text, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"r\","
                              "\"type\":\"R\",\"default\":{}}]}");
    assert_limit(&text);
    text_append_string(&text, "{\"type\":\"record\",\"name\":\"R0\",\"fields\":[");
    for (int i = 0; i < 40; i++)
        text_printf(&text,
                    "{\"name\":\"a\",\"type\":{\"type\":\"record\",\"name\":\"R%d\","
                    "\"fields\":[",
                    i + 1);
    for (int i = 40; i > 0; i--)
        text_printf(&text, "]},\"default\":{}},{\"name\":\"b\",\"type\":\"R%d\",\"default\":{}}",
                    i);
    text_append_string(&text, "]}");
    assert_limit(&text);
    text_free(&text);
}

static void test_fingerprints(void **state)
{
    (void)state;
    /* From the official cross-language data; the file of cases has the rest. */
    static const struct {
        const char *schema;
        const char *canonical;
        int64_t fingerprint;
    } official[] = {
        {"'null'", "'null'", INT64_C(7195948357588979594)},
        {"{'type':'boolean'}", "'boolean'", INT64_C(-6970731678124411036)},
        {"[  ]", "[]", INT64_C(-1241056759729112623)},
        {"[ 'int' , {'type':'boolean'} ]", "['int','boolean']", INT64_C(5392556393470105090)},
        {"{'fields':[], 'type':'record', 'name':'foo', 'namespace':'x.y'}",
         "{'name':'x.y.foo','type':'record','fields':[]}", INT64_C(5916914534497305771)},
        {"{'fields':[], 'type':'record', 'name':'a.b.foo', 'namespace':'x.y'}",
         "{'name':'a.b.foo','type':'record','fields':[]}", INT64_C(-4616218487480524110)},
        {"{'namespace':'x.y.z', 'type':'enum', 'name':'foo', 'doc':'foo bar', "
         "'symbols':['A1', 'A2']}",
         "{'name':'x.y.z.foo','type':'enum','symbols':['A1','A2']}", INT64_C(-4448647247586288245)},
        {"{'namespace':'x.y.z', 'type':'fixed', 'name':'foo', 'doc':'foo bar', 'size':32}",
         "{'name':'x.y.z.foo','type':'fixed','size':32}", INT64_C(-3064184465700546786)},
        {"{ 'items':{'type':'null'}, 'type':'array'}", "{'type':'array','items':'null'}",
         INT64_C(-589620603366471059)},
        {"{ 'values':'string', 'type':'map'}", "{'type':'map','values':'string'}",
         INT64_C(-8732877298790414990)},
        {"{'name':'PigValue','type':'record','fields':[{'name':'value', "
         "'type':['null', 'int', 'long', 'PigValue']}]}",
         "{'name':'PigValue','type':'record','fields':[{'name':'value',"
         "'type':['null','int','long','PigValue']}]}",
         INT64_C(-1759257747318642341)},
    };
    for (size_t i = 0; i < sizeof official / sizeof *official; i++) {
        struct avroschema *schema = testing_schema(official[i].schema, AVROSCHEMA_WRITER);
        struct text canonical = {0};
        avrofingerprint_canonical(schema, &canonical);
        for (size_t c = 0; c < canonical.len; c++)
            if (canonical.data[c] == '"')
                canonical.data[c] = '\'';
        assert_string_equal(canonical.data, official[i].canonical);
        assert_int_equal(avrofingerprint_of(schema), (uint64_t)official[i].fingerprint);
        text_free(&canonical);
        avroschema_free(schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_schemas),
        cmocka_unit_test(test_accepted_schemas),
        cmocka_unit_test(test_errors_say_where),
        cmocka_unit_test(test_defaults_that_fit_and_not),
        cmocka_unit_test(test_names_and_namespaces),
        cmocka_unit_test(test_references_between_schemas),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_fingerprints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
