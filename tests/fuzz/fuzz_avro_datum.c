/* Fuzzes decoding: the first byte chooses one of some pairs of schemas, the rest is a datum.
 *
 * The datum is decoded whole and into slots. When it is good as a whole, the slots must be good
 * too, and strict decoding must agree with whether bytes are left over. */
#include <stdint.h>
#include <string.h>

#include "avroplan.h"
#include "avroschema.h"
#include "expect.h"
#include "jsonout.h"
#include "projection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WRITER                                                                                     \
    "{\"type\":\"record\",\"name\":\"C\",\"fields\":["                                             \
    "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"t\",\"type\":{\"type\":\"long\","           \
    "\"logicalType\":\"timestamp-micros\"}},{\"name\":\"d\",\"type\":\"double\"},"                 \
    "{\"name\":\"b\",\"type\":\"boolean\"},{\"name\":\"e\",\"type\":{\"type\":\"enum\","           \
    "\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"C\"]}},{\"name\":\"u\",\"type\":[\"int\",\"null\"," \
    "\"long\",\"float\"]},{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"X\","            \
    "\"size\":3}},"                                                                                \
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"I\","  \
    "\"fields\":[{\"name\":\"s\",\"type\":[\"null\",\"string\"]},{\"name\":\"q\",\"type\":"        \
    "\"int\"}]}}},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":{\"type\":\"array\","      \
    "\"items\":\"bytes\"}}},{\"name\":\"n\",\"type\":[\"null\",\"C\"]},{\"name\":\"z\",\"type\":"  \
    "{\"type\":\"array\",\"items\":\"null\"}},{\"name\":\"f\",\"type\":{\"type\":\"array\","       \
    "\"items\":\"float\"}}]}"
#define READER                                                                                     \
    "{\"type\":\"record\",\"name\":\"C\",\"fields\":["                                             \
    "{\"name\":\"d\",\"type\":\"double\"},{\"name\":\"id\",\"type\":\"bytes\"},{\"name\":\"t\","   \
    "\"type\":\"long\"},{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":["  \
    "\"C\",\"B\"],\"default\":\"B\"}},{\"name\":\"u\",\"type\":[\"null\",\"double\"]},"            \
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"I\","  \
    "\"fields\":[{\"name\":\"q\",\"type\":\"long\"},{\"name\":\"s\",\"type\":\"string\"},"         \
    "{\"name\":\"w\",\"type\":\"string\",\"default\":\"w\"}]}}},{\"name\":\"m\",\"type\":{"        \
    "\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":\"string\"}}},{\"name\":\"n\","     \
    "\"type\":[\"null\",\"C\"]},{\"name\":\"k\",\"type\":[\"null\",\"C\"],\"default\":null}]}"
#define NESTED                                                                                     \
    "{\"type\":\"array\",\"items\":{\"type\":\"map\",\"values\":[\"null\",\"long\",\"string\",{"   \
    "\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":"      \
    "\"kids\",\"type\":{\"type\":\"array\",\"items\":\"T\"}},{\"name\":\"e\",\"type\":{\"type\":"  \
    "\"record\",\"name\":\"Empty\",\"fields\":[]}}]}}]}}"

static const struct {
    const char *writer, *reader;
    const char *paths[10];
} pairs[] = {
    {WRITER, WRITER, {"id", "t", "d", "b", "e", "x", "a[0].s", "a[2].q", "m['k'][0]", "n.n.id"}},
    {WRITER, READER, {"t", "u", "a[1].w", "a[0].s", "m['k'][1]", "n.e", "k.id"}},
    {WRITER, WRITER, {"f[1]"}},
    {NESTED, NESTED, {NULL}},
};
enum { PAIRS = sizeof pairs / sizeof *pairs };

static struct plans {
    struct avroplan *whole, *whole_strict, *slots, *slots_strict;
    struct avroschema *reader; /* which they point into */
} plans[PAIRS];

static struct avroschema *schema(const char *text, enum avroschema_use use)
{
    struct avro_error err;
    struct avroschema *parsed = avroschema_parse(text, strlen(text), NULL, 0, use, &err);
    expect(parsed);
    return parsed;
}

static struct avroplan *plan(const struct avroschema *writer, const struct avroschema *reader,
                             const struct projection *projection, bool strict)
{
    struct avro_error err;
    struct avroplan *compiled = avroplan_compile(writer, reader, projection, strict, &err);
    expect(compiled);
    return compiled;
}

/* Once; the schemas and plans live as long as the process. */
static void prepare(void)
{
    for (int i = 0; i < PAIRS; i++) {
        struct avroschema *writer = schema(pairs[i].writer, AVROSCHEMA_WRITER);
        struct avroschema *reader = schema(pairs[i].reader, AVROSCHEMA_READER);
        struct projection *projection = projection_new(reader);
        struct fieldspace space = projection_fieldspace(projection);
        for (int p = 0; p < 10 && pairs[i].paths[p]; p++) {
            struct value_kind kind;
            char err[128];
            const char *path = pairs[i].paths[p];
            int slot = space.resolve(space.self, path, strlen(path), &kind, err, sizeof err);
            expect(slot == p);
            if (strcmp(path, "t") == 0)
                projection_mark_time(projection, slot, AVRO_TIME_MS);
        }
        plans[i].whole = plan(writer, reader, NULL, false);
        plans[i].whole_strict = plan(writer, reader, NULL, true);
        plans[i].slots = plan(writer, reader, projection, false);
        plans[i].slots_strict = plan(writer, reader, projection, true);
        plans[i].reader = reader;
        projection_free(projection);
        avroschema_free(writer);
    }
}

static bool walk(const struct avroplan *whole, const uint8_t *data, size_t size)
{
    struct avro_error err = {0};
    struct text json = {0};
    struct jsonout out = {.text = &json};
    struct avroplan_sink sink = jsonout_sink(&out);
    bool ok = avroplan_walk(whole, data, size, &sink, &err);
    expect(ok == (err.code == AVRO_ERROR_NONE) && err.offset <= size);
    text_free(&json);
    return ok;
}

static bool decode(const struct avroplan *slots, const uint8_t *data, size_t size)
{
    struct value values[FIELDSPACE_MAX_SLOTS];
    struct avro_error err = {0};
    bool ok = avroplan_decode(slots, data, size, values, &err);
    expect(ok == (err.code == AVRO_ERROR_NONE) && err.offset <= size);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!plans[0].whole)
        prepare();
    if (size == 0)
        return 0;
    const struct plans *chosen = &plans[data[0] % PAIRS];
    data++;
    size--;
    bool whole = walk(chosen->whole, data, size);
    bool whole_strict = walk(chosen->whole_strict, data, size);
    bool slots = decode(chosen->slots, data, size);
    bool slots_strict = decode(chosen->slots_strict, data, size);
    expect(!whole_strict || whole);
    expect(!slots_strict || slots);
    expect(!whole || slots);
    expect(!whole_strict || slots_strict);
    return 0;
}
