/* The commands of the control sockets: each handler gives exactly one reply. */
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

static void answer_resync(struct control_request *request)
{
    struct engine *engine = engine_of(request);
    int64_t only = -1;
    if (request->count == 1 &&
        (!text_parse_long(request->arguments[0], &only) || only < 0)) {
        control_reply_error(request->client, "a partition is a number, 0 or more: see SHARDS");
        return;
    }
    int count = 0;
    for (int k = 0; k < engine->partition_count; k++) {
        if (only >= 0 && engine->partitions[k]->id != only)
            continue;
        partition_resync(engine->partitions[k], RESYNC_COMMAND);
        count++;
    }
    if (count == 0)
        control_reply_error(request->client, "no such partition here: see SHARDS");
    else
        control_reply_integer(request->client, count);
}

static void answer_flush(struct control_request *request)
{
    struct commands *commands = request->context;
    if (commands->flush_ticket) {
        control_reply_error(request->client, "another FLUSH is under way");
        return;
    }
    commands->flush_ticket = control_defer(request);
    commands->engine->flush_now = true;
}

static void answer_checkpoint(struct control_request *request)
{
    struct commands *commands = request->context;
    if (!commands->engine->checkpointer.store) {
        control_reply_error(request->client, "checkpoint.store is none: state is not kept");
        return;
    }
    if (commands->checkpoint_ticket) {
        control_reply_error(request->client, "another CHECKPOINT is under way");
        return;
    }
    commands->checkpoint_ticket = control_defer(request);
    checkpointer_want(commands->engine);
}

/* Answers a FLUSH once nothing waits any more, a CHECKPOINT once it is durable. */
void commands_tick(struct commands *commands)
{
    struct engine *engine = commands->engine;
    struct control_client *client = NULL;
    if (commands->flush_ticket && engine_clean(engine)) {
        client = control_resume(engine->control, commands->flush_ticket);
        commands->flush_ticket = 0;
        engine->flush_now = false;
        if (client)
            control_reply_status(client, "OK");
    }
    if (commands->checkpoint_ticket && checkpointer_settled(engine)) {
        client = control_resume(engine->control, commands->checkpoint_ticket);
        commands->checkpoint_ticket = 0;
        if (client && engine->checkpointer.error[0])
            control_reply_error(client, "%s", engine->checkpointer.error);
        else if (client)
            control_reply_status(client, "OK");
    }
}

static void answer_drain(struct control_request *request)
{
    struct commands *commands = request->context;
    if (commands->engine->drain == DRAIN_DONE) {
        control_reply_status(request->client, "OK");
        return;
    }
    if (commands->engine->drain != DRAIN_NONE) {
        control_reply_error(request->client, "a drain is under way");
        return;
    }
    commands->drain_ticket = control_defer(request);
    engine_drain(commands->engine, commands_drained, commands);
}

void commands_drained(void *context, bool clean)
{
    struct commands *commands = context;
    struct control_client *client =
        commands->drain_ticket
            ? control_resume(commands->engine->control, commands->drain_ticket)
            : NULL;
    commands->drain_ticket = 0;
    if (client && clean)
        control_reply_status(client, "OK");
    else if (client)
        control_reply_error(client, "the deadline passed before all rows were written and state "
                                    "was saved; nothing is lost: the next start makes up for it");
    if (commands->stopping)
        commands->stop(commands->context);
}

static void answer_shutdown(struct control_request *request)
{
    struct commands *commands = request->context;
    if (request->count == 1 && strcasecmp(request->arguments[0], "NOSAVE") != 0) {
        control_reply_error(request->client, "only NOSAVE may follow SHUTDOWN");
        return;
    }
    control_reply_status(request->client, "OK");
    if (request->count == 1)
        commands->stop(commands->context);
    else
        commands_shutdown(commands);
}

void commands_shutdown(struct commands *commands)
{
    commands->stopping = true;
    if (commands->engine->drain == DRAIN_DONE)
        commands->stop(commands->context);
    else
        engine_drain(commands->engine, commands_drained, commands);
}

/* ---- the table; PING, HELP, COMMAND and HELLO are answered by control.h ---- */

#define answer_ping         control_ping
#define answer_help         control_help
#define answer_command      control_command
#define answer_command_docs control_command_docs
#define answer_hello        control_hello

const struct control_command commands_table[] = {
#define COMMAND(ID, name, arguments, min, max, access, handler, sentence)                          \
    {name, arguments, min, max, access, answer_##handler, sentence},
#include "control.def"
#undef COMMAND
};
const size_t commands_count = sizeof commands_table / sizeof commands_table[0];
