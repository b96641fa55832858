/* Assertions for programmer errors; they stay on in production. */
#ifndef FRESHET_EXPECT_H
#define FRESHET_EXPECT_H

/* Ends the process with the condition and its place when the condition does not hold. */
#define expect(condition)                                                                          \
    (__builtin_expect(!!(condition), 1) ? (void)0 : expect_failed(#condition, __FILE__, __LINE__))

#define unreachable(why) expect_failed(why, __FILE__, __LINE__)

/*
 * What was being worked on, shown when an assertion fails: set by the shard at each batch.
 * The strings are not copied and must outlive the work.
 */
struct expect_context {
    const char *topic;
    int partition;
    long long offset;
};
extern _Thread_local struct expect_context expect_context;

_Noreturn void expect_failed(const char *condition, const char *file, int line);

#endif
