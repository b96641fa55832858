/* A hash table from keys to 32-bit handles: open addressing, doubled at once when 70 % full.
 *
 * The table holds (hash, handle) pairs only; the owner of the handles compares keys. Doubling reads
 * the old slots in order and no key, about 10 ns a key. Lookups can be prefetched: hash a batch,
 * prefetch all, then look all up (design: performance). */
#ifndef FRESHET_KEYTABLE_H
#define FRESHET_KEYTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYTABLE_NONE UINT32_MAX

struct keytable_slot {
    uint32_t tag;    /* lower half of the hash: its last bits are the slot where probing starts */
    uint32_t handle; /* KEYTABLE_NONE: empty */
};

/* All zero is an empty table. */
struct keytable {
    struct keytable_slot *slots;
    uint32_t mask;
    uint32_t count;
};

/* True when the handle's key is the one looked for. */
typedef bool keytable_match(const void *context, uint32_t handle);

void keytable_free(struct keytable *table);
uint32_t keytable_find(const struct keytable *table, uint64_t hash, keytable_match *match,
                       const void *context);
/* The key must not be in the table. */
void keytable_insert(struct keytable *table, uint64_t hash, uint32_t handle);
/* The handle must be in the table, under this hash. */
void keytable_remove(struct keytable *table, uint64_t hash, uint32_t handle);
size_t keytable_bytes(const struct keytable *table);

/* The handle that the key probably has, without comparing keys; KEYTABLE_NONE: surely none. */
static inline uint32_t keytable_guess(const struct keytable *table, uint64_t hash)
{
    if (!table->slots)
        return KEYTABLE_NONE;
    uint32_t tag = (uint32_t)hash;
    uint32_t at = tag & table->mask;
    while (table->slots[at].handle != KEYTABLE_NONE && table->slots[at].tag != tag)
        at = (at + 1) & table->mask;
    return table->slots[at].handle;
}

static inline void keytable_prefetch(const struct keytable *table, uint64_t hash)
{
    if (table->slots)
        __builtin_prefetch(&table->slots[hash & table->mask]);
}

#endif
