/* The checks of one feature. Each key is checked even when another is wrong: people who correct a
 * file want all of its errors at once. */
#include "featuredraft.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exprlex.h"
#include "text.h"

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

struct expr *featuredraft_compile(struct featuredraft *draft,
                                  const struct featuredraft_context *context,
                                  enum featuredraft_key key, const char *text, int column)
{
    struct expr_error error;
    struct expr *expr =
        expr_compile(text, draft->feature.on_session ? context->sessions : context->events, &error);
    if (!expr)
        featuredraft_fail(draft, context->errors, key, column + error.column - 1, "%s",
                          error.message);
    return expr;
}

bool featuredraft_number(const char *start, size_t len, struct value *number)
{
    char digits[64];
    struct expr_error ignored;
    if (len >= sizeof digits)
        return false;
    memcpy(digits, start, len);
    digits[len] = '\0';
    bool negative = digits[0] == '-';
    struct exprlex lex = {digits, digits + negative, &ignored, false};
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

void featuredraft_free(struct featuredraft *draft)
{
    expr_free(draft->where);
    expr_free(draft->argument);
    expr_free(draft->by);
}

/* ---- on, where, by ---- */

static void check_on(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const char *on = draft->keys[KEY_ON]->value;
    draft->feature.on_session = strcmp(on, "session") == 0;
    if (!draft->feature.on_session && strcmp(on, "event") != 0)
        featuredraft_fail(draft, context->errors, KEY_ON, 1,
                          "`%s` is neither event nor session (what the feature folds)", on);
}

static void check_where(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct feature_entry *entry = draft->keys[KEY_WHERE];
    draft->where = featuredraft_compile(draft, context, KEY_WHERE, entry->value, 1);
    if (draft->where && expr_kind(draft->where).type != VALUE_BOOL)
        featuredraft_fail(
            draft, context->errors, KEY_WHERE, 1,
            "`where` needs a condition, and this is of type %s (compare it with something)",
            value_type_name(expr_kind(draft->where).type));
}

/* Whether the operator's value can stand in a map; known says whether there is an operator. */
static void check_by(struct featuredraft *draft, const struct featuredraft_context *context,
                     bool known)
{
    const struct operator_row *row = &operator_rows[draft->feature.op];
    draft->by =
        featuredraft_compile(draft, context, KEY_BY, draft->keys[KEY_BY]->value, 1);
    if (known && row->result == LIST)
        featuredraft_fail(draft, context->errors, KEY_BY, 1,
                          "`by` does not go with %s, which shows a list (remove the line)",
                          row->name);
    draft->feature.kind.nullable = true;
}

static void check_cap(struct featuredraft *draft, const struct featuredraft_context *context)
{
    struct value cap;
    const char *string = draft->keys[KEY_CAP]->value;
    if (!draft->keys[KEY_BY])
        featuredraft_fail(draft, context->errors, KEY_CAP, 1,
                          "`cap` bounds the groups of `by`, which is not given (remove the line)");
    else if (!featuredraft_number(string, strlen(string), &cap) || cap.type != VALUE_LONG ||
             cap.i < 1 || cap.i > FEATURE_CAP_MAX)
        featuredraft_fail(draft, context->errors, KEY_CAP, 1,
                          "`cap` must be a whole number from 1 to %d", FEATURE_CAP_MAX);
    else
        draft->feature.cap = (uint32_t)cap.i;
}

/* ---- over, hop ---- */

static bool is_over(const struct featuredraft *draft, const char *word)
{
    return draft->keys[KEY_OVER] && strcmp(draft->keys[KEY_OVER]->value, word) == 0;
}

/* Operators that look back over the lifetime and nothing less. */
static void check_over_lifetime(struct featuredraft *draft,
                                const struct featuredraft_context *context)
{
    draft->length.ms = FEATURE_LIFETIME_MS;
    if (draft->keys[KEY_OVER] && !is_over(draft, "lifetime"))
        featuredraft_fail(draft, context->errors, KEY_OVER, 1,
                          "%s looks back over the lifetime (write `over = lifetime`, or remove the "
                          "line)",
                          operator_rows[draft->feature.op].name);
}

static void check_over(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct feature_entry *entry = draft->keys[KEY_OVER];
    bool on_session = draft->feature.on_session;
    if (!entry) {
        featuredraft_fail(draft, context->errors, KEY_OVER, 0,
                          "feature %s has no `over` (add `over = %s`, or a duration such as "
                          "`over = 24h`)",
                          draft->feature.name, on_session ? "lifetime" : "session");
    } else if (is_over(draft, "session")) {
        if (on_session)
            featuredraft_fail(draft, context->errors, KEY_OVER, 1,
                              "`on = session` folds sessions that are over (use a duration such "
                              "as 30d, or lifetime)");
    } else if (is_over(draft, "lifetime")) {
        draft->length.ms = FEATURE_LIFETIME_MS;
    } else if (!text_parse_duration(entry->value, &draft->length.ms)) {
        featuredraft_fail(draft, context->errors, KEY_OVER, 1,
                          "`%s` is neither session, lifetime nor a duration (write it as 30s, 5m, "
                          "24h, 30d)",
                          entry->value);
        draft->length.ms = 0;
    } else if (draft->length.ms < 1000 || draft->length.ms % 1000 != 0) {
        featuredraft_fail(draft, context->errors, KEY_OVER, 1,
                          "a window is one or more whole seconds (write `over = 5m`)");
        draft->length.ms = 0;
    }
}

static void refuse_hop(struct featuredraft *draft, const struct featuredraft_context *context)
{
    if (draft->keys[KEY_HOP])
        featuredraft_fail(draft, context->errors, KEY_HOP, 1, "a %s has no hop (remove the line)",
                          draft->length.ms > 0 ? "lifetime" : "session");
}

static void check_hop(struct featuredraft *draft, const struct featuredraft_context *context)
{
    const struct feature_entry *entry = draft->keys[KEY_HOP];
    draft->hop = feature_default_hop(draft->length);
    if (entry && (!text_parse_duration(entry->value, &draft->hop.ms) ||
                  !feature_is_ladder_step(draft->hop))) {
        featuredraft_fail(
            draft, context->errors, KEY_HOP, 1,
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
    } keys[] = {{KEY_WHERE, "where"}, {KEY_ON, "on"},     {KEY_BY, "by"},
                {KEY_CAP, "cap"},     {KEY_OVER, "over"}, {KEY_HOP, "hop"}};
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
    struct exprlex lex = {string, string, &ignored, false};
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
    if (!featuredraft_number(string, strlen(string), value))
        return false;
    if (type == VALUE_DOUBLE && value->type == VALUE_LONG)
        *value = value_double((double)value->i);
    return value->type == type;
}

static void check_default(struct featuredraft *draft, const struct featuredraft_context *context)
{
    struct feature *feature = &draft->feature;
    const char *string = draft->keys[KEY_DEFAULT]->value;
    if (draft->keys[KEY_BY]) {
        featuredraft_fail(draft, context->errors, KEY_DEFAULT, 1,
                          "a map has no default: it is null without groups (remove the line)");
    } else if (feature->is_list && strcmp(string, "null") != 0) {
        featuredraft_fail(draft, context->errors, KEY_DEFAULT, 1,
                          "a list has no default (remove the line)");
    } else if (!default_value(string, feature->kind.type, context->arena, &feature->fallback)) {
        featuredraft_fail(draft, context->errors, KEY_DEFAULT, 1,
                          "the default must be a %s like the feature, or null",
                          value_type_name(feature->kind.type));
    } else {
        feature->has_fallback = true;
        feature->kind.nullable = feature->fallback.type == VALUE_NULL;
    }
}

/* The keys of folded operators. */
static void check_folded(struct featuredraft *draft, const struct featuredraft_context *context,
                         bool known)
{
    if (draft->keys[KEY_WHERE])
        check_where(draft, context);
    draft->feature.cap = FEATURE_CAP_DEFAULT;
    if (draft->keys[KEY_BY])
        check_by(draft, context, known);
    if (draft->keys[KEY_CAP])
        check_cap(draft, context);
    if (known && operator_rows[draft->feature.op].parameter == HALF_LIFE)
        check_over_lifetime(draft, context);
    else if (known || draft->keys[KEY_OVER])
        check_over(draft, context);
    draft->hop = draft->length;
    if (draft->length.ms == FEATURE_LIFETIME_MS || is_over(draft, "session"))
        refuse_hop(draft, context);
    else if (draft->length.ms > 0)
        check_hop(draft, context);
}

void featuredraft_check(struct featuredraft *draft, const struct featuredraft_context *context)
{
    if (draft->keys[KEY_ON])
        check_on(draft, context);
    bool known = featureop_check(draft, context);
    if (known && operator_rows[draft->feature.op].scope != FOLDED)
        refuse_keys(draft, context);
    else
        check_folded(draft, context, known);
    if (draft->keys[KEY_DEFAULT] && draft->feature.kind.type != VALUE_NULL)
        check_default(draft, context);
}
