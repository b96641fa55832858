/* The tree of an expression, between its text and its program; lives in an arena. */
#ifndef FRESHET_EXPRTREE_H
#define FRESHET_EXPRTREE_H

#include <stdbool.h>

#include "arena.h"
#include "expr.h"
#include "text.h"
#include "value.h"

enum exprtree_kind {
    EXPRTREE_OR,
    EXPRTREE_AND,
    EXPRTREE_NOT,
    EXPRTREE_COMPARE,
    EXPRTREE_IN,      /* left in (right, right->next, ...) */
    EXPRTREE_IS_NULL, /* negated: is not null */
    EXPRTREE_ARITHMETIC,
    EXPRTREE_NEGATE,
    EXPRTREE_HOUR_OF_DAY,
    EXPRTREE_DAY_OF_WEEK,
    EXPRTREE_LITERAL,
    EXPRTREE_TS,
    EXPRTREE_FIELD,
};

struct exprtree {
    enum exprtree_kind kind;
    struct value_kind type; /* known after exprcheck_types */
    int column;             /* of the operator, or where an operand begins */
    char sign;              /* COMPARE, ARITHMETIC: see exprlex.h */
    bool negated;
    int slot;             /* FIELD: known after exprcheck_types */
    struct value literal; /* LITERAL; FIELD: its path in canonical spelling, as a string */
    struct exprtree *left;
    struct exprtree *right;
    struct exprtree *next; /* in the list of IN */
};

/* Text to tree (exprparse.c). NULL with error filled in. */
struct exprtree *exprparse_text(struct arena *arena, const char *text, struct expr_error *error);
/* Resolves fields and gives every node its type (exprcheck.c). */
bool exprcheck_types(struct exprtree *tree, const struct fieldspace *fields,
                     struct expr_error *error);
/* The one spelling of the tree (exprprint.c). */
void exprprint_tree(struct text *out, const struct exprtree *tree);
/* A bool, long, double or text as the language spells it. */
void exprprint_literal(struct text *out, const struct value *literal);

#endif
