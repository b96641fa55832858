/* A crew of threads that does pieces of work which do not touch each other, and waits for all. */
#ifndef FRESHET_CREW_H
#define FRESHET_CREW_H

struct crew;

/* jobs - 1 threads are started; with 1 the caller does everything itself. */
struct crew *crew_new(int jobs);
void crew_free(struct crew *crew);

/* Calls work(context, i) for each i from 0 to count - 1, in any order and on any thread, and
 * returns when all are done. */
void crew_do(struct crew *crew, int count, void (*work)(void *context, int i), void *context);

#endif
