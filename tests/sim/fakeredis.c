/* Redis as one shard sees it. The rules of fencing are those of design/delivery.md. */
#include "fakeredis.h"

#include <string.h>

struct lease_grant fakeredis_acquire(struct fakeredis *redis, uint64_t token, uint64_t previous,
                                     int64_t previous_seq)
{
    int64_t applied = -1;
    for (int k = 0; k < redis->owner_count; k++)
        if (redis->owners[k].token == previous)
            applied = k + 1 < redis->owner_count ? redis->owners[k + 1].seq : redis->seq;
    if (previous && applied < previous_seq)
        redis->resync = true;
    if (redis->owner_count == FAKEREDIS_OWNERS)
        memmove(&redis->owners[0], &redis->owners[1],
                (size_t)--redis->owner_count * sizeof redis->owners[0]);
    redis->owners[redis->owner_count].token = token;
    redis->owners[redis->owner_count++].seq = redis->seq;
    redis->token = token;
    return (struct lease_grant){
        .had_own = redis->has_hw,
        .hw = redis->has_hw ? redis->hw : -1,
        .as_of_ms = redis->has_hw ? redis->as_of : INT64_MIN,
        .seq = redis->seq,
        .resync = redis->resync,
    };
}

static enum fakeredis_result may_apply(const struct fakeredis *redis, uint64_t token,
                                       int64_t expected_seq)
{
    if (redis->token != token)
        return FAKEREDIS_FENCED;
    return redis->seq == expected_seq ? FAKEREDIS_OK : FAKEREDIS_ROLLBACK;
}

enum fakeredis_result fakeredis_flush(struct fakeredis *redis, const struct fakeredis_batch *batch,
                                      int64_t *seq, bool *went_back)
{
    enum fakeredis_result result = may_apply(redis, batch->token, batch->expected_seq);
    if (result != FAKEREDIS_OK)
        return result;
    if (!redis->has_hw || batch->hw > redis->hw)
        redis->hw = batch->hw;
    if (!redis->has_hw || batch->as_of > redis->as_of)
        redis->as_of = batch->as_of;
    redis->has_hw = true;
    *seq = ++redis->seq;
    for (int k = 0; k < batch->count; k++) {
        const struct fakeredis_row *row = &batch->rows[k];
        struct fakeredis_row *old = &redis->rows[row->key];
        *went_back |= old->exists && (row->as_of < old->as_of || row->offset < old->offset);
        *old = *row;
    }
    return FAKEREDIS_OK;
}

enum fakeredis_result fakeredis_sweep(struct fakeredis *redis, uint64_t token,
                                      int64_t expected_seq)
{
    enum fakeredis_result result = may_apply(redis, token, expected_seq);
    redis->seq += result == FAKEREDIS_OK;
    return result;
}

enum fakeredis_result fakeredis_mark(struct fakeredis *redis, uint64_t token, bool resync)
{
    if (redis->token != token)
        return FAKEREDIS_FENCED;
    redis->resync = resync;
    return FAKEREDIS_OK;
}
