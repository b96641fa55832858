/* Types: every operator knows what it takes, so that nothing can fail while events pass. */
#include "exprlex.h"
#include "exprtree.h"

static bool is_number(enum value_type type)
{
    return type == VALUE_LONG || type == VALUE_DOUBLE;
}

/* Where the text of a node begins; an operator's own column is that of its sign. */
static int check_start(const struct exprtree *tree)
{
    while (tree->left && tree->left->column < tree->column)
        tree = tree->left;
    return tree->column;
}

static bool check_field(struct exprtree *tree, const struct fieldspace *fields,
                        struct expr_error *error)
{
    char message[sizeof error->message];
    tree->slot = fields->resolve(fields->self, tree->literal.s, tree->literal.len, &tree->type,
                                 message, sizeof message);
    return tree->slot >= 0 || exprlex_fail(error, tree->column, "%s", message);
}

static bool check_condition(const struct exprtree *tree, const char *where,
                            struct expr_error *error)
{
    return tree->type.type == VALUE_BOOL ||
           exprlex_fail(
               error, check_start(tree),
               "`%s` needs a condition, and this is of type %s (compare it with something)", where,
               value_type_name(tree->type.type));
}

static bool check_comparable(const struct exprtree *left, const struct exprtree *right, int column,
                             struct expr_error *error)
{
    enum value_type a = left->type.type;
    enum value_type b = right->type.type;
    return a == b || (is_number(a) && is_number(b)) ||
           exprlex_fail(error, column, "%s cannot be compared with %s (compare like with like)",
                        value_type_name(a), value_type_name(b));
}

static bool check_compare(struct exprtree *tree, struct expr_error *error)
{
    if (!check_comparable(tree->left, tree->right, tree->column, error))
        return false;
    bool equality = tree->sign == SIGN_EQUAL || tree->sign == SIGN_DIFFERENT;
    if (tree->left->type.type == VALUE_BOOL && !equality)
        return exprlex_fail(error, tree->column, "bools have no order (use `==` or `!=`)");
    return true;
}

static bool check_in(struct exprtree *tree, struct expr_error *error)
{
    for (struct exprtree *item = tree->right; item; item = item->next)
        if (!check_comparable(tree->left, item, check_start(item), error))
            return false;
    return true;
}

static bool check_number(const struct exprtree *tree, char sign, struct expr_error *error)
{
    return is_number(tree->type.type) ||
           exprlex_fail(error, check_start(tree), "`%c` needs numbers, and this is of type %s",
                        sign, value_type_name(tree->type.type));
}

static bool check_arithmetic(struct exprtree *tree, struct expr_error *error)
{
    if (!check_number(tree->left, tree->sign, error) ||
        (tree->right && !check_number(tree->right, tree->sign, error)))
        return false;
    bool is_long = tree->left->type.type == VALUE_LONG && tree->sign != '/' &&
                   (!tree->right || tree->right->type.type == VALUE_LONG);
    /* Always nullable: any step may overflow. */
    tree->type = (struct value_kind){is_long ? VALUE_LONG : VALUE_DOUBLE, true};
    return true;
}

static bool check_clock(struct exprtree *tree, const char *name, struct expr_error *error)
{
    tree->type = (struct value_kind){VALUE_LONG, tree->left->type.nullable};
    return tree->left->type.type == VALUE_LONG ||
           exprlex_fail(error, check_start(tree->left),
                        "%s needs a time in ms (a long), and this is of type %s", name,
                        value_type_name(tree->left->type.type));
}

static bool check_children(struct exprtree *tree, const struct fieldspace *fields,
                           struct expr_error *error)
{
    if (tree->left && !exprcheck_types(tree->left, fields, error))
        return false;
    for (struct exprtree *right = tree->right; right; right = right->next)
        if (!exprcheck_types(right, fields, error))
            return false;
    return true;
}

bool exprcheck_types(struct exprtree *tree, const struct fieldspace *fields,
                     struct expr_error *error)
{
    if (!check_children(tree, fields, error))
        return false;
    tree->type = (struct value_kind){VALUE_BOOL, false};
    switch (tree->kind) {
    case EXPRTREE_OR:
        return check_condition(tree->left, "or", error) &&
               check_condition(tree->right, "or", error);
    case EXPRTREE_AND:
        return check_condition(tree->left, "and", error) &&
               check_condition(tree->right, "and", error);
    case EXPRTREE_NOT:
        return check_condition(tree->left, "not", error);
    case EXPRTREE_COMPARE:
        return check_compare(tree, error);
    case EXPRTREE_IN:
        return check_in(tree, error);
    case EXPRTREE_IS_NULL:
        return true;
    case EXPRTREE_ARITHMETIC:
    case EXPRTREE_NEGATE:
        return check_arithmetic(tree, error);
    case EXPRTREE_HOUR_OF_DAY:
        return check_clock(tree, "hour_of_day", error);
    case EXPRTREE_DAY_OF_WEEK:
        return check_clock(tree, "day_of_week", error);
    case EXPRTREE_LITERAL:
        tree->type.type = (enum value_type)tree->literal.type;
        return true;
    case EXPRTREE_TS:
        tree->type.type = VALUE_LONG;
        return true;
    case EXPRTREE_FIELD:
        return check_field(tree, fields, error);
    }
    return false;
}
