/* Sessions: the newest-first list and what an event does to it. */
#include "session.h"

#include <string.h>

#include "operator.h"

static size_t session_bytes(const struct rules *rules)
{
    return sizeof(struct session) + rules->set->session_acc_bytes;
}

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
    pool_free(pool, session, session_bytes(rules));
}

/* ---- becoming immutable ---- */

static size_t past_bytes(uint32_t count)
{
    return sizeof(struct session_past) + count * sizeof(struct session_span);
}

/* Remembers the span of an immutable session that is kept no longer. */
static void past_add(struct sessions *sessions, struct pool *pool, const struct session *session)
{
    struct session_span span = {session->start_ms, session->last_ms};
    struct session_past *past = sessions->past;
    uint32_t count = past ? past->count : 0;
    if (count == SESSION_PAST_MAX) {
        past->older_last_ms = past->spans[0].last_ms;
        count--;
        memmove(&past->spans[0], &past->spans[1], count * sizeof span);
    } else {
        past = pool_resize(pool, past, past ? past_bytes(count) : 0, past_bytes(count + 1));
        sessions->past = past;
    }
    uint32_t at = count;
    for (; at > 0 && past->spans[at - 1].start_ms > span.start_ms; at--)
        past->spans[at] = past->spans[at - 1];
    past->spans[at] = span;
    past->count = count + 1;
}

static void settle_one(struct sessions *sessions, const struct rules *rules, struct pool *pool,
                       struct session *session)
{
    if (sessions->settled)
        past_add(sessions, pool, sessions->settled);
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

/* ---- entering ---- */

static bool session_joins(const struct session *session, const struct rules *rules, int64_t ts_ms)
{
    return clock_sub_ms(session->start_ms, rules->gap.ms) <= ts_ms &&
           ts_ms <= clock_add_ms(session->last_ms, rules->gap.ms) &&
           rules_cut_period(rules, session->last_ms) == rules_cut_period(rules, ts_ms);
}

bool sessions_accept(const struct sessions *sessions, const struct rules *rules, int64_t ts_ms,
                     int64_t watermark_ms)
{
    /* Alone it would be a session that ends at ts; joined, it is part of one that is live. */
    if (session_live(rules, ts_ms, watermark_ms))
        return true;
    for (const struct session *session = sessions->live; session; session = session->next)
        if (session_joins(session, rules, ts_ms))
            return true;
    return false;
}

static struct session *session_open(struct sessions *sessions, const struct rules *rules,
                                    struct pool *pool, int64_t ts_ms, int64_t offset)
{
    struct session *session = pool_alloc(pool, session_bytes(rules));
    session->start_ms = ts_ms;
    session->last_ms = ts_ms;
    session->id = offset;
    struct session **at = &sessions->live;
    while (*at && (*at)->start_ms > ts_ms)
        at = &(*at)->next;
    session->next = *at;
    *at = session;
    sessions->live_count++;
    return session;
}

/* Takes the session after `into` in the list, which is the one before it in time, into it. */
static void session_absorb_next(struct sessions *sessions, const struct rules *rules,
                                struct pool *pool, struct session *into)
{
    struct session *from = into->next;
    const struct feature_set *set = rules->set;
    for (int k = 0; k < set->count; k++) {
        const struct feature *feature = &set->features[k];
        if (operator_rows[feature->op].scope == FOLDED && feature->window < 0)
            operator_merge(pool, feature, into->acc + feature->acc_offset,
                           from->acc + feature->acc_offset);
    }
    into->start_ms = from->start_ms;
    into->events += from->events;
    into->rev = (into->rev + from->rev) & SESSION_REV_MAX;
    if (from->id < into->id) {
        into->id = from->id;
        into->published = from->published;
    }
    into->next = from->next;
    sessions->live_count--;
    session_free(rules, pool, from);
}

struct session_change sessions_enter(struct sessions *sessions, const struct rules *rules,
                                     struct pool *pool, int64_t ts_ms, int64_t offset,
                                     int64_t watermark_ms)
{
    struct session_change change = {0};
    struct session *session = sessions->live;
    while (session && !session_joins(session, rules, ts_ms))
        session = session->next;
    if (!session) {
        session = session_open(sessions, rules, pool, ts_ms, offset);
        change.opened = true;
        change.corrected = session_closed(rules, ts_ms, watermark_ms);
    } else {
        change.corrected = session_closed(rules, session->last_ms, watermark_ms);
        while (session->next && session_joins(session->next, rules, ts_ms)) {
            change.corrected |= session_closed(rules, session->next->last_ms, watermark_ms);
            session_absorb_next(sessions, rules, pool, session);
            change.merged++;
        }
        if (ts_ms < session->start_ms)
            session->start_ms = ts_ms;
        if (ts_ms > session->last_ms)
            session->last_ms = ts_ms;
    }
    session->events++;
    if (change.corrected)
        session->rev = (session->rev + 1 + (uint32_t)change.merged) & SESSION_REV_MAX;
    change.session = session;
    return change;
}

/* ---- order by start ---- */

uint32_t sessions_number(const struct sessions *sessions, const struct session *session)
{
    uint32_t number = sessions->settled_count + 1;
    for (const struct session *live = sessions->live; live; live = live->next)
        number += live->start_ms < session->start_ms;
    if (sessions->settled)
        number -= sessions->settled->start_ms >= session->start_ms;
    for (uint32_t k = sessions->past ? sessions->past->count : 0; k > 0; k--)
        number -= sessions->past->spans[k - 1].start_ms >= session->start_ms;
    return number;
}

/* Takes a span that begins before the session and after the best one so far. */
static void take_previous(struct session_span *best, const struct session *session,
                          int64_t start_ms, int64_t last_ms)
{
    if (start_ms < session->start_ms && start_ms > best->start_ms)
        *best = (struct session_span){start_ms, last_ms};
}

bool sessions_previous_last(const struct sessions *sessions, const struct session *session,
                            int64_t *last_ms)
{
    struct session_span before = {.start_ms = INT64_MIN};
    for (const struct session *live = sessions->live; live; live = live->next)
        take_previous(&before, session, live->start_ms, live->last_ms);
    if (sessions->settled)
        take_previous(&before, session, sessions->settled->start_ms, sessions->settled->last_ms);
    const struct session_past *past = sessions->past;
    for (uint32_t k = past ? past->count : 0; k > 0; k--)
        take_previous(&before, session, past->spans[k - 1].start_ms, past->spans[k - 1].last_ms);
    *last_ms = before.start_ms != INT64_MIN ? before.last_ms : past ? past->older_last_ms : 0;
    return sessions_number(sessions, session) > 1;
}

void sessions_release(struct sessions *sessions, const struct rules *rules, struct pool *pool)
{
    while (sessions->live) {
        struct session *next = sessions->live->next;
        session_free(rules, pool, sessions->live);
        sessions->live = next;
    }
    session_free(rules, pool, sessions->settled);
    if (sessions->past)
        pool_free(pool, sessions->past, past_bytes(sessions->past->count));
    *sessions = (struct sessions){0};
}
