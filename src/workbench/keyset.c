/* Keys are copied; the table finds them by hash. */
#include "keyset.h"

#include <string.h>

#include "hash.h"
#include "pool.h"

struct wanted {
    const struct keyset *set;
    const char *key;
    size_t len;
};

static bool is_key(const void *context, uint32_t handle)
{
    const struct wanted *wanted = context;
    const struct keyset_key *key = &wanted->set->keys[handle];
    return key->len == wanted->len && memcmp(key->key, wanted->key, wanted->len) == 0;
}

bool keyset_has(const struct keyset *set, const char *key, size_t len)
{
    struct wanted wanted = {set, key, len};
    return set->count > 0 && keytable_find(&set->table, hash_bytes(key, len), is_key, &wanted) !=
                                 KEYTABLE_NONE;
}

bool keyset_add(struct keyset *set, const char *key, size_t len)
{
    if (keyset_has(set, key, len))
        return false;
    if (set->count == set->capacity) {
        set->capacity = set->capacity ? 2 * set->capacity : 64;
        set->keys = memory_resize(set->keys, set->capacity * sizeof *set->keys);
    }
    char *copy = arena_alloc(&set->arena, len);
    memcpy(copy, key, len);
    set->keys[set->count] = (struct keyset_key){copy, len};
    keytable_insert(&set->table, hash_bytes(key, len), set->count++);
    return true;
}

void keyset_free(struct keyset *set)
{
    keytable_free(&set->table);
    arena_free(&set->arena);
    memory_free(set->keys);
    *set = (struct keyset){0};
}
