/* Fingerprints in chunks, found by a table and dropped by their deadlines. */
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

static struct hash128 *fingerprint_at(const struct dedup *dedup, uint32_t handle)
{
    return &dedup->chunks[handle / DEDUP_CHUNK][handle % DEDUP_CHUNK];
}

struct dedup_probe {
    const struct dedup *dedup;
    const struct hash128 *fingerprint;
};

static bool fingerprint_matches(const void *context, uint32_t handle)
{
    const struct dedup_probe *probe = context;
    const struct hash128 *own = fingerprint_at(probe->dedup, handle);
    return own->low == probe->fingerprint->low && own->high == probe->fingerprint->high;
}

bool dedup_knows(const struct dedup *dedup, const struct hash128 *fingerprint)
{
    struct dedup_probe probe = {dedup, fingerprint};
    return keytable_find(&dedup->table, fingerprint->low, fingerprint_matches, &probe) !=
           KEYTABLE_NONE;
}

static uint32_t take_handle(struct dedup *dedup)
{
    uint32_t handle = dedup->free_handle;
    if (handle != KEYTABLE_NONE) {
        dedup->free_handle = (uint32_t)fingerprint_at(dedup, handle)->low;
        return handle;
    }
    handle = dedup->handle_count++;
    if (handle == dedup->chunk_count * DEDUP_CHUNK) {
        dedup->chunks =
            memory_resize(dedup->chunks, (dedup->chunk_count + 1) * sizeof *dedup->chunks);
        dedup->chunks[dedup->chunk_count++] = memory_alloc(DEDUP_CHUNK * sizeof(struct hash128));
    }
    return handle;
}

void dedup_remember(struct dedup *dedup, const struct hash128 *fingerprint, int64_t until_ms)
{
    uint32_t handle = take_handle(dedup);
    *fingerprint_at(dedup, handle) = *fingerprint;
    keytable_insert(&dedup->table, fingerprint->low, handle);
    deadlines_push(&dedup->expiry, (struct deadline){clock_add_ms(until_ms, 1), handle, 0});
}

void dedup_expire(struct dedup *dedup, int64_t watermark_ms)
{
    struct deadline deadline;
    while (deadlines_pop(&dedup->expiry, watermark_ms, &deadline)) {
        struct hash128 *fingerprint = fingerprint_at(dedup, deadline.handle);
        keytable_remove(&dedup->table, fingerprint->low, deadline.handle);
        fingerprint->low = dedup->free_handle;
        dedup->free_handle = deadline.handle;
    }
}

size_t dedup_bytes(const struct dedup *dedup)
{
    return keytable_bytes(&dedup->table) + deadlines_bytes(&dedup->expiry) +
           dedup->chunk_count * DEDUP_CHUNK * sizeof(struct hash128);
}
