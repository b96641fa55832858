/* A ring: the oldest answer gives way. It is read only when a message brings an unknown key. */
#include "registry_unknown.h"

#include <stdio.h>

enum { MANY = 16 };

const char *registry_unknown_find(const struct registry_unknown *unknown,
                                  const struct registry_key *key, uint64_t now_ms)
{
    for (size_t i = 0; i < REGISTRY_UNKNOWN_KEPT; i++)
        if (unknown->entries[i].until_ms > now_ms &&
            registry_key_equal(&unknown->entries[i].key, key))
            return unknown->entries[i].why;
    return NULL;
}

void registry_unknown_add(struct registry_unknown *unknown, const struct registry_key *key,
                          const char *why, uint64_t now_ms)
{
    struct registry_unknown_entry *entry = &unknown->entries[unknown->next];
    unknown->next = (unknown->next + 1) % REGISTRY_UNKNOWN_KEPT;
    entry->key = *key;
    entry->until_ms = now_ms + REGISTRY_UNKNOWN_MS;
    snprintf(entry->why, sizeof entry->why, "%s", why);
}

bool registry_unknown_many(const struct registry_unknown *unknown, uint64_t now_ms)
{
    size_t nth = (unknown->next + REGISTRY_UNKNOWN_KEPT - MANY) % REGISTRY_UNKNOWN_KEPT;
    return unknown->entries[nth].until_ms > now_ms;
}
