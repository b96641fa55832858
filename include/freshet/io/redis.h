/* Redis as the daemon sees it: requests while it is ready, and its health when it is not.
 *
 * A request passes so: its owner builds RESP bytes, checks redis_ready, calls redis_send and leaves
 * request and bytes alone until `done` is called, always from the loop, never from redis_send.
 * Requests are answered in the order they were sent, whatever happens. Nothing is queued while
 * Redis is away and nothing is sent twice: when a request fails its owner keeps what it wanted to
 * write and builds a new request when redis_ready is true again (on_change says when to look).
 * So on one connection an old row never arrives after a newer one. A request that ended UNKNOWN may
 * still lie in the server's or a proxy's buffers: its owner takes a new token (ACQUIRE) before it
 * writes again, so that the late one is fenced. */
#ifndef FRESHET_REDIS_H
#define FRESHET_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "redis_address.h"
#include "redis_error.h"
#include "redis_info.h"
#include "redis_link.h"
#include "redis_lua.h"
#include "redis_reply.h"

struct redis;

const char *redis_result_name(enum redis_result result);

struct redis_limits {
    int64_t connect_timeout_ms;
    int64_t reply_timeout_ms;
    size_t max_inflight_bytes;
};

struct redis_options {
    struct redis_address address;
    const char *user;        /* NULL or empty: the address's, else the default user */
    const char *password;    /* NULL or empty: no AUTH */
    const char *client_name; /* for CLIENT SETNAME; no blanks */
    struct redis_limits limits;
    bool read_only; /* no script is loaded, so that the right to read is enough */
    /* Readiness or health may have changed; called from the loop. May be NULL. */
    void (*on_change)(void *context);
    void *context;
};

/* Starts to connect, and goes on trying until redis_close. Strings are copied. */
struct redis *redis_open(uv_loop_t *loop, const struct redis_options *options);
/* Fails what is in flight (UNKNOWN), calls closed from the loop, then frees. Never twice. */
void redis_close(struct redis *redis, void (*closed)(void *context), void *context);
void redis_set_limits(struct redis *redis, const struct redis_limits *limits);

/* Connected, set up, not backing off, and below the bound of bytes in flight (which one request
 * may pass). */
bool redis_ready(const struct redis *redis);
/* Bytes sent in requests that are not yet answered. */
size_t redis_inflight_bytes(const struct redis *redis);
/* Sends a request; only while redis_ready. */
void redis_send(struct redis *redis, struct redis_request *request);
/* The 40 hexadecimal digits by which EVALSHA names a script; only while redis_ready. */
const char *redis_script_sha(const struct redis *redis, enum redis_lua_id script);

enum { REDIS_ERROR_MAX = 256 };

struct redis_health {
    bool connected;              /* and set up: a pause after an error does not count */
    enum redis_trouble trouble;  /* NONE: all is well */
    char error[REDIS_ERROR_MAX]; /* the newest error's text, also of a trouble that is over */
    uint64_t since_ms;           /* uv_now when the trouble began, or ended */
    struct redis_info info;      /* of the newest connection, at most 30 s old */
    /* Counters since redis_open. */
    uint64_t connects;
    uint64_t timeouts;
    uint64_t requests;
    uint64_t errors; /* error replies, FENCED and ROLLBACK apart */
    uint64_t bytes_sent;
};
const struct redis_health *redis_health(const struct redis *redis);
/* Calls alarm for each that is on: a name and a sentence for the operator. */
void redis_alarms(const struct redis *redis,
                  void (*alarm)(void *context, const char *name, const char *sentence),
                  void *context);

#endif
