/* Accumulators as bytes of a checkpoint: a pair of functions for each state of operators.def.
 *
 * A new state needs acc_NAME_save and acc_NAME_load: without them the table does not compile. */
#ifndef FRESHET_ACCUMULATORSAVE_H
#define FRESHET_ACCUMULATORSAVE_H

#include <stdbool.h>

#include "feature.h"
#include "operator_state.h"
#include "pool.h"
#include "segment.h"

/* With its length before it; one that was never added to is a single zero. */
void accumulator_save(struct text *out, const struct feature *feature, const void *acc);
/* Into an empty accumulator. False when the bytes cannot be of this feature: the reader is then
 * broken, and what the accumulator holds can be released. */
bool accumulator_load(struct segment_reader *in, const struct feature_set *set,
                      const struct feature *feature, struct pool *pool, void *acc);
/* A value that state owns. */
void held_save(struct text *out, const union held_value *held);
/* wanted: an enum value_type that it must have, or -1. */
bool held_load(struct segment_reader *in, struct pool *pool, union held_value *held, int wanted);

/* Passes one by, whatever it is of. */
bool accumulator_skip(struct segment_reader *in);

#endif
