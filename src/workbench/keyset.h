/* A set of entity keys. */
#ifndef FRESHET_KEYSET_H
#define FRESHET_KEYSET_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "keytable.h"

/* All zero is an empty set. */
struct keyset {
    struct keytable table;
    struct arena arena;
    struct keyset_key {
        const char *key;
        size_t len;
    } *keys;
    uint32_t count, capacity;
};

bool keyset_has(const struct keyset *set, const char *key, size_t len);
/* False when it is there already. */
bool keyset_add(struct keyset *set, const char *key, size_t len);
void keyset_free(struct keyset *set); /* it is empty then */

#endif
