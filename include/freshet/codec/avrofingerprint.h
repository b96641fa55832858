/* Parsing Canonical Form of a schema and its CRC-64-AVRO, which single-object framing carries. */
#ifndef FRESHET_AVROFINGERPRINT_H
#define FRESHET_AVROFINGERPRINT_H

#include <stdint.h>

#include "avroschema.h"
#include "text.h"

/* Appends the canonical form; types that other schemas define are written out where first used. */
void avrofingerprint_canonical(const struct avroschema *schema, struct text *out);
uint64_t avrofingerprint_of(const struct avroschema *schema);

#endif
