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

/* The sums of the values and of their squares, both of doubles. */
struct acc_moments {
    struct acc_sum values;
    struct acc_sum squares;
};

struct acc_extreme {
    union {
        int64_t i;
        double d;
    };
    uint64_t n;
};

/* A value that the accumulator owns. Short text stands in it, from behind the type to the end;
 * longer text is in a block of the pool. */
union held_value {
    struct {
        uint32_t len;
        uint8_t type;
        char inline_text[11];
    };
    struct {
        uint64_t len_and_type;
        union {
            int64_t i;
            double d;
            char *text;
        };
    };
};

/* A value and its place in event order. */
struct entry {
    int64_t ts_ms;
    int64_t offset;
    union held_value value;
};

struct acc_edge {
    struct entry entry; /* value null: empty */
};

/* The event time of the oldest or newest event. */
struct acc_time {
    int64_t ts_ms;
    uint64_t n; /* events */
};

/* In the order of the list shown; a block of capacity entries. */
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

/* How often each value came, ascending by value (value_compare). */
struct acc_tally {
    struct tally {
        union held_value value;
        uint64_t n;
    } * tallies;
    uint32_t count;
    uint32_t capacity;
};

/* How many values lie in each logarithmic bucket, ascending. */
struct acc_buckets {
    struct bucket {
        int64_t place; /* of the bucket among all: 0 holds zero, those of negatives are below */
        uint64_t n;
    } * buckets;
    uint32_t count;
    uint32_t capacity;
};

/* Sums by epochs of one half-life, ascending, each as if stated at the epoch's beginning. Without
 * epochs nothing was counted. */
struct acc_decay {
    struct decay_epoch {
        int64_t epoch; /* floor(event time / half-life) */
        struct acc_sum sum;
    } * epochs;
    uint32_t count;
    uint32_t capacity;
    int64_t newest_ms; /* event time of the newest event */
};

/* With `by`: an accumulator of the operator for each group, ascending by group. */
struct acc_groups {
    char *groups; /* struct group, each followed by its accumulator */
    uint32_t count;
    uint32_t capacity;
};

struct group {
    union held_value value;
    uint64_t n;  /* events counted */
    char acc[];
};

#endif
