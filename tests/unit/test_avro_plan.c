/* Plans that fill slots: projection, times, cutting, errors with their place, bounds. */
#include "avro_testing.h"

#include "projection.h"

enum { MAX_PATHS = 8 };

struct request {
    const char *writer, *reader;
    const char *paths[MAX_PATHS]; /* wanted, in the order of the result */
    const char *time;             /* of paths: the event time */
    enum avro_time_unit unit;
    bool strict;
};

#define WANT(w, r, ...)                                                                            \
    {                                                                                              \
        .writer = w, .reader = r, .paths = { __VA_ARGS__ }                                         \
    }

static char result[4096];

static struct projection *project(const struct request *request, const struct avroschema *reader)
{
    struct projection *projection = projection_new(reader);
    struct fieldspace space = projection_fieldspace(projection);
    for (int i = 0; i < MAX_PATHS && request->paths[i]; i++) {
        const char *path = request->paths[i];
        struct value_kind kind;
        char err[256];
        int slot = space.resolve(space.self, path, strlen(path), &kind, err, sizeof err);
        if (slot != i)
            fail_msg("%s: slot %d: %s", path, slot, err);
        if (request->time && strcmp(path, request->time) == 0)
            projection_mark_time(projection, slot, request->unit);
    }
    return projection;
}

/* The slots as JSON with blanks between, or "class: message, at field f, at byte n". */
static const char *decode_bytes(const struct request *request, const void *bytes, size_t len)
{
    struct avroschema *writer = testing_schema(request->writer, AVROSCHEMA_WRITER);
    struct avroschema *reader = testing_schema(request->reader, AVROSCHEMA_READER);
    struct projection *projection = project(request, reader);
    size_t slot_count = projection_slot_count(projection);
    struct avro_error err = {0};
    struct avroplan *plan = avroplan_compile(writer, reader, projection, request->strict, &err);
    /* The plan lives without them. */
    avroschema_free(writer);
    projection_free(projection);
    struct value slots[MAX_PATHS + 1];
    memset(slots, 0x55, sizeof slots);
    if (plan && avroplan_decode(plan, bytes, len, slots, &err)) {
        struct text text = {0};
        for (size_t i = 0; i < slot_count; i++) {
            text_append_string(&text, i ? " " : "");
            jsonout_value(&text, slots[i]);
        }
        text_append(&text, "", 0);
        (void)snprintf(result, sizeof result, "%s", text.data);
        text_free(&text);
    } else {
        testing_report(&err, result, sizeof result);
    }
    assert_int_equal(slots[slot_count].type, 0x55); /* nothing beyond the last one */
    avroplan_free(plan);
    avroschema_free(reader);
    return result;
}

static const char *decode(const struct request *request, const char *hex)
{
    uint8_t bytes[TESTING_TEXT];
    size_t len = testing_hex(hex, bytes, sizeof bytes);
    uint8_t *exact = test_malloc(len + !len);
    memcpy(exact, bytes, len);
    const char *got = decode_bytes(request, exact, len);
    test_free(exact);
    return got;
}

static const char *const click =
    "{'type':'record','name':'C','fields':[{'name':'id','type':'string'},"
    "{'name':'n','type':'int'},{'name':'skip1','type':'double'},"
    "{'name':'skip2','type':'boolean'},{'name':'opt','type':['null','string']},"
    "{'name':'skip3','type':'string'},{'name':'skip4','type':'bytes'},"
    "{'name':'page','type':{'type':'record','name':'P','fields':["
    "{'name':'pad','type':['null','long']},{'name':'url','type':'string'},"
    "{'name':'tail','type':'string'}]}},"
    "{'name':'items','type':{'type':'array','items':{'type':'record','name':'I',"
    "'fields':[{'name':'sku','type':'string'},{'name':'q','type':'int'}]}}},"
    "{'name':'props','type':{'type':'map','values':['null','string']}},"
    "{'name':'last','type':'long'}]}";

/* id=a n=1 skip1 skip2 opt=b skip3=x skip4=y page{pad=5,url=u,tail=t} items[(s1,1),(s2,2)]
 * props{k:v, l:null} last=9 */
