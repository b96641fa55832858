/* The writer schemas that `freshet inspect` was given, and payloads as JSON by them. */
#ifndef FRESHET_INSPECT_SCHEMAS_H
#define FRESHET_INSPECT_SCHEMAS_H

#include <stdbool.h>

#include "framing.h"
#include "text.h"

enum { INSPECT_SCHEMAS_MAX = 64 };

struct inspect_schemas;

struct inspect_schemas *inspect_schemas_new(enum framing framing);
void inspect_schemas_free(struct inspect_schemas *schemas);
/* argument: FILE, or ID=FILE for framing confluent. False with the reason on standard error. */
bool inspect_schemas_add(struct inspect_schemas *schemas, const char *argument);
/* Appends `"value":{...}`, or `"payload":"hex","error":"why"`. header: of FRAMING_HEADER. */
void inspect_schemas_print(const struct inspect_schemas *schemas, const void *header,
                           size_t header_len, const void *payload, size_t len, struct text *out);

#endif
