/* The connection to the daemon's control socket. */
#ifndef FRESHET_CTL_LINK_H
#define FRESHET_CTL_LINK_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

enum {
    CTL_CONNECT_MS = 2000,
    CTL_PATIENCE_MS = 2000,
    CTL_PATH_MAX = 108,
    CTL_LINK_ERROR_MAX = 256,
};

struct ctl_link {
    redisContext *redis; /* NULL: not connected */
    char path[CTL_PATH_MAX];
    int reply_ms; /* 0: as long as it takes */
    char error[CTL_LINK_ERROR_MAX]; /* why there is no connection */
};

/* path NULL: FRESHET_CONTROL_SOCKET, else the usual place, else the read-only socket beside it.
 * reply_ms 0: waits for a reply as long as it takes. */
bool ctl_link_open(struct ctl_link *link, const char *path, int reply_ms);
void ctl_link_close(struct ctl_link *link);
/* NULL and error when the connection broke. Free with freeReplyObject. */
redisReply *ctl_link_ask(struct ctl_link *link, int count, const char **words);
/* The same for a command that may take long: without a limit to its time waiting is called every
 * CTL_PATIENCE_MS until the reply comes. */
redisReply *ctl_link_ask_patiently(struct ctl_link *link, int count, const char **words,
                                   void (*waiting)(const struct ctl_link *link));

#endif