#define CLICK_HEAD "0261 02 0000000000000000 01 020262 0278 0279"
#define CLICK_PAGE "020a 0275 0274"
#define CLICK      CLICK_HEAD CLICK_PAGE "04 047331 02 047332 04 00 04 026b 020276 026c 00 00 12"

static void test_paths(void **state)
{
    (void)state;
    struct request request = WANT(click, click, "id", "opt", "page.url", "items[1].sku",
                                  "items[0].q", "items[2].sku", "props['k']", "last");
    assert_string_equal(decode(&request, CLICK), "\"a\" \"b\" \"u\" \"s2\" 1 null \"v\" 9");
    request = (struct request)WANT(click, click, "props['l']", "props['none']", "props[\"k\"]");
    assert_string_equal(decode(&request, CLICK), "null null \"v\"");
    request = (struct request){.writer = click, .reader = click};
    assert_string_equal(decode(&request, ""), "");
    request = (struct request)WANT(click, click, "n");
    assert_string_equal(decode(&request, "0261 01"), "-1");
}

static void test_optional_records(void **state)
{
    (void)state;
    const char *schema =
        "{'type':'record','name':'R','fields':["
        "{'name':'p','type':['null',{'type':'record','name':'P','fields':["
        "{'name':'u','type':['string','null']}]}]},{'name':'q','type':['P','null']},"
        "{'name':'z','type':'int'}]}";
    struct request request = WANT(schema, schema, "p.u", "q.u", "z");
    assert_string_equal(decode(&request, "02 00 0278 00 00 0279 02"), "\"x\" \"y\" 1");
    assert_string_equal(decode(&request, "00 02 04"), "null null 2");
    assert_string_equal(decode(&request, "02 02 00 02 04"), "null null 2");
}

static void test_unions_of_alike_branches(void **state)
{
    (void)state;
    const char *writer =
        "{'type':'record','name':'R','fields':["
        "{'name':'v','type':['int','null','long','float']},{'name':'w','type':'int'}]}";
    const char *reader =
        "{'type':'record','name':'R','fields':[{'name':'v','type':['null','float','double']},"
        "{'name':'w','type':'int'}]}";
    struct request request = WANT(writer, reader, "v", "w");
    assert_string_equal(decode(&request, "00 0e 02"), "7.0 1");
    assert_string_equal(decode(&request, "02 02"), "null 1");
    assert_string_equal(decode(&request, "04 0e 02"), "7.0 1");
    assert_string_equal(decode(&request, "06 0000c03f 02"), "1.5 1");
    assert_string_equal(decode(&request, "08"),
                        "malformed: the index of a branch or symbol is out of range, at field v");
}

static void test_of_equal_map_keys_the_last_counts(void **state)
{
    (void)state;
    const char *schema =
        "{'type':'record','name':'R','fields':["
        "{'name':'m','type':{'type':'map','values':{'type':'record','name':'V','fields':["
        "{'name':'a','type':['null','int']},{'name':'b','type':['null','int']}]}}}]}";
    struct request request = WANT(schema, schema, "m['k'].a", "m['k'].b");
    assert_string_equal(decode(&request, "04 026b 0202 0204 026b 00 0206 00"), "null 3");
    assert_string_equal(decode(&request, "04 026a 0202 0204 026b 00 0206 00"), "null 3");
}

static void test_nested_collections(void **state)
{
    (void)state;
    const char *schema =
        "{'type':'record','name':'R','fields':["
        "{'name':'m','type':{'type':'map','values':{'type':'array','items':{'type':'map',"
        "'values':'int'}}}},{'name':'z','type':'int'}]}";
    struct request request =
        WANT(schema, schema, "m['a'][1]['x']", "m['a'][1]['y']", "m['b'][0]['x']", "z");
    /* a: [{x:1}, {y:2, x:3}], c: [{x:9}], b: [{x:4}] in a second block with its size */
    assert_string_equal(
        decode(
            &request,
            "04 0261 04 02 0278 02 00 04 0279 04 0278 06 00 000263 02 02 0278 12 00 0001 12 0262 "
            "02 02 0278 08 00 00 00 0a"),
        "3 2 4 5");
}

