/* What the topic of checkpoints has of one shard: keys of chunks, and the pointer's list. */
#ifndef FRESHET_CHECKPOINT_MANIFEST_H
#define FRESHET_CHECKPOINT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint_store.h"

enum { CHECKPOINT_KEY_MAX = CHECKPOINT_NAME_MAX + 64 };

struct checkpoint_part {
    uint64_t chain;
    uint32_t index, nonce;
    uint32_t chunks;
};

/* In the order of writing: the chain before, then the newest. All zero is empty. */
struct checkpoint_manifest {
    struct checkpoint_part *parts;
    size_t count;
};

void checkpoint_manifest_free(struct checkpoint_manifest *manifest);
void checkpoint_manifest_add(struct checkpoint_manifest *manifest,
                             const struct checkpoint_part *part);
void checkpoint_manifest_copy(struct checkpoint_manifest *to,
                              const struct checkpoint_manifest *from);
/* Where the newest chain begins; count when there is none. */
size_t checkpoint_manifest_newest(const struct checkpoint_manifest *manifest);
/* How many parts stand before the last CHECKPOINT_CHAINS_KEPT chains. */
size_t checkpoint_manifest_old(const struct checkpoint_manifest *manifest);
bool checkpoint_manifest_has(const struct checkpoint_manifest *manifest,
                             const struct checkpoint_part *part);

void checkpoint_manifest_write(const struct checkpoint_manifest *manifest, struct text *out);
/* False when it is no pointer of a version that this one knows. */
bool checkpoint_manifest_read(struct checkpoint_manifest *manifest, const char *bytes, size_t len);

void checkpoint_chunk_key(char key[CHECKPOINT_KEY_MAX], const char *name,
                          const struct checkpoint_part *part, uint32_t chunk);
/* Whether a record's key is one of the shard's: -1 no, 0 its pointer, 1 a chunk, which is told. */
int checkpoint_read_key_of(const char *name, const char *key, size_t len,
                           struct checkpoint_part *part, uint32_t *chunk);

#endif
