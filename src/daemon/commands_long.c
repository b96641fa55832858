/* Commands that are answered when what they ask for is done. How far it is stands in STATUS, in
 * INFO and, every few seconds, in the log (status_work.c); freshetctl shows it while it waits. */
#include <strings.h>

#include "commands.h"
#include "status.h"

/* Whether the command was for this partition. */
static bool asked(const struct command_wait *wait, const struct partition *partition)
{
    return wait->only < 0 || partition->id == wait->only;
}

static int count_asked(const struct engine *engine, const struct command_wait *wait)
{
    int count = 0;
    for (int k = 0; k < engine->partition_count; k++)
        count += asked(wait, engine->partitions[k]);
    return count;
}

/* ---- FLUSH, CHECKPOINT ---- */

static bool is_flush_over(const struct engine *engine, const struct command_wait *wait)
{
    (void)wait;
    return engine_clean(engine);
}

static void end_flush(struct engine *engine, const struct command_wait *wait,
                      struct control_client *client)
{
    (void)wait;
    engine->flush_now = false;
    if (client)
        control_reply_status(client, "OK");
}

static bool is_checkpoint_over(const struct engine *engine, const struct command_wait *wait)
{
    (void)wait;
    return checkpointer_settled(engine);
}

static void end_checkpoint(struct engine *engine, const struct command_wait *wait,
                           struct control_client *client)
{
    (void)wait;
    if (client && engine->checkpointer.error[0])
        control_reply_error(client, "%s", engine->checkpointer.error);
    else if (client)
        control_reply_status(client, "OK");
}

/* ---- RESYNC, REBUILD ---- */

static bool is_resync_over(const struct engine *engine, const struct command_wait *wait)
{
    if (!engine->assigned)
        return false; /* a rebalance: it is not known yet which partitions stay */
    for (int k = 0; k < engine->partition_count; k++) {
        const struct partition *partition = engine->partitions[k];
        if (asked(wait, partition) && (rebuild_pending(partition) ||
                                       shard_lease(partition->shard)->resync != LEASE_SYNCED))
            return false;
    }
    return true;
}

static bool is_rebuild_over(const struct engine *engine, const struct command_wait *wait)
{
    for (int k = 0; k < engine->partition_count; k++)
        if (asked(wait, engine->partitions[k]) && engine->partitions[k]->checkpoint_wanted)
            return false;
    return is_resync_over(engine, wait);
}

static void end_resync(struct engine *engine, const struct command_wait *wait,
                       struct control_client *client)
{
    int count = count_asked(engine, wait);
    if (client && count > 0)
        control_reply_integer(client, count);
    else if (client)
        control_reply_error(client, "the partition went to another daemon meanwhile");
}

static void end_rebuild(struct engine *engine, const struct command_wait *wait,
                        struct control_client *client)
{
    struct text out = {0};
    for (int k = 0; k < engine->partition_count; k++) {
        const struct partition *partition = engine->partitions[k];
        if (!asked(wait, partition) || partition->rebuild.state == REBUILD_NONE)
            continue;
        rebuild_append(partition, &out);
        text_append_char(&out, '\n');
    }
    if (client && out.len > 0)
        control_reply_lines(client, out.data, out.len);
    else if (client)
        control_reply_error(client, "the partition went to another daemon meanwhile");
    text_free(&out);
}

/* ---- DRAIN, SHUTDOWN ---- */

static bool is_drain_over(const struct engine *engine, const struct command_wait *wait)
{
    (void)wait;
    return engine->drain == DRAIN_DONE;
}

static void end_drain(struct engine *engine, const struct command_wait *wait,
                      struct control_client *client)
{
    (void)wait;
    if (client && engine->drain_clean)
        control_reply_status(client, "OK");
    else if (client)
        control_reply_error(client, "the deadline passed before all rows were written and state "
                                    "was saved; nothing is lost: the next start makes up for it");
}

/* ---- waiting ---- */

static const struct long_command {
    const char *name;
    bool (*over)(const struct engine *engine, const struct command_wait *wait);
    /* client NULL: whoever asked has left. */
    void (*end)(struct engine *engine, const struct command_wait *wait,
                struct control_client *client);
} long_commands[COMMAND_WAITS] = {
    [WAIT_FLUSH] = {"FLUSH", is_flush_over, end_flush},
    [WAIT_CHECKPOINT] = {"CHECKPOINT", is_checkpoint_over, end_checkpoint},
    [WAIT_RESYNC] = {"RESYNC", is_resync_over, end_resync},
    [WAIT_REBUILD] = {"REBUILD", is_rebuild_over, end_rebuild},
    [WAIT_DRAIN] = {"DRAIN", is_drain_over, end_drain},
    [WAIT_SHUTDOWN] = {"SHUTDOWN", is_drain_over, end_drain},
};

static struct engine *engine_of(const struct control_request *request)
{
    return ((struct commands *)request->context)->engine;
}

