/* The check of `op =`: which operator, and whether its arguments are what it takes. */
#include <string.h>

#include "exprlex.h"
#include "featuredraft.h"
#include "text.h"

static bool find_operator(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const char *names[OPERATOR_COUNT_OF + 1] = {0};
    for (int k = 0; k < OPERATOR_COUNT_OF; k++) {
        names[k] = operator_rows[k].name;
        if (strcmp(names[k], draft->call.name) == 0) {
            draft->feature.op = (enum operator_id)k;
            return true;
        }
    }
    const char *nearest = text_nearest(draft->call.name, names);
    if (nearest)
        featuredraft_fail(draft, context->errors, KEY_OP, 1,
                          "unknown operator `%s` (did you mean `%s`?)", draft->call.name, nearest);
    else
        featuredraft_fail(draft, context->errors, KEY_OP, 1,
                          "unknown operator `%s` (see --dump operators)", draft->call.name);
    return false;
}

static const char *usage_of(const struct operator_row *row)
{
    static const char *const with[] = {
        [LENGTH] = "with an expression and a number, as in last_n(item_id, 20)",
        [FRACTION] = "with an expression and a fraction, as in quantile(price, 0.9)",
        [HALF_LIFE] = "with an expression and a half-life, as in decayed_sum(price, 1h)",
    };
    if (row->argument == RATIO_ARGS)
        return "with two features, as in ratio(a, b, alpha = 1, beta = 20)";
    if (row->argument == NO_ARG)
        return "without arguments";
    if (row->parameter != NO_PARAMETER)
        return with[row->parameter];
    return row->argument == OPT_ARG ? "with one expression or none"
                                    : "with one expression, as in sum(price)";
}

static bool check_argument_count(struct featuredraft *draft,
                                 const struct featuredraft_context *context)
{
    const struct operator_row *row = &operator_rows[draft->feature.op];
    const struct featurecall *call = &draft->call;
    int most = row->argument == NO_ARG       ? 0
               : row->argument == RATIO_ARGS ? 4
                                             : 1 + (row->parameter != NO_PARAMETER);
    int least = row->argument == OPT_ARG ? 0 : row->argument == RATIO_ARGS ? 2 : most;
    if (call->count >= least && call->count <= most)
        return true;
    int column = call->count > most ? call->arguments[most].column : call->end_column;
    featuredraft_fail(draft, context->errors, KEY_OP, column,
                      "`%s` takes %s arguments (write it %s)", row->name,
                      most == 0 ? "no" : "other", usage_of(row));
    return false;
}

static void check_expression(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct operator_row *row = &operator_rows[draft->feature.op];
    const struct featurecall_argument *argument = &draft->call.arguments[0];
    struct text text = {0};
    text_append(&text, argument->start, argument->len);
    draft->argument = featuredraft_compile(draft, context, KEY_OP, text.data, argument->column);
    text_free(&text);
    if (!draft->argument)
        return;
    enum value_type type = expr_kind(draft->argument).type;
    draft->feature.of_long = type == VALUE_LONG;
    if (row->argument == NUMBER_ARG && type != VALUE_LONG && type != VALUE_DOUBLE)
        featuredraft_fail(draft, context->errors, KEY_OP, argument->column,
                          "`%s` needs a number, and this is of type %s", row->name,
                          value_type_name(type));
}

static void check_half_life(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct featurecall_argument *argument = &draft->call.arguments[1];
    struct text text = {0};
    text_append(&text, argument->start, argument->len);
    int64_t *half_life_ms = &draft->feature.half_life.ms;
    if (!text_parse_duration(text.data, half_life_ms) || *half_life_ms == 0)
        featuredraft_fail(draft, context->errors, KEY_OP, argument->column,
                          "the half-life must be a duration (write it as 30m, 1h, 7d)");
    text_free(&text);
}

