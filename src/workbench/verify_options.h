/* The command line of `freshet verify`. */
#ifndef FRESHET_VERIFY_OPTIONS_H
#define FRESHET_VERIFY_OPTIONS_H

#include <stdint.h>

#include "replay_options.h"

struct verify_options {
    struct replay_options input; /* where the records come from, configuration and threads */
    uint64_t sample_keys; /* at most so many keys take part; 0: as many as the share */
    double sample_share;  /* 1: all */
};

/* Ends the process with what is wrong (exit 64), and for --help. */
void verify_options_parse(int argc, char **argv, struct verify_options *options);

#endif
