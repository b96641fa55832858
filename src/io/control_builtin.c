/* What every Redis client may ask: PING, HELP, COMMAND, HELLO and the small commands of set-up. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "control_client.h"

static const struct control_command *row(const struct control_request *request, size_t i)
{
    return &control_client_options(request->client)->commands[i];
}

static size_t row_count(const struct control_request *request)
{
    return control_client_options(request->client)->command_count;
}

/* Length of the first word of a name. */
static size_t word_len(const char *name)
{
    return strcspn(name, " ");
}

static bool same_word(const char *name, const char *other)
{
    return word_len(name) == word_len(other) && strncasecmp(name, other, word_len(name)) == 0;
}

void control_ping(struct control_request *request)
{
    if (request->count == 0)
        control_reply_status(request->client, "PONG");
    else
        control_reply_text(request->client, request->arguments[0], request->lengths[0]);
}

void control_help(struct control_request *request)
{
    struct text text = {0};
    for (size_t i = 0; i < row_count(request); i++) {
        const struct control_command *command = row(request, i);
        const char *second = command->name + word_len(command->name);
        if (request->count > 0 && !same_word(command->name, request->arguments[0]))
            continue;
        if (request->count > 1 &&
            (*second == '\0' || strcasecmp(second + 1, request->arguments[1]) != 0))
            continue;
        text_printf(&text, "%s%s%s\n    %s%s\n", command->name, *command->arguments ? " " : "",
                    command->arguments, command->sentence,
                    command->access == CONTROL_WRITE ? " (control socket only)" : "");
    }
    if (text.len == 0)
        control_reply_error(request->client, "no such command: COMMAND HELP lists all");
    else
        control_reply_lines(request->client, text.data, text.len);
    text_free(&text);
}

void control_hello(struct control_request *request)
{
    struct control_client *client = request->client;
    if (request->count > 0 && strcmp(request->arguments[0], "2") != 0) {
        control_reply_error(client, "NOPROTO only protocol 2 is spoken");
        return;
    }
    control_reply_array(client, 10);
    control_reply_text(client, "server", 6);
    control_reply_text(client, "freshetd", 8);
    control_reply_text(client, "version", 7);
    control_reply_text(client, FRESHET_VERSION, strlen(FRESHET_VERSION));
    control_reply_text(client, "proto", 5);
    control_reply_integer(client, 2);
    control_reply_text(client, "mode", 4);
    control_reply_text(client, "standalone", 10);
    control_reply_text(client, "role", 4);
    control_reply_text(client, "master", 6);
}

static void reply_lower(struct control_client *client, const char *name, size_t len)
{
    char lower[64];
    for (size_t i = 0; i < len && i < sizeof lower; i++)
        lower[i] = name[i] == ' ' ? '|' : (char)tolower((unsigned char)name[i]);
    control_reply_text(client, lower, len < sizeof lower ? len : sizeof lower);
}

/* Redis documents "CONFIG GET" as a subcommand of "config": rows that begin with the same word are
 * one entry, at the first of them. */
static bool begins_entry(const struct control_request *request, size_t i)
{
    for (size_t before = 0; before < i; before++)
        if (same_word(row(request, before)->name, row(request, i)->name))
            return false;
    return true;
}

static bool is_wanted(const struct control_request *request, int first_argument, size_t i)
{
    for (int a = first_argument; a < request->count; a++)
        if (same_word(row(request, i)->name, request->arguments[a]))
            return true;
    return request->count <= first_argument;
}

static size_t count_entries(const struct control_request *request, int first_argument)
{
    size_t count = 0;
    for (size_t i = 0; i < row_count(request); i++)
        count += begins_entry(request, i) && is_wanted(request, first_argument, i);
    return count;
}

static void reply_docs(struct control_client *client, const struct control_command *command,
                       size_t subcommands)
{
    bool has_arguments = *command->arguments != '\0';
    control_reply_array(client, (size_t)(4 + 2 * has_arguments + 2 * (subcommands > 0)));
    control_reply_text(client, "summary", 7);
    control_reply_text(client, command->sentence, strlen(command->sentence));
    control_reply_text(client, "group", 5);
    control_reply_text(client, "freshet", 7);
    if (!has_arguments)
        return;
    control_reply_text(client, "arguments", 9);
    control_reply_array(client, 1);
    control_reply_array(client, 4);
    control_reply_text(client, "name", 4);
    control_reply_text(client, command->arguments, strlen(command->arguments));
    control_reply_text(client, "type", 4);
    control_reply_text(client, "string", 6);
}

