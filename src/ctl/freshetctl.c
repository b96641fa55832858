/* freshetctl: the operator's tool, a comfortable client of the control socket. */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl_exit.h"
#include "ctl_info.h"
#include "ctl_link.h"
#include "ctl_top.h"

enum {
    OPTION_READY = 256,
    OPTION_TIMEOUT,
    HEALTH_MS = 3000, /* a loop that does not answer in this time hangs */
    WORDS_MAX = 32,
};

/* argp looks for this name: it must not be hidden as all else is. */
__attribute__((visibility("default"))) const char *argp_program_version =
    "freshetctl " FRESHET_VERSION;

struct arguments {
    const char *path;
    bool json;
    bool ready; /* health: not only alive but ready */
    int64_t frames, interval_ms, timeout_ms;
    const char *words[WORDS_MAX];
    int count;
};

static const struct argp_option options[] = {
    {"socket", 's', "PATH", 0,
     "Control socket (default $FRESHET_CONTROL_SOCKET, /run/freshet/control.sock, or stat.sock "
     "beside it)", 0},
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {"count", 'n', "COUNT", 0, "top: frames to show (default: until q or Ctrl-C)", 0},
    {"interval", 'i', "TIME", 0, "top: time between frames (default 1s)", 0},
    {"ready", OPTION_READY, NULL, 0, "health: fail also when the daemon is not ready", 0},
    {"timeout", OPTION_TIMEOUT, "TIME", 0,
     "How long to wait for an answer (default: health 3s, others as long as it takes)", 0},
    {0},
};

static const char usage_text[] = "COMMAND [ARGUMENT...]";
static const char documentation[] =
    "Looks at and steers a running freshetd.\v"
    "Commands:\n"
    "  status          one screen: state, alarms, rates, lag, Redis, fates\n"
    "  top             the same live: rates, fates and partitions every second\n"
    "  explain KEY     why the row of a key is what it is\n"
    "  get KEY         the row of a key as it would be written now\n"
    "  health          is it alive? For health checks of containers\n"
    "  help            all commands of the daemon, any of which may be given: lag,\n"
    "                  shards, fates, features, schemas, metrics, pause, resume,\n"
    "                  flush, drain, resync, rebuild, config get PATTERN, log level LEVEL ...\n"
    "\n"
    "Commands that take long are answered when they are done; until then their progress is shown "
    "on standard error.\n"
    "\n"
    "With --json, status, info, shards, lag and fates print INFO's values as objects, get and "
    "config get an object of strings; other answers are printed as strings, numbers and lists.\n"
    "\n"
    "Exit status: 0 done; 1 the daemon answered with an error, or is not ready; 2 wrong usage; "
    "3 no daemon could be reached.";

static int64_t parse_time(struct argp_state *state, const char *text)
{
    int64_t ms = 0;
    if (!text_parse_duration(text, &ms) || ms < 1 || ms > 86400000)
        argp_error(state, "%s is no time such as 500ms, 2s or 1m", text);
    return ms;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 's':
        arguments->path = value;
        break;
    case 'j':
        arguments->json = true;
        break;
    case 'n':
        if (!text_parse_long(value, &arguments->frames) || arguments->frames < 1)
            argp_error(state, "%s is no number of frames", value);
        break;
    case 'i':
        arguments->interval_ms = parse_time(state, value);
        break;
    case OPTION_READY:
        arguments->ready = true;
        break;
    case OPTION_TIMEOUT:
        arguments->timeout_ms = parse_time(state, value);
        break;
    case ARGP_KEY_ARG:
        if (arguments->count == WORDS_MAX)
            argp_error(state, "more than %d words", WORDS_MAX);
        arguments->words[arguments->count++] = value;
        break;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static int unreachable_daemon(const struct ctl_link *link)
{
    fprintf(stderr, "freshetctl: %s (is freshetd running? -s names another socket)\n",
            link->error);
    return CTL_EXIT_UNREACHABLE;
}

/* Plain replies */

static void print_plain(const redisReply *reply, int depth)
{
    switch (reply->type) {
    case REDIS_REPLY_ARRAY:
        for (size_t i = 0; i < reply->elements; i++)
            print_plain(reply->element[i], depth + 1);
        break;
    case REDIS_REPLY_INTEGER:
        printf("%*s%lld\n", depth > 1 ? 2 * (depth - 1) : 0, "", reply->integer);
        break;
    case REDIS_REPLY_NIL:
        puts("(nothing)");
        break;
    default:
        printf("%*s", depth > 1 ? 2 * (depth - 1) : 0, "");
        fwrite(reply->str, 1, (size_t)reply->len, stdout);
        if (reply->len == 0 || reply->str[reply->len - 1] != '\n')
            putchar('\n');
    }
}

static void append_json(const redisReply *reply, struct text *out)
{
    switch (reply->type) {
    case REDIS_REPLY_ARRAY:
        text_append_char(out, '[');
        for (size_t i = 0; i < reply->elements; i++) {
            text_append_string(out, i == 0 ? "" : ", ");
            append_json(reply->element[i], out);
        }
        text_append_char(out, ']');
        break;
    case REDIS_REPLY_INTEGER:
        text_append_long(out, reply->integer);
        break;
    case REDIS_REPLY_NIL:
        text_append_string(out, "null");
        break;
    default:
        text_append_json_string(out, reply->str, (size_t)reply->len);
    }
}

/* Lines of a name, blanks and a value as an object of strings, as HGETALL gives a model a row. */
static void append_json_object(const redisReply *reply, struct text *out)
{
    text_append_char(out, '{');
    for (size_t i = 0; i < reply->elements; i++) {
        const char *line = reply->element[i]->str;
        size_t name = strcspn(line, " "), value = name + strspn(line + name, " ");
        text_append_string(out, i == 0 ? "" : ", ");
        text_append_json_string(out, line, name);
        text_append_string(out, ": ");
        if (strcmp(line + value, "(null)") == 0)
            text_append_string(out, "null");
        else
            text_append_json_string(out, line + value, strlen(line + value));
    }
    text_append_char(out, '}');
}

static bool is_object(const struct arguments *arguments)
{
    return strcasecmp(arguments->words[0], "get") == 0 ||
           (strcasecmp(arguments->words[0], "config") == 0 && arguments->count > 1 &&
            strcasecmp(arguments->words[1], "get") == 0);
}

static int print_text(struct text *text)
{
    text_append_char(text, '\n');
    fwrite(text->data, 1, text->len, stdout);
    text_free(text);
    return CTL_EXIT_OK;
}

/* What the daemon is at, on standard error; the answer alone is on standard output. */
static void show_progress(const struct ctl_link *waiting)
{
    struct ctl_link link;
    struct ctl_info info;
    if (!ctl_link_open(&link, waiting->path, HEALTH_MS))
        return;
    if (ctl_info_ask(&link, &info)) {
        const char *work = ctl_info_string(&info, "working");
        if (*work)
            fprintf(stderr, "freshetctl: %s\n", work);
        ctl_info_free(&info);
    }
    ctl_link_close(&link);
}

static int pass_through(struct ctl_link *link, struct arguments *arguments)
{
    redisReply *reply =
        ctl_link_ask_patiently(link, arguments->count, arguments->words, show_progress);
    if (reply == NULL)
        return unreachable_daemon(link);
    int status = CTL_EXIT_OK;
    if (reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "freshetctl: %s\n", reply->str);
        status = CTL_EXIT_REFUSED;
    } else if (arguments->json) {
        struct text out = {0};
        if (is_object(arguments) && reply->type == REDIS_REPLY_ARRAY)
            append_json_object(reply, &out);
        else
            append_json(reply, &out);
        print_text(&out);
    } else {
        print_plain(reply, 0);
    }
    freeReplyObject(reply);
    return status;
}

