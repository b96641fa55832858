/* The semantics once more, without any cleverness: every rule as it is written, over the list of
 * accepted events. */
#include "naive.h"

#include <string.h>

#include "expr.h"
#include "hash.h"
#include "naive_fold.h"
#include "text.h"

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
    static int64_t phases[NAIVE_KEYS]; /* none of the names' is 0 */
    if (phases[key] == 0)
        phases[key] =
            (int64_t)(hash_bytes(naive_keys[key], strlen(naive_keys[key])) % 86400000);
    return phases[key];
}

static int64_t period_of(const struct rules *rules, int64_t t)
{
    if (rules->cut_at_ms < 0)
        return 0;
    return floor_to(t + rules->zone.ms, rules->cut_every.ms, rules->cut_at_ms);
}

/* ---- forgetting ---- */

/* The event's value of an expression, which is a field; a bool when there is none. */
static struct value argument_of(const struct naive *naive, int argument,
                                const struct naive_event *event)
{
    static const char *const paths[] = {
        [SLOT_TYPE] = "type", [SLOT_ITEM] = "item", [SLOT_PRICE] = "price",
        [SLOT_N] = "n",       [SLOT_ID] = "id"};
    if (argument < 0)
        return value_bool(true);
    const char *text = expr_canonical(naive->rules->set->arguments[argument]);
    int slot = SLOT_TYPE;
    while (strcmp(paths[slot], text) != 0)
        slot++;
    return event->slots[slot];
}

static bool event_counts(const struct naive *naive, const struct feature *feature,
                         const struct naive_event *event, struct naive_counted *counted)
{
    if (feature->on_session || (feature->where >= 0 && !event->click))
        return false;
    counted->ts = event->ts;
    counted->value = argument_of(naive, feature->argument, event);
    counted->group = argument_of(naive, feature->by, event);
    return counted->value.type != VALUE_NULL && counted->group.type != VALUE_NULL;
}

/* The as_of at which what happened at ts leaves the feature's window. */
static int64_t leaves_at(const struct naive *naive, const struct feature *feature, int key,
                         int64_t ts)
{
    const struct feature_window *window = &naive->rules->set->windows[feature->window];
    if (feature_window_is_lifetime(window))
        return INT64_MAX;
    return floor_to(ts, window->hop.ms, phase_of(key)) + window->hop.ms + window->length.ms;
}

/* What an expression of a feature with `on = session` makes of a session. */
static struct value fact_of(const struct naive *naive, int argument,
                            const struct naive_session *session)
{
    if (argument < 0)
        return value_bool(true);
    const char *text = expr_canonical(naive->rules->set->arguments[argument]);
    int64_t duration = session->last - session->start;
    if (strcmp(text, "session_start") == 0)
        return value_long(session->start);
    if (strcmp(text, "session_duration") == 0)
        return value_long(duration);
    if (strcmp(text, "session_event_count") == 0)
        return value_long(session->events);
    return session->events < 2 ? value_null() /* mean_gap */
                               : value_double((double)duration / (double)(session->events - 1));
}

static bool session_counts(const struct naive *naive, const struct feature *feature, int key,
                           const struct naive_session *session, struct naive_counted *counted)
{
    if (!feature->on_session || session->gone || !session->immutable ||
        leaves_at(naive, feature, key, session->last) <= session->settled_at)
        return false;
    counted->ts = session->last;
    counted->value = fact_of(naive, feature->argument, session);
    counted->group = fact_of(naive, feature->by, session);
    return counted->value.type != VALUE_NULL && counted->group.type != VALUE_NULL;
}

const struct naive_session *naive_newest(const struct naive_key *key)
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

/* When what the key's windows hold leaves them: the last time of all or, beyond after, the first.
 * INT64_MIN: none. */
