/* How often each value came: the most frequent ones, and the entropy. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "held.h"
#include "operator_private.h"

enum { TALLY_FIRST_CAPACITY = 2 };

/* Where the value stands or belongs among the sorted tallies. */
static uint32_t tally_place(const struct acc_tally *tally, const struct value *value, bool *found)
{
    _Static_assert(offsetof(struct tally, value) == 0, "as held_place wants it");
    return held_place(tally->tallies, sizeof tally->tallies[0], tally->count, value, found);
}

static void tally_insert(struct pool *pool, struct acc_tally *tally, uint32_t at,
                         struct tally fresh)
{
    if (tally->count == tally->capacity) {
        uint32_t capacity = tally->capacity ? 2 * tally->capacity : TALLY_FIRST_CAPACITY;
        tally->tallies = pool_resize(pool, tally->tallies, tally->capacity * sizeof fresh,
                                     capacity * sizeof fresh);
        tally->capacity = capacity;
    }
    memmove(&tally->tallies[at + 1], &tally->tallies[at], (tally->count - at) * sizeof fresh);
    tally->tallies[at] = fresh;
    tally->count++;
}

enum operator_added tally_add(struct pool *pool, struct acc_tally *tally, const struct value *value)
{
    bool found;
    uint32_t at = tally_place(tally, value, &found);
    if (!found) {
        if (tally->count >= OPERATOR_TALLY_MAX)
            return OPERATOR_LEFT_OUT;
        struct value kept = value_as_kept(value);
        tally_insert(pool, tally, at, (struct tally){.value = held_copy(pool, &kept)});
    }
    tally->tallies[at].n++;
    return OPERATOR_ADDED;
}

/* Values go over with what they own, so that nothing is copied or left out. */
void tally_merge(struct pool *pool, struct acc_tally *dst, struct acc_tally *src)
{
    for (uint32_t k = 0; k < src->count; k++) {
        struct tally *tally = &src->tallies[k];
        struct value value = held_view(&tally->value);
        bool found;
        uint32_t at = tally_place(dst, &value, &found);
        if (found) {
            dst->tallies[at].n += tally->n;
        } else {
            tally_insert(pool, dst, at, *tally);
            tally->value = (union held_value){0};
        }
    }
    tally_release(pool, src);
}

void tally_release(struct pool *pool, struct acc_tally *tally)
{
    for (uint32_t k = 0; k < tally->count; k++)
        held_release(pool, &tally->tallies[k].value);
    pool_free(pool, tally->tallies, tally->capacity * sizeof tally->tallies[0]);
    *tally = (struct acc_tally){0};
}

/* ---- value ---- */

struct frequency {
    struct value value;
    uint64_t n;
};

static int compare_values(const void *a, const void *b)
{
    return value_compare(&((const struct frequency *)a)->value,
                         &((const struct frequency *)b)->value);
}

static int compare_frequencies(const void *a, const void *b)
{
    const struct frequency *left = a;
    const struct frequency *right = b;
    if (left->n != right->n)
        return left->n > right->n ? -1 : 1;
    return compare_values(a, b);
}

/* The frequencies over all sources, ascending by value. */
static uint32_t gather(const struct feature *feature, const char *const *bases, int count,
                       struct arena *arena, struct frequency **gathered)
{
    size_t total = 0;
    for (int k = 0; k < count; k++)
        total += ((const struct acc_tally *)source_at(feature, bases, k))->count;
    struct frequency *all = arena_alloc(arena, total * sizeof *all);
    size_t n = 0;
    for (int k = 0; k < count; k++) {
        const struct acc_tally *tally = source_at(feature, bases, k);
        for (uint32_t i = 0; i < tally->count; i++)
            all[n++] =
                (struct frequency){held_view(&tally->tallies[i].value), tally->tallies[i].n};
    }
    if (count > 1)
        qsort(all, n, sizeof *all, compare_values);
    uint32_t different = 0;
    for (size_t k = 0; k < n; k++) {
        if (different > 0 && compare_values(&all[different - 1], &all[k]) == 0)
            all[different - 1].n += all[k].n;
        else
            all[different++] = all[k];
    }
    *gathered = all;
    return different;
}

static struct value top_values(struct frequency *all, uint32_t count, uint32_t wanted,
                               struct arena *arena)
{
    qsort(all, count, sizeof *all, compare_frequencies);
    uint32_t len = count < wanted ? count : wanted;
    struct value *items = arena_alloc(arena, len * sizeof *items);
    for (uint32_t k = 0; k < len; k++)
        items[k] = all[k].value;
    return (struct value){.items = items, .len = len, .type = VALUE_LIST};
}

static struct value entropy(const struct frequency *all, uint32_t count)
{
    uint64_t total = 0;
    for (uint32_t k = 0; k < count; k++)
        total += all[k].n;
    double bits = 0;
    for (uint32_t k = 0; k < count; k++) {
        double share = (double)all[k].n / (double)total;
        bits -= share * log2(share);
    }
    return value_double(operator_round12(bits));
}

struct value tally_result(const struct feature *feature, const char *const *bases, int count,
                          struct arena *arena)
{
    struct frequency *all;
    uint32_t different = gather(feature, bases, count, arena, &all);
    if (different == 0)
        return value_null();
    return feature->op == OPERATOR_TOP_K ? top_values(all, different, feature->count, arena)
                                         : entropy(all, different);
}
