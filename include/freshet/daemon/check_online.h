/* What the configuration names, asked: Kafka, the schema registry, Redis. */
#ifndef FRESHET_CHECK_ONLINE_H
#define FRESHET_CHECK_ONLINE_H

#include <stdint.h>

#include "config.h"
#include "model.h"
#include "text.h"

enum {
    CHECK_ONLINE_MS = 10000, /* all answers must be here by then ... */
    CHECK_SAMPLE_MS = 60000, /* ... and the sample so much later */
    CHECK_SAMPLE_MAX = 1000000, /* records */
};

/* Appends what it finds to out, and what is wrong to errors. sample: records of the topic to look
 * at, whether each entity key is in one partition only; 0: none. Takes up to CHECK_ONLINE_MS. */
void check_online(const struct config *config, const struct model *model, int64_t sample,
                  struct text *out, struct config_errors *errors);

#endif
