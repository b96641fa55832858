/* Fuzzes schema parsing and plan compilation: an input is one schema, or two with a zero between.
 *
 * With two, the first is the writer's. Whatever parses is fingerprinted, compiled whole and with
 * some paths, and run over a few bytes. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "avrofingerprint.h"
#include "avroplan.h"
#include "avroschema.h"
#include "expect.h"
#include "jsonout.h"
#include "projection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first scalars of a record, two levels deep, become slots. */
static void want_fields(struct projection *projection, const struct avro_type *type,
                        const char *prefix)
{
    struct fieldspace space = projection_fieldspace(projection);
    for (uint32_t i = 0; type->kind == AVRO_KIND_RECORD && i < type->count && i < 8; i++) {
        static const char *const steps[] = {"", "[0]", "[1]", "['k']"};
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            char path[PROJECTION_MAX_PATH], err[128];
            struct value_kind kind;
            (void)snprintf(path, sizeof path, "%s%.60s%s", prefix, type->fields[i].name, steps[s]);
            int slot = space.resolve(space.self, path, strlen(path), &kind, err, sizeof err);
            if (slot >= 0 && i == 1)
                projection_mark_time(projection, slot, AVRO_TIME_US);
            if (slot < 0)
                expect(memchr(err, '\0', sizeof err));
        }
        char inner[100];
        (void)snprintf(inner, sizeof inner, "%.60s.", type->fields[i].name);
        if (!*prefix)
            want_fields(projection, type->fields[i].type, inner);
    }
}

static void run(const struct avroplan *plan, bool whole)
{
    static const uint8_t bytes[] = {2, 2, 0, 2, 4, 2, 'k', 1, 2, 0, 0, 0, 2, 0, 2, 0};
    struct value slots[FIELDSPACE_MAX_SLOTS];
    struct avro_error err = {0};
    struct text json = {0};
    struct jsonout out = {.text = &json};
    struct avroplan_sink sink = jsonout_sink(&out);
    bool ok = whole ? avroplan_walk(plan, bytes, sizeof bytes, &sink, &err)
                    : avroplan_decode(plan, bytes, sizeof bytes, slots, &err);
    expect(ok == (err.code == AVRO_ERROR_NONE));
    text_free(&json);
}

static void compile(const struct avroschema *writer, const struct avroschema *reader)
{
    struct avro_error err = {0};
    struct avroplan *whole = avroplan_compile(writer, reader, NULL, false, &err);
    expect(whole || err.code == AVRO_ERROR_RESOLVE || err.code == AVRO_ERROR_LIMIT);
    struct projection *projection = projection_new(reader);
    want_fields(projection, reader->root, "");
    struct avroplan *slots = avroplan_compile(writer, reader, projection, false, &err);
    if (whole)
        run(whole, true);
    if (slots)
        run(slots, false);
    avroplan_free(whole);
    avroplan_free(slots);
    projection_free(projection);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *zero = size ? memchr(text, 0, size) : NULL;
    size_t first = zero ? (size_t)(zero - text) : size;
    struct avro_error err = {0};
    struct avroschema *writer = avroschema_parse(text, first, NULL, 0, AVROSCHEMA_WRITER, &err);
    expect(writer || err.code == AVRO_ERROR_SCHEMA || err.code == AVRO_ERROR_LIMIT);
    struct avroschema *reader =
        zero ? avroschema_parse(zero + 1, size - first - 1, NULL, 0, AVROSCHEMA_READER, &err)
             : avroschema_parse(text, size, NULL, 0, AVROSCHEMA_READER, &err);
    if (writer)
        (void)avrofingerprint_of(writer);
    if (writer && reader)
        compile(writer, reader);
    avroschema_free(writer);
    avroschema_free(reader);
    return 0;
}
