/* Accumulators: the state of one folded feature in one session or pane. All zero is empty. */
#ifndef FRESHET_OPERATOR_STATE_H
#define FRESHET_OPERATOR_STATE_H

#include <stdint.h>

#include "value.h"

struct acc_none {
    char nothing;
};

struct acc_count {
    uint64_t n;
};

/* The exact total as a 128-bit integer in two halves: of longs as they are, of doubles in units
 * of 2^-40. */
struct acc_sum {
    uint64_t low;
    int64_t high;
    uint64_t n;
};

struct acc_extreme {
    union {
        int64_t i;
        double d;
    };
    uint64_t n;
};

/* A value that the accumulator owns: text of more than 8 bytes is in a block of the pool. */
struct held_value {
    union {
        int64_t i;
        double d;
        char inline_text[8];
        char *text;
    };
    uint32_t len;
    uint8_t type;
};

/* A value and its place in event order. */
struct entry {
    int64_t ts_ms;
    int64_t offset;
    struct held_value value;
};

struct acc_edge {
    struct entry entry; /* value null: empty */
};

/* Newest first; a block of capacity entries. */
struct acc_list {
    struct entry *entries;
    uint32_t count;
    uint32_t capacity;
};

/* Sorted hashes of the members, or 4096 HyperLogLog registers once there are more than 1,024. */
struct acc_distinct {
    union {
        uint64_t *members;
        uint8_t *registers;
    };
    uint32_t count;
    uint32_t capacity; /* of members; 0 with registers set: registers */
};

#endif
