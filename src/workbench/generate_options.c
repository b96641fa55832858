/* Parsing the options of `freshet generate` from their rows. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate_options.h"
#include "text.h"

enum type { STRING, LONG, DURATION, SHARE, NUMBER, FLAG };

static const struct row {
    enum type type;
    size_t offset;
    const char *name;
    const char *initial;
    const char *sentence;
} rows[] = {
#define GENERATE_OPTION(type, field, name, default, sentence)                                      \
    {type, offsetof(struct generate_options, field), name, default, sentence},
    GENERATE_OPTIONS(GENERATE_OPTION)
#undef GENERATE_OPTION
};

enum { ROWS = sizeof rows / sizeof *rows };

static bool parse_number(const char *text, double max, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return end != text && !*end && *number >= 0 && *number <= max;
}

static bool set(const struct row *row, const char *text, struct generate_options *options)
{
    void *field = (char *)options + row->offset;
    switch (row->type) {
    case STRING:
        *(const char **)field = text;
        return true;
    case LONG:
        return text_parse_long(text, field) && *(int64_t *)field >= 0;
    case DURATION:
        return text_parse_duration(text, field);
    case SHARE:
        return parse_number(text, 1, field);
    case NUMBER:
        return parse_number(text, 1e9, field);
    case FLAG:
        *(bool *)field = true;
        return true;
    }
    return false;
}

static void help(void)
{
    static const char *const shown[] = {"TEXT", "N", "TIME", "SHARE", "X", ""};
    printf("Usage: freshet generate [OPTION]...\n"
           "Makes a clickstream of a shop, always the same for the same seed. What the records\n"
           "will become is known: see --summary.\n\n");
    for (int i = 0; i < ROWS; i++) {
        char word[64];
        snprintf(word, sizeof word, "--%s %s", rows[i].name, shown[rows[i].type]);
        printf("  %-26s %s%s%s%s\n", word, rows[i].sentence, rows[i].initial[0] ? " [" : "",
               rows[i].initial, rows[i].initial[0] ? "]" : "");
    }
    printf(
        "\nExit status: 0; 64 for wrong usage; 66 for a file that cannot be read; 69 when Kafka\n"
        "cannot be reached; 74 when something was not stored.\n");
}

/* Cuts the argument in place. */
static bool add_property(char *text, struct generate_options *options)
{
    char *value = strchr(text, '=');
    if (!value || options->property_count == GENERATE_PROPERTIES_MAX)
        return false;
    *value = 0;
    options->properties[options->property_count++] = (struct kafka_property){text, value + 1};
    return true;
}

static enum generate_parsed wrong(const struct row *row, const char *text)
{
    static const char *const wanted[] = {
        [STRING] = "NAME=VALUE, at most 32 of them",
        [LONG] = "a whole number, 0 or more",
        [DURATION] = "a time such as 30s, 5m or 7d",
        [SHARE] = "a share from 0 to 1, such as 0.05",
        [NUMBER] = "a number from 0 to 1000000000",
    };
    fprintf(stderr, "freshet generate: --%s %s: give %s\n", row->name, text, wanted[row->type]);
    return GENERATE_WRONG;
}

enum generate_parsed generate_options_parse(int argc, char **argv, struct generate_options *options)
{
    enum { HELP = 1000 };
    struct option table[ROWS + 2] = {{"help", no_argument, NULL, HELP}};
    *options = (struct generate_options){.property_count = 0};
    for (int i = 0; i < ROWS; i++) {
        int argument = rows[i].type == FLAG ? no_argument : required_argument;
        table[i + 1] = (struct option){rows[i].name, argument, NULL, i};
        if (rows[i].type != FLAG)
            set(&rows[i], rows[i].initial, options);
    }
    int chosen;
    while ((chosen = getopt_long(argc, argv, "", table, NULL)) >= 0) {
        if (chosen == HELP) {
            help();
            return GENERATE_HELP;
        }
        if (chosen == '?')
            return GENERATE_WRONG;
        const struct row *row = &rows[chosen];
        bool ok = row->offset == offsetof(struct generate_options, property)
                      ? add_property(optarg, options)
                      : set(row, optarg, options);
        if (!ok)
            return wrong(row, optarg);
    }
    if (optind < argc) {
        fprintf(stderr, "freshet generate: %s: not an option\n", argv[optind]);
        return GENERATE_WRONG;
    }
    return GENERATE_RUN;
}
