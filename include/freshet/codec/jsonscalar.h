/* JSON scalars as Avro binary of their type. Used by jsonavro only. */
#ifndef FRESHET_JSONSCALAR_H
#define FRESHET_JSONSCALAR_H

#include "avroschema.h"
#include "jsonscan.h"

void jsonscalar_put_long(struct text *out, int64_t number);
void jsonscalar_put_bytes(struct text *out, const char *bytes, size_t len);

/* Takes the value that stands next and appends it; false with an error in scan. type is no record,
 * array, map or union; scratch is overwritten. */
bool jsonscalar_put(struct jsonscan *scan, const struct avro_type *type, struct text *scratch,
                    struct text *out);

#endif
