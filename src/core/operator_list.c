/* Lists of values by event order: the oldest first (first_n) or the newest first. */
#include <string.h>

#include "held.h"
#include "operator_private.h"

enum { LIST_FIRST_CAPACITY = 2 };

/* Whether an event at `order` stands before the entry in the list. */
static bool list_precedes(const struct feature *feature, struct event_order order,
                          const struct entry *entry)
{
    return feature->op == OPERATOR_FIRST_N ? order_before(order, entry_order(entry))
                                           : order_before(entry_order(entry), order);
}

static void list_remove(struct pool *pool, struct acc_list *list, uint32_t at)
{
    held_release(pool, &list->entries[at].value);
    list->count--;
    memmove(&list->entries[at], &list->entries[at + 1],
            (list->count - at) * sizeof list->entries[0]);
}

static void list_make_room(struct pool *pool, const struct feature *feature, struct acc_list *list)
{
    if (list->count < list->capacity)
        return;
    if (list->capacity == feature->count) {
        list_remove(pool, list, list->count - 1);
        return;
    }
    uint32_t capacity = list->capacity ? 2 * list->capacity : LIST_FIRST_CAPACITY;
    if (capacity > feature->count)
        capacity = feature->count;
    list->entries = pool_resize(pool, list->entries, list->capacity * sizeof list->entries[0],
                                capacity * sizeof list->entries[0]);
    list->capacity = capacity;
}

/* An entry that is pushed out never comes back: those before it only get more. */
void list_add(struct pool *pool, const struct feature *feature, struct acc_list *list,
              const struct value *value, struct event_order order)
{
    if (feature->op == OPERATOR_LAST_DISTINCT) {
        for (uint32_t k = 0; k < list->count; k++) {
            if (!held_equals(&list->entries[k].value, value))
                continue;
            if (!order_before(entry_order(&list->entries[k]), order))
                return;
            list_remove(pool, list, k);
            break;
        }
    }
    uint32_t at = 0;
    while (at < list->count && !list_precedes(feature, order, &list->entries[at]))
        at++;
    if (at == feature->count)
        return;
    list_make_room(pool, feature, list);
    memmove(&list->entries[at + 1], &list->entries[at],
            (list->count - at) * sizeof list->entries[0]);
    list->entries[at] = (struct entry){order.ts_ms, order.offset, held_copy(pool, value)};
    list->count++;
}

void list_release(struct pool *pool, struct acc_list *list)
{
    while (list->count)
        list_remove(pool, list, list->count - 1);
    pool_free(pool, list->entries, list->capacity * sizeof list->entries[0]);
    *list = (struct acc_list){0};
}

void list_merge(struct pool *pool, const struct feature *feature, struct acc_list *dst,
                struct acc_list *src)
{
    for (uint32_t k = 0; k < src->count; k++) {
        struct value value = held_view(&src->entries[k].value);
        list_add(pool, feature, dst, &value, entry_order(&src->entries[k]));
    }
    list_release(pool, src);
}

static bool list_shows(const struct value *items, uint32_t count, const union held_value *held)
{
    for (uint32_t k = 0; k < count; k++)
        if (held_equals(held, &items[k]))
            return true;
    return false;
}

struct value list_result(const struct feature *feature, const char *const *bases, int count,
                         struct arena *arena)
{
    uint32_t *next = arena_alloc(arena, (size_t)count * sizeof *next);
    memset(next, 0, (size_t)count * sizeof *next);
    struct value *items = arena_alloc(arena, feature->count * sizeof *items);
    uint32_t taken = 0;
    while (taken < feature->count) {
        const struct entry *best = NULL;
        int from = 0;
        for (int k = 0; k < count; k++) {
            const struct acc_list *list = source_at(feature, bases, k);
            if (next[k] == list->count)
                continue;
            const struct entry *entry = &list->entries[next[k]];
            if (!best || list_precedes(feature, entry_order(entry), best)) {
                best = entry;
                from = k;
            }
        }
        if (!best)
            break;
        next[from]++;
        if (feature->op == OPERATOR_LAST_DISTINCT && list_shows(items, taken, &best->value))
            continue;
        items[taken++] = held_view(&best->value);
    }
    if (taken == 0)
        return value_null();
    return (struct value){.items = items, .len = taken, .type = VALUE_LIST};
}
