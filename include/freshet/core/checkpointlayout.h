/* What saving and loading agree on beside the order of fields; users include checkpoint.h. */
#ifndef FRESHET_CHECKPOINTLAYOUT_H
#define FRESHET_CHECKPOINTLAYOUT_H

#include "feature.h"
#include "shardstate.h"

/* Where a feature's accumulators stand. */
enum checkpoint_place_id { PLACE_NONE, PLACE_SESSION, PLACE_WINDOWS /* and the window's index */ };

static inline int checkpoint_place(const struct feature *feature)
{
    if (operator_rows[feature->op].scope != FOLDED)
        return PLACE_NONE;
    return feature->window < 0 ? (int)PLACE_SESSION : (int)PLACE_WINDOWS + feature->window;
}

/* The types of the values that a feature's accumulators hold, which its definition does not say. */
static inline enum value_type checkpoint_argument_type(const struct feature_set *set, int argument)
{
    return argument < 0 ? VALUE_NULL : expr_kind(set->arguments[argument]).type;
}

static inline uint8_t checkpoint_shape(const struct feature_set *set, const struct feature *feature)
{
    return (uint8_t)(checkpoint_argument_type(set, feature->argument) |
                     checkpoint_argument_type(set, feature->by) << 4);
}

enum {
    KEY_FLAGS = ENTITY_FORGOTTEN | ENTITY_WHOLE, /* of enum entity_flag, as they are */
    KEY_QUEUE_SHIFT = 4,                         /* above them: enum entity_queue */
};

#endif
