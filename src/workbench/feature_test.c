/* `freshet test`: the features' own example tests.
 *
 * A file of cases is JSON lines. Lines of events are those of a replay; the others are
 *   {"@settings": {"schema": "click.avsc", "gap": "30m"}}   first: options that were not given
 *   {"@case": "NAME"}                                        a new case, with no events yet
 *   {"@presume": {...}}                fields that events from here on have unless they say
 *                                      otherwise
 *   {"@key": K, "@at": T, "@row": {...}}  what the row of the key shows at T, or now */
#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "avroplan.h"
#include "effect.h"
#include "expect.h"
#include "feature_compare.h"
#include "jsonavro.h"
#include "jsonscan.h"
#include "pool.h"
#include "readfile.h"
#include "replay_setup.h"
#include "shard.h"
#include "workbench.h"

enum { CASES_MAX_BYTES = 64 << 20 };

struct tester {
    struct replay_setup_options options;
    const char *features, *path;
    struct replay_setup setup;
    struct avroplan *plan;
    struct jsonavro *json;
    struct shard *shard; /* of the case; one partition is enough for examples */
    int64_t line, next_offset;
    struct text name;   /* of the case; empty: none has begun */
    struct text wrong;  /* what differs in the case */
    struct text datum;
    struct arena arena; /* of the line */
    int cases, bad_cases, rows, bad_rows, case_rows;
    int status;
};

static bool fail(struct tester *tester, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct tester *tester, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "freshet test: %s:%lld: ", tester->path, (long long)tester->line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    tester->status = EX_DATAERR;
    return false;
}

/* ---- cases ---- */

static void end_case(struct tester *tester)
{
    if (tester->case_rows == 0 && tester->wrong.len == 0 && tester->name.len == 0)
        return;
    bool ok = tester->wrong.len == 0;
    printf("%s  %s (%d rows)\n", ok ? "ok  " : "FAIL",
           tester->name.len > 0 ? tester->name.data : "unnamed", tester->case_rows);
    if (!ok)
        fwrite(tester->wrong.data, 1, tester->wrong.len, stdout);
    tester->cases++;
    tester->bad_cases += !ok;
    text_clear(&tester->wrong);
    text_clear(&tester->name);
    tester->case_rows = 0;
}

static void begin_case(struct tester *tester, const char *name)
{
    end_case(tester);
    text_append_string(&tester->name, name);
    shard_close(tester->shard);
    tester->shard = shard_open(&tester->setup.model->rules, 0, INT64_MIN);
    tester->next_offset = 0;
}

/* ---- settings and model ---- */

static bool take_setting(struct tester *tester, const struct json_node *setting)
{
    char option[80];
    char *value;
    if (setting->type != JSON_TREE_STRING)
        return fail(tester, "the setting %s is a string", setting->key);
    (void)snprintf(option, sizeof option, "--%s", setting->key);
    bool is_path = strcmp(setting->key, "schema") == 0;
    value = is_path ? readfile_beside(tester->path, setting->text) : memory_strdup(setting->text);
    bool known = replay_setup_default(&tester->options, option, value);
    memory_free(value);
    return known || fail(tester, "there is no setting \"%s\"", setting->key);
}

static bool open_model(struct tester *tester, const struct json_node *settings)
{
    struct avro_error err;
    for (const struct json_node *one = settings ? settings->first : NULL; one; one = one->next)
        if (!take_setting(tester, one))
            return false;
    replay_setup_put(&tester->options, CONFIG_ROW_features_file, tester->features, "FEATURES");
    tester->status = replay_setup_open(&tester->options, &tester->setup);
    if (tester->status != 0)
        return false;
    const struct model *model = tester->setup.model;
    tester->plan = avroplan_compile(model->reader, model->reader, model->projection, false, &err);
    expect(tester->plan != NULL);
    tester->json = jsonavro_new(model->reader);
    tester->shard = shard_open(&model->rules, 0, INT64_MIN);
    return true;
}

/* ---- lines ---- */

