/* The fencing protocol of one shard, owner's side. */
#include "lease.h"

#include <string.h>

#include "expect.h"

void lease_init(struct lease *lease)
{
    *lease = (struct lease){.acknowledged = -1, .hold = INT64_MAX, .as_of_floor_ms = INT64_MIN};
}

void lease_acquiring(struct lease *lease, const char token[LEASE_TOKEN_BYTES + 1])
{
    expect(lease->state == LEASE_NONE);
    /* The token is new at every ACQUIRE: that of a lost request may have been applied. */
    memcpy(lease->token, token, sizeof lease->token);
    lease->under_way = 0;
    lease->gap = false;
    lease->state = LEASE_ACQUIRING;
}

bool lease_granted(struct lease *lease, const struct lease_grant *grant, int64_t log_end,
                   bool empty_start)
{
    expect(lease->state == LEASE_ACQUIRING);
    bool again = lease->previous[0] != '\0';
    bool refused = lease->refused;
    int64_t hold = grant->had_own ? grant->hw : log_end - 1;
    /* On a new token the hold is only raised: another owner may have written in between. */
    if (!again || hold > lease->hold)
        lease->hold = hold;
    if (grant->had_own && grant->as_of_ms > lease->as_of_floor_ms)
        lease->as_of_floor_ms = grant->as_of_ms;
    lease->acknowledged = grant->seq;
    lease->state = LEASE_HELD;
    lease->step_sent = false;
    memcpy(lease->previous, lease->token, sizeof lease->previous);
    lease->refused = false;
    bool unfinished = lease->resync != LEASE_SYNCED;
    if (!grant->had_own || grant->resync || (empty_start && !again) || refused || unfinished) {
        lease_want_resync(lease);
        return true;
    }
    return false;
}

void lease_not_granted(struct lease *lease)
{
    expect(lease->state == LEASE_ACQUIRING);
    lease->state = LEASE_NONE;
}

int64_t lease_batch_sent(struct lease *lease)
{
    return lease->acknowledged + lease->under_way++;
}

void lease_applied(struct lease *lease, int64_t seq)
{
    lease->under_way--;
    lease->gap = false; /* nothing is missing before one that was applied */
    if (seq == lease->acknowledged + 1)
        lease->acknowledged = seq;
    else
        lease_refused(lease, true); /* no script of ours counts like this */
}

void lease_not_applied(struct lease *lease)
{
    lease->gap = --lease->under_way > 0;
}

void lease_refused(struct lease *lease, bool rollback)
{
    if (rollback && lease->gap) {
        /* It misses the batch before it. A loss is found by the next one, whose count is exact. */
        lease_not_applied(lease);
        return;
    }
    if (lease->state != LEASE_HELD)
        return; /* one refusal of several batches in flight is enough */
    lease->state = LEASE_FENCED;
    lease->refused = true;
    if (rollback)
        lease->rollbacks++;
    else
        lease->fenced++;
}

void lease_doubt(struct lease *lease)
{
    if (lease->state == LEASE_HELD)
        lease->state = LEASE_NONE;
}

void lease_let_go(struct lease *lease)
{
    lease->state = LEASE_NONE;
    lease->step_sent = false;
}

void lease_proved(struct lease *lease, bool still_owner)
{
    if (lease->state == LEASE_FENCED)
        lease->state = still_owner ? LEASE_NONE : LEASE_DROPPED;
}

void lease_want_resync(struct lease *lease)
{
    lease->resync = LEASE_RESYNCING;
    lease->marked = false;
    lease->step_sent = false;
}

bool lease_may_write(const struct lease *lease, int64_t next_offset)
{
    return lease->state == LEASE_HELD && (lease->resync == LEASE_SYNCED || lease->marked) &&
           next_offset - 1 >= lease->hold;
}

bool lease_awaits_replies(const struct lease *lease)
{
    return lease->gap;
}

bool lease_will_sweep(const struct lease *lease)
{
    bool first = lease->previous[0] == '\0'; /* state began empty */
    return first || lease->refused || lease->resync != LEASE_SYNCED;
}

enum lease_step lease_next(const struct lease *lease, bool synced)
{
    if (lease->state == LEASE_NONE)
        return LEASE_ACQUIRE;
    if (lease->state == LEASE_FENCED)
        return LEASE_PROVE;
    if (lease->state != LEASE_HELD || lease->step_sent || lease->resync == LEASE_SYNCED)
        return LEASE_WAIT;
    /* The mark comes first: a successor must know that the work was not finished. */
    if (!lease->marked)
        return LEASE_MARK;
    if (lease->resync == LEASE_RESYNCING)
        return synced ? LEASE_SWEEP : LEASE_WAIT;
    return lease->resync == LEASE_CLOSING ? LEASE_DONE : LEASE_WAIT;
}

void lease_step_sent(struct lease *lease, enum lease_step step)
{
    lease->step_sent = true;
    if (step == LEASE_SWEEP)
        lease->resync = LEASE_SWEEPING;
}

void lease_step_ended(struct lease *lease, enum lease_step step, bool ok)
{
    lease->step_sent = false;
    /* A resync that began meanwhile has put the stage back: the end of an old step is no news. */
    if (step == LEASE_SWEEP && lease->resync == LEASE_SWEEPING)
        lease->resync = ok ? LEASE_CLOSING : LEASE_RESYNCING;
    if (!ok || lease->state != LEASE_HELD)
        return;
    if (step == LEASE_MARK)
        lease->marked = true;
    else if (step == LEASE_DONE && lease->resync == LEASE_CLOSING)
        lease->resync = LEASE_SYNCED;
}
