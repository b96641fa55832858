/* Text to tree by operator precedence (Pratt, "Top down operator precedence", 1973). */
#include <string.h>

#include "exprlex.h"
#include "exprtree.h"

/* How tightly operators bind, loosest first. */
enum binding { BIND_NONE, BIND_OR, BIND_AND, BIND_NOT, BIND_COMPARE, BIND_SUM, BIND_PRODUCT };

struct parser {
    struct exprlex lex;
    struct exprlex_token token; /* the next one, not yet consumed */
    struct arena *arena;
    struct expr_error *error;
    int depth;
    int nodes;
};

static struct exprtree *parse_binding(struct parser *parser, enum binding least);

static struct exprtree *parse_fail(struct parser *parser, const char *wanted)
{
    const struct exprlex_token *token = &parser->token;
    const char *hint = "";
    if (token->kind == EXPRLEX_SIGN && token->sign == '=')
        hint = " (write `==` to compare)";
    else if (exprlex_is_word(token, "not"))
        hint = " (write `not x in (...)`, with parentheses where it is an operand)";
    if (token->kind == EXPRLEX_END)
        exprlex_fail(parser->error, token->column, "%s expected at the end", wanted);
    else
        exprlex_fail(parser->error, token->column, "%s expected instead of `%.*s`%s", wanted,
                     (int)(token->len < 40 ? token->len : 40), token->start, hint);
    return NULL;
}

static bool parse_advance(struct parser *parser)
{
    return exprlex_next(&parser->lex, &parser->token);
}

static bool parse_at_sign(const struct parser *parser, char sign)
{
    return parser->token.kind == EXPRLEX_SIGN && parser->token.sign == sign;
}

static bool parse_take_sign(struct parser *parser, char sign, const char *wanted)
{
    if (!parse_at_sign(parser, sign)) {
        parse_fail(parser, wanted);
        return false;
    }
    return parse_advance(parser);
}

/* A node that stands at the next token. */
static struct exprtree *parse_node(struct parser *parser, enum exprtree_kind kind)
{
    if (++parser->nodes > EXPR_NODES_MAX) {
        exprlex_fail(parser->error, parser->token.column,
                     "the expression has more than %d parts (split it)", EXPR_NODES_MAX);
        return NULL;
    }
    struct exprtree *node = arena_alloc(parser->arena, sizeof *node);
    *node =
        (struct exprtree){.kind = kind, .column = parser->token.column, .sign = parser->token.sign};
    return node;
}

/* ---- operands ---- */

/* A map key in the spelling of fieldspace.h. */
static void parse_key(struct parser *parser, struct text *path)
{
    char *key = arena_alloc(parser->arena, parser->token.len);
    size_t len = exprlex_unescape(&parser->token, key);
    text_append_char(path, '"');
    for (size_t k = 0; k < len; k++) {
        if (key[k] == '"' || key[k] == '\\')
            text_append_char(path, '\\');
        text_append_char(path, key[k]);
    }
    text_append_char(path, '"');
}

/* One step of a path; blanks and the kind of quotes do not matter. */
static bool parse_index(struct parser *parser, struct text *path)
{
    struct exprlex_token *token = &parser->token;
    text_append_char(path, '[');
    if (token->kind == EXPRLEX_LONG) {
        text_printf(path, "%llu", (unsigned long long)token->magnitude);
    } else if (token->kind == EXPRLEX_TEXT) {
        parse_key(parser, path);
    } else {
        parse_fail(parser, "an index or a quoted key");
        return false;
    }
    text_append_char(path, ']');
    return parse_advance(parser) && parse_take_sign(parser, ']', "`]`");
}

static bool parse_steps(struct parser *parser, struct text *path)
{
    for (;;) {
        if (parse_at_sign(parser, '.')) {
            if (!parse_advance(parser))
                return false;
            if (parser->token.kind != EXPRLEX_WORD) {
                parse_fail(parser, "a field name after `.`");
                return false;
            }
            text_append_char(path, '.');
            text_append(path, parser->token.start, parser->token.len);
            if (!parse_advance(parser))
                return false;
        } else if (parse_at_sign(parser, '[')) {
            if (!parse_advance(parser) || !parse_index(parser, path))
                return false;
        } else {
            return true;
        }
    }
}

static struct exprtree *parse_path(struct parser *parser)
{
    struct exprtree *node = parse_node(parser, EXPRTREE_FIELD);
    if (!node)
        return NULL;
    struct text path = {0};
    text_append(&path, parser->token.start, parser->token.len);
    bool parsed = parse_advance(parser) && parse_steps(parser, &path);
    char *copy = arena_alloc(parser->arena, path.len);
    memcpy(copy, path.data, path.len);
    node->literal = value_text(VALUE_STRING, copy, (uint32_t)path.len);
    if (path.len == 2 && memcmp(copy, "ts", 2) == 0)
        node->kind = EXPRTREE_TS;
    text_free(&path);
    return parsed ? node : NULL;
}

