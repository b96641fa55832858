/* A pipelined connection to one Redis address: sockets, time-outs, requests matched to replies.
 *
 * It knows nothing of what commands and replies mean: redis.h, its only user, does. A link is up
 * or down; redis_link_connect starts an attempt and ends, some time later, in `up` or `down`, and
 * every link that was up ends in `down`. Before `down` every request in flight was answered with
 * NULL. All events come from the loop. */
#ifndef FRESHET_REDIS_LINK_H
#define FRESHET_REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "redis_address.h"
#include "redis_reply.h"

enum redis_result {
    REDIS_RESULT_OK,
    REDIS_RESULT_FENCED,   /* another token owns the shard; nothing was applied */
    REDIS_RESULT_ROLLBACK, /* Redis lost acknowledged batches; nothing was applied */
    REDIS_RESULT_REFUSED,  /* any other error reply: keep, and send again when ready */
    REDIS_RESULT_UNKNOWN,  /* connection lost or no reply in time: may have been applied */
};

enum {
    REDIS_PARTS_MAX = 3,
    REDIS_READ_BYTES = 64 * 1024,
    REDIS_REPLY_MAX = 16 << 20, /* bytes of one reply: beyond it the link goes down */
    REDIS_WHY_MAX = 256,
};

struct redis_request;
/* reply is NULL when the result is UNKNOWN, and valid only during the call. The request may be
 * sent again, or freed, from within. */
typedef void redis_done(struct redis_request *request, enum redis_result result,
                        const struct redis_reply *reply);

struct redis_request {
    uv_buf_t parts[REDIS_PARTS_MAX]; /* exactly one command between them */
    unsigned part_count;
    redis_done *done;
    /* Private to the link from sending to the answer. */
    struct redis_link *link;
    uv_write_t write;
    bool writing;              /* libuv still reads the parts */
    struct redis_reply *reply; /* came while writing */
    size_t bytes;
    uint64_t sent_ms;
    struct redis_request *next;
};

struct redis_link_events {
    void (*up)(void *context);
    /* timed_out: there was no reply, or no connection, in time. */
    void (*down)(void *context, const char *why, bool timed_out);
    /* The link forgets the request before the call; reply is NULL when the link went down. */
    void (*answer)(void *context, struct redis_request *request, const struct redis_reply *reply);
    void *context;
};

struct redis_link {
    uv_loop_t *loop;
    struct redis_link_events events;
    uint64_t connect_timeout_ms;
    uint64_t reply_timeout_ms;

    enum redis_link_state {
        REDIS_LINK_DOWN,
        REDIS_LINK_RESOLVING,
        REDIS_LINK_CONNECTING,
        REDIS_LINK_UP,
        REDIS_LINK_CLOSING, /* the socket's close callback has not come yet */
    } state;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    struct addrinfo *addresses; /* of the host; tried one after the other */
    struct addrinfo *untried;
    uv_timer_t timer; /* connection attempt, then the oldest request */
    char why[REDIS_WHY_MAX]; /* it goes down */
    bool timed_out;

    struct redis_reply_reader *reader;
    struct redis_request *oldest; /* in flight, in the order of their replies */
    struct redis_request *newest;
    size_t inflight_bytes;
    uint64_t heard_ms; /* when the newest reply came */
    size_t unfinished; /* bytes that came since then */
    bool overdue;      /* time is over; one more look at the socket is allowed */

    void (*finished)(void *context);
    char input[REDIS_READ_BYTES];
};

void redis_link_init(struct redis_link *link, uv_loop_t *loop,
                     const struct redis_link_events *events);
/* Goes down if it is not (with its events), then calls finished(context of events). */
void redis_link_fini(struct redis_link *link, void (*finished)(void *context));

/* Only while it is down. */
void redis_link_connect(struct redis_link *link, const struct redis_address *address);
/* Takes the link down, saying why. Harmless unless it is up or connecting. */
void redis_link_drop(struct redis_link *link, const char *why);
/* Only while it is up. */
void redis_link_send(struct redis_link *link, struct redis_request *request);

#endif