static void test_blocks_with_sizes(void **state)
{
    (void)state;
    const char *schema =
        "{'type':'record','name':'R','fields':["
        "{'name':'a','type':{'type':'array','items':'string'}},{'name':'z','type':'int'}]}";
    struct request whole = WANT(schema, schema, "a[0]", "a[2]", "z");
    struct request skipped = WANT(schema, schema, "z");
    const char *good = "03 08 0261 0262 02 0263 00 02";
    assert_string_equal(decode(&whole, good), "\"a\" \"c\" 1");
    assert_string_equal(decode(&skipped, good), "1");
    /* A size that lies is trusted when skipping, refused when decoding. */
    const char *bad = "03 0a 0261 0262 ff 00 02";
    assert_string_equal(decode(&whole, bad),
                        "malformed: a block is not as long as it says, at field a[2], at byte 6");
    assert_string_equal(decode(&skipped, bad), "1");
    const char *flags = "{'type':'map','values':'boolean'}";
    assert_string_equal(testing_decode(flags, flags, "02 04c328 01 00"),
                        "malformed: a map key is not UTF-8, at field [\"?(\"], at byte 1");
    assert_string_equal(decode(&skipped, "03 40 0261 0262 00 02"),
                        "malformed: a block goes beyond the end of the datum, at field a");
    assert_string_equal(decode(&skipped, "03 01 0261 0262 00 02"),
                        "malformed: a block goes beyond the end of the datum, at field a");
    assert_string_equal(decode(&skipped, "03 02 0261 0262 00 02"),
                        "malformed: a block has more elements than bytes for them, at field a");
    assert_string_equal(decode(&skipped, "ffffffffffffffffff01 00"),
                        "malformed: a block has more elements than bytes for them, at field a");
}

static void test_defaults_in_slots(void **state)
{
    (void)state;
    const char *writer =
        "{'type':'record','name':'R','fields':["
        "{'name':'a','type':{'type':'array','items':{'type':'record','name':'I','fields':["
        "{'name':'x','type':'int'}]}}}]}";
    const char *reader =
        "{'type':'record','name':'R','fields':["
        "{'name':'a','type':{'type':'array','items':{'type':'record','name':'I','fields':["
        "{'name':'x','type':'int'},{'name':'y','type':'string','default':'d'}]}}},"
        "{'name':'s','type':['null','string'],'default':'t'},"
        "{'name':'n','type':['null','string'],'default':null},"
        "{'name':'p','type':{'type':'record','name':'P','fields':["
        "{'name':'u','type':'string'},{'name':'v','type':'double'}]},"
        "'default':{'u':'\\u00e9','v':2}},"
        "{'name':'m','type':{'type':'map','values':'int'},'default':{'k':5}},"
        "{'name':'e','type':{'type':'enum','name':'E','symbols':['A','B']},'default':'B'}]}";
    struct request request =
        WANT(writer, reader, "a[0].y", "a[1].y", "s", "n", "p.u", "p.v", "m['k']", "e");
    assert_string_equal(decode(&request, "02 02 00"),
                        "\"d\" null \"t\" null \"\xc3\xa9\" 2.0 5 \"B\"");
    /* Cutting what follows the last needed field must not cut defaults. */
    request = (struct request)WANT(writer, reader, "s", "e");
    assert_string_equal(decode(&request, ""), "\"t\" \"B\"");
}

