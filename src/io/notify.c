/* Messages to systemd by libsystemd; without it, or outside systemd, they go nowhere. */
#include "notify.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
static int sd_notify(int unset, const char *state)
{
    (void)unset;
    (void)state;
    return 0;
}

static int sd_watchdog_enabled(int unset, uint64_t *usec)
{
    (void)unset;
    (void)usec;
    return 0;
}
#endif

enum { STATUS_MAX = 256 };

void notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void notify_status(const char *line)
{
    static char sent[STATUS_MAX];
    char message[STATUS_MAX];
    snprintf(message, sizeof message, "STATUS=%s", line);
    if (strcmp(message, sent) == 0)
        return;
    memcpy(sent, message, sizeof sent);
    sd_notify(0, message);
}

void notify_reloading(void)
{
    struct timespec now;
    char message[64];
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    sd_notify(0, message);
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

int64_t notify_watchdog_interval_ms(void)
{
    uint64_t usec = 0;
    if (sd_watchdog_enabled(0, &usec) <= 0)
        return 0;
    return usec < 2000 ? 1 : (int64_t)(usec / 2000);
}

void notify_watchdog(void)
{
    sd_notify(0, "WATCHDOG=1");
}

void notify_extend_ms(int64_t more_ms)
{
    char message[64];
    snprintf(message, sizeof message, "EXTEND_TIMEOUT_USEC=%lld", (long long)more_ms * 1000);
    sd_notify(0, message);
}
