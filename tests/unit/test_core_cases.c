/* Session cases collected from the tests of other stream processors (data/session_cases.json).
 *
 * A case speaks of a system that emits sessions when they close. In terms of effects (effect.h):
 *   final      CLOSED
 *   corrected  CORRECTED, when the session is closed all the same; when it is open again, what was
 *              emitted of it is only taken back, and a final follows
 *   retract    what was emitted of a session, when it is CORRECTED or RETRACTED
 *   late       fate late or windows_only
 * The order of what one record causes is not compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "corekit.h"
#include "effect.h"

enum { PUBLISHED_MAX = 64, EMITS_MAX = 64, EMIT_BYTES = 160 };
static const char clock_key[] = "the clock";

struct published {
    char key[32];
    int64_t id, start_ms, last_ms;
};

struct run {
    struct corekit kit;
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

static void take_back(struct run *run, const char *key, int64_t id)
{
    for (int k = 0; k < run->published_count; k++) {
        struct published *published = &run->published[k];
        if (published->id != id || strcmp(published->key, key) != 0)
            continue;
        emit(run, "retract", key, published->start_ms, published->last_ms, 0);
        *published = run->published[--run->published_count];
        return;
    }
}

static void observe(void *context, const struct shard *shard, const struct effect *effect)
{
    struct run *run = context;
    const struct effect_session *session = &effect->session;
    char key[32];
    snprintf(key, sizeof key, "%.*s", (int)effect->key_len, effect->key);
    if (strcmp(key, clock_key) == 0)
        return;
    if (effect->kind != EFFECT_CLOSED)
        take_back(run, key, session->id);
    if (effect->kind == EFFECT_RETRACTED || session->open)
        return;
    struct row row;
    shard_effect_row(shard, effect, &run->kit.arena, &row);
    const struct value *agg = &row.values[0];
    emit(run, effect->kind == EFFECT_CLOSED ? "final" : "corrected", key, session->start_ms,
         session->last_ms, agg->type == VALUE_DOUBLE ? agg->d : (double)agg->i);
    assert_true(run->published_count < PUBLISHED_MAX);
    struct published *published = &run->published[run->published_count++];
    *published = (struct published){.id = session->id, .start_ms = session->start_ms,
                                    .last_ms = session->last_ms};
    memcpy(published->key, key, sizeof key);
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
        int64_t ts = number(event, "ts");
        enum fate fate = feed(run, key, ts, json_object_get(event, "value"));
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
    shard_observe(run.kit.shard,
                  1u << EFFECT_CLOSED | 1u << EFFECT_CORRECTED | 1u << EFFECT_RETRACTED, observe,
                  &run);
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
