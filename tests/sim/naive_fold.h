/* The value of every folded operator by its definition, over the list of what was counted. */
#ifndef FRESHET_TESTS_NAIVE_FOLD_H
#define FRESHET_TESTS_NAIVE_FOLD_H

#include "arena.h"
#include "feature.h"
#include "value.h"

enum { NAIVE_COUNTED_MAX = 8192 };

/* What an event adds: its argument, its event time and, with `by`, its group. */
struct naive_counted {
    struct value value;
    int64_t ts;
    struct value group;
};

/* counted is sorted by (event time, offset). The value lives in the arena and in counted. */
struct value naive_fold(const struct feature *feature, const struct naive_counted *counted,
                        int count, struct arena *arena);
/* What counted holds of the fold's relative error: the value whose bucket a quantile shows. */
double naive_quantile(const struct feature *feature, const struct naive_counted *counted,
                      int count);
bool naive_same(const struct value *a, const struct value *b);

#endif
