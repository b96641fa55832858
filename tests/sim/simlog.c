/* Chance, and what is drawn from it. */
#include "simlog.h"

#include <stdio.h>
#include <string.h>

#include "naive.h"
#include "text.h"

enum { FEATURES_TEXT = 4096 };

/* ---- chance ---- */

static uint64_t random_state;

void simlog_seed(uint64_t seed)
{
    random_state = seed * 0x2545f4914f6cdd1du + 1;
}

uint64_t simlog_draw(void)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t simlog_below(int64_t bound)
{
    return bound > 0 ? (int64_t)(simlog_draw() % (uint64_t)bound) : 0;
}

bool simlog_chance(int percent)
{
    return simlog_below(100) < percent;
}

/* ---- kinds ---- */

uint64_t simlog_kinds[SIMLOG_KIND_COUNT];

int simlog_print_kinds(void)
{
    static const char *const names[SIMLOG_KIND_COUNT] = {
#define KIND(name) #name,
        SIMLOG_KINDS(KIND)
#undef KIND
    };
    int never = 0;
    printf("kinds:");
    for (int k = 0; k < SIMLOG_KIND_COUNT; k++) {
        printf(" %s=%llu", names[k], (unsigned long long)simlog_kinds[k]);
        never += simlog_kinds[k] == 0;
    }
    printf("\n");
    return never;
}

/* ---- rules ---- */

static struct expr *where, *end_when;
static int64_t keys_used;
static int64_t grid_ms; /* all times are multiples of it: 1, or large so that bounds are met */

static int64_t on_grid(int64_t ms)
{
    return ms / grid_ms * grid_ms;
}

/* A duration of at least one step. */
static int64_t span(int64_t least_ms, int64_t below_ms)
{
    int64_t ms = on_grid(least_ms + simlog_below(below_ms));
    return ms > 0 ? ms : grid_ms;
}

static struct expr *compile(const char *text)
{
    struct fieldspace space = corekit_fields();
    struct expr_error error;
    return expr_compile(text, &space, &error);
}

void simlog_fini(void)
{
    expr_free(where);
    expr_free(end_when);
    where = end_when = NULL;
}

static bool met_if(bool happened, enum simlog_kind kind)
{
    if (happened)
        simlog_met(kind);
    return happened;
}

void simlog_rules(struct rules *rules)
{
    if (!where) {
        where = compile("type is null or type != \"tick\"");
        end_when = compile("item == \"c\"");
    }
    *rules = (struct rules){.key_slot = SLOT_KEY, .time_slot = SLOT_TS, .where = where};
    grid_ms = met_if(simlog_chance(50), SIMLOG_coarse_time) ? 100 + 100 * simlog_below(5) : 1;
    keys_used = simlog_chance(40) ? 1 + simlog_below(2) : NAIVE_KEYS;
    rules->gap.ms = simlog_chance(50) ? span(500, 5000) : span(1, 300);
    rules->lateness.ms = met_if(simlog_chance(50), SIMLOG_lateness)
                             ? span(1, simlog_chance(70) ? 6000 : 40000) : 0;
    rules->out_of_orderness.ms = met_if(simlog_chance(60), SIMLOG_disorder) ? span(1, 4000) : 0;
    rules->keep.ms = simlog_chance(30) ? 0 : span(0, 20000);
    rules->window_lateness.ms = rules->gap.ms + rules->lateness.ms + on_grid(simlog_below(20000));
    rules->max_future_skew.ms = on_grid(simlog_below(5000));
    rules->reject_future = met_if(simlog_chance(20), SIMLOG_future_rejected);
    rules->max_age.ms = met_if(simlog_chance(20), SIMLOG_max_age) ? span(5000, 20000) : 0;
    rules->cut_at_ms = met_if(simlog_chance(30), SIMLOG_cut) ? on_grid(simlog_below(20000)) : -1;
    rules->cut_every.ms = span(20000, 40000);
    rules->zone.ms = simlog_below(3) * 1800000 - 1800000;
    rules->max_keys = met_if(simlog_chance(30), SIMLOG_few_keys)
                          ? (uint64_t)(2 + simlog_below(4)) : 1000;
    rules->delete_forgotten = met_if(simlog_chance(50), SIMLOG_keys_deleted);
    rules->end_when = met_if(simlog_chance(25), SIMLOG_end_when) ? end_when : NULL;
    rules->session_slot = -1;
    if (met_if(simlog_chance(25), SIMLOG_tracker))
        rules->session_slot = simlog_chance(50) ? SLOT_ITEM : SLOT_TYPE;
    rules->id_slot = met_if(simlog_chance(35), SIMLOG_dedup) ? SLOT_ID : -1;
    rules->dedup_window.ms = span(1, simlog_chance(50) ? 2000 : 40000);
    rules->dedup_max = simlog_chance(70) ? 1000 : (uint64_t)(1 + simlog_below(6));
}

