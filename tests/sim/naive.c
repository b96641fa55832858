/* The semantics once more, without any cleverness: every rule as it is written, over the list of
 * accepted events. */
#include "naive.h"

#include <math.h>
#include <string.h>

#include "expr.h"
#include "hash.h"
#include "text.h"

__extension__ typedef __int128 wide;

const char *const naive_keys[NAIVE_KEYS] = {"ada", "bob", "cy", "dee", "eve", "fay"};

void naive_init(struct naive *naive, const struct rules *rules)
{
    memset(naive, 0, sizeof *naive);
    naive->rules = rules;
    naive->raw = naive->greatest_record = INT64_MIN;
    for (int k = 0; k < NAIVE_KEYS; k++)
        naive->keys[k].offset = -1;
}

int64_t naive_watermark(const struct naive *naive)
{
    return naive->raw - naive->rules->out_of_orderness.ms;
}

int naive_living(const struct naive *naive)
{
    int living = 0;
    for (int k = 0; k < NAIVE_KEYS; k++)
        living += naive->keys[k].alive;
    return living;
}

/* ---- time ---- */

static int64_t floor_to(int64_t t, int64_t step, int64_t phase)
{
    int64_t steps = (t - phase) / step;
    if (steps * step + phase > t)
        steps--;
    return steps * step + phase;
}

static int64_t phase_of(int key)
{
    uint64_t hash = hash_bytes(naive_keys[key], strlen(naive_keys[key]));
    return (int64_t)(hash % 86400000);
}

static int64_t period_of(const struct rules *rules, int64_t t)
{
    if (rules->cut_at_ms < 0)
        return 0;
    return floor_to(t + rules->zone.ms, rules->cut_every.ms, rules->cut_at_ms);
}

/* ---- forgetting ---- */

static bool event_counts(const struct naive *naive, const struct feature *feature,
                         const struct naive_event *event, struct value *value)
{
    static const char *const paths[] = {
        [SLOT_TYPE] = "type", [SLOT_ITEM] = "item", [SLOT_PRICE] = "price", [SLOT_N] = "n"};
    if (feature->where >= 0 && !event->click)
        return false;
    *value = value_bool(true);
    if (feature->argument < 0)
        return true;
    const char *text = expr_canonical(naive->rules->set->arguments[feature->argument]);
    for (int slot = SLOT_TYPE; slot < SLOT_COUNT; slot++)
        if (strcmp(paths[slot], text) == 0)
            *value = event->slots[slot];
    return value->type != VALUE_NULL;
}

static const struct naive_session *newest_session(const struct naive_key *key)
{
    const struct naive_session *newest = NULL;
    for (int k = 0; k < key->session_count; k++) {
        const struct naive_session *session = &key->sessions[k];
        if (!session->gone && (!newest || session->last > newest->last ||
                               (session->last == newest->last && session->id > newest->id)))
            newest = session;
    }
    return newest;
}

static bool window_holds(const struct naive *naive, int key, int64_t watermark)
{
    const struct feature_set *set = naive->rules->set;
    for (int e = naive->keys[key].first_event; e < naive->event_count; e++) {
        const struct naive_event *event = &naive->events[e];
        if (event->key != key)
            continue;
        for (int f = 0; f < set->count; f++) {
            struct value value;
            if (set->features[f].window < 0 ||
                !event_counts(naive, &set->features[f], event, &value))
                continue;
            const struct feature_window *window = &set->windows[set->features[f].window];
            int64_t end = floor_to(event->ts, window->hop.ms, phase_of(key)) + window->hop.ms;
            if (watermark < end + window->length.ms)
                return true;
        }
    }
    return false;
}

static void forget(struct naive *naive)
{
    const struct rules *rules = naive->rules;
    int64_t watermark = naive_watermark(naive);
    for (int k = 0; k < NAIVE_KEYS; k++) {
        struct naive_key *key = &naive->keys[k];
        if (!key->alive)
            continue;
        const struct naive_session *newest = newest_session(key);
        if (newest && (watermark <= newest->last + rules->gap.ms + rules->lateness.ms ||
                       watermark <= newest->last + rules->gap.ms + rules->keep.ms))
            continue;
        if (window_holds(naive, k, watermark))
            continue;
        key->alive = false;
        key->session_count = 0;
    }
}

/* ---- sessions ---- */

