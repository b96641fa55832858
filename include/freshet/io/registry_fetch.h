/* HTTP GET on the libuv loop: many requests at once, bounded answers, time-outs. */
#ifndef FRESHET_REGISTRY_FETCH_H
#define FRESHET_REGISTRY_FETCH_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct registry_fetch;

/* status is that of HTTP; 0 when there was no whole answer, and error says why. Called from the
 * loop, never from registry_fetch_get. */
enum { REGISTRY_FETCH_TOO_LARGE = -1 }; /* a 200 of more than REGISTRY_RESPONSE_MAX bytes */
typedef void registry_fetched(void *context, int status, const char *body, size_t len,
                              const char *error);

/* user and password may be NULL or empty. NULL when the library cannot start. */
struct registry_fetch *registry_fetch_open(uv_loop_t *loop, const char *user,
                                           const char *password, int64_t timeout_ms);
void registry_fetch_set_timeout(struct registry_fetch *fetch, int64_t timeout_ms);
void registry_fetch_get(struct registry_fetch *fetch, const char *url, registry_fetched *done,
                        void *context);
/* Forgets what is under way without answering, calls closed from the loop, then frees. */
void registry_fetch_close(struct registry_fetch *fetch, void (*closed)(void *context),
                          void *context);

#endif
