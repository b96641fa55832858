/* Linear probing with deletion by shifting back, so that there are no tombstones to clean up.
 *
 * The tag is the half of the hash whose last bits choose the slot: growing and shifting find an
 * entry's home without looking at its key, which would be a cache miss each. Two different keys
 * have the same tag once in 2^32, so match is hardly ever asked in vain. */
#include "keytable.h"

#include "expect.h"
#include "pool.h"

enum { KEYTABLE_FIRST_SLOTS = 16 };
#define KEYTABLE_SLOTS_MAX ((size_t)1 << 32)

static size_t keytable_slots(const struct keytable *table)
{
    return table->slots ? (size_t)table->mask + 1 : 0;
}

static void keytable_put(struct keytable *table, struct keytable_slot slot)
{
    uint32_t at = slot.tag & table->mask;
    while (table->slots[at].handle != KEYTABLE_NONE)
        at = (at + 1) & table->mask;
    table->slots[at] = slot;
}

static void keytable_grow(struct keytable *table)
{
    struct keytable old = *table;
    size_t old_slots = keytable_slots(&old);
    size_t slots = old_slots ? 2 * old_slots : KEYTABLE_FIRST_SLOTS;
    expect(slots <= KEYTABLE_SLOTS_MAX);
    table->slots = memory_alloc_pages(slots * sizeof table->slots[0]);
    table->mask = (uint32_t)(slots - 1);
    for (size_t k = 0; k < slots; k++)
        table->slots[k] = (struct keytable_slot){0, KEYTABLE_NONE};
    for (size_t k = 0; k < old_slots; k++)
        if (old.slots[k].handle != KEYTABLE_NONE)
            keytable_put(table, old.slots[k]);
    memory_free(old.slots);
}

void keytable_free(struct keytable *table)
{
    memory_free(table->slots);
    *table = (struct keytable){0};
}

uint32_t keytable_find(const struct keytable *table, uint64_t hash, keytable_match *match,
                       const void *context)
{
    if (!table->slots)
        return KEYTABLE_NONE;
    uint32_t tag = (uint32_t)hash;
    for (uint32_t at = tag & table->mask;; at = (at + 1) & table->mask) {
        const struct keytable_slot *slot = &table->slots[at];
        if (slot->handle == KEYTABLE_NONE)
            return KEYTABLE_NONE;
        if (slot->tag == tag && match(context, slot->handle))
            return slot->handle;
    }
}

void keytable_insert(struct keytable *table, uint64_t hash, uint32_t handle)
{
    expect(handle != KEYTABLE_NONE);
    if (10 * ((size_t)table->count + 1) > 7 * keytable_slots(table))
        keytable_grow(table);
    keytable_put(table, (struct keytable_slot){(uint32_t)hash, handle});
    table->count++;
}

void keytable_remove(struct keytable *table, uint64_t hash, uint32_t handle)
{
    expect(table->count > 0);
    uint32_t hole = (uint32_t)hash & table->mask;
    while (table->slots[hole].handle != handle) {
        expect(table->slots[hole].handle != KEYTABLE_NONE);
        hole = (hole + 1) & table->mask;
    }
    /* An entry further on may fill the hole unless its home lies behind the hole. */
    for (uint32_t at = (hole + 1) & table->mask; table->slots[at].handle != KEYTABLE_NONE;
         at = (at + 1) & table->mask) {
        uint32_t home = table->slots[at].tag & table->mask;
        if (((at - home) & table->mask) < ((at - hole) & table->mask))
            continue;
        table->slots[hole] = table->slots[at];
        hole = at;
    }
    table->slots[hole] = (struct keytable_slot){0, KEYTABLE_NONE};
    table->count--;
}

size_t keytable_bytes(const struct keytable *table)
{
    return keytable_slots(table) * sizeof table->slots[0];
}
