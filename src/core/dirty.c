/* The two queues of dirty keys: rings of handles, in which a key that was taken out leaves its
 * entry behind. Which entries still count, the entities say. */
#include "expect.h"
#include "shardstate.h"

enum { RING_FIRST = 16 };

static uint32_t *ring_at(const struct dirty_queue *queue, uint32_t place)
{
    return &queue->handles[(queue->head + place) & (queue->capacity - 1)];
}

static void ring_pop(struct dirty_queue *queue)
{
    queue->head++;
    queue->size--;
}

/* Drops what does not count, and what stands there twice: a key that was queued, taken out and
 * queued again before its first entry came to the head. */
static void ring_compact(struct shard *shard, enum entity_queue which)
{
    struct dirty_queue *queue = &shard->queues[which];
    uint32_t kept = 0;
    for (uint32_t k = 0; k < queue->size; k++) {
        uint32_t handle = *ring_at(queue, k);
        struct entity *entity = entity_at(shard, handle);
        if (entity->queue != (uint8_t)which)
            continue;
        entity->queue = QUEUE_NONE; /* for the moment: it is kept */
        *ring_at(queue, kept++) = handle;
    }
    expect(kept == queue->count);
    queue->size = kept;
    for (uint32_t k = 0; k < kept; k++)
        entity_at(shard, *ring_at(queue, k))->queue = (uint8_t)which;
}

static void ring_grow(struct dirty_queue *queue)
{
    struct dirty_queue old = *queue;
    expect(old.capacity <= UINT32_MAX / 2);
    queue->capacity = old.capacity ? 2 * old.capacity : RING_FIRST;
    queue->handles = memory_resize(NULL, (size_t)queue->capacity * sizeof *queue->handles);
    queue->head = 0;
    for (uint32_t k = 0; k < old.size; k++)
        queue->handles[k] = *ring_at(&old, k);
    memory_free(old.handles);
}

void entity_dirty(struct shard *shard, uint32_t handle, enum entity_queue which)
{
    struct entity *entity = entity_at(shard, handle);
    if (entity->queue == (uint8_t)which || entity->queue == QUEUE_EVENT)
        return; /* an event row waits before rows of decay */
    entity_clean(shard, handle);
    struct dirty_queue *queue = &shard->queues[which];
    if (queue->size == queue->capacity && queue->count < queue->size / 2)
        ring_compact(shard, which);
    if (queue->size == queue->capacity)
        ring_grow(queue);
    *ring_at(queue, queue->size++) = handle;
    queue->count++;
    entity->queue = (uint8_t)which;
}

void entity_clean(struct shard *shard, uint32_t handle)
{
    struct entity *entity = entity_at(shard, handle);
    if (entity->queue == QUEUE_NONE)
        return;
    struct dirty_queue *queue = &shard->queues[entity->queue];
    entity->queue = QUEUE_NONE;
    if (--queue->count == 0)
        queue->size = 0;
    else if (*ring_at(queue, 0) == handle) /* else it would be the first again at once */
        ring_pop(queue);
}

uint32_t dirty_first(struct shard *shard, enum entity_queue which)
{
    struct dirty_queue *queue = &shard->queues[which];
    expect(queue->count > 0);
    for (;; ring_pop(queue)) {
        uint32_t handle = *ring_at(queue, 0);
        if (entity_at(shard, handle)->queue == (uint8_t)which)
            return handle;
    }
}

void dirty_fetch(const struct shard *shard, enum entity_queue which, uint32_t count)
{
    const struct dirty_queue *queue = &shard->queues[which];
    count = count < queue->size ? count : queue->size;
    for (uint32_t k = 0; k < count; k++)
        entity_fetch(shard, *ring_at(queue, k));
    for (uint32_t k = 0; k < count; k++)
        entity_fetch_state(shard, *ring_at(queue, k));
}

void dirty_free(struct shard *shard)
{
    for (int k = 0; k < ENTITY_QUEUES; k++)
        memory_free(shard->queues[k].handles);
}
