/* The canonical text: one spelling for blanks, quotes, parentheses and numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exprlex.h"
#include "exprtree.h"

/* How tightly a node binds, in the order of the precedence of semantics, section 5. */
static int print_level(const struct exprtree *tree)
{
    switch (tree->kind) {
    case EXPRTREE_OR:
        return 1;
    case EXPRTREE_AND:
        return 2;
    case EXPRTREE_NOT:
        return 3;
    case EXPRTREE_COMPARE:
    case EXPRTREE_IN:
    case EXPRTREE_IS_NULL:
        return 4;
    case EXPRTREE_ARITHMETIC:
        return tree->sign == '+' || tree->sign == '-' ? 5 : 6;
    case EXPRTREE_NEGATE:
        return 7;
    default:
        return 8;
    }
}

static void print_string(struct text *out, const char *bytes, size_t len)
{
    text_append_char(out, '"');
    for (size_t k = 0; k < len; k++) {
        char c = bytes[k];
        if (c == '"' || c == '\\' || c == '\n' || c == '\t') {
            text_append_char(out, '\\');
            c = c == '\n' ? 'n' : c == '\t' ? 't' : c;
        }
        text_append_char(out, c);
    }
    text_append_char(out, '"');
}

/* The shortest digits that read back as the same double, and never those of a long. */
static void print_double(struct text *out, double number)
{
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (strtod(digits, NULL) == number)
            break;
    }
    text_append_string(out, digits);
    if (!strpbrk(digits, ".e"))
        text_append_string(out, ".0");
}

void exprprint_literal(struct text *out, const struct value *literal)
{
    if (literal->type == VALUE_BOOL)
        text_append_string(out, literal->i ? "true" : "false");
    else if (literal->type == VALUE_LONG)
        text_append_long(out, literal->i);
    else if (literal->type == VALUE_DOUBLE)
        print_double(out, literal->d);
    else
        print_string(out, literal->s, literal->len);
}

/* A node where only such that bind at least so tightly can stand without parentheses. */
static void print_at(struct text *out, const struct exprtree *tree, int level)
{
    bool parentheses = print_level(tree) < level;
    if (parentheses)
        text_append_char(out, '(');
    exprprint_tree(out, tree);
    if (parentheses)
        text_append_char(out, ')');
}

static const char *print_sign(const struct exprtree *tree)
{
    switch (tree->kind == EXPRTREE_OR || tree->kind == EXPRTREE_AND ? 0 : tree->sign) {
    case 0:
        return tree->kind == EXPRTREE_OR ? " or " : " and ";
    case SIGN_EQUAL:
        return " == ";
    case SIGN_DIFFERENT:
        return " != ";
    case SIGN_AT_MOST:
        return " <= ";
    case SIGN_AT_LEAST:
        return " >= ";
    case '<':
        return " < ";
    case '>':
        return " > ";
    case '+':
        return " + ";
    case '-':
        return " - ";
    case '*':
        return " * ";
    default:
        return " / ";
    }
}

/* Of equal operators the left binds first; with `and` and `or` it makes no difference. */
static void print_binary(struct text *out, const struct exprtree *tree)
{
    int level = print_level(tree);
    bool associative = tree->kind == EXPRTREE_OR || tree->kind == EXPRTREE_AND;
    print_at(out, tree->left, tree->kind == EXPRTREE_COMPARE ? level + 1 : level);
    text_append_string(out, print_sign(tree));
    print_at(out, tree->right, associative ? level : level + 1);
}

static void print_in(struct text *out, const struct exprtree *tree)
{
    print_at(out, tree->left, print_level(tree) + 1);
    text_append_string(out, " in (");
    for (const struct exprtree *item = tree->right; item; item = item->next) {
        print_at(out, item, print_level(tree) + 1);
        text_append_string(out, item->next ? ", " : ")");
    }
}

static void print_call(struct text *out, const char *name, const struct exprtree *argument)
{
    text_printf(out, "%s(", name);
    exprprint_tree(out, argument);
    text_append_char(out, ')');
}

void exprprint_tree(struct text *out, const struct exprtree *tree)
{
    switch (tree->kind) {
    case EXPRTREE_OR:
    case EXPRTREE_AND:
    case EXPRTREE_COMPARE:
    case EXPRTREE_ARITHMETIC:
        print_binary(out, tree);
        break;
    case EXPRTREE_NOT:
        text_append_string(out, "not ");
        print_at(out, tree->left, print_level(tree));
        break;
    case EXPRTREE_IN:
        print_in(out, tree);
        break;
    case EXPRTREE_IS_NULL:
        print_at(out, tree->left, print_level(tree) + 1);
        text_append_string(out, tree->negated ? " is not null" : " is null");
        break;
    case EXPRTREE_NEGATE:
        text_append_char(out, '-');
        print_at(out, tree->left, print_level(tree));
        break;
    case EXPRTREE_HOUR_OF_DAY:
        print_call(out, "hour_of_day", tree->left);
        break;
    case EXPRTREE_DAY_OF_WEEK:
        print_call(out, "day_of_week", tree->left);
        break;
    case EXPRTREE_LITERAL:
        exprprint_literal(out, &tree->literal);
        break;
    case EXPRTREE_TS:
        text_append_string(out, "ts");
        break;
    case EXPRTREE_FIELD:
        text_append(out, tree->literal.s, tree->literal.len);
        break;
    }
}
