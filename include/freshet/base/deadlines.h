/* What is due next on a clock that never goes back: a radix heap.
 *
 * The clock only advances, so each entry moves through at most 64 buckets and both operations are
 * cheap and sequential in memory (Ahuja, Mehlhorn, Orlin and Tarjan, "Faster algorithms for the
 * shortest path problem", 1990). Entries are not removed: the owner recognises a stale one by its
 * handle and serial and ignores it. */
#ifndef FRESHET_DEADLINES_H
#define FRESHET_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline {
    int64_t at_ms;
    uint32_t handle;
    uint32_t serial; /* which life of the handle */
};

enum { DEADLINES_BUCKETS = 65 };

struct deadlines {
    struct deadlines_bucket {
        struct deadline *entries;
        uint32_t count;
        uint32_t capacity;
    } buckets[DEADLINES_BUCKETS];
    int64_t last_ms; /* no entry in buckets 1.. is earlier; never beyond the clock */
    size_t count;
};

void deadlines_init(struct deadlines *deadlines);
void deadlines_free(struct deadlines *deadlines);
/* A time that the clock has passed is fine: the entry is due at once. */
void deadlines_push(struct deadlines *deadlines, struct deadline deadline);
/* Takes an entry that is due: an earliest with at_ms <= now_ms, but entries pushed after the clock
 * had passed them come as they may. False when there is none. now_ms never goes back. */
bool deadlines_pop(struct deadlines *deadlines, int64_t now_ms, struct deadline *out);
size_t deadlines_bytes(const struct deadlines *deadlines);

#endif
