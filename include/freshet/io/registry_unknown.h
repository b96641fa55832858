/* Keys that the registry did not know lately, so that garbage does not ask it again and again. */
#ifndef FRESHET_REGISTRY_UNKNOWN_H
#define FRESHET_REGISTRY_UNKNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry.h"

/* All zero remembers nothing. Times are uv_now's. */
struct registry_unknown {
    struct registry_unknown_entry {
        struct registry_key key;
        uint64_t until_ms;
        char why[REGISTRY_ERROR_MAX];
    } entries[REGISTRY_UNKNOWN_KEPT];
    size_t next; /* the one to be replaced */
};

/* Why the key is unknown; NULL when nothing is known of it. */
const char *registry_unknown_find(const struct registry_unknown *unknown,
                                  const struct registry_key *key, uint64_t now_ms);
void registry_unknown_add(struct registry_unknown *unknown, const struct registry_key *key,
                          const char *why, uint64_t now_ms);
/* So many are remembered that payloads must be garbage rather than of schemas too new. */
bool registry_unknown_many(const struct registry_unknown *unknown, uint64_t now_ms);

#endif
