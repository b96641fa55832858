/* The life of a shard and the way of its rows: batches, acknowledgement, resync, TTL. */
#include "shard.h"

#include <string.h>

#include "expect.h"
#include "hash.h"
#include "shardstate.h"

enum {
    RESYNC_LOOKED_AT = 4096, /* keys looked at by one step of a resync */
    META_VALUES = 6,         /* fields of a row beside its features */
};

struct shard *shard_open(const struct rules *rules, int32_t partition, int64_t start_ms)
{
    struct shard *shard = memory_alloc(sizeof *shard);
    shard->rules = rules;
    shard->partition = partition;
    shard->start_ms = start_ms;
    shard->starts_ms = memory_alloc((size_t)(rules->set->count + 1) * sizeof(int64_t));
    for (int k = 0; k < rules->set->count; k++)
        shard->starts_ms[k] = start_ms;
    shard->last_place = UINT64_MAX;
    lease_init(&shard->lease);
    shard->raw_ms = INT64_MIN;
    shard->as_of_ms = INT64_MIN;
    shard->due_ms = INT64_MIN;
    shard->greatest_record_ms = RECORD_NO_TIME;
    shard->newest_record_ms = RECORD_NO_TIME;
    shard->free_handle = KEYTABLE_NONE;
    shard->cause_offset = -1;
    shard->epoch = 1;
    shard->warming_until_ms = INT64_MIN;
    pool_init(&shard->pool);
    deadlines_init(&shard->decay);
    deadlines_init(&shard->forget);
    deadlines_init(&shard->settle);
    dedup_init(&shard->dedup);
    const struct feature_set *set = rules->set;
    shard->entity_bytes = (uint32_t)(sizeof(struct entity) +
                                     (size_t)set->window_count * sizeof(struct panes *));
    if (set->closed.count > 0)
        shard->entity_bytes += (uint32_t)sizeof(struct entity_closed);
    shard->arguments = memory_alloc((size_t)(set->argument_count + 1) * sizeof(struct value));
    shard->arguments_known = memory_alloc((size_t)set->argument_count + 1);
    shard->predicates = memory_alloc((size_t)set->predicate_count + 1);
    return shard;
}

void shard_close(struct shard *shard)
{
    if (!shard)
        return;
    pool_fini(&shard->pool);
    deadlines_free(&shard->decay);
    deadlines_free(&shard->forget);
    deadlines_free(&shard->settle);
    dedup_free(&shard->dedup);
    keytable_free(&shard->table);
    dirty_free(shard);
    memory_free(shard->chunks);
    memory_free(shard->starts_ms);
    text_free(&shard->checkpointing.out);
    text_free(&shard->checkpointing.removed);
    memory_free(shard->arguments);
    memory_free(shard->arguments_known);
    memory_free(shard->predicates);
    memory_free(shard->due);
    arena_free(&shard->scratch);
    memory_free(shard);
}

void shard_sample(struct shard *shard, uint64_t last)
{
    shard->last_place = last;
}

uint64_t shard_key_place(const char *key, size_t len)
{
    return entity_place(hash_bytes(key, len));
}

void shard_end_of_log(struct shard *shard, int64_t next_offset)
{
    if (next_offset > shard->next_offset)
        shard->next_offset = next_offset;
}

struct lease *shard_lease(struct shard *shard)
{
    return &shard->lease;
}

/* ---- resync ---- */

void shard_resync(struct shard *shard)
{
    shard->epoch++;
    shard->resync_cursor = 0;
    shard->unsynced = shard->live_keys + shard->forgotten_keys;
}

bool shard_synced(const struct shard *shard)
{
    return shard->unsynced == 0 && lease_may_write(&shard->lease, shard->next_offset);
}

/* Step by step, so that a resync of many keys neither stops the loop nor queues all at once. */
static void resync_step(struct shard *shard)
{
    int looked_at = 0;
    while (shard->resync_cursor < shard->handle_count && looked_at++ < RESYNC_LOOKED_AT &&
           shard->queues[QUEUE_DECAY].count < SHARD_BATCH_KEYS) {
        const struct entity *entity = entity_at(shard, shard->resync_cursor);
        if (entity->flags & ENTITY_USED && entity->epoch != shard->epoch)
            entity_dirty(shard, shard->resync_cursor, QUEUE_DECAY);
        shard->resync_cursor++;
    }
}

