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
    struct expr *expr = expr_compile(text, context->fields, &error);
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

void featuredraft_free(struct featuredraft *draft)
{
    expr_free(draft->where);
    expr_free(draft->argument);
}

/* ---- where, over, hop ---- */

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
    if (feature->is_list && strcmp(string, "null") != 0) {
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

void featuredraft_check(struct featuredraft *draft, const struct featuredraft_context *context)
{
    bool known = featureop_check(draft, context);
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
