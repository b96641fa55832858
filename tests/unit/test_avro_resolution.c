/* Schema resolution as whole datums show it: what comes out, what is refused, and when. */
#include "avro_testing.h"

struct example {
    const char *writer, *reader, *hex;
    const char *result; /* JSON with ' for quotes, or the beginning of an error */
};

static void run(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char wanted[TESTING_TEXT];
        (void)snprintf(wanted, sizeof wanted, "%s", examples[i].result);
        bool is_error = strchr("rdm", *wanted) && *wanted;
        for (char *c = wanted; *c && !is_error; c++)
            *c = *c == '\'' ? '"' : *c;
        const char *got = testing_decode(examples[i].writer, examples[i].reader, examples[i].hex);
        if (is_error ? strncmp(got, wanted, strlen(wanted)) != 0 : strcmp(got, wanted) != 0)
            fail_msg("%s read as %s\n  gives: %s\n  not: %s", examples[i].writer,
                     examples[i].reader, got, wanted);
    }
}
#define RUN(examples) run(examples, sizeof(examples) / sizeof *(examples))

static void test_scalars(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"'null'", "'null'", "", "null"},
        {"'boolean'", "'boolean'", "00", "false"},
        {"'int'", "'int'", "ffffffff0f", "-2147483648"},
        {"'int'", "'int'", "feffffff0f", "2147483647"},
        {"'int'", "'int'", "8080808010", "malformed: an int has more than 32 bits"},
        {"'int'", "'long'", "8080808010", "malformed: an int has more than 32 bits"},
        {"'int'", "'double'", "8080808010", "malformed: an int has more than 32 bits"},
        {"'long'", "'long'", "8080808010", "2147483648"},
        {"'long'", "'long'", "8000", "0"}, /* longer than needed, as Java accepts */
        {"'long'", "'long'", "80808080808080 2000", "9007199254740992"},
        {"'long'", "'long'", "8280808080808020", "{'$long': '9007199254740993'}"},
        {"'long'", "'long'", "8180808080808020", "{'$long': '-9007199254740993'}"},
        {"'int'", "'float'", "82808010", "16777216.0"},
        {"'int'", "'double'", "82808010", "16777217.0"},
        {"'long'", "'float'", "8280808002", "268435456.0"},
        {"'long'", "'double'", "8280808080808020", "9007199254740992.0"},
        {"'float'", "'float'", "0000807f", "{'$f': 'Infinity'}"},
        {"'float'", "'double'", "000080ff", "{'$f': '-Infinity'}"},
        {"'float'", "'double'", "0000c07f", "{'$f': 'NaN'}"},
        {"'float'", "'double'", "cdcc8c3f", "1.100000023841858"},
        {"'double'", "'double'", "0000000000000080", "-0.0"},
        {"'double'", "'double'", "9a9999999999b93f", "0.1"},
        {"'bytes'", "'bytes'", "0400ff", "{'$hex': '00ff'}"},
        {"'bytes'", "'string'", "04c3a9", "'\xc3\xa9'"},
        {"'bytes'", "'string'", "04c328", "malformed: a string is not UTF-8"},
        {"'string'", "'bytes'", "04c328", "{'$hex': 'c328'}"},
        {"'string'", "'string'", "04220a", "'\\'\\n'"},
        {"'string'", "'string'", "00", "''"},
        {"{'type':'fixed','name':'F','size':0}", "{'type':'fixed','name':'F','size':0}", "",
         "{'$hex': ''}"},
        {"{'type':'bytes','logicalType':'decimal','precision':4,'scale':2}", "'bytes'", "0204",
         "{'$hex': '04'}"},
        {"{'type':'fixed','name':'F','size':2147483647}",
         "{'type':'fixed','name':'F','size':2147483647}", "0000",
         "malformed: the datum ends too early"},
        /* Resolution ignores logical types: this is the long as written. */
        {"{'type':'long','logicalType':'timestamp-micros'}",
         "{'type':'long','logicalType':'timestamp-millis'}", "d00f", "1000"},
    };
    RUN(examples);
}

static void test_kinds_that_do_not_resolve(void **state)
{
    (void)state;
    static const char *const kinds[] = {"null",  "boolean", "int",   "long",
                                        "float", "double",  "bytes", "string"};
    static const char promotable[8][9] = {
        /* readers:  null boolean int long float double bytes string */
        "10000000", "01000000", "00111100", "00011100",
        "00001100", "00000100", "00000011", "00000011"};
    for (int w = 0; w < 8; w++) {
        for (int r = 0; r < 8; r++) {
            char writer[16], reader[16], expected[80];
            (void)snprintf(writer, sizeof writer, "'%s'", kinds[w]);
            (void)snprintf(reader, sizeof reader, "'%s'", kinds[r]);
            (void)snprintf(expected, sizeof expected,
                           "resolve: the writer's %s does not resolve to the reader's %s", kinds[w],
                           kinds[r]);
            const char *got = testing_decode(writer, reader, "0000000000000000");
            if ((strcmp(got, expected) != 0) != (promotable[w][r] == '1'))
                fail_msg("%s to %s: %s", writer, reader, got);
        }
    }
}

