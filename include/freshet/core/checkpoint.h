/* Checkpoints of a shard: state at one offset, copied while the shard goes on working.
 *
 * The story of a checkpoint. Between two records the shell calls checkpoint_begin: the offset, the
 * clocks and the feature set go into HEAD, and the shard enters a new epoch. From then on every
 * record of it is copied as it was at that moment: by checkpoint_step, which walks over all keys a
 * bounded piece at a time, or by the first event that is about to change the key, whichever comes
 * first. So nothing stops, nothing is forked, and no key is copied twice. A base has all keys, a
 * delta those that changed since the last checkpoint that was stored. When the walk is over,
 * checkpoint_end tells which rows Redis had acknowledged, and the shell, once the bytes are
 * durable, says checkpoint_stored. Bytes gather in shard_checkpoint_bytes; the shell takes them
 * away every turn.
 *
 * What is copied when, and why:
 *   - State is that of the beginning: a successor reads the log from its offset, and would apply
 *     twice what state had already.
 *   - Whether a key's row is acknowledged may be told later than the beginning, so long as the
 *     token and the number of acknowledged batches are told last of all. A row that was
 *     acknowledged in between is covered by that number: had Redis lost it, fewer batches would be
 *     there than the checkpoint says, and the successor would write everything again. A row that
 *     became dirty in between is so by an event behind the offset, or by a deadline behind `due`,
 *     both of which the successor comes to by itself. So the dirty set needs no copy of its own.
 *   - Deadlines are not copied. They follow from state; the successor arms them from `due`, the
 *     as_of up to which due keys had been made dirty. Armed from the as_of in Redis, a key that
 *     was due in between would never be written.
 *
 * And in the daemon (checkpointer.c): a checkpoint is durable only when the late records before its
 * offset are stored, for a successor does not see them again. CHECKPOINT BEFORE COMMIT: a commit
 * that speaks of records which no checkpoint has would let a topic's retention, or a first start
 * elsewhere, take them for done. FLUSH is independent of both: as the checkpoint knows which rows
 * were not acknowledged, Redis being away neither stops checkpoints nor makes the replay longer,
 * and a full disk stops nothing but checkpoints and commits. */
#ifndef FRESHET_CHECKPOINT_H
#define FRESHET_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "rules.h"
#include "segment.h"

struct shard;

enum {
    CHECKPOINT_NAME_MAX = 512,           /* of the shard: "application:topic:partition" */
    CHECKPOINT_REMOVED_MAX = 64 << 20,   /* bytes of removed keys a delta has; more: a base */
    CHECKPOINT_STEP_KEYS = 2048,         /* keys looked at in a step ... */
    CHECKPOINT_STEP_BYTES = 256 << 10,   /* ... and bytes copied, but for one key beyond */
};

/* Where a segment belongs: the chain by number, the place in it, the segment before. */
struct checkpoint_link {
    uint64_t chain;
    uint32_t index;    /* 0: the base */
    uint32_t previous; /* last crc of the segment before; 0 for the base */
};

/* What the shell knows and the shard does not. */
struct checkpoint_terms {
    const char *name; /* of the shard */
    struct checkpoint_link link;
    int64_t wall_ms;       /* the present */
    uint32_t now_s;        /* seconds of the monotonic clock, as in shard_batch_next */
    int64_t last_flush_ms; /* wall time at which Redis last answered; 0: never */
};

/* True when the next checkpoint has to be a base. */
bool checkpoint_needs_base(const struct shard *shard);
void checkpoint_begin(struct shard *shard, const struct checkpoint_terms *terms);
/* A bounded piece of the walk; true when it is over. */
bool checkpoint_step(struct shard *shard);
/* The last record; returns the crc that the next link names. */
uint32_t checkpoint_end(struct shard *shard);
/* The bytes are durable; else (or checkpoint_begin without it) they count as never written. */
void checkpoint_stored(struct shard *shard);
/* Gives up the one under way. */
void checkpoint_abort(struct shard *shard);
bool checkpoint_under_way(const struct shard *shard);
/* What was copied and not yet taken; the caller empties it. NULL when none is under way. */
struct text *checkpoint_bytes(struct shard *shard);
/* The offset of the checkpoint under way: the first that is not in it. */
int64_t checkpoint_offset(const struct shard *shard);

/* ---- reading ---- */

enum checkpoint_result {
    CHECKPOINT_OK,
    CHECKPOINT_DAMAGED,   /* an older one may do */
    CHECKPOINT_NEWER,     /* its format is of a later version of freshet: not to be touched */
    CHECKPOINT_FOREIGN,   /* it belongs to another shard or application */
    CHECKPOINT_UNUSABLE,  /* its state follows other rules: [session], [time], [event], the key */
};

/* What a chain says of itself, as of its newest segment. */
struct checkpoint_about {
    char name[CHECKPOINT_NAME_MAX];
    uint16_t version;          /* of the format */
    struct checkpoint_link link; /* of the newest whole segment; previous is its own last crc */
    uint64_t feature_version;  /* as in _v */
    int64_t offset;            /* to go on from */
    int64_t raw_ms, as_of_ms, due_ms;
    int64_t wall_ms, last_flush_ms;
    char token[33];
    int64_t acknowledged;
    bool resync;
    int segments;
    uint64_t keys; /* alive, as the newest segment counts them */
    uint64_t records, bytes, base_bytes; /* of all segments, and of the base */
    int features;              /* in the checkpoint */
    int features_new;          /* of the present set, that it has no state of */
};

struct checkpoint_loader;

/* rules NULL: only looks and checks. now: as of checkpoint_terms. */
struct checkpoint_loader *checkpoint_loader_open(const struct rules *rules, int32_t partition,
                                                 const char *name, int64_t wall_ms,
                                                 uint32_t now_s);
/* Bytes of the chain, base first, in pieces of any size. False once it is not OK. */
bool checkpoint_loader_feed(struct checkpoint_loader *loader, const void *bytes, size_t len);
/* Whether the bytes so far end at the end of a segment, and there is one. */
bool checkpoint_loader_whole(const struct checkpoint_loader *loader);
enum checkpoint_result checkpoint_loader_result(const struct checkpoint_loader *loader);
/* What is wrong and what to do; "" when nothing is. */
const char *checkpoint_loader_text(const struct checkpoint_loader *loader);
const struct checkpoint_about *checkpoint_loader_about(const struct checkpoint_loader *loader);
/* Looking: called for each record, before it is read, with its kind and the bytes behind that. */
typedef void checkpoint_observer(void *context, enum segment_kind kind,
                                 const struct segment_reader *body);
void checkpoint_loader_observe(struct checkpoint_loader *loader, checkpoint_observer *observer,
                               void *context);
/* Begins again, for another chain. */
void checkpoint_loader_reset(struct checkpoint_loader *loader);
/* Once whole: makes of what was read what follows from it (deadlines, queues, counts), and compares
 * the sum. False when it is damaged after all. Takes time, as reading does. */
bool checkpoint_loader_settle(struct checkpoint_loader *loader);
/* The shard, ready to take over; the caller owns it. Only once settled, and with rules. */
struct shard *checkpoint_loader_take(struct checkpoint_loader *loader);
void checkpoint_loader_close(struct checkpoint_loader *loader);

#endif
