/* Sessions: the newest-first list and what an event does to it. */
#include "session.h"

#include <string.h>

#include "held.h"
#include "operator.h"

static void session_free(const struct rules *rules, struct pool *pool, struct session *session)
{
    if (!session)
        return;
    const struct feature_set *set = rules->set;
    for (int k = 0; k < set->count; k++) {
        const struct feature *feature = &set->features[k];
        if (operator_rows[feature->op].scope == FOLDED && feature->window < 0)
            operator_release(pool, feature, session->acc + feature->acc_offset);
    }
    if (rules_part_sessions(rules))
        held_release(pool, &session_part(rules, session)->tracker);
    pool_free(pool, session, session_bytes(rules));
}

/* ---- becoming immutable ---- */

static void settle_one(struct sessions *sessions, const struct rules *rules, struct pool *pool,
                       struct session *session)
{
    if (sessions->settled)
        sessions_past_add(sessions, pool, sessions->settled, session);
    session_free(rules, pool, sessions->settled);
    session->next = NULL;
    sessions->settled = session;
    sessions->live_count--;
    sessions->settled_count++;
}

int sessions_settle(struct sessions *sessions, const struct rules *rules, struct pool *pool,
                    int64_t watermark_ms)
{
    struct session **at = &sessions->live;
    while (*at && session_live(rules, (*at)->last_ms, watermark_ms))
        at = &(*at)->next;
    /* The list is newest first, but the oldest is the first to go. */
    struct session *oldest = NULL;
    for (struct session *session = *at; session;) {
        struct session *next = session->next;
        session->next = oldest;
        oldest = session;
        session = next;
    }
    *at = NULL;
    int settled = 0;
    while (oldest) {
        struct session *next = oldest->next;
        settle_one(sessions, rules, pool, oldest);
        oldest = next;
        settled++;
    }
    return settled;
}

/* ---- which sessions an event joins ---- */

/* S11: whether the event (ms, offset) is beyond the session's end. */
static bool is_beyond(const struct session_part *part, int64_t ms, int64_t offset)
{
    if (part->end_ms == INT64_MIN)
        return false;
    return ms > part->end_ms || (ms == part->end_ms && offset > part->end_offset);
}

static void move_end(struct session_part *part, int64_t ms, int64_t offset)
{
    if (part->end_ms != INT64_MIN && !is_beyond(part, ms, offset))
        return;
    part->end_ms = ms;
    part->end_offset = offset;
}

/* S2, S10, S12; S11 is another matter: it splits. */
static bool session_reaches(struct session *session, const struct rules *rules,
                            const struct session_event *event)
{
    return clock_sub_ms(session->start_ms, rules->gap.ms) <= event->ms &&
           event->ms <= clock_add_ms(session->last_ms, rules->gap.ms) &&
           rules_cut_period(rules, session->last_ms) == rules_cut_period(rules, event->ms) &&
           (rules->session_slot < 0 ||
            held_equals(&session_part(rules, session)->tracker, &event->tracker));
}

static bool session_ended(struct session *session, const struct rules *rules,
                          const struct session_event *event)
{
    if (!rules->end_when)
        return false;
    return is_beyond(session_part(rules, session), event->ms, event->offset);
}

static bool session_joins(struct session *session, const struct rules *rules,
                          const struct session_event *event)
{
    return session_reaches(session, rules, event) && !session_ended(session, rules, event);
}

bool sessions_accept(const struct sessions *sessions, const struct rules *rules,
                     const struct session_event *event, int64_t watermark_ms)
{
    /* Alone it would be a session that ends at ts; joined, it is part of one that is live. */
    if (session_live(rules, event->ms, watermark_ms))
        return true;
    for (struct session *session = sessions->live; session; session = session->next)
        if (session_joins(session, rules, event))
            return true;
    return false;
}

/* ---- entering ---- */

/* Puts a session at its place in the list. */
static void session_link(struct sessions *sessions, struct session *session)
{
    struct session **at = &sessions->live;
    while (*at && ((*at)->last_ms > session->last_ms ||
                   ((*at)->last_ms == session->last_ms && (*at)->id > session->id)))
        at = &(*at)->next;
    session->next = *at;
    *at = session;
}

static void session_unlink(struct sessions *sessions, const struct session *session)
{
    struct session **at = &sessions->live;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
}

static struct session *session_open(struct sessions *sessions, const struct rules *rules,
                                    struct pool *pool, const struct session_event *event)
{
    struct session *session = pool_alloc(pool, session_bytes(rules));
    session->start_ms = event->ms;
    session->last_ms = event->ms;
    session->id = event->offset;
    if (rules_part_sessions(rules))
        *session_part(rules, session) = (struct session_part){
            .start_offset = event->offset,
            .end_ms = INT64_MIN,
            .tracker = held_copy(pool, &event->tracker),
        };
    session_link(sessions, session);
    sessions->live_count++;
    return session;
}

