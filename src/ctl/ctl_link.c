/* hiredis is confined to this file and to what prints its replies. */
#include "ctl_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define CONTROL_PATH "/run/freshet/control.sock"
#define STAT_PATH    "/run/freshet/stat.sock"

static struct timeval from_ms(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static bool try_path(struct ctl_link *link, const char *path)
{
    snprintf(link->path, sizeof link->path, "%s", path);
    link->redis = redisConnectUnixWithTimeout(path, from_ms(CTL_CONNECT_MS));
    if (link->redis != NULL && link->redis->err == 0)
        return true;
    snprintf(link->error, sizeof link->error, "%s: %s", path,
             link->redis == NULL ? "out of memory" : link->redis->errstr);
    ctl_link_close(link);
    return false;
}

bool ctl_link_open(struct ctl_link *link, const char *path, int reply_ms)
{
    const char *named = path != NULL ? path : getenv("FRESHET_CONTROL_SOCKET");
    *link = (struct ctl_link){0};
    if (named != NULL) {
        if (!try_path(link, named))
            return false;
    } else if (!try_path(link, CONTROL_PATH)) {
        struct ctl_link stat = {0};
        if (!try_path(&stat, STAT_PATH))
            return false;
        *link = stat;
    }
    link->reply_ms = reply_ms;
    redisSetTimeout(link->redis, from_ms(reply_ms));
    return true;
}

void ctl_link_close(struct ctl_link *link)
{
    if (link->redis != NULL)
        redisFree(link->redis);
    link->redis = NULL;
}

static void complain(struct ctl_link *link)
{
    snprintf(link->error, sizeof link->error, "%s: %s", link->path,
             errno == EAGAIN ? "no answer in time" : link->redis->errstr);
}

redisReply *ctl_link_ask(struct ctl_link *link, int count, const char **words)
{
    redisReply *reply = redisCommandArgv(link->redis, count, words, NULL);
    if (reply == NULL)
        complain(link);
    return reply;
}

redisReply *ctl_link_ask_patiently(struct ctl_link *link, int count, const char **words,
                                   void (*waiting)(const struct ctl_link *link))
{
    redisReply *reply = NULL;
    struct pollfd answer = {.fd = link->redis->fd, .events = POLLIN};
    int sent = 0;
    if (link->reply_ms > 0)
        return ctl_link_ask(link, count, words);
    redisAppendCommandArgv(link->redis, count, words, NULL);
    while (!sent && redisBufferWrite(link->redis, &sent) == REDIS_OK)
        continue;
    while (sent && poll(&answer, 1, CTL_PATIENCE_MS) == 0)
        waiting(link);
    if (redisGetReply(link->redis, (void **)&reply) != REDIS_OK)
        complain(link);
    return reply;
}