static int64_t leaves_windows(const struct naive *naive, int key, int64_t after)
{
    const struct feature_set *set = naive->rules->set;
    const struct naive_key *state = &naive->keys[key];
    int64_t at = INT64_MIN;
    for (int f = 0; f < set->count; f++) {
        const struct feature *feature = &set->features[f];
        struct naive_counted counted;
        int sessions = feature->on_session ? state->session_count : 0;
        int events = feature->on_session ? 0 : naive->event_count - state->first_event;
        for (int k = 0; feature->window >= 0 && k < sessions + events; k++) {
            const struct naive_event *event = &naive->events[state->first_event + k];
            if (feature->on_session
                    ? !session_counts(naive, feature, key, &state->sessions[k], &counted)
                    : event->key != key || !event_counts(naive, feature, event, &counted))
                continue;
            int64_t leaves = leaves_at(naive, feature, key, counted.ts);
            bool better = after == INT64_MIN ? leaves > at
                                             : leaves > after && (at == INT64_MIN || leaves < at);
            at = better ? leaves : at;
        }
    }
    return at;
}

int64_t naive_forget_at(const struct naive *naive, int k)
{
    const struct rules *rules = naive->rules;
    const struct naive_session *newest = naive_newest(&naive->keys[k]);
    int64_t at = INT64_MIN;
    if (rules->set->has_lifetime)
        return INT64_MAX;
    if (newest) {
        int64_t longer = rules->keep.ms > rules->lateness.ms ? rules->keep.ms : rules->lateness.ms;
        at = newest->last + rules->gap.ms + longer + 1;
    }
    int64_t leaves = leaves_windows(naive, k, INT64_MIN);
    return leaves > at ? leaves : at;
}

int64_t naive_decays_at(const struct naive *naive, int k, int64_t after)
{
    const struct rules *rules = naive->rules;
    const struct naive_session *newest = naive_newest(&naive->keys[k]);
    int64_t due = INT64_MAX;
    if (newest) {
        int64_t closes = newest->last + rules->gap.ms + rules->out_of_orderness.ms + 1;
        int64_t hides = closes + rules->keep.ms;
        due = closes > after ? closes : hides > after ? hides : due;
    }
    int64_t leaves = leaves_windows(naive, k, after);
    return leaves != INT64_MIN && leaves < due ? leaves : due;
}

static void follow(struct naive *naive, enum naive_moment moment, const struct naive_event *event)
{
    if (naive->follower)
        naive->follower(naive->context, naive, moment, event);
}

/* Forgets what is over, the longest over first, then by name. */
static void forget(struct naive *naive)
{
    int64_t watermark = naive_watermark(naive);
    for (;;) {
        int64_t earliest = INT64_MAX;
        int first = -1;
        for (int k = 0; k < NAIVE_KEYS; k++) {
            int64_t at = naive->keys[k].alive ? naive_forget_at(naive, k) : INT64_MAX;
            if (at <= watermark && at < earliest) {
                earliest = at;
                first = k;
            }
        }
        if (first < 0)
            return;
        follow(naive, NAIVE_FORGETS, &(struct naive_event){.key = first});
        naive->keys[first].alive = false;
        naive->keys[first].session_count = 0;
    }
}

/* ---- sessions ---- */

/* Events in their order: S9. */
static bool comes_after(const struct naive_event *a, const struct naive_event *b)
{
    return a->ts > b->ts || (a->ts == b->ts && a->offset > b->offset);
}

static const struct naive_event *first_of(const struct naive *naive, int key, int session)
{
    const struct naive_event *first = NULL;
    for (int e = naive->keys[key].first_event; e < naive->event_count; e++) {
        const struct naive_event *event = &naive->events[e];
        if (event->key == key && event->session == session &&
            (!first || comes_after(first, event)))
            first = event;
    }
    return first;
}

/* S11: the greatest event of the session that ends it, or NULL. */
static const struct naive_event *end_of(const struct naive *naive, int key, int session)
{
    const struct naive_event *end = NULL;
    for (int e = naive->keys[key].first_event; e < naive->event_count; e++) {
        const struct naive_event *event = &naive->events[e];
        if (event->key == key && event->session == session && event->ends &&
            (!end || comes_after(event, end)))
            end = event;
    }
    return end;
}

static struct value tracker_of(const struct naive *naive, const struct naive_event *event)
{
    int slot = naive->rules->session_slot;
    return slot < 0 ? value_null() : event->slots[slot];
}

