/* Parses the command line of freshetd by argp, which also makes --help. */
#include "options.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "check_online.h"
#include "dump.h"
#include "kafka.h"

enum { OPTION_CHECK = 256, OPTION_ONLINE, OPTION_SAMPLE, OPTION_DUMP, OPTION_FORMAT };

static const struct argp_option known[] = {
    {"config", 'c', "FILE", 0, "Configuration file (default " OPTIONS_CONFIG ")", 0},
    {"check", OPTION_CHECK, 0, 0, "Say everything that is wrong with configuration, features and "
     "schemas, and end: exit 0, or 78", 1},
    {"online", OPTION_ONLINE, 0, 0, "With --check: also ask Kafka, the registry and Redis", 1},
    {"sample", OPTION_SAMPLE, "N", 0, "With --check --online: look at N records of the topic, "
     "whether it is partitioned by event.key", 1},
    {"dump", OPTION_DUMP, "WHAT", 0, "Print config, features, operators, metrics, control, "
     "fates or rebalances, and end", 2},
    {"format", OPTION_FORMAT, "FORMAT", 0, "of --dump: text, md, json or man; ini for config; "
     "avsc, the schema of rows in redis.layout packed, for features", 2},
    {0},
};

static bool is_word(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static void check_together(const struct options *options, struct argp_state *state)
{
    if (options->online && !options->check)
        argp_error(state, "--online needs --check");
    if (options->sample > 0 && !options->online)
        argp_error(state, "--sample needs --check --online");
    if (options->dump && options->check)
        argp_error(state, "--dump and --check do not go together");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'c':
        options->config = argument;
        return 0;
    case OPTION_CHECK:
        options->check = true;
        return 0;
    case OPTION_ONLINE:
        options->online = true;
        return 0;
    case OPTION_SAMPLE:
        if (!text_parse_long(argument, &options->sample) || options->sample < 1 ||
            options->sample > CHECK_SAMPLE_MAX)
            argp_error(state, "--sample %s: write a number from 1 to %d", argument,
                       CHECK_SAMPLE_MAX);
        return 0;
    case OPTION_DUMP:
        if (!is_word(argument, dump_names))
            argp_error(state, "--dump %s: write config, features, operators, metrics, control, "
                       "fates or rebalances", argument);
        options->dump = argument;
        return 0;
    case OPTION_FORMAT:
        if (!is_word(argument, dump_formats))
            argp_error(state, "--format %s: write text, md, json, man, ini or avsc", argument);
        options->format = argument;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s is not expected here", argument);
        return 0;
    case ARGP_KEY_END:
        check_together(options, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "freshetd %s (librdkafka %s)\n", FRESHET_VERSION, kafka_library_version());
}

struct options options_parse(int argc, char **argv)
{
    struct options options = {.format = "text"};
    static const struct argp argp = {
        .options = known,
        .parser = parse,
        .doc = "Consumes click events from Kafka and keeps features fresh in Redis.\v"
               "Everything else is in the configuration file: see freshet.ini(5), or "
               "freshetd --dump config.",
    };
    argp_program_version_hook = print_version;
    argp_err_exit_status = EX_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    return options;
}