static void check_parameter(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct featurecall_argument *argument = &draft->call.arguments[1];
    enum operator_parameter parameter = operator_rows[draft->feature.op].parameter;
    struct value n = value_null();
    if (parameter == HALF_LIFE) {
        check_half_life(draft, context);
        return;
    }
    featuredraft_number(argument->start, argument->len, &n);
    double number = n.type == VALUE_LONG ? (double)n.i : n.d;
    if (parameter == FRACTION && n.type != VALUE_NULL && number >= 0 && number <= 1)
        draft->feature.fraction = number;
    else if (parameter == FRACTION)
        featuredraft_fail(draft, context->errors, KEY_OP, argument->column,
                          "the fraction must be a number from 0 to 1 (0.5 is the median)");
    else if (n.type == VALUE_LONG && n.i >= 1 && n.i <= FEATURE_LIST_MAX)
        draft->feature.count = (uint32_t)n.i;
    else
        featuredraft_fail(draft, context->errors, KEY_OP, argument->column,
                          "the length of the list must be a whole number from 1 to %d",
                          FEATURE_LIST_MAX);
}

static void check_ratio(struct featuredraft *draft, const struct featuredraft_context *context)
{
    for (int k = 2; k < draft->call.count; k++) {
        const struct featurecall_argument *argument = &draft->call.arguments[k];
        struct value number = value_null();
        double *parameter = strcmp(argument->name, "alpha") == 0  ? &draft->feature.alpha
                            : strcmp(argument->name, "beta") == 0 ? &draft->feature.beta
                                                                  : NULL;
        if (!parameter)
            featuredraft_fail(draft, context->errors, KEY_OP, argument->column,
                              "after its two features ratio takes alpha and beta (write `alpha = 1`"
                              " or `beta = 20`)");
        else if (!featuredraft_number(argument->start, argument->len, &number))
            featuredraft_fail(draft, context->errors, KEY_OP, argument->column,
                              "%s must be a number", argument->name);
        else
            *parameter = number.type == VALUE_LONG ? (double)number.i : number.d;
    }
    if (draft->call.count == 4 &&
        strcmp(draft->call.arguments[2].name, draft->call.arguments[3].name) == 0)
        featuredraft_fail(draft, context->errors, KEY_OP, draft->call.arguments[3].column,
                          "%s is given twice", draft->call.arguments[3].name);
}

static void set_kind(struct feature *feature, enum value_type argument)
{
    switch (operator_rows[feature->op].result) {
    case LONG:
        feature->kind.type = VALUE_LONG;
        break;
    case BOOL:
        feature->kind.type = VALUE_BOOL;
        break;
    case DOUBLE:
        feature->kind.type = VALUE_DOUBLE;
        break;
    case SUM:
        feature->kind.type = argument == VALUE_LONG ? VALUE_LONG : VALUE_DOUBLE;
        break;
    case LIST:
        feature->is_list = true;
        feature->kind.type = argument;
        break;
    case SAME:
        feature->kind.type = argument;
        break;
    }
    feature->kind.nullable = feature->op != OPERATOR_COUNT && feature->op != OPERATOR_SUM &&
                             feature->op != OPERATOR_DISTINCT &&
                             feature->op != OPERATOR_SESSION_EVENT_COUNT &&
                             feature->op != OPERATOR_SESSION_IS_OPEN;
}

bool featureop_check(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct feature_entry *entry = draft->keys[KEY_OP];
    struct expr_error error;
    if (!entry) {
        featuredraft_fail(draft, context->errors, KEY_OP, 0,
                          "feature %s has no `op` (add a line such as `op = count`)",
                          draft->feature.name);
        return false;
    }
    if (!featurecall_parse(&draft->call, entry->value, &error)) {
        featuredraft_fail(draft, context->errors, KEY_OP, error.column, "%s", error.message);
        return false;
    }
    if (!find_operator(draft, context))
        return false;
    if (!check_argument_count(draft, context))
        return true;
    const struct operator_row *row = &operator_rows[draft->feature.op];
    for (int k = 0; k < (row->argument == RATIO_ARGS ? 2 : draft->call.count); k++)
        if (draft->call.arguments[k].name[0])
            featuredraft_fail(draft, context->errors, KEY_OP, draft->call.arguments[k].column,
                              "`%s` has no argument named %s (leave out `%s =`)", row->name,
                              draft->call.arguments[k].name, draft->call.arguments[k].name);
    if (row->argument == RATIO_ARGS)
        check_ratio(draft, context);
    else if (draft->call.count > 0)
        check_expression(draft, context);
    if (draft->call.count == 2 && row->parameter != NO_PARAMETER)
        check_parameter(draft, context);
    set_kind(&draft->feature, draft->argument ? expr_kind(draft->argument).type : VALUE_NULL);
    return true;
}