/* Whether the event may join the session; *split when only the session's end keeps it out. */
static bool may_join(const struct naive *naive, const struct naive_event *event, int k,
                     bool *split)
{
    const struct rules *rules = naive->rules;
    const struct naive_session *session = &naive->keys[event->key].sessions[k];
    struct value tracker = tracker_of(naive, event);
    bool live = session->last + rules->gap.ms + rules->lateness.ms >= naive_watermark(naive);
    bool reaches = !session->gone && live && session->start - rules->gap.ms <= event->ts &&
                   event->ts <= session->last + rules->gap.ms &&
                   period_of(rules, session->last) == period_of(rules, event->ts) &&
                   session->tracker.type == tracker.type &&
                   (tracker.type == VALUE_NULL || naive_same(&session->tracker, &tracker));
    const struct naive_event *end = end_of(naive, event->key, k);
    bool beyond = end && comes_after(event, end);
    *split |= reaches && beyond;
    return reaches && !beyond;
}

/* The sessions that the event goes into, the earliest first: all it may join, up to the first that
 * begins after the end of those before it. */
static int joined_sessions(const struct naive *naive, const struct naive_event *event, int *joined,
                           bool *split)
{
    const struct naive_key *key = &naive->keys[event->key];
    int count = 0;
    for (int k = 0; k < key->session_count; k++) {
        if (!may_join(naive, event, k, split))
            continue;
        const struct naive_event *first = first_of(naive, event->key, k);
        int at = count++;
        for (; at > 0 && comes_after(first_of(naive, event->key, joined[at - 1]), first); at--)
            joined[at] = joined[at - 1];
        joined[at] = k;
    }
    const struct naive_event *end = event->ends ? event : NULL;
    for (int k = 0; k < count; k++) {
        const struct naive_event *own = end_of(naive, event->key, joined[k]);
        if (k > 0 && end && comes_after(first_of(naive, event->key, joined[k]), end))
            return k;
        if (own && (!end || comes_after(own, end)))
            end = own;
    }
    return count;
}

static void enter_session(struct naive *naive, struct naive_event *event, const int *joined,
                          int count)
{
    struct naive_key *key = &naive->keys[event->key];
    int64_t closed_before = naive_watermark(naive) - naive->rules->gap.ms;
    struct naive_session all = {.start = event->ts, .last = event->ts, .id = event->offset,
                                .events = 1, .tracker = tracker_of(naive, event)};
    bool corrected = count == 0 && event->ts < closed_before;
    for (int k = 0; k < count; k++) {
        struct naive_session *session = &key->sessions[joined[k]];
        corrected |= session->last < closed_before;
        all.start = session->start < all.start ? session->start : all.start;
        all.last = session->last > all.last ? session->last : all.last;
        if (session->id < all.id)
            all.published = session->published;
        all.id = session->id < all.id ? session->id : all.id;
        all.rev += session->rev;
        all.events += session->events;
        session->gone = true;
    }
    naive->opened += count == 0;
    naive->merged += count > 1 ? count - 1 : 0;
    naive->corrected += corrected;
    if (corrected)
        all.rev += 1 + (count > 1 ? (uint64_t)count - 1 : 0);
    event->session = key->session_count;
    for (int e = key->first_event; e < naive->event_count; e++)
        for (int k = 0; k < count; k++)
            if (naive->events[e].key == event->key && naive->events[e].session == joined[k])
                naive->events[e].session = event->session;
    key->sessions[key->session_count++] = all;
}

/* ---- deduplication ---- */

static void forget_ids(struct naive *naive)
{
    int kept = 0;
    for (int k = 0; k < naive->id_count; k++)
        if (naive->ids[k].until >= naive_watermark(naive))
            naive->ids[kept++] = naive->ids[k];
    naive->id_count = kept;
}

static bool knows_id(const struct naive *naive, const struct naive_event *event)
{
    if (naive->rules->id_slot < 0 || event->slots[SLOT_ID].type == VALUE_NULL)
        return false;
    for (int k = 0; k < naive->id_count; k++)
        if (naive->ids[k].key == event->key && naive->ids[k].id == event->slots[SLOT_ID].i)
            return true;
    return false;
}

