/* The rows that a replay writes: what they have in common, and their two formats. */
#ifndef FRESHET_REPLAY_ROW_H
#define FRESHET_REPLAY_ROW_H

#include <stdint.h>

#include "effect.h"
#include "feature.h"
#include "replay_options.h"
#include "text.h"

enum { REPLAY_NONE = -1 }; /* partition or offset that a row does not have */

struct replay_row {
    enum replay_kind kind;
    const char *key; /* NULL: none */
    size_t key_len;
    struct event_time as_of, watermark; /* EVENT_TIME_MIN: none yet */
    int32_t partition;
    int64_t offset; /* of the record that caused it, or the newest that it knows of */
    const struct effect_session *session; /* NULL: the row is not of one */
    const struct row *row;          /* the features; NULL: none */
    const struct verdict *verdict;  /* FATE only */
    struct event_time asked;        /* AS_OF and LABEL: the time that was asked for */
    const char *label; /* LABEL: the columns as a JSON object */
    bool final;        /* LABEL: with --knowledge final */
};

/* Appends a row: a line of JSON, or a datum of the schema below. */
void replay_row_json(const struct replay_row *row, struct text *out);
void replay_row_avro(const struct replay_row *row, struct text *out);

/* The schema of rows with these features, as JSON. key: the type of the entity key. */
void replay_row_schema(const struct feature_set *set, enum value_type key, struct text *out);

#endif
