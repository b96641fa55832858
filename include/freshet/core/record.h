/* What the core is given for each record of the log, and what it says became of it. */
#ifndef FRESHET_RECORD_H
#define FRESHET_RECORD_H

#include <stdint.h>

#include "value.h"

enum fate {
    FATE_NONE = -1, /* not decided yet */
#define FATE(ID, name, class, sentence) FATE_##ID,
#include "fates.def"
#undef FATE
    FATE_COUNT_OF
};

enum fate_class { FATE_KEPT, FATE_QUIET, FATE_LATE_TOPIC, FATE_DEAD_LETTER };

struct fate_row {
    const char *name;
    enum fate_class class;
    const char *sentence;
};
extern const struct fate_row fate_rows[FATE_COUNT_OF];

#define RECORD_NO_TIME INT64_MIN

struct record {
    int64_t offset;
    int64_t record_time_ms;    /* Kafka's, or RECORD_NO_TIME */
    enum fate fate;            /* found before the core (tombstone ... undecodable), or FATE_NONE */
    const struct value *slots; /* decoded fields; unused when fate is set */
};

struct verdict {
    enum fate fate;
    int64_t late_by_ms; /* watermark - event time, for LATE and WINDOWS_ONLY; else 0 */
};

#endif