static void remember_id(struct naive *naive, const struct naive_event *event)
{
    const struct rules *rules = naive->rules;
    int64_t until = event->ts + rules->dedup_window.ms;
    if (rules->id_slot < 0 || event->slots[SLOT_ID].type == VALUE_NULL ||
        until < naive_watermark(naive))
        return;
    if (naive->id_count < (int)rules->dedup_max)
        naive->ids[naive->id_count++] =
            (struct naive_id){event->key, event->slots[SLOT_ID].i, until};
    else
        naive->ids_overflowed++;
}

/* ---- closed sessions ---- */

/* S3: sessions that can no longer change are what `on = session` sees. */
static void settle(struct naive *naive)
{
    const struct rules *rules = naive->rules;
    for (int k = 0; k < NAIVE_KEYS; k++) {
        struct naive_key *key = &naive->keys[k];
        for (int s = 0; key->alive && s < key->session_count; s++) {
            struct naive_session *session = &key->sessions[s];
            if (session->gone || session->immutable ||
                session->last + rules->gap.ms + rules->lateness.ms >= naive_watermark(naive))
                continue;
            session->immutable = true;
            session->settled_at = naive_watermark(naive);
            for (int f = 0; f < rules->set->count; f++) {
                const struct feature *feature = &rules->set->features[f];
                struct naive_counted counted;
                key->fed |= session_counts(naive, feature, k, session, &counted);
            }
        }
    }
}

/* ---- fates ---- */

int naive_key_of(const char *key, size_t len)
{
    for (int k = 0; k < NAIVE_KEYS; k++)
        if (len == strlen(naive_keys[k]) && memcmp(key, naive_keys[k], len) == 0)
            return k;
    return -1;
}

static bool is_text(const struct value *value, const char *text)
{
    return value->type == VALUE_STRING && value->len == strlen(text) &&
           memcmp(value->s, text, value->len) == 0;
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
    const struct value *key = &record->slots[SLOT_KEY];
    event->key = key->type == VALUE_STRING ? naive_key_of(key->s, key->len) : -1;
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
    memcpy(event->slots, record->slots, sizeof event->slots);
    event->click = is_text(&record->slots[SLOT_TYPE], "click");
    event->ends = rules->end_when && is_text(&record->slots[SLOT_ITEM], "c");
    follow(naive, NAIVE_ARRIVED, event);
    int64_t seen = event->ts < rts ? event->ts : rts;
    if (seen > naive->raw) {
        naive->raw = seen;
        settle(naive);
        follow(naive, NAIVE_TIME_MOVED, event);
    }
    forget(naive);
    forget_ids(naive);
    return rules->where && is_text(&record->slots[SLOT_TYPE], "tick") ? FATE_FILTERED : FATE_NONE;
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
    bool split = false;
    int count = key->alive ? joined_sessions(naive, &event, joined, &split) : 0;
    int64_t last = event.ts;
    for (int k = 0; k < count; k++)
        if (key->sessions[joined[k]].last > last)
            last = key->sessions[joined[k]].last;
    int64_t watermark = naive_watermark(naive);
    bool in_session = last + rules->gap.ms + rules->lateness.ms >= watermark;
    if (!in_session && event.ts + rules->window_lateness.ms < watermark)
        return FATE_LATE;
    if (knows_id(naive, &event))
        return FATE_DUPLICATE;
    if (!key->alive && naive_living(naive) >= (int)rules->max_keys)
        return FATE_OVER_CAPACITY;
    remember_id(naive, &event);
    if (!key->alive) {
        key->first_event = naive->event_count;
        key->fed = false;
    }
    key->alive = true;
    key->offset = record->offset;
    if (in_session) {
        naive->split += split;
        follow(naive, NAIVE_ENTERS, &event);
        enter_session(naive, &event, joined, count);
    }
    naive->events[naive->event_count++] = event;
    if (in_session)
        follow(naive, NAIVE_ENTERED, &event);
    forget(naive);
    return in_session ? FATE_APPLIED : FATE_WINDOWS_ONLY;
}

