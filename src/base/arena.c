/* Arena chunks double in size, so that the newest is always the largest and is the one kept. */
#include "arena.h"

#include <stdalign.h>

#include "expect.h"
#include "pool.h"

enum { ARENA_FIRST_CHUNK = 4096, ARENA_ALIGNMENT = alignof(max_align_t) };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* of bytes */
    alignas(max_align_t) char bytes[];
};

static void arena_grow(struct arena *arena, size_t size)
{
    size_t wanted = arena->chunks ? 2 * arena->chunks->size : ARENA_FIRST_CHUNK;
    if (wanted < size)
        wanted = size;
    struct arena_chunk *chunk = memory_alloc(sizeof *chunk + wanted);
    chunk->older = arena->chunks;
    chunk->size = wanted;
    arena->chunks = chunk;
    arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    expect(size < SIZE_MAX / 4);
    size = (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    if (!arena->chunks || arena->chunks->size - arena->used < size)
        arena_grow(arena, size);
    void *block = arena->chunks->bytes + arena->used;
    arena->used += size;
    return block;
}

static void arena_free_chunks(struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        memory_free(chunk);
        chunk = older;
    }
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
    if (!arena->chunks)
        return;
    arena_free_chunks(arena->chunks->older);
    arena->chunks->older = NULL;
}

void arena_free(struct arena *arena)
{
    arena_free_chunks(arena->chunks);
    *arena = (struct arena){0};
}
