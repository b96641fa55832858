/* The job of bounds and peers, done as cheaply as it can be: for each user the events, the value
 * and the last item of the session, and a row of them in Redis. */
#ifndef FRESHET_BENCH_JOB_H
#define FRESHET_BENCH_JOB_H

#include <stddef.h>
#include <stdint.h>

/* Each step does what those before it do. */
enum job_step { JOB_DROP, JOB_TOUCH, JOB_DECODE, JOB_TABLE, JOB_ENCODE, JOB_REDIS };

struct job_message {
    const void *payload;
    size_t len;
    int32_t partition;
    int64_t offset;
};

struct job_result {
    uint64_t keys;
    uint64_t digest; /* of all rows (see job_result), or of what the step made of the bytes */
};

struct job;

struct job *job_open(enum job_step step, int redis_port);
void job_take(struct job *job, const struct job_message *messages, size_t count);
/* Everything is where it should be. */
void job_flush(struct job *job);
/* With a table: the sum of the CRC-32 of "user,events,cents,item" of all users. */
struct job_result job_result(const struct job *job);
void job_close(struct job *job);

#endif
