/* Records enter state: fate, watermark, session, windows, dirty key. */
#include <string.h>

#include "expect.h"
#include "hash.h"
#include "operator.h"
#include "shardstate.h"

enum { KNOWN_FALSE, KNOWN_TRUE, UNKNOWN };
/* An event on its way: what the steps find out about it. */
struct event {
    const struct record *record;
    struct expr_input input;
    int64_t record_ms; /* rts */
    const char *key;
    size_t key_len;
    uint64_t hash;
    uint32_t guess; /* of its handle, for prefetching only */
    bool has_id;
    struct hash128 id; /* of key and event.id */
    struct session_event session; /* what sessions see of it, once its time is judged */
    char digits[RULES_KEY_DIGITS];
};

/* ---- key ---- */

/* False: null, empty or too long. */
static bool event_key(const struct rules *rules, struct event *event)
{
    event->key = rules_key(&event->record->slots[rules->key_slot], event->digits, &event->key_len);
    return event->key_len > 0 && event->key_len <= RULES_KEY_MAX;
}

/* Memory is fetched for the whole batch at once, a step of the way to each key's state at a time,
 * so that the misses of different events overlap: table slot, entity, session and panes. */
static void prefetch_slot(const struct shard *shard, const struct record *record,
                         struct event *event)
{
    event->record = record;
    event->key = NULL;
    event->has_id = false;
    if (record->fate != FATE_NONE || !event_key(shard->rules, event)) {
        event->key_len = 0;
        return;
    }
    event->hash = hash_bytes(event->key, event->key_len);
    keytable_prefetch(&shard->table, event->hash);
    int id_slot = shard->rules->id_slot;
    if (id_slot < 0 || record->slots[id_slot].type == VALUE_NULL)
        return;
    event->has_id = true;
    event->id = dedup_fingerprint(event->key, event->key_len, &record->slots[id_slot]);
    keytable_prefetch(&shard->dedup.table, event->id.low);
}

static void fetch_entity(const struct shard *shard, struct event *event)
{
    event->guess = event->key_len ? keytable_guess(&shard->table, event->hash) : KEYTABLE_NONE;
    if (event->guess != KEYTABLE_NONE)
        entity_fetch(shard, event->guess);
}

/* ---- fate, in the order of fates.def ---- */

static void observe_record_time(struct shard *shard, struct event *event)
{
    int64_t own = event->record->record_time_ms;
    int64_t bound = shard->rules->record_time_max_ms;
    event->record_ms = own;
    if (own == RECORD_NO_TIME) {
        event->record_ms = shard->greatest_record_ms; /* may be none, too */
        return;
    }
    if (bound > 0 && own > bound)
        return; /* poisoned: it must not move any clock */
    shard->newest_record_ms = own;
    if (own > shard->greatest_record_ms)
        shard->greatest_record_ms = own;
}

static enum fate judge_time(struct shard *shard, struct event *event)
{
    const struct rules *rules = shard->rules;
    const struct value *time = &event->record->slots[rules->time_slot];
    if (time->type != VALUE_LONG || time->i < 0 || time->i > RULES_EVENT_TIME_MAX_MS)
        return FATE_BAD_TIME;
    if (rules->record_time_max_ms > 0 && event->record_ms > rules->record_time_max_ms)
        return FATE_BAD_TIME;
    event->input.ts.ms = time->i;
    if (event->record_ms == RECORD_NO_TIME)
        event->record_ms = time->i;
    return event->key_len == 0 ? FATE_NO_KEY : FATE_NONE;
}

