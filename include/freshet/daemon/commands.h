/* The control sockets' commands and what they need beside the engine. */
#ifndef FRESHET_COMMANDS_H
#define FRESHET_COMMANDS_H

#include "control.h"
#include "engine.h"
#include "text.h"

/* Commands that are answered when they are done; each may be under way once. */
enum command_wait_id {
    WAIT_FLUSH,
    WAIT_CHECKPOINT,
    WAIT_RESYNC,
    WAIT_REBUILD,
    WAIT_DRAIN,
    WAIT_SHUTDOWN,
    COMMAND_WAITS,
};

struct command_wait {
    uint64_t ticket; /* of the deferred reply; 0: nobody waits */
    int64_t only;    /* partition; -1: all */
};

struct commands {
    struct engine *engine;
    /* Reads the configuration again; says what applied, or what is wrong. */
    bool (*reload)(void *context, struct text *said);
    /* Ends the process; called at most once from the loop. */
    void (*stop)(void *context);
    void *context;
    struct command_wait waits[COMMAND_WAITS];
    bool stopping; /* the drain under way is a shutdown */
};

extern const struct control_command commands_table[];
extern const size_t commands_count;

/* Once a turn or so: answers what was deferred. */
void commands_tick(struct commands *commands);
/* Drains, then stops. */
void commands_shutdown(struct commands *commands);
void commands_drained(void *context, bool clean);

/* commands_long.c */
control_handler commands_flush, commands_checkpoint, commands_resync, commands_rebuild,
    commands_drain, commands_shut_down;

#endif
