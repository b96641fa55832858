/* Features with `by`: an accumulator of the operator for each group. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "held.h"
#include "operator_private.h"

enum { GROUPS_FIRST_CAPACITY = 1 };

/* Where the group stands or belongs. */
static uint32_t group_place(const struct feature *feature, const struct acc_groups *groups,
                            const struct value *value, bool *found)
{
    _Static_assert(offsetof(struct group, value) == 0, "as held_place wants it");
    return held_place(groups->groups, group_bytes(feature), groups->count, value, found);
}

/* Makes room for a group at a place; its bytes are zero. */
static struct group *group_insert(struct pool *pool, const struct feature *feature,
                                  struct acc_groups *groups, uint32_t at)
{
    size_t bytes = group_bytes(feature);
    if (groups->count == groups->capacity) {
        uint32_t capacity = groups->capacity ? 2 * groups->capacity : GROUPS_FIRST_CAPACITY;
        groups->groups =
            pool_resize(pool, groups->groups, groups->capacity * bytes, capacity * bytes);
        groups->capacity = capacity;
    }
    char *group = groups->groups + at * bytes;
    memmove(group + bytes, group, (groups->count - at) * bytes);
    memset(group, 0, bytes);
    groups->count++;
    return (struct group *)(void *)group;
}

enum operator_added operator_add_grouped(struct pool *pool, const struct feature *feature,
                                         void *acc, const struct value *value_group,
                                         const struct value *value, struct event_order order)
{
    struct acc_groups *groups = acc;
    bool found;
    uint32_t at = group_place(feature, groups, value_group, &found);
    if (!found) {
        if (groups->count >= OPERATOR_GROUPS_MAX)
            return OPERATOR_LEFT_OUT;
        struct value kept = value_as_kept(value_group);
        group_insert(pool, feature, groups, at)->value = held_copy(pool, &kept);
    }
    struct group *group = group_at(feature, groups, at);
    group->n++;
    return operator_add(pool, feature, group->acc, value, order);
}

void groups_merge(struct pool *pool, const struct feature *feature, struct acc_groups *dst,
                  struct acc_groups *src)
{
    struct feature one = group_feature(feature);
    for (uint32_t k = 0; k < src->count; k++) {
        struct group *from = group_at(feature, src, k);
        struct value value = held_view(&from->value);
        bool found;
        uint32_t at = group_place(feature, dst, &value, &found);
        if (found) {
            struct group *into = group_at(feature, dst, at);
            into->n += from->n;
            operator_merge(pool, &one, into->acc, from->acc);
        } else {
            memcpy(group_insert(pool, feature, dst, at), from, group_bytes(feature));
            memset(from, 0, group_bytes(feature)); /* what it owned has moved */
        }
    }
    groups_release(pool, feature, src);
}

void groups_release(struct pool *pool, const struct feature *feature, struct acc_groups *groups)
{
    struct feature one = group_feature(feature);
    for (uint32_t k = 0; k < groups->count; k++) {
        struct group *group = group_at(feature, groups, k);
        held_release(pool, &group->value);
        operator_release(pool, &one, group->acc);
    }
    pool_free(pool, groups->groups, groups->capacity * group_bytes(feature));
    *groups = (struct acc_groups){0};
}

/* ---- value ---- */

/* A group over all sources: a run among the sorted ones. */
struct run {
    struct value value;
    uint64_t n;
    size_t first;
    int len;
};

static int compare_groups(const void *a, const void *b)
{
    struct value left = held_view(&(*(const struct group *const *)a)->value);
    struct value right = held_view(&(*(const struct group *const *)b)->value);
    return value_compare(&left, &right);
}

static int compare_run_values(const void *a, const void *b)
{
    return value_compare(&((const struct run *)a)->value, &((const struct run *)b)->value);
}

static int compare_run_counts(const void *a, const void *b)
{
    uint64_t left = ((const struct run *)a)->n;
    uint64_t right = ((const struct run *)b)->n;
    if (left != right)
        return left > right ? -1 : 1;
    return compare_run_values(a, b);
}

/* All groups of all sources, ascending. */
static size_t gather(const struct feature *feature, const char *const *bases, int count,
                     struct arena *arena, const struct group ***gathered)
{
    size_t total = 0;
    for (int k = 0; k < count; k++)
        total += ((const struct acc_groups *)source_at(feature, bases, k))->count;
    const struct group **all = arena_alloc(arena, total * sizeof *all);
    size_t n = 0;
    for (int k = 0; k < count; k++) {
        const struct acc_groups *groups = source_at(feature, bases, k);
        for (uint32_t i = 0; i < groups->count; i++)
            all[n++] = group_at(feature, groups, i);
    }
    if (count > 1)
        qsort(all, total, sizeof *all, compare_groups);
    *gathered = all;
    return total;
}

/* The runs that are shown, ascending: those with the most events. */
static uint32_t choose(const struct feature *feature, const struct group *const *all, size_t total,
                       struct arena *arena, struct run **chosen)
{
    struct run *runs = arena_alloc(arena, total * sizeof *runs);
    uint32_t count = 0;
    for (size_t k = 0; k < total; k++) {
        if (count == 0 || compare_groups(&all[k], &all[runs[count - 1].first]) != 0)
            runs[count++] = (struct run){.value = held_view(&all[k]->value), .first = k};
        runs[count - 1].n += all[k]->n;
        runs[count - 1].len++;
    }
    *chosen = runs;
    if (count <= feature->cap)
        return count;
    qsort(runs, count, sizeof *runs, compare_run_counts);
    qsort(runs, feature->cap, sizeof *runs, compare_run_values);
    return feature->cap;
}

struct value groups_result(const struct feature *feature, const char *const *bases, int count,
                           struct arena *arena, bool *nothing)
{
    const struct group **all;
    size_t total = gather(feature, bases, count, arena, &all);
    *nothing = total == 0;
    if (total == 0)
        return value_null();
    struct run *runs;
    uint32_t shown = choose(feature, all, total, arena, &runs);
    struct value *items = arena_alloc(arena, 2 * (size_t)shown * sizeof *items);
    const char **accs = arena_alloc(arena, total * sizeof *accs);
    for (size_t k = 0; k < total; k++)
        accs[k] = all[k]->acc;
    struct feature one = group_feature(feature);
    for (uint32_t k = 0; k < shown; k++) {
        bool ignored;
        items[2 * k] = runs[k].value;
        items[2 * k + 1] =
            operator_result(&one, accs + runs[k].first, runs[k].len, arena, &ignored);
    }
    return (struct value){.items = items, .len = shown, .type = VALUE_MAP};
}
