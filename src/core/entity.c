/* The keys of a shard: their memory and their lives. */
#include <string.h>

#include "expect.h"
#include "hash.h"
#include "shardstate.h"

struct entity_probe {
    const struct shard *shard;
    const char *key;
    size_t len;
    uint64_t hash;
};

static bool entity_matches(const void *context, uint32_t handle)
{
    const struct entity_probe *probe = context;
    const struct entity *entity = entity_at(probe->shard, handle);
    return entity->hash == probe->hash && entity->key_len == probe->len &&
           memcmp(entity_key(entity), probe->key, probe->len) == 0;
}

uint32_t entity_find(const struct shard *shard, const char *key, size_t len, uint64_t hash)
{
    struct entity_probe probe = {shard, key, len, hash};
    return keytable_find(&shard->table, hash, entity_matches, &probe);
}

static uint32_t entity_take_handle(struct shard *shard)
{
    uint32_t handle = shard->free_handle;
    if (handle != KEYTABLE_NONE) {
        shard->free_handle = entity_at(shard, handle)->next_free;
        return handle;
    }
    handle = shard->handle_count;
    if (handle == shard->chunk_count * ENTITY_CHUNK) {
        expect(shard->chunk_count < ENTITY_CHUNKS_MAX);
        size_t count = shard->chunk_count;
        if ((count & (count - 1)) == 0) /* full: its room is doubled */
            shard->chunks =
                memory_resize(shard->chunks, (count ? 2 * count : 1) * sizeof *shard->chunks);
        /* Not zeroed: what is never used need never be touched. */
        shard->chunks[shard->chunk_count++] =
            pool_slab(&shard->pool, (size_t)ENTITY_CHUNK * shard->entity_bytes);
    }
    shard->handle_count++;
    entity_at(shard, handle)->serial = 0;
    return handle;
}

uint32_t entity_create(struct shard *shard, const char *key, size_t len, uint64_t hash)
{
    uint32_t handle = entity_take_handle(shard);
    struct entity *entity = entity_at(shard, handle);
    uint32_t serial = entity->serial + 1;
    *entity = (struct entity){
        .hash = hash,
        .key_len = (uint32_t)len,
        .serial = serial,
        .offset = -1,
        .armed_ms = INT64_MAX,
        .since_ms = INT64_MAX,
        .touched = shard->checkpointing.epoch,
        .flags = ENTITY_USED | ENTITY_WHOLE,
    };
    /* While writes are held nobody knows whether Redis has a row: it counts as one to be synced. */
    if (lease_may_write(&shard->lease, shard->next_offset))
        entity->epoch = shard->epoch;
    else
        shard->unsynced++;
    memset(entity->windows, 0, (size_t)shard->rules->set->window_count * sizeof(struct panes *));
    closed_init(shard, entity);
    if (len > ENTITY_INLINE_KEY)
        entity->key = pool_alloc(&shard->pool, len);
    memcpy(len > ENTITY_INLINE_KEY ? entity->key : entity->inline_key, key, len);
    keytable_insert(&shard->table, hash, handle);
    shard->live_keys++;
    return handle;
}

void entity_revive(struct shard *shard, uint32_t handle)
{
    struct entity *entity = entity_at(shard, handle);
    expect(entity->flags & ENTITY_FORGOTTEN);
    entity->flags = (uint8_t)(entity->flags & ~ENTITY_FORGOTTEN);
    entity->serial++; /* deadlines of the life before are stale */
    entity->armed_ms = INT64_MAX;
    closed_init(shard, entity);
    shard->forgotten_keys--;
    shard->live_keys++;
}

void entity_release_state(struct shard *shard, struct entity *entity)
{
    const struct feature_set *set = shard->rules->set;
    shard->live_sessions -= entity->sessions.live_count;
    sessions_release(&entity->sessions, shard->rules, &shard->pool);
    for (int w = 0; w < set->window_count; w++)
        panes_release(set, w, &shard->pool, &entity->windows[w]);
}

void entity_forget(struct shard *shard, uint32_t handle)
{
    struct entity *entity = entity_at(shard, handle);
    expect(!(entity->flags & ENTITY_FORGOTTEN));
    entity_touch(shard, handle);
    entity_release_state(shard, entity);
    entity->flags |= ENTITY_FORGOTTEN;
    shard->live_keys--;
    shard->forgotten_keys++;
    bool held = !lease_may_write(&shard->lease, shard->next_offset);
    if (!held || !lease_will_sweep(&shard->lease)) {
        if (entity->queue == QUEUE_NONE)
            entity_dirty(shard, handle, QUEUE_DECAY);
    } else if (entity->inflight == 0) {
        /* While writes are held no last row can be written: what is in Redis is swept. */
        entity_clean(shard, handle);
        entity_drop_if_done(shard, handle);
    }
}

void entity_drop_if_done(struct shard *shard, uint32_t handle)
{
    struct entity *entity = entity_at(shard, handle);
    if (!(entity->flags & ENTITY_FORGOTTEN) || entity->queue != QUEUE_NONE || entity->inflight)
        return;
    entity_touch(shard, handle);
    checkpoint_key_removed(shard, entity);
    if (entity->epoch != shard->epoch)
        shard->unsynced--;
    keytable_remove(&shard->table, entity->hash, handle);
    if (entity->key_len > ENTITY_INLINE_KEY)
        pool_free(&shard->pool, entity->key, entity->key_len);
    *entity = (struct entity){.serial = entity->serial, .next_free = shard->free_handle};
    shard->free_handle = handle;
    shard->forgotten_keys--;
}
