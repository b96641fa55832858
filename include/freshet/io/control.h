/* The control sockets: Redis' protocol on Unix sockets, so that redis-cli is a client.
 *
 * How a request passes through: bytes are read into the client's bounded buffer; control_request
 * cuts one request (RESP array or inline) from it; the command is looked up in the table given to
 * control_open; access and arity are checked; its handler is called on the loop and gives exactly
 * one reply, now or, after control_defer, later. This file knows no command's meaning.
 *
 * Everything is bounded: connections, request, arguments, time to finish a request, output, and
 * work in one turn of the loop. A client that breaks a bound gets an error and is closed. */
#ifndef FRESHET_CONTROL_H
#define FRESHET_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
    CONTROL_CLIENTS_MAX = 16,          /* connections over both sockets ... */
    CONTROL_CLIENTS_ROOT = 2,          /* ... and these for root only */
    CONTROL_REQUEST_MAX = 16 * 1024,   /* bytes of a request */
    CONTROL_ARGUMENTS_MAX = 32,        /* of a request, the command's name included */
    CONTROL_REQUEST_MS = 10 * 1000,    /* to finish a request, and to take a reply */
    CONTROL_OUTPUT_MAX = 1024 * 1024,  /* bytes of replies not yet taken; then close */
    CONTROL_ERROR_MAX = 512,           /* room for any error text from here */
};

struct control;
struct control_client;

/* Lives during the handler's call. Arguments are terminated and may hold zero bytes. */
struct control_request {
    struct control_client *client; /* whom to reply to */
    void *context;                 /* of control_options */
    const struct control_command *command;
    int count;                     /* arguments after the command's name */
    const char *const *arguments;
    const size_t *lengths;
};

typedef void control_handler(struct control_request *request);

enum control_access {
    CONTROL_READ,  /* on both sockets */
    CONTROL_WRITE, /* on the control socket only; logged with uid and pid */
};

/* One row of control.def. */
struct control_command {
    const char *name;      /* upper case, one or two words; the longest name that fits wins */
    const char *arguments; /* as HELP shows them */
    int min, max;          /* arguments after the name */
    enum control_access access;
    control_handler *handler;
    const char *sentence;
};

struct control_options {
    const char *control_path; /* mode 0600, all commands; NULL or empty: none */
    const char *stat_path;    /* mode 0660, READ commands; NULL or empty: none */
    const struct control_command *commands; /* must outlive the handle */
    size_t command_count;
    void *context;
};

/*
 * Listens. NULL and error (CONTROL_ERROR_MAX bytes) when another process answers at a path, or a
 * path cannot be bound. A socket that nobody answers at is replaced, any other file is not.
 */
struct control *control_open(uv_loop_t *loop, const struct control_options *options, char *error);
/* Sends what is left to send, without waiting, removes the sockets, closes all clients, calls
 * closed from the loop, then frees. Deferred replies are dropped. A handler may call it, behind its
 * reply. */
void control_close(struct control *control, void (*closed)(void *context), void *context);

struct control_counts {
    unsigned clients;  /* connected now */
    uint64_t requests; /* answered */
    uint64_t refused;  /* connections refused, or closed for breaking a limit */
};
struct control_counts control_counts(const struct control *control);

/*
 * Replies: exactly one for a request; an array is followed by its elements.
 *
 * control_reply_lines is for text that people read: redis-cli shows an array of lines as they are,
 * but would quote and escape a bulk string on a terminal. INFO alone is shown raw by its name, so
 * it is a bulk string (control_reply_text).
 */
void control_reply_status(struct control_client *client, const char *text); /* one line */
/* "-ERR ..." unless the text begins with another word in capitals, such as NOPERM. */
void control_reply_error(struct control_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void control_reply_integer(struct control_client *client, int64_t number);
void control_reply_text(struct control_client *client, const char *bytes, size_t len);
/* One array element a line; control bytes are shown as \xNN. */
void control_reply_lines(struct control_client *client, const char *text, size_t len);
void control_reply_null(struct control_client *client);
void control_reply_array(struct control_client *client, size_t count);

/*
 * For a command that is answered when something is done: the handler keeps the ticket and returns
 * without a reply; the client's next requests wait. Tickets are never 0.
 */
uint64_t control_defer(struct control_request *request);
/* Whom to give the one reply now; NULL when the client has left. A ticket works once. */
struct control_client *control_resume(struct control *control, uint64_t ticket);

/* Handlers for the rows that every Redis client expects. */
control_handler control_ping, control_help, control_command, control_command_docs, control_hello;

#endif