void simlog_print_rules(const struct rules *rules)
{
    printf("rules: gap=%lld lateness=%lld out_of_orderness=%lld keep=%lld window_lateness=%lld "
           "skew=%lld%s max_age=%lld cut=%lld/%lld zone=%lld max_keys=%llu%s%s session=%d id=%d "
           "dedup=%lld/%llu\n",
           (long long)rules->gap.ms, (long long)rules->lateness.ms,
           (long long)rules->out_of_orderness.ms, (long long)rules->keep.ms,
           (long long)rules->window_lateness.ms, (long long)rules->max_future_skew.ms,
           rules->reject_future ? " (reject)" : "", (long long)rules->max_age.ms,
           (long long)rules->cut_at_ms, (long long)rules->cut_every.ms, (long long)rules->zone.ms,
           (unsigned long long)rules->max_keys, rules->delete_forgotten ? " delete" : "",
           rules->end_when ? " end_when=item==\"c\"" : "", rules->session_slot, rules->id_slot,
           (long long)rules->dedup_window.ms, (unsigned long long)rules->dedup_max);
    for (int k = 0; k < rules->set->count; k++)
        printf("feature %s: %s\n", rules->set->features[k].name,
               rules->set->features[k].definition);
}

/* ---- features ---- */

/* The facts of a session come always: they say most of what its rules did. */
static const char frame_text[] = "[feature id]\nop = session_id\n"
                                 "[feature number]\nop = session_number\n"
                                 "[feature start]\nop = session_start\n"
                                 "[feature last]\nop = session_last\n"
                                 "[feature length]\nop = session_duration\n"
                                 "[feature events]\nop = session_event_count\n"
                                 "[feature is_open]\nop = session_is_open\n"
                                 "[feature since]\nop = prev_session_gap\n"
                                 "[feature pace]\nop = mean_gap\n";

static const char *const calls[] = {
    "count",           "sum(n)",           "sum(price)",
    "mean(price)",     "mean(n)",          "min(n)",
    "max(price)",      "min(price)",       "max(n)",
    "first(item)",     "last(type)",       "first(n)",
    "last_n(item, 3)", "last_n(price, 2)", "last_distinct(item, 2)",
    "distinct(item)",  "distinct(n)",      "last_distinct(type, 4)",
    "var(price)",      "stddev(n)",        "first_n(item, 3)",
    "time_of_first",   "time_of_last(n)",  "first_n(price, 1)",
    "top_k(item, 2)",  "top_k(n, 3)",      "entropy(type)",
    "entropy(item)",   "quantile(n, 0.5)", "quantile(price, 0.9)",
};

static const char *const spans[] = {"session", "session",        "5s",
                                    "10s",     "20s\nhop = 5s",  "60s",
                                    "1s",      "60s\nhop = 10s", "30s\nhop = 30s"};

/* With `on = session`; ids would hang on the order of arrival. */
static const char *const session_calls[] = {
    "count",
    "mean(session_duration)",
    "max(session_event_count)",
    "count(mean_gap)",
    "last(session_start)",
    "quantile(mean_gap, 0.5)",
    "first_n(session_start, 2)",
    "top_k(session_event_count, 2)",
    "time_of_last",
};

static const char *const groups[] = {"item", "type", "n", "price"};

static const char *pick(const char *const *words, size_t count)
{
    return words[simlog_below((int64_t)count)];
}
#define PICK(words) pick(words, sizeof(words) / sizeof *(words))

/* The keys of one feature; lists have no groups. */
static size_t draw_feature(char *text, size_t size, bool windows, bool lifetime)
{
    bool on_session = windows && met_if(simlog_chance(12), SIMLOG_on_session);
    const char *call = on_session ? PICK(session_calls) : PICK(calls);
    const char *over = windows ? PICK(spans) : spans[0];
    if (lifetime && met_if(simlog_chance(30), SIMLOG_lifetime))
        over = "lifetime";
    else if (on_session)
        over = simlog_chance(50) ? "20s\nhop = 5s" : "60s\nhop = 10s";
    size_t len = (size_t)snprintf(text, size, "op = %s\nover = %s\n%s", call, over,
                                  on_session          ? "on = session\n"
                                  : simlog_chance(30) ? "where = type == \"click\"\n"
                                                      : "");
    bool list = strstr(call, "_n(") || strstr(call, "top_k(") || strstr(call, "last_distinct(");
    if (!list && met_if(simlog_chance(15), SIMLOG_grouped))
        len += (size_t)snprintf(text + len, size - len, "by = %s\ncap = %d\n",
                                on_session ? "session_event_count" : PICK(groups),
                                simlog_chance(30) ? 1 : 3);
    return len;
}

struct feature_set *simlog_features(void)
{
    char text[FEATURES_TEXT];
    size_t len = (size_t)snprintf(text, sizeof text, "%s", frame_text);
    int count = 3 + (int)simlog_below(8);
    bool windows = simlog_chance(80); /* without, keys are forgotten sooner */
    bool lifetime = simlog_chance(12); /* with, they never are */
    for (int k = 0; k < count; k++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "[feature f%d]\n", k);
        len += draw_feature(text + len, sizeof text - len, windows, lifetime);
    }
    if (lifetime)
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "[feature fading]\nop = decayed_sum(price, 3s)\n"
                                "[feature tastes]\nop = decayed_sum(n, 20s)\nby = item\n");
    snprintf(text + len, sizeof text - len,
             "[feature hits]\nop = count\nover = %s\n"
             "[feature rate]\nop = ratio(events, hits, alpha = 1)\n",
             windows ? "10s" : "session");
    return corekit_features(text);
}

