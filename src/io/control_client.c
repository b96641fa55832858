/* One client of a control socket: its bytes in, its requests answered, its replies out. */
#include "control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_parse.h"
#include "expect.h"
#include "log.h"

enum {
    REQUESTS_PER_TURN = 16,
    OUTPUT_PAUSE = 64 * 1024, /* no more requests are taken while so much output waits */
    LOGGED_ARGUMENTS_MAX = 200,
};

static void on_client(uv_poll_t *poll, int status, int events);

static size_t unsent(const struct control_client *client)
{
    return client->output.len - client->sent;
}

bool control_client_is_open(const struct control_client *client)
{
    return client->state == CONTROL_CLIENT_OPEN || client->state == CONTROL_CLIENT_ENDING;
}

void control_client_open(struct control_client *client, int fd)
{
    client->state = CONTROL_CLIENT_OPEN;
    client->fd = fd;
    client->waiting = client->at_end = false;
    client->input_len = client->sent = client->reply_mark = 0;
    client->since_ms = uv_now(client->loop);
    client->poll.data = client;
    expect(uv_poll_init(client->loop, &client->poll, fd) == 0);
    uv_poll_start(&client->poll, UV_READABLE, on_client);
}

static void on_closed(uv_handle_t *handle)
{
    struct control_client *client = handle->data;
    client->state = CONTROL_CLIENT_FREE;
    control_client_closed(client->control);
}

void control_client_close(struct control_client *client)
{
    client->state = CONTROL_CLIENT_CLOSING;
    client->waiting = false;
    text_free(&client->output);
    client->sent = 0;
    uv_close((uv_handle_t *)&client->poll, on_closed);
    close(client->fd);
}

/* Closes a client that broke a bound, as soon as it has taken the reason. */
static void refuse(struct control_client *client, const char *why)
{
    log_warning("control_refused", "reason=%Q uid=%d pid=%d", why, (int)client->uid,
                (int)client->pid);
    control_counts_of(client->control)->refused++;
    client->state = CONTROL_CLIENT_ENDING;
    control_reply_error(client, "%s", why);
}

void control_client_flush(struct control_client *client)
{
    uint64_t now_ms = uv_now(client->loop);
    while (unsent(client) > 0) {
        ssize_t sent = send(client->fd, client->output.data + client->sent, unsent(client),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN)
            control_client_close(client);
        if (sent < 0)
            return;
        client->sent += (size_t)sent;
        client->since_ms = now_ms;
    }
    client->sent = 0;
    if (client->output.capacity > OUTPUT_PAUSE)
        text_free(&client->output);
    else
        text_clear(&client->output);
}

/* Reads what fits into the input buffer, once a turn. */
static void receive(struct control_client *client)
{
    size_t room = CONTROL_REQUEST_MAX - client->input_len;
    if (room == 0 || client->state != CONTROL_CLIENT_OPEN)
        return;
    ssize_t got = recv(client->fd, client->input + client->input_len, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got < 0) {
        control_client_close(client);
        return;
    }
    if (client->input_len == 0)
        client->since_ms = uv_now(client->loop);
    client->at_end = got == 0;
    client->input_len += (size_t)got;
}

/* Requests */

static const struct control_command *find_command(const struct control_options *options,
                                                  const struct control_parse *parse, int *words)
{
    const struct control_command *found = NULL;
    *words = 0;
    for (size_t i = 0; i < options->command_count; i++) {
        const struct control_command *command = &options->commands[i];
        size_t first = strcspn(command->name, " ");
        bool has_second = command->name[first] != '\0';
        if (parse->lengths[0] != first ||
            strncasecmp(command->name, parse->arguments[0], first) != 0)
            continue;
        if (has_second && (parse->count < 2 ||
                           strcasecmp(command->name + first + 1, parse->arguments[1]) != 0))
            continue;
        if (*words < 1 + has_second) {
            found = command;
            *words = 1 + has_second;
        }
    }
    return found;
}

/* Who changed what: with the peer the kernel vouches for. */
static void log_command(const struct control_request *request)
{
    char arguments[LOGGED_ARGUMENTS_MAX] = "";
    size_t len = 0;
    for (int i = 0; i < request->count && len < sizeof arguments; i++) {
        int written = snprintf(arguments + len, sizeof arguments - len, "%s%s", i > 0 ? " " : "",
                               request->arguments[i]);
        len += (size_t)written;
    }
    log_info("control_command", "command=%Q arguments=%Q uid=%d pid=%d", request->command->name,
             arguments, (int)request->client->uid, (int)request->client->pid);
}

/* A word that begins commands of two words, or one that begins none. redis-cli answers HELP by
 * itself, so that it would not help here. */
static void refuse_unknown(struct control_client *client, const struct control_parse *parse)
{
    const struct control_options *options = control_client_options(client);
    struct text known = {0};
    for (size_t i = 0; i < options->command_count; i++) {
        const struct control_command *command = &options->commands[i];
        size_t first = strcspn(command->name, " ");
        if (parse->lengths[0] == first &&
            strncasecmp(command->name, parse->arguments[0], first) == 0)
            text_printf(&known, "%s%s%s%s", known.len ? ", " : "", command->name,
                        *command->arguments ? " " : "", command->arguments);
    }
    if (known.len > 0)
        control_reply_error(client, "wrong arguments: %s", known.data);
    else
        control_reply_error(client, "unknown command '%.64s': COMMAND HELP lists all",
                            parse->arguments[0]);
    text_free(&known);
}

