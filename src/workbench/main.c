/* freshet: the workbench. Finds the command and leaves the rest to it. */
#include "workbench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *sentence;
} commands[] = {
    {"check", check_main, "say everything that is wrong with a configuration"},
    {"replay", replay_main, "compute rows from recorded events, as the daemon would"},
    {"test", test_main, "run the example tests of a features file"},
    {"verify", verify_main, "compare the rows in Redis with the records they came from"},
    {"decode", decode_main, "decode an Avro datum and print it as JSON"},
    {"generate", generate_main, "make a clickstream, to a topic or as JSON lines"},
    {"broker", broker_main, "run a Kafka broker in memory, for demonstrations"},
    {"inspect", inspect_main,
     "print a topic or an Avro container file as JSON lines; look at checkpoints"},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *stream)
{
    fprintf(stream, "Usage: freshet COMMAND [OPTION...]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].sentence);
    fprintf(stream, "\n`freshet COMMAND --help` says more. See freshet(1).\n");
}

/* What was printed must have arrived: a full disk is no success. */
static int finish(int status)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
        fputs("freshet: standard output cannot be written\n", stderr);
        return EX_IOERR;
    }
    return status;
}

static int run(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        printf("freshet %s\n", FRESHET_VERSION);
        return 0;
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? EX_USAGE : 0;
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, argv[1]) != 0)
            continue;
        static char name[32]; /* also for messages */
        snprintf(name, sizeof name, "freshet %s", commands[i].name);
        argv[1] = program_invocation_name = name;
        return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "freshet: there is no command %s\n\n", argv[1]);
    usage(stderr);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    return finish(run(argc, argv));
}
