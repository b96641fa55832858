/* Where checkpoints are kept: one interface, a file for each store.
 *
 * A store keeps segments (segment.h) as bytes, by partition, chain and index, and does not look
 * into them. A segment is written in parts and is not there before the last one is durable: a
 * process that dies in between leaves the checkpoint before. Reading hands the newest chain to a
 * loader and falls back, segment by segment and then to the chain before, until one is whole.
 *
 * All functions belong to the loop's thread and none blocks; files and brokers are waited for in
 * the work pool. One write is under way at a time, of any partition; loads may be many. */
#ifndef FRESHET_CHECKPOINT_STORE_H
#define FRESHET_CHECKPOINT_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "checkpoint.h"
#include "text.h"

enum {
    CHECKPOINT_STORE_TEXT = 512,
    CHECKPOINT_CHAINS_KEPT = 2, /* the newest of a partition, and the one before for the worst */
};

struct checkpoint_segment {
    int32_t partition;
    uint64_t chain;
    uint32_t index;
};

struct checkpoint_store;

/* text says why not when ok is false. */
typedef void checkpoint_written(void *context, bool ok, const char *text);

/* How a load ended. */
struct checkpoint_found {
    bool found;       /* the loader is whole and settled: take the shard */
    bool unreachable; /* the store gave no answer: not to be taken for an empty one */
    char text[CHECKPOINT_STORE_TEXT]; /* what was passed over, or is wrong; "" when nothing is */
};
typedef void checkpoint_loaded(void *context, const struct checkpoint_found *found);

struct checkpoint_store_kind {
    const char *name;
    void (*load)(struct checkpoint_store *store, int32_t partition,
                 struct checkpoint_loader *loader, checkpoint_loaded *done, void *context);
    void (*write)(struct checkpoint_store *store, const struct checkpoint_segment *segment,
                  struct text *bytes, bool last, checkpoint_written *done, void *context);
    void (*abandon)(struct checkpoint_store *store);
    void (*close)(struct checkpoint_store *store, void (*closed)(void *context), void *context);
};

/* The beginning of every store. */
struct checkpoint_store {
    const struct checkpoint_store_kind *kind;
};

/* The loader is the store's until done, and is worked on in another thread. */
static inline void checkpoint_store_load(struct checkpoint_store *store, int32_t partition,
                                         struct checkpoint_loader *loader,
                                         checkpoint_loaded *done, void *context)
{
    store->kind->load(store, partition, loader, done, context);
}

/* Takes the bytes, and leaves the text empty. last: done means durable. After an error, or instead
 * of going on, the segment is abandoned. */
static inline void checkpoint_store_write(struct checkpoint_store *store,
                                          const struct checkpoint_segment *segment,
                                          struct text *bytes, bool last, checkpoint_written *done,
                                          void *context)
{
    store->kind->write(store, segment, bytes, last, done, context);
}

/* Forgets the parts written; not while a write is under way. */
static inline void checkpoint_store_abandon(struct checkpoint_store *store)
{
    store->kind->abandon(store);
}

/* Waits for what is under way. */
static inline void checkpoint_store_close(struct checkpoint_store *store,
                                          void (*closed)(void *context), void *context)
{
    store->kind->close(store, closed, context);
}

#endif
