/* Parsing the options of `freshet replay`. */
#include "replay_options.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "text.h"

const char *const replay_kind_names[REPLAY_KINDS] = {
    "event", "pre_event", "decay", "open", "close", "correction", "retract", "fate",
    "as_of", "label",
};

enum {
    OPTION_INPUT = 'i',
    OPTION_OUTPUT = 'o',
    OPTION_JOBS = 'j',
    OPTION_FORMAT = 256,
    OPTION_ROWS,
    OPTION_AS_OF,
    OPTION_LABELS,
    OPTION_KNOWLEDGE,
    OPTION_AT,
    OPTION_OUTPUT_FORMAT,
    OPTION_SUMMARY,
    OPTION_FROM,
    OPTION_TO,
};

static const struct argp_option known[] = {
    {"input", OPTION_INPUT, "FILE", 0, "Events; - is standard input, the default", 1},
    {"format", OPTION_FORMAT, "F", 0,
     "Of the input: jsonl, avro, or kafka (the topic of -c); left out: seen from its first byte",
     1},
    {"from", OPTION_FROM, "WHERE", 0,
     "With kafka: the first offset, or a time such as 2026-01-31T00:00:00Z [the beginning]", 1},
    {"to", OPTION_TO, "WHERE", 0, "With kafka: where to stop, exclusive [the end as of now]", 1},
    {"rows", OPTION_ROWS, "KIND,...", 0,
     "event, pre_event, decay, open, close, correction, retract, fate [event, unless rows are "
     "asked for by --as-of, --labels or --at]", 2},
    {"as-of", OPTION_AS_OF, "TIME,...", 0,
     "The row of every key that has state, as it could be known just before these event times", 2},
    {"labels", OPTION_LABELS, "FILE", 0,
     "Joins labels with features: columns key, time and any others; CSV with a header, or JSON "
     "lines", 2},
    {"knowledge", OPTION_KNOWLEDGE, "K", 0,
     "With --labels: then (what could be known just before the label, the default) or final (all "
     "events before it, however late they came)", 2},
    {"at", OPTION_AT, "FILE", 0,
     "The rows of these points, JSON lines with partition, offset, as_of and key, as the daemon's "
     "debug.rows logs them", 2},
    {"output", OPTION_OUTPUT, "FILE", 0, "Rows; - is standard output, the default", 3},
    {"output-format", OPTION_OUTPUT_FORMAT, "F", 0, "jsonl (default) or avro", 3},
    {"summary", OPTION_SUMMARY, 0, 0,
     "Fates, sessions and watermarks as one JSON object on standard error", 3},
    {"jobs", OPTION_JOBS, "N", 0, "Threads; the output is the same bytes with any number [1]", 3},
    {0},
};

static const char doc[] =
    "Computes rows from recorded events, by the very core that serves them."
    "\v"
    "Events as JSON lines are objects with the fields of the schema, and may have @partition [0], "
    "@offset [one more than the last of the partition, from 0] and @timestamp, the record's time "
    "in ms [the event time]; \"@value\": null is a tombstone. {\"@op\": \"idle\", \"@partition\": "
    "0, \"as_of\": MS} says that a partition is idle and emits at that time.\n\n"
    "Try it: freshet replay --schema click.avsc --features features.ini --key user_id --time "
    "event_time --gap 30m events.jsonl\n\n"
    "Exit status: 0; 64 wrong usage; 65 the input is damaged (where and why is on standard error; "
    "all rows before that place were written); 66 a file cannot be read, or labels or points are "
    "wrong; 69 Kafka or the registry cannot be reached; 73 or 74 the output cannot be created or "
    "written; 78 configuration, features or schema are wrong. See freshet-replay(1).";

static void parse_rows(char *list, struct argp_state *state)
{
    struct replay_options *options = state->input;
    char *rest = NULL;
    options->rows = 0;
    for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        int kind = 0;
        while (kind < REPLAY_AS_OF && strcmp(replay_kind_names[kind], word) != 0)
            kind++;
        if (kind == REPLAY_AS_OF)
            argp_error(state, "--rows %s: there are event, pre_event, decay, open, close, "
                       "correction, retract and fate", word);
        options->rows |= 1u << kind;
    }
}

static void parse_times(char *list, struct argp_state *state)
{
    struct replay_options *options = state->input;
    char *rest = NULL;
    for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        if (options->as_of_count == REPLAY_TIMES_MAX)
            argp_error(state, "--as-of: more than %d times", REPLAY_TIMES_MAX);
        if (!text_parse_event_time(word, &options->as_of[options->as_of_count++]))
            argp_error(state, "--as-of %s: write a time such as 2026-01-31T00:00:00Z or ms since "
                       "the epoch", word);
    }
}