/* T2, too_old, W1. */
static enum fate judge_skew(struct shard *shard, struct event *event)
{
    const struct rules *rules = shard->rules;
    struct event_time *ts = &event->input.ts;
    if (ts->ms > clock_add_ms(event->record_ms, rules->max_future_skew.ms)) {
        if (rules->reject_future)
            return FATE_FUTURE;
        ts->ms = event->record_ms;
        shard->counters.future_clamped++;
    }
    if (rules->max_age.ms > 0 && ts->ms < clock_sub_ms(event->record_ms, rules->max_age.ms))
        return FATE_TOO_OLD;
    int64_t seen = ts->ms < event->record_ms ? ts->ms : event->record_ms;
    if (shard->observed)
        observe_arrival(shard, event->key, event->key_len, ts->ms, seen);
    if (seen > shard->raw_ms) {
        int64_t before = shard_watermark_ms(shard);
        shard->raw_ms = seen;
        if (shard->settle.count > 0) /* first: what it adds keeps keys from being forgotten */
            shard_settle_due(shard, before);
        if (shard->observed)
            shard_advance_to(shard, seen);
        shard_forget_due(shard);
        if (rules->id_slot >= 0)
            dedup_expire(&shard->dedup, shard_watermark_ms(shard), checkpoint_id_leaves, shard);
    }
    if (entity_place(event->hash) > shard->last_place)
        return FATE_FILTERED;
    if (rules->where && !expr_test(rules->where, &event->input))
        return FATE_FILTERED;
    return FATE_NONE;
}

static enum fate judge_lateness(struct shard *shard, struct event *event,
                                const struct entity *entity)
{
    const struct rules *rules = shard->rules;
    event->session = (struct session_event){.ms = event->input.ts.ms,
                                            .offset = event->record->offset};
    if (rules->session_slot >= 0)
        event->session.tracker = event->record->slots[rules->session_slot];
    int64_t watermark = shard_watermark_ms(shard);
    static const struct sessions none;
    const struct sessions *sessions = entity ? &entity->sessions : &none;
    if (sessions_accept(sessions, rules, &event->session, watermark))
        return FATE_APPLIED;
    if (clock_add_ms(event->input.ts.ms, rules->window_lateness.ms) >= watermark)
        return FATE_WINDOWS_ONLY;
    return FATE_LATE;
}

/* ---- folding ---- */

static inline bool predicate_true(struct shard *shard, int where, const struct event *event)
{
    if (where < 0)
        return true;
    uint8_t *known = &shard->predicates[where];
    if (*known == UNKNOWN)
        *known = expr_test(shard->rules->set->predicates[where], &event->input);
    return *known == KNOWN_TRUE;
}

static inline const struct value *argument_value(struct shard *shard, int argument,
                                                 const struct event *event)
{
    static const struct value counted = {.i = 1, .type = VALUE_BOOL};
    if (argument < 0)
        return &counted;
    if (!shard->arguments_known[argument]) {
        shard->arguments[argument] =
            expr_eval(shard->rules->set->arguments[argument], &event->input);
        shard->arguments_known[argument] = true;
    }
    return &shard->arguments[argument];
}

/* The accumulators of the pane that the event belongs to; NULL when it is over at the watermark.
 * Rows look from raw, but what keeps a key from being forgotten is judged by the watermark. */
static char *fold_pane(struct shard *shard, uint32_t handle, int window, int64_t ts_ms)
{
    const struct feature_set *set = shard->rules->set;
    const struct feature_window *shape = &set->windows[window];
    struct entity *entity = entity_at(shard, handle);
    int64_t phase = entity_phase_ms(entity);
    int64_t index = pane_index(shape, phase, ts_ms);
    int64_t tail = pane_tail(shape, phase, shard_watermark_ms(shard));
    if (index < tail)
        return NULL;
    int64_t *pane =
        panes_get(set, window, &shard->pool, &entity->windows[window], index, tail);
    entity_arm(shard, handle, pane_leaves_ms(shape, phase, index));
    return pane_acc(pane);
}

/* Where the accumulators are that an event is added to. */
struct fold {
    struct shard *shard;
    uint32_t handle;
    struct session *session; /* NULL: windows only */
    const struct event *event;
    char *panes[FEATURE_WINDOWS_MAX];
    uint64_t panes_known; /* one bit a window */
};

/* The feature's accumulator for the event; NULL when there is none. */
static inline char *fold_acc(struct fold *fold, const struct feature *feature)
{
    _Static_assert(FEATURE_WINDOWS_MAX <= 64, "one bit a window");
    char *accs = fold->session ? fold->session->acc : NULL;
    if (feature->window >= 0) {
        uint64_t bit = UINT64_C(1) << feature->window;
        if (!(fold->panes_known & bit))
            fold->panes[feature->window] =
                fold_pane(fold->shard, fold->handle, feature->window, fold->event->input.ts.ms);
        fold->panes_known |= bit;
        accs = fold->panes[feature->window];
    }
    return accs ? accs + feature->acc_offset : NULL;
}

