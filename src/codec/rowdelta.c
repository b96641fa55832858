/* A direct-mapped table of hashes: one look at memory finds a row or nothing. */
#include "rowdelta.h"

#include <string.h>

#include "expect.h"
#include "hash.h"
#include "pool.h"

struct entry {
    uint64_t key;     /* its hash */
    uint64_t history; /* 0: empty */
    uint64_t values[]; /* one a feature; 0: null */
};

void rowdelta_init(struct rowdelta *delta, const struct feature_set *set, size_t bytes)
{
    size_t entry = sizeof(struct entry) + (size_t)set->count * sizeof(uint64_t);
    *delta = (struct rowdelta){.features = set->count, .entry_bytes = entry};
    if (set->count < ROWDELTA_FEATURES_MIN || bytes < entry)
        return;
    size_t entries = 1;
    while (2 * entries * entry <= bytes)
        entries *= 2;
    delta->mask = entries - 1;
    delta->entries = memory_alloc(entries * entry);
}

void rowdelta_fini(struct rowdelta *delta)
{
    memory_free(delta->entries);
    *delta = (struct rowdelta){0};
}

static struct entry *entry_of(const struct rowdelta *delta, uint64_t key)
{
    return (struct entry *)(void *)(delta->entries + (key & delta->mask) * delta->entry_bytes);
}

/* Each number has an own hash: the steps can be undone. */
static uint64_t mix(uint64_t n)
{
    n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
    return n ^ n >> 31;
}

static uint64_t hash_of(const struct value *value)
{
    uint64_t hash = value->type;
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
        return 0;
    case VALUE_BOOL:
    case VALUE_LONG:
    case VALUE_DOUBLE:
        memcpy(&hash, &value->i, sizeof hash);
        hash = mix(hash + value->type);
        break;
    case VALUE_STRING:
    case VALUE_BYTES:
        hash = hash_bytes(value->s, value->len);
        break;
    case VALUE_LIST:
    case VALUE_MAP:
        for (uint32_t i = 0; i < (value->type == VALUE_MAP ? 2 * value->len : value->len); i++)
            hash = mix(hash) + hash_of(&value->items[i]);
        break;
    }
    return hash ? hash : 1;
}

bool rowdelta_take(struct rowdelta *delta, const struct row *row, uint64_t history,
                   struct rowdelta_change *change)
{
    if (!delta->entries)
        return false;
    uint64_t key = hash_bytes(row->key, row->key_len);
    struct entry *entry = entry_of(delta, key);
    bool known = entry->key == key && entry->history == history;
    *change = (struct rowdelta_change){0};
    for (int i = 0; i < delta->features; i++) {
        uint64_t now = hash_of(&row->values[i]);
        change->features[i / 64] |= (uint64_t)(entry->values[i] != now) << (i % 64);
        change->adds += entry->values[i] == 0 && now != 0;
        entry->values[i] = now;
    }
    entry->key = key;
    entry->history = history;
    return known;
}

void rowdelta_forget(struct rowdelta *delta, const char *key, size_t len)
{
    uint64_t hash = hash_bytes(key, len);
    if (delta->entries && entry_of(delta, hash)->key == hash)
        entry_of(delta, hash)->history = 0;
}
