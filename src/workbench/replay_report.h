/* How far a replay is, and what it amounts to. */
#ifndef FRESHET_REPLAY_REPORT_H
#define FRESHET_REPLAY_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "replay_lane.h"
#include "replay_source.h"

struct replay_report {
    bool on_terminal;
    bool shown;        /* a line of progress stands there */
    int64_t began_ms, shown_ms;
    int64_t records;
};

void replay_report_begin(struct replay_report *report);
/* Now and then a line on standard error, if that is a terminal. */
void replay_report_progress(struct replay_report *report, const struct replay_source *source);
void replay_report_end(struct replay_report *report);
/* Fates, sessions and watermarks as one JSON object on standard error. */
void replay_report_summary(struct lane *const *lanes, int lane_count, uint64_t version,
                           uint64_t rows);

#endif
