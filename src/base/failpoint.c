/* Failpoints of a test build: one order, carried out at its pass. */
#include "failpoint.h"

#ifdef FRESHET_FAILPOINTS
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum action { ACTION_KILL, ACTION_STOP, ACTION_ERROR, ACTION_COUNT_OF };

static const char *const actions[] = {"kill", "stop", "error"};

static const struct {
    const char *name;
    bool fails;
} rows[] = {
#define FAILPOINT(id, name, fails, sentence) {#name, fails},
#include "failpoints.def"
#undef FAILPOINT
};

static struct {
    bool armed;
    enum failpoint point;
    bool after;
    enum action action;
    int pass;
} order;
static atomic_int passes;

bool failpoint_arm(const char *text)
{
    char name[32], side[8], rest[32], action[8];
    if (!text || !*text)
        return true;
    order.pass = 1;
    if (sscanf(text, "%31[^.].%7[^:]:%31s", name, side, rest) != 3 ||
        (sscanf(rest, "%d:%7s", &order.pass, action) != 2 && sscanf(rest, "%7s", action) != 1))
        return false;
    int point = 0, act = 0;
    while (point < FAILPOINT_COUNT_OF && strcmp(rows[point].name, name) != 0)
        point++;
    while (act < ACTION_COUNT_OF && strcmp(actions[act], action) != 0)
        act++;
    order.after = strcmp(side, "after") == 0;
    if (point == FAILPOINT_COUNT_OF || act == ACTION_COUNT_OF || order.pass < 1 ||
        (!order.after && strcmp(side, "before") != 0) ||
        (act == ACTION_ERROR && (order.after || !rows[point].fails)))
        return false;
    order.point = (enum failpoint)point;
    order.action = (enum action)act;
    order.armed = true;
    return true;
}

static bool reached(enum failpoint point, bool after)
{
    if (!order.armed || point != order.point || after != order.after ||
        atomic_fetch_add(&passes, 1) + 1 != order.pass)
        return false;
    char line[96];
    int len = snprintf(line, sizeof line, "level=warning event=failpoint name=%s.%s action=%s\n",
                       rows[point].name, after ? "after" : "before", actions[order.action]);
    ssize_t put = write(STDERR_FILENO, line, (size_t)len);
    (void)put; /* nobody could be told */
    if (order.action == ACTION_ERROR) {
        errno = EIO;
        return true;
    }
    kill(getpid(), order.action == ACTION_KILL ? SIGKILL : SIGSTOP);
    return false;
}

bool failpoint_before(enum failpoint point)
{
    return reached(point, false);
}

void failpoint_after(enum failpoint point)
{
    reached(point, true);
}
#endif