static int joined_sessions(const struct naive *naive, const struct naive_key *key, int64_t ts,
                           int *joined)
{
    const struct rules *rules = naive->rules;
    int count = 0;
    for (int k = 0; k < key->session_count; k++) {
        const struct naive_session *session = &key->sessions[k];
        bool live =
            session->last + rules->gap.ms + rules->lateness.ms >= naive_watermark(naive);
        if (!session->gone && live && session->start - rules->gap.ms <= ts &&
            ts <= session->last + rules->gap.ms &&
            period_of(rules, session->last) == period_of(rules, ts))
            joined[count++] = k;
    }
    return count;
}

static void enter_session(struct naive *naive, struct naive_event *event, const int *joined,
                          int count)
{
    struct naive_key *key = &naive->keys[event->key];
    int64_t closed_before = naive_watermark(naive) - naive->rules->gap.ms;
    struct naive_session all = {event->ts, event->ts, event->offset, 0, 1, false};
    bool corrected = count == 0 && event->ts < closed_before;
    for (int k = 0; k < count; k++) {
        struct naive_session *session = &key->sessions[joined[k]];
        corrected |= session->last < closed_before;
        all.start = session->start < all.start ? session->start : all.start;
        all.last = session->last > all.last ? session->last : all.last;
        all.id = session->id < all.id ? session->id : all.id;
        all.rev += session->rev;
        all.events += session->events;
        session->gone = true;
    }
    if (corrected)
        all.rev += 1 + (count > 1 ? (uint64_t)count - 1 : 0);
    event->session = key->session_count;
    for (int e = key->first_event; e < naive->event_count; e++)
        for (int k = 0; k < count; k++)
            if (naive->events[e].key == event->key && naive->events[e].session == joined[k])
                naive->events[e].session = event->session;
    key->sessions[key->session_count++] = all;
}

/* ---- fates ---- */

static int key_of(const struct value *value)
{
    for (int k = 0; k < NAIVE_KEYS; k++)
        if (value->type == VALUE_STRING && value->len == strlen(naive_keys[k]) &&
            memcmp(value->s, naive_keys[k], value->len) == 0)
            return k;
    return -1;
}

/* The fates before state, and T2 and W1. */
static enum fate judge(struct naive *naive, const struct record *record, struct naive_event *event)
{
    const struct rules *rules = naive->rules;
    int64_t rts = record->record_time_ms;
    if (rts == RECORD_NO_TIME)
        rts = naive->greatest_record;
    else if (rts > naive->greatest_record)
        naive->greatest_record = rts;
    if (record->fate != FATE_NONE)
        return record->fate;
    const struct value *time = &record->slots[SLOT_TS];
    if (time->type != VALUE_LONG || time->i < 0 || time->i > 253402300799999)
        return FATE_BAD_TIME;
    event->key = key_of(&record->slots[SLOT_KEY]);
    if (event->key < 0)
        return FATE_NO_KEY;
    event->ts = time->i;
    if (rts == INT64_MIN)
        rts = event->ts;
    if (event->ts > rts + rules->max_future_skew.ms) {
        if (rules->reject_future)
            return FATE_FUTURE;
        event->ts = rts;
    }
    if (rules->max_age.ms > 0 && event->ts + rules->max_age.ms < rts)
        return FATE_TOO_OLD;
    int64_t seen = event->ts < rts ? event->ts : rts;
    if (seen > naive->raw)
        naive->raw = seen;
    forget(naive);
    const struct value *type = &record->slots[SLOT_TYPE];
    bool tick = type->type == VALUE_STRING && type->len == 4 && memcmp(type->s, "tick", 4) == 0;
    if (rules->where && tick)
        return FATE_FILTERED;
    event->click = type->type == VALUE_STRING && type->len == 5 && memcmp(type->s, "click", 5) == 0;
    return FATE_NONE;
}

enum fate naive_apply(struct naive *naive, const struct record *record)
{
    const struct rules *rules = naive->rules;
    if (record->offset < naive->next_offset)
        return FATE_REPLAYED;
    naive->next_offset = record->offset + 1;
    struct naive_event event = {.offset = record->offset, .session = -1};
    enum fate fate = judge(naive, record, &event);
    if (fate != FATE_NONE)
        return fate;
    struct naive_key *key = &naive->keys[event.key];
    int joined[NAIVE_RECORDS];
    int count = key->alive ? joined_sessions(naive, key, event.ts, joined) : 0;
    int64_t last = event.ts;
    for (int k = 0; k < count; k++)
        if (key->sessions[joined[k]].last > last)
            last = key->sessions[joined[k]].last;
    int64_t watermark = naive_watermark(naive);
    bool in_session = last + rules->gap.ms + rules->lateness.ms >= watermark;
    if (!in_session && event.ts + rules->window_lateness.ms < watermark)
        return FATE_LATE;
    if (!key->alive && naive_living(naive) >= (int)rules->max_keys)
        return FATE_OVER_CAPACITY;
    if (!key->alive)
        key->first_event = naive->event_count;
    key->alive = true;
    key->offset = record->offset;
    memcpy(event.slots, record->slots, sizeof event.slots);
    if (in_session)
        enter_session(naive, &event, joined, count);
    naive->events[naive->event_count++] = event;
    forget(naive);
    return in_session ? FATE_APPLIED : FATE_WINDOWS_ONLY;
}

