/* Encoding is directed by the schema: each value is written as it is met; a record whose fields
 * come in another order, or not all, is put together again at its end. */
#include "jsonavro.h"

#include <stdio.h>
#include <string.h>

#include "jsonscalar.h"
#include "pool.h"

/* Where the encoding of a field lies in out. */
struct span {
    size_t start, end;
    bool here;
};

struct jsonavro {
    const struct avroschema *schema;
    struct jsonscan scan;
    struct text *out;
    struct span *spans; /* of the records that are open, the outermost first */
    size_t span_count, span_capacity;
    struct text scratch;
    unsigned depth;
    struct text presumed; /* encodings of the fields of jsonavro_presume ... */
    struct span *presumed_spans; /* ... by field of the schema's record */
    struct jsonavro_meta *meta;
};

static bool put_value(struct jsonavro *json, const struct avro_type *type);

struct jsonavro *jsonavro_new(const struct avroschema *schema)
{
    struct jsonavro *json = memory_alloc(sizeof *json);
    json->schema = schema;
    json->presumed_spans =
        memory_alloc((schema->root->count + 1) * sizeof *json->presumed_spans);
    return json;
}

void jsonavro_free(struct jsonavro *json)
{
    if (!json)
        return;
    text_free(&json->scan.unescaped);
    text_free(&json->scratch);
    text_free(&json->presumed);
    memory_free(json->presumed_spans);
    memory_free(json->spans);
    memory_free(json);
}

/* ---- what holds other values ---- */

/* Each element is a block of its own: how many there are is known at the end only. */
static bool put_items(struct jsonavro *json, const struct avro_type *type)
{
    struct jsonscan *scan = &json->scan;
    bool map = type->kind == AVRO_KIND_MAP;
    char close = map ? '}' : ']';
    if (!jsonscan_take(scan, map ? '{' : '['))
        return false;
    bool any = jsonscan_peek(scan) != close;
    while (any) {
        jsonscalar_put_long(json->out, 1);
        if (map) {
            const char *key;
            size_t len;
            if (!jsonscan_string(scan, &key, &len))
                return false;
            jsonscalar_put_bytes(json->out, key, len);
            if (!jsonscan_take(scan, ':'))
                return false;
        }
        if (!put_value(json, type->item))
            return false;
        if (jsonscan_peek(scan) != ',')
            break;
        scan->at++;
    }
    jsonscalar_put_long(json->out, 0);
    return jsonscan_take(scan, close);
}

static bool fits(enum avro_kind kind, char first, bool whole)
{
    switch (kind) {
    case AVRO_KIND_INT:
    case AVRO_KIND_LONG:
        return whole || first == '{' || first == '"';
    case AVRO_KIND_FLOAT:
    case AVRO_KIND_DOUBLE:
        return first == '-' || (first >= '0' && first <= '9') || first == '{';
    case AVRO_KIND_BOOLEAN:
        return first == 't' || first == 'f';
    case AVRO_KIND_STRING:
    case AVRO_KIND_ENUM:
        return first == '"';
    case AVRO_KIND_BYTES:
    case AVRO_KIND_FIXED:
        return first == '"' || first == '{';
    case AVRO_KIND_RECORD:
    case AVRO_KIND_MAP:
        return first == '{';
    case AVRO_KIND_ARRAY:
        return first == '[';
    case AVRO_KIND_NULL:
        return first == 'n';
    case AVRO_KIND_UNION:
        break; /* unions do not stand in unions */
    }
    return false;
}

/* Whether the number that stands here is a whole one. */
static bool is_whole(struct jsonscan *scan)
{
    struct jsonscan_number number;
    const char *before = scan->at;
    bool ok = jsonscan_number(scan, &number) && number.whole;
    scan->at = before;
    return ok;
}

static bool put_branch(struct jsonavro *json, const struct avro_type *type, uint32_t index)
{
    size_t len = json->out->len, spans = json->span_count;
    jsonscalar_put_long(json->out, index);
    if (put_value(json, type->branches[index]))
        return true;
    json->out->len = len; /* another branch may fit; the error stays, for the case that none does */
    json->span_count = spans;
    return false;
}

