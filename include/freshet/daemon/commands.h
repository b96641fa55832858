/* The control sockets' commands and what they need beside the engine. */
#ifndef FRESHET_COMMANDS_H
#define FRESHET_COMMANDS_H

#include "control.h"
#include "engine.h"
#include "text.h"

struct commands {
    struct engine *engine;
    /* Reads the configuration again; says what applied, or what is wrong. */
    bool (*reload)(void *context, struct text *said);
    /* Ends the process; called at most once from the loop. */
    void (*stop)(void *context);
    void *context;
    uint64_t flush_ticket, drain_ticket, checkpoint_ticket; /* of deferred replies; 0: none */
    bool stopping; /* the drain under way is a shutdown */
};

extern const struct control_command commands_table[];
extern const size_t commands_count;

/* Once a turn or so: answers what was deferred. */
void commands_tick(struct commands *commands);
/* Drains, then stops. */
void commands_shutdown(struct commands *commands);
void commands_drained(void *context, bool clean);

#endif
