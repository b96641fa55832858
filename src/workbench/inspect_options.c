/* Parsing the options of `freshet inspect`. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "inspect_options.h"
#include "text.h"

static const char help[] =
    "Usage: freshet inspect FILE.avro [--count N]\n"
    "       freshet inspect --topic T [--brokers B] [--schema [ID=]FILE]... [OPTION]...\n"
    "       freshet inspect --checkpoint DIR|TOPIC [--config FILE [--key KEY]] [OPTION]...\n"
    "       freshet inspect --redis KEY --config FILE\n"
    "Prints records as JSON lines: those of a container file, or those a topic holds now. Or\n"
    "reads all that is kept in a directory or topic of checkpoints, and says what each shard\n"
    "would start from, and where anything is damaged. Or prints the row of an entity's key as it\n"
    "is in Redis, whichever layout it has.\n"
    "\n"
    "  --brokers B        127.0.0.1:9092\n"
    "  --framing F        confluent (default), single_object or raw\n"
    "  --schema [ID=]FILE writer schema; with its id for confluent; may be given several times\n"
    "  --from WHERE       beginning (default), an offset, or a time as 2026-01-31T00:00:00Z\n"
    "  --partition P      only this one\n"
    "  --count N          stop after N records\n"
    "  --follow           go on waiting for records\n"
    "  --property N=V     librdkafka property; may be given several times\n"
    "  --config FILE      the daemon's; with it a checkpoint is not only checked but loaded\n"
    "  --key KEY          what a checkpoint has of this key, in words\n"
    "  --help             this text\n"
    "\n"
    "What cannot be decoded is printed as hexadecimal text beside the reason. Exit status: 0; 64\n"
    "for wrong usage; 65 for a damaged file or checkpoint, or a row of other features; 66 for a\n"
    "file that cannot be read, or when there is no checkpoint, key or row; 69 when Kafka or Redis\n"
    "cannot be reached within 30 seconds; 78 when the configuration is wrong.\n";

static bool parse_framing(const char *word, enum framing *framing)
{
    static const char *const words[] = {"confluent", "single_object", "raw"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i]) == 0) {
            *framing = (enum framing)i;
            return true;
        }
    }
    return false;
}

static bool parse_from(const char *word)
{
    int64_t number;
    return strcmp(word, "beginning") == 0 || (text_parse_long(word, &number) && number >= 0) ||
           text_parse_event_time(word, &number);
}

static bool parse_property(struct inspect_options *options, char *word)
{
    char *value = strchr(word, '=');
    if (!value || options->property_count == INSPECT_PROPERTIES_MAX)
        return false;
    *value = 0;
    options->properties[options->property_count++] = (struct kafka_property){word, value + 1};
    return true;
}

static bool parse_option(struct inspect_options *options, int option)
{
    int64_t number = -1;
    switch (option) {
    case 't':
        options->topic = optarg;
        return true;
    case 'c':
        options->checkpoint = optarg;
        return true;
    case 'k':
        options->key = optarg;
        return optarg[0];
    case 'r':
        options->redis = optarg;
        return optarg[0];
    case 'C':
        options->config = optarg;
        return true;
    case 'b':
        options->brokers = optarg;
        return true;
    case 'f':
        return parse_framing(optarg, &options->framing);
    case 's':
        if (options->schema_count == INSPECT_SCHEMAS_MAX)
            return false;
        options->schemas[options->schema_count++] = optarg;
        return true;
    case 'o':
        options->from = optarg;
        return parse_from(optarg);
    case 'p':
        if (!text_parse_long(optarg, &number) || number < 0 || number >= KAFKA_MAX_PARTITIONS)
            return false;
        options->partition = (int32_t)number;
        return true;
    case 'n':
        return text_parse_long(optarg, &options->count) && options->count >= 0;
    case 'x':
        return parse_property(options, optarg);
    case 'F':
        return options->follow = true;
    case 'h':
        return options->wants_help = true;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct inspect_options *options)
{
    static const struct option table[] = {
        {"topic", required_argument, NULL, 't'},
        {"checkpoint", required_argument, NULL, 'c'},
        {"redis", required_argument, NULL, 'r'},
        {"key", required_argument, NULL, 'k'},
        {"config", required_argument, NULL, 'C'},
        {"brokers", required_argument, NULL, 'b'},
        {"framing", required_argument, NULL, 'f'},
        {"schema", required_argument, NULL, 's'},
        {"from", required_argument, NULL, 'o'},
        {"partition", required_argument, NULL, 'p'},
        {"count", required_argument, NULL, 'n'},
        {"property", required_argument, NULL, 'x'},
        {"follow", no_argument, NULL, 'F'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, row = 0;
    while ((option = getopt_long(argc, argv, "", table, &row)) >= 0) {
        if (parse_option(options, option))
            continue;
        if (option != '?')
            fprintf(stderr, "freshet inspect: --%s %s: not understood\n", table[row].name, optarg);
        return false;
    }
    if (optind < argc)
        options->file = argv[optind++];
    if (options->wants_help)
        return true;
    int given = (options->file != NULL) + (options->topic != NULL) +
                (options->checkpoint != NULL) + (options->redis != NULL);
    bool one = optind == argc && given == 1;
    if (!one)
        fputs("freshet inspect: give one file, --topic, --checkpoint or --redis\n", stderr);
    bool belong = !options->key || (options->checkpoint && options->config);
    if (!belong)
        fputs("freshet inspect: --key needs --checkpoint and --config\n", stderr);
    bool configured = !options->redis || options->config;
    if (!configured)
        fputs("freshet inspect: --redis needs --config\n", stderr);
    return one && belong && configured;
}

int inspect_options_parse(int argc, char **argv, struct inspect_options *options)
{
    *options = (struct inspect_options){
        .brokers = "127.0.0.1:9092", .from = "beginning", .count = -1, .partition = -1};
    if (!parse(argc, argv, options)) {
        fputs("Try `freshet inspect --help`.\n", stderr);
        return EX_USAGE;
    }
    if (options->wants_help)
        fputs(help, stdout);
    return EX_OK;
}
