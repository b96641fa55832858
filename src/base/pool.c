/* Size classes: a list of free blocks for each, filled by cutting chunks and by freeing. */
#include "pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "expect.h"

#if defined(__SANITIZE_ADDRESS__)
#define POOL_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_POISON 1
#endif
#endif
#ifdef POOL_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(block, size)   ((void)(block), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(block, size) ((void)(block), (void)(size))
#endif

enum {
    POOL_UNIT = 8,
    POOL_LINEAR = 8, /* classes of 1 to 8 units; then four to each doubling */
    POOL_CHUNK_FIRST = 1 << 16,
    POOL_CHUNK_LAST = 1 << 22,
    HUGE_PAGE = 1 << 21,
};

struct pool_chunk {
    struct pool_chunk *older;
    size_t size;
};

/* Before a block beyond POOL_BLOCK_MAX. */
struct pool_large {
    struct pool_large *next;
    struct pool_large *previous;
};

struct pool_class {
    unsigned index;
    size_t size;
};

static struct pool_class pool_class_of(size_t size)
{
    size_t units = (size + POOL_UNIT - 1) / POOL_UNIT;
    if (units <= POOL_LINEAR)
        return (struct pool_class){(unsigned)units - 1, units * POOL_UNIT};
    unsigned power = 63 - (unsigned)__builtin_clzll(units - 1); /* 2^power < units <= 2^(power+1) */
    unsigned step = (unsigned)((units - 1) >> (power - 2)) - 4; /* which quarter: 0 to 3 */
    return (struct pool_class){POOL_LINEAR + 4 * (power - 3) + step,
                               ((size_t)(step + 5) << (power - 2)) * POOL_UNIT};
}

void pool_init(struct pool *pool)
{
    *pool = (struct pool){0};
}

void pool_fini(struct pool *pool)
{
    while (pool->large) {
        struct pool_large *next = pool->large->next;
        free(pool->large);
        pool->large = next;
    }
    while (pool->chunks) {
        struct pool_chunk *older = pool->chunks->older;
        ASAN_UNPOISON_MEMORY_REGION(pool->chunks, pool->chunks->size);
        free(pool->chunks);
        pool->chunks = older;
    }
    pool_init(pool);
}

/* What is left of the chunk before is given up: less than one block of the greatest class. */
static void pool_grow(struct pool *pool)
{
    size_t size = pool->chunks ? 2 * pool->chunks->size : POOL_CHUNK_FIRST;
    if (size > POOL_CHUNK_LAST)
        size = POOL_CHUNK_LAST;
    struct pool_chunk *chunk = memory_alloc_pages(size);
    *chunk = (struct pool_chunk){.older = pool->chunks, .size = size};
    pool->chunks = chunk;
    pool->system_bytes += size;
    pool->fresh = (char *)(chunk + 1);
    pool->fresh_bytes = size - sizeof *chunk;
    ASAN_POISON_MEMORY_REGION(pool->fresh, pool->fresh_bytes);
}

static void *pool_alloc_large(struct pool *pool, size_t size)
{
    expect(size < SIZE_MAX / 2);
    struct pool_large *large = calloc(1, sizeof *large + size);
    if (!large)
        unreachable("out of memory");
    large->next = pool->large;
    if (pool->large)
        pool->large->previous = large;
    pool->large = large;
    pool->used_bytes += size;
    pool->system_bytes += sizeof *large + size;
    return large + 1;
}

static void pool_free_large(struct pool *pool, void *block, size_t size)
{
    struct pool_large *large = (struct pool_large *)block - 1;
    if (large->previous)
        large->previous->next = large->next;
    else
        pool->large = large->next;
    if (large->next)
        large->next->previous = large->previous;
    free(large);
    pool->used_bytes -= size;
    pool->system_bytes -= sizeof *large + size;
}

void *pool_alloc(struct pool *pool, size_t size)
{
    if (size == 0)
        return NULL;
    if (size > POOL_BLOCK_MAX)
        return pool_alloc_large(pool, size);
    struct pool_class class = pool_class_of(size);
    void *block = pool->free_blocks[class.index];
    if (block) {
        ASAN_UNPOISON_MEMORY_REGION(block, sizeof(void *));
        memcpy(&pool->free_blocks[class.index], block, sizeof(void *));
    } else {
        if (pool->fresh_bytes < class.size)
            pool_grow(pool);
        block = pool->fresh;
        pool->fresh += class.size;
        pool->fresh_bytes -= class.size;
    }
    pool->used_bytes += class.size;
    ASAN_UNPOISON_MEMORY_REGION(block, size);
    return memset(block, 0, size);
}

void *pool_slab(struct pool *pool, size_t size)
{
    expect(size <= POOL_SLAB_MAX);
    size = (size + POOL_UNIT - 1) / POOL_UNIT * POOL_UNIT;
    size_t skipped;
    while (skipped = -(uintptr_t)pool->fresh % CACHE_LINE, pool->fresh_bytes < skipped + size)
        pool_grow(pool);
    char *slab = pool->fresh + skipped;
    pool->fresh += skipped + size;
    pool->fresh_bytes -= skipped + size;
    ASAN_UNPOISON_MEMORY_REGION(slab, size);
    return slab;
}

void pool_free(struct pool *pool, void *block, size_t size)
{
    if (!block)
        return;
    if (size > POOL_BLOCK_MAX) {
        pool_free_large(pool, block, size);
        return;
    }
    struct pool_class class = pool_class_of(size);
    expect(pool->used_bytes >= class.size);
    pool->used_bytes -= class.size;
    ASAN_UNPOISON_MEMORY_REGION(block, class.size);
    memcpy(block, &pool->free_blocks[class.index], sizeof(void *));
    pool->free_blocks[class.index] = block;
    ASAN_POISON_MEMORY_REGION(block, class.size);
}

void *pool_resize(struct pool *pool, void *block, size_t old_size, size_t new_size)
{
    void *moved = pool_alloc(pool, new_size);
    if (block && moved)
        memcpy(moved, block, old_size < new_size ? old_size : new_size);
    pool_free(pool, block, old_size);
    return moved;
}

void *memory_alloc(size_t size)
{
    void *block = calloc(1, size ? size : 1);
    if (!block)
        unreachable("out of memory");
    return block;
}

void *memory_alloc_pages(size_t size)
{
    size_t align = size >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
    size = (size + align - 1) / align * align;
    void *block = aligned_alloc(align, size);
    if (!block)
        unreachable("out of memory");
    if (align == HUGE_PAGE)
        (void)madvise(block, size, MADV_HUGEPAGE); /* a hint */
    return block;
}

void *memory_resize(void *block, size_t size)
{
    void *moved = realloc(block, size ? size : 1);
    if (!moved)
        unreachable("out of memory");
    return moved;
}

void memory_free(void *block)
{
    free(block);
}

char *memory_strdup(const char *string)
{
    size_t size = strlen(string) + 1;
    return memcpy(memory_alloc(size), string, size);
}