static void test_event_time(void **state)
{
    (void)state;
    static const struct {
        const char *writer_type, *reader_type;
        enum avro_time_unit unit;
        const char *hex, *expected;
    } times[] = {
        {"'long'", "'long'", AVRO_TIME_MS, "03", "-2"},
        {"'long'", "'long'", AVRO_TIME_S, "03", "-2000"},
        {"'int'", "'long'", AVRO_TIME_S, "06", "3000"},
        {"'long'", "'long'", AVRO_TIME_US, "01", "-1"},
        {"'long'", "'long'", AVRO_TIME_US, "cf0f", "-1"},
        {"'long'", "'long'", AVRO_TIME_US, "d10f", "-2"},
        {"'long'", "'long'", AVRO_TIME_US, "ce0f", "0"},
        {"'long'", "'long'", AVRO_TIME_NS, "80897a", "1"},
        {"'long'", "'long'", AVRO_TIME_S, "feffffffffffffffff01",
         "{\"$long\": \"9223372036854775807\"}"},
        {"'long'", "'long'", AVRO_TIME_S, "ffffffffffffffffff01",
         "{\"$long\": \"-9223372036854775808\"}"},
        /* The writer's logical type counts, not the reader's. */
        {"{'type':'long','logicalType':'timestamp-micros'}",
         "{'type':'long','logicalType':'timestamp-millis'}", AVRO_TIME_S, "d00f", "1"},
        {"{'type':'long','logicalType':'local-timestamp-nanos'}", "'long'", AVRO_TIME_S, "80897a",
         "1"},
        {"{'type':'long','logicalType':'timestamp-millis'}", "'long'", AVRO_TIME_S, "0a", "5"},
        {"'long'", "{'type':'long','logicalType':'timestamp-micros'}", AVRO_TIME_S, "0a", "5000"},
        {"{'type':'int','logicalType':'date'}", "'int'", AVRO_TIME_MS, "0a", "5"},
        {"['null',{'type':'long','logicalType':'timestamp-micros'}]", "['null','long']",
         AVRO_TIME_MS, "02d00f", "1"},
        {"['null','long']", "['null','long']", AVRO_TIME_MS, "00", "null"},
        /* Something else is delivered as it is, for the core to judge. */
        {"'string'", "'string'", AVRO_TIME_MS, "0278", "\"x\""},
        {"'long'", "'double'", AVRO_TIME_S, "02", "1.0"},
        {"'int'", "'long'", AVRO_TIME_S, "8080808010",
         "malformed: an int has more than 32 bits, at field t"},
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char writer[256], reader[256];
        (void)snprintf(writer, sizeof writer,
                       "{'type':'record','name':'R','fields':[{'name':'t','type':%s}]}",
                       times[i].writer_type);
        (void)snprintf(reader, sizeof reader,
                       "{'type':'record','name':'R','fields':[{'name':'t','type':%s}]}",
                       times[i].reader_type);
        struct request request = {writer, reader, {"t"}, "t", times[i].unit, false};
        const char *got = decode(&request, times[i].hex);
        if (strcmp(got, times[i].expected) != 0)
            fail_msg("%zu: %s, not %s", i, got, times[i].expected);
    }
    /* A default has no writer but the reader. */
    struct request request = {"{'type':'record','name':'R','fields':[]}",
                              "{'type':'record','name':'R','fields':["
                              "{'name':'t','type':{'type':'long','logicalType':'timestamp-micros'},"
                              "'default':5000}]}",
                              {"t"},
                              "t",
                              AVRO_TIME_S,
                              false};
    assert_string_equal(decode(&request, ""), "5");
}

static void test_cutting_and_strict(void **state)
{
    (void)state;
    /* What follows the last needed field is not parsed, however broken it is. */
    struct request request = WANT(click, click, "opt", "page.url");
    assert_string_equal(decode(&request, CLICK_HEAD "020a 0275 ffff"), "\"b\" \"u\"");
    request.strict = true;
    assert_string_equal(decode(&request, CLICK_HEAD "020a 0275 ff"),
                        "malformed: the datum ends too early, at field page.tail, at byte 23");
    assert_string_equal(decode(&request, CLICK), "\"b\" \"u\"");
    assert_string_equal(decode(&request, CLICK "00"),
                        "malformed: bytes are left over after the datum, at byte 46");
    request = (struct request)WANT(click, click, "last");
    assert_string_equal(decode(&request, CLICK "00"), "9");
    /* A union at the cut: each branch ends there. */
    const char *schema = "{'type':'record','name':'R','fields':["
                         "{'name':'u','type':['null',{'type':'record','name':'P','fields':["
                         "{'name':'a','type':'int'},{'name':'b','type':'string'}]},'string']}]}";
    const char *reader = "{'type':'record','name':'R','fields':["
                         "{'name':'u','type':['null',{'type':'record','name':'P','fields':["
                         "{'name':'a','type':'int'}]}]}]}";
    request = (struct request)WANT(schema, reader, "u.a");
    assert_string_equal(decode(&request, "00"), "null");
    assert_string_equal(decode(&request, "02 02 00"), "1");
    assert_string_equal(
        decode(&request, "04 00"),
        "data: the reader's union has no branch for the writer's string, at field u,"
        " at byte 1");
}

