/* Sessions: the newest-first list and what an event does to it. */
#include "session.h"

#include "expect.h"
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

int sessions_settle(struct sessions *sessions, const struct rules *rules, struct pool *pool,
                    int64_t watermark_ms)
{
    struct session **at = &sessions->live;
    while (*at && session_live(rules, (*at)->last_ms, watermark_ms))
        at = &(*at)->next;
    struct session *settling = *at;
    if (!settling)
        return 0;
    *at = NULL;
    /* The rest is newest first: the first becomes the kept one, the others only count. */
    int settled = 0;
    if (settling->next)
        sessions->settled_before_ms = settling->next->last_ms;
    else if (sessions->settled)
        sessions->settled_before_ms = sessions->settled->last_ms;
    session_free(rules, pool, sessions->settled);
    sessions->settled = settling;
    for (struct session *old = settling->next; old;) {
        struct session *next = old->next;
        session_free(rules, pool, old);
        old = next;
        settled++;
    }
    settling->next = NULL;
    settled++;
    sessions->live_count -= (uint32_t)settled;
    sessions->settled_count += (uint32_t)settled;
    return settled;
}

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
    into->id = from->id < into->id ? from->id : into->id;
    into->events += from->events;
    into->rev += from->rev;
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
        session->rev += 1 + (uint32_t)change.merged;
    change.session = session;
    return change;
}

/* A live session can grow back over the immutable one, because an event joins only what is live:
 * then the immutable one is not before it. */
uint32_t sessions_newest_number(const struct sessions *sessions)
{
    uint32_t number = sessions->settled_count + sessions->live_count;
    bool overtaken = sessions->live && sessions->settled &&
                     sessions->settled->start_ms >= sessions->live->start_ms;
    return overtaken ? number - 1 : number;
}

bool sessions_previous_last(const struct sessions *sessions, int64_t *last_ms)
{
    const struct session *live = sessions->live;
    const struct session *before = live ? live->next : NULL;
    const struct session *settled = live ? sessions->settled : NULL;
    if (settled && settled->start_ms < live->start_ms &&
        (!before || settled->start_ms > before->start_ms))
        before = settled;
    if (before)
        *last_ms = before->last_ms;
    else if (sessions->settled_count > 1)
        *last_ms = sessions->settled_before_ms;
    else
        return false;
    return true;
}

void sessions_release(struct sessions *sessions, const struct rules *rules, struct pool *pool)
{
    while (sessions->live) {
        struct session *next = sessions->live->next;
        session_free(rules, pool, sessions->live);
        sessions->live = next;
    }
    session_free(rules, pool, sessions->settled);
    *sessions = (struct sessions){0};
}
