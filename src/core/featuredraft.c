/* The checks of one feature. Each key is checked even when another is wrong: people who correct a
 * file want all of its errors at once. */
#include "featuredraft.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exprlex.h"
#include "text.h"

static const char *const type_names[] = {
    [VALUE_BOOL] = "bool",     [VALUE_LONG] = "long",   [VALUE_DOUBLE] = "double",
    [VALUE_STRING] = "string", [VALUE_BYTES] = "bytes",
};

void featuredraft_fail(struct featuredraft *draft, struct feature_errors *errors,
                       enum featuredraft_key key, int column, const char *format, ...)
{
    char message[sizeof errors->list->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const struct feature_entry *entry = draft->keys[key];
    int line = entry ? entry->line : draft->feature.line;
    int place = entry && entry->column > 0 ? entry->column + (column > 0 ? column - 1 : 0) : 0;
    feature_errors_add(errors, line, place, "%s", message);
    draft->broken = true;
}

void featuredraft_free(struct featuredraft *draft)
{
    expr_free(draft->where);
    expr_free(draft->argument);
}

/* ---- op ---- */

/* Operators of the design that this version does not have yet. */
static bool is_planned(const char *name)
{
    static const char *const names[] = {"var",   "stddev",   "first_n",      "top_k",
                                        "entropy", "quantile", "decayed_sum", "time_of_first",
                                        "time_of_last"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (strcmp(names[k], name) == 0)
            return true;
    return false;
}

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
    if (is_planned(draft->call.name))
        featuredraft_fail(draft, context->errors, KEY_OP, 1,
                          "operator `%s` is not in this version (see --dump operators)",
                          draft->call.name);
    else if (nearest)
        featuredraft_fail(draft, context->errors, KEY_OP, 1,
                          "unknown operator `%s` (did you mean `%s`?)", draft->call.name, nearest);
    else
        featuredraft_fail(draft, context->errors, KEY_OP, 1,
                          "unknown operator `%s` (see --dump operators)", draft->call.name);
    return false;
}

static const char *usage_of(const struct operator_row *row)
{
    if (row->argument == RATIO_ARGS)
        return "ratio(a, b, alpha = 1, beta = 20) with the names of two features";
    if (row->argument == NO_ARG)
        return "without arguments";
    if (row->takes_count)
        return "with an expression and a number, as in last_n(item_id, 20)";
    return row->argument == OPT_ARG ? "with one expression or none"
                                    : "with one expression, as in sum(price)";
}

static bool check_argument_count(struct featuredraft *draft,
                                 const struct featuredraft_context *context)
{
    const struct operator_row *row = &operator_rows[draft->feature.op];
    const struct featurecall *call = &draft->call;
    int most = row->argument == NO_ARG ? 0 : row->argument == RATIO_ARGS ? 4 : 1 + row->takes_count;
    int least = row->argument == OPT_ARG ? 0 : row->argument == RATIO_ARGS ? 2 : most;
    if (call->count >= least && call->count <= most)
        return true;
    int column = call->count > most ? call->arguments[most].column : call->end_column;
    featuredraft_fail(draft, context->errors, KEY_OP, column, "`%s` takes %s (write `%s` %s)",
                      row->name, most == 0 ? "no arguments" : "other arguments", row->name,
                      usage_of(row));
    return false;
}

static struct expr *compile_key(struct featuredraft *draft,
                                const struct featuredraft_context *context,
                                enum featuredraft_key key, const char *text, int column)
{
    struct expr_error error;
    struct expr *expr = expr_compile(text, context->fields, &error);
    if (!expr)
        featuredraft_fail(draft, context->errors, key, column + error.column - 1, "%s",
                          error.message);
    return expr;
}

static void check_expression(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct operator_row *row = &operator_rows[draft->feature.op];
    const struct featurecall_argument *argument = &draft->call.arguments[0];
    struct text text = {0};
    text_append(&text, argument->start, argument->len);
    draft->argument = compile_key(draft, context, KEY_OP, text.data, argument->column);
    text_free(&text);
    if (!draft->argument)
        return;
    enum value_type type = expr_kind(draft->argument).type;
    draft->feature.of_long = type == VALUE_LONG;
    if (row->argument == NUMBER_ARG && type != VALUE_LONG && type != VALUE_DOUBLE)
        featuredraft_fail(draft, context->errors, KEY_OP, argument->column,
                          "`%s` needs a number, and this is a %s", row->name, type_names[type]);
}

/* A number that may have a minus, and nothing after it. */
static bool parse_number(const char *start, size_t len, struct value *number)
{
    char digits[64];
    struct expr_error ignored;
    if (len >= sizeof digits)
        return false;
    memcpy(digits, start, len);
    digits[len] = '\0';
    bool negative = digits[0] == '-';
    struct exprlex lex = {digits, digits + negative, &ignored};
    struct exprlex_token token;
    struct exprlex_token end;
    if (!exprlex_next(&lex, &token) || !exprlex_next(&lex, &end) || end.kind != EXPRLEX_END)
        return false;
    if (token.kind == EXPRLEX_DOUBLE)
        *number = value_double(negative ? -token.number : token.number);
    else if (token.kind == EXPRLEX_LONG && token.magnitude <= (uint64_t)INT64_MAX + negative)
        *number = value_long((int64_t)(negative ? 0 - token.magnitude : token.magnitude));
    else
        return false;
    return true;
}

static void check_list_length(struct featuredraft *draft,
                              const struct featuredraft_context *context)
{
    const struct featurecall_argument *argument = &draft->call.arguments[1];
    struct value n;
    if (parse_number(argument->start, argument->len, &n) && n.type == VALUE_LONG && n.i >= 1 &&
        n.i <= FEATURE_LIST_MAX)
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
        else if (!parse_number(argument->start, argument->len, &number))
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
    feature->kind.nullable =
        feature->op != OPERATOR_COUNT && feature->op != OPERATOR_SUM &&
        feature->op != OPERATOR_DISTINCT && feature->op != OPERATOR_SESSION_EVENT_COUNT &&
        feature->op != OPERATOR_SESSION_IS_OPEN;
}

/* False when nothing is known of the operator, so that the other keys cannot be judged by it. */
static bool check_op(struct featuredraft *draft, const struct featuredraft_context *context)
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
    if (draft->call.count == 2 && row->takes_count)
        check_list_length(draft, context);
    set_kind(&draft->feature,
             draft->argument ? expr_kind(draft->argument).type : VALUE_NULL);
    return true;
}

