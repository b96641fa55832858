/* A disk for checkpoints: files in places, and what happens to them. */
#include "simdisk.h"

#include <string.h>

void simdisk_init(struct simdisk *disk)
{
    for (int k = 0; k < SIMDISK_FILES; k++)
        disk->files[k].used = false;
    disk->full = disk->fails = false;
}

void simdisk_free(struct simdisk *disk)
{
    for (int k = 0; k < SIMDISK_FILES; k++)
        text_free(&disk->files[k].bytes);
}

/* ---- writing ---- */

static bool fails(struct simdisk *disk)
{
    bool now = disk->fails;
    disk->fails = false;
    return now;
}

static struct simfile *file_of(struct simdisk *disk, const struct simdisk_handle *handle)
{
    struct simfile *file = handle->at < 0 ? NULL : &disk->files[handle->at];
    return file && file->used && file->serial == handle->serial ? file : NULL;
}

bool simdisk_create(struct simdisk *disk, const struct checkpoint_link *link,
                    struct simdisk_handle *handle)
{
    handle->at = -1;
    for (int k = 0; k < SIMDISK_FILES; k++) {
        struct simfile *file = &disk->files[k];
        if (file->used)
            continue;
        file->used = true;
        file->visible = file->synced = file->entered = file->damaged = false;
        file->serial++;
        file->chain = link->chain;
        file->index = link->index;
        text_clear(&file->bytes);
        *handle = (struct simdisk_handle){k, file->serial};
        return true;
    }
    return false;
}

bool simdisk_write(struct simdisk *disk, const struct simdisk_handle *handle, const char *bytes,
                   size_t len)
{
    struct simfile *file = file_of(disk, handle);
    if (!file || disk->full || fails(disk))
        return false;
    text_append(&file->bytes, bytes, len);
    return true;
}

bool simdisk_sync(struct simdisk *disk, const struct simdisk_handle *handle)
{
    struct simfile *file = file_of(disk, handle);
    if (!file || fails(disk))
        return false;
    file->synced = true;
    return true;
}

bool simdisk_rename(struct simdisk *disk, const struct simdisk_handle *handle)
{
    struct simfile *file = file_of(disk, handle);
    if (!file || fails(disk))
        return false;
    for (int k = 0; k < SIMDISK_FILES; k++) {
        struct simfile *other = &disk->files[k];
        if (other->visible && other->chain == file->chain && other->index == file->index)
            other->used = other->visible = false;
    }
    file->visible = true;
    return true;
}

bool simdisk_sync_directory(struct simdisk *disk, const struct simdisk_handle *handle)
{
    if (fails(disk))
        return false;
    for (int k = 0; k < SIMDISK_FILES; k++)
        disk->files[k].entered |= disk->files[k].visible;
    return file_of(disk, handle) != NULL;
}

void simdisk_remove(struct simdisk *disk, const struct simdisk_handle *handle)
{
    struct simfile *file = file_of(disk, handle);
    if (file && !file->visible)
        file->used = false;
}

/* ---- what is there ---- */

static struct simfile *find(struct simdisk *disk, uint64_t chain, uint32_t index)
{
    for (int k = 0; k < SIMDISK_FILES; k++) {
        struct simfile *file = &disk->files[k];
        if (file->used && file->visible && file->chain == chain && file->index == index)
            return file;
    }
    return NULL;
}

/* The greatest number of a chain with a base that is below `below`; 0: none. */
static uint64_t chain_below(const struct simdisk *disk, uint64_t below)
{
    uint64_t chain = 0;
    for (int k = 0; k < SIMDISK_FILES; k++) {
        const struct simfile *file = &disk->files[k];
        if (file->used && file->visible && file->index == 0 && file->chain < below &&
            file->chain > chain)
            chain = file->chain;
    }
    return chain;
}

void simdisk_remove_old(struct simdisk *disk)
{
    uint64_t oldest = UINT64_MAX;
    for (int k = 0; k < SIMDISK_CHAINS_KEPT; k++)
        if (chain_below(disk, oldest))
            oldest = chain_below(disk, oldest);
    for (int k = 0; k < SIMDISK_FILES; k++)
        if (!disk->files[k].visible || disk->files[k].chain < oldest)
            disk->files[k].used = disk->files[k].visible = false;
}

/* ---- faults ---- */

static void tear(struct simfile *file, uint64_t chance)
{
    if (file->bytes.len < 2)
        return;
    size_t at = 1 + (size_t)(chance % (file->bytes.len - 1));
    if (chance >> 32 & 1) /* a hole instead of an end */
        memset(file->bytes.data + at, 0, file->bytes.len - at);
    else
        file->bytes.len = at;
    file->damaged = true;
}

void simdisk_power_cut(struct simdisk *disk, uint64_t chance)
{
    for (int k = 0; k < SIMDISK_FILES; k++) {
        struct simfile *file = &disk->files[k];
        bool lucky = chance >> k & 1;
        if (!file->used || (lucky && file->visible))
            continue;
        if (!file->entered)
            file->used = file->visible = false;
        else if (!file->synced)
            tear(file, chance >> 16 ^ (uint64_t)k);
    }
    disk->full = disk->fails = false;
}

/* One that nothing has happened to: a second flip could be of the same bit. */
static struct simfile *any_visible(struct simdisk *disk, uint64_t chance)
{
    for (uint64_t k = 0; k < SIMDISK_FILES; k++) {
        struct simfile *file = &disk->files[(chance + k) % SIMDISK_FILES];
        if (file->used && file->visible && !file->damaged && file->bytes.len > 1)
            return file;
    }
    return NULL;
}

bool simdisk_flip_bit(struct simdisk *disk, uint64_t chance)
{
    struct simfile *file = any_visible(disk, chance);
    if (!file)
        return false;
    size_t bit = (size_t)(chance >> 8) % (8 * file->bytes.len);
    file->bytes.data[bit / 8] = (char)(file->bytes.data[bit / 8] ^ 1 << bit % 8);
    file->damaged = true;
    return true;
}

bool simdisk_cut_short(struct simdisk *disk, uint64_t chance)
{
    struct simfile *file = any_visible(disk, chance);
    if (file)
        tear(file, chance >> 8);
    return file != NULL;
}

/* ---- reading ---- */

static bool load_chain(struct simdisk *disk, uint64_t chain, uint32_t count,
                       struct checkpoint_loader *loader)
{
    checkpoint_loader_reset(loader);
    for (uint32_t k = 0; k < count; k++) {
        const struct simfile *file = find(disk, chain, k);
        checkpoint_loader_feed(loader, file->bytes.data, file->bytes.len);
        if (!checkpoint_loader_whole(loader))
            return false;
    }
    return checkpoint_loader_settle(loader);
}

bool simdisk_load(struct simdisk *disk, struct checkpoint_loader *loader, bool *damaged)
{
    for (uint64_t chain = UINT64_MAX; (chain = chain_below(disk, chain)) != 0;) {
        uint32_t count = 0;
        while (find(disk, chain, count))
            count++;
        while (count > 0 && !load_chain(disk, chain, count, loader))
            count--;
        *damaged = false;
        for (uint32_t k = 0; k < count; k++)
            *damaged |= find(disk, chain, k)->damaged;
        if (count > 0)
            return true;
    }
    return false;
}
