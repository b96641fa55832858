/* A disk for checkpoints: what is not synced is lost or torn when the power goes.
 *
 * It stands for the store `dir`: segments are files that appear whole, by write, sync, rename and
 * sync of the directory (checkpoint_dir.c). */
#ifndef FRESHET_TESTS_SIMDISK_H
#define FRESHET_TESTS_SIMDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint.h"
#include "text.h"

enum { SIMDISK_FILES = 16, SIMDISK_CHAINS_KEPT = 2 };

struct simdisk {
    struct simfile {
        bool used;
        bool visible;  /* it has its own name; else it is a .tmp */
        bool synced;   /* its bytes */
        bool entered;  /* its name: the directory was synced */
        bool damaged;  /* the bytes are not those written */
        uint32_t serial; /* which file of this place it is */
        uint64_t chain;
        uint32_t index;
        struct text bytes;
    } files[SIMDISK_FILES];
    bool full;
    bool fails; /* the next call does, once */
};

/* A file being written, as its writer knows it. */
struct simdisk_handle {
    int at; /* -1: none */
    uint32_t serial;
};

void simdisk_init(struct simdisk *disk); /* keeps memory */
void simdisk_free(struct simdisk *disk);
/* Each returns false when it fails: the disk is full or broken, or the file is gone. */
bool simdisk_create(struct simdisk *disk, const struct checkpoint_link *link,
                    struct simdisk_handle *handle);
bool simdisk_write(struct simdisk *disk, const struct simdisk_handle *handle, const char *bytes,
                   size_t len);
bool simdisk_sync(struct simdisk *disk, const struct simdisk_handle *handle);
bool simdisk_rename(struct simdisk *disk, const struct simdisk_handle *handle);
bool simdisk_sync_directory(struct simdisk *disk, const struct simdisk_handle *handle);
void simdisk_remove(struct simdisk *disk, const struct simdisk_handle *handle);
/* Chains that no fallback needs, and files that somebody left unfinished. */
void simdisk_remove_old(struct simdisk *disk);

/* Faults; chance decides which file and where. They return false when there is nothing to harm. */
void simdisk_power_cut(struct simdisk *disk, uint64_t chance);
bool simdisk_flip_bit(struct simdisk *disk, uint64_t chance);
bool simdisk_cut_short(struct simdisk *disk, uint64_t chance);

/* Hands the newest whole chain to the loader, segment by segment fewer and then the one before.
 * False: there is none. damaged: a segment that was taken is not as it was written. */
bool simdisk_load(struct simdisk *disk, struct checkpoint_loader *loader, bool *damaged);

#endif
