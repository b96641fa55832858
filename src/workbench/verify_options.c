/* Parsing the options of `freshet verify`. */
#include "verify_options.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "text.h"

enum { OPTION_FROM = 256, OPTION_TO, OPTION_FORMAT };

static const struct argp_option known[] = {
    {"config", 'c', "FILE", 0, "Configuration of the daemon whose rows are to be verified", 0},
    {"sample", 's', "N|SHARE", 0,
     "So many keys (1000), or a share of them (0.01 or 1%), chosen by their hash [all]", 0},
    {"input", 'i', "FILE", 0, "Records from JSON lines or an Avro container file [the topic of -c]",
     0},
    {"format", OPTION_FORMAT, "F", 0,
     "Of --input: jsonl or avro; left out: seen from its first byte", 0},
    {"from", OPTION_FROM, "WHERE", 0,
     "The first offset of the topic, or a time such as 2026-01-31T00:00:00Z [the beginning]", 0},
    {"to", OPTION_TO, "WHERE", 0, "Where to stop, exclusive [the end as of now]", 0},
    {"jobs", 'j', "N", 0, "Threads [1]", 0},
    {0},
};

static const char doc[] =
    "Computes the rows of Redis anew from the records they came from, by the very core that "
    "serves them, and compares key by key. Redis is only read."
    "\v"
    "Prints a line for each difference: key, feature, what is in Redis, what was computed, and "
    "why, as far as that can be found; then a summary. Memory is that of the keys that take part: "
    "about 1 KB each, and their state.\n\n"
    "Exit status: 0 nothing differs without an explanation; 1 something does; 64 wrong usage; 65 "
    "the input is damaged; 66 a file cannot be read; 69 Kafka, Redis or the registry cannot be "
    "reached or refuse us; 78 the configuration is wrong. See freshet-verify(1).";

static void parse_sample(char *argument, struct argp_state *state)
{
    struct verify_options *options = state->input;
    int64_t number;
    if (text_parse_long(argument, &number) && number > 0) {
        options->sample_keys = (uint64_t)number;
        return;
    }
    char *end;
    double share = strtod(argument, &end);
    if (strcmp(end, "%") == 0) {
        share /= 100;
        end++;
    }
    if (end == argument || *end || !(share > 0 && share <= 1))
        argp_error(state, "--sample %s: write a number of keys, or a share such as 0.01 or 1%%",
                   argument);
    options->sample_share = share;
}

static void check(struct verify_options *options, struct argp_state *state)
{
    struct replay_options *input = &options->input;
    if (!input->setup.config)
        argp_error(state, "name the daemon's configuration: -c FILE");
    bool range = input->from.kind != REPLAY_WHOLE || input->to.kind != REPLAY_WHOLE;
    if (input->input && range)
        argp_error(state, "--from and --to are for the topic, not for --input");
    if (!input->input && input->format != REPLAY_GUESS)
        argp_error(state, "--format is for --input");
    if (!input->input)
        input->format = REPLAY_KAFKA;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct verify_options *options = state->input;
    struct replay_options *input = &options->input;
    switch (key) {
    case 'c':
        input->setup.config = argument;
        return 0;
    case 's':
        parse_sample(argument, state);
        return 0;
    case 'i':
        input->input = argument;
        return 0;
    case OPTION_FORMAT:
        if (strcmp(argument, "jsonl") != 0 && strcmp(argument, "avro") != 0)
            argp_error(state, "--format %s: write one of jsonl, avro", argument);
        input->format = argument[0] == 'j' ? REPLAY_JSONL : REPLAY_AVRO;
        return 0;
    case OPTION_FROM:
        input->from = replay_bound_parse("--from", argument, state);
        return 0;
    case OPTION_TO:
        input->to = replay_bound_parse("--to", argument, state);
        return 0;
    case 'j':
        input->jobs = replay_jobs_parse(argument, state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: nothing is expected beside options (--input %s?)", argument,
                   argument);
        return 0;
    case ARGP_KEY_END:
        check(options, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void verify_options_parse(int argc, char **argv, struct verify_options *options)
{
    static const struct argp argp = {.options = known, .parser = parse, .doc = doc};
    *options = (struct verify_options){.sample_share = 1, .input.jobs = 1};
    argp_err_exit_status = EX_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, options);
}
