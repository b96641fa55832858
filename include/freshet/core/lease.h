/* Who may write a shard's rows: the owner's side of the fencing protocol (design: delivery).
 *
 * Each owner takes a fresh random token with ACQUIRE; Redis applies a batch only under the newest
 * token. Redis counts applied batches (seq), and each batch names the count it must find: so none
 * takes the number of one that Redis has lost, and an owner that finds fewer than were acknowledged
 * to it knows that Redis lost writes, and writes everything again (resync). Replay suppression: a
 * successor that replays the log writes nothing before it has passed the offset of the newest row
 * (hold), so that readers never see values go back.
 *
 * The lease is pure: it says which step is next and is told how each step ended. */
#ifndef FRESHET_LEASE_H
#define FRESHET_LEASE_H

#include <stdbool.h>
#include <stdint.h>

enum { LEASE_TOKEN_BYTES = 32 }; /* hex digits */

enum lease_state {
    LEASE_NONE,      /* has no token: ACQUIRE next */
    LEASE_ACQUIRING, /* ACQUIRE sent */
    LEASE_HELD,      /* may write */
    LEASE_FENCED,    /* refused: prove that the partition is still ours, then acquire anew */
    LEASE_DROPPED,   /* the partition went to someone else: never write again */
};

enum lease_step {
    LEASE_WAIT,    /* nothing to do now */
    LEASE_ACQUIRE, /* send ACQUIRE(token, previous token, acknowledged) */
    LEASE_PROVE,   /* commit in this generation, then lease_proved */
    LEASE_MARK,    /* send MARK */
    LEASE_SWEEP,   /* delete rows that are not in state */
    LEASE_DONE,    /* send DONE */
};

struct lease {
    enum lease_state state;
    char token[LEASE_TOKEN_BYTES + 1];
    char previous[LEASE_TOKEN_BYTES + 1]; /* "" at the first acquire without a checkpoint */
    int64_t acknowledged; /* seq of the newest batch known to be applied (exp) */
    int64_t hold;         /* rows are written only once offset `hold` was applied */
    int64_t as_of_floor_ms; /* the greatest as_of that Redis has seen from any owner */
    bool marked;          /* the resync is on record in Redis */
    bool refused;         /* FENCED or ROLLBACK since the last grant */
    bool step_sent;       /* MARK, SWEEP or DONE is under way */
    int under_way;        /* batches sent under this token and not yet answered */
    bool gap;             /* one of them was not applied: those behind it are not, either */
    enum { LEASE_SYNCED, LEASE_RESYNCING, LEASE_SWEEPING, LEASE_CLOSING } resync;
    uint64_t fenced, rollbacks; /* how often */
};

/* What ACQUIRE answered. */
struct lease_grant {
    bool had_own;   /* false: Redis knew nothing of this shard */
    int64_t hw;     /* newest offset applied by any owner; -1 */
    int64_t as_of_ms;
    int64_t seq;
    bool resync;    /* rs */
};

void lease_init(struct lease *lease);
/* ACQUIRE goes out with this fresh random token. */
void lease_acquiring(struct lease *lease, const char token[LEASE_TOKEN_BYTES + 1]);
/* Granted. log_end: last stable offset at assignment (the next offset to be written), used as
 * the hold when Redis knows nothing. empty_start: state began empty, so rows may be in Redis that
 * it does not have. Returns true when every key must be written again (call shard_resync). */
bool lease_granted(struct lease *lease, const struct lease_grant *grant, int64_t log_end,
                   bool empty_start);
/* The ACQUIRE was refused or lost: try again. */
void lease_not_granted(struct lease *lease);
/* A batch goes out. Returns how many batches Redis must have applied when it comes there: those
 * that were acknowledged and those under way before it. Replies come in the order of sending. */
int64_t lease_batch_sent(struct lease *lease);
/* A batch was applied as number seq. */
void lease_applied(struct lease *lease, int64_t seq);
/* A batch was not applied for a reason of Redis' own, such as a full memory: its rows go out again
 * once those behind it, which miss it in the count, have come back, too. */
void lease_not_applied(struct lease *lease);
/* A batch was refused with FENCED or with ROLLBACK: Redis' count was another. */
void lease_refused(struct lease *lease, bool rollback);
/* A request got no answer. It may still be under way and be applied after newer ones, with the same
 * token: a new one is acquired first, under which the old request is fenced. */
void lease_doubt(struct lease *lease);
/* The partition is given up. Should it come back, that is proof enough to acquire it. */
void lease_let_go(struct lease *lease);
/* The proof of LEASE_PROVE: still_owner after a successful commit. */
void lease_proved(struct lease *lease, bool still_owner);
/* The operator wants everything written again. */
void lease_want_resync(struct lease *lease);

bool lease_may_write(const struct lease *lease, int64_t next_offset);
/* Whether batches behind one that was not applied are still to come back: none goes out now. */
bool lease_awaits_replies(const struct lease *lease);
/* Whether rows that are not in state will be swept before the lease comes to rest. */
bool lease_will_sweep(const struct lease *lease);
/* synced: shard_synced. Which step is due; the caller then calls lease_step_sent and, with its
 * end, lease_step_ended (ok = false: it will be due again). */
enum lease_step lease_next(const struct lease *lease, bool synced);
void lease_step_sent(struct lease *lease, enum lease_step step);
void lease_step_ended(struct lease *lease, enum lease_step step, bool ok);

#endif
