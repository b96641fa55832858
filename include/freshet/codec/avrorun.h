/* Runs the instructions of a plan over one datum. Used by avroplan and the plan compiler only. */
#ifndef FRESHET_AVRORUN_H
#define FRESHET_AVRORUN_H

#include "avrocode.h"

/* slots: at least plan->slot_count, or 1 for a whole datum, which also needs the sink. used: where
 * the datum ends, when others may follow it; NULL: none may. */
bool avrorun_datum(const struct avroplan *plan, const void *bytes, size_t len, struct value *slots,
                   const struct avroplan_sink *sink, size_t *used, struct avro_error *err);

#endif
