/* The command line of freshetd. */
#ifndef FRESHET_OPTIONS_H
#define FRESHET_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_CONFIG "/etc/freshet/freshet.ini"

struct options {
    const char *config; /* -c FILE; NULL: not given */
    bool check;         /* --check */
    bool online;        /* --online: also ask Kafka, the registry and Redis */
    int64_t sample;     /* --sample N: records of the topic to look at; 0: none */
    const char *dump;   /* --dump WHAT, a word of dump_names; NULL: none */
    const char *format; /* --format F, a word of dump_formats */
};

/* Ends the process with what is wrong (exit 64), and for --help and --version. */
struct options options_parse(int argc, char **argv);

/* The file to read when the daemon is to run or to be checked. */
static inline const char *options_config(const struct options *options)
{
    return options->config ? options->config : OPTIONS_CONFIG;
}

#endif
