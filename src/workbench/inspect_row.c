/* What Redis has is shown, not what should be there: a value that is none of its feature's type is
 * a string. */
#include "inspect_row.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "jsonscan.h"
#include "replay_setup.h"
#include "rowjson.h"
#include "verify_redis.h"

/* Numbers, lists and maps stand as JSON already. */
static bool is_json(const struct verify_field *field)
{
    struct jsonscan scan = {.start = field->s, .at = field->s, .end = field->s + field->len};
    bool whole = jsonscan_skip(&scan) && scan.at == scan.end;
    text_free(&scan.unescaped);
    return whole;
}

static void put_value(const struct feature *feature, const struct verify_field *field,
                      struct text *out)
{
    bool plain = !feature->is_list && feature->by < 0;
    if (!field->s)
        text_append_string(out, "null");
    else if (plain && feature->kind.type == VALUE_BYTES)
        text_append_json_bytes(out, field->s, field->len);
    else if (plain && feature->kind.type == VALUE_BOOL && strcmp(field->s, "1") == 0)
        text_append_string(out, "true");
    else if (plain && feature->kind.type == VALUE_BOOL && strcmp(field->s, "0") == 0)
        text_append_string(out, "false");
    else if ((!plain || feature->kind.type != VALUE_STRING) && is_json(field))
        text_append(out, field->s, field->len);
    else
        text_append_json_string(out, field->s, field->len);
}

static void put_row(const struct verify_row *row, const char *layout,
                    const struct feature_set *shown, struct text *out)
{
    text_append_string(out, "{\"key\":");
    text_append_json_string(out, row->key, row->key_len);
    text_printf(out, ",\"layout\":\"%s\",\"_as_of\":%lld,\"_p\":%d", layout,
                (long long)row->as_of_ms, row->partition);
    text_printf(out, ",\"_rev\":%lld,\"_o\":%lld,\"_v\":", (long long)row->rev,
                (long long)row->offset);
    text_append_json_string(out, row->version, strlen(row->version));
    if (row->warming[0]) {
        text_append_string(out, ",\"_w\":");
        text_append_json_string(out, row->warming, strlen(row->warming));
    }
    for (int i = 0; shown && i < shown->count; i++) {
        text_printf(out, ",\"%s\":", shown->features[i].name);
        put_value(&shown->features[i], &row->fields[i], out);
    }
    text_append_string(out, "}\n");
}

/* A packed row of another feature set cannot be read without its schema. */
static bool is_readable(const struct verify_row *row, const struct feature_set *set,
                        enum rowlayout_kind kind)
{
    struct text version = {0};
    rowjson_version(set->version, &version);
    bool same = strcmp(version.data, row->version) == 0;
    if (!same)
        fprintf(stderr, "freshet inspect: the row is of the feature set %s, the configuration "
                "has %s%s\n", row->version, version.data,
                kind == ROWLAYOUT_PACKED ? ": its features cannot be read" : "");
    text_free(&version);
    return same || kind == ROWLAYOUT_HASH;
}

int inspect_row(const char *config, const char *key)
{
    struct replay_setup_options options = {.config = config};
    struct replay_setup setup;
    struct verify_rows rows = {0};
    struct text out = {0};
    enum rowlayout_kind kind;
    int status = replay_setup_open(&options, &setup);
    if (status != 0)
        return status;
    const struct feature_set *set = setup.model->set;
    struct verify_redis *redis = verify_redis_open(setup.config, set);
    if (!verify_redis_find(redis, key, strlen(key), &rows, &kind)) {
        fprintf(stderr, "freshet inspect: %s\n", verify_redis_error(redis));
        status = EX_UNAVAILABLE;
    } else if (rows.count == 0) {
        fprintf(stderr, "freshet inspect: %s has no row\n", key);
        status = EX_NOINPUT;
    } else {
        bool readable = is_readable(rows.list[0], set, kind);
        put_row(rows.list[0], config_rows[CONFIG_ROW_redis_layout].words[kind],
                readable ? set : NULL, &out);
        fwrite(out.data, 1, out.len, stdout);
        status = readable ? EX_OK : EX_DATAERR;
    }
    verify_redis_close(redis);
    verify_rows_free(&rows);
    text_free(&out);
    replay_setup_close(&setup);
    return status;
}