static bool put_union(struct jsonavro *json, const struct avro_type *type)
{
    struct jsonscan *scan = &json->scan;
    char first = jsonscan_peek(scan);
    bool number = first == '-' || (first >= '0' && first <= '9');
    bool whole = number && is_whole(scan);
    const char *at = scan->at;
    bool tried = false;
    /* Whole numbers are int or long in the first round, float or double in the second. */
    for (int round = whole ? 0 : 1; round < 2; round++) {
        for (uint32_t i = 0; i < type->count; i++) {
            enum avro_kind kind = type->branches[i]->kind;
            bool real = kind == AVRO_KIND_FLOAT || kind == AVRO_KIND_DOUBLE;
            if (!fits(kind, first, whole) || (whole && real != (round == 1)))
                continue;
            scan->at = at;
            tried = true;
            if (put_branch(json, type, i))
                return true;
        }
    }
    if (tried)
        return false;
    struct text names = {0};
    for (uint32_t i = 0; i < type->count; i++)
        text_printf(&names, "%s%s", i ? " or " : "",
                    avroschema_kind_name(type->branches[i]->kind));
    jsonscan_fail(scan, at, "expected %s, found %s", names.data, jsonscan_what(scan));
    text_free(&names);
    return false;
}

/* ---- records ---- */

/* The field of that name, looked for from the place where it probably is; count: none. */
static uint32_t find_field(const struct avro_type *type, uint32_t from, const char *name,
                           size_t len)
{
    for (uint32_t k = 0; k < type->count; k++) {
        uint32_t i = from + k < type->count ? from + k : from + k - type->count;
        const char *field = type->fields[i].name;
        if (*field == *name && strncmp(field, name, len) == 0 && field[len] == '\0')
            return i;
    }
    return type->count;
}

static bool fail_field(struct jsonavro *json, const struct avro_type *type, const char *at,
                       const char *name, size_t len)
{
    struct text names = {0};
    for (uint32_t i = 0; i < type->count && names.len < JSONSCAN_MESSAGE; i++)
        text_printf(&names, "%s%s", i ? ", " : "", type->fields[i].name);
    jsonscan_fail(&json->scan, at, "%s has no field \"%.*s\"; it has %s", type->name,
                  len < 64 ? (int)len : 64, name, names.data ? names.data : "none");
    text_free(&names);
    return false;
}

/* A member "@..." of an event, whose value follows. */
static bool take_meta(struct jsonavro *json, const char *at, const char *name, size_t len)
{
    struct jsonscan *scan = &json->scan;
    struct jsonavro_meta *meta = json->meta;
    int64_t number;
    if (len == 10 && memcmp(name, "@partition", len) == 0) {
        if (!jsonscan_long(scan, "@partition", &number))
            return false;
        if (number < 0 || number > INT32_MAX)
            return jsonscan_fail(scan, at, "@partition is a number from 0 to %d", INT32_MAX);
        meta->partition = (int32_t)number;
        return true;
    }
    if (len == 7 && memcmp(name, "@offset", len) == 0) {
        meta->has_offset = true;
        if (!jsonscan_long(scan, "@offset", &meta->offset))
            return false;
        return meta->offset >= 0 || jsonscan_fail(scan, at, "@offset is not negative");
    }
    if (len == 10 && memcmp(name, "@timestamp", len) == 0) {
        meta->has_record_time = true;
        if (!jsonscan_long(scan, "@timestamp", &meta->record_time_ms))
            return false;
        return meta->record_time_ms >= 0 || jsonscan_fail(scan, at, "@timestamp is not negative");
    }
    if (len == 6 && memcmp(name, "@value", len) == 0) {
        meta->tombstone = true;
        return jsonscan_word(scan, "null") ||
               jsonscan_fail(scan, scan->at, "@value is null or left out");
    }
    if (len == 3 && memcmp(name, "@op", len) == 0)
        return jsonscan_fail(scan, at, "@op is the first member of a line");
    return jsonscan_fail(scan, at,
                         "\"%.*s\" is none of @partition, @offset, @timestamp, @value, @op",
                         len < 64 ? (int)len : 64, name);
}

