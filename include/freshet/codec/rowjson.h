/* Rows as JSON text: features with null kept, and the line of a point.
 *
 * A point is the row of a key as of one place in the log: what `debug.rows` logs of each row that
 * freshetd sends, and what `freshet replay --at` makes of the same place, byte for byte:
 *
 *   {"partition":0,"offset":41,"as_of":1767225600000,"key":"ada","newest":40,"rev":0,
 *    "features":{"clicks_5m":2,"last_items":["hat"],...},"v":"0123456789abcdef"}
 *
 * offset is that of the newest record that the shard had applied, newest that of the newest event
 * of the key (_o). Two members are there only when they apply: "warming":"a,b" (_w), and
 * "removed":true for a row that is deleted. */
#ifndef FRESHET_ROWJSON_H
#define FRESHET_ROWJSON_H

#include <stdint.h>

#include "feature.h"
#include "row.h"
#include "text.h"

/* A value as JSON. Bytes are text of which each byte is one code point (ISO-8859-1). */
void rowjson_value(const struct value *value, struct text *out);
/* {"NAME":VALUE,...} */
void rowjson_features(const struct row *row, struct text *out);
/* The digits of the feature set's version, as _v has them. */
void rowjson_version(uint64_t version, struct text *out);
/* The line of a point, with its newline. */
void rowjson_point(const struct row *row, int64_t last_offset, struct text *out);

#endif