static void test_jumps_into_what_is_cut(void **state)
{
    (void)state;
    const char *schema = "{'type':'record','name':'R','fields':[{'name':'p','type':['null',"
                         "{'type':'record','name':'P','fields':[{'name':'u','type':'string'},"
                         "{'name':'t','type':'R'}]}]},{'name':'z','type':'R'}]}";
    struct request request = WANT(schema, schema, "p.u");
    assert_string_equal(decode(&request, "00"), "null");
    assert_string_equal(decode(&request, "02 0278"), "\"x\"");
    const char *writer = "{'type':'record','name':'R','fields':[{'name':'p','type':["
                         "{'type':'record','name':'P','fields':[{'name':'u','type':'string'},"
                         "{'name':'t','type':'int'}]},{'type':'record','name':'Q','fields':["
                         "{'name':'u','type':'string'},{'name':'t','type':'int'}]},'null']}]}";
    const char *reader = "{'type':'record','name':'R','fields':[{'name':'p','type':['null',"
                         "{'type':'record','name':'P','aliases':['Q'],'fields':["
                         "{'name':'u','type':'string'}]}]}]}";
    request = (struct request)WANT(writer, reader, "p.u");
    assert_string_equal(decode(&request, "00 0278 02"), "\"x\"");
    assert_string_equal(decode(&request, "02 0279"), "\"y\"");
    assert_string_equal(decode(&request, "04"), "null");
    request = (struct request)WANT(click, click, "items[1].sku");
    assert_string_equal(decode(&request, CLICK), "\"s2\"");
    request = (struct request)WANT(click, click, "props['l']", "props['k']");
    assert_string_equal(decode(&request, CLICK), "null \"v\"");
}

/* Skips of one kind are one instruction, but not across the end of an optional one. */
static void test_adjacent_skips(void **state)
{
    (void)state;
    const char *schema = "{'type':'record','name':'R','fields':[{'name':'a','type':'string'},"
                         "{'name':'o','type':['null','string']},{'name':'b','type':'string'},"
                         "{'name':'c','type':'bytes'},{'name':'p','type':['long','int','null']},"
                         "{'name':'d','type':'int'},{'name':'e','type':'int'},"
                         "{'name':'f','type':'long'},{'name':'z','type':'int'}]}";
    struct request request = WANT(schema, schema, "z");
    assert_string_equal(decode(&request, "0261 00 0262 0263 04 02 04 06 08"), "4");
    assert_string_equal(decode(&request, "0261 02 026f 0262 0263 02 0a 02 04 06 08"), "4");
    assert_string_equal(decode(&request, "0261 02 026f 0262 0263 00 0a 02 04 06 08"), "4");
    assert_string_equal(decode(&request, "0261 00 0262 0263 04 02 8080808010 06 08"),
                        "malformed: an int has more than 32 bits, at field d, at byte 9");
}

