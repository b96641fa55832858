/* The model: reader schema and features file, bound to each other and to the configuration. */
#ifndef FRESHET_MODEL_H
#define FRESHET_MODEL_H

#include "avroschema.h"
#include "config.h"
#include "config_errors.h"
#include "expr.h"
#include "feature.h"
#include "fieldspace.h"
#include "projection.h"
#include "rules.h"

/* Everything in it is immutable after model_load and lives until model_free. */
struct model {
    struct avroschema *reader;
    struct projection *projection; /* compile one avroplan for each writer schema with it */
    int slot_count;                /* values that a plan fills in for each datum */
    struct value_kind key_kind;    /* of rules.key_slot: string, bytes or long */
    struct expr *where;            /* event.where, or NULL */
    struct expr *end_when;         /* session.end_when, or NULL */
    struct feature_set *set;
    struct rules rules; /* for the core; points into this model */
};

/* NULL when anything is wrong; all of it is then in errors (also warnings when it is not). */
struct model *model_load(const struct config *config, struct config_errors *errors);
void model_free(struct model *model);

#endif
