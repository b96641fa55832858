/* Values that state owns: short text inline, longer text in a block of the pool. */
#ifndef FRESHET_HELD_H
#define FRESHET_HELD_H

#include <stdbool.h>

#include "operator_state.h"
#include "pool.h"
#include "value.h"

static inline bool held_is_text(const union held_value *held)
{
    return held->type == VALUE_STRING || held->type == VALUE_BYTES;
}

static inline bool held_is_inline(const union held_value *held)
{
    return held->len <= sizeof held->inline_text;
}

/* Copies the value; the result owns its text. */
union held_value held_copy(struct pool *pool, const struct value *value);
void held_release(struct pool *pool, union held_value *held);
/* A view that lives as long as held stays where it is. */
struct value held_view(const union held_value *held);
bool held_equals(const union held_value *held, const struct value *value);
/* Where the value stands or belongs among count elements, stride bytes apart, each of which begins
 * with a held_value, ascending (value_compare). */
uint32_t held_place(const void *elements, size_t stride, uint32_t count, const struct value *value,
                    bool *found);

#endif
