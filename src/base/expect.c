/* The end of the process when an assertion fails: one line with what was being worked on. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

_Thread_local struct expect_context expect_context;

void expect_failed(const char *condition, const char *file, int line)
{
    /* Not through the log: its sink, its lock or its memory may be what is broken. */
    fprintf(stderr, "<2>level=error event=assertion_failed condition=\"%s\" place=%s:%d", condition,
            file, line);
    if (expect_context.topic)
        fprintf(stderr, " topic=%s partition=%d offset=%lld", expect_context.topic,
                expect_context.partition, expect_context.offset);
    fputc('\n', stderr);
    fflush(stderr);
    abort();
}
