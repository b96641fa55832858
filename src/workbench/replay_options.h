/* The command line of `freshet replay`. */
#ifndef FRESHET_REPLAY_OPTIONS_H
#define FRESHET_REPLAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "replay_setup.h"

enum {
    REPLAY_TIMES_MAX = 1024, /* of --as-of */
    REPLAY_JOBS_MAX = 64,
};

/* Kinds of rows, a bit each in the order of their names. */
enum replay_kind {
    REPLAY_EVENT,
    REPLAY_PRE_EVENT,
    REPLAY_DECAY,
    REPLAY_OPEN,
    REPLAY_CLOSE,
    REPLAY_CORRECTION,
    REPLAY_RETRACT,
    REPLAY_FATE,
    REPLAY_AS_OF, /* of --as-of; from here on not for --rows */
    REPLAY_LABEL, /* of --labels */
    REPLAY_KINDS
};
extern const char *const replay_kind_names[REPLAY_KINDS];

enum replay_format { REPLAY_GUESS, REPLAY_JSONL, REPLAY_AVRO, REPLAY_KAFKA };

/* The beginning or end of a Kafka range. */
struct replay_bound {
    enum { REPLAY_WHOLE, REPLAY_OFFSET, REPLAY_TIME } kind;
    int64_t value; /* offset, or event time in ms */
};

struct replay_options {
    struct replay_setup_options setup;
    const char *input; /* "-": standard input */
    enum replay_format format;
    struct replay_bound from, to;
    unsigned rows; /* bits of enum replay_kind */
    int64_t as_of[REPLAY_TIMES_MAX];
    int as_of_count;
    const char *labels, *at; /* files; NULL: none */
    bool final_knowledge;
    const char *output; /* "-": standard output */
    bool avro_output;
    bool summary;
    int jobs;
};

/* Ends the process with what is wrong (exit 64), and for --help. */
void replay_options_parse(int argc, char **argv, struct replay_options *options);

/* Of the option name; ends the process when word is neither an offset nor a time. */
struct replay_bound replay_bound_parse(const char *name, const char *word,
                                       struct argp_state *state);
/* Of --jobs; ends the process when word is no number from 1 to REPLAY_JOBS_MAX. */
int replay_jobs_parse(const char *word, struct argp_state *state);

#endif
