/* Ids in chunks, found by a table and dropped by their deadlines. */
#include "dedup.h"

#include <string.h>

#include "clock.h"
#include "pool.h"

void dedup_init(struct dedup *dedup)
{
    *dedup = (struct dedup){.free_handle = KEYTABLE_NONE};
    deadlines_init(&dedup->expiry);
}

void dedup_free(struct dedup *dedup)
{
    keytable_free(&dedup->table);
    deadlines_free(&dedup->expiry);
    for (uint32_t k = 0; k < dedup->chunk_count; k++)
        memory_free(dedup->chunks[k]);
    memory_free(dedup->chunks);
}

struct hash128 dedup_fingerprint(const char *key, size_t key_len, const struct value *id)
{
    char scratch[8];
    size_t len;
    const void *bytes = value_canonical(id, scratch, &len);
    struct hash128 of_key = hash_bytes128(key, key_len, 0);
    struct hash128 of_id = hash_bytes128(bytes, len, of_key.low);
    return (struct hash128){of_id.low, of_id.high ^ of_key.high};
}

struct dedup_probe {
    const struct dedup *dedup;
    const struct hash128 *fingerprint;
};

static bool fingerprint_matches(const void *context, uint32_t handle)
{
    const struct dedup_probe *probe = context;
    const struct hash128 *own = &dedup_at(probe->dedup, handle)->fingerprint;
    return own->low == probe->fingerprint->low && own->high == probe->fingerprint->high;
}

static uint32_t find(const struct dedup *dedup, const struct hash128 *fingerprint)
{
    struct dedup_probe probe = {dedup, fingerprint};
    return keytable_find(&dedup->table, fingerprint->low, fingerprint_matches, &probe);
}

bool dedup_knows(const struct dedup *dedup, const struct hash128 *fingerprint)
{
    return find(dedup, fingerprint) != KEYTABLE_NONE;
}

static uint32_t take_handle(struct dedup *dedup)
{
    uint32_t handle = dedup->free_handle;
    if (handle != KEYTABLE_NONE) {
        dedup->free_handle = dedup_at(dedup, handle)->next;
        return handle;
    }
    handle = dedup->handle_count++;
    if (handle == dedup->chunk_count * DEDUP_CHUNK) {
        dedup->chunks =
            memory_resize(dedup->chunks, (dedup->chunk_count + 1) * sizeof *dedup->chunks);
        dedup->chunks[dedup->chunk_count++] = memory_alloc(DEDUP_CHUNK * sizeof(struct dedup_id));
    }
    return handle;
}

static uint32_t insert(struct dedup *dedup, const struct hash128 *fingerprint, int64_t until_ms,
                       uint32_t epoch)
{
    uint32_t handle = take_handle(dedup);
    *dedup_at(dedup, handle) =
        (struct dedup_id){.fingerprint = *fingerprint, .until_ms = until_ms, .touched = epoch};
    keytable_insert(&dedup->table, fingerprint->low, handle);
    return handle;
}

static void arm(struct dedup *dedup, uint32_t handle)
{
    int64_t at_ms = clock_add_ms(dedup_at(dedup, handle)->until_ms, 1);
    deadlines_push(&dedup->expiry, (struct deadline){at_ms, handle, 0});
}

void dedup_remember(struct dedup *dedup, const struct hash128 *fingerprint, int64_t until_ms,
                    uint32_t epoch)
{
    arm(dedup, insert(dedup, fingerprint, until_ms, epoch));
}

void dedup_expire(struct dedup *dedup, int64_t watermark_ms,
                  void (*leaves)(void *context, uint32_t handle), void *context)
{
    struct deadline deadline;
    while (deadlines_pop(&dedup->expiry, watermark_ms, &deadline)) {
        struct dedup_id *id = dedup_at(dedup, deadline.handle);
        leaves(context, deadline.handle);
        keytable_remove(&dedup->table, id->fingerprint.low, deadline.handle);
        *id = (struct dedup_id){.until_ms = INT64_MIN, .next = dedup->free_handle};
        dedup->free_handle = deadline.handle;
    }
}

void dedup_put(struct dedup *dedup, const struct hash128 *fingerprint, int64_t until_ms)
{
    uint32_t handle = find(dedup, fingerprint);
    if (handle == KEYTABLE_NONE)
        insert(dedup, fingerprint, until_ms, 0);
    else
        dedup_at(dedup, handle)->until_ms = until_ms;
}

void dedup_arm(struct dedup *dedup)
{
    for (uint32_t handle = 0; handle < dedup->handle_count; handle++)
        arm(dedup, handle);
}

size_t dedup_bytes(const struct dedup *dedup)
{
    return keytable_bytes(&dedup->table) + deadlines_bytes(&dedup->expiry) +
           dedup->chunk_count * DEDUP_CHUNK * sizeof(struct dedup_id);
}
