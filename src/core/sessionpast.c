/* Sessions in order of their start: the spans of immutable ones are remembered for it. */
#include <string.h>

#include "session.h"

static size_t past_bytes(uint32_t count)
{
    return sizeof(struct session_past) + count * sizeof(struct session_span);
}

/* Whether a begins before b; of two that begin together the longer one counts as the later. */
static bool is_before(const struct session_span *a, const struct session_span *b)
{
    return a->start_ms < b->start_ms || (a->start_ms == b->start_ms && a->last_ms < b->last_ms);
}

/* Whether some session that can still be shown begins at start_ms or before it. */
static bool is_needed(const struct sessions *sessions, const struct session *shown,
                      int64_t start_ms)
{
    if (shown->start_ms <= start_ms)
        return true;
    const struct session *live = sessions->live;
    while (live && live->start_ms > start_ms)
        live = live->next;
    return live != NULL;
}

void sessions_past_add(struct sessions *sessions, struct pool *pool, const struct session *session,
                       const struct session *shown)
{
    struct session_span span = {session->start_ms, session->last_ms};
    struct session_past *past = sessions->past;
    uint32_t count = past ? past->count : 0, dropped = 0;
    while (count - dropped >= SESSION_PAST_KEPT &&
           (count - dropped >= SESSION_PAST_MAX ||
            !is_needed(sessions, shown, past->spans[dropped].start_ms))) {
        if (is_before(&past->older, &past->spans[dropped]))
            past->older = past->spans[dropped];
        dropped++;
    }
    if (dropped > 0)
        memmove(&past->spans[0], &past->spans[dropped], (count - dropped) * sizeof span);
    past = pool_resize(pool, past, past ? past_bytes(count) : 0, past_bytes(count - dropped + 1));
    if (!sessions->past)
        past->older.start_ms = INT64_MIN;
    sessions->past = past;
    count -= dropped;
    uint32_t at = count;
    for (; at > 0 && is_before(&span, &past->spans[at - 1]); at--)
        past->spans[at] = past->spans[at - 1];
    past->spans[at] = span;
    past->count = count + 1;
}

void sessions_past_release(struct sessions *sessions, struct pool *pool)
{
    if (sessions->past)
        pool_free(pool, sessions->past, past_bytes(sessions->past->count));
    sessions->past = NULL;
}

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
    struct session_span span = {start_ms, last_ms};
    if (start_ms < session->start_ms && is_before(best, &span))
        *best = span;
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
    *last_ms = before.start_ms != INT64_MIN ? before.last_ms : past ? past->older.last_ms : 0;
    return sessions_number(sessions, session) > 1;
}
