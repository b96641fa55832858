/* For tests of the core: rules, a feature set from text, a shard, and events to feed it. */
#include "corekit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES_MAX = 512, LINE_MAX_BYTES = 256, TEXT_MAX = 32768 };

static const struct {
    const char *path;
    struct value_kind kind;
} fields[SLOT_COUNT] = {
    [SLOT_KEY] = {"key", {VALUE_STRING, true}},     [SLOT_TS] = {"event_time", {VALUE_LONG, true}},
    [SLOT_TYPE] = {"type", {VALUE_STRING, true}},   [SLOT_ITEM] = {"item", {VALUE_STRING, true}},
    [SLOT_PRICE] = {"price", {VALUE_DOUBLE, true}}, [SLOT_N] = {"n", {VALUE_LONG, true}},
    [SLOT_ID] = {"id", {VALUE_LONG, true}},
};

static int resolve(void *self, const char *path, size_t path_len, struct value_kind *kind,
                   char *err, size_t err_size)
{
    (void)self;
    for (int k = 0; k < SLOT_COUNT; k++) {
        if (strlen(fields[k].path) == path_len && memcmp(fields[k].path, path, path_len) == 0) {
            *kind = fields[k].kind;
            return k;
        }
    }
    snprintf(err, err_size, "no field %.*s", (int)path_len, path);
    return -1;
}

struct fieldspace corekit_fields(void)
{
    return (struct fieldspace){.resolve = resolve};
}

static struct value text_value(const char *text)
{
    return text ? value_text(VALUE_STRING, text, (uint32_t)strlen(text)) : value_null();
}

void corekit_slots(const struct corekit_event *event, struct value slots[SLOT_COUNT])
{
    slots[SLOT_KEY] = text_value(event->key);
    slots[SLOT_TS] = event->ts_ms == CORE_NO_TS ? value_null() : value_long(event->ts_ms);
    slots[SLOT_TYPE] = text_value(event->type);
    slots[SLOT_ITEM] = text_value(event->item);
    slots[SLOT_PRICE] =
        event->price == CORE_NO_PRICE ? value_null() : value_double(event->price);
    slots[SLOT_ID] = event->id == 0 ? value_null() : value_long(event->id);
    slots[SLOT_N] = event->n == CORE_NO_N ? value_null() : value_long(event->n);
}

/* ---- the features file ---- */

struct ini {
    char text[TEXT_MAX];
    struct feature_entry entries[ENTRIES_MAX];
    int count;
};

/* Cuts the text into entries in place: `[section]` and `key = value` lines. */
static void ini_split(struct ini *ini)
{
    const char *section = NULL;
    int number = 0;
    for (char *line = ini->text, *end; *line; line = end) {
        number++;
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        line += strspn(line, " ");
        if (*line == '\0')
            continue;
        assert_true(ini->count < ENTRIES_MAX);
        struct feature_entry *entry = &ini->entries[ini->count++];
        *entry = (struct feature_entry){.line = number};
        if (*line == '[') {
            line[strcspn(line, "]")] = '\0';
            section = line + 1;
        } else {
            char *equals = strchr(line, '=');
            assert_non_null(equals);
            *equals = '\0';
            line[strcspn(line, " ")] = '\0';
            entry->key = line;
            entry->value = equals + 1 + strspn(equals + 1, " ");
        }
        entry->section = section;
    }
}

struct feature_set *corekit_features(const char *text)
{
    static struct ini ini;
    memset(&ini, 0, sizeof ini);
    assert_true(strlen(text) < sizeof ini.text);
    memcpy(ini.text, text, strlen(text) + 1);
    ini_split(&ini);
    struct fieldspace space = corekit_fields();
    struct feature_errors errors = {0};
    struct feature_set *set = feature_set_load(ini.entries, ini.count, &space, "", &errors);
    for (int k = 0; k < errors.count; k++)
        print_error("features:%d: %s\n", errors.list[k].line, errors.list[k].message);
    assert_int_equal(errors.count, 0);
    assert_non_null(set);
    feature_errors_free(&errors);
    return set;
}

/* ---- rules and shard ---- */

void corekit_init(struct corekit *kit, const char *features)
{
    *kit = (struct corekit){.set = corekit_features(features)};
    kit->rules = (struct rules){
        .key_slot = SLOT_KEY,
        .time_slot = SLOT_TS,
        .session_slot = -1,
        .id_slot = -1,
        .set = kit->set,
        .max_future_skew = {3600000},
        .window_lateness = {10},
        .gap = {10},
        .cut_at_ms = -1,
        .cut_every = {86400000},
        .keep = {1000},
        .dedup_window = {100},
        .dedup_max = 1000,
        .max_keys = 1000000,
    };
}

