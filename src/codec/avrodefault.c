/* JSON defaults become Avro binary once, so that plans decode them like any datum. */
#include "avrodefault.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "avrowire.h"
#include "jsontree.h"
#include "text.h"

struct encoder {
    struct text out;
    size_t values; /* tried so far, over all defaults of the schema */
    size_t bytes;  /* of the defaults before this one */
    unsigned depth;
    bool limit; /* a bound was reached: no other branch of a union may be tried */
};

static void put_long(struct encoder *encoder, int64_t number)
{
    char bytes[AVROWIRE_MAX_VARINT];
    text_append(&encoder->out, bytes, (size_t)(avrowire_put_long(bytes, number) - bytes));
}

static bool put_real(struct encoder *encoder, enum avro_kind kind, const struct json_node *json)
{
    if (json->type != JSON_TREE_INTEGER && json->type != JSON_TREE_REAL)
        return false;
    if (kind == AVRO_KIND_FLOAT) {
        float number = (float)json->real;
        uint32_t bits;
        memcpy(&bits, &number, sizeof bits);
        bits = htole32(bits);
        text_append(&encoder->out, &bits, sizeof bits);
        return true;
    }
    uint64_t bits;
    memcpy(&bits, &json->real, sizeof bits);
    bits = htole64(bits);
    text_append(&encoder->out, &bits, sizeof bits);
    return true;
}

static bool put_integer(struct encoder *encoder, enum avro_kind kind, const struct json_node *json)
{
    if (json->type != JSON_TREE_INTEGER)
        return false;
    if (kind == AVRO_KIND_INT && (json->integer < INT32_MIN || json->integer > INT32_MAX))
        return false;
    put_long(encoder, json->integer);
    return true;
}

/* Bytes are written as a string whose code points 0..255 are the bytes. */
static bool put_bytes(struct encoder *encoder, const struct avro_type *type,
                      const struct json_node *json)
{
    if (json->type != JSON_TREE_STRING)
        return false;
    size_t len = 0;
    for (size_t i = 0; i < json->len; i++)
        len += ((uint8_t)json->text[i] & 0xc0) != 0x80;
    if (type->kind == AVRO_KIND_FIXED && len != type->count)
        return false;
    if (type->kind == AVRO_KIND_BYTES)
        put_long(encoder, (int64_t)len);
    for (size_t i = 0; i < json->len; i++) {
        uint8_t byte = (uint8_t)json->text[i];
        if (byte > 0xc3)
            return false;
        if (byte >= 0xc0)
            byte = (uint8_t)(byte << 6 | ((uint8_t)json->text[++i] & 0x3f));
        text_append_char(&encoder->out, (char)byte);
    }
    return true;
}

static bool put_symbol(struct encoder *encoder, const struct avro_type *type,
                       const struct json_node *json)
{
    if (json->type != JSON_TREE_STRING)
        return false;
    for (uint32_t i = 0; i < type->count; i++) {
        if (strcmp(type->symbols[i], json->text) == 0) {
            put_long(encoder, i);
            return true;
        }
    }
    return false;
}

static bool put_value(struct encoder *encoder, const struct avro_type *type,
                      const struct json_node *json);

static bool put_text(struct encoder *encoder, const char *text, size_t len)
{
    put_long(encoder, (int64_t)len);
    text_append(&encoder->out, text, len);
    return true;
}

static bool put_collection(struct encoder *encoder, const struct avro_type *type,
                           const struct json_node *json)
{
    if (json->type != (type->kind == AVRO_KIND_MAP ? JSON_TREE_OBJECT : JSON_TREE_ARRAY))
        return false;
    if (json->count)
        put_long(encoder, (int64_t)json->count);
    for (const struct json_node *child = json->first; child; child = child->next) {
        if (type->kind == AVRO_KIND_MAP)
            put_text(encoder, child->key, strlen(child->key));
        if (!put_value(encoder, type->item, child))
            return false;
    }
    put_long(encoder, 0);
    return true;
}

