/* freshetd --check and freshet check: everything that is wrong, at once, before a start. */
#ifndef FRESHET_CHECK_H
#define FRESHET_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

struct check_options {
    const char *path; /* of the configuration */
    bool online;      /* also ask Kafka, the registry and Redis */
    int64_t sample;   /* records of the topic to look at; 0: none */
};

/*
 * Appends a summary to out when all is well, else every error (and, in any case, every warning) to
 * err. Returns the exit status: 0 or CONFIG_EXIT; online 69 (EX_UNAVAILABLE) when the files are
 * right but what they name is not.
 */
int check_run(const struct check_options *options, struct text *out, struct text *err);

#endif
