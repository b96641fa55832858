/* A sample of the topic: does each entity key stay in one partition, and can records be read? */
#ifndef FRESHET_CHECK_SAMPLE_H
#define FRESHET_CHECK_SAMPLE_H

#include <stdbool.h>
#include <uv.h>

#include "config.h"
#include "kafka.h"
#include "model.h"
#include "text.h"

struct check_sample;

/* The newest `wanted` records, as many of each partition as of the others. done is called once,
 * from the loop, when all were looked at. NULL and a reason (KAFKA_ERROR_TEXT bytes) when a writer
 * schema cannot be used. */
struct check_sample *check_sample_open(uv_loop_t *loop, const struct config *config,
                                       const struct model *model, int64_t wanted,
                                       void (*done)(void *context), void *context, char *error);
/* The topic is known. */
void check_sample_start(struct check_sample *sample, struct kafka *kafka, int32_t partitions);
/* kafka has messages. */
void check_sample_poll(struct check_sample *sample, struct kafka *kafka);
/* Records looked at so far, of how many. */
void check_sample_progress(const struct check_sample *sample, int64_t *seen, int64_t *wanted);
/* What was found: a line to out, what is wrong to errors. */
void check_sample_report(struct check_sample *sample, struct text *out,
                         struct config_errors *errors);
/* closed is called from the loop. */
void check_sample_close(struct check_sample *sample, void (*closed)(void *context),
                        void *context);

#endif
