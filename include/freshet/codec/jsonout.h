/* A decoded datum as JSON text. */
#ifndef FRESHET_JSONOUT_H
#define FRESHET_JSONOUT_H

#include <stdbool.h>

#include "avroplan.h"
#include "text.h"

/*
 * Unions are unwrapped. What JSON cannot hold is an object: {"$hex": "00ff"} for bytes and fixed,
 * {"$long": "9007199254740993"} beyond 2^53, {"$f": "NaN"} (Infinity, -Infinity).
 */
struct jsonout {
    struct text *text;
    bool comma; /* before the next thing */
};

/* Appends one datum to out->text; the caller sets text and starts with comma = false. */
struct avroplan_sink jsonout_sink(struct jsonout *out);
/* One scalar. */
void jsonout_value(struct text *text, struct value value);

#endif
