/* Copies of values kept in state. */
#include "held.h"

#include <string.h>

union held_value held_copy(struct pool *pool, const struct value *value)
{
    union held_value held = {.len = value->len, .type = value->type};
    if (!held_is_text(&held)) {
        held.i = value->i; /* the bits of a double, too */
        held.len = 0;
    } else if (held_is_inline(&held)) {
        if (value->len)
            memcpy(held.inline_text, value->s, value->len);
    } else {
        held.text = pool_alloc(pool, value->len);
        memcpy(held.text, value->s, value->len);
    }
    return held;
}

void held_release(struct pool *pool, union held_value *held)
{
    if (held_is_text(held) && !held_is_inline(held))
        pool_free(pool, held->text, held->len);
    *held = (union held_value){0};
}

struct value held_view(const union held_value *held)
{
    struct value value = {.type = held->type, .len = held->len};
    if (!held_is_text(held))
        value.i = held->i;
    else
        value.s = held_is_inline(held) ? held->inline_text : held->text;
    return value;
}

bool held_equals(const union held_value *held, const struct value *value)
{
    if (held->type != value->type)
        return false;
    if (held->type == VALUE_DOUBLE)
        return held->d == value->d;
    if (!held_is_text(held))
        return held->i == value->i;
    struct value own = held_view(held);
    return own.len == value->len && (own.len == 0 || memcmp(own.s, value->s, own.len) == 0);
}

uint32_t held_place(const void *elements, size_t stride, uint32_t count, const struct value *value,
                    bool *found)
{
    uint32_t low = 0;
    uint32_t high = count;
    *found = false;
    while (low < high && !*found) {
        uint32_t middle = (low + high) / 2;
        struct value held = held_view((const void *)((const char *)elements + middle * stride));
        int order = value_compare(&held, value);
        *found = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return high;
}
