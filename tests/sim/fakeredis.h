/* Redis as one shard sees it: the own hash and its rows, each as text. */
#ifndef FRESHET_TESTS_FAKEREDIS_H
#define FRESHET_TESTS_FAKEREDIS_H

#include "fakeown.h"
#include "naive.h"

enum { FAKEREDIS_ROW_BYTES = 1400 };

struct fakeredis_row {
    int key;
    bool exists;
    int64_t as_of, offset;
    char text[FAKEREDIS_ROW_BYTES];
};

struct fakeredis {
    struct fakeown own;
    struct fakeredis_row rows[NAIVE_KEYS];
};

struct fakeredis_batch {
    uint64_t token;
    int64_t expected_seq, hw, as_of;
    struct fakeredis_row rows[NAIVE_KEYS]; /* exists = false: delete */
    int count;
};

/* went_back is set when a row would show an older state than the one it replaces. */
enum fakeredis_result fakeredis_flush(struct fakeredis *redis, const struct fakeredis_batch *batch,
                                      int64_t *seq, bool *went_back);

#endif