static struct expr *compile(const char *text)
{
    struct fieldspace space = corekit_fields();
    struct expr_error error;
    struct expr *expr = expr_compile(text, &space, &error);
    assert_non_null(expr);
    return expr;
}

void corekit_where(struct corekit *kit, const char *text)
{
    kit->rules.where = kit->where = compile(text);
}

void corekit_end_when(struct corekit *kit, const char *text)
{
    kit->rules.end_when = kit->end_when = compile(text);
}

void corekit_open(struct corekit *kit)
{
    kit->shard = shard_open(&kit->rules, 0, INT64_MIN);
}

void corekit_start(struct corekit *kit, const char *features)
{
    corekit_init(kit, features);
    corekit_open(kit);
}

void corekit_fini(struct corekit *kit)
{
    shard_close(kit->shard);
    arena_free(&kit->arena);
    feature_set_free(kit->set);
    expr_free(kit->where);
    expr_free(kit->end_when);
}

enum fate corekit_event(struct corekit *kit, const struct corekit_event *event)
{
    struct value slots[SLOT_COUNT];
    corekit_slots(event, slots);
    struct record record = {
        .offset = kit->offset++,
        .record_time_ms = event->record_ms ? event->record_ms : event->ts_ms,
        .fate = FATE_NONE,
        .slots = slots,
    };
    shard_apply(kit->shard, &record, 1, &kit->verdict);
    return kit->verdict.fate;
}

enum fate corekit_click(struct corekit *kit, const char *key, int64_t ts_ms)
{
    struct corekit_event event = {
        .key = key, .ts_ms = ts_ms, .type = "click", .item = "a", .n = 1};
    return corekit_event(kit, &event);
}

struct shard_status corekit_status(const struct corekit *kit)
{
    struct shard_status status;
    shard_status(kit->shard, &status);
    return status;
}

static bool peek(struct corekit *kit, const char *key, struct row *row)
{
    return shard_peek(kit->shard, key, strlen(key), &kit->arena, row);
}

struct value corekit_value(struct corekit *kit, const char *key, const char *feature)
{
    struct row row;
    assert_true(peek(kit, key, &row));
    int at = feature_set_find(kit->set, feature);
    assert_true(at >= 0);
    return row.values[at];
}

int64_t corekit_long(struct corekit *kit, const char *key, const char *feature)
{
    struct value value = corekit_value(kit, key, feature);
    assert_true(value.type == VALUE_LONG || value.type == VALUE_BOOL);
    return value.i;
}

bool corekit_is_null(struct corekit *kit, const char *key, const char *feature)
{
    return corekit_value(kit, key, feature).type == VALUE_NULL;
}

bool corekit_known(struct corekit *kit, const char *key)
{
    return shard_holds_key(kit->shard, key, strlen(key));
}

uint64_t corekit_rev(struct corekit *kit, const char *key)
{
    struct row row;
    assert_true(peek(kit, key, &row));
    return row.rev;
}

/* ---- delivery ---- */

void corekit_grant(struct corekit *kit)
{
    struct lease *lease = shard_lease(kit->shard);
    lease_acquiring(lease, "0123456789abcdef0123456789abcdef");
    struct lease_grant grant = {.had_own = true, .hw = -1, .as_of_ms = INT64_MIN};
    assert_false(lease_granted(lease, &grant, 0, false));
}

void corekit_advance(struct corekit *kit, int64_t idle_now_ms)
{
    while (!shard_advance(kit->shard, idle_now_ms))
        continue;
}

int corekit_batch(struct corekit *kit, struct shard_batch *batch, int max, char keys[][16])
{
    corekit_advance(kit, INT64_MIN);
    shard_batch_begin(kit->shard, batch);
    struct row row;
    while (batch->count < max &&
           shard_batch_next(kit->shard, batch, &kit->arena, 1, 0, &row))
        if (keys)
            snprintf(keys[batch->count - 1], 16, "%.*s", (int)row.key_len, row.key);
    return batch->count;
}

int corekit_flush(struct corekit *kit)
{
    int rows = 0;
    corekit_advance(kit, INT64_MIN);
    while (shard_has_rows(kit->shard)) {
        struct shard_batch batch;
        rows += corekit_batch(kit, &batch, SHARD_BATCH_KEYS, NULL);
        shard_batch_end(kit->shard, &batch, true);
    }
    return rows;
}
