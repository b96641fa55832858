/* Memory for state: size classes cut from large chunks, so that growth is counted and freed
 * blocks are used again. One pool belongs to one shard; blocks of up to POOL_BLOCK_MAX bytes come
 * from the chunks, larger ones (sketches) from the system, and both are counted. */
#ifndef FRESHET_POOL_H
#define FRESHET_POOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    CACHE_LINE = 64,
    POOL_BLOCK_MAX = 8192,
    POOL_SLAB_MAX = 1 << 18, /* so that little of a chunk is given up for a slab */
    POOL_CLASSES = 36, /* multiples of 8 up to 64, then four sizes to each doubling */
};

struct pool {
    struct pool_chunk *chunks;
    struct pool_large *large;        /* blocks beyond POOL_BLOCK_MAX */
    void *free_blocks[POOL_CLASSES]; /* by size class, linked through their first word */
    char *fresh;                     /* not yet cut part of the newest chunk */
    size_t fresh_bytes;
    size_t used_bytes;   /* in blocks that are in use, rounded up to their class; without slabs */
    size_t system_bytes; /* taken from the system in all */
};

void pool_init(struct pool *pool);
void pool_fini(struct pool *pool); /* frees every block at once */
/* Blocks are zeroed and aligned to 8 bytes; a block of size 0 is NULL. Never fails: out of memory
 * ends the process. */
void *pool_alloc(struct pool *pool, size_t size);
/* A block of up to POOL_SLAB_MAX, not zeroed, that begins a cache line and stays until the pool
 * ends. */
void *pool_slab(struct pool *pool, size_t size);
void pool_free(struct pool *pool, void *block, size_t size); /* size as allocated; NULL is fine */
/* Grows or shrinks, keeps the content up to the smaller size and zeroes what is new. */
void *pool_resize(struct pool *pool, void *block, size_t old_size, size_t new_size);

/* Plain memory for tables and buffers that live as long as the program needs them. */
void *memory_alloc(size_t size); /* zeroed */
/* For large blocks that are read at random: on huge pages where the system has them, which cost
 * fewer misses. Not zeroed. */
void *memory_alloc_pages(size_t size);
void *memory_resize(void *block, size_t size);
void memory_free(void *block);
char *memory_strdup(const char *string);

#endif
