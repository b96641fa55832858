/* Rows as Avro: the fields that features have in a schema, their values, and the record that is
 * one whole row. What replay writes and what layout `packed` stores is made here.
 *
 * The record of a row: _as_of, _p, _rev, _o, _v, _w, then the features in the order of the set.
 * The first six are the same in every record, whatever the features are, so that whoever does not
 * have its schema can read them; scripts in Redis look at the first two (redis_lua.c). A feature is
 * a union of null and its type, and _w is null when nothing is warming up. The groups of a map are
 * named as in JSON. */
#ifndef FRESHET_ROWAVRO_H
#define FRESHET_ROWAVRO_H

#include "feature.h"
#include "row.h"
#include "text.h"

/* The features as fields of a record's schema, and as its bytes. */
void rowavro_fields(const struct feature_set *set, struct text *out);
void rowavro_features(const struct row *row, struct text *out);

/* The schema of a whole row as JSON; set NULL: only of the first six fields. */
void rowavro_schema(const struct feature_set *set, struct text *out);
void rowavro_record(const struct row *row, struct text *out);

#endif
