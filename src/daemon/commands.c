/* The commands of the control sockets: each handler gives exactly one reply. Those that are
 * answered later are in commands_long.c. */
#include "commands.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "pool.h"
#include "status.h"

#define READ  CONTROL_READ
#define WRITE CONTROL_WRITE

static struct engine *engine_of(const struct control_request *request)
{
    return ((struct commands *)request->context)->engine;
}

static void reply_lines(struct control_request *request, struct text *text)
{
    control_reply_lines(request->client, text->data, text->len);
    text_free(text);
}

/* ---- looking ---- */

static void answer_status(struct control_request *request)
{
    struct text out = {0};
    status_screen(engine_of(request), &out);
    reply_lines(request, &out);
}

static void answer_info(struct control_request *request)
{
    struct text out = {0};
    if (status_info(engine_of(request), request->count ? request->arguments[0] : NULL, &out))
        control_reply_text(request->client, out.data, out.len);
    else
        control_reply_error(request->client, "no such section; there are server, stream, redis, "
                                             "fates and shards, and all without one");
    text_free(&out);
}

static void answer_metrics(struct control_request *request)
{
    struct text out = {0};
    metrics_append(engine_of(request), &out);
    reply_lines(request, &out);
}

static void answer_shards(struct control_request *request)
{
    struct text out = {0};
    status_shards(engine_of(request), &out);
    reply_lines(request, &out);
}

static void answer_lag(struct control_request *request)
{
    struct text out = {0};
    status_lags(engine_of(request), &out);
    reply_lines(request, &out);
}

static void answer_fates(struct control_request *request)
{
    struct text out = {0};
    status_fates(engine_of(request), &out);
    reply_lines(request, &out);
}

static void answer_features(struct control_request *request)
{
    struct text out = {0};
    status_features(engine_of(request), &out);
    reply_lines(request, &out);
}

static void answer_schemas(struct control_request *request)
{
    struct text out = {0};
    status_schemas(engine_of(request), &out);
    reply_lines(request, &out);
}

static void answer_key(struct control_request *request,
                       bool (*view)(struct engine *engine, const char *key, size_t len,
                                    struct text *out))
{
    struct text out = {0};
    if (view(engine_of(request), request->arguments[0], request->lengths[0], &out))
        reply_lines(request, &out);
    else
        control_reply_error(request->client,
                            "no such key here: it has no state, or another daemon of the group "
                            "has its partition");
}

static void answer_get(struct control_request *request)
{
    answer_key(request, status_row);
}

static void answer_explain(struct control_request *request)
{
    answer_key(request, status_explain);
}

/* ---- configuration ---- */

static void answer_config_get(struct control_request *request)
{
    const struct config *config = engine_of(request)->config;
    struct text out = {0};
    for (int k = 0; k < CONFIG_ROW_COUNT; k++) {
        if (fnmatch(request->arguments[0], config_rows[k].name, 0) != 0)
            continue;
        text_printf(&out, "%s ", config_rows[k].name);
        config_append_value(config, &config_rows[k], &out);
        text_append_char(&out, '\n');
    }
    if (out.len == 0)
        control_reply_error(request->client, "no key fits %s; CONFIG GET * shows all",
                            request->arguments[0]);
    else
        reply_lines(request, &out);
    text_free(&out);
}

static void answer_log_level(struct control_request *request)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    if (request->count == 0) {
        control_reply_status(request->client, levels[log_get_level()]);
        return;
    }
    for (int k = LOG_ERROR; k <= LOG_DEBUG; k++) {
        if (strcasecmp(request->arguments[0], levels[k]) != 0)
            continue;
        log_set_level((enum log_level)k);
        control_reply_status(request->client, "OK");
        return;
    }
    control_reply_error(request->client, "no such level; use error, warning, info or debug");
}

static void answer_reload(struct control_request *request)
{
    struct commands *commands = request->context;
    struct text out = {0};
    bool ok = commands->reload(commands->context, &out);
    if (ok)
        reply_lines(request, &out);
    else
        control_reply_error(request->client, "nothing was changed: %s",
                            out.len ? out.data : "the file cannot be read");
    text_free(&out);
}

/* ---- acting ---- */

static void answer_pause(struct control_request *request)
{
    engine_pause(engine_of(request), true);
    control_reply_status(request->client, "OK");
}

static void answer_resume(struct control_request *request)
{
    if (engine_of(request)->drain != DRAIN_NONE) {
        control_reply_error(request->client, "draining: it cannot be taken back");
        return;
    }
    engine_pause(engine_of(request), false);
    control_reply_status(request->client, "OK");
}

/* ---- the table; PING, HELP, COMMAND and HELLO are answered by control.h ---- */

#define answer_ping         control_ping
#define answer_help         control_help
#define answer_command      control_command
#define answer_command_docs control_command_docs
#define answer_hello        control_hello
/* commands_long.c */
#define answer_flush        commands_flush
#define answer_checkpoint   commands_checkpoint
#define answer_resync       commands_resync
#define answer_rebuild      commands_rebuild
#define answer_drain        commands_drain
#define answer_shutdown     commands_shut_down

const struct control_command commands_table[] = {
#define COMMAND(ID, name, arguments, min, max, access, handler, sentence)                          \
    {name, arguments, min, max, access, answer_##handler, sentence},
#include "control.def"
#undef COMMAND
};
const size_t commands_count = sizeof commands_table / sizeof commands_table[0];
