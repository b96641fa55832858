/* Everything that decides what state a log gives: fixed while a shard lives. */
#ifndef FRESHET_RULES_H
#define FRESHET_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "expr.h"
#include "feature.h"
#include "text.h"

enum {
    RULES_KEY_MAX = 512,                       /* longer entity keys are no_key */
};
#define RULES_EVENT_TIME_MAX_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

struct rules {
    int key_slot;
    int time_slot;
    int session_slot; /* session.id: a tracker's session is part of the key of S2; -1: none */
    int id_slot;      /* event.id: its events are deduplicated; -1: none */
    const struct expr *where;    /* NULL: every event */
    const struct expr *end_when; /* session.end_when; NULL: none */
    const struct feature_set *set;

    struct duration out_of_orderness;
    struct duration max_future_skew;
    bool reject_future; /* else clamp */
    struct duration max_age; /* 0: off */
    int64_t record_time_max_ms; /* 0: off */
    struct duration window_lateness; /* resolved: never 0 by default */
    struct duration gap;
    struct duration lateness;
    struct duration zone;
    int64_t cut_at_ms; /* of the day; -1: no cut */
    struct duration cut_every;
    struct duration keep;
    struct duration dedup_window;
    uint64_t dedup_max; /* ids a shard remembers */
    uint64_t max_keys; /* of a shard */
    uint64_t foundation; /* hash of all but the features that decides state: see checkpoint.h */
    bool delete_forgotten;
};

/* The period of the day cut that t falls into (S10); 0 when there is no cut. */
static inline int64_t rules_cut_period(const struct rules *rules, int64_t t_ms)
{
    if (rules->cut_at_ms < 0)
        return 0;
    int64_t local = clock_add_ms(t_ms, rules->zone.ms - rules->cut_at_ms);
    return clock_floor_div(local, rules->cut_every.ms);
}

/* Whether something beside the gap and the cut keeps events from a session (S11, S12). */
static inline bool rules_part_sessions(const struct rules *rules)
{
    return rules->end_when || rules->session_slot >= 0;
}

/* How far back deduplication can decide about an event (design: semantics, section 9). */
static inline int64_t rules_dedup_reach_ms(const struct rules *rules)
{
    if (rules->id_slot < 0)
        return 0;
    int64_t reach = clock_add_ms(rules->dedup_window.ms, rules->out_of_orderness.ms);
    return clock_add_ms(reach, rules->max_future_skew.ms);
}

enum { RULES_KEY_DIGITS = 24 }; /* room for a key that is a long */

/* The entity key's bytes: text as it is, a long as decimal digits; NULL with len 0 for anything
 * else. */
static inline const char *rules_key(const struct value *key, char digits[RULES_KEY_DIGITS],
                                    size_t *len)
{
    if (key->type == VALUE_LONG) {
        *len = text_format_long(digits, key->i);
        return digits;
    }
    bool is_text = key->type == VALUE_STRING || key->type == VALUE_BYTES;
    *len = is_text ? key->len : 0;
    return is_text ? key->s : NULL;
}

#endif
