/* The own hash of a shard in Redis. The rules of fencing are those of design/delivery.md. */
#include "fakeown.h"

#include <string.h>

struct lease_grant fakeown_acquire(struct fakeown *own, uint64_t token, uint64_t previous,
                                   int64_t previous_seq)
{
    int64_t applied = -1;
    for (int k = 0; k < own->owner_count; k++)
        if (own->owners[k].token == previous)
            applied = k + 1 < own->owner_count ? own->owners[k + 1].seq : own->seq;
    if (previous && applied < previous_seq)
        own->resync = true;
    if (own->owner_count == FAKEOWN_OWNERS)
        memmove(&own->owners[0], &own->owners[1],
                (size_t)--own->owner_count * sizeof own->owners[0]);
    own->owners[own->owner_count].token = token;
    own->owners[own->owner_count++].seq = own->seq;
    own->token = token;
    return (struct lease_grant){
        .had_own = own->has_hw,
        .hw = own->has_hw ? own->hw : -1,
        .as_of_ms = own->has_hw ? own->as_of : INT64_MIN,
        .seq = own->seq,
        .resync = own->resync,
    };
}

enum fakeredis_result fakeown_batch(struct fakeown *own, uint64_t token, int64_t expected_seq)
{
    if (own->token != token)
        return FAKEREDIS_FENCED;
    if (own->seq != expected_seq)
        return FAKEREDIS_ROLLBACK;
    own->seq++;
    return FAKEREDIS_OK;
}

void fakeown_raise(struct fakeown *own, int64_t hw, int64_t as_of)
{
    if (!own->has_hw || hw > own->hw)
        own->hw = hw;
    if (!own->has_hw || as_of > own->as_of)
        own->as_of = as_of;
    own->has_hw = true;
}

enum fakeredis_result fakeown_mark(struct fakeown *own, uint64_t token, bool resync)
{
    if (own->token != token)
        return FAKEREDIS_FENCED;
    own->resync = resync;
    return FAKEREDIS_OK;
}
