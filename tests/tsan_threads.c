/* C11 threads by POSIX threads, for ThreadSanitizer builds alone: it does not know thrd_create, and
 * crashes in the threads that librdkafka makes with it. With these two in the program itself the
 * library's calls end here. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

#define EXPORTED __attribute__((visibility("default")))

struct start {
    thrd_start_t run;
    void *argument;
};

static void *run_thread(void *data)
{
    struct start start = *(struct start *)data;
    free(data);
    return (void *)(intptr_t)start.run(start.argument);
}

EXPORTED int thrd_create(thrd_t *thread, thrd_start_t run, void *argument)
{
    struct start *start = malloc(sizeof *start);
    if (!start)
        return thrd_nomem;
    *start = (struct start){run, argument};
    int error = pthread_create(thread, NULL, run_thread, start);
    if (error)
        free(start);
    return error ? thrd_error : thrd_success;
}

EXPORTED int thrd_join(thrd_t thread, int *result)
{
    void *value = NULL;
    int error = pthread_join(thread, &value);
    if (result)
        *result = (int)(intptr_t)value;
    return error ? thrd_error : thrd_success;
}
