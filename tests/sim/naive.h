/* The semantics once more, without any cleverness: what a shard's rows must be. */
#ifndef FRESHET_TESTS_NAIVE_H
#define FRESHET_TESTS_NAIVE_H

#include "corekit.h"

enum { NAIVE_KEYS = 6, NAIVE_RECORDS = 512 };

extern const char *const naive_keys[NAIVE_KEYS];

/* An accepted event. */
struct naive_event {
    int key;
    int64_t ts, offset;
    int session; /* index into the key's sessions; -1: windows only */
    bool click;
    struct value slots[SLOT_COUNT];
};

struct naive_session {
    int64_t start, last, id;
    uint64_t rev;
    int64_t events;
    bool gone; /* merged into another */
};

struct naive_key {
    bool alive;
    int64_t offset; /* greatest accepted; -1: never */
    int first_event; /* of this life, in naive.events */
    struct naive_session sessions[NAIVE_RECORDS];
    int session_count;
};

struct naive {
    const struct rules *rules;
    int64_t next_offset;
    int64_t raw, greatest_record; /* INT64_MIN: none */
    struct naive_event events[NAIVE_RECORDS];
    int event_count;
    struct naive_key keys[NAIVE_KEYS];
};

void naive_init(struct naive *naive, const struct rules *rules);
/* What becomes of the record; its slots' text must outlive the model. */
enum fate naive_apply(struct naive *naive, const struct record *record);
int64_t naive_watermark(const struct naive *naive);
int naive_living(const struct naive *naive);
/* The key's values (set->count of them), in the arena; returns _rev. */
uint64_t naive_row(const struct naive *naive, int key, int64_t as_of, struct arena *arena,
                   struct value *values);
/* A row in words, the same for equal rows. */
void naive_render(struct text *out, const struct feature_set *set, const struct value *values,
                  uint64_t rev);

#endif