static void test_records(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"{'type':'record','name':'R','fields':[]}", "{'type':'record','name':'R','fields':[]}", "",
         "{}"},
        {"{'type':'record','name':'a.R','fields':[]}", "{'type':'record','name':'b.R','fields':[]}",
         "", "{}"},
        {"{'type':'record','name':'R','fields':[]}", "{'type':'record','name':'S','fields':[]}", "",
         "resolve: the writer's R does not resolve to"},
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'int'},"
         "{'name':'b','type':'string'}]}",
         "{'type':'record','name':'R','fields':[{'name':'b','type':'bytes'},"
         "{'name':'a','type':'double'}]}",
         "02 0278", "{'a': 1.0, 'b': {'$hex': '78'}}"},
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'string'}]}",
         "{'type':'record','name':'R','fields':[{'name':'a','type':'int'}]}", "00",
         "resolve: the writer's string does not resolve to the reader's int, at field a"},
        {"{'type':'record','name':'R','fields':["
         "{'name':'a','type':{'type':'record','name':'S','fields':["
         "{'name':'b','type':{'type':'array','items':'int'}}]}}]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'a','type':{'type':'record','name':'S','fields':["
         "{'name':'b','type':{'type':'array','items':'string'}}]}}]}",
         "00", "resolve: the writer's int does not resolve to the reader's string, at field a.b[]"},
        {"{'type':'record','name':'R','fields':[]}",
         "{'type':'record','name':'R','fields':[{'name':'a','type':'int'}]}", "",
         "resolve: the writer has no field \"a\" and the reader has no default"},
        /* A recursive type, read as one with another field that has a default. */
        {"{'type':'record','name':'R','fields':[{'name':'v','type':'int'},"
         "{'name':'next','type':['null','R']}]}",
         "{'type':'record','name':'R','fields':[{'name':'next','type':['null','R']},"
         "{'name':'w','type':'int','default':9}]}",
         "02 02 04 00", "{'next': {'next': null, 'w': 9}, 'w': 9}"},
        /* It only shows in the second level that the pair does not work. */
        {"{'type':'record','name':'R','fields':["
         "{'name':'s','type':{'type':'record','name':'S','fields':["
         "{'name':'r','type':['null','R']}]}},{'name':'v','type':'int'}]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'s','type':{'type':'record','name':'S','fields':["
         "{'name':'r','type':['null','R']}]}},{'name':'v','type':'string'}]}",
         "00 02", "resolve: the writer's int does not resolve to the reader's string, at field v"},
    };
    RUN(examples);
}

static void test_defaults(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"{'type':'record','name':'R','fields':[]}",
         "{'type':'record','name':'R','fields':[{'name':'f','type':'double','default':1}]}", "",
         "{'f': 1.0}"},
        {"{'type':'record','name':'R','fields':[]}",
         "{'type':'record','name':'R','fields':[{'name':'f','type':'float','default':0.1}]}", "",
         "{'f': 0.10000000149011612}"},
        {"{'type':'record','name':'R','fields':[]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'f','type':'bytes','default':'\\u0000\\u00fe'}]}",
         "", "{'f': {'$hex': '00fe'}}"},
        {"{'type':'record','name':'R','fields':[]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'f','type':['null','int'],'default':7}]}",
         "", "{'f': 7}"},
        {"{'type':'record','name':'R','fields':[]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'f','type':['int','null'],'default':null}]}",
         "", "{'f': null}"},
        {"{'type':'record','name':'R','fields':[]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'f','type':['string',{'type':'map','values':['null','boolean']}],"
         "'default':{'k':true,'l':null}}]}",
         "", "{'f': {'k': true, 'l': null}}"},
        {"{'type':'record','name':'R','fields':[]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'f','type':{'type':'array','items':{'type':'array','items':'int'}},"
         "'default':[[1],[],[2,3]]}]}",
         "", "{'f': [[1], [], [2, 3]]}"},
        {"{'type':'record','name':'R','fields':[]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'f','type':{'type':'record','name':'S','fields':["
         "{'name':'x','type':'int','default':4},{'name':'y','type':'string'}]},"
         "'default':{'y':'z'}}]}",
         "", "{'f': {'x': 4, 'y': 'z'}}"},
        /* The datum goes on where it was before the default. */
        {"{'type':'array','items':{'type':'record','name':'R','fields':["
         "{'name':'a','type':'int'}]}}",
         "{'type':'array','items':{'type':'record','name':'R','fields':["
         "{'name':'s','type':'string','default':'d'},{'name':'a','type':'int'}]}}",
         "04 02 04 00", "[{'a': 1, 's': 'd'}, {'a': 2, 's': 'd'}]"},
        /* Its end is that of the datum again. */
        {"{'type':'record','name':'R','fields':[{'name':'i','type':{'type':'record','name':'I',"
         "'fields':[]}},{'name':'a','type':'int'}]}",
         "{'type':'record','name':'R','fields':[{'name':'i','type':{'type':'record','name':'I',"
         "'fields':[{'name':'s','type':'string','default':'d'}]}},{'name':'a','type':'int'}]}",
         "", "malformed: the datum ends too early, at field a"},
    };
    RUN(examples);
}

