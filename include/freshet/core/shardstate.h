/* The inside of a shard, for the files of the core that work on it; users include shard.h. */
#ifndef FRESHET_SHARDSTATE_H
#define FRESHET_SHARDSTATE_H

#include "deadlines.h"
#include "dedup.h"
#include "effect.h"
#include "keytable.h"
#include "operator.h"
#include "pool.h"
#include "segment.h"
#include "session.h"
#include "shard.h"
#include "window.h"

enum {
    ENTITY_CHUNK = 256,          /* entities allocated together */
    ENTITY_CHUNKS_MAX = 1 << 22, /* 2^30 entities, the most that state.max_keys may be */
};

enum entity_flag {
    ENTITY_USED = 1,
    ENTITY_FORGOTTEN = 2, /* its state is empty; its last row is not acknowledged yet */
    ENTITY_WHOLE = 4,     /* its next row replaces whatever is there */
};

enum entity_queue { QUEUE_NONE, QUEUE_EVENT, QUEUE_DECAY, ENTITY_QUEUES };

enum { ENTITY_INLINE_KEY = 40 };

/* One key. Handles are indexes; serial tells the lives of a handle apart. What every event looks at
 * stands first. */
struct entity {
    uint64_t hash;
    uint32_t key_len;
    uint32_t serial;
    union {
        char inline_key[ENTITY_INLINE_KEY];
        char *key; /* longer: a block of the pool */
    };
    int64_t offset; /* greatest offset of an event that entered state (_o) */
    uint16_t inflight; /* batches that hold a row of it */
    uint8_t queue;     /* enum entity_queue */
    uint8_t flags;     /* enum entity_flag */
    union {
        uint32_t epoch;     /* of the resync that its last acknowledged row belongs to */
        uint32_t next_free; /* of a handle that is not used */
    };
    struct sessions sessions;
    int64_t armed_ms;        /* as_of deadline in the queue; INT64_MAX: none */
    int64_t since_ms;        /* while dirty: see shard_batch.since_ms; INT64_MAX: none */
    uint32_t expire_s;       /* when the TTL was set, monotonic seconds; 0: unknown or never */
    uint32_t touched;        /* the epoch of checkpoints in which it last changed */
    struct panes *windows[]; /* one of each window of the set, NULL: empty */
    /* struct entity_closed, when the set has features with `on = session` */
};

struct entity_closed {
    int64_t settles_ms; /* watermark in the settle queue; INT64_MAX: none */
    bool row_due;       /* sessions have changed the row since it was made dirty for that */
};

/* A ring of handles; an entry counts while its key is in the queue. See dirty.c. */
struct dirty_queue {
    uint32_t *handles;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t head;     /* place of the first entry, modulo capacity */
    uint32_t size;     /* entries, those that no longer count included */
    uint32_t count;    /* keys */
};

/* The checkpoint under way, and what the next one has to know; see checkpoint.h. */
struct checkpointing {
    uint32_t epoch; /* checkpoints begun; 0: this shard has none, and touching costs nothing */
    uint32_t since; /* the epoch in which the last stored one began; 0: none was */
    bool under_way;
    bool base;
    int64_t offset;         /* at the beginning */
    uint32_t now_s;
    size_t removed_cursor;  /* in removed: what has been written of it */
    size_t removed_mark;    /* in removed: what belongs to the one under way */
    uint32_t cursor, end;   /* the walk has passed the handles before it, and ends there ... */
    uint32_t id_cursor, id_end; /* ... and those of dedup */
    uint16_t features[FEATURES_MAX]; /* the folded ones, ordered by place ... */
    uint16_t first[FEATURE_WINDOWS_MAX + 3]; /* ... where those of place k begin */
    struct segment_writer writer;
    struct text out;
    struct text removed;    /* keys dropped since the last stored one, each with its length */
    bool removed_overflow;  /* the list was given up: the next one is a base */
};

/* In starts_ms, of a feature that never becomes right. */
#define SHARD_NEVER_MS (INT64_MAX - 1)

struct shard {
    const struct rules *rules;
    int32_t partition;
    int64_t start_ms;
    int64_t *starts_ms; /* the same by feature: one that came later began with it */
    uint64_t last_place; /* of the keys that get state */
    struct lease lease;

    /* position and time */
    int64_t next_offset;
    int64_t raw_ms;                /* INT64_MIN before the first event */
    int64_t greatest_record_ms;    /* RECORD_NO_TIME before the first */
    int64_t newest_record_ms;      /* of the last record that had one */
    int64_t as_of_ms;              /* last stated; INT64_MIN: never */
    int64_t due_ms;                /* every key due up to this as_of was made dirty */

