/* The stack machine: no allocation, no failure, a few nanoseconds a step. */
#include <math.h>
#include <string.h>

#include "exprprogram.h"

enum { HOUR_MS = 3600000, DAY_MS = 86400000, EPOCH_WEEKDAY = 3 /* a Thursday; Monday is 0 */ };

static int outcome_long(int64_t a, int64_t b)
{
    return a < b ? OUTCOME_LESS : a > b ? OUTCOME_GREATER : OUTCOME_EQUAL;
}

static int outcome_double(double a, double b)
{
    return a < b ? OUTCOME_LESS : a > b ? OUTCOME_GREATER : a == b ? OUTCOME_EQUAL : OUTCOME_NAN;
}

static int outcome_text(const struct value *a, const struct value *b)
{
    uint32_t common = a->len < b->len ? a->len : b->len;
    int order = common ? memcmp(a->s, b->s, common) : 0;
    if (order == 0)
        return outcome_long(a->len, b->len);
    return order < 0 ? OUTCOME_LESS : OUTCOME_GREATER;
}

static bool either_null(const struct value *pair)
{
    return pair[0].type == VALUE_NULL || pair[1].type == VALUE_NULL;
}

/* The outcomes of a comparison with null are none, so that it is false whatever was asked. */
static int outcome_of(enum exprprogram_op op, const struct value *pair)
{
    if (either_null(pair))
        return 0;
    if (op == STEP_COMPARE_LONG)
        return outcome_long(pair[0].i, pair[1].i);
    if (op == STEP_COMPARE_DOUBLE)
        return outcome_double(pair[0].d, pair[1].d);
    return outcome_text(&pair[0], &pair[1]);
}

static double as_double(const struct value *value)
{
    return value->type == VALUE_LONG ? (double)value->i : value->d;
}

static bool equals_item(const struct value *pair)
{
    if (either_null(pair))
        return false;
    if (pair[0].type == VALUE_STRING || pair[0].type == VALUE_BYTES)
        return pair[0].len == pair[1].len && outcome_text(&pair[0], &pair[1]) == OUTCOME_EQUAL;
    if (pair[0].type == VALUE_DOUBLE || pair[1].type == VALUE_DOUBLE)
        return as_double(&pair[0]) == as_double(&pair[1]);
    return pair[0].i == pair[1].i;
}

static struct value arithmetic_long(enum exprprogram_op op, const struct value *pair)
{
    if (either_null(pair))
        return value_null();
    int64_t result;
    bool overflow = op == STEP_ADD_LONG   ? __builtin_add_overflow(pair[0].i, pair[1].i, &result)
                    : op == STEP_SUB_LONG ? __builtin_sub_overflow(pair[0].i, pair[1].i, &result)
                                          : __builtin_mul_overflow(pair[0].i, pair[1].i, &result);
    return overflow ? value_null() : value_long(result);
}

static struct value finite_or_null(double number)
{
    return isfinite(number) ? value_double(number) : value_null();
}

static struct value arithmetic_double(enum exprprogram_op op, const struct value *pair)
{
    if (either_null(pair))
        return value_null();
    switch (op) {
    case STEP_ADD_DOUBLE:
        return finite_or_null(pair[0].d + pair[1].d);
    case STEP_SUB_DOUBLE:
        return finite_or_null(pair[0].d - pair[1].d);
    case STEP_MUL_DOUBLE:
        return finite_or_null(pair[0].d * pair[1].d);
    default:
        return finite_or_null(pair[0].d / pair[1].d); /* by zero: infinite or NaN, so null */
    }
}

/* Day and offset are added after the division, so that no time overflows. */
static struct value clock_part(enum exprprogram_op op, int64_t ms, struct duration zone)
{
    int64_t day = clock_floor_div(ms, DAY_MS);
    int64_t in_day = ms % DAY_MS + (ms % DAY_MS < 0 ? DAY_MS : 0) + zone.ms;
    day += clock_floor_div(in_day, DAY_MS);
    in_day -= clock_floor_div(in_day, DAY_MS) * DAY_MS;
    if (op == STEP_HOUR_OF_DAY)
        return value_long(in_day / HOUR_MS);
    return value_long(((day + EPOCH_WEEKDAY) % 7 + 7) % 7 + 1);
}

/* Steps that change the value on top. */
static struct value unary(enum exprprogram_op op, struct value top, const struct expr_input *input)
{
    if (op == STEP_IS_NULL)
        return value_bool(top.type == VALUE_NULL);
    if (op == STEP_IS_NOT_NULL)
        return value_bool(top.type != VALUE_NULL);
    if (op == STEP_TRUTH)
        return value_bool(top.type != VALUE_NULL && top.i);
    if (top.type == VALUE_NULL)
        return top;
    switch (op) {
    case STEP_NOT:
        return value_bool(!top.i);
    case STEP_WIDEN:
        return value_double((double)top.i);
    case STEP_NEGATE_LONG:
        return top.i == INT64_MIN ? value_null() : value_long(-top.i);
    case STEP_NEGATE_DOUBLE:
        return finite_or_null(0 - top.d); /* not -0 */
    default:
        return clock_part(op, top.i, input->zone);
    }
}

struct value expr_eval(const struct expr *expr, const struct expr_input *input)
{
    struct value stack[1 + EXPRPROGRAM_STACK_MAX];
    struct value *top = stack; /* the first value goes above it */
    const struct exprprogram_step *end = expr->steps + expr->step_count;
    for (const struct exprprogram_step *step = expr->steps; step < end; step++) {
        enum exprprogram_op op = step->op;
        switch (op) {
        case STEP_SLOT:
            *++top = input->slots[step->operand];
            break;
        case STEP_CONSTANT:
            *++top = expr->constants[step->operand];
            break;
        case STEP_TS:
            *++top = value_long(input->ts.ms);
            break;
        case STEP_IF_FALSE:
        case STEP_IF_TRUE:
            if (top->i == (op == STEP_IF_TRUE))
                step = expr->steps + step->operand - 1;
            else
                top--;
            break;
        case STEP_COMPARE_LONG:
        case STEP_COMPARE_DOUBLE:
        case STEP_COMPARE_TEXT:
            top--;
            *top = value_bool(outcome_of(op, top) & step->operand);
            break;
        case STEP_IN:
            top--;
            if (equals_item(top)) {
                *top = value_bool(true);
                step = expr->steps + step->operand - 1;
            }
            break;
        case STEP_IN_NONE:
            *top = value_bool(false);
            break;
        case STEP_ADD_LONG:
        case STEP_SUB_LONG:
        case STEP_MUL_LONG:
            top--;
            *top = arithmetic_long(op, top);
            break;
        case STEP_ADD_DOUBLE:
        case STEP_SUB_DOUBLE:
        case STEP_MUL_DOUBLE:
        case STEP_DIV_DOUBLE:
            top--;
            *top = arithmetic_double(op, top);
            break;
        default:
            *top = unary(op, *top, input);
        }
    }
    return top->type == VALUE_DOUBLE ? finite_or_null(top->d) : *top; /* of a field as it came */
}
