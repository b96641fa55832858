/* The value of `op =` taken apart: `last_distinct(item_id, 20)`, `ratio(a, b, alpha = 1)`. */
#ifndef FRESHET_FEATURECALL_H
#define FRESHET_FEATURECALL_H

#include <stdbool.h>
#include <stddef.h>

#include "expr.h"

enum { FEATURECALL_ARGUMENTS_MAX = 8, FEATURECALL_WORD_MAX = 64 };

/* Slices of the text of `op =`; columns are 1-based within it. */
struct featurecall_argument {
    char name[FEATURECALL_WORD_MAX + 1]; /* of `alpha = 1`; else empty */
    const char *start;                   /* the expression, without blanks around it */
    size_t len;
    int column;
};

struct featurecall {
    char name[FEATURECALL_WORD_MAX + 1]; /* of the operator */
    struct featurecall_argument arguments[FEATURECALL_ARGUMENTS_MAX];
    int count;
    int end_column; /* of the closing parenthesis, or after the name */
};

/* False with the error filled in. */
bool featurecall_parse(struct featurecall *call, const char *text, struct expr_error *error);

#endif
