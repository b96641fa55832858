/* Panes: a sorted array that grows by doubling and drops what no row can see any more. */
#include "window.h"

#include <string.h>

#include "expect.h"
#include "operator.h"

/* Only the clocks of the producers bound how far events may be ahead of raw. */
enum { PANES_FIRST_CAPACITY = 1, PANES_CAPACITY_MAX = INT32_MAX };

static size_t panes_bytes(const struct feature_window *window, int capacity)
{
    return sizeof(struct panes) + (size_t)capacity * pane_bytes(window);
}

int panes_before(const struct feature_window *window, struct panes *panes, int64_t index)
{
    int count = panes->count;
    /* Rows and events look near the newest end or want nearly all: both ends are tried first. */
    if (count == 0 || *pane_at(window, panes, 0) >= index)
        return 0;
    while (count > 0 && *pane_at(window, panes, count - 1) >= index)
        count--;
    return count;
}

void panes_drop(const struct feature_set *set, int window, struct pool *pool, struct panes *panes,
                int count)
{
    if (count == 0)
        return;
    const struct feature_window *shape = &set->windows[window];
    for (int k = 0; k < set->count; k++) {
        const struct feature *feature = &set->features[k];
        if (feature->window != window)
            continue;
        for (int p = 0; p < count; p++)
            operator_release(pool, feature,
                             pane_acc(pane_at(shape, panes, p)) + feature->acc_offset);
    }
    panes->count -= count;
    memmove(panes->bytes, pane_at(shape, panes, count), (size_t)panes->count * pane_bytes(shape));
}

static void panes_grow(const struct feature_window *shape, struct pool *pool, struct panes **panes)
{
    int old = *panes ? (*panes)->capacity : 0;
    expect(old < PANES_CAPACITY_MAX / 2);
    int capacity = old ? 2 * old : PANES_FIRST_CAPACITY;
    *panes = pool_resize(pool, *panes, old ? panes_bytes(shape, old) : 0,
                         panes_bytes(shape, capacity));
    (*panes)->capacity = capacity;
}

int64_t *panes_get(const struct feature_set *set, int window, struct pool *pool,
                   struct panes **panes, int64_t index, int64_t drop_before)
{
    const struct feature_window *shape = &set->windows[window];
    if (!*panes)
        panes_grow(shape, pool, panes);
    int at = panes_before(shape, *panes, index);
    if (at < (*panes)->count && *pane_at(shape, *panes, at) == index)
        return pane_at(shape, *panes, at);
    if ((*panes)->count == (*panes)->capacity) {
        int dropped = panes_before(shape, *panes, drop_before);
        panes_drop(set, window, pool, *panes, dropped);
        at -= dropped;
        expect(at >= 0);
    }
    if ((*panes)->count == (*panes)->capacity)
        panes_grow(shape, pool, panes);
    int64_t *pane = pane_at(shape, *panes, at);
    memmove(pane_at(shape, *panes, at + 1), pane,
            (size_t)((*panes)->count - at) * pane_bytes(shape));
    memset(pane, 0, pane_bytes(shape));
    *pane = index;
    (*panes)->count++;
    return pane;
}

void panes_release(const struct feature_set *set, int window, struct pool *pool,
                   struct panes **panes)
{
    if (!*panes)
        return;
    panes_drop(set, window, pool, *panes, (*panes)->count);
    pool_free(pool, *panes, panes_bytes(&set->windows[window], (*panes)->capacity));
    *panes = NULL;
}
