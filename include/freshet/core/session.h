/* Sessions of one key (design: semantics, section 3).
 *
 * The live ones are a list, newest (largest last, then larger id) first, and the newest immutable
 * one ends before all of them. It is kept whole, because it may still be shown. A live session can
 * grow back over immutable ones, since an event joins only what is live: of some before the kept
 * one the span stays, so that the order by start is known.
 *
 * Live sessions are disjoint, unless the rules part them by an event that ends them
 * (session.end_when) or by a tracker's session id (session.id): then they may overlap, and each has
 * a session_part after its accumulators. */
#ifndef FRESHET_SESSION_H
#define FRESHET_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "operator_state.h"
#include "pool.h"
#include "rules.h"

struct session {
    int64_t start_ms; /* event time of the first event */
    int64_t last_ms;  /* event time of the last event; both inclusive (S1) */
    int64_t id;       /* offset of the record that created it; the smallest when merged (S7) */
    uint32_t events;
    uint32_t rev : 31;      /* S8 */
    uint32_t published : 1; /* an observer was told of it as a closed one (effect.h) */
    struct session *next; /* the one before it in time, or NULL */
    char acc[];           /* feature_set.session_acc_bytes, then the session_part if there is one */
};

/* What parts a session from others; only when rules_part_sessions. */
struct session_part {
    int64_t start_offset; /* of its first event, which is at start_ms */
    int64_t end_ms, end_offset; /* S11: its greatest event that ends it; INT64_MIN: none */
    union held_value tracker;   /* S12: the value of session.id */
};

enum {
    SESSION_REV_MAX = INT32_MAX,
    SESSION_PAST_KEPT = 8,   /* spans remembered, though no session begins before them */
    SESSION_PAST_MAX = 1024, /* spans remembered; those before them count as earlier than all */
};

/* Spans of immutable sessions, for the order by start. */
struct session_past {
    struct session_span {
        int64_t start_ms, last_ms;
    } older; /* the newest that is not remembered; start_ms INT64_MIN: none */
    uint32_t count;
    struct session_span spans[]; /* ascending by start, then last */
};

struct sessions {
    struct session *live;    /* newest first */
    struct session *settled; /* the newest immutable one, or NULL */
    uint32_t live_count;
    uint32_t settled_count;     /* immutable ones in this life, the kept one included */
    struct session_past *past;  /* the immutable ones before the kept one; NULL: none */
};

/* What sessions see of an event. */
struct session_event {
    int64_t ms; /* after T2 */
    int64_t offset;
    bool ends;            /* S11: session.end_when is true for it */
    struct value tracker; /* S12: session.id */
};

/* What an event does to the sessions of its key. */
struct session_change {
    struct session *session; /* that holds the event now */
    bool opened;             /* it was made by this event */
    bool corrected;          /* it was closed by the watermark before this event */
    bool split;              /* it was kept out of a session that had ended (S11) */
    int merged;              /* sessions that went into it, beyond one */
};

static inline struct session_part *session_part(const struct rules *rules, struct session *session)
{
    return (struct session_part *)(void *)(session->acc + rules->set->session_acc_bytes);
}

static inline size_t session_bytes(const struct rules *rules)
{
    size_t part = rules_part_sessions(rules) ? sizeof(struct session_part) : 0;
    return sizeof(struct session) + rules->set->session_acc_bytes + part;
}

/* S5: whether a session that ends at last_ms is closed at the watermark. */
static inline bool session_closed(const struct rules *rules, int64_t last_ms, int64_t watermark_ms)
{
    return clock_add_ms(last_ms, rules->gap.ms) < watermark_ms;
}

/* W5: the first as_of at which a row says that it is closed. */
static inline int64_t session_closes_ms(const struct rules *rules, const struct session *session)
{
    int64_t deadline = clock_add_ms(session->last_ms, rules->gap.ms);
    return clock_add_ms(deadline, rules->out_of_orderness.ms + 1);
}

/* S3: whether it can still change. */
static inline bool session_live(const struct rules *rules, int64_t last_ms, int64_t watermark_ms)
{
    int64_t deadline = clock_add_ms(last_ms, rules->gap.ms);
    return clock_add_ms(deadline, rules->lateness.ms) >= watermark_ms;
}

/* Moves the sessions that the watermark made immutable; returns how many. */
int sessions_settle(struct sessions *sessions, const struct rules *rules, struct pool *pool,
                    int64_t watermark_ms);

/* S2, S4: whether an event can enter a session. The sessions must be settled. */
bool sessions_accept(const struct sessions *sessions, const struct rules *rules,
                     const struct session_event *event, int64_t watermark_ms);

/* Enters an accepted event: extends, merges or opens. Feature accumulators of merged sessions are
 * merged; the event itself is not yet added to them. */
struct session_change sessions_enter(struct sessions *sessions, const struct rules *rules,
                                     struct pool *pool, const struct session_event *event,
                                     int64_t watermark_ms);

/* The newest session: the one a row shows, or NULL. */
static inline const struct session *sessions_newest(const struct sessions *sessions)
{
    return sessions->live ? sessions->live : sessions->settled;
}

/* The place of one of them among the key's sessions by start, from 1. */
uint32_t sessions_number(const struct sessions *sessions, const struct session *session);

/* The end of the one before it by start; false when there is none. */
bool sessions_previous_last(const struct sessions *sessions, const struct session *session,
                            int64_t *last_ms);

/* sessionpast.c: remembers the span of an immutable session that is kept no longer, because
 * shown takes its place. */
void sessions_past_add(struct sessions *sessions, struct pool *pool, const struct session *session,
                       const struct session *shown);
void sessions_past_release(struct sessions *sessions, struct pool *pool);

void sessions_release(struct sessions *sessions, const struct rules *rules, struct pool *pool);

#endif