bool shard_holds_key(const struct shard *shard, const char *key, size_t len)
{
    return entity_find(shard, key, len, hash_bytes(key, len)) != KEYTABLE_NONE;
}

/* ---- batches ---- */

static uint64_t waiting(const struct shard *shard)
{
    return shard->queues[QUEUE_EVENT].count + shard->queues[QUEUE_DECAY].count;
}

bool shard_has_rows(const struct shard *shard)
{
    if (!lease_may_write(&shard->lease, shard->next_offset))
        return false;
    return waiting(shard) > 0 ||
           (shard->unsynced > 0 && shard->resync_cursor < shard->handle_count);
}

void shard_batch_begin(struct shard *shard, struct shard_batch *batch)
{
    expect(lease_may_write(&shard->lease, shard->next_offset));
    if (shard->unsynced > 0)
        resync_step(shard);
    int limit = SHARD_BATCH_VALUES / (shard->rules->set->count + META_VALUES);
    limit = limit < 1 ? 1 : limit > SHARD_BATCH_KEYS ? SHARD_BATCH_KEYS : limit;
    *batch = (struct shard_batch){
        .limit = limit,
        .epoch = shard->epoch,
        .last_offset = shard->next_offset - 1,
        .as_of.ms = shard->as_of_ms,
    };
    /* Decay waits behind events, but gets half of a batch when both wait. */
    uint64_t events = shard->queues[QUEUE_EVENT].count;
    uint64_t half = (uint64_t)limit / 2;
    uint64_t rest = events < (uint64_t)limit ? (uint64_t)limit - events : 0;
    batch->decay_left = (int)(rest > half ? rest : half);
    dirty_fetch(shard, QUEUE_EVENT, (uint32_t)limit);
    dirty_fetch(shard, QUEUE_DECAY, (uint32_t)batch->decay_left);
}

static uint32_t batch_pick(struct shard *shard, struct shard_batch *batch)
{
    if (batch->count == batch->limit)
        return KEYTABLE_NONE;
    const struct dirty_queue *events = &shard->queues[QUEUE_EVENT];
    const struct dirty_queue *decay = &shard->queues[QUEUE_DECAY];
    bool decay_may = decay->count > 0 && batch->decay_left > 0;
    /* Events first, as long as the share of decay still fits behind them. */
    bool room = batch->limit - batch->count > (decay_may ? batch->decay_left : 0);
    if (events->count > 0 && (room || !decay_may))
        return dirty_first(shard, QUEUE_EVENT);
    if (!decay_may)
        return KEYTABLE_NONE;
    batch->decay_left--;
    return dirty_first(shard, QUEUE_DECAY);
}

bool shard_batch_next(struct shard *shard, struct shard_batch *batch, struct arena *arena,
                      uint32_t expire_now_s, uint32_t ttl_s, struct row *row)
{
    uint32_t handle = batch_pick(shard, batch);
    if (handle == KEYTABLE_NONE)
        return false;
    struct entity *entity = entity_at(shard, handle);
    bool decay = entity->queue == QUEUE_DECAY;
    shard->counters.decay_rows += decay;
    shard->counters.event_rows += !decay;
    entity_clean(shard, handle);
    row_make(shard, entity, shard->as_of_ms, arena, row);
    row->whole = entity->flags & ENTITY_WHOLE || entity->epoch != shard->epoch;
    bool over = entity->expire_s == 0 || expire_now_s - entity->expire_s > ttl_s / 2;
    row->expire = ttl_s > 0 && (row->whole || over);
    if (row->removed)
        entity->expire_s = 0; /* the TTL goes with the row: another life sets it anew */
    else if (row->expire)
        entity->expire_s = expire_now_s;
    batch->handles[batch->count] = handle;
    batch->since_ms[batch->count] = entity->since_ms;
    batch->decay[batch->count] = decay;
    batch->count++;
    entity->since_ms = INT64_MAX;
    entity->inflight++;
    shard->inflight_rows++;
    return true;
}

static void row_acknowledged(struct shard *shard, uint32_t handle, uint32_t epoch)
{
    struct entity *entity = entity_at(shard, handle);
    if (epoch == shard->epoch) {
        entity->flags = (uint8_t)(entity->flags & ~ENTITY_WHOLE);
        shard->unsynced -= entity->epoch != shard->epoch;
        entity->epoch = shard->epoch;
    }
    entity_drop_if_done(shard, handle);
}