/* ---- where, over, hop ---- */

static void check_where(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct feature_entry *entry = draft->keys[KEY_WHERE];
    draft->where = compile_key(draft, context, KEY_WHERE, entry->value, 1);
    if (draft->where && expr_kind(draft->where).type != VALUE_BOOL)
        featuredraft_fail(draft, context->errors, KEY_WHERE, 1,
                          "`where` needs a condition, and this is a %s (compare it with something)",
                          type_names[expr_kind(draft->where).type]);
}

static void check_over(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct feature_entry *entry = draft->keys[KEY_OVER];
    if (!entry)
        featuredraft_fail(draft, context->errors, KEY_OVER, 0,
                          "feature %s has no `over` (add `over = session`, or a duration such as "
                          "`over = 24h`)",
                          draft->feature.name);
    else if (strcmp(entry->value, "session") == 0)
        return;
    else if (strcmp(entry->value, "lifetime") == 0)
        featuredraft_fail(draft, context->errors, KEY_OVER, 1,
                          "`lifetime` is not in this version (use a duration such as 365d)");
    else if (!text_parse_duration(entry->value, &draft->length.ms))
        featuredraft_fail(draft, context->errors, KEY_OVER, 1,
                          "`%s` is neither session nor a duration (write it as 30s, 5m, 24h, 30d)",
                          entry->value);
    else if (draft->length.ms < 1000 || draft->length.ms % 1000 != 0)
        featuredraft_fail(draft, context->errors, KEY_OVER, 1,
                          "a window is one or more whole seconds (write `over = 5m`)");
    else
        return;
    draft->length.ms = 0;
}

static void check_hop(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct feature_entry *entry = draft->keys[KEY_HOP];
    draft->hop = feature_default_hop(draft->length);
    if (entry && (!text_parse_duration(entry->value, &draft->hop.ms) ||
                  !feature_is_ladder_step(draft->hop))) {
        featuredraft_fail(draft, context->errors, KEY_HOP, 1,
                          "`%s` is no step of the ladder (use one of 1s 5s 10s 30s 1m 5m 10m 30m 1h "
                          "3h 6h 12h 1d)",
                          entry->value);
        return;
    }
    int64_t panes = draft->length.ms / draft->hop.ms;
    if (panes == 0 || draft->length.ms % draft->hop.ms != 0)
        featuredraft_fail(draft, context->errors, KEY_HOP, 1,
                          "the hop must divide the window (use a smaller step of the ladder)");
    else if (panes > FEATURE_PANES_MAX)
        featuredraft_fail(draft, context->errors, entry ? KEY_HOP : KEY_OVER, 1,
                          "the window has %lld hops, more than %d (use %s)", (long long)panes,
                          FEATURE_PANES_MAX,
                          entry ? "a greater step of the ladder" : "a length in whole minutes");
}

