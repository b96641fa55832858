/* Compiles schemas to instructions. Used by avroplan only; see avroplan_compile for the arguments. */
#ifndef FRESHET_AVROBUILD_H
#define FRESHET_AVROBUILD_H

#include "avrocode.h"

/* Fills in an all-zero plan. False and err when it does not work; the plan is to be freed always. */
bool avrobuild_plan(struct avroplan *plan, const struct avroschema *writer,
                    const struct avroschema *reader, const struct projection *projection,
                    bool strict, struct avro_error *err);
/* Gives back what the plan owns. */
void avrobuild_fini(struct avroplan *plan);

#endif
