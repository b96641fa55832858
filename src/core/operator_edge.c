/* The oldest or newest event: its value, or its time. */
#include "held.h"
#include "operator_private.h"

/* ---- first and last ---- */

static bool edge_wanted(const struct feature *feature, const struct acc_edge *edge,
                        struct event_order order)
{
    if (edge->entry.value.type == VALUE_NULL)
        return true;
    return feature->op == OPERATOR_FIRST ? order_before(order, entry_order(&edge->entry))
                                         : order_before(entry_order(&edge->entry), order);
}

void edge_add(struct pool *pool, const struct feature *feature, struct acc_edge *edge,
              const struct value *value, struct event_order order)
{
    if (!edge_wanted(feature, edge, order))
        return;
    held_release(pool, &edge->entry.value);
    edge->entry = (struct entry){order.ts_ms, order.offset, held_copy(pool, value)};
}

void edge_merge(struct pool *pool, const struct feature *feature, struct acc_edge *dst,
                struct acc_edge *src)
{
    if (src->entry.value.type == VALUE_NULL || !edge_wanted(feature, dst, entry_order(&src->entry)))
        return;
    held_release(pool, &dst->entry.value);
    *dst = *src;
    *src = (struct acc_edge){0};
}

struct value edge_result(const struct feature *feature, const char *const *bases, int count)
{
    const struct acc_edge *best = NULL;
    for (int k = 0; k < count; k++) {
        const struct acc_edge *edge = source_at(feature, bases, k);
        if (edge->entry.value.type == VALUE_NULL)
            continue;
        if (!best || edge_wanted(feature, best, entry_order(&edge->entry)))
            best = edge;
    }
    return best ? held_view(&best->entry.value) : value_null();
}

/* ---- their times ---- */

void time_absorb(const struct feature *feature, struct acc_time *held,
                 const struct acc_time *other)
{
    if (other->n == 0)
        return;
    bool wanted = feature->op == OPERATOR_TIME_OF_FIRST ? other->ts_ms < held->ts_ms
                                                        : other->ts_ms > held->ts_ms;
    if (held->n == 0 || wanted)
        held->ts_ms = other->ts_ms;
    held->n += other->n;
}

struct value time_result(const struct feature *feature, const char *const *bases, int count)
{
    struct acc_time all = {0};
    for (int k = 0; k < count; k++)
        time_absorb(feature, &all, source_at(feature, bases, k));
    return all.n ? value_long(all.ts_ms) : value_null();
}