    /* keys */
    struct pool pool;
    struct keytable table;
    char **chunks; /* slabs of ENTITY_CHUNK entities, entity_bytes each */
    uint32_t entity_bytes;
    uint32_t chunk_count;
    uint32_t handle_count; /* handles ever used */
    uint32_t free_handle;  /* chain through entity.next_free */
    uint64_t live_keys;    /* not forgotten */
    uint64_t forgotten_keys;
    uint64_t live_sessions;

    struct dedup dedup; /* ids seen, when rules.id_slot is set */

    /* what is due */
    struct deadlines decay;  /* by as_of: a pane leaves, a session closes or hides */
    struct deadlines forget; /* by watermark */
    struct deadlines settle; /* by watermark, with `on = session` only: a session is immutable */

    /* delivery */
    struct dirty_queue queues[ENTITY_QUEUES]; /* the first is unused */
    uint64_t inflight_rows;
    uint32_t epoch; /* of resync */
    uint64_t unsynced; /* keys whose last acknowledged row is of an earlier epoch */
    uint32_t resync_cursor;
    uint32_t ttl_cursor;

    char warming[SHARD_WARMING_MAX];
    int64_t warming_until_ms; /* the as_of at which the list changes next */

    struct checkpointing checkpointing;

    unsigned observed; /* kinds of effects to be told; 0: nobody looks */
    effect_observer *observer;
    void *observer_context;
    int64_t cause_offset; /* of the record at hand; -1: none */
    struct effect_due *due; /* of the present advance */
    size_t due_count, due_capacity;

    struct shard_status counters; /* only its counters are used */
    struct arena scratch;
    struct value *arguments; /* of the event at hand, by argument; see apply.c */
    uint8_t *predicates;
    uint8_t *arguments_known;
};

/* ---- entity.c ---- */
static inline struct entity *entity_at(const struct shard *shard, uint32_t handle)
{
    char *chunk = shard->chunks[handle / ENTITY_CHUNK];
    return (struct entity *)(void *)(chunk + (size_t)(handle % ENTITY_CHUNK) * shard->entity_bytes);
}
static inline const char *entity_key(const struct entity *entity)
{
    return entity->key_len <= ENTITY_INLINE_KEY ? entity->inline_key : entity->key;
}
uint32_t entity_find(const struct shard *shard, const char *key, size_t len, uint64_t hash);
uint32_t entity_create(struct shard *shard, const char *key, size_t len, uint64_t hash);
/* A new life for a key whose last row still waits. */
void entity_revive(struct shard *shard, uint32_t handle);
/* Releases sessions and panes; the key stays until its last row is acknowledged. */
void entity_forget(struct shard *shard, uint32_t handle);
/* Frees the handle once it is forgotten, clean and not in flight. */
void entity_drop_if_done(struct shard *shard, uint32_t handle);
static inline int64_t entity_phase_ms(const struct entity *entity)
{
    return (int64_t)(entity->hash % WINDOW_PHASE_MODULUS_MS);
}

/* Releases sessions and panes. */
void entity_release_state(struct shard *shard, struct entity *entity);

/* Reads memory that is wanted soon, for many keys one after the other, so that their misses
 * overlap: the entity, then what it points to. */
static inline void memory_fetch(const void *from, size_t bytes)
{
    const volatile char *byte = from;
    for (size_t at = 0; at < bytes; at += CACHE_LINE)
        (void)byte[at];
}
static inline void entity_fetch(const struct shard *shard, uint32_t handle)
{
    memory_fetch(entity_at(shard, handle), shard->entity_bytes);
}
static inline void entity_fetch_state(const struct shard *shard, uint32_t handle)
{
    const struct entity *entity = entity_at(shard, handle);
    if (entity->sessions.live)
        memory_fetch(entity->sessions.live, session_bytes(shard->rules));
    for (int w = 0; w < shard->rules->set->window_count; w++)
        if (entity->windows[w])
            memory_fetch(entity->windows[w], 1);
}

/* ---- dirty.c ---- */
void entity_dirty(struct shard *shard, uint32_t handle, enum entity_queue queue);
void entity_clean(struct shard *shard, uint32_t handle); /* takes it from its queue */
/* The key that has waited longest; the queue must have one. */
uint32_t dirty_first(struct shard *shard, enum entity_queue queue);
/* Fetches the memory of the first `count` keys. */
void dirty_fetch(const struct shard *shard, enum entity_queue queue, uint32_t count);
void dirty_free(struct shard *shard);

