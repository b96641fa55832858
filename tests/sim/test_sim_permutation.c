/* The permutation property (design: semantics, section 6): whatever the order of arrival within
 * out_of_orderness + lateness, the final state is the same but for ids, offsets, revisions and
 * fates.
 *
 * It holds between keys' lives only: whether a key is forgotten between two of its sessions can
 * hang on the order, so keep is longer here than the log. Of two events of a key in the same
 * millisecond the order is kept; trackers' sessions and duplicates have no such events, because
 * which session is the newest, and which copy counts, is by offset then.
 * FRESHET_SIM_SEEDS is the number of logs (0: as many as fit into a few seconds). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "effect.h"
#include "naive.h"
#include "simlog.h"
#include "text.h"

enum { EVENTS = 120, PERMUTATIONS = 3, KEYS = 3, DEFAULT_SECONDS = 3 };

struct arriving {
    int64_t arrives_ms;
    int number; /* in order of event time */
    struct corekit_event event;
};

struct property {
    struct rules rules;
    struct arriving events[EVENTS]; /* by event time */
    int count;
    struct arena arena;
    uint64_t inversions, merged;
};

/* ---- a log in order ---- */

static void draw_rules(struct rules *rules)
{
    simlog_rules(rules);
    rules->set = simlog_features();
    rules->end_when = NULL; /* S11 is by order of arrival */
    rules->max_age.ms = 0;
    rules->max_keys = 1000;
    rules->keep.ms = INT64_C(1000000000);
    rules->max_future_skew.ms = INT64_C(1000000000);
    rules->dedup_window.ms += rules->lateness.ms;
    rules->dedup_max = 1000;
}

static void draw_events(struct property *property)
{
    static const char *const types[] = {"click", "view", "tick", NULL};
    static const char *const items[] = {"a", "bb", "a longer name", "another long name", NULL};
    bool ties = property->rules.session_slot < 0 && property->rules.id_slot < 0;
    int64_t ms = 1700000000000;
    property->count = 0;
    while (property->count < EVENTS) {
        ms += 1 + simlog_below(simlog_chance(50) ? 300 : property->rules.gap.ms);
        struct corekit_event event = {
            .key = naive_keys[simlog_below(KEYS)],
            .ts_ms = ms,
            .type = types[simlog_below(4)],
            .item = items[simlog_below(5)],
            .price = simlog_chance(30) ? CORE_NO_PRICE : (double)simlog_below(1000) / 7,
            .n = simlog_chance(20) ? CORE_NO_N : simlog_below(9),
            .id = property->count + 1,
        };
        int copies = simlog_chance(20) ? 2 : 1;
        for (int k = 0; k < copies && property->count < EVENTS; k++) {
            struct arriving *to = &property->events[property->count];
            *to = (struct arriving){.number = property->count, .event = event};
            property->count++;
            if (ties) /* another event in the same millisecond */
                event.item = items[simlog_below(5)];
            else if (property->rules.id_slot < 0)
                break; /* only a duplicate may have the same time */
        }
    }
}

/* ---- its permutations ---- */

static int by_arrival(const void *left, const void *right)
{
    const struct arriving *a = left, *b = right;
    if (a->arrives_ms != b->arrives_ms)
        return a->arrives_ms < b->arrives_ms ? -1 : 1;
    return a->number - b->number;
}

static void permute(const struct property *property, int64_t bound_ms, struct arriving *out)
{
    bool ties = property->rules.id_slot < 0;
    for (int k = 0; k < property->count; k++) {
        out[k] = property->events[k];
        out[k].arrives_ms = out[k].event.ts_ms + simlog_below(bound_ms + 1);
        if (ties && k > 0 && out[k].event.ts_ms == out[k - 1].event.ts_ms)
            out[k].arrives_ms = out[k - 1].arrives_ms;
    }
    qsort(out, (size_t)property->count, sizeof *out, by_arrival);
}

