/* Compiles schemas to instructions. Used by avroplan only, whose header has the arguments. */
#ifndef FRESHET_AVROBUILD_H
#define FRESHET_AVROBUILD_H

#include "avrocode.h"

/* Fills in an all-zero plan; false and err when it does not work. Finish the plan either way. */
bool avrobuild_plan(struct avroplan *plan, const struct avroschema *writer,
                    const struct avroschema *reader, const struct projection *projection,
                    bool strict, struct avro_error *err);
/* Gives back what the plan owns. */
void avrobuild_fini(struct avroplan *plan);

#endif