struct replay_bound replay_bound_parse(const char *name, const char *word,
                                       struct argp_state *state)
{
    struct replay_bound bound = {.kind = REPLAY_OFFSET};
    if (text_parse_long(word, &bound.value) && bound.value >= 0)
        return bound;
    bound.kind = REPLAY_TIME;
    if (!text_parse_event_time(word, &bound.value))
        argp_error(state, "%s %s: write an offset, or a time such as 2026-01-31T00:00:00Z", name,
                   word);
    return bound;
}

int replay_jobs_parse(const char *word, struct argp_state *state)
{
    int64_t number;
    if (!text_parse_long(word, &number) || number < 1 || number > REPLAY_JOBS_MAX)
        argp_error(state, "--jobs %s: write a number from 1 to %d", word, REPLAY_JOBS_MAX);
    return (int)number;
}

/* The place of the word among words (ended by NULL). */
static int parse_word(const char *name, const char *word, const char *const *words,
                      struct argp_state *state)
{
    struct text list = {0};
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    for (int i = 0; words[i]; i++)
        text_printf(&list, "%s%s", i > 0 ? ", " : "", words[i]);
    argp_error(state, "%s %s: write one of %s", name, word, list.data);
    text_free(&list);
    return 0;
}

static void check(struct replay_options *options, struct argp_state *state)
{
    bool asked = options->as_of_count > 0 || options->labels || options->at;
    if (options->rows == 0 && !asked)
        options->rows = 1u << REPLAY_EVENT;
    if (options->at && (options->rows != 0 || options->as_of_count > 0 || options->labels))
        argp_error(state, "--at gives rows of its own kind: leave out --rows, --as-of, --labels");
    if (options->at && options->avro_output)
        argp_error(state, "--at writes JSON lines only, as the daemon does");
    if (options->final_knowledge && !options->labels)
        argp_error(state, "--knowledge is for --labels");
    bool range = options->from.kind != REPLAY_WHOLE || options->to.kind != REPLAY_WHOLE;
    if (range && options->format != REPLAY_KAFKA)
        argp_error(state, "--from and --to are for --format kafka");
    if (options->format == REPLAY_KAFKA && !options->setup.config)
        argp_error(state, "--format kafka needs -c FILE, which names the topic");
    if (options->format == REPLAY_KAFKA && options->input)
        argp_error(state, "--format kafka reads the topic of -c FILE: leave out %s",
                   options->input);
    if (!options->input && options->format != REPLAY_KAFKA && isatty(STDIN_FILENO))
        argp_error(state, "no input: name a file, or - for standard input");
    if (!options->input)
        options->input = "-";
    if (!options->setup.config && options->setup.setting_count == 0)
        argp_error(state, "name a configuration (-c FILE), or --schema and --features");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    static const char *const formats[] = {"jsonl", "avro", "kafka", NULL};
    static const char *const outputs[] = {"jsonl", "avro", NULL};
    static const char *const knowledge[] = {"then", "final", NULL};
    struct replay_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->setup;
        return 0;
    case ARGP_KEY_ARG:
    case OPTION_INPUT:
        if (options->input)
            argp_error(state, "one input only: %s or %s", options->input, argument);
        options->input = argument;
        return 0;
    case OPTION_FORMAT:
        options->format = REPLAY_JSONL + (unsigned)parse_word("--format", argument, formats, state);
        return 0;
    case OPTION_FROM:
        options->from = replay_bound_parse("--from", argument, state);
        return 0;
    case OPTION_TO:
        options->to = replay_bound_parse("--to", argument, state);
        return 0;
    case OPTION_ROWS:
        parse_rows(argument, state);
        return 0;
    case OPTION_AS_OF:
        parse_times(argument, state);
        return 0;
    case OPTION_LABELS:
        options->labels = argument;
        return 0;
    case OPTION_KNOWLEDGE:
        options->final_knowledge = parse_word("--knowledge", argument, knowledge, state) == 1;
        return 0;
    case OPTION_AT:
        options->at = argument;
        return 0;
    case OPTION_OUTPUT:
        options->output = argument;
        return 0;
    case OPTION_OUTPUT_FORMAT:
        options->avro_output = parse_word("--output-format", argument, outputs, state) == 1;
        return 0;
    case OPTION_SUMMARY:
        options->summary = true;
        return 0;
    case OPTION_JOBS:
        options->jobs = replay_jobs_parse(argument, state);
        return 0;
    case ARGP_KEY_END:
        check(options, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void replay_options_parse(int argc, char **argv, struct replay_options *options)
{
    static const struct argp_child children[] = {
        {&replay_setup_argp, 0, "What the events are:", -1}, {0}};
    static const struct argp argp = {
        .options = known,
        .parser = parse,
        .args_doc = "[FILE]",
        .doc = doc,
        .children = children,
    };
    *options = (struct replay_options){.output = "-", .jobs = 1};
    argp_err_exit_status = EX_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, options);
}
