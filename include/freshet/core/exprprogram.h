/* The program of an expression: steps of a stack machine, typed when they were made. */
#ifndef FRESHET_EXPRPROGRAM_H
#define FRESHET_EXPRPROGRAM_H

#include <stdint.h>

#include "arena.h"
#include "expr.h"
#include "exprtree.h"
#include "value.h"

enum exprprogram_op {
    STEP_SLOT,     /* push slot `operand` */
    STEP_CONSTANT, /* push constant `operand` */
    STEP_TS,       /* push the event time */
    STEP_TRUTH,    /* a null bool becomes false */
    STEP_NOT,
    STEP_IS_NULL,
    STEP_IS_NOT_NULL,
    STEP_IF_FALSE, /* jump to `operand` and keep the false, or drop the true and go on */
    STEP_IF_TRUE,  /* the same with true */
    STEP_WIDEN,    /* a long becomes a double */
    /* Two operands become a bool; `operand` is the set of outcomes that are true. */
    STEP_COMPARE_LONG, /* also bools */
    STEP_COMPARE_DOUBLE,
    STEP_COMPARE_TEXT,
    STEP_IN,      /* operand and item: when equal, they become true and jump; else drop the item */
    STEP_IN_NONE, /* the operand equals no item: it becomes false */
    STEP_ADD_LONG,
    STEP_SUB_LONG,
    STEP_MUL_LONG,
    STEP_NEGATE_LONG,
    STEP_ADD_DOUBLE,
    STEP_SUB_DOUBLE,
    STEP_MUL_DOUBLE,
    STEP_DIV_DOUBLE,
    STEP_NEGATE_DOUBLE,
    STEP_HOUR_OF_DAY,
    STEP_DAY_OF_WEEK,
};

/* Outcomes of a comparison. */
enum { OUTCOME_LESS = 1, OUTCOME_EQUAL = 2, OUTCOME_GREATER = 4, OUTCOME_NAN = 8 };

struct exprprogram_step {
    uint16_t op;
    uint16_t operand;
};

enum {
    EXPRPROGRAM_STEPS_MAX = 4 * EXPR_NODES_MAX, /* no node makes more than four steps */
    EXPRPROGRAM_STACK_MAX = EXPR_DEPTH_MAX + 2, /* each pending value has a level of nesting */
};

struct expr {
    struct arena arena; /* of everything below */
    struct exprprogram_step *steps;
    int step_count;
    struct value *constants;
    int constant_count;
    struct value_kind kind;
    const char *canonical;
};

/* Fills in the program and its kind from a tree whose types are known. */
void exprprogram_build(struct expr *expr, const struct exprtree *tree, struct arena *scratch);

#endif
