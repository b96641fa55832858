/* Session cases collected from the tests of other stream processors (data/session_cases.json).
 *
 * A case speaks of a system that emits sessions; freshet shows the newest in a row. So the test
 * looks at the sessions of a key in state. After each record, at the watermark:
 *   final      a session is closed that was not before, by time alone
 *   corrected  a session that this record's event entered is closed: it was before, or is new
 *   retract    a session that was final or corrected has since changed or gone into another
 * The order of what one record causes is not compared. late = fate late or windows_only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "corekit.h"
#include "hash.h"
#include "operator.h"
#include "shardstate.h"

enum { PUBLISHED_MAX = 64, EMITS_MAX = 64, EMIT_BYTES = 160, KEYS_MAX = 8 };
static const char clock_key[] = "the clock";

struct published {
    char key[32];
    int64_t id, start_ms, last_ms;
    uint32_t events;
};

struct run {
    struct corekit kit;
    char keys[KEYS_MAX][32];
    int key_count;
    struct published published[PUBLISHED_MAX];
    int published_count;
    char emits[EMITS_MAX][EMIT_BYTES];
    int emit_count;
};

static const char *features_of(const char *agg)
{
    if (strcmp(agg, "sum") == 0)
        return "[feature agg]\nop = sum(price)\nover = session\n";
    if (strcmp(agg, "max") == 0)
        return "[feature agg]\nop = max(price)\nover = session\n";
    if (strcmp(agg, "min") == 0)
        return "[feature agg]\nop = min(price)\nover = session\n";
    if (strcmp(agg, "set") == 0)
        return "[feature agg]\nop = distinct(price)\nover = session\n";
    return "[feature agg]\nop = count\nover = session\n";
}

static void emit(struct run *run, const char *kind, const char *key, int64_t start, int64_t last,
                 double agg)
{
    assert_true(run->emit_count < EMITS_MAX);
    char text[EMIT_BYTES];
    snprintf(text, sizeof text, "%s %s %lld..%lld %g", kind, key,
             (long long)start, (long long)last, agg);
    memcpy(run->emits[run->emit_count++], text, sizeof text);
}

static double agg_of(struct run *run, const struct session *session)
{
    const char *bases[] = {session->acc};
    bool nothing;
    struct value value =
        operator_result(&run->kit.set->features[0], bases, 1, &run->kit.arena, &nothing);
    return value.type == VALUE_DOUBLE ? value.d : (double)value.i;
}

static const struct sessions *sessions_of(struct run *run, const char *key)
{
    uint32_t handle = entity_find(run->kit.shard, key, strlen(key), hash_bytes(key, strlen(key)));
    return handle == KEYTABLE_NONE ? NULL : &entity_at(run->kit.shard, handle)->sessions;
}

static const struct session *session_by_id(const struct sessions *sessions, int64_t id)
{
    for (const struct session *s = sessions->live; s; s = s->next)
        if (s->id == id)
            return s;
    return sessions->settled && sessions->settled->id == id ? sessions->settled : NULL;
}

/* Takes back what is no longer so. */
static void look_for_retracts(struct run *run, int64_t watermark)
{
    for (int k = 0; k < run->published_count; k++) {
        struct published *published = &run->published[k];
        const struct published *was = published;
        const struct session *now = session_by_id(sessions_of(run, published->key), was->id);
        bool dropped = !now && !session_live(&run->kit.rules, was->last_ms, watermark);
        if (dropped || (now && now->events == was->events))
            continue;
        emit(run, "retract", published->key, was->start_ms, was->last_ms, 0);
        *published-- = run->published[--run->published_count];
        k--;
    }
}

static void look_at_session(struct run *run, const char *key, const struct session *session,
                            int64_t watermark, bool entered)
{
    if (!session || !session_closed(&run->kit.rules, session->last_ms, watermark))
        return;
    for (int k = 0; k < run->published_count; k++)
        if (strcmp(run->published[k].key, key) == 0 &&
            run->published[k].id == session->id)
            return;
    const char *kind = entered ? "corrected" : "final";
    emit(run, kind, key, session->start_ms, session->last_ms, agg_of(run, session));
    assert_true(run->published_count < PUBLISHED_MAX);
    struct published *published = &run->published[run->published_count++];
    snprintf(published->key, sizeof published->key, "%s", key);
    published->id = session->id;
    published->start_ms = session->start_ms;
    published->last_ms = session->last_ms;
    published->events = session->events;
}

/* entered: the event of event_key at ts entered a session. */
static void look(struct run *run, const char *event_key, bool entered, int64_t ts)
{
    int64_t watermark = corekit_status(&run->kit).watermark.ms;
    look_for_retracts(run, watermark);
    for (int k = 0; k < run->key_count; k++) {
        const struct sessions *sessions = sessions_of(run, run->keys[k]);
        bool own = entered && strcmp(run->keys[k], event_key) == 0;
        if (!sessions)
            continue;
        for (const struct session *s = sessions->live; s; s = s->next) {
            bool holds = own && s->start_ms <= ts && ts <= s->last_ms;
            look_at_session(run, run->keys[k], s, watermark, holds);
        }
        look_at_session(run, run->keys[k], sessions->settled, watermark, false);
    }
}