static void append_rows(struct property *property, const struct shard *shard, int64_t as_of_ms,
                        struct text *out)
{
    const struct feature_set *set = property->rules.set;
    for (int k = 0; k < KEYS; k++) {
        struct row row;
        shard_row_at(shard, naive_keys[k], strlen(naive_keys[k]), as_of_ms, &property->arena, &row);
        struct value *values = arena_alloc(&property->arena, (size_t)set->count * sizeof *values);
        memcpy(values, row.values, (size_t)set->count * sizeof *values);
        values[feature_set_find(set, "id")] = value_null();
        text_printf(out, "%s at %lld: ", naive_keys[k], (long long)as_of_ms);
        naive_render(out, set, values, 0);
        text_append_string(out, "\n");
    }
}

/* The final state in words, after the events have arrived in this order. */
static void run(struct property *property, const struct arriving *events, struct text *out)
{
    struct shard *shard = shard_open(&property->rules, 0, INT64_MIN);
    int64_t newest = INT64_MIN;
    for (int k = 0; k < property->count; k++) {
        struct value slots[SLOT_COUNT];
        corekit_slots(&events[k].event, slots);
        struct record record = {.offset = k, .fate = FATE_NONE, .slots = slots,
                                .record_time_ms = events[k].arrives_ms};
        struct verdict verdict;
        shard_apply(shard, &record, 1, &verdict);
        property->inversions += events[k].event.ts_ms < newest;
        newest = events[k].event.ts_ms > newest ? events[k].event.ts_ms : newest;
    }
    struct shard_status status;
    shard_status(shard, &status);
    property->merged += status.sessions_merged;
    text_clear(out);
    text_printf(out, "raw %lld, %llu keys, %llu ids\n", (long long)status.raw.ms,
                (unsigned long long)status.keys, (unsigned long long)status.ids_remembered);
    append_rows(property, shard, status.raw.ms, out);
    append_rows(property, shard, status.raw.ms + 7000, out);
    shard_close(shard);
}

/* Permutes within the bound; false when a state differs, which is said if it is an error. */
static bool same_in_any_order(struct property *property, int64_t bound_ms, bool is_error)
{
    struct text first = {0}, other = {0};
    static struct arriving order[EVENTS];
    permute(property, 0, order);
    run(property, order, &first);
    bool same = true;
    for (int k = 0; k < PERMUTATIONS && same; k++) {
        permute(property, bound_ms, order);
        run(property, order, &other);
        same = strcmp(first.data, other.data) == 0;
    }
    if (!same && is_error) {
        printf("in order\n%sbut in another\n%s", first.data, other.data);
        simlog_print_rules(&property->rules);
    }
    text_free(&first);
    text_free(&other);
    arena_reset(&property->arena);
    return same;
}

static void test_order_of_arrival_does_not_matter(void **state)
{
    (void)state;
    const char *wanted = getenv("FRESHET_SIM_SEEDS");
    uint64_t seeds = wanted ? strtoull(wanted, NULL, 10) : 0;
    time_t end = time(NULL) + DEFAULT_SECONDS;
    static struct property property;
    uint64_t seed = 0, differ = 0;
    while (seeds > 0 ? seed < seeds : time(NULL) < end) {
        simlog_seed(++seed);
        draw_rules(&property.rules);
        draw_events(&property);
        int64_t bound = property.rules.out_of_orderness.ms + property.rules.lateness.ms;
        if (!same_in_any_order(&property, bound, true))
            fail_msg("seed %llu: the state depends on the order", (unsigned long long)seed);
        differ += !same_in_any_order(&property, bound + 30000, false);
        feature_set_free((struct feature_set *)(uintptr_t)property.rules.set);
    }
    print_message("%llu logs in %d orders each, %llu events behind another, %llu merges; beyond "
                  "the bound %llu logs differ\n",
                  (unsigned long long)seed, PERMUTATIONS, (unsigned long long)property.inversions,
                  (unsigned long long)property.merged, (unsigned long long)differ);
    /* Beyond the bound it does matter: else nothing would be compared here. */
    assert_true(differ > seed / 4);
    assert_true(property.inversions > seed && property.merged > seed / 4);
    arena_free(&property.arena);
    simlog_fini();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order_of_arrival_does_not_matter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
