/* Inside of the control sockets: what their source files share. */
#ifndef FRESHET_CONTROL_CLIENT_H
#define FRESHET_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "control.h"
#include "text.h"

/* Slots are never freed while the server lives: a ticket names a slot and a serial. */
struct control_client {
    struct control *control;
    uv_loop_t *loop;
    enum {
        CONTROL_CLIENT_FREE,
        CONTROL_CLIENT_OPEN,
        CONTROL_CLIENT_ENDING,  /* takes what is in output, then goes; requests are not read */
        CONTROL_CLIENT_CLOSING, /* waits for libuv to give the handle back */
    } state;
    uv_poll_t poll;
    int fd;
    bool write_allowed; /* came through the control socket */
    bool waiting;       /* a handler has deferred its reply */
    bool at_end;        /* the peer sends nothing more, but may still read */
    uint32_t serial;    /* which deferral */
    uid_t uid;
    pid_t pid;
    uint64_t since_ms; /* uv_now when the unfinished request began, or output last moved */
    size_t input_len;
    char input[CONTROL_REQUEST_MAX];
    struct text output;
    size_t sent;       /* of output */
    size_t reply_mark; /* where in output the reply to the newest request begins */
};

/* control_client.c: a connection, from accept to close. uid, pid and write_allowed are the
 * caller's to set. */
void control_client_open(struct control_client *client, int fd);
bool control_client_is_open(const struct control_client *client);
/* The client's share of a turn: answers requests, sends replies, closes when that is due. */
void control_client_serve(struct control_client *client);
void control_client_flush(struct control_client *client);
void control_client_sweep(struct control_client *client); /* to be called every second */
void control_client_close(struct control_client *client);

/* control.c: the server. */
const struct control_options *control_client_options(const struct control_client *client);
struct control_counts *control_counts_of(struct control *control);
void control_serve_again(struct control *control); /* every open client, in the next turn */
void control_client_closed(struct control *control);

/* control_builtin.c: Redis clients' own commands that stand in no table (CLIENT, SELECT, QUIT
 * ...); false when the request is none of them. */
bool control_builtin(struct control_request *request);

#endif
