/* Rows as Avro: one record for all kinds; what a kind does not have is null. */
#include <string.h>

#include "jsonscalar.h"
#include "replay_row.h"
#include "rowavro.h"
#include "rowhash.h"
#include "rowjson.h"

void replay_row_schema(const struct feature_set *set, enum value_type key, struct text *out)
{
    text_printf(
        out, "{\"type\":\"record\",\"name\":\"row\",\"namespace\":\"freshet\",\"fields\":["
             "{\"name\":\"kind\",\"type\":\"string\"},"
             "{\"name\":\"key\",\"type\":[\"null\",\"%s\"]},"
             "{\"name\":\"as_of\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":"
             "\"timestamp-millis\"}]},"
             "{\"name\":\"watermark\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":"
             "\"timestamp-millis\"}]},"
             "{\"name\":\"partition\",\"type\":[\"null\",\"int\"]},"
             "{\"name\":\"offset\",\"type\":[\"null\",\"long\"]},"
             "{\"name\":\"fate\",\"type\":[\"null\",\"string\"]},"
             "{\"name\":\"late_by_ms\",\"type\":[\"null\",\"long\"]},"
             "{\"name\":\"time\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":"
             "\"timestamp-millis\"}]},"
             "{\"name\":\"knowledge\",\"type\":[\"null\",\"string\"]},"
             "{\"name\":\"label\",\"type\":[\"null\",\"string\"],\"doc\":\"The columns as JSON\"},"
             "{\"name\":\"rev\",\"type\":[\"null\",\"long\"]},"
             "{\"name\":\"session\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"session\","
             "\"fields\":[{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"start\",\"type\":"
             "\"long\"},{\"name\":\"last\",\"type\":\"long\"},{\"name\":\"open\",\"type\":"
             "\"boolean\"},{\"name\":\"count\",\"type\":\"long\"}]}]},"
             "{\"name\":\"features\",\"type\":[\"null\",{\"type\":\"record\",\"name\":"
             "\"features\",\"fields\":[", key == VALUE_BYTES ? "bytes" : "string");
    rowavro_fields(set, out);
    text_append_string(out, "]}]},{\"name\":\"v\",\"type\":[\"null\",\"string\"]}]}");
}

/* ---- values ---- */

static void put_string(const char *string, struct text *out)
{
    jsonscalar_put_bytes(out, string, strlen(string));
}

/* The branch of a union of null and something: what follows is there or not. */
static bool put_branch(bool here, struct text *out)
{
    text_append_char(out, here ? 2 : 0);
    return here;
}

static void put_optional_string(const char *string, struct text *out)
{
    if (put_branch(string != NULL, out))
        put_string(string, out);
}

static void put_optional_long(bool here, int64_t number, struct text *out)
{
    if (put_branch(here, out))
        jsonscalar_put_long(out, number);
}

static void put_time(struct event_time time, struct text *out)
{
    put_optional_long(time.ms != EVENT_TIME_MIN.ms, time.ms, out);
}

static void put_session(const struct effect_session *session, struct text *out)
{
    if (!put_branch(session != NULL, out))
        return;
    jsonscalar_put_long(out, session->id);
    jsonscalar_put_long(out, session->start_ms);
    jsonscalar_put_long(out, session->last_ms);
    text_append_char(out, session->open ? 1 : 0);
    jsonscalar_put_long(out, session->events);
}

void replay_row_avro(const struct replay_row *row, struct text *out)
{
    const struct verdict *verdict = row->verdict;
    bool late = verdict && (verdict->fate == FATE_LATE || verdict->fate == FATE_WINDOWS_ONLY);
    bool label = row->kind == REPLAY_LABEL;
    bool asked = label || row->kind == REPLAY_AS_OF;
    put_string(replay_kind_names[row->kind], out);
    if (put_branch(row->key != NULL, out))
        jsonscalar_put_bytes(out, row->key, row->key_len);
    put_time(row->as_of, out);
    put_time(row->watermark, out);
    put_optional_long(row->partition != REPLAY_NONE, row->partition, out);
    put_optional_long(row->offset != REPLAY_NONE, row->offset, out);
    put_optional_string(verdict ? fate_rows[verdict->fate].name : NULL, out);
    put_optional_long(late, late ? verdict->late_by_ms : 0, out);
    put_optional_long(asked, row->asked.ms, out);
    put_optional_string(!label ? NULL : row->final ? "final" : "then", out);
    put_optional_string(label ? row->label : NULL, out);
    int64_t rev = row->session ? row->session->rev : row->row ? (int64_t)row->row->rev : 0;
    put_optional_long(row->session || row->row, rev, out);
    put_session(row->session, out);
    if (put_branch(row->row != NULL, out))
        rowavro_features(row->row, out);
    if (put_branch(row->row != NULL, out)) {
        jsonscalar_put_long(out, ROWHASH_VERSION);
        rowjson_version(row->row->set->version, out);
    }
}