static void know_key(struct run *run, const char *key)
{
    for (int k = 0; k < run->key_count; k++)
        if (strcmp(run->keys[k], key) == 0)
            return;
    assert_true(run->key_count < KEYS_MAX);
    snprintf(run->keys[run->key_count++], sizeof run->keys[0], "%s", key);
}

static enum fate feed(struct run *run, const char *key, int64_t ts, const json_t *value)
{
    double price = json_is_number(value) ? json_number_value(value) : CORE_NO_PRICE;
    return corekit_event(&run->kit,
                         &(struct corekit_event){.key = key, .ts_ms = ts, .price = price});
}

static void tick(struct run *run, int64_t watermark)
{
    feed(run, clock_key, watermark + run->kit.rules.out_of_orderness.ms, NULL);
    look(run, clock_key, false, 0);
}

static int64_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* Keys are texts or numbers. */
static const char *key_of(const json_t *object, char text[32])
{
    const json_t *key = json_object_get(object, "key");
    if (json_is_string(key))
        snprintf(text, 32, "%s", json_string_value(key));
    else
        snprintf(text, 32, "%lld", (long long)json_integer_value(key));
    return text;
}

static void play(struct run *run, const json_t *events, const json_t *late)
{
    size_t k, late_seen = 0;
    json_t *event;
    json_array_foreach(events, k, event) {
        const char *op = json_string_value(json_object_get(event, "op"));
        if (op && strcmp(op, "watermark") == 0)
            tick(run, number(event, "ts") + 1);
        else if (op && strcmp(op, "eof") == 0)
            tick(run, INT64_C(1000000000000));
        if (op)
            continue;
        char text[32], late_text[32];
        const char *key = key_of(event, text);
        know_key(run, key);
        int64_t ts = number(event, "ts");
        enum fate fate = feed(run, key, ts, json_object_get(event, "value"));
        look(run, key, fate == FATE_APPLIED, ts);
        if (fate == FATE_APPLIED)
            continue;
        assert_true(fate == FATE_LATE || fate == FATE_WINDOWS_ONLY);
        const json_t *expected = json_array_get(late, late_seen++);
        assert_string_equal(key, key_of(expected, late_text));
        assert_int_equal(ts, number(expected, "ts"));
    }
    assert_int_equal(late_seen, json_array_size(late));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void compare_emits(struct run *run, const json_t *expected)
{
    char wanted[EMITS_MAX][EMIT_BYTES];
    size_t k;
    json_t *item;
    assert_true(json_array_size(expected) < EMITS_MAX);
    json_array_foreach(expected, k, item) {
        json_t *agg = json_object_get(item, "agg");
        double value =
            json_is_array(agg) ? (double)json_array_size(agg) : json_number_value(agg);
        char text[32];
        snprintf(wanted[k], EMIT_BYTES, "%s %s %lld..%lld %g",
                 json_string_value(json_object_get(item, "kind")),
                 key_of(item, text),
                 (long long)number(item, "start"), (long long)number(item, "last"), value);
    }
    qsort(wanted, k, EMIT_BYTES, by_text);
    qsort(run->emits, (size_t)run->emit_count, EMIT_BYTES, by_text);
    for (size_t e = 0; e < k && e < (size_t)run->emit_count; e++)
        assert_string_equal(run->emits[e], wanted[e]);
    assert_int_equal(run->emit_count, k);
}

static void run_case(const json_t *description)
{
    static struct run run;
    memset(&run, 0, sizeof run);
    print_message("%s\n", json_string_value(json_object_get(description, "name")));
    corekit_init(&run.kit,
                 features_of(json_string_value(json_object_get(description, "agg"))));
    struct rules *rules = &run.kit.rules;
    rules->gap.ms = number(description, "gap_ms");
    rules->lateness.ms = number(description, "lateness_ms");
    rules->out_of_orderness.ms = number(description, "out_of_orderness_ms");
    rules->window_lateness.ms = rules->gap.ms + rules->lateness.ms;
    rules->keep.ms = INT64_C(31536000000000);
    corekit_open(&run.kit);
    const json_t *expected = json_object_get(description, "expected");
    play(&run, json_object_get(description, "events"), json_object_get(expected, "late"));
    if (json_is_true(json_object_get(expected, "appended_eof")))
        tick(&run, INT64_C(1000000000000));
    compare_emits(&run, json_object_get(expected, "emits"));
    corekit_fini(&run.kit);
}

static void test_collected_cases(void **state)
{
    (void)state;
    json_error_t error;
    json_t *file = json_load_file(FRESHET_SOURCE_DIR "/tests/unit/data/session_cases.json", 0,
                                  &error);
    assert_non_null(file);
    size_t k;
    json_t *description;
    json_t *cases = json_object_get(file, "cases");
    json_array_foreach(cases, k, description)
        run_case(description);
    assert_true(k >= 18);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_collected_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