/* Takes a session, which is out of the list already, into an earlier one. */
static void session_absorb(struct sessions *sessions, const struct rules *rules, struct pool *pool,
                           struct session *into, struct session *from)
{
    const struct feature_set *set = rules->set;
    for (int k = 0; k < set->count; k++) {
        const struct feature *feature = &set->features[k];
        if (operator_rows[feature->op].scope == FOLDED && feature->window < 0)
            operator_merge(pool, feature, into->acc + feature->acc_offset,
                           from->acc + feature->acc_offset);
    }
    into->last_ms = from->last_ms > into->last_ms ? from->last_ms : into->last_ms;
    if (from->id < into->id) {
        into->id = from->id;
        into->published = from->published;
    }
    if (rules_part_sessions(rules)) {
        const struct session_part *part = session_part(rules, from);
        move_end(session_part(rules, into), part->end_ms, part->end_offset);
    }
    into->events += from->events;
    into->rev = (into->rev + from->rev) & SESSION_REV_MAX;
    sessions->live_count--;
    session_free(rules, pool, from);
}

/* Whether a begins before b; S11 can part sessions in the midst of a millisecond. */
static bool begins_before(const struct rules *rules, struct session *a, struct session *b)
{
    if (a->start_ms != b->start_ms || !rules_part_sessions(rules))
        return a->start_ms < b->start_ms;
    return session_part(rules, a)->start_offset < session_part(rules, b)->start_offset;
}

/* The earliest session that the event joins, or NULL; which may not be the only one. */
static struct session *first_joined(const struct sessions *sessions, const struct rules *rules,
                                    const struct session_event *event,
                                    struct session_change *change, const struct session *other)
{
    struct session *first = NULL;
    for (struct session *session = sessions->live; session; session = session->next) {
        if (session == other || !session_reaches(session, rules, event))
            continue;
        if (session_ended(session, rules, event))
            change->split = true;
        else if (!first || begins_before(rules, session, first))
            first = session;
    }
    return first;
}

static void session_take(struct session *session, const struct rules *rules,
                         const struct session_event *event)
{
    session->events++;
    if (rules_part_sessions(rules)) {
        struct session_part *part = session_part(rules, session);
        if (event->ms < session->start_ms ||
            (event->ms == session->start_ms && event->offset < part->start_offset))
            part->start_offset = event->offset;
        if (event->ends)
            move_end(part, event->ms, event->offset);
    }
    if (event->ms < session->start_ms)
        session->start_ms = event->ms;
    if (event->ms > session->last_ms)
        session->last_ms = event->ms;
}

/* S11: whether the earlier session had ended when the later one began. */
static bool are_parted(const struct rules *rules, struct session *earlier, struct session *later)
{
    if (!rules->end_when)
        return false;
    return is_beyond(session_part(rules, earlier), later->start_ms,
                     session_part(rules, later)->start_offset);
}

struct session_change sessions_enter(struct sessions *sessions, const struct rules *rules,
                                     struct pool *pool, const struct session_event *event,
                                     int64_t watermark_ms)
{
    struct session_change change = {0};
    struct session *session = first_joined(sessions, rules, event, &change, NULL), *later;
    if (!session) {
        session = session_open(sessions, rules, pool, event);
        change.opened = true;
    }
    change.corrected = session_closed(rules, session->last_ms, watermark_ms);
    session_take(session, rules, event);
    while (!change.opened && sessions->live_count > 1 &&
           (later = first_joined(sessions, rules, event, &change, session)) &&
           !are_parted(rules, session, later)) {
        change.corrected |= session_closed(rules, later->last_ms, watermark_ms);
        session_unlink(sessions, later);
        session_absorb(sessions, rules, pool, session, later);
        change.merged++;
    }
    if (rules_part_sessions(rules)) {
        session_unlink(sessions, session); /* it may be newer now than those before it */
        session_link(sessions, session);
    }
    if (change.corrected)
        session->rev = (session->rev + 1 + (uint32_t)change.merged) & SESSION_REV_MAX;
    change.session = session;
    return change;
}

void sessions_release(struct sessions *sessions, const struct rules *rules, struct pool *pool)
{
    while (sessions->live) {
        struct session *next = sessions->live->next;
        session_free(rules, pool, sessions->live);
        sessions->live = next;
    }
    session_free(rules, pool, sessions->settled);
    sessions_past_release(sessions, pool);
    *sessions = (struct sessions){0};
}