/* ---- the log ---- */

/* Mostly a new one; else one that was seen, of whatever key. */
static int64_t draw_id(const struct simlog *log)
{
    if (simlog_chance(8))
        return 0;
    if (log->count == 0 || simlog_chance(75))
        return log->end + 1;
    simlog_met(SIMLOG_repeated_id);
    return log->entries[simlog_below(log->count)].slots[SLOT_ID].i;
}

void simlog_produce(struct simlog *log, const struct rules *rules, int64_t now_ms)
{
    static const char *const types[] = {"click", "view", "tick"};
    static const char *const items[] = {"a", "bb", "a longer name", "another long name", "c"};
    if (log->count == SIMLOG_MAX - 1)
        return; /* the last place is for simlog_produce_last */
    int64_t behind =
        simlog_chance(70) ? simlog_below(500) : simlog_below(3 * rules->gap.ms + 3000);
    if (simlog_chance(5)) {
        behind = simlog_below(30000);
        simlog_met(SIMLOG_old_event);
    }
    struct corekit_event event = {
        .id = draw_id(log),
        .key = naive_keys[simlog_below(keys_used)],
        .ts_ms = now_ms - behind,
        .type = simlog_chance(5) ? NULL : types[simlog_below(simlog_chance(85) ? 2 : 3)],
        .item = simlog_chance(35) ? NULL : items[simlog_below(5)],
        .price = simlog_chance(45) ? CORE_NO_PRICE : (double)(simlog_below(2000) - 200) / 100,
        .n = simlog_chance(20) ? CORE_NO_N : simlog_below(7) - 2,
    };
    if (simlog_chance(3)) {
        event.ts_ms = now_ms + simlog_below(8000);
        simlog_met(SIMLOG_future_event);
    }
    if (simlog_chance(2))
        event.key = simlog_chance(50) ? NULL : "";
    if (simlog_chance(2))
        event.ts_ms = simlog_chance(50) ? -1 : CORE_NO_TS;
    if (event.ts_ms > 0)
        event.ts_ms = on_grid(event.ts_ms);
    struct simlog_entry *entry = &log->entries[log->count++];
    corekit_slots(&event, entry->slots);
    entry->record = (struct record){
        .offset = log->end,
        .record_time_ms = on_grid(now_ms - simlog_below(300)),
        .fate = simlog_chance(3) ? (enum fate)(FATE_TOMBSTONE + simlog_below(4)) : FATE_NONE,
        .slots = entry->slots,
    };
    if (met_if(simlog_chance(4), SIMLOG_offset_gap)) /* control records take offsets */
        entry->record.offset += simlog_below(3);
    if (met_if(simlog_chance(3), SIMLOG_no_record_time))
        entry->record.record_time_ms = RECORD_NO_TIME;
    log->end = entry->record.offset + 1;
    if (simlog_chance(2))
        log->end++;
}

void simlog_produce_last(struct simlog *log, int64_t now_ms)
{
    struct simlog_entry *entry = &log->entries[log->count++];
    struct corekit_event event = {.key = "ada", .ts_ms = now_ms + 1000000000, .type = "tick"};
    corekit_slots(&event, entry->slots);
    entry->record = (struct record){.offset = log->end,
                                    .record_time_ms = event.ts_ms,
                                    .fate = FATE_NONE,
                                    .slots = entry->slots};
    log->end++;
}

static void print_text(const char *name, const struct value *value)
{
    if (value->type == VALUE_STRING)
        printf(", \"%s\": \"%.*s\"", name, (int)value->len, value->s);
}

static void print_long(const char *name, const struct value *value)
{
    if (value->type == VALUE_LONG)
        printf(", \"%s\": %lld", name, (long long)value->i);
}

void simlog_print(const struct simlog *log)
{
    for (int k = 0; k < log->count; k++) {
        const struct simlog_entry *entry = &log->entries[k];
        printf("{\"@offset\": %lld", (long long)entry->record.offset);
        if (entry->record.record_time_ms != RECORD_NO_TIME)
            printf(", \"@timestamp\": %lld", (long long)entry->record.record_time_ms);
        if (entry->record.fate != FATE_NONE)
            printf(", \"fate\": \"%s\"", fate_rows[entry->record.fate].name);
        print_text("key", &entry->slots[SLOT_KEY]);
        print_long("event_time", &entry->slots[SLOT_TS]);
        print_text("type", &entry->slots[SLOT_TYPE]);
        print_text("item", &entry->slots[SLOT_ITEM]);
        print_long("n", &entry->slots[SLOT_N]);
        print_long("id", &entry->slots[SLOT_ID]);
        if (entry->slots[SLOT_PRICE].type == VALUE_DOUBLE)
            printf(", \"price\": %g", entry->slots[SLOT_PRICE].d);
        printf("}\n");
    }
}