static void test_errors_say_where(void **state)
{
    (void)state;
    struct request request = WANT(click, click, "items[1].sku", "items[1].q", "last");
    assert_string_equal(decode(&request, CLICK_HEAD CLICK_PAGE "04 047331 02 047332 ff"),
                        "malformed: the datum ends too early, at field items[1].q, at byte 33");
    assert_string_equal(decode(&request, CLICK_HEAD CLICK_PAGE "04 047331 02 0473ff 02"),
                        "malformed: a string is not UTF-8, at field items[1].sku, at byte 30");
    assert_string_equal(
        decode(&request, CLICK_HEAD CLICK_PAGE "00 02 026b 0a"),
        "malformed: the index of a branch or symbol is out of range, at field props[\"k\"],"
        " at byte 29");
    assert_string_equal(decode(&request, "03"), "malformed: a length is negative, at field id");
    assert_string_equal(decode(&request, "08 61"),
                        "malformed: a length goes beyond the end of the datum, at field id");
    assert_string_equal(decode(&request, "00 ffffffffffffffffffff01"),
                        "malformed: a number has more than 64 bits, at field n, at byte 1");
    assert_string_equal(decode(&request, CLICK_HEAD "02"),
                        "malformed: the datum ends too early, at field page.pad, at byte 20");
    /* Bytes of a key that nobody should print. */
    const char *schema = "{'type':'record','name':'R','fields':["
                         "{'name':'m','type':{'type':'map','values':'boolean'}}]}";
    request = (struct request)WANT(schema, schema, "m['x']");
    assert_string_equal(decode(&request, "04 04 0122 00 02 78 05"),
                        "malformed: a boolean is neither 0 nor 1, at field m[\"x\"], at byte 7");
    assert_string_equal(decode(&request, "02 04 0122"),
                        "malformed: the datum ends too early, at field m[\"??\"], at byte 4");
}

static void test_every_truncation_of_every_plan_fails(void **state)
{
    (void)state;
    struct request request =
        WANT(click, click, "id", "opt", "page.url", "items[1].sku", "props['l']", "last");
    uint8_t bytes[256];
    size_t len = testing_hex(CLICK, bytes, sizeof bytes);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = test_malloc(cut + !cut);
        memcpy(exact, bytes, cut);
        assert_int_equal(strncmp(decode_bytes(&request, exact, cut), "malformed:", 10), 0);
        assert_int_equal(strncmp(testing_walk(click, click, exact, cut, false), "malformed:", 10),
                         0);
        test_free(exact);
    }
    assert_string_equal(decode_bytes(&request, NULL, 0),
                        "malformed: the datum ends too early, at field id");
}

static const char *decode_repeated(const struct request *request, const char *unit, int times,
                                   const char *tail)
{
    struct text hex = {0};
    for (int i = 0; i < times; i++)
        text_append_string(&hex, unit);
    text_append_string(&hex, tail);
    uint8_t *bytes = test_malloc(hex.len);
    size_t len = testing_hex(hex.data, bytes, hex.len);
    text_free(&hex);
    const char *got = request->paths[0]
                          ? decode_bytes(request, bytes, len)
                          : testing_walk(request->writer, request->reader, bytes, len, false);
    test_free(bytes);
    return got;
}

static void assert_limit(const char *got)
{
    if (strncmp(got, "limit: ", 7) != 0)
        fail_msg("%.200s", got);
}

static void test_depth(void **state)
{
    (void)state;
    const char *list = "{'type':'record','name':'N','fields':[{'name':'next','type':['null','N']},"
                       "{'name':'v','type':'int'}]}";
    struct request skips = {.writer = list,
                            .reader =
                                "{'type':'record','name':'N','fields':[{'name':'v','type':'int'}]}",
                            .paths = {"v"}};
    struct request whole = {.writer = list, .reader = list};
    const char *got = decode_repeated(&skips, "02", AVROPLAN_MAX_DEPTH + 1, "00 02");
    assert_limit(got);
    if (!strstr(got, "too deep, at field ....next.") || !strstr(got, ".next.next, at byte 257"))
        fail_msg("%s", got);
    assert_limit(decode_repeated(&whole, "02", 20000, "00"));
    assert_limit(decode_repeated(&skips, "02", 20000, "00"));
    const char *kids = "{'type':'array','items':{'type':'record','name':'T','fields':["
                       "{'name':'kids','type':{'type':'array','items':'T'}}]}}";
    struct request tree = {.writer = kids, .reader = kids};
    assert_limit(decode_repeated(&tree, "02", 1000, ""));
    assert_string_equal(decode_repeated(&tree, "02", 2, "00 00 00"),
                        "[{\"kids\": [{\"kids\": []}]}]");
    /* A record that contains itself has no datum, and takes no byte to go deeper. */
    const char *endless = "{'type':'record','name':'E','fields':[{'name':'e','type':'E'}]}";
    struct request never = {.writer = endless, .reader = endless};
    assert_limit(decode_repeated(&never, "", 0, ""));
}

