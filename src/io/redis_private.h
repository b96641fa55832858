/* What redis.c and redis_setup.c share: the state behind struct redis. */
#ifndef FRESHET_REDIS_PRIVATE_H
#define FRESHET_REDIS_PRIVATE_H

#include "redis.h"

enum { REDIS_SHA_DIGITS = 40 };

struct redis {
    struct redis_link link;
    struct redis_address address;
    char *user;
    char *password;
    char *client_name;
    size_t max_inflight_bytes;
    bool read_only;
    void (*on_change)(void *context);
    void *context;

    struct redis_health health;
    bool trouble_in_setup; /* so that a complete set-up ends it */
    bool explained;        /* the link goes down for the trouble that is already noted */
    bool slow;             /* wait long before the next attempt */
    bool paused;           /* connected, but waiting out an error */
    unsigned failures;     /* in a row: doubles the wait */
    int scripts_missing;
    bool reloaded;         /* the scripts, and no call of one has worked since */
    char sha[REDIS_LUA_COUNT][REDIS_SHA_DIGITS + 1];

    uv_timer_t waiting; /* for the next attempt, or for the end of a pause */
    uv_timer_t probing; /* asks for INFO now and then */
    int handles_left; /* while closing */
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

/* Health may look different now: tells the owner. */
void redis_changed(struct redis *redis);
void redis_trouble_ends(struct redis *redis);
/* Drops the connection because of an error reply. */
void redis_give_up(struct redis *redis, const struct redis_error *error, const char *text);

/* The link is up: enters, names itself, loads the scripts unless it only reads. */
void redis_setup_begin(struct redis *redis);
/* Loads them again; harmless while that is under way. */
void redis_setup_scripts(struct redis *redis);
void redis_setup_probe(struct redis *redis);
/* Takes the answer if the request is one of the set-up's own. */
bool redis_setup_answer(struct redis *redis, struct redis_request *request,
                        const struct redis_reply *reply);

#endif
