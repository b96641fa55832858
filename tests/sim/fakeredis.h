/* Redis as one shard sees it: the own hash, its rows, and what the scripts do with them. */
#ifndef FRESHET_TESTS_FAKEREDIS_H
#define FRESHET_TESTS_FAKEREDIS_H

#include "lease.h"
#include "naive.h"

enum { FAKEREDIS_OWNERS = 16, FAKEREDIS_ROW_BYTES = 1400 };

struct fakeredis_row {
    int key;
    bool exists;
    int64_t as_of, offset;
    char text[FAKEREDIS_ROW_BYTES];
};

struct fakeredis {
    bool has_own;
    uint64_t token; /* 0: none */
    int64_t hw, as_of, seq;
    bool has_hw;
    bool resync;
    struct {
        uint64_t token;
        int64_t seq;
    } owners[FAKEREDIS_OWNERS]; /* oldest first */
    int owner_count;
    struct fakeredis_row rows[NAIVE_KEYS];
};

enum fakeredis_result {
    FAKEREDIS_OK,
    FAKEREDIS_FENCED,
    FAKEREDIS_ROLLBACK,
    FAKEREDIS_REFUSED, /* not applied: out of memory */
    FAKEREDIS_UNKNOWN, /* no answer */
};

struct fakeredis_batch {
    uint64_t token;
    int64_t expected_seq, hw, as_of;
    struct fakeredis_row rows[NAIVE_KEYS]; /* exists = false: delete */
    int count;
};

struct lease_grant fakeredis_acquire(struct fakeredis *redis, uint64_t token, uint64_t previous,
                                     int64_t previous_seq);
/* went_back is set when a row would show an older state than the one it replaces. */
enum fakeredis_result fakeredis_flush(struct fakeredis *redis, const struct fakeredis_batch *batch,
                                      int64_t *seq, bool *went_back);
/* The end of a sweep whose deletions the caller makes when it may. */
enum fakeredis_result fakeredis_sweep(struct fakeredis *redis, uint64_t token,
                                      int64_t expected_seq);
enum fakeredis_result fakeredis_mark(struct fakeredis *redis, uint64_t token, bool resync);

#endif
