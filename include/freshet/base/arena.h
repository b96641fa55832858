/* Memory for one turn of the loop: allocated piecewise, given back all at once. */
#ifndef FRESHET_ARENA_H
#define FRESHET_ARENA_H

#include <stddef.h>

/* All zero is an empty arena. Memory is aligned for any type and never zeroed. */
struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used;                /* bytes taken from the newest chunk */
};

void *arena_alloc(struct arena *arena, size_t size);
/* Gives everything back but keeps the largest chunk for the next turn. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
