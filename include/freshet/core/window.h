/* Windows of one key: sparse panes of accumulators (design: semantics, section 4).
 *
 * A pane is the events of one hop. Pane boundaries are shifted by the key's phase, so that the
 * panes of many keys do not end in the same instant. A row combines the panes from the tail on. */
#ifndef FRESHET_WINDOW_H
#define FRESHET_WINDOW_H

#include <stdint.h>

#include "feature.h"
#include "pool.h"

enum { WINDOW_PHASE_MODULUS_MS = 86400000 };

/* The panes of one window, ascending; each is an int64 index and the accumulators. */
struct panes {
    int count;
    int capacity;
    char bytes[];
};

static inline uint32_t pane_bytes(const struct feature_window *window)
{
    return (uint32_t)sizeof(int64_t) + window->acc_bytes;
}

static inline int64_t *pane_at(const struct feature_window *window, struct panes *panes, int k)
{
    return (int64_t *)(void *)(panes->bytes + (size_t)k * pane_bytes(window));
}

static inline char *pane_acc(int64_t *pane)
{
    return (char *)(pane + 1);
}

/* The pane that holds event time t. */
static inline int64_t pane_index(const struct feature_window *window, int64_t phase_ms,
                                 int64_t t_ms)
{
    if (feature_window_is_lifetime(window))
        return 0;
    return clock_floor_div(clock_sub_ms(t_ms, phase_ms), window->hop.ms);
}

/* The first pane that a row at as_of sees. */
static inline int64_t pane_tail(const struct feature_window *window, int64_t phase_ms,
                                int64_t as_of_ms)
{
    return pane_index(window, phase_ms, clock_sub_ms(as_of_ms, window->length.ms));
}

/* The first as_of at which a row no longer sees the pane; INT64_MAX: never. */
static inline int64_t pane_leaves_ms(const struct feature_window *window, int64_t phase_ms,
                                     int64_t index)
{
    int64_t end = clock_add_ms((index + 1) * window->hop.ms, phase_ms);
    return clock_add_ms(end, window->length.ms);
}

/* The pane with this index, made when it is missing; panes before drop_before are dropped when
 * room is needed. *panes may move. */
int64_t *panes_get(const struct feature_set *set, int window, struct pool *pool,
                   struct panes **panes, int64_t index, int64_t drop_before);

/* The number of panes before index: the first of the rest. */
int panes_before(const struct feature_window *window, struct panes *panes, int64_t index);

void panes_drop(const struct feature_set *set, int window, struct pool *pool, struct panes *panes,
                int count);
void panes_release(const struct feature_set *set, int window, struct pool *pool,
                   struct panes **panes);

#endif
