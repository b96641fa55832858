/* The canonical form is written from the parsed types: full names, no attributes but the needed. */
#include "avrofingerprint.h"

#include <string.h>

#include "pool.h"

/* Types that were written out; later uses are their names. */
struct canonical {
    struct text *out;
    const char **seen;
    size_t seen_count;
};

static void put_quoted(struct canonical *c, const char *name)
{
    text_printf(c->out, "\"%s\"", name);
}

static bool was_seen(const struct canonical *c, const char *name)
{
    for (size_t i = 0; i < c->seen_count; i++)
        if (strcmp(c->seen[i], name) == 0)
            return true;
    return false;
}

static void put_type(struct canonical *c, const struct avro_type *type);

static void put_record(struct canonical *c, const struct avro_type *type)
{
    text_append_string(c->out, ",\"fields\":[");
    for (uint32_t i = 0; i < type->count; i++) {
        text_append_string(c->out, i ? ",{\"name\":" : "{\"name\":");
        put_quoted(c, type->fields[i].name);
        text_append_string(c->out, ",\"type\":");
        put_type(c, type->fields[i].type);
        text_append_char(c->out, '}');
    }
    text_append_char(c->out, ']');
}

static void put_named(struct canonical *c, const struct avro_type *type)
{
    if (was_seen(c, type->full_name)) {
        put_quoted(c, type->full_name);
        return;
    }
    c->seen = memory_resize(c->seen, (c->seen_count + 1) * sizeof *c->seen);
    c->seen[c->seen_count++] = type->full_name;
    text_printf(c->out, "{\"name\":\"%s\",\"type\":\"%s\"", type->full_name,
                avroschema_kind_name(type->kind));
    if (type->kind == AVRO_KIND_RECORD)
        put_record(c, type);
    else if (type->kind == AVRO_KIND_FIXED)
        text_printf(c->out, ",\"size\":%u", (unsigned)type->count);
    else
        text_append_string(c->out, ",\"symbols\":[");
    for (uint32_t i = 0; type->kind == AVRO_KIND_ENUM && i < type->count; i++) {
        text_append_string(c->out, i ? "," : "");
        put_quoted(c, type->symbols[i]);
    }
    text_append_string(c->out, type->kind == AVRO_KIND_ENUM ? "]}" : "}");
}

static void put_type(struct canonical *c, const struct avro_type *type)
{
    switch (type->kind) {
    case AVRO_KIND_RECORD:
    case AVRO_KIND_ENUM:
    case AVRO_KIND_FIXED:
        put_named(c, type);
        return;
    case AVRO_KIND_ARRAY:
    case AVRO_KIND_MAP:
        text_append_string(c->out, type->kind == AVRO_KIND_ARRAY ? "{\"type\":\"array\",\"items\":"
                                                                 : "{\"type\":\"map\",\"values\":");
        put_type(c, type->item);
        text_append_char(c->out, '}');
        return;
    case AVRO_KIND_UNION:
        text_append_char(c->out, '[');
        for (uint32_t i = 0; i < type->count; i++) {
            text_append_string(c->out, i ? "," : "");
            put_type(c, type->branches[i]);
        }
        text_append_char(c->out, ']');
        return;
    default:
        put_quoted(c, avroschema_kind_name(type->kind));
    }
}

void avrofingerprint_canonical(const struct avroschema *schema, struct text *out)
{
    struct canonical canonical = {.out = out};
    put_type(&canonical, schema->root);
    memory_free(canonical.seen);
}

/* The specification's Rabin fingerprint, bit by bit: schemas are fingerprinted once. */
static uint64_t crc64_avro(const char *bytes, size_t len)
{
    const uint64_t polynomial = UINT64_C(0xc15d213aa4d7a795);
    uint64_t crc = polynomial;
    for (size_t i = 0; i < len; i++) {
        crc ^= (uint8_t)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    }
    return crc;
}

uint64_t avrofingerprint_of(const struct avroschema *schema)
{
    struct text canonical = {0};
    avrofingerprint_canonical(schema, &canonical);
    uint64_t crc = crc64_avro(canonical.data, canonical.len);
    text_free(&canonical);
    return crc;
}