static void test_aliases(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'int'}]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'b','type':'int','aliases':['x','a']}]}",
         "02", "{'b': 1}"},
        /* The name counts more than an alias, whatever their order. */
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'int'},"
         "{'name':'b','type':'int'}]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'c','type':'int','aliases':['a'],'default':-1},{'name':'a','type':'int'}]}",
         "02 04", "{'a': 1, 'c': -1}"},
        {"{'type':'record','name':'R','fields':[{'name':'b','type':'int'}]}",
         "{'type':'record','name':'R','fields':["
         "{'name':'a','type':'int','aliases':['b'],'default':0},"
         "{'name':'c','type':'int','aliases':['b'],'default':0}]}",
         "02", "{'a': 1, 'c': 0}"},
        {"{'type':'record','name':'o.Old','fields':[]}",
         "{'type':'record','name':'New','namespace':'n','aliases':['o.Old'],'fields':[]}", "",
         "{}"},
        {"{'type':'record','name':'o.Old','fields':[]}",
         "{'type':'record','name':'New','namespace':'n','aliases':['Old'],'fields':[]}", "",
         "resolve:"},
        {"{'type':'fixed','name':'Old','size':1}",
         "{'type':'fixed','name':'New','aliases':['Old'],'size':1}", "07", "{'$hex': '07'}"},
        {"['null',{'type':'record','name':'Old','fields':[{'name':'v','type':'int'}]}]",
         "['null',{'type':'record','name':'New','aliases':['Old'],'fields':["
         "{'name':'v','type':'long'}]}]",
         "02 0e", "{'v': 7}"},
    };
    RUN(examples);
}

static void test_enums_and_fixed(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"{'type':'enum','name':'E','symbols':['A','B']}",
         "{'type':'enum','name':'E','symbols':['B','A']}", "02", "'B'"},
        {"{'type':'enum','name':'E','symbols':['A','B']}",
         "{'type':'enum','name':'E','symbols':['A']}", "00", "'A'"},
        {"{'type':'enum','name':'E','symbols':['A','B']}",
         "{'type':'enum','name':'E','symbols':['A']}", "02",
         "data: the reader's enum has no symbol B and no default"},
        {"{'type':'enum','name':'E','symbols':['A','B']}",
         "{'type':'enum','name':'E','symbols':['A','C'],'default':'C'}", "02", "'C'"},
        {"{'type':'enum','name':'E','symbols':['A','B'],'default':'A'}",
         "{'type':'enum','name':'E','symbols':['A']}", "02", "data:"},
        {"{'type':'enum','name':'E','symbols':['A','B']}",
         "{'type':'enum','name':'E','symbols':['A','B']}", "04", "malformed: the index of"},
        {"{'type':'enum','name':'E','symbols':['A','B']}",
         "{'type':'enum','name':'E','symbols':['A','B']}", "01", "malformed: the index of"},
        {"{'type':'enum','name':'E','symbols':['A','B']}",
         "{'type':'enum','name':'E','symbols':['A','B']}", "80", "malformed: the datum ends"},
        {"{'type':'enum','name':'E','symbols':[]}", "{'type':'enum','name':'E','symbols':['A']}",
         "00", "malformed: the index of"},
        {"{'type':'enum','name':'E','symbols':['A']}", "{'type':'enum','name':'F','symbols':['A']}",
         "00", "resolve:"},
        {"{'type':'enum','name':'E','symbols':['A']}", "'string'", "00", "resolve:"},
        {"'string'", "{'type':'enum','name':'E','symbols':['A']}", "00", "resolve:"},
        {"{'type':'fixed','name':'F','size':2}", "{'type':'fixed','name':'F','size':3}", "0000",
         "resolve:"},
        {"{'type':'fixed','name':'F','size':2}", "'bytes'", "0000", "resolve:"},
    };
    RUN(examples);
}