/* ---- rows ---- */

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
        if (!before || session->start > before->start ||
            (session->start == before->start && session->last > before->last))
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

/* An event or a session that a feature counts, and its place in order. */
struct ordered {
    struct naive_counted counted;
    int64_t offset;
};

static int insert(struct ordered *list, int count, const struct ordered *fresh)
{
    int at = count;
    for (; at > 0 && (list[at - 1].counted.ts > fresh->counted.ts ||
                      (list[at - 1].counted.ts == fresh->counted.ts &&
                       list[at - 1].offset > fresh->offset));
         at--)
        list[at] = list[at - 1];
    list[at] = *fresh;
    return count + 1;
}

/* What the feature counts of this life of the key, from tail on or of the shown session; by (event
 * time, offset) or (last, id). */
static int counted_by(const struct naive *naive, int k, const struct feature *feature,
                      const struct naive_session *shown, int64_t tail, struct ordered *list)
{
    const struct naive_key *key = &naive->keys[k];
    int count = 0;
    for (int s = 0; key->alive && feature->on_session && s < key->session_count; s++) {
        struct ordered fresh = {.offset = key->sessions[s].id};
        if (session_counts(naive, feature, k, &key->sessions[s], &fresh.counted) &&
            fresh.counted.ts >= tail)
            count = insert(list, count, &fresh);
    }
    for (int e = key->first_event; key->alive && !feature->on_session && e < naive->event_count;
         e++) {
        const struct naive_event *event = &naive->events[e];
        struct ordered fresh = {.offset = event->offset};
        bool inside = feature->window >= 0 ? event->ts >= tail
                                           : shown && event->session == shown - key->sessions;
        if (event->key == k && inside && event_counts(naive, feature, event, &fresh.counted))
            count = insert(list, count, &fresh);
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
    const struct naive_session *shown = naive_newest(&naive->keys[k]);
    if (shown && as_of - rules->out_of_orderness.ms > shown->last + rules->gap.ms + rules->keep.ms)
        shown = NULL;
    naive_row_of(naive, k, shown, as_of, arena, values);
    return shown ? shown->rev : 0;
}

void naive_row_of(const struct naive *naive, int k, const struct naive_session *shown,
                  int64_t as_of, struct arena *arena, struct value *values)
{
    const struct rules *rules = naive->rules;
    const struct feature_set *set = rules->set;
    const struct naive_key *key = &naive->keys[k];
    static struct ordered list[NAIVE_RECORDS];
    static struct naive_counted counted[NAIVE_RECORDS];
    for (int f = 0; f < set->count; f++) {
        const struct feature *feature = &set->features[f];
        if (operator_rows[feature->op].scope == DERIVED)
            continue;
        if (operator_rows[feature->op].scope == FRAME) {
            values[f] = frame(feature->op, rules, key, shown, as_of);
            continue;
        }
        int64_t tail = 0;
        const struct feature_window *window =
            feature->window >= 0 ? &set->windows[feature->window] : NULL;
        if (window && !feature_window_is_lifetime(window))
            tail = floor_to(as_of - window->length.ms, window->hop.ms, phase_of(k));
        int count = counted_by(naive, k, feature, shown, tail, list);
        for (int c = 0; c < count; c++)
            counted[c] = list[c].counted;
        values[f] = naive_fold(feature, counted, count, arena);
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
    case VALUE_MAP:
        for (uint32_t k = 0; k < value->len; k++) {
            text_append_char(out, k ? ',' : '{');
            render_value(out, &value->items[2 * k]);
            text_append_char(out, ':');
            render_value(out, &value->items[2 * k + 1]);
        }
        text_append_char(out, '}');
        break;
    default:
        text_append_long(out, value->i);
    }
}

void naive_render(struct text *out, const struct feature_set *set, const struct value *values,
                  uint64_t rev)
{
    for (int k = 0; k < set->count; k++) {
        text_append_string(out, set->features[k].name);
        text_append_char(out, '=');
        render_value(out, &values[k]);
        text_append_char(out, ' ');
    }
    text_printf(out, "_rev=%llu", (unsigned long long)rev);
}
