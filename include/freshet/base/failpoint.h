/* Places at which a test build dies, stops or fails on purpose; the table is failpoints.def.
 *
 *     if (failpoint_before(FAILPOINT_FSYNC) || fsync(file) != 0)
 *         return complain(...);
 *     failpoint_after(FAILPOINT_FSYNC);
 *
 * An order is NAME.before|after[:N]:kill|stop|error, such as "rename.after:2:kill": at the N-th
 * pass (the first, if not said) the process gets SIGKILL or SIGSTOP, or the step fails with EIO. It
 * is carried out once. Safe from several threads. */
#ifndef FRESHET_FAILPOINT_H
#define FRESHET_FAILPOINT_H

#include <stdbool.h>

enum failpoint {
#define FAILPOINT(id, name, fails, sentence) FAILPOINT_##id,
#include "failpoints.def"
#undef FAILPOINT
    FAILPOINT_COUNT_OF
};

#ifdef FRESHET_FAILPOINTS

/* Takes an order; NULL or "" is none. False: it is not understood. */
bool failpoint_arm(const char *order);

/* True: the step fails, errno is set. */
bool failpoint_before(enum failpoint point);
void failpoint_after(enum failpoint point);

#else

static inline bool failpoint_before(enum failpoint point)
{
    (void)point;
    return false;
}

static inline void failpoint_after(enum failpoint point)
{
    (void)point;
}

#endif
#endif