static struct exprtree *parse_call(struct parser *parser, struct exprtree *node)
{
    if (!node || !parse_advance(parser) || !parse_take_sign(parser, '(', "`(`"))
        return NULL;
    node->left = parse_binding(parser, BIND_OR);
    return node->left && parse_take_sign(parser, ')', "`)`") ? node : NULL;
}

static struct exprtree *parse_word(struct parser *parser)
{
    static const char *const reserved[] = {"and", "or", "not", "in", "is"};
    const struct exprlex_token *token = &parser->token;
    for (size_t k = 0; k < sizeof reserved / sizeof reserved[0]; k++)
        if (exprlex_is_word(token, reserved[k]))
            return parse_fail(parser, "a value");
    if (exprlex_is_word(token, "null")) {
        exprlex_fail(parser->error, token->column,
                     "null can only stand after `is` (write `x is null` or `x is not null`)");
        return NULL;
    }
    if (exprlex_is_word(token, "true") || exprlex_is_word(token, "false")) {
        struct exprtree *node = parse_node(parser, EXPRTREE_LITERAL);
        if (!node)
            return NULL;
        node->literal = value_bool(token->start[0] == 't');
        return parse_advance(parser) ? node : NULL;
    }
    bool called = token->start[token->len + strspn(token->start + token->len, " \t")] == '(';
    if (!called)
        return parse_path(parser);
    if (exprlex_is_word(token, "hour_of_day"))
        return parse_call(parser, parse_node(parser, EXPRTREE_HOUR_OF_DAY));
    if (exprlex_is_word(token, "day_of_week"))
        return parse_call(parser, parse_node(parser, EXPRTREE_DAY_OF_WEEK));
    exprlex_fail(parser->error, token->column,
                 "unknown function `%.*s` (there are hour_of_day and day_of_week)",
                 (int)(token->len < 40 ? token->len : 40), token->start);
    return NULL;
}

static struct exprtree *parse_literal(struct parser *parser, bool negative)
{
    const struct exprlex_token *token = &parser->token;
    struct exprtree *node = parse_node(parser, EXPRTREE_LITERAL);
    if (!node)
        return NULL;
    if (token->kind == EXPRLEX_DOUBLE) {
        node->literal = value_double(negative ? -token->number : token->number);
    } else if (token->kind == EXPRLEX_LONG) {
        if (!negative && token->magnitude > INT64_MAX) {
            exprlex_fail(parser->error, token->column,
                         "the number is too large for a long (write it as a double: %llu.0)",
                         (unsigned long long)token->magnitude);
            return NULL;
        }
        node->literal = value_long((int64_t)(negative ? 0 - token->magnitude : token->magnitude));
    } else {
        char *copy = arena_alloc(parser->arena, token->len);
        size_t len = exprlex_unescape(token, copy);
        node->literal = value_text(VALUE_STRING, copy, (uint32_t)len);
    }
    return parse_advance(parser) ? node : NULL;
}

/* A minus before a number is part of it, however the two are written. */
static struct exprtree *parse_negated(struct parser *parser)
{
    struct exprtree *node = parse_node(parser, EXPRTREE_NEGATE);
    if (!node || !parse_advance(parser))
        return NULL;
    if (parser->token.kind == EXPRLEX_LONG || parser->token.kind == EXPRLEX_DOUBLE)
        return parse_literal(parser, true);
    struct exprtree *operand = parse_binding(parser, BIND_NONE);
    if (!operand)
        return NULL;
    struct value *literal = &operand->literal;
    bool is_long = operand->kind == EXPRTREE_LITERAL && literal->type == VALUE_LONG;
    if (is_long && literal->i != INT64_MIN)
        literal->i = -literal->i;
    else if (operand->kind == EXPRTREE_LITERAL && literal->type == VALUE_DOUBLE)
        literal->d = -literal->d;
    else
        node->left = operand;
    return node->left ? node : operand;
}

static struct exprtree *parse_not(struct parser *parser)
{
    struct exprtree *node = parse_node(parser, EXPRTREE_NOT);
    if (!node || !parse_advance(parser))
        return NULL;
    node->left = parse_binding(parser, BIND_NOT);
    return node->left ? node : NULL;
}

static struct exprtree *parse_operand(struct parser *parser, enum binding least)
{
    const struct exprlex_token *token = &parser->token;
    if (parse_at_sign(parser, '(')) {
        if (!parse_advance(parser))
            return NULL;
        struct exprtree *inner = parse_binding(parser, BIND_OR);
        return inner && parse_take_sign(parser, ')', "`)`") ? inner : NULL;
    }
    if (parse_at_sign(parser, '-'))
        return parse_negated(parser);
    if (exprlex_is_word(token, "not") && least <= BIND_NOT && least != BIND_NONE)
        return parse_not(parser);
    if (token->kind == EXPRLEX_WORD)
        return parse_word(parser);
    if (token->kind == EXPRLEX_END || token->kind == EXPRLEX_SIGN)
        return parse_fail(parser, "a value");
    return parse_literal(parser, false);
}