static void reply_entry_docs(struct control_request *request, size_t first)
{
    struct control_client *client = request->client;
    const char *name = row(request, first)->name;
    size_t subcommands = 0;
    struct control_command container = {
        .name = name, .arguments = "", .sentence = "Container of subcommands."};
    for (size_t i = first; i < row_count(request); i++) {
        const struct control_command *command = row(request, i);
        if (!same_word(command->name, name))
            continue;
        if (strchr(command->name, ' ') == NULL)
            container = *command;
        else
            subcommands++;
    }
    reply_lower(client, name, word_len(name));
    reply_docs(client, &container, subcommands);
    if (subcommands == 0)
        return;
    control_reply_text(client, "subcommands", 11);
    control_reply_array(client, 2 * subcommands);
    for (size_t i = first; i < row_count(request); i++) {
        const struct control_command *command = row(request, i);
        if (!same_word(command->name, name) || strchr(command->name, ' ') == NULL)
            continue;
        reply_lower(client, command->name, strlen(command->name));
        reply_docs(client, command, 0);
    }
}

void control_command_docs(struct control_request *request)
{
    control_reply_array(request->client, 2 * count_entries(request, 0));
    for (size_t i = 0; i < row_count(request); i++)
        if (begins_entry(request, i) && is_wanted(request, 0, i))
            reply_entry_docs(request, i);
}

/* The six fields that clients read; arity counts the name and is negative when it varies. */
static void reply_entry_info(struct control_request *request, size_t i)
{
    struct control_client *client = request->client;
    const struct control_command *command = row(request, i);
    bool is_container = strchr(command->name, ' ') != NULL;
    int arity = command->min + 1;
    control_reply_array(client, 6);
    reply_lower(client, command->name, word_len(command->name));
    control_reply_integer(client, is_container               ? -2
                                  : command->min == command->max ? arity
                                                                 : -arity);
    control_reply_array(client, 1);
    control_reply_status(client, command->access == CONTROL_READ ? "readonly" : "admin");
    for (int key = 0; key < 3; key++)
        control_reply_integer(client, 0); /* first, last and step of keys: none are routed */
}

static void reply_command_info(struct control_request *request, int first_argument)
{
    control_reply_array(request->client, count_entries(request, first_argument));
    for (size_t i = 0; i < row_count(request); i++)
        if (begins_entry(request, i) && is_wanted(request, first_argument, i))
            reply_entry_info(request, i);
}

void control_command(struct control_request *request)
{
    reply_command_info(request, 0);
}

static void command_count(struct control_request *request)
{
    control_reply_integer(request->client, (int64_t)count_entries(request, 1));
}

static void command_list(struct control_request *request)
{
    control_reply_array(request->client, count_entries(request, 1));
    for (size_t i = 0; i < row_count(request); i++)
        if (begins_entry(request, i))
            reply_lower(request->client, row(request, i)->name, word_len(row(request, i)->name));
}

/* For redis-cli, which answers HELP itself, and only on a terminal with what is known here. */
static void command_help(struct control_request *request)
{
    struct control_request all = *request;
    all.count = 0;
    control_help(&all);
}

static void command_info(struct control_request *request)
{
    reply_command_info(request, 1);
}

static void ok(struct control_request *request)
{
    control_reply_status(request->client, "OK");
}

static void select_database(struct control_request *request)
{
    if (strcmp(request->arguments[0], "0") == 0)
        ok(request);
    else
        control_reply_error(request->client, "DB index is out of range");
}

static void client_id(struct control_request *request)
{
    control_reply_integer(request->client, request->client->fd);
}

static void client_getname(struct control_request *request)
{
    control_reply_null(request->client);
}

static void reset(struct control_request *request)
{
    control_reply_status(request->client, "RESET");
}

static void quit(struct control_request *request)
{
    request->client->state = CONTROL_CLIENT_ENDING;
    ok(request);
}

/* Protocol, not commands for people: in no table and no help. */
static const struct {
    const char *name;
    int min, max; /* as of the whole request, behind the first word */
    const char *subcommand;
    control_handler *handler;
} builtins[] = {
    {"COMMAND", 1, 1, "COUNT", command_count},
    {"COMMAND", 1, 1, "LIST", command_list},
    {"COMMAND", 1, 1, "HELP", command_help},
    {"COMMAND", 1, 31, "INFO", command_info},
    {"CLIENT", 2, 2, "SETNAME", ok},
    {"CLIENT", 3, 3, "SETINFO", ok},
    {"CLIENT", 1, 1, "GETNAME", client_getname},
    {"CLIENT", 1, 1, "ID", client_id},
    {"SELECT", 1, 1, NULL, select_database},
    {"RESET", 0, 0, NULL, reset},
    {"QUIT", 0, 31, NULL, quit},
};

bool control_builtin(struct control_request *request)
{
    const char *name = request->arguments[0];
    struct control_request rest = *request;
    rest.count--;
    rest.arguments++;
    rest.lengths++;
    for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++) {
        if (strcasecmp(builtins[i].name, name) != 0 || rest.count < builtins[i].min ||
            rest.count > builtins[i].max)
            continue;
        const char *subcommand = builtins[i].subcommand;
        if (subcommand == NULL || strcasecmp(subcommand, rest.arguments[0]) == 0) {
            builtins[i].handler(&rest);
            return true;
        }
    }
    return false;
}
