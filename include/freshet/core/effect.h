/* Effects: what a shard does to sessions and keys, told one by one while it happens.
 *
 * A shard that is observed tells each record's story to the shell, and nothing is lost between two
 * rows: this is what training rows are made of (design: semantics, section 7). Every record states
 * as_of anew then, as if there were an emission after each. For one record the effects are, in
 * this order:
 *
 *   ARRIVED     it passed too_old; nothing has moved yet: the place for a pre_event row, and for
 *               rows that are asked for at a time that the record reaches
 *   CLOSED, DECAYED   what the advance of as_of does, by the times at which it was due, then by
 *               key, a key's closed sessions by start and before its decay. A key that the record
 *               is about to change is no exception.
 *   FORGOTTEN   keys whose time is over by the watermark, by that time, then by key
 *   OPENED      a session was made by the record; when it is closed already, CORRECTED follows
 *   RETRACTED   sessions that were published (CLOSED or CORRECTED was told of them) and that went
 *               into another of a smaller id, by last, then id
 *   CORRECTED   the record entered a session that was closed, or made one that is
 *   ENDED       its fate; always told, and last. A key that an event of no lasting effect made is
 *               FORGOTTEN just before.
 *
 * An advance by itself (shard_advance, shard_advance_to) has the effects CLOSED and DECAYED.
 * "Closed" is by as_of - out_of_orderness, as in rows (W5, S6); `rev` counts by the watermark (S8).
 *
 * The observer looks and does not touch: it may make rows, nothing else. */
#ifndef FRESHET_EFFECT_H
#define FRESHET_EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "clock.h"
#include "record.h"
#include "row.h"

struct session;
struct shard;

enum effect_kind {
    EFFECT_ARRIVED,
    EFFECT_CLOSED,
    EFFECT_DECAYED,
    EFFECT_FORGOTTEN,
    EFFECT_OPENED,
    EFFECT_RETRACTED,
    EFFECT_CORRECTED,
    EFFECT_ENDED,
    EFFECT_COUNT_OF
};

/* Valid during the call only. */
struct effect {
    enum effect_kind kind;
    const char *key; /* NULL: ENDED of a record without one */
    size_t key_len;
    int64_t offset; /* of the record that caused it; -1: time alone did */
    struct event_time as_of, watermark; /* now; EVENT_TIME_MIN: none yet */

    /* ARRIVED and ENDED; of ENDED the times are unset when a fate before them applied. */
    struct event_time ts;  /* after T2 */
    struct event_time raw; /* ARRIVED: what raw will be */
    struct verdict verdict; /* ENDED */

    /* CLOSED, OPENED, RETRACTED, CORRECTED; of RETRACTED as it was. */
    struct effect_session {
        int64_t id, start_ms, last_ms;
        uint32_t events, rev;
        bool open;
    } session;
    const struct session *shown; /* for shard_effect_row; NULL: the key's newest */
};

typedef void effect_observer(void *context, const struct shard *shard,
                             const struct effect *effect);

/* Before the shard's first record, and only for a shard without a lease: nothing else is written of
 * it. kinds: a bit (1u << EFFECT_...) for each kind to be told. */
void shard_observe(struct shard *shard, unsigned kinds, effect_observer *observer, void *context);

/* as_of = max(as_of, raw, as_of_ms), told to all who wait for it: an idle partition (W5). */
void shard_advance_to(struct shard *shard, int64_t as_of_ms);

/* During an effect: the row of its key at its as_of. Session features show the effect's session,
 * even when it is not the newest or would be hidden. Not for RETRACTED (the session is gone) and
 * ENDED without a key. */
void shard_effect_row(const struct shard *shard, const struct effect *effect, struct arena *arena,
                      struct row *row);

/* The row of a key at any as_of that is not before raw; it is no emission and moves nothing. False:
 * the key has no state, and the row is that of no events. */
bool shard_row_at(const struct shard *shard, const char *key, size_t len, int64_t as_of_ms,
                  struct arena *arena, struct row *row);

/* The keys that have state, in ascending order of their bytes; the shard must not change while it
 * goes on. 4 bytes of memory a key. */
struct shard_walk {
    uint32_t *handles;
    size_t count, at;
};
void shard_walk_begin(const struct shard *shard, struct shard_walk *walk);
bool shard_walk_next(const struct shard *shard, struct shard_walk *walk, const char **key,
                     size_t *len);
void shard_walk_end(struct shard_walk *walk);

#endif
