/* freshet check: what freshetd --check does, under the workbench's name. */
#include "check.h"

#include <argp.h>
#include <stdio.h>
#include <sysexits.h>

#include "check_online.h"
#include "options.h"
#include "workbench.h"

enum { OPTION_ONLINE = 256, OPTION_SAMPLE };

static const struct argp_option known[] = {
    {"config", 'c', "FILE", 0, "Configuration file (default " OPTIONS_CONFIG ")", 0},
    {"online", OPTION_ONLINE, 0, 0, "Also ask Kafka, the registry and Redis", 0},
    {"sample", OPTION_SAMPLE, "N", 0, "With --online: look at N records of the topic, whether it "
     "is partitioned by event.key", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct check_options *options = state->input;
    switch (key) {
    case 'c':
    case ARGP_KEY_ARG:
        options->path = argument;
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
    case ARGP_KEY_END:
        if (options->sample > 0 && !options->online)
            argp_error(state, "--sample needs --online");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int check_main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = known,
        .parser = parse,
        .args_doc = "[FILE]",
        .doc = "Says everything that is wrong with configuration, features and schemas. Exit "
               "status: 0, 78 (a file is wrong) or 69 (what the files name is not usable).",
    };
    struct check_options options = {.path = OPTIONS_CONFIG};
    argp_err_exit_status = EX_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    struct text out = {0}, err = {0};
    int status = check_run(&options, &out, &err);
    fwrite(err.data, 1, err.len, stderr);
    fwrite(out.data, 1, out.len, stdout);
    text_free(&out);
    text_free(&err);
    return status;
}