static void test_unions(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"['null','int']", "['null','int']", "00", "null"},
        {"['null','int']", "['null','int']", "04", "malformed: the index of a branch"},
        {"['null','int']", "['null','int']", "01", "malformed: the index of a branch"},
        {"['null','int']", "['null','int']", "", "malformed: the datum ends"},
        {"['null','int']", "'int'", "00", "data: the writer's null does not resolve"},
        {"['null','int']", "'int'", "02 0e", "7"},
        {"['null','int']", "['long','null']", "02 0e", "7"},
        {"'int'", "['null','string','double','int']", "0e", "7"},
        {"'int'", "['null','string','double','long']", "0e", "7.0"}, /* the first promotable */
        {"'string'", "['null','int']", "00", "resolve: the reader's union has no branch for"},
        {"['string','boolean']", "['null','int']", "00", "resolve: no branch of the writer's"},
        {"[]", "[]", "00", "resolve: no branch of the writer's union resolves to union"},
        {"['string','boolean']", "'boolean'", "0000", "data: the writer's string does not"},
        {"['string','boolean']", "'boolean'", "0201", "true"},
        /* Full names before short ones. */
        {"['null',{'type':'record','name':'a.R','fields':[{'name':'v','type':'int'}]}]",
         "[{'type':'record','name':'b.R','fields':[{'name':'v','type':'double'}]},"
         "{'type':'record','name':'a.R','fields':[{'name':'v','type':'long'}]},'null']",
         "02 0e", "{'v': 7}"},
        {"{'type':'record','name':'c.R','fields':[{'name':'v','type':'int'}]}",
         "[{'type':'record','name':'b.R','fields':[{'name':'v','type':'double'}]},"
         "{'type':'record','name':'a.R','fields':[{'name':'v','type':'long'}]},'null']",
         "0e", "{'v': 7.0}"},
        /* A branch whose record does not resolve fails only when it is there. */
        {"['null',{'type':'record','name':'R','fields':[{'name':'v','type':'int'}]}]",
         "['null',{'type':'record','name':'R','fields':[{'name':'v','type':'string'}]}]", "00",
         "null"},
        {"['null',{'type':'record','name':'R','fields':[{'name':'v','type':'int'}]}]",
         "['null',{'type':'record','name':'R','fields':[{'name':'v','type':'string'}]}]", "02 0e",
         "data: the writer's int does not resolve to the reader's string, at field v"},
        {"{'type':'record','name':'R','fields':[{'name':'a','type':['int','string']}]}",
         "{'type':'record','name':'R','fields':[{'name':'a','type':'string'}]}", "000e",
         "data: the writer's int does not resolve to the reader's string, at field a"},
    };
    RUN(examples);
}

static void test_recursive_types_that_fail(void **state)
{
    (void)state;
    /* R resolves to R only as long as S does, which it does not: both must fail, in any order. */
    const char *writer = "{'type':'record','name':'R','fields':["
                         "{'name':'a','type':['null',{'type':'record','name':'S','fields':["
                         "{'name':'r','type':['null','R']},{'name':'v','type':'int'}]}]},"
                         "{'name':'b','type':['null','S']}]}";
    const char *reader = "{'type':'record','name':'R','fields':["
                         "{'name':'a','type':['null',{'type':'record','name':'S','fields':["
                         "{'name':'r','type':['null','R']},{'name':'v','type':'string'}]}]},"
                         "{'name':'b','type':['null','S']}]}";
    const struct example examples[] = {
        {writer, reader, "0000", "{'a': null, 'b': null}"},
        {writer, reader, "02 00 02 00",
         "data: the writer's int does not resolve to the reader's string, at field a.v, at byte 1"},
        {writer, reader, "00 02 00 02", "data: S of the writer does not resolve to S"},
    };
    RUN(examples);
    /* T was taken to resolve only because R was, which it is not. */
#define RING(type)                                                                                 \
    "{'type':'record','name':'Top','fields':[{'name':'a','type':['null',{'type':'record',"         \
    "'name':'R','fields':[{'name':'ts','type':{'type':'array','items':{'type':'record',"           \
    "'name':'T','fields':[{'name':'rs','type':{'type':'array','items':'R'}}]}}},"                  \
    "{'name':'v','type':" type "}]}]},{'name':'b','type':['null','T']}]}"
    const struct example ring[] = {
        {RING("'int'"), RING("'string'"), "00 00", "{'a': null, 'b': null}"},
        {RING("'int'"), RING("'string'"), "00 02 00", "data: R of the writer does not resolve"},
        {RING("'int'"), RING("'long'"), "00 02 00", "{'a': null, 'b': {'rs': []}}"},
    };
    RUN(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars), cmocka_unit_test(test_kinds_that_do_not_resolve),
        cmocka_unit_test(test_records), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_aliases), cmocka_unit_test(test_enums_and_fixed),
        cmocka_unit_test(test_unions),  cmocka_unit_test(test_recursive_types_that_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
