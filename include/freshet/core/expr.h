/* The expression language of features: compiled once, typed against the reader schema, evaluated
 * per event without allocation (design: semantics, section 5).
 *
 *   or, and, not, == != < <= > >=, in (...), is [not] null, + - * /, unary -, parentheses,
 *   literals, field paths, ts, hour_of_day(x), day_of_week(x)
 *
 * Null: arithmetic on null is null; a comparison with null is false; a null bool is false where a
 * truth value is wanted. Sums, differences and products of longs are longs, and null when they
 * overflow; division is always double, and null for a zero divisor; NaN and infinities are null. */
#ifndef FRESHET_EXPR_H
#define FRESHET_EXPR_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "fieldspace.h"
#include "value.h"

enum {
    EXPR_TEXT_MAX = 4096, /* longer text is refused */
    EXPR_DEPTH_MAX = 64,  /* deeper nesting is refused */
    EXPR_NODES_MAX = 1024,
};

struct expr;

struct expr_error {
    int column; /* 1-based, in bytes, within the text */
    char message[256];
};

/* What an expression sees of an event. */
struct expr_input {
    const struct value *slots; /* as decoded, in the slots that the fieldspace gave */
    struct event_time ts;      /* the event's time after T2 */
    struct duration zone;      /* time.zone_offset */
};

/* NULL with error filled in. text need not outlive the call. */
struct expr *expr_compile(const char *text, const struct fieldspace *fields,
                          struct expr_error *error);
void expr_free(struct expr *expr);

struct value_kind expr_kind(const struct expr *expr);
/* One text for all spellings of the same expression; lives as long as expr. */
const char *expr_canonical(const struct expr *expr);

/* Text in the result points into the slots' text or into expr. */
struct value expr_eval(const struct expr *expr, const struct expr_input *input);
/* True only for a true bool. */
bool expr_test(const struct expr *expr, const struct expr_input *input);

#endif
