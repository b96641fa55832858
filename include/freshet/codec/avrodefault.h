/* Default values of the reader's fields as Avro binary. Used by avroschema only. */
#ifndef FRESHET_AVRODEFAULT_H
#define FRESHET_AVRODEFAULT_H

#include <stdbool.h>

#include "avroschema.h"

/*
 * Encodes every default of the record types that the schema defines, into its arena. All types
 * must be complete. False and err (AVRO_ERROR_SCHEMA, AVRO_ERROR_LIMIT) when a default does not
 * fit.
 */
bool avrodefault_encode(struct avroschema *schema, struct avro_error *err);

#endif
