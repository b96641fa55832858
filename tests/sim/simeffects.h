/* An observed shard against the model's story, and the shortest log on which they differ. */
#ifndef FRESHET_TESTS_SIMEFFECTS_H
#define FRESHET_TESTS_SIMEFFECTS_H

#include "simlog.h"

/* Runs the log through an observed shard; when an effect or its row is not the model's, says so
 * with a shortest log that still shows a difference, and ends the program with 1. */
void simeffects_check(const struct rules *rules, const struct simlog *log, uint64_t seed);
/* The same without an end: false when they differ, which is then said on standard output. */
bool simeffects_agree(const struct rules *rules, const struct simlog *log, uint64_t seed);
/* Prints a shortest log on which they differ; nothing when they agree on this one. */
void simeffects_shrink(const struct rules *rules, const struct simlog *log, uint64_t seed);

#endif