static struct span *open_spans(struct jsonavro *json, uint32_t count)
{
    size_t wanted = json->span_count + count;
    if (wanted > json->span_capacity) {
        json->span_capacity = 2 * wanted;
        json->spans = memory_resize(json->spans, json->span_capacity * sizeof *json->spans);
    }
    struct span *spans = json->spans + json->span_count;
    memset(spans, 0, count * sizeof *spans);
    json->span_count = wanted;
    return spans;
}

/* Puts the fields that lie from begin in out into the schema's order, with what is presumed or
 * default for those that did not come. */
static bool assemble(struct jsonavro *json, const struct avro_type *type,
                     const struct span *spans, size_t begin, const char *object, bool top)
{
    struct text *out = json->out;
    text_clear(&json->scratch);
    text_append(&json->scratch, out->data + begin, out->len - begin);
    out->len = begin;
    for (uint32_t i = 0; i < type->count; i++) {
        const struct avro_field *field = &type->fields[i];
        const struct span *presumed = top ? &json->presumed_spans[i] : NULL;
        if (spans[i].here)
            text_append(out, json->scratch.data + spans[i].start - begin,
                        spans[i].end - spans[i].start);
        else if (presumed && presumed->here)
            text_append(out, json->presumed.data + presumed->start,
                        presumed->end - presumed->start);
        else if (field->default_bytes)
            text_append(out, field->default_bytes, field->default_len);
        else
            return jsonscan_fail(&json->scan, object,
                                 "the field \"%s\" is missing (it has no default)", field->name);
    }
    return true;
}

/* The members of an object, whose brace was taken; top: of the line itself. */
static bool take_members(struct jsonavro *json, const struct avro_type *type, size_t base,
                         bool top, bool *in_order)
{
    struct jsonscan *scan = &json->scan;
    uint32_t next = 0;
    *in_order = true;
    for (bool any = jsonscan_peek(scan) != '}'; any;) {
        const char *name, *at = scan->at;
        size_t len;
        if (!jsonscan_string(scan, &name, &len))
            return false;
        uint32_t i = find_field(type, next < type->count ? next : 0, name, len);
        bool meta = i == type->count && top && len > 0 && *name == '@' && json->meta;
        if (i == type->count && !meta)
            return fail_field(json, type, at, name, len);
        char copy[16] = {0}; /* the value's string may take the place of the name */
        if (meta)
            memcpy(copy, name, len < sizeof copy ? len : sizeof copy);
        if (!jsonscan_take(scan, ':'))
            return false;
        if (meta) {
            if (!take_meta(json, at, copy, len < sizeof copy ? len : sizeof copy))
                return false;
        } else {
            if (json->spans[base + i].here)
                return jsonscan_fail(scan, at, "the field \"%s\" comes twice",
                                     type->fields[i].name);
            size_t start = json->out->len;
            if (!put_value(json, type->fields[i].type))
                return false;
            json->spans[base + i] = (struct span){start, json->out->len, true};
            *in_order &= i == next;
            next = i + 1;
        }
        jsonscan_peek(scan);
        any = scan->at < scan->end && *scan->at == ',';
        if (any) {
            scan->at++;
            jsonscan_blanks(scan);
        }
    }
    *in_order &= next == type->count;
    return jsonscan_take(scan, '}');
}

static bool put_record(struct jsonavro *json, const struct avro_type *type, bool top)
{
    jsonscan_blanks(&json->scan);
    const char *object = json->scan.at;
    size_t begin = json->out->len, base = json->span_count;
    bool in_order;
    if (!jsonscan_take(&json->scan, '{'))
        return false;
    open_spans(json, type->count);
    if (!take_members(json, type, base, top, &in_order))
        return false;
    bool tombstone = top && json->meta && json->meta->tombstone;
    bool ok = in_order || tombstone || assemble(json, type, json->spans + base, begin, object, top);
    json->span_count = base;
    return ok;
}

static bool put_nested(struct jsonavro *json, const struct avro_type *type)
{
    if (json->depth == JSONAVRO_MAX_DEPTH)
        return jsonscan_fail(&json->scan, json->scan.at, "nested deeper than %d",
                             JSONAVRO_MAX_DEPTH);
    json->depth++;
    bool ok = type->kind == AVRO_KIND_RECORD ? put_record(json, type, false)
                                             : put_items(json, type);
    json->depth--;
    return ok;
}