/* Whether the feature counts the event; value is its argument then. */
static inline bool fold_wants(struct fold *fold, const struct feature *feature,
                              const struct value **value)
{
    if ((feature->window < 0 && !fold->session) ||
        !predicate_true(fold->shard, feature->where, fold->event))
        return false;
    *value = argument_value(fold->shard, feature->argument, fold->event);
    return (*value)->type != VALUE_NULL;
}

static void fold_grouped(struct fold *fold, struct event_order order)
{
    struct shard *shard = fold->shard;
    const struct feature_set *set = shard->rules->set;
    for (int k = 0; k < set->grouped.count; k++) {
        const struct feature *feature = &set->features[set->grouped.at[k]];
        const struct value *value;
        if (!fold_wants(fold, feature, &value))
            continue;
        const struct value *group = argument_value(shard, feature->by, fold->event);
        char *acc = group->type != VALUE_NULL ? fold_acc(fold, feature) : NULL;
        if (acc)
            shard_note_added(
                shard, operator_add_grouped(&shard->pool, feature, acc, group, value, order));
    }
}

/* Adds the event to the accumulators of its session (if it has one) and of its panes. */
static void fold_event(struct shard *shard, uint32_t handle, struct session *session,
                       const struct event *event)
{
    const struct feature_set *set = shard->rules->set;
    memset(shard->predicates, UNKNOWN, (size_t)set->event_predicates);
    memset(shard->arguments_known, 0, (size_t)set->event_arguments);
    struct fold fold;
    fold.shard = shard;
    fold.handle = handle;
    fold.session = session;
    fold.event = event;
    fold.panes_known = 0;
    struct event_order order = {event->input.ts.ms, event->record->offset};
    for (int k = 0; k < set->plain.count; k++) {
        const struct feature *feature = &set->features[set->plain.at[k]];
        const struct value *value;
        if (!fold_wants(&fold, feature, &value))
            continue;
        char *acc = fold_acc(&fold, feature);
        if (!acc)
            continue;
        enum operator_added added = operator_add(&shard->pool, feature, acc, value, order);
        if (added != OPERATOR_ADDED)
            shard_note_added(shard, added);
    }
    if (set->grouped.count > 0)
        fold_grouped(&fold, order);
}

/* ---- entering state ---- */

static struct session_change enter_session(struct shard *shard, uint32_t handle,
                                           struct event *event)
{
    const struct rules *rules = shard->rules;
    struct entity *entity = entity_at(shard, handle);
    event->session.ends = rules->end_when && expr_test(rules->end_when, &event->input);
    uint32_t live_before = entity->sessions.live_count;
    struct session_change change =
        sessions_enter(&entity->sessions, rules, &shard->pool, &event->session,
                       shard_watermark_ms(shard));
    shard->live_sessions += entity->sessions.live_count;
    shard->live_sessions -= live_before;
    shard->counters.sessions_opened += change.opened;
    shard->counters.sessions_merged += (uint64_t)change.merged;
    shard->counters.sessions_corrected += change.corrected;
    shard->counters.sessions_split += change.split;
    entity_arm(shard, handle, session_closes_ms(rules, change.session));
    if (rules->set->closed.count > 0)
        closed_arm(shard, handle);
    return change;
}

/* Keeps the event's id as long as the watermark has not passed it by dedup_window. */
static void remember_id(struct shard *shard, const struct event *event)
{
    const struct rules *rules = shard->rules;
    int64_t until = clock_add_ms(event->input.ts.ms, rules->dedup_window.ms);
    if (until < shard_watermark_ms(shard))
        return;
    if (dedup_count(&shard->dedup) < rules->dedup_max)
        dedup_remember(&shard->dedup, &event->id, until, shard->checkpointing.epoch);
    else
        shard->counters.ids_overflowed++;
}