/* ---- checkpointsave.c ---- */
/* Copies the key as it was at the beginning of the checkpoint under way. */
void checkpoint_first_touch(struct shard *shard, uint32_t handle);
/* The key will not be in the next checkpoint. */
void checkpoint_key_removed(struct shard *shard, const struct entity *entity);
/* The same for an id of dedup that is about to go; the context is the shard. */
void checkpoint_id_leaves(void *context, uint32_t handle);
/* To be called before anything of the key changes that a checkpoint has. */
static inline void entity_touch(struct shard *shard, uint32_t handle)
{
    if (entity_at(shard, handle)->touched != shard->checkpointing.epoch)
        checkpoint_first_touch(shard, handle);
}

/* ---- folding: apply.c, closedfold.c ---- */
static inline void shard_note_added(struct shard *shard, enum operator_added added)
{
    shard->counters.addends_clamped += added == OPERATOR_CLAMPED;
    shard->counters.values_left_out += added == OPERATOR_LEFT_OUT;
}

/* ---- closedfold.c: for features with `on = session` ---- */
void closed_init(const struct shard *shard, struct entity *entity); /* of a new life */
/* Makes sure that the queue knows when the key's live sessions become immutable; only when the set
 * has such features. */
void closed_arm(struct shard *shard, uint32_t handle);
/* Folds the sessions that became immutable since the watermark was before_ms. */
void shard_settle_due(struct shard *shard, int64_t before_ms);
/* Whether the key's row is due for that, with the next as_of; and that it has been made dirty. */
bool closed_row_due(const struct shard *shard, const struct entity *entity);
void closed_row_told(const struct shard *shard, struct entity *entity);

/* The place of a key among all, by its hash: multiplying spreads what the hash's own bits are used
 * for elsewhere. */
static inline uint64_t entity_place(uint64_t hash)
{
    return hash * UINT64_C(0x9e3779b97f4a7c15);
}

/* ---- due.c ---- */
/* Whether the deadline is of a life that is over. */
static inline bool deadline_stale(const struct entity *entity, const struct deadline *deadline)
{
    return !(entity->flags & ENTITY_USED) || entity->flags & ENTITY_FORGOTTEN ||
           entity->serial != deadline->serial;
}
int64_t shard_watermark_ms(const struct shard *shard);
/* The first as_of beyond after_ms at which the row of the key changes by itself. */
int64_t entity_row_due(const struct shard *shard, const struct entity *entity, int64_t after_ms);
/* The same, or at which something else of the key is to be told. */
int64_t entity_next_due(const struct shard *shard, const struct entity *entity, int64_t after_ms);
/* Makes sure that the deadline queue knows a deadline at_ms of the key. */
void entity_arm(struct shard *shard, uint32_t handle, int64_t at_ms);
/* The first watermark at which the key is forgotten; INT64_MAX: never. */
int64_t entity_forget_at(const struct shard *shard, const struct entity *entity);
void entity_arm_forget(struct shard *shard, uint32_t handle);
/* Forgets every key whose time is over at the present watermark. */
void shard_forget_due(struct shard *shard);

/* ---- observe.c: only for shards that are observed ---- */
void observe_arrival(struct shard *shard, const char *key, size_t len, int64_t ts_ms,
                     int64_t raw_ms);
/* Something of the key was due after before_ms: observe_due tells it when all are known. */
void observe_key_due(struct shard *shard, uint32_t handle, int64_t before_ms);
void observe_due(struct shard *shard);
/* The key's time is over: observe_all_forgotten tells it, and forgets it. */
void observe_forgotten(struct shard *shard, uint32_t handle);
void observe_all_forgotten(struct shard *shard);
/* Before and after an event enters a session: what was there, and what has come of it. */
struct observed_sessions {
    int count;
    struct session *list; /* copies, in the scratch arena */
};
struct observed_sessions observe_before(struct shard *shard, const struct entity *entity);
void observe_entered(struct shard *shard, const struct entity *entity,
                     const struct observed_sessions *before, const struct session_change *change);
void observe_ended(struct shard *shard, const char *key, size_t len, int64_t ts_ms,
                   struct verdict verdict);

/* ---- rowmaker.c ---- */
void row_make(const struct shard *shard, const struct entity *entity, int64_t as_of_ms,
              struct arena *arena, struct row *row);
/* The same with another session shown; NULL: none. */
void row_make_of(const struct shard *shard, const struct entity *entity,
                 const struct session *session, int64_t as_of_ms, struct arena *arena,
                 struct row *row);
/* Whether the newest session is past its deadline (closed) or past keep (hidden) in a row. */
bool row_session_closed(const struct rules *rules, const struct session *session, int64_t as_of_ms);
bool row_session_hidden(const struct rules *rules, const struct session *session, int64_t as_of_ms);
/* The names of the features that cannot be right yet at as_of, and when the list changes. */
void shard_update_warming(struct shard *shard);

#endif
