/* Features with `on = session`: the watermark makes a session immutable (S3), and it is folded
 * once, as if it were an event at its end. */
#include "closedspace.h"
#include "expect.h"
#include "operator.h"
#include "shardstate.h"

/* What each entity has beside its windows when the set has such features. */
static struct entity_closed *entity_closed(const struct shard *shard, struct entity *entity)
{
    return (struct entity_closed *)(void *)&entity->windows[shard->rules->set->window_count];
}

void closed_init(const struct shard *shard, struct entity *entity)
{
    if (shard->rules->set->closed.count > 0)
        *entity_closed(shard, entity) = (struct entity_closed){.settles_ms = INT64_MAX};
}

/* ---- when ---- */

/* The first watermark that makes the session immutable. */
static int64_t session_settles_ms(const struct rules *rules, const struct session *session)
{
    int64_t deadline = clock_add_ms(session->last_ms, rules->gap.ms);
    return clock_add_ms(deadline, rules->lateness.ms + 1);
}

/* Makes sure that the queue knows the first of the key's live sessions to settle. */
static void arm(struct shard *shard, uint32_t handle, int64_t at_ms)
{
    struct entity *entity = entity_at(shard, handle);
    struct entity_closed *closed = entity_closed(shard, entity);
    if (at_ms >= closed->settles_ms)
        return; /* the armed one looks for the next */
    closed->settles_ms = at_ms;
    deadlines_push(&shard->settle, (struct deadline){at_ms, handle, entity->serial});
}

void closed_arm(struct shard *shard, uint32_t handle)
{
    int64_t watermark = shard_watermark_ms(shard);
    const struct session *session = entity_at(shard, handle)->sessions.live;
    for (; session && session_live(shard->rules, session->last_ms, watermark);
         session = session->next)
        arm(shard, handle, session_settles_ms(shard->rules, session));
}

bool closed_row_due(const struct shard *shard, const struct entity *entity)
{
    return shard->rules->set->closed.count > 0 &&
           entity_closed(shard, (struct entity *)(uintptr_t)entity)->row_due;
}

void closed_row_told(const struct shard *shard, struct entity *entity)
{
    if (shard->rules->set->closed.count > 0)
        entity_closed(shard, entity)->row_due = false;
}

/* ---- folding ---- */

static void describe(const struct session *session, struct value slots[CLOSED_SLOTS])
{
    int64_t duration_ms = session->last_ms - session->start_ms;
    slots[CLOSED_ID] = value_long(session->id);
    slots[CLOSED_START] = value_long(session->start_ms);
    slots[CLOSED_LAST] = value_long(session->last_ms);
    slots[CLOSED_DURATION] = value_long(duration_ms);
    slots[CLOSED_EVENT_COUNT] = value_long(session->events);
    slots[CLOSED_MEAN_GAP] = session->events < 2
                                 ? value_null()
                                 : value_double((double)duration_ms / (session->events - 1));
}

/* True when the feature counts the session; group is null without `by`. */
static bool wants(const struct feature_set *set, const struct feature *feature,
                  const struct expr_input *input, struct value *value, struct value *group)
{
    if (feature->where >= 0 && !expr_test(set->predicates[feature->where], input))
        return false;
    *value = feature->argument >= 0 ? expr_eval(set->arguments[feature->argument], input)
                                    : value_bool(true);
    *group = feature->by >= 0 ? expr_eval(set->arguments[feature->by], input) : value_null();
    return value->type != VALUE_NULL && (feature->by < 0 || group->type != VALUE_NULL);
}

/* The pane of the session's end; NULL when it has left. Panes that left since the watermark was
 * before_ms stay: whoever is told of decay is told of theirs after this. */
static char *session_pane(struct shard *shard, uint32_t handle, int window, int64_t last_ms,
                          int64_t before_ms)
{
    const struct feature_set *set = shard->rules->set;
    const struct feature_window *shape = &set->windows[window];
    struct entity *entity = entity_at(shard, handle);
    int64_t phase = entity_phase_ms(entity);
    int64_t index = pane_index(shape, phase, last_ms);
    if (index < pane_tail(shape, phase, shard_watermark_ms(shard)))
        return NULL;
    entity_arm(shard, handle, pane_leaves_ms(shape, phase, index));
    return pane_acc(panes_get(set, window, &shard->pool, &entity->windows[window], index,
                              pane_tail(shape, phase, before_ms)));
}

/* True when some feature has changed. */
static bool fold_session(struct shard *shard, uint32_t handle, const struct session *session,
                         int64_t before_ms)
{
    const struct feature_set *set = shard->rules->set;
    struct value slots[CLOSED_SLOTS];
    describe(session, slots);
    struct expr_input input = {slots, {session->last_ms}, shard->rules->zone};
    struct event_order order = {session->last_ms, session->id};
    bool changed = false;
    for (int k = 0; k < set->closed.count; k++) {
        const struct feature *feature = &set->features[set->closed.at[k]];
        struct value value;
        struct value group;
        if (!wants(set, feature, &input, &value, &group))
            continue;
        char *pane =
            session_pane(shard, handle, feature->window, session->last_ms, before_ms);
        if (!pane)
            continue;
        char *acc = pane + feature->acc_offset;
        shard_note_added(shard, feature->by < 0
                                    ? operator_add(&shard->pool, feature, acc, &value, order)
                                    : operator_add_grouped(&shard->pool, feature, acc, &group,
                                                           &value, order));
        changed = true;
    }
    return changed;
}

/* Folds the sessions that were live at the watermark before and are no more. They stay where they
 * are until the key's next event. */
static void settle(struct shard *shard, uint32_t handle, int64_t before_ms, int64_t watermark_ms)
{
    const struct rules *rules = shard->rules;
    struct entity *entity = entity_at(shard, handle);
    struct entity_closed *closed = entity_closed(shard, entity);
    const struct session *session = entity->sessions.live;
    entity_touch(shard, handle);
    for (; session; session = session->next)
        if (session_live(rules, session->last_ms, before_ms) &&
            !session_live(rules, session->last_ms, watermark_ms))
            closed->row_due |= fold_session(shard, handle, session, before_ms);
    if (closed->row_due)
        entity_arm(shard, handle, shard->raw_ms); /* which the next as_of reaches */
}

void shard_settle_due(struct shard *shard, int64_t before_ms)
{
    int64_t watermark = shard_watermark_ms(shard);
    struct deadline deadline;
    while (deadlines_pop(&shard->settle, watermark, &deadline)) {
        struct entity *entity = entity_at(shard, deadline.handle);
        if (deadline_stale(entity, &deadline) ||
            entity_closed(shard, entity)->settles_ms != deadline.at_ms)
            continue;
        entity_closed(shard, entity)->settles_ms = INT64_MAX;
        settle(shard, deadline.handle, before_ms, watermark);
        closed_arm(shard, deadline.handle);
    }
}