const char *shard_batch_key(const struct shard *shard, const struct shard_batch *batch,
                            uint32_t index, size_t *len)
{
    expect(index < (uint32_t)batch->count);
    const struct entity *entity = entity_at(shard, batch->handles[index]);
    *len = entity->key_len;
    return entity_key(entity);
}

void shard_batch_end(struct shard *shard, struct shard_batch *batch, bool acknowledged)
{
    for (int k = 0; k < batch->count; k++)
        entity_fetch(shard, batch->handles[k]);
    for (int k = 0; k < batch->count; k++) {
        uint32_t handle = batch->handles[k];
        struct entity *entity = entity_at(shard, handle);
        expect(entity->inflight > 0);
        entity->inflight--;
        shard->inflight_rows--;
        if (acknowledged && !batch->differs[k]) {
            row_acknowledged(shard, handle, batch->epoch);
            continue;
        }
        if (batch->differs[k])
            entity->flags |= ENTITY_WHOLE;
        entity->expire_s = 0;
        enum entity_queue queue = batch->decay[k] ? QUEUE_DECAY : QUEUE_EVENT;
        bool takes_over = entity->queue == QUEUE_NONE ||
                          (entity->queue == QUEUE_DECAY && queue == QUEUE_EVENT);
        bool older = entity->queue == (uint8_t)queue && batch->since_ms[k] < entity->since_ms;
        if (takes_over || older)
            entity->since_ms = batch->since_ms[k];
        entity_dirty(shard, handle, queue);
    }
    batch->count = 0;
}

void shard_refresh_ttl(struct shard *shard, uint32_t expire_now_s, uint32_t ttl_s, int budget)
{
    if (ttl_s == 0 || shard->handle_count == 0)
        return;
    for (; budget > 0; budget--) {
        if (shard->ttl_cursor >= shard->handle_count)
            shard->ttl_cursor = 0;
        const struct entity *entity = entity_at(shard, shard->ttl_cursor);
        /* Of a row that was written after its key had been saved it is not known. */
        bool over = entity->expire_s == 0 ? entity->inflight == 0
                                          : expire_now_s - entity->expire_s > ttl_s / 2;
        if (entity->flags & ENTITY_USED && over)
            entity_dirty(shard, shard->ttl_cursor, QUEUE_DECAY);
        shard->ttl_cursor++;
    }
}

/* ---- looking in ---- */

static size_t state_bytes(const struct shard *shard)
{
    return shard->pool.system_bytes + keytable_bytes(&shard->table) +
           deadlines_bytes(&shard->decay) + deadlines_bytes(&shard->forget) +
           deadlines_bytes(&shard->settle) +
           dedup_bytes(&shard->dedup);
}

void shard_status(const struct shard *shard, struct shard_status *status)
{
    *status = shard->counters;
    status->partition = shard->partition;
    status->next_offset = shard->next_offset;
    status->raw.ms = shard->raw_ms;
    status->watermark.ms = shard_watermark_ms(shard);
    status->as_of.ms = shard->as_of_ms;
    status->newest_record_time_ms = shard->newest_record_ms;
    status->keys = shard->live_keys;
    status->keys_forgotten_waiting = shard->forgotten_keys;
    status->sessions_live = shard->live_sessions;
    status->dirty = waiting(shard);
    status->dirty_decay = shard->queues[QUEUE_DECAY].count;
    status->inflight = shard->inflight_rows;
    status->unsynced = shard->unsynced;
    status->held = shard->next_offset - 1 < shard->lease.hold;
    status->ids_remembered = dedup_count(&shard->dedup);
    status->state_bytes = state_bytes(shard);
    status->warming = shard->warming[0] ? shard->warming : NULL;
}

bool shard_peek(const struct shard *shard, const char *key, size_t len, struct arena *arena,
                struct row *row)
{
    uint32_t handle = entity_find(shard, key, len, hash_bytes(key, len));
    if (handle == KEYTABLE_NONE)
        return false;
    int64_t as_of = shard->raw_ms > shard->as_of_ms ? shard->raw_ms : shard->as_of_ms;
    row_make(shard, entity_at(shard, handle), as_of, arena, row);
    return true;
}
