/* The operator table, and what is asked of a feature set once it is loaded. */
#include "feature.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exprtree.h"
#include "operator_state.h"
#include "pool.h"
#include "text.h"

const struct operator_row operator_rows[OPERATOR_COUNT_OF] = {
#define OPERATOR(ID, name, argument, parameter, scope, result, state, flags, example, value,       \
                 sentence)                                                                         \
    {#name, argument, parameter, scope, result, sizeof(struct state), flags, sentence},
#include "operators.def"
#undef OPERATOR
};

static const int32_t ladder_ms[] = {86400000, 43200000, 21600000, 10800000, 3600000,
                                    1800000,  600000,   300000,   60000,    30000,
                                    10000,    5000,     1000};
enum { LADDER_STEPS = sizeof ladder_ms / sizeof ladder_ms[0], PANES_BY_DEFAULT = 48 };

struct duration feature_default_hop(struct duration length)
{
    int k = 0;
    while (k < LADDER_STEPS - 1 &&
           (length.ms % ladder_ms[k] != 0 || length.ms / PANES_BY_DEFAULT < ladder_ms[k]))
        k++;
    return (struct duration){ladder_ms[k]};
}

bool feature_is_ladder_step(struct duration hop)
{
    for (int k = 0; k < LADDER_STEPS; k++)
        if (ladder_ms[k] == hop.ms)
            return true;
    return false;
}

void feature_window_append(struct text *out, const struct feature_window *window)
{
    if (feature_window_is_lifetime(window)) {
        text_append_string(out, "over lifetime");
        return;
    }
    text_append_string(out, "over ");
    text_append_duration(out, window->length.ms);
    text_append_string(out, " hop ");
    text_append_duration(out, window->hop.ms);
}

void feature_parameter_append(struct text *text, const struct feature *feature)
{
    switch (operator_rows[feature->op].parameter) {
    case NO_PARAMETER:
        return;
    case LENGTH:
        text_printf(text, ", %u", feature->count);
        return;
    case FRACTION:
        text_append_string(text, ", ");
        exprprint_literal(text, &(struct value){.d = feature->fraction, .type = VALUE_DOUBLE});
        return;
    case HALF_LIFE:
        text_append_string(text, ", ");
        text_append_duration(text, feature->half_life.ms);
        return;
    }
}

int feature_set_find(const struct feature_set *set, const char *name)
{
    for (int k = 0; k < set->count; k++)
        if (strcmp(set->features[k].name, name) == 0)
            return k;
    return -1;
}

void feature_set_free(struct feature_set *set)
{
    if (!set)
        return;
    for (int k = 0; k < set->predicate_count; k++)
        expr_free(set->predicates[k]);
    for (int k = 0; k < set->argument_count; k++)
        expr_free(set->arguments[k]);
    arena_free(&set->arena);
    memory_free(set);
}

void feature_errors_add(struct feature_errors *errors, int line, int column, const char *format,
                        ...)
{
    errors->list =
        memory_resize(errors->list, ((size_t)errors->count + 1) * sizeof errors->list[0]);
    struct feature_error *error = &errors->list[errors->count++];
    error->line = line;
    error->column = column;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
}

void feature_errors_free(struct feature_errors *errors)
{
    memory_free(errors->list);
    *errors = (struct feature_errors){0};
}