static bool take_event(struct tester *tester, const char *text, size_t len)
{
    const struct model *model = tester->setup.model;
    struct jsonavro_meta meta;
    struct jsonavro_error wrong;
    struct avro_error err;
    text_clear(&tester->datum);
    if (!jsonavro_line(tester->json, text, len, &tester->datum, &meta, &wrong))
        return fail(tester, "column %zu: %s", wrong.column, wrong.message);
    if (meta.partition != 0)
        return fail(tester, "the cases of a test have one partition");
    if (meta.idle) {
        shard_advance_to(tester->shard, meta.as_of_ms);
        return true;
    }
    struct value *slots =
        arena_alloc(&tester->arena, (size_t)(model->slot_count + 1) * sizeof *slots);
    struct record record = {
        .offset = meta.has_offset ? meta.offset : tester->next_offset,
        .record_time_ms = meta.has_record_time ? meta.record_time_ms : RECORD_NO_TIME,
        .fate = meta.tombstone ? FATE_TOMBSTONE : FATE_NONE,
        .slots = slots,
    };
    if (!meta.tombstone &&
        !avroplan_decode(tester->plan, tester->datum.data, tester->datum.len, slots, &err))
        return fail(tester, "%s", err.message);
    const struct value *time = &slots[model->rules.time_slot];
    if (!meta.tombstone && !meta.has_record_time && time->type == VALUE_LONG && time->i >= 0)
        record.record_time_ms = time->i;
    struct verdict verdict;
    shard_apply(tester->shard, &record, 1, &verdict);
    tester->next_offset = record.offset + 1;
    return true;
}

static bool take_presumed(struct tester *tester, const char *text, size_t len)
{
    struct jsonscan scan = {.start = text, .at = text, .end = text + len};
    struct jsonavro_error wrong;
    const char *name;
    size_t name_len;
    bool ok = jsonscan_take(&scan, '{') && jsonscan_string(&scan, &name, &name_len) &&
              jsonscan_take(&scan, ':');
    const char *from = scan.at;
    ok = ok && jsonscan_skip(&scan);
    text_free(&scan.unescaped);
    if (!ok)
        return fail(tester, "%s", scan.message);
    if (jsonavro_presume(tester->json, from, (size_t)(scan.at - from), &wrong))
        return true;
    return fail(tester, "column %zu: %s", (size_t)(from - text) + wrong.column, wrong.message);
}

static void print_time(int64_t ms, struct text *out)
{
    char digits[64];
    time_t seconds = (time_t)clock_floor_div(ms, 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(digits, sizeof digits, "%Y-%m-%dT%H:%M:%S", &parts);
    text_printf(out, "%s.%03dZ", digits, (int)(ms - clock_floor_div(ms, 1000) * 1000));
}

/* The time at which a row is asked for; the present one when it is not said. */
static bool row_time(struct tester *tester, const struct json_node *at, int64_t *ms)
{
    struct shard_status status;
    shard_status(tester->shard, &status);
    int64_t now = event_time_max(status.raw, status.as_of).ms;
    *ms = at ? at->integer : now;
    if (at && at->type == JSON_TREE_STRING && !text_parse_event_time(at->text, ms))
        return fail(tester, "@at: \"%s\" is no time", at->text);
    if (at && at->type != JSON_TREE_STRING && at->type != JSON_TREE_INTEGER)
        return fail(tester, "@at is a time such as 2026-01-31T00:00:00Z, or ms");
    if (*ms >= now)
        return true;
    return fail(tester, "@at is before the newest event: put the row before it");
}

static bool take_row(struct tester *tester, const struct json_node *line)
{
    const struct json_node *key = jsontree_get(line, "@key");
    const struct json_node *expected = jsontree_get(line, "@row");
    char digits[24];
    int64_t at;
    struct row row;
    bool named = key && (key->type == JSON_TREE_STRING || key->type == JSON_TREE_INTEGER);
    if (!named || !expected || expected->type != JSON_TREE_OBJECT)
        return fail(tester, "a row has @key and @row, an object of features");
    if (!row_time(tester, jsontree_get(line, "@at"), &at))
        return false;
    bool text = key->type == JSON_TREE_STRING;
    size_t len = text ? key->len : text_format_long(digits, key->integer);
    shard_row_at(tester->shard, text ? key->text : digits, len, at, &tester->arena, &row);
    struct text different = {0};
    int count = feature_compare(expected, &row, &different);
    tester->rows++;
    tester->case_rows++;
    tester->bad_rows += count > 0;
    if (count > 0) {
        text_printf(&tester->wrong, "    %s:%lld: %.*s at ", tester->path,
                    (long long)tester->line, (int)len, text ? key->text : digits);
        print_time(at, &tester->wrong);
        text_append_char(&tester->wrong, '\n');
        text_append(&tester->wrong, different.data, different.len);
    }
    bool ok = count >= 0 || fail(tester, "%s", different.data);
    text_free(&different);
    return ok;
}

static bool take_line(struct tester *tester, const char *text, size_t len)
{
    struct json_error err;
    arena_reset(&tester->arena);
    const struct json_node *line = jsontree_parse(&tester->arena, text, len, &err);
    if (!line || line->type != JSON_TREE_OBJECT)
        return fail(tester, "%s", line ? "a line is an object" : err.message);
    const struct json_node *settings = jsontree_get(line, "@settings");
    const struct json_node *name = jsontree_get(line, "@case");
    if (settings && tester->setup.model)
        return fail(tester, "@settings is the first line");
    if (!tester->setup.model && !open_model(tester, settings))
        return false;
    if (settings)
        return true;
    if (name && name->type != JSON_TREE_STRING)
        return fail(tester, "@case is the name of a case");
    if (name)
        begin_case(tester, name->text);
    else if (jsontree_get(line, "@presume"))
        return take_presumed(tester, text, len);
    else if (jsontree_get(line, "@row") || jsontree_get(line, "@key"))
        return take_row(tester, line);
    else
        return take_event(tester, text, len);
    return true;
}

static void run(struct tester *tester, const struct text *text)
{
    const char *at = text->data, *end = text->data + text->len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = stop ? (size_t)(stop - at) : (size_t)(end - at);
        tester->line++;
        bool blank = strspn(at, " \t\r") >= len;
        if (!blank && !take_line(tester, at, len))
            return;
        at += len + 1;
    }
    if (tester->setup.model)
        end_case(tester);
    if (tester->rows == 0)
        fail(tester, "there is no row to be tested");
}