/* ---- operators ---- */

static enum binding binding_of(const struct exprlex_token *token)
{
    if (token->kind == EXPRLEX_WORD) {
        if (exprlex_is_word(token, "or"))
            return BIND_OR;
        if (exprlex_is_word(token, "and"))
            return BIND_AND;
        if (exprlex_is_word(token, "in") || exprlex_is_word(token, "is"))
            return BIND_COMPARE;
    }
    if (token->kind != EXPRLEX_SIGN)
        return BIND_NONE;
    switch (token->sign) {
    case '<':
    case '>':
    case SIGN_EQUAL:
    case SIGN_DIFFERENT:
    case SIGN_AT_MOST:
    case SIGN_AT_LEAST:
        return BIND_COMPARE;
    case '+':
    case '-':
        return BIND_SUM;
    case '*':
    case '/':
        return BIND_PRODUCT;
    default:
        return BIND_NONE;
    }
}

static struct exprtree *parse_is(struct parser *parser, struct exprtree *left)
{
    struct exprtree *node = parse_node(parser, EXPRTREE_IS_NULL);
    if (!node || !parse_advance(parser))
        return NULL;
    node->left = left;
    node->negated = exprlex_is_word(&parser->token, "not");
    if (node->negated && !parse_advance(parser))
        return NULL;
    if (!exprlex_is_word(&parser->token, "null"))
        return parse_fail(parser, "`null` or `not null`");
    return parse_advance(parser) ? node : NULL;
}

static struct exprtree *parse_in(struct parser *parser, struct exprtree *left)
{
    struct exprtree *node = parse_node(parser, EXPRTREE_IN);
    if (!node || !parse_advance(parser) || !parse_take_sign(parser, '(', "`(` and a list"))
        return NULL;
    node->left = left;
    struct exprtree **last = &node->right;
    for (;;) {
        *last = parse_binding(parser, BIND_SUM);
        if (!*last)
            return NULL;
        last = &(*last)->next;
        if (!parse_at_sign(parser, ','))
            return parse_take_sign(parser, ')', "`,` or `)`") ? node : NULL;
        if (!parse_advance(parser))
            return NULL;
    }
}

static struct exprtree *parse_operator(struct parser *parser, struct exprtree *left,
                                       enum binding binding)
{
    static const enum exprtree_kind kinds[] = {
        [BIND_OR] = EXPRTREE_OR,
        [BIND_AND] = EXPRTREE_AND,
        [BIND_COMPARE] = EXPRTREE_COMPARE,
        [BIND_SUM] = EXPRTREE_ARITHMETIC,
        [BIND_PRODUCT] = EXPRTREE_ARITHMETIC,
    };
    if (exprlex_is_word(&parser->token, "is"))
        return parse_is(parser, left);
    if (exprlex_is_word(&parser->token, "in"))
        return parse_in(parser, left);
    struct exprtree *node = parse_node(parser, kinds[binding]);
    if (!node || !parse_advance(parser))
        return NULL;
    node->left = left;
    node->right = parse_binding(parser, binding + 1);
    return node->right ? node : NULL;
}

/* An operand and the operators after it that bind at least so tightly; BIND_NONE: none of them. */
static struct exprtree *parse_binding(struct parser *parser, enum binding least)
{
    if (++parser->depth > EXPR_DEPTH_MAX) {
        exprlex_fail(parser->error, parser->token.column,
                     "the expression is nested more than %d deep (simplify it)", EXPR_DEPTH_MAX);
        return NULL;
    }
    struct exprtree *left = parse_operand(parser, least);
    bool compared = false;
    while (left && least != BIND_NONE) {
        enum binding binding = binding_of(&parser->token);
        if (binding == BIND_NONE || binding < least)
            break;
        if (binding == BIND_COMPARE && compared) {
            exprlex_fail(parser->error, parser->token.column,
                         "comparisons do not chain (write `a < b and b < c`)");
            return NULL;
        }
        compared = binding == BIND_COMPARE;
        left = parse_operator(parser, left, binding);
    }
    parser->depth--;
    return left;
}

struct exprtree *exprparse_text(struct arena *arena, const char *text, struct expr_error *error)
{
    struct parser parser = {.lex = {text, text, error, false}, .arena = arena, .error = error};
    if (strlen(text) > EXPR_TEXT_MAX) {
        exprlex_fail(error, EXPR_TEXT_MAX + 1, "the expression is longer than %d bytes (split it)",
                     EXPR_TEXT_MAX);
        return NULL;
    }
    if (!parse_advance(&parser))
        return NULL;
    struct exprtree *tree = parse_binding(&parser, BIND_OR);
    if (tree && parser.token.kind != EXPRLEX_END)
        return parse_fail(&parser, "an operator or the end");
    return tree;
}
