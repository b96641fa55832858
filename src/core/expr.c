/* Expressions from outside: text through tree to program. */
#include "expr.h"

#include <string.h>

#include "exprprogram.h"
#include "exprtree.h"
#include "pool.h"
#include "text.h"

static const char *canonical_text(struct expr *expr, const struct exprtree *tree)
{
    struct text text = {0};
    exprprint_tree(&text, tree);
    char *copy = arena_alloc(&expr->arena, text.len + 1);
    memcpy(copy, text.data, text.len + 1);
    text_free(&text);
    return copy;
}

struct expr *expr_compile(const char *text, const struct fieldspace *fields,
                          struct expr_error *error)
{
    struct arena scratch = {0};
    struct expr *expr = NULL;
    struct exprtree *tree = exprparse_text(&scratch, text, error);
    if (tree && exprcheck_types(tree, fields, error)) {
        expr = memory_alloc(sizeof *expr);
        exprprogram_build(expr, tree, &scratch);
        expr->canonical = canonical_text(expr, tree);
    }
    arena_free(&scratch);
    return expr;
}

void expr_free(struct expr *expr)
{
    if (!expr)
        return;
    arena_free(&expr->arena);
    memory_free(expr);
}

struct value_kind expr_kind(const struct expr *expr)
{
    return expr->kind;
}

const char *expr_canonical(const struct expr *expr)
{
    return expr->canonical;
}

bool expr_test(const struct expr *expr, const struct expr_input *input)
{
    struct value value = expr_eval(expr, input);
    return value.type == VALUE_BOOL && value.i;
}