static void test_elements_of_no_bytes(void **state)
{
    (void)state;
    const char *nulls = "{'type':'array','items':'null'}";
    struct request request = {.writer = nulls, .reader = nulls};
    assert_string_equal(decode_repeated(&request, "", 0, "06 00"), "[null, null, null]");
    assert_limit(decode_repeated(&request, "", 0, "80808080804000"));
    assert_limit(decode_repeated(&request, "", 0, "ffffffffffffffffff01 00"));
    /* Not per array but per datum. */
    const char *many = "{'type':'array','items':{'type':'array','items':'null'}}";
    request = (struct request){.writer = many, .reader = many};
    assert_limit(decode_repeated(&request, "02 80808008 00", 500, ""));
    const char *skipped =
        "{'type':'record','name':'R','fields':["
        "{'name':'a','type':{'type':'array','items':'null'}},{'name':'b','type':'int'}]}";
    request = (struct request)WANT(skipped, skipped, "b");
    assert_string_equal(decode_repeated(&request, "", 0, "80897a 00 02"), "1");
    assert_limit(decode_repeated(&request, "", 0, "80808080804000 02"));
    /* Records that double at each level, and take no bytes at all. */
    struct text text = {0};
    text_append_string(&text, "{'type':'record','name':'R','fields':[");
    for (int i = 0; i < 30; i++)
        text_printf(&text, "{'name':'a','type':{'type':'record','name':'R%d','fields':[", i);
    for (int i = 29; i >= 0; i--)
        text_printf(&text, "]}},{'name':'b','type':'R%d'}", i);
    text_append_string(&text, "]}");
    request = (struct request){.writer = text.data, .reader = text.data};
    assert_limit(decode_repeated(&request, "", 0, ""));
    text_free(&text);
}

static void test_big_schemas_give_small_plans_or_a_limit(void **state)
{
    (void)state;
    /* 2^25 paths through 25 records: subroutines keep the plan small. */
    struct text text = {0};
    text_append_string(&text, "{'type':'record','name':'R','fields':[");
    for (int i = 0; i < 25; i++)
        text_printf(&text, "{'name':'a','type':['null',{'type':'record','name':'R%d','fields':[",
                    i);
    for (int i = 24; i >= 0; i--)
        text_printf(&text, "]}]},{'name':'b','type':['null','R%d']}", i);
    text_append_string(&text, ",{'name':'z','type':'int'}]}");
    struct request request = WANT(text.data, text.data, "z");
    assert_string_equal(decode(&request, "00 00 02"), "1");
    request.paths[0] = NULL;
    assert_string_equal(decode_repeated(&request, "", 0, "00 02 00 00 02"),
                        "{\"a\": null, \"b\": {\"a\": null, \"b\": null}, \"z\": 1}");
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_optional_records),
        cmocka_unit_test(test_unions_of_alike_branches),
        cmocka_unit_test(test_of_equal_map_keys_the_last_counts),
        cmocka_unit_test(test_nested_collections),
        cmocka_unit_test(test_blocks_with_sizes),
        cmocka_unit_test(test_defaults_in_slots),
        cmocka_unit_test(test_event_time),
        cmocka_unit_test(test_cutting_and_strict),
        cmocka_unit_test(test_jumps_into_what_is_cut),
        cmocka_unit_test(test_adjacent_skips),
        cmocka_unit_test(test_errors_say_where),
        cmocka_unit_test(test_every_truncation_of_every_plan_fails),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_elements_of_no_bytes),
        cmocka_unit_test(test_big_schemas_give_small_plans_or_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
