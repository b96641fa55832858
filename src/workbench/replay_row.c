/* Rows as lines of JSON. Members that do not apply are left out; what is not known yet is null. */
#include "replay_row.h"

#include <string.h>

#include "rowjson.h"

static void put(const char *name, struct text *out)
{
    text_append_string(out, name);
}

static void put_time(const char *name, struct event_time time, struct text *out)
{
    put(name, out);
    if (time.ms == EVENT_TIME_MIN.ms)
        put("null", out);
    else
        text_append_long(out, time.ms);
}

static void put_place(const char *name, int64_t number, struct text *out)
{
    put(name, out);
    if (number == REPLAY_NONE)
        put("null", out);
    else
        text_append_long(out, number);
}

static void put_session(const struct replay_row *row, struct text *out)
{
    const struct effect_session *session = row->session;
    put(",\"session\":{\"id\":", out);
    text_append_long(out, session->id);
    put(",\"start\":", out);
    text_append_long(out, session->start_ms);
    put(",\"last\":", out);
    text_append_long(out, session->last_ms);
    put(session->open ? ",\"open\":true,\"count\":" : ",\"open\":false,\"count\":", out);
    text_append_long(out, session->events);
    text_append_char(out, '}');
}

static void put_verdict(const struct verdict *verdict, struct text *out)
{
    put(",\"fate\":\"", out);
    put(fate_rows[verdict->fate].name, out);
    text_append_char(out, '"');
    if (verdict->fate == FATE_LATE || verdict->fate == FATE_WINDOWS_ONLY)
        put_place(",\"late_by_ms\":", verdict->late_by_ms, out);
}

static void put_asked(const struct replay_row *row, struct text *out)
{
    put_time(",\"time\":", row->asked, out);
    if (row->kind != REPLAY_LABEL)
        return;
    put(row->final ? ",\"knowledge\":\"final\",\"label\":" : ",\"knowledge\":\"then\",\"label\":",
        out);
    put(row->label, out);
}

void replay_row_json(const struct replay_row *row, struct text *out)
{
    put("{\"kind\":\"", out);
    put(replay_kind_names[row->kind], out);
    put("\",\"key\":", out);
    if (row->key)
        text_append_json_string(out, row->key, row->key_len);
    else
        put("null", out);
    put_time(",\"as_of\":", row->as_of, out);
    put_time(",\"watermark\":", row->watermark, out);
    put_place(",\"partition\":", row->partition, out);
    put_place(",\"offset\":", row->offset, out);
    if (row->verdict)
        put_verdict(row->verdict, out);
    if (row->kind == REPLAY_AS_OF || row->kind == REPLAY_LABEL)
        put_asked(row, out);
    if (row->session || row->row) {
        put(",\"rev\":", out);
        text_append_long(out, row->session ? row->session->rev : (int64_t)row->row->rev);
    }
    if (row->session)
        put_session(row, out);
    if (row->row) {
        put(",\"features\":", out);
        rowjson_features(row->row, out);
        put(",\"v\":\"", out);
        rowjson_version(row->row->set->version, out);
        text_append_char(out, '"');
    }
    put("}\n", out);
}
