/* Payloads as JSON: by the same framing and plans as the daemon, each schema read as itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avrofingerprint.h"
#include "avroplan.h"
#include "inspect_schemas.h"
#include "jsonout.h"
#include "pool.h"
#include "readfile.h"

struct known {
    int64_t id; /* -1: none */
    uint64_t fingerprint;
    struct avroschema *schema;
    struct avroplan *plan;
};

struct inspect_schemas {
    enum framing framing;
    struct known known[INSPECT_SCHEMAS_MAX];
    size_t count;
};

struct inspect_schemas *inspect_schemas_new(enum framing framing)
{
    struct inspect_schemas *schemas = memory_alloc(sizeof *schemas);
    schemas->framing = framing;
    return schemas;
}

void inspect_schemas_free(struct inspect_schemas *schemas)
{
    for (size_t i = 0; i < schemas->count; i++) {
        avroplan_free(schemas->known[i].plan);
        avroschema_free(schemas->known[i].schema);
    }
    memory_free(schemas);
}

static bool add(struct inspect_schemas *schemas, int64_t id, const char *name, const char *text,
                size_t len)
{
    struct avro_error err;
    struct known known = {.id = id};
    if (schemas->count == INSPECT_SCHEMAS_MAX) {
        fprintf(stderr, "freshet inspect: more than %d schemas\n", INSPECT_SCHEMAS_MAX);
        return false;
    }
    known.schema = avroschema_parse(text, len, NULL, 0, AVROSCHEMA_WRITER, &err);
    if (known.schema)
        known.plan = avroplan_compile(known.schema, known.schema, NULL, false, &err);
    if (!known.plan) {
        fprintf(stderr, "freshet inspect: %s: %s\n", name, err.message);
        avroschema_free(known.schema);
        return false;
    }
    known.fingerprint = avrofingerprint_of(known.schema);
    schemas->known[schemas->count++] = known;
    return true;
}

bool inspect_schemas_add(struct inspect_schemas *schemas, const char *argument)
{
    struct text text = {0};
    char *path;
    long long id = strtoll(argument, &path, 10);
    if (path == argument || *path != '=') {
        id = -1;
        path = (char *)(uintptr_t)argument;
    } else {
        path++;
    }
    const char *why = readfile(path, AVROSCHEMA_MAX_BYTES, &text);
    if (why)
        fprintf(stderr, "freshet inspect: %s: %s\n", path, why);
    bool ok = !why && add(schemas, id, path, text.data, text.len);
    text_free(&text);
    return ok;
}

static const struct known *find(const struct inspect_schemas *schemas,
                                const struct framing_result *framed)
{
    for (size_t i = 0; i < schemas->count; i++) {
        const struct known *known = &schemas->known[i];
        if (framed->ref == FRAMING_REF_NONE ||
            (framed->ref == FRAMING_REF_ID && known->id == framed->id) ||
            (framed->ref == FRAMING_REF_FINGERPRINT && known->fingerprint == framed->fingerprint))
            return known;
    }
    return NULL;
}

static bool decode(const struct inspect_schemas *schemas, const struct framing_result *framed,
                   struct text *out, struct avro_error *err)
{
    const struct known *known = find(schemas, framed);
    if (!known) {
        avroerror_set(err, AVRO_ERROR_SCHEMA, "no --schema for it");
        return false;
    }
    struct jsonout json = {.text = out};
    struct avroplan_sink sink = jsonout_sink(&json);
    return avroplan_walk(known->plan, framed->body, framed->len, &sink, err);
}

void inspect_schemas_print(const struct inspect_schemas *schemas, const void *header,
                           size_t header_len, const void *payload, size_t len, struct text *out)
{
    struct avro_error err;
    struct framing_result framed = {.ref = FRAMING_REF_NONE};
    size_t start = out->len;
    bool ok = framing_parse(schemas->framing, header, header_len, payload, len, &framed, &err);
    if (ok && framed.ref == FRAMING_REF_ID)
        text_printf(out, "\"schema_id\":%d,", (int)framed.id);
    size_t value = out->len;
    text_append_string(out, "\"value\":");
    if (ok && decode(schemas, &framed, out, &err))
        return;
    out->len = ok ? value : start;
    text_append_string(out, "\"payload\":\"");
    for (size_t i = 0; i < len; i++)
        text_printf(out, "%02x", ((const unsigned char *)payload)[i]);
    text_append_string(out, "\",\"error\":");
    char line[AVROERROR_PATH_MAX + AVROERROR_MESSAGE_MAX + 64];
    avroerror_text(&err, line, sizeof line);
    text_append_json_string(out, line, strlen(line));
}