/* ---- rows ---- */

struct counted {
    struct value values[NAIVE_RECORDS]; /* by (event time, offset) */
    int count;
};

static bool same(const struct value *a, const struct value *b)
{
    if (a->type != VALUE_STRING)
        return a->type == VALUE_DOUBLE ? a->d == b->d : a->i == b->i;
    return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

static struct value fold_sum(const struct feature *feature, const struct counted *c)
{
    wide total = 0;
    for (int k = 0; k < c->count; k++)
        total += feature->of_long ? (wide)c->values[k].i : (wide)rint(c->values[k].d * 0x1p40);
    double shown = feature->of_long ? (double)total : (double)total * 0x1p-40;
    if (feature->op == OPERATOR_MEAN)
        return c->count ? value_double(shown / c->count) : value_null();
    return feature->of_long ? value_long((int64_t)total) : value_double(shown);
}

static struct value fold_extreme(const struct feature *feature, const struct counted *c)
{
    struct value best = c->count ? c->values[0] : value_null();
    for (int k = 1; k < c->count; k++) {
        const struct value *v = &c->values[k];
        bool less = feature->of_long ? v->i < best.i : v->d < best.d;
        bool greater = feature->of_long ? v->i > best.i : v->d > best.d;
        if (feature->op == OPERATOR_MIN ? less : greater)
            best = *v;
    }
    return best;
}

static struct value fold_list(const struct feature *feature, const struct counted *c,
                              struct arena *arena)
{
    struct value *items = arena_alloc(arena, (feature->count + 1) * sizeof *items);
    uint32_t taken = 0;
    for (int k = c->count - 1; k >= 0 && taken < feature->count; k--) {
        bool seen = false;
        for (uint32_t i = 0; i < taken; i++)
            seen |= same(&items[i], &c->values[k]);
        if (feature->op == OPERATOR_LAST_DISTINCT && seen)
            continue;
        items[taken++] = c->values[k];
    }
    if (taken == 0)
        return value_null();
    return (struct value){.items = items, .len = taken, .type = VALUE_LIST};
}

static struct value fold(const struct feature *feature, const struct counted *c,
                         struct arena *arena)
{
    int64_t different = 0;
    switch (feature->op) {
    case OPERATOR_COUNT:
        return value_long(c->count);
    case OPERATOR_SUM:
    case OPERATOR_MEAN:
        return fold_sum(feature, c);
    case OPERATOR_MIN:
    case OPERATOR_MAX:
        return fold_extreme(feature, c);
    case OPERATOR_FIRST:
        return c->count ? c->values[0] : value_null();
    case OPERATOR_LAST:
        return c->count ? c->values[c->count - 1] : value_null();
    case OPERATOR_DISTINCT:
        for (int k = 0; k < c->count; k++) {
            bool seen = false;
            for (int i = 0; i < k; i++)
                seen |= same(&c->values[i], &c->values[k]);
            different += !seen;
        }
        return value_long(different);
    default:
        return fold_list(feature, c, arena);
    }
}

static struct value frame(enum operator_id op, const struct rules *rules,
                          const struct naive_key *key, const struct naive_session *shown,
                          int64_t as_of)
{
    if (!shown)
        return op == OPERATOR_SESSION_EVENT_COUNT ? value_long(0)
               : op == OPERATOR_SESSION_IS_OPEN   ? value_bool(false)
                                                  : value_null();
    const struct naive_session *before = NULL;
    int64_t number = 1;
    for (int k = 0; k < key->session_count; k++) {
        const struct naive_session *session = &key->sessions[k];
        if (session->gone || session->start >= shown->start)
            continue;
        number++;
        if (!before || session->start > before->start)
            before = session;
    }
    int64_t duration = shown->last - shown->start;
    switch (op) {
    case OPERATOR_SESSION_ID:
        return value_long(shown->id);
    case OPERATOR_SESSION_NUMBER:
        return value_long(number);
    case OPERATOR_SESSION_START:
        return value_long(shown->start);
    case OPERATOR_SESSION_LAST:
        return value_long(shown->last);
    case OPERATOR_SESSION_DURATION:
        return value_long(duration);
    case OPERATOR_SESSION_EVENT_COUNT:
        return value_long(shown->events);
    case OPERATOR_SESSION_IS_OPEN:
        return value_bool(shown->last + rules->gap.ms >= as_of - rules->out_of_orderness.ms);
    case OPERATOR_PREV_SESSION_GAP:
        return before ? value_long(shown->start - before->last) : value_null();
    default:
        if (shown->events < 2)
            return value_null();
        return value_double((double)duration / (double)(shown->events - 1));
    }
}

/* The key's events of this life, by (event time, offset). */
static int sorted_events(const struct naive *naive, int key, const struct naive_event **sorted)
{
    int count = 0;
    if (!naive->keys[key].alive)
        return 0;
    for (int e = naive->keys[key].first_event; e < naive->event_count; e++) {
        const struct naive_event *event = &naive->events[e];
        if (event->key != key)
            continue;
        int at = count++;
        for (; at > 0 && sorted[at - 1]->ts > event->ts; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = event;
    }
    return count;
}

static double number_of(struct value value)
{
    return value.type == VALUE_DOUBLE ? value.d : (double)value.i;
}

uint64_t naive_row(const struct naive *naive, int k, int64_t as_of, struct arena *arena,
                   struct value *values)
{
    const struct rules *rules = naive->rules;
    const struct feature_set *set = rules->set;
    const struct naive_key *key = &naive->keys[k];
    const struct naive_session *shown = newest_session(key);
    if (shown && as_of - rules->out_of_orderness.ms > shown->last + rules->gap.ms + rules->keep.ms)
        shown = NULL;
    const struct naive_event *sorted[NAIVE_RECORDS];
    int events = sorted_events(naive, k, sorted);
    static struct counted counted;
    for (int f = 0; f < set->count; f++) {
        const struct feature *feature = &set->features[f];
        if (operator_rows[feature->op].scope == DERIVED)
            continue;
        if (operator_rows[feature->op].scope == FRAME) {
            values[f] = frame(feature->op, rules, key, shown, as_of);
            continue;
        }
        int64_t tail = 0;
        if (feature->window >= 0) {
            const struct feature_window *window = &set->windows[feature->window];
            tail = floor_to(as_of - window->length.ms, window->hop.ms, phase_of(k));
        }
        counted.count = 0;
        for (int e = 0; e < events; e++) {
            bool inside = feature->window >= 0
                              ? sorted[e]->ts >= tail
                              : shown && sorted[e]->session == shown - key->sessions;
            if (inside && event_counts(naive, feature, sorted[e], &counted.values[counted.count]))
                counted.count++;
        }
        values[f] = fold(feature, &counted, arena);
    }
    for (int f = 0; f < set->count; f++) {
        const struct feature *feature = &set->features[f];
        if (operator_rows[feature->op].scope != DERIVED)
            continue;
        struct value a = values[feature->operands[0]];
        struct value b = values[feature->operands[1]];
        double divisor = number_of(b) + feature->alpha + feature->beta;
        bool none = a.type == VALUE_NULL || b.type == VALUE_NULL || divisor == 0;
        values[f] = none ? value_null() : value_double((number_of(a) + feature->alpha) / divisor);
    }
    return shown ? shown->rev : 0;
}

/* ---- words ---- */

static void render_value(struct text *out, const struct value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        text_append_char(out, '-');
        break;
    case VALUE_DOUBLE:
        text_printf(out, "%.17g", value->d);
        break;
    case VALUE_STRING:
        text_append(out, value->s, value->len);
        break;
    case VALUE_LIST:
        for (uint32_t k = 0; k < value->len; k++) {
            text_append_char(out, k ? ',' : '[');
            render_value(out, &value->items[k]);
        }
        text_append_char(out, ']');
        break;
    default:
        text_append_long(out, value->i);
    }
}

void naive_render(struct text *out, const struct feature_set *set, const struct value *values,
                  uint64_t rev)
{
    for (int k = 0; k < set->count; k++) {
        text_printf(out, "%s=", set->features[k].name);
        render_value(out, &values[k]);
        text_append_char(out, ' ');
    }
    text_printf(out, "_rev=%llu", (unsigned long long)rev);
}