/* Keys that belong to folded operators only. */
static void refuse_keys(struct featuredraft *draft, const struct featuredraft_context *context)
{
    static const struct {
        enum featuredraft_key key;
        const char *name;
    } keys[] = {{KEY_WHERE, "where"}, {KEY_OVER, "over"}, {KEY_HOP, "hop"}};
    const struct operator_row *row = &operator_rows[draft->feature.op];
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
        if (draft->keys[keys[k].key])
            featuredraft_fail(draft, context->errors, keys[k].key, 1,
                              "`%s` does not go with %s, which %s (remove the line)", keys[k].name,
                              row->name,
                              row->scope == FRAME ? "is a fact of the shown session"
                                                  : "is computed from other features");
}

/* ---- default ---- */

/* The text of a default: quoted as in expressions, or bare. */
static bool default_text(const char *string, enum value_type type, struct arena *arena,
                         struct value *value)
{
    struct expr_error ignored;
    struct exprlex lex = {string, string, &ignored};
    struct exprlex_token token;
    struct exprlex_token end;
    size_t len = strlen(string);
    char *copy = arena_alloc(arena, len + 1);
    if (*string == '"' || *string == '\'') {
        if (!exprlex_next(&lex, &token) || !exprlex_next(&lex, &end) || end.kind != EXPRLEX_END)
            return false;
        len = exprlex_unescape(&token, copy);
    } else {
        memcpy(copy, string, len);
    }
    *value = value_text(type, copy, (uint32_t)len);
    return true;
}

static bool default_value(const char *string, enum value_type type, struct arena *arena,
                          struct value *value)
{
    *value = value_null();
    if (strcmp(string, "null") == 0)
        return true;
    if (type == VALUE_STRING || type == VALUE_BYTES)
        return default_text(string, type, arena, value);
    if (type == VALUE_BOOL) {
        *value = value_bool(strcmp(string, "true") == 0);
        return value->i || strcmp(string, "false") == 0;
    }
    if (!parse_number(string, strlen(string), value))
        return false;
    if (type == VALUE_DOUBLE && value->type == VALUE_LONG)
        *value = value_double((double)value->i);
    return value->type == type;
}

static void check_default(struct featuredraft *draft, const struct featuredraft_context *context)
{
    struct feature *feature = &draft->feature;
    const char *string = draft->keys[KEY_DEFAULT]->value;
    if (feature->is_list && strcmp(string, "null") != 0) {
        featuredraft_fail(draft, context->errors, KEY_DEFAULT, 1,
                          "a list has no default (remove the line)");
    } else if (!default_value(string, feature->kind.type, context->arena, &feature->fallback)) {
        featuredraft_fail(draft, context->errors, KEY_DEFAULT, 1,
                          "the default must be a %s like the feature, or null",
                          type_names[feature->kind.type]);
    } else {
        feature->has_fallback = true;
        feature->kind.nullable = feature->fallback.type == VALUE_NULL;
    }
}

void featuredraft_check(struct featuredraft *draft, const struct featuredraft_context *context)
{
    bool known = check_op(draft, context);
    bool folded = !known || operator_rows[draft->feature.op].scope == FOLDED;
    if (!folded)
        refuse_keys(draft, context);
    if (folded && draft->keys[KEY_WHERE])
        check_where(draft, context);
    if (folded && (known || draft->keys[KEY_OVER]))
        check_over(draft, context);
    if (draft->length.ms > 0)
        check_hop(draft, context);
    else if (folded && draft->keys[KEY_HOP] && draft->keys[KEY_OVER] &&
             strcmp(draft->keys[KEY_OVER]->value, "session") == 0)
        featuredraft_fail(draft, context->errors, KEY_HOP, 1,
                          "a session has no hop (remove the line)");
    if (draft->keys[KEY_DEFAULT] && draft->feature.kind.type != VALUE_NULL)
        check_default(draft, context);
}