static void run(struct control_client *client, const struct control_parse *parse)
{
    const struct control_options *options = control_client_options(client);
    struct control_request request = {.client = client,
                                      .context = options->context,
                                      .count = parse->count,
                                      .arguments = parse->arguments,
                                      .lengths = parse->lengths};
    int words;
    control_counts_of(client->control)->requests++;
    if (control_builtin(&request))
        return;
    const struct control_command *command = find_command(options, parse, &words);
    if (command == NULL) {
        refuse_unknown(client, parse);
        return;
    }
    request.command = command;
    request.count -= words;
    request.arguments += words;
    request.lengths += words;
    if (request.count < command->min || request.count > command->max) {
        control_reply_error(client, "wrong number of arguments: %s%s%s", command->name,
                            *command->arguments ? " " : "", command->arguments);
    } else if (command->access == CONTROL_WRITE && !client->write_allowed) {
        control_reply_error(client, "NOPERM %s changes something: use the control socket",
                            command->name);
    } else {
        if (command->access == CONTROL_WRITE)
            log_command(&request);
        command->handler(&request);
        expect(client->waiting || client->output.len > client->reply_mark ||
               client->state == CONTROL_CLIENT_CLOSING); /* the handler closed the server */
    }
}

/* A reply that is larger than the bound is replaced by an error. */
static void bound_output(struct control_client *client)
{
    if (unsent(client) <= CONTROL_OUTPUT_MAX)
        return;
    client->output.len = client->reply_mark;
    refuse(client, "the reply is larger than 1 MiB");
}

/* Answers one request from the input; false when there is none that can be answered now. */
static bool serve_one(struct control_client *client)
{
    struct control_parse parse;
    if (client->state != CONTROL_CLIENT_OPEN || client->waiting || unsent(client) > OUTPUT_PAUSE)
        return false;
    client->reply_mark = client->output.len;
    enum control_parse_result result = control_parse(client->input, client->input_len, &parse);
    if (result == CONTROL_PARSE_MORE)
        return false;
    if (result == CONTROL_PARSE_BROKEN) {
        refuse(client, parse.why);
        return false;
    }
    if (result == CONTROL_PARSE_REQUEST)
        run(client, &parse);
    bound_output(client);
    client->input_len -= parse.used;
    memmove(client->input, client->input + parse.used, client->input_len);
    client->since_ms = uv_now(client->loop);
    return true;
}

static void on_client(uv_poll_t *poll, int status, int events)
{
    struct control_client *client = poll->data;
    if (status < 0) {
        control_client_close(client);
        return;
    }
    if (events & UV_READABLE)
        receive(client);
    control_client_serve(client);
}

static void watch(struct control_client *client)
{
    int events = unsent(client) > 0 ? UV_WRITABLE : 0;
    if (client->state == CONTROL_CLIENT_OPEN && !client->waiting && !client->at_end &&
        client->input_len < CONTROL_REQUEST_MAX)
        events |= UV_READABLE;
    if (events == 0)
        uv_poll_stop(&client->poll);
    else
        uv_poll_start(&client->poll, events, on_client);
}

void control_client_serve(struct control_client *client)
{
    int answered = 0;
    bound_output(client); /* of a reply that was deferred */
    while (answered < REQUESTS_PER_TURN && serve_one(client)) {
        answered++;
        if (unsent(client) > OUTPUT_PAUSE)
            control_client_flush(client);
    }
    bool is_left = answered == REQUESTS_PER_TURN || unsent(client) > OUTPUT_PAUSE;
    if (client->state != CONTROL_CLIENT_CLOSING)
        control_client_flush(client);
    if (client->state == CONTROL_CLIENT_CLOSING)
        return;
    bool is_over = client->state == CONTROL_CLIENT_ENDING ||
                   (client->at_end && !client->waiting && !is_left);
    if (is_over && unsent(client) == 0) {
        control_client_close(client);
        return;
    }
    if (is_left && unsent(client) <= OUTPUT_PAUSE)
        control_serve_again(client->control);
    watch(client);
}

/* True when the peer has gone for good; one that only stopped sending still wants its reply. */
static bool has_left(const struct control_client *client)
{
    struct pollfd look = {.fd = client->fd};
    return poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

void control_client_sweep(struct control_client *client)
{
    bool too_long = uv_now(client->loop) - client->since_ms > CONTROL_REQUEST_MS;
    if (!control_client_is_open(client))
        return;
    if (client->waiting && has_left(client)) {
        control_client_close(client);
    } else if (unsent(client) > 0 && too_long) {
        control_counts_of(client->control)->refused++;
        control_client_close(client);
    } else if (client->input_len > 0 && !client->waiting && too_long) {
        refuse(client, "the request was not finished in 10 s");
        control_client_serve(client);
    }
}

