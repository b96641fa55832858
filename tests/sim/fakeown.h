/* The own hash of a shard in Redis, and what the scripts do with it: the rules of fencing. */
#ifndef FRESHET_TESTS_FAKEOWN_H
#define FRESHET_TESTS_FAKEOWN_H

#include "lease.h"

enum { FAKEOWN_OWNERS = 16 };

struct fakeown {
    uint64_t token; /* 0: none */
    int64_t hw, as_of, seq;
    bool has_hw;
    bool resync;
    struct {
        uint64_t token;
        int64_t seq;
    } owners[FAKEOWN_OWNERS]; /* oldest first */
    int owner_count;
};

enum fakeredis_result {
    FAKEREDIS_OK,
    FAKEREDIS_FENCED,
    FAKEREDIS_ROLLBACK,
    FAKEREDIS_REFUSED, /* not applied: out of memory */
    FAKEREDIS_UNKNOWN, /* no answer */
};

struct lease_grant fakeown_acquire(struct fakeown *own, uint64_t token, uint64_t previous,
                                   int64_t previous_seq);
/* What a batch begins with (FENCED, NUMBERED). When it is OK the batch is applied and counted. */
enum fakeredis_result fakeown_batch(struct fakeown *own, uint64_t token, int64_t expected_seq);
/* What a batch of rows raises. */
void fakeown_raise(struct fakeown *own, int64_t hw, int64_t as_of);
enum fakeredis_result fakeown_mark(struct fakeown *own, uint64_t token, bool resync);

#endif
