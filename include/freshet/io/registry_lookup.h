/* Inside of the registry client: the handle, and the lookups it works on. */
#ifndef FRESHET_REGISTRY_LOOKUP_H
#define FRESHET_REGISTRY_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "registry.h"
#include "registry_fetch.h"
#include "registry_unknown.h"

struct registry_lookup;

struct registry {
    uv_loop_t *loop;
    char *base, *directory;
    struct registry_fetch *fetch;
    uv_timer_t timer;
    struct registry_lookup *lookups; /* oldest first */
    unsigned active;                 /* lookups that are not waiting */
    struct registry_unknown unknown;
    struct registry_health health;
    bool was_away; /* there was an outage; it may be over */
    uint32_t jitter;
    unsigned pending; /* work and the fetcher, which must end before the memory goes */
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
    registry_probed *probed;
    void *probe_context;
};

void registry_lookup_add(struct registry *registry, const struct registry_key *key,
                         registry_done *done, void *context);
/* Forgets all; what the work pool still reads or writes is freed when that has ended. */
void registry_lookup_drop_all(struct registry *registry);
/* Lets the timer call registry_lookup_on_timer when a lookup can go on, or closing has. */
void registry_lookup_schedule(struct registry *registry);
void registry_lookup_on_timer(uv_timer_t *timer);
/* registry.c: ends the handle when nothing is pending any more. */
void registry_close_when_idle(struct registry *registry);

#endif