/* False after an error reply: one of a kind is enough, and nothing is begun before the end. */
static bool is_free(struct control_request *request, enum command_wait_id id)
{
    const struct commands *commands = request->context;
    if (id < WAIT_DRAIN && commands->engine->drain != DRAIN_NONE) {
        control_reply_error(request->client, "draining: nothing else is begun");
        return false;
    }
    if (commands->waits[id].ticket == 0)
        return true;
    control_reply_error(request->client, "another %s is under way", long_commands[id].name);
    return false;
}

static const struct command_wait *wait_for(struct control_request *request,
                                           enum command_wait_id id, int64_t only)
{
    struct commands *commands = request->context;
    commands->waits[id] = (struct command_wait){control_defer(request), only};
    return &commands->waits[id];
}

void commands_tick(struct commands *commands)
{
    struct engine *engine = commands->engine;
    for (int k = 0; k < COMMAND_WAITS; k++) {
        struct command_wait wait = commands->waits[k];
        if (wait.ticket == 0 || !long_commands[k].over(engine, &wait))
            continue;
        commands->waits[k].ticket = 0;
        long_commands[k].end(engine, &wait, control_resume(engine->control, wait.ticket));
    }
}

/* The optional argument: -1 without one. False after an error reply. */
static bool read_partition(struct control_request *request, int64_t *only)
{
    *only = -1;
    if (request->count == 1 && (!text_parse_long(request->arguments[0], only) || *only < 0)) {
        control_reply_error(request->client, "a partition is a number, 0 or more: see SHARDS");
        return false;
    }
    if (count_asked(engine_of(request), &(struct command_wait){.only = *only}) > 0)
        return true;
    control_reply_error(request->client, "no such partition here: see SHARDS");
    return false;
}

/* ---- the commands ---- */

void commands_flush(struct control_request *request)
{
    if (!is_free(request, WAIT_FLUSH))
        return;
    wait_for(request, WAIT_FLUSH, -1);
    engine_of(request)->flush_now = true;
}

void commands_checkpoint(struct control_request *request)
{
    struct engine *engine = engine_of(request);
    if (!engine->checkpointer.store) {
        control_reply_error(request->client, "checkpoint.store is none: state is not kept");
        return;
    }
    for (int k = 0; k < engine->partition_count; k++) {
        if (!rebuild_pending(engine->partitions[k]))
            continue;
        control_reply_error(request->client, "partition %d is being rebuilt: its state cannot be "
                                             "saved before that is over",
                            engine->partitions[k]->id);
        return;
    }
    if (!is_free(request, WAIT_CHECKPOINT))
        return;
    wait_for(request, WAIT_CHECKPOINT, -1);
    checkpointer_want(engine);
}

void commands_resync(struct control_request *request)
{
    struct engine *engine = engine_of(request);
    int64_t only;
    if (!read_partition(request, &only) || !is_free(request, WAIT_RESYNC))
        return;
    const struct command_wait *wait = wait_for(request, WAIT_RESYNC, only);
    for (int k = 0; k < engine->partition_count; k++)
        if (asked(wait, engine->partitions[k]))
            partition_resync(engine->partitions[k], RESYNC_COMMAND);
}

void commands_rebuild(struct control_request *request)
{
    struct engine *engine = engine_of(request);
    int64_t only, from_ms = rebuild_from_ms(engine);
    if (!read_partition(request, &only) || !is_free(request, WAIT_REBUILD))
        return;
    const struct command_wait *wait = wait_for(request, WAIT_REBUILD, only);
    for (int k = 0; k < engine->partition_count; k++)
        if (asked(wait, engine->partitions[k]))
            rebuild_want(engine->partitions[k], from_ms);
}

void commands_drain(struct control_request *request)
{
    struct commands *commands = request->context;
    if (!is_free(request, WAIT_DRAIN))
        return;
    wait_for(request, WAIT_DRAIN, -1); /* when it is over already the next tick says so */
    engine_drain(commands->engine, commands_drained, commands);
}

void commands_shut_down(struct control_request *request)
{
    struct commands *commands = request->context;
    if (request->count == 1 && strcasecmp(request->arguments[0], "NOSAVE") != 0) {
        control_reply_error(request->client, "only NOSAVE may follow SHUTDOWN");
        return;
    }
    if (request->count == 1) {
        control_reply_status(request->client, "OK"); /* there is nothing to wait for */
        commands->stop(commands->context);
        return;
    }
    if (!is_free(request, WAIT_SHUTDOWN))
        return;
    wait_for(request, WAIT_SHUTDOWN, -1);
    commands_shutdown(commands);
}

void commands_drained(void *context, bool clean)
{
    struct commands *commands = context;
    (void)clean; /* engine->drain_clean */
    commands_tick(commands);
    if (commands->stopping)
        commands->stop(commands->context);
}

void commands_shutdown(struct commands *commands)
{
    commands->stopping = true;
    if (commands->engine->drain == DRAIN_DONE)
        commands_drained(commands, commands->engine->drain_clean);
    else
        engine_drain(commands->engine, commands_drained, commands);
}
