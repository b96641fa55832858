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
    bool ends; /* session.end_when is true for it */
    struct value slots[SLOT_COUNT];
};

struct naive_session {
    int64_t start, last, id;
    uint64_t rev;
    int64_t events;
    struct value tracker; /* session.id */
    bool gone;      /* merged into another */
    bool published; /* the story told of it as a closed one */
    bool immutable; /* it was fed to features with `on = session` ... */
    int64_t settled_at; /* ... at this watermark */
};

/* An id and how long it is remembered. */
struct naive_id {
    int key;
    int64_t id, until;
};

struct naive_key {
    bool alive;
    int64_t offset; /* greatest accepted; -1: never */
    int first_event; /* of this life, in naive.events */
    bool fed; /* a session has changed its row, which was not told yet */
    struct naive_session sessions[NAIVE_RECORDS];
    int session_count;
};

/* What a record has done so far, told to whoever follows (naive_story.h). */
struct naive;
enum naive_moment {
    NAIVE_ARRIVED,    /* nothing has moved; event's ts and key are known */
    NAIVE_TIME_MOVED, /* raw has moved, nothing is forgotten yet */
    NAIVE_FORGETS,    /* event's key is about to be forgotten */
    NAIVE_ENTERS,     /* event is about to enter a session */
    NAIVE_ENTERED,    /* it has, and is among the events */
};
typedef void naive_follower(void *context, struct naive *naive, enum naive_moment moment,
                            const struct naive_event *event);

struct naive {
    const struct rules *rules;
    naive_follower *follower; /* NULL: none */
    void *context;
    int64_t opened, merged, corrected, split; /* sessions */
    struct naive_id ids[NAIVE_RECORDS];
    int id_count;
    int64_t ids_overflowed;
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
/* The same with another session shown; NULL: none. */
void naive_row_of(const struct naive *naive, int key, const struct naive_session *shown,
                  int64_t as_of, struct arena *arena, struct value *values);
const struct naive_session *naive_newest(const struct naive_key *key);
int naive_key_of(const char *key, size_t len); /* -1: none of naive_keys */
/* The watermark at which the key is forgotten, if nothing more comes. */
int64_t naive_forget_at(const struct naive *naive, int key);
/* The first as_of beyond after at which the row of the key changes by itself; INT64_MAX: never. */
int64_t naive_decays_at(const struct naive *naive, int key, int64_t after);
/* A row in words, the same for equal rows. */
void naive_render(struct text *out, const struct feature_set *set, const struct value *values,
                  uint64_t rev);

#endif
