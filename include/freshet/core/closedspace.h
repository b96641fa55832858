/* What features with `on = session` see: a session that has become immutable, by field names. */
#ifndef FRESHET_CLOSEDSPACE_H
#define FRESHET_CLOSEDSPACE_H

#include "fieldspace.h"

/* Slots of the values that expressions over a closed session are given; ts is its last event's. */
enum closedspace_slot {
    CLOSED_ID,
    CLOSED_START,
    CLOSED_LAST,
    CLOSED_DURATION,
    CLOSED_EVENT_COUNT,
    CLOSED_MEAN_GAP, /* a double, null below two events; all others are longs */
    CLOSED_SLOTS
};

struct fieldspace closedspace(void);

#endif