/* ---- options ---- */

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct tester *tester = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &tester->options;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            return ARGP_ERR_UNKNOWN;
        *(state->arg_num == 0 ? &tester->features : &tester->path) = argument;
        return 0;
    case ARGP_KEY_END:
        if (!tester->path)
            argp_error(state, "name a features file and a file of cases");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int test_main(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&replay_setup_argp, 0, "What the events are, unless the cases say it:", 0}, {0}};
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "FEATURES CASES",
        .doc = "Runs the example tests of a features file: events in, expected rows at chosen "
               "times.\v"
               "CASES is JSON lines: events as for freshet replay, and between them "
               "{\"@case\": NAME}, {\"@presume\": {FIELD: VALUE, ...}}, "
               "{\"@key\": K, \"@at\": TIME, \"@row\": {FEATURE: VALUE, ...}}; the first may be "
               "{\"@settings\": {\"schema\": \"click.avsc\", \"gap\": \"30m\", ...}}, the options "
               "above without their dashes.\n\n"
               "Exit status: 0; 1 a row differs; 64 wrong usage; 65 the cases are malformed; 66 "
               "a file cannot be read; 78 features or schema are wrong. See freshet(1).",
        .children = children,
    };
    struct tester tester = {.status = 0};
    struct text text = {0};
    argp_err_exit_status = EX_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &tester);
    const char *why = readfile(tester.path, CASES_MAX_BYTES, &text);
    if (why) {
        fprintf(stderr, "freshet test: %s: %s\n", tester.path, why);
        tester.status = EX_NOINPUT;
    } else {
        text_append(&text, "", 0);
        run(&tester, &text);
    }
    if (tester.status == 0) {
        printf("%d cases, %d rows: %d cases failed, %d rows differ\n", tester.cases, tester.rows,
               tester.bad_cases, tester.bad_rows);
        tester.status = tester.bad_rows > 0 ? EXIT_FAILURE : EX_OK;
    }
    shard_close(tester.shard);
    jsonavro_free(tester.json);
    avroplan_free(tester.plan);
    replay_setup_close(&tester.setup);
    replay_setup_fini(&tester.options);
    text_free(&text);
    text_free(&tester.name);
    text_free(&tester.wrong);
    text_free(&tester.datum);
    arena_free(&tester.arena);
    return tester.status;
}
