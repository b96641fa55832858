/* Tree to program. Types are settled here, so that a step never asks for the type of a number. */
#include "exprprogram.h"

#include <string.h>

#include "expect.h"
#include "exprlex.h"

static int emit(struct expr *expr, enum exprprogram_op op, int operand)
{
    expect(expr->step_count < EXPRPROGRAM_STEPS_MAX && operand <= UINT16_MAX);
    expr->steps[expr->step_count] = (struct exprprogram_step){(uint16_t)op, (uint16_t)operand};
    return expr->step_count++;
}

static void emit_tree(struct expr *expr, const struct exprtree *tree);

static void emit_constant(struct expr *expr, struct value constant)
{
    if (constant.type == VALUE_STRING && constant.len) {
        char *copy = arena_alloc(&expr->arena, constant.len);
        memcpy(copy, constant.s, constant.len);
        constant.s = copy;
    }
    expr->constants[expr->constant_count] = constant;
    emit(expr, STEP_CONSTANT, expr->constant_count++);
}

/* The operand as a double where is_double, even when it is a long. */
static void emit_number(struct expr *expr, const struct exprtree *tree, bool is_double)
{
    if (is_double && tree->kind == EXPRTREE_LITERAL && tree->type.type == VALUE_LONG) {
        emit_constant(expr, value_double((double)tree->literal.i));
        return;
    }
    emit_tree(expr, tree);
    if (is_double && tree->type.type == VALUE_LONG)
        emit(expr, STEP_WIDEN, 0);
}

static void emit_condition(struct expr *expr, const struct exprtree *tree)
{
    emit_tree(expr, tree);
    if (tree->type.nullable)
        emit(expr, STEP_TRUTH, 0);
}

static void emit_junction(struct expr *expr, const struct exprtree *tree)
{
    emit_condition(expr, tree->left);
    int jump = emit(expr, tree->kind == EXPRTREE_AND ? STEP_IF_FALSE : STEP_IF_TRUE, 0);
    emit_condition(expr, tree->right);
    expr->steps[jump].operand = (uint16_t)expr->step_count;
}

static bool is_text(const struct exprtree *tree)
{
    return tree->type.type == VALUE_STRING || tree->type.type == VALUE_BYTES;
}

static int outcomes_of(char sign)
{
    switch (sign) {
    case SIGN_EQUAL:
        return OUTCOME_EQUAL;
    case SIGN_DIFFERENT:
        return OUTCOME_LESS | OUTCOME_GREATER | OUTCOME_NAN;
    case '<':
        return OUTCOME_LESS;
    case '>':
        return OUTCOME_GREATER;
    case SIGN_AT_MOST:
        return OUTCOME_LESS | OUTCOME_EQUAL;
    default:
        return OUTCOME_GREATER | OUTCOME_EQUAL;
    }
}

static void emit_compare(struct expr *expr, const struct exprtree *tree)
{
    bool is_double =
        tree->left->type.type == VALUE_DOUBLE || tree->right->type.type == VALUE_DOUBLE;
    emit_number(expr, tree->left, is_double);
    emit_number(expr, tree->right, is_double);
    emit(expr,
         is_double             ? STEP_COMPARE_DOUBLE
         : is_text(tree->left) ? STEP_COMPARE_TEXT
                               : STEP_COMPARE_LONG,
         outcomes_of(tree->sign));
}

static void emit_in(struct expr *expr, const struct exprtree *tree)
{
    int first = expr->step_count;
    emit_tree(expr, tree->left);
    for (const struct exprtree *item = tree->right; item; item = item->next) {
        emit_tree(expr, item);
        emit(expr, STEP_IN, 0);
    }
    emit(expr, STEP_IN_NONE, 0);
    /* All jumps go here; those of lists within this one have their targets already. */
    for (int k = first; k < expr->step_count; k++)
        if (expr->steps[k].op == STEP_IN && expr->steps[k].operand == 0)
            expr->steps[k].operand = (uint16_t)expr->step_count;
}

static void emit_arithmetic(struct expr *expr, const struct exprtree *tree)
{
    bool is_double = tree->type.type == VALUE_DOUBLE;
    emit_number(expr, tree->left, is_double);
    emit_number(expr, tree->right, is_double);
    switch (tree->sign) {
    case '+':
        emit(expr, is_double ? STEP_ADD_DOUBLE : STEP_ADD_LONG, 0);
        break;
    case '-':
        emit(expr, is_double ? STEP_SUB_DOUBLE : STEP_SUB_LONG, 0);
        break;
    case '*':
        emit(expr, is_double ? STEP_MUL_DOUBLE : STEP_MUL_LONG, 0);
        break;
    default:
        emit(expr, STEP_DIV_DOUBLE, 0);
    }
}

static void emit_operation(struct expr *expr, enum exprprogram_op op, const struct exprtree *tree)
{
    emit_tree(expr, tree->left);
    emit(expr, op, 0);
}

static void emit_tree(struct expr *expr, const struct exprtree *tree)
{
    switch (tree->kind) {
    case EXPRTREE_OR:
    case EXPRTREE_AND:
        emit_junction(expr, tree);
        break;
    case EXPRTREE_NOT:
        emit_condition(expr, tree->left);
        emit(expr, STEP_NOT, 0);
        break;
    case EXPRTREE_COMPARE:
        emit_compare(expr, tree);
        break;
    case EXPRTREE_IN:
        emit_in(expr, tree);
        break;
    case EXPRTREE_IS_NULL:
        emit_operation(expr, tree->negated ? STEP_IS_NOT_NULL : STEP_IS_NULL, tree);
        break;
    case EXPRTREE_ARITHMETIC:
        emit_arithmetic(expr, tree);
        break;
    case EXPRTREE_NEGATE:
        emit_operation(expr, tree->type.type == VALUE_LONG ? STEP_NEGATE_LONG : STEP_NEGATE_DOUBLE,
                       tree);
        break;
    case EXPRTREE_HOUR_OF_DAY:
        emit_operation(expr, STEP_HOUR_OF_DAY, tree);
        break;
    case EXPRTREE_DAY_OF_WEEK:
        emit_operation(expr, STEP_DAY_OF_WEEK, tree);
        break;
    case EXPRTREE_LITERAL:
        emit_constant(expr, tree->literal);
        break;
    case EXPRTREE_TS:
        emit(expr, STEP_TS, 0);
        break;
    case EXPRTREE_FIELD:
        emit(expr, STEP_SLOT, tree->slot);
        break;
    }
}

static void *keep(struct expr *expr, const void *bytes, size_t size)
{
    void *copy = arena_alloc(&expr->arena, size);
    return memcpy(copy, bytes, size);
}

void exprprogram_build(struct expr *expr, const struct exprtree *tree, struct arena *scratch)
{
    struct exprprogram_step *steps =
        arena_alloc(scratch, EXPRPROGRAM_STEPS_MAX * sizeof(struct exprprogram_step));
    struct value *constants = arena_alloc(scratch, EXPR_NODES_MAX * sizeof(struct value));
    expr->steps = steps;
    expr->constants = constants;
    emit_tree(expr, tree);
    expr->steps = keep(expr, steps, (size_t)expr->step_count * sizeof *steps);
    expr->constants = keep(expr, constants, (size_t)expr->constant_count * sizeof *constants);
    expr->kind = tree->type;
}
