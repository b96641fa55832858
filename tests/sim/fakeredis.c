/* Redis as one shard sees it. */
#include "fakeredis.h"

enum fakeredis_result fakeredis_flush(struct fakeredis *redis, const struct fakeredis_batch *batch,
                                      int64_t *seq, bool *went_back)
{
    enum fakeredis_result result = fakeown_batch(&redis->own, batch->token, batch->expected_seq);
    if (result != FAKEREDIS_OK)
        return result;
    fakeown_raise(&redis->own, batch->hw, batch->as_of);
    *seq = redis->own.seq;
    for (int k = 0; k < batch->count; k++) {
        const struct fakeredis_row *row = &batch->rows[k];
        struct fakeredis_row *old = &redis->rows[row->key];
        *went_back |= old->exists && (row->as_of < old->as_of || row->offset < old->offset);
        *old = *row;
    }
    return FAKEREDIS_OK;
}
