/* What time alone does: decay, close and hide (by as_of), forget (by watermark). */
#include "expect.h"
#include "shardstate.h"

int64_t shard_watermark_ms(const struct shard *shard)
{
    if (shard->raw_ms == INT64_MIN)
        return INT64_MIN;
    return clock_sub_ms(shard->raw_ms, shard->rules->out_of_orderness.ms);
}

static int64_t earlier_after(int64_t best, int64_t candidate, int64_t after_ms)
{
    return candidate > after_ms && candidate < best ? candidate : best;
}

int64_t entity_row_due(const struct shard *shard, const struct entity *entity, int64_t after_ms)
{
    const struct rules *rules = shard->rules;
    int64_t due = INT64_MAX;
    const struct session *session = sessions_newest(&entity->sessions);
    if (session) {
        int64_t closes = session_closes_ms(rules, session);
        due = earlier_after(due, closes, after_ms);
        due = earlier_after(due, clock_add_ms(closes, rules->keep.ms), after_ms);
    }
    int64_t phase = entity_phase_ms(entity);
    for (int w = 0; w < rules->set->window_count; w++) {
        const struct feature_window *window = &rules->set->windows[w];
        struct panes *panes = entity->windows[w];
        if (!panes)
            continue;
        int k = panes_before(window, panes, pane_tail(window, phase, after_ms));
        if (k < panes->count)
            due = earlier_after(due, pane_leaves_ms(window, phase, *pane_at(window, panes, k)),
                                after_ms);
    }
    return due;
}

int64_t entity_next_due(const struct shard *shard, const struct entity *entity, int64_t after_ms)
{
    int64_t due = entity_row_due(shard, entity, after_ms);
    if (!shard->observed)
        return due;
    /* An observer is told of each session's end, not only of the shown one's. */
    for (const struct session *live = entity->sessions.live; live; live = live->next)
        due = earlier_after(due, session_closes_ms(shard->rules, live), after_ms);
    return due;
}

void entity_arm(struct shard *shard, uint32_t handle, int64_t at_ms)
{
    struct entity *entity = entity_at(shard, handle);
    if (at_ms < shard->decay.last_ms)
        at_ms = shard->decay.last_ms; /* over already: due at once */
    if (at_ms >= entity->armed_ms)
        return; /* the armed one fires first and looks for the next */
    entity->armed_ms = at_ms;
    deadlines_push(&shard->decay, (struct deadline){at_ms, handle, entity->serial});
}

int64_t entity_forget_at(const struct shard *shard, const struct entity *entity)
{
    const struct rules *rules = shard->rules;
    if (rules->set->has_lifetime)
        return INT64_MAX;
    int64_t at = INT64_MIN;
    const struct session *session = sessions_newest(&entity->sessions);
    if (session) {
        int64_t longer = rules->keep.ms > rules->lateness.ms ? rules->keep.ms : rules->lateness.ms;
        at = clock_add_ms(clock_add_ms(session->last_ms, rules->gap.ms), clock_add_ms(longer, 1));
    }
    int64_t phase = entity_phase_ms(entity);
    for (int w = 0; w < rules->set->window_count; w++) {
        struct panes *panes = entity->windows[w];
        if (!panes || panes->count == 0)
            continue;
        const struct feature_window *window = &rules->set->windows[w];
        int64_t newest = *pane_at(window, panes, panes->count - 1);
        int64_t leaves = pane_leaves_ms(window, phase, newest);
        at = leaves > at ? leaves : at;
    }
    return at;
}

void entity_arm_forget(struct shard *shard, uint32_t handle)
{
    struct entity *entity = entity_at(shard, handle);
    deadlines_push(&shard->forget,
                   (struct deadline){entity_forget_at(shard, entity), handle, entity->serial});
}

/* Each live key has one entry, put back when events have moved its time. */
void shard_forget_due(struct shard *shard)
{
    int64_t watermark = shard_watermark_ms(shard);
    struct deadline deadline;
    while (deadlines_pop(&shard->forget, watermark, &deadline)) {
        struct entity *entity = entity_at(shard, deadline.handle);
        if (deadline_stale(entity, &deadline))
            continue;
        if (entity_forget_at(shard, entity) > watermark) {
            entity_arm_forget(shard, deadline.handle);
            continue;
        }
        if (shard->observed)
            observe_forgotten(shard, deadline.handle);
        else
            entity_forget(shard, deadline.handle);
    }
    if (shard->observed)
        observe_all_forgotten(shard);
}

/* Pops deadlines up to as_of; false when the budget ended first. before_ms: the as_of before. */
static bool shard_decay_due(struct shard *shard, int64_t before_ms)
{
    struct deadline deadline;
    int budget = SHARD_DUE_BUDGET;
    while (budget > 0 && deadlines_pop(&shard->decay, shard->as_of_ms, &deadline)) {
        struct entity *entity = entity_at(shard, deadline.handle);
        if (deadline_stale(entity, &deadline) || entity->armed_ms != deadline.at_ms)
            continue;
        budget--;
        entity->armed_ms = INT64_MAX;
        int64_t due = closed_row_due(shard, entity)
                          ? deadline.at_ms
                          : entity_next_due(shard, entity, deadline.at_ms - 1);
        if (due <= shard->as_of_ms) {
            if (shard->observed)
                observe_key_due(shard, deadline.handle, before_ms);
            const struct session *session = sessions_newest(&entity->sessions);
            if (session && row_session_closed(shard->rules, session, shard->as_of_ms) &&
                !row_session_closed(shard->rules, session, deadline.at_ms - 1))
                shard->counters.sessions_closed++;
            if (entity->queue == QUEUE_NONE)
                entity->since_ms = due;
            entity_dirty(shard, deadline.handle, QUEUE_DECAY);
            closed_row_told(shard, entity);
            due = entity_next_due(shard, entity, shard->as_of_ms);
        }
        if (due != INT64_MAX)
            entity_arm(shard, deadline.handle, due);
    }
    return budget > 0;
}

/* False when there is more to do. */
static bool advance(struct shard *shard, int64_t as_of_ms)
{
    int64_t before = shard->as_of_ms;
    int64_t as_of = before;
    if (as_of_ms > as_of)
        as_of = as_of_ms;
    if (shard->raw_ms > as_of)
        as_of = shard->raw_ms;
    if (shard->lease.as_of_floor_ms > as_of)
        as_of = shard->lease.as_of_floor_ms;
    if (as_of == INT64_MIN)
        return true;
    shard->as_of_ms = as_of;
    if (as_of >= shard->warming_until_ms)
        shard_update_warming(shard);
    bool done = shard_decay_due(shard, before);
    while (!done && shard->observed)
        done = shard_decay_due(shard, before);
    if (!done)
        return false;
    shard->due_ms = as_of;
    if (shard->observed)
        observe_due(shard);
    return true;
}

bool shard_advance(struct shard *shard, int64_t idle_now_ms)
{
    int64_t idle = INT64_MIN;
    /* The idle clock goes on at real speed from where the events stopped (W5). */
    if (idle_now_ms != INT64_MIN && shard->raw_ms != INT64_MIN &&
        shard->newest_record_ms != RECORD_NO_TIME && idle_now_ms > shard->newest_record_ms)
        idle = clock_add_ms(shard->raw_ms, idle_now_ms - shard->newest_record_ms);
    return advance(shard, idle);
}

void shard_advance_to(struct shard *shard, int64_t as_of_ms)
{
    while (!advance(shard, as_of_ms))
        continue;
}