static bool put_value(struct jsonavro *json, const struct avro_type *type)
{
    switch ((enum avro_kind)type->kind) {
    case AVRO_KIND_RECORD:
    case AVRO_KIND_ARRAY:
    case AVRO_KIND_MAP:
        return put_nested(json, type);
    case AVRO_KIND_UNION:
        return put_union(json, type);
    default:
        return jsonscalar_put(&json->scan, type, &json->scratch, json->out);
    }
}

/* ---- lines ---- */

static void begin(struct jsonavro *json, const char *line, size_t len, struct text *out,
                  struct jsonavro_meta *meta)
{
    json->scan.start = json->scan.at = line;
    json->scan.end = line + len;
    json->out = out;
    json->meta = meta;
    json->span_count = 0;
    json->depth = 0;
}

/* ok, and nothing stands behind the object; else the error. */
static bool end(struct jsonavro *json, bool ok, struct jsonavro_error *err)
{
    struct jsonscan *scan = &json->scan;
    if (ok && (jsonscan_blanks(scan), scan->at < scan->end))
        ok = jsonscan_fail(scan, scan->at, "something stands behind the object");
    if (ok)
        return true;
    err->column = (size_t)(scan->at - scan->start) + 1;
    (void)snprintf(err->message, sizeof err->message, "%s", scan->message);
    return false;
}

/* {"@op": "idle", "@partition": 0, "as_of": T}, whose first name was taken. */
static bool take_op(struct jsonavro *json)
{
    struct jsonscan *scan = &json->scan;
    const char *string, *at;
    size_t len;
    bool timed = false;
    if (!jsonscan_take(scan, ':'))
        return false;
    jsonscan_blanks(scan);
    at = scan->at;
    if (!jsonscan_string(scan, &string, &len))
        return false;
    if (len != 4 || memcmp(string, "idle", len) != 0)
        return jsonscan_fail(scan, at, "there is no @op but \"idle\"");
    json->meta->idle = true;
    while (jsonscan_peek(scan) == ',') {
        scan->at++;
        jsonscan_blanks(scan);
        at = scan->at;
        if (!jsonscan_string(scan, &string, &len))
            return false;
        bool as_of = len == 5 && memcmp(string, "as_of", len) == 0;
        bool partition = len == 10 && memcmp(string, "@partition", len) == 0;
        if (!as_of && !partition)
            return jsonscan_fail(scan, at, "an idle line has @op, @partition and as_of");
        if (!jsonscan_take(scan, ':') ||
            !(as_of ? jsonscan_long(scan, "as_of", &json->meta->as_of_ms)
                    : take_meta(json, at, "@partition", len)))
            return false;
        timed |= as_of;
    }
    if (!timed)
        return jsonscan_fail(scan, scan->at, "as_of is missing");
    return jsonscan_take(scan, '}');
}

bool jsonavro_line(struct jsonavro *json, const char *line, size_t len, struct text *out,
                   struct jsonavro_meta *meta, struct jsonavro_error *err)
{
    static const char op[] = "\"@op\"";
    struct jsonscan *scan = &json->scan;
    *meta = (struct jsonavro_meta){0};
    begin(json, line, len, out, meta);
    if (jsonscan_peek(scan) == '{') {
        const char *object = scan->at++;
        jsonscan_blanks(scan);
        if (jsonscan_word(scan, op))
            return end(json, take_op(json), err);
        scan->at = object;
    }
    return end(json, put_record(json, json->schema->root, true), err);
}

bool jsonavro_presume(struct jsonavro *json, const char *object, size_t len,
                      struct jsonavro_error *err)
{
    const struct avro_type *type = json->schema->root;
    bool in_order;
    text_clear(&json->presumed);
    memset(json->presumed_spans, 0, type->count * sizeof *json->presumed_spans);
    begin(json, object, len, &json->presumed, NULL);
    bool ok = jsonscan_take(&json->scan, '{');
    if (ok) {
        open_spans(json, type->count);
        ok = take_members(json, type, 0, true, &in_order);
    }
    if (!end(json, ok, err))
        return false;
    memcpy(json->presumed_spans, json->spans, type->count * sizeof *json->spans);
    return true;
}