/* Commands that are more than their reply */

/* The section of INFO that holds what a command shows; NULL with found: all. */
static const char *info_section(const char *command, bool *found)
{
    static const char *const sections[][2] = {{"status", NULL},     {"info", NULL},
                                              {"shards", "Shards"}, {"lag", "Shards"},
                                              {"fates", "Fates"}};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (strcasecmp(sections[i][0], command) != 0)
            continue;
        *found = true;
        return sections[i][1];
    }
    return NULL;
}

static int print_info(struct ctl_link *link, const char *section)
{
    struct ctl_info info;
    struct text out = {0};
    if (!ctl_info_ask(link, &info))
        return unreachable_daemon(link);
    ctl_info_json(&info, section, &out);
    ctl_info_free(&info);
    return print_text(&out);
}

static int health(struct ctl_link *link, const struct arguments *arguments)
{
    struct ctl_info info;
    if (!ctl_info_ask(link, &info))
        return unreachable_daemon(link);
    bool ready = ctl_info_number(&info, "ready") != 0;
    printf("%s, %s%s\n", ctl_info_string(&info, "state"), ready ? "ready" : "not ready: ",
           ready ? "" : ctl_info_string(&info, "not_ready_because"));
    ctl_info_free(&info);
    return arguments->ready && !ready ? CTL_EXIT_REFUSED : CTL_EXIT_OK;
}

static int run(struct arguments *arguments)
{
    struct ctl_link link;
    const char *command = arguments->words[0];
    bool is_health = strcasecmp(command, "health") == 0, has_section = false;
    const char *section = info_section(command, &has_section);
    if (strcasecmp(command, "top") == 0)
        return ctl_top(&(struct ctl_top_options){.path = arguments->path,
                                                 .frames = arguments->frames,
                                                 .interval_ms = arguments->interval_ms});
    if (arguments->timeout_ms == 0 && is_health)
        arguments->timeout_ms = HEALTH_MS;
    int status;
    if (!ctl_link_open(&link, arguments->path, (int)arguments->timeout_ms))
        return unreachable_daemon(&link);
    if (is_health)
        status = health(&link, arguments);
    else if (arguments->json && has_section && arguments->count == 1)
        status = print_info(&link, section);
    else
        status = pass_through(&link, arguments);
    ctl_link_close(&link);
    return status;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {options, parse_option, usage_text, documentation,
                                     NULL, NULL, NULL};
    struct arguments arguments = {.interval_ms = 1000};
    argp_err_exit_status = CTL_EXIT_USAGE;
    signal(SIGPIPE, SIG_IGN); /* a daemon that goes away is an error we report */
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    int status = run(&arguments);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("freshetctl: standard output cannot be written\n", stderr);
    return CTL_EXIT_REFUSED;
}
