/* The table of fates. */
#include "record.h"

#define KEPT  FATE_KEPT
#define QUIET FATE_QUIET
#define LATE  FATE_LATE_TOPIC
#define DEAD  FATE_DEAD_LETTER

const struct fate_row fate_rows[FATE_COUNT_OF] = {
#define FATE(ID, name, class, sentence) [FATE_##ID] = {#name, class, sentence},
#include "fates.def"
#undef FATE
};
