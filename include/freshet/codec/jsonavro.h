/* Events as JSON text become Avro binary, so that one piece of code, the plan, says what they mean.
 *
 * An event is an object with the fields of the schema, in any order. Fields with a default may be
 * missing. Unions are unwrapped; of several branches that could be meant the first that fits is
 * taken, whole numbers being int or long before float or double. Bytes and fixed are strings of
 * which each code point is a byte. What `freshet inspect` writes for values that JSON cannot hold
 * is read: {"$hex": ...}, {"$long": ...}, {"$f": ...}. A long with a logicalType of time may be a
 * text such as "2026-01-31T00:00:00Z".
 *
 * Beside the fields an event may have members that say what Kafka says of a record: "@partition",
 * "@offset", "@timestamp"; "@value": null is a tombstone, without fields. A line whose first member
 * is "@op" is no event but something that happens to a partition. */
#ifndef FRESHET_JSONAVRO_H
#define FRESHET_JSONAVRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avroschema.h"
#include "text.h"

enum { JSONAVRO_MAX_DEPTH = 64 }; /* objects and arrays within each other */

/* One reader of lines: not to be used by two threads at once. The schema must outlive it. */
struct jsonavro;

struct jsonavro_error {
    size_t column; /* byte of the line, from 1 */
    char message[256];
};

/* The members that are no fields. */
struct jsonavro_meta {
    bool idle; /* {"@op": "idle", "as_of": T}: the partition is idle and emits at T */
    bool tombstone;
    bool has_offset, has_record_time;
    int32_t partition; /* 0 when it is not said */
    int64_t offset;
    int64_t record_time_ms;
    int64_t as_of_ms;
};

/* The schema is that of a record. */
struct jsonavro *jsonavro_new(const struct avroschema *schema);
void jsonavro_free(struct jsonavro *json);

/* Appends one event in Avro binary (nothing for an op). False and err when the line is none. */
bool jsonavro_line(struct jsonavro *json, const char *line, size_t len, struct text *out,
                   struct jsonavro_meta *meta, struct jsonavro_error *err);

/* The fields of this object are taken by the lines after it that do not have them. */
bool jsonavro_presume(struct jsonavro *json, const char *object, size_t len,
                      struct jsonavro_error *err);

#endif