/* A field that the default leaves out has its own default, as in the Java reference. */
static bool put_record(struct encoder *encoder, const struct avro_type *type,
                       const struct json_node *json)
{
    if (json->type != JSON_TREE_OBJECT)
        return false;
    for (uint32_t i = 0; i < type->count; i++) {
        const struct avro_field *field = &type->fields[i];
        const struct json_node *value = jsontree_get(json, field->name);
        if (!value)
            value = field->default_json;
        if (!value || !put_value(encoder, field->type, value))
            return false;
    }
    return true;
}

/* Any branch may fit; the first that does is taken. */
static bool put_union(struct encoder *encoder, const struct avro_type *type,
                      const struct json_node *json)
{
    size_t start = encoder->out.len;
    for (uint32_t i = 0; i < type->count && !encoder->limit; i++) {
        put_long(encoder, i);
        if (put_value(encoder, type->branches[i], json))
            return true;
        encoder->out.len = start;
    }
    return false;
}

static bool put_of_kind(struct encoder *encoder, const struct avro_type *type,
                        const struct json_node *json)
{
    switch ((enum avro_kind)type->kind) {
    case AVRO_KIND_NULL:
        return json->type == JSON_TREE_NULL;
    case AVRO_KIND_BOOLEAN:
        if (json->type != JSON_TREE_TRUE && json->type != JSON_TREE_FALSE)
            return false;
        text_append_char(&encoder->out, json->type == JSON_TREE_TRUE);
        return true;
    case AVRO_KIND_INT:
    case AVRO_KIND_LONG:
        return put_integer(encoder, type->kind, json);
    case AVRO_KIND_FLOAT:
    case AVRO_KIND_DOUBLE:
        return put_real(encoder, type->kind, json);
    case AVRO_KIND_BYTES:
    case AVRO_KIND_FIXED:
        return put_bytes(encoder, type, json);
    case AVRO_KIND_STRING:
        return json->type == JSON_TREE_STRING && put_text(encoder, json->text, json->len);
    case AVRO_KIND_RECORD:
        return put_record(encoder, type, json);
    case AVRO_KIND_ENUM:
        return put_symbol(encoder, type, json);
    case AVRO_KIND_ARRAY:
    case AVRO_KIND_MAP:
        return put_collection(encoder, type, json);
    case AVRO_KIND_UNION:
        return put_union(encoder, type, json);
    }
    return false;
}

static bool put_value(struct encoder *encoder, const struct avro_type *type,
                      const struct json_node *json)
{
    if (++encoder->values > AVROSCHEMA_MAX_DEFAULT_VALUES ||
        encoder->depth == AVROSCHEMA_MAX_DEPTH ||
        encoder->bytes + encoder->out.len > AVROSCHEMA_MAX_DEFAULT_BYTES) {
        encoder->limit = true;
        return false;
    }
    encoder->depth++;
    bool fits = put_of_kind(encoder, type, json);
    encoder->depth--;
    return fits;
}

static bool encode_field(struct encoder *encoder, struct arena *arena, struct avro_field *field)
{
    text_clear(&encoder->out);
    if (!put_value(encoder, field->type, field->default_json))
        return false;
    uint8_t *bytes = arena_alloc(arena, encoder->out.len + 1);
    if (encoder->out.len)
        memcpy(bytes, encoder->out.data, encoder->out.len);
    field->default_bytes = bytes;
    field->default_len = (uint32_t)encoder->out.len;
    encoder->bytes += encoder->out.len;
    return true;
}

bool avrodefault_encode(struct avroschema *schema, struct avro_error *err)
{
    struct encoder encoder = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < schema->named_count; i++) {
        struct avro_type *type = schema->named[i];
        for (uint32_t f = 0; ok && type->kind == AVRO_KIND_RECORD && f < type->count; f++) {
            struct avro_field *field = &type->fields[f];
            if (!field->default_json || encode_field(&encoder, &schema->arena, field))
                continue;
            ok = false;
            if (encoder.limit)
                avroerror_set(err, AVRO_ERROR_LIMIT, "the defaults are too large or too deep");
            else
                avroerror_set(err, AVRO_ERROR_SCHEMA, "the default does not fit the type %s",
                              avroschema_kind_name(field->type->kind));
            (void)snprintf(err->path, sizeof err->path, "%s.%s", type->full_name, field->name);
        }
    }
    text_free(&encoder.out);
    return ok;
}
