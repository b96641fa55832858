/* Packing goes straight from values to bytes; reading goes by a plan, as for any datum. */
#include "rowpack.h"

#include <endian.h>
#include <string.h>

#include "avrofingerprint.h"
#include "expect.h"
#include "framing.h"
#include "resp.h"
#include "rowavro.h"
#include "rowhash.h"

/* set NULL: of what all rows have. */
static struct avroschema *schema_of(const struct feature_set *set)
{
    struct text json = {0};
    struct avro_error err;
    rowavro_schema(set, &json);
    struct avroschema *schema =
        avroschema_parse(json.data, json.len, NULL, 0, AVROSCHEMA_READER, &err);
    expect(schema != NULL);
    text_free(&json);
    return schema;
}

/* ---- writing ---- */

void rowpack_init(struct rowpack *pack, const struct feature_set *set)
{
    struct avroschema *schema = schema_of(set);
    uint64_t fingerprint = htole64(avrofingerprint_of(schema));
    *pack = (struct rowpack){.set = set, .head = {0xc3, 0x01}};
    memcpy(pack->head + 2, &fingerprint, sizeof fingerprint);
    text_reserve(&pack->row, ROWPACK_HEAD); /* never NULL: a removed row copies nothing from it */
    avroschema_free(schema);
}

void rowpack_fini(struct rowpack *pack)
{
    text_free(&pack->row);
}

void rowpack_append(struct rowpack *pack, const struct row *row, struct text *out)
{
    expect(row->set == pack->set);
    enum rowpack_flag flag = row->removed  ? ROWPACK_REMOVE
                             : row->expire ? ROWPACK_EXPIRE
                                           : ROWPACK_KEEP;
    text_clear(&pack->row);
    if (!row->removed) {
        text_append(&pack->row, pack->head, sizeof pack->head);
        rowavro_record(row, &pack->row);
    }
    char digit = (char)('0' + flag);
    char *p = text_reserve(out, pack->row.len + 2 * RESP_BULK_OVERHEAD);
    p = resp_put_bulk(p, &digit, 1);
    resp_finish(out, resp_put_bulk(p, pack->row.data, pack->row.len));
}

/* ---- reading ---- */

void rowpack_reader_init(struct rowpack_reader *reader, const struct feature_set *set)
{
    struct avro_error err;
    *reader = (struct rowpack_reader){.schema = schema_of(set), .common_schema = schema_of(NULL)};
    reader->plan = avroplan_compile(reader->schema, reader->schema, NULL, true, &err);
    reader->common =
        avroplan_compile(reader->common_schema, reader->common_schema, NULL, false, &err);
    expect(reader->plan && reader->common);
    reader->fingerprint = avrofingerprint_of(reader->schema);
}

void rowpack_reader_fini(struct rowpack_reader *reader)
{
    avroplan_free(reader->plan);
    avroplan_free(reader->common);
    avroschema_free(reader->schema);
    avroschema_free(reader->common_schema);
    text_free(&reader->value);
}

/* Where in a record we are. */
struct reading {
    struct text *value;
    const char *name; /* of the field */
    bool inside;      /* its list or map */
    bool comma;       /* before the next item */
    rowpack_field *field;
    void *context;
};

static void tell(struct reading *at)
{
    at->field(at->context, at->name, at->value->len > 0 ? at->value->data : "", at->value->len);
}

static void put_comma(struct reading *at)
{
    if (at->comma)
        text_append_char(at->value, ',');
    at->comma = true;
}

static void take_value(struct reading *at, const struct value *value)
{
    if (at->inside) {
        put_comma(at);
        rowhash_append_item(value, at->value);
    } else if (value->type != VALUE_NULL) {
        rowhash_append_value(value, at->value);
        tell(at);
    }
}

static void take_group(struct reading *at, const struct value *name)
{
    put_comma(at);
    at->comma = false;
    text_append_json_string(at->value, name->s, name->len);
    text_append_char(at->value, ':');
}

static void on_event(void *self, enum avro_event event, struct value value)
{
    struct reading *at = self;
    switch (event) {
    case AVRO_EVENT_RECORD:
        return;
    case AVRO_EVENT_FIELD:
        at->name = value.s;
        text_clear(at->value);
        return;
    case AVRO_EVENT_ARRAY:
    case AVRO_EVENT_MAP:
        text_append_char(at->value, event == AVRO_EVENT_MAP ? '{' : '[');
        at->inside = true;
        at->comma = false;
        return;
    case AVRO_EVENT_KEY:
        take_group(at, &value);
        return;
    case AVRO_EVENT_VALUE:
        take_value(at, &value);
        return;
    case AVRO_EVENT_END:
    case AVRO_EVENT_END_ARRAY:
        if (!at->inside)
            return; /* of the record */
        text_append_char(at->value, event == AVRO_EVENT_END ? '}' : ']');
        at->inside = false;
        tell(at);
        return;
    }
}

enum rowpack_result rowpack_read(struct rowpack_reader *reader, const char *bytes, size_t len,
                                 rowpack_field *field, void *context)
{
    struct framing_result framed;
    struct avro_error err;
    struct reading reading = {.value = &reader->value, .field = field, .context = context};
    struct avroplan_sink sink = {&reading, on_event};
    if (!framing_parse(FRAMING_SINGLE_OBJECT, NULL, 0, bytes, len, &framed, &err))
        return ROWPACK_NO_ROW;
    bool ours = framed.fingerprint == reader->fingerprint;
    if (!avroplan_walk(ours ? reader->plan : reader->common, framed.body, framed.len, &sink, &err))
        return ROWPACK_NO_ROW;
    return ours ? ROWPACK_READ : ROWPACK_OTHER;
}