static void apply_event(struct shard *shard, uint32_t handle, enum fate fate, struct event *event)
{
    if (event->has_id)
        remember_id(shard, event);
    bool new_life = false;
    if (handle == KEYTABLE_NONE) {
        handle = entity_create(shard, event->key, event->key_len, event->hash);
        new_life = true;
    } else if (entity_at(shard, handle)->flags & ENTITY_FORGOTTEN) {
        entity_revive(shard, handle);
        new_life = true;
    }
    struct entity *entity = entity_at(shard, handle);
    struct observed_sessions before = {0};
    if (shard->observed)
        before = observe_before(shard, entity);
    struct session_change change = {0};
    if (fate == FATE_APPLIED)
        change = enter_session(shard, handle, event);
    fold_event(shard, handle, change.session, event);
    if (event->record->offset > entity->offset)
        entity->offset = event->record->offset;
    if (shard->observed && change.session)
        observe_entered(shard, entity, &before, &change);
    if (entity->queue != QUEUE_EVENT || event->input.ts.ms < entity->since_ms)
        entity->since_ms = event->input.ts.ms;
    entity_dirty(shard, handle, QUEUE_EVENT);
    if (new_life) {
        entity_arm_forget(shard, handle);
        shard_forget_due(shard); /* an event that no row can show is forgotten at once */
    }
}

static struct verdict apply_record(struct shard *shard, struct event *event)
{
    const struct record *record = event->record;
    event->input.ts = EVENT_TIME_MIN;
    if (record->offset < shard->next_offset)
        return (struct verdict){FATE_REPLAYED, 0};
    shard->counters.offset_gaps +=
        shard->next_offset > 0 && record->offset > shard->next_offset;
    shard->next_offset = record->offset + 1;
    observe_record_time(shard, event);
    if (record->fate != FATE_NONE)
        return (struct verdict){record->fate, 0};
    enum fate fate = judge_time(shard, event);
    if (fate == FATE_NONE)
        fate = judge_skew(shard, event);
    if (fate != FATE_NONE)
        return (struct verdict){fate, 0};

    uint32_t handle = entity_find(shard, event->key, event->key_len, event->hash);
    struct entity *entity = handle == KEYTABLE_NONE ? NULL : entity_at(shard, handle);
    int64_t watermark = shard_watermark_ms(shard);
    if (entity) {
        entity_touch(shard, handle);
        shard->live_sessions -= (uint64_t)sessions_settle(&entity->sessions, shard->rules,
                                                          &shard->pool, watermark);
    }
    fate = judge_lateness(shard, event, entity);
    int64_t late_by = fate == FATE_APPLIED ? 0 : clock_sub_ms(watermark, event->input.ts.ms);
    if (fate != FATE_LATE && event->has_id && dedup_knows(&shard->dedup, &event->id))
        return (struct verdict){FATE_DUPLICATE, 0};
    bool known = entity && !(entity->flags & ENTITY_FORGOTTEN);
    if (fate != FATE_LATE && !known && shard->live_keys >= shard->rules->max_keys)
        return (struct verdict){FATE_OVER_CAPACITY, 0};
    if (fate != FATE_LATE)
        apply_event(shard, handle, fate, event);
    return (struct verdict){fate, late_by};
}

static struct verdict apply_next(struct shard *shard, struct event *event)
{
    expect_context.offset = event->record->offset;
    shard->cause_offset = event->record->offset;
    event->input.slots = event->record->slots;
    event->input.zone = shard->rules->zone;
    struct verdict verdict = apply_record(shard, event);
    shard->counters.fates[verdict.fate]++;
    if (shard->observed)
        observe_ended(shard, event->key, event->key_len, event->input.ts.ms, verdict);
    return verdict;
}

void shard_apply(struct shard *shard, const struct record *records, int count,
                 struct verdict *verdicts)
{
    expect(count <= SHARD_APPLY_MAX);
    expect_context.partition = shard->partition;
    arena_reset(&shard->scratch);
    struct event *events = arena_alloc(&shard->scratch, (size_t)count * sizeof *events);
    for (int k = 0; k < count; k++)
        prefetch_slot(shard, &records[k], &events[k]);
    for (int k = 0; k < count; k++)
        fetch_entity(shard, &events[k]);
    for (int k = 0; k < count; k++)
        if (events[k].guess != KEYTABLE_NONE)
            entity_fetch_state(shard, events[k].guess);
    for (int k = 0; k < count; k++)
        verdicts[k] = apply_next(shard, &events[k]);
    shard->cause_offset = -1;
}
