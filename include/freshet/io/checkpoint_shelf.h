/* All that a store has, for looking: in the thread of the caller, and without a lock, so that a
 * daemon may be at work. Segments stand by shard, each shard's in the order of writing. */
#ifndef FRESHET_CHECKPOINT_SHELF_H
#define FRESHET_CHECKPOINT_SHELF_H

#include "checkpoint_kafka.h"
#include "checkpoint_store.h"

enum { CHECKPOINT_SHELVED_NAME = 96 };

struct checkpoint_shelved {
    int shard; /* counts them */
    struct checkpoint_segment segment;
    char name[CHECKPOINT_SHELVED_NAME]; /* of its file, or what the pointer calls it */
};

struct checkpoint_shelf {
    struct checkpoint_shelved *segments;
    size_t count;
    int shards;
    /* Hands the bytes of a segment to the loader, as far as that takes them. False with a text when
     * they cannot be had; "" when the segment was removed meanwhile. */
    bool (*feed)(struct checkpoint_shelf *shelf, size_t segment, struct checkpoint_loader *loader,
                 char error[CHECKPOINT_STORE_TEXT]);
    void (*close)(struct checkpoint_shelf *shelf);
};

/* NULL with a text when the directory, or the topic, cannot be read. */
struct checkpoint_shelf *checkpoint_dir_shelf(const char *path, char error[CHECKPOINT_STORE_TEXT]);
/* options: bootstrap, properties and topic. */
struct checkpoint_shelf *checkpoint_kafka_shelf(const struct checkpoint_kafka_options *options,
                                                char error[CHECKPOINT_STORE_TEXT]);

#endif
