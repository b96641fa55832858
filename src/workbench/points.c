/* Reading points: lines of which only what says the place is looked at. */
#include "points.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "jsonscan.h"
#include "pool.h"

enum { HAS_PARTITION = 1, HAS_OFFSET = 2, HAS_AS_OF = 4, HAS_KEY = 8, HAS_ALL = 15 };

/* One member of the line into the point; seen gathers what was there. */
static bool take_member(struct points *points, struct jsonscan *scan, struct point *point,
                        unsigned *seen)
{
    static const char *const names[] = {"partition", "offset", "as_of", "key"};
    const char *string;
    size_t len;
    int64_t number;
    if (!jsonscan_string(scan, &string, &len))
        return false;
    unsigned which = 0;
    while (which < 4 &&
           (strlen(names[which]) != len || memcmp(names[which], string, len) != 0))
        which++;
    if (!jsonscan_take(scan, ':'))
        return false;
    if (which == 4)
        return jsonscan_skip(scan);
    *seen |= 1u << which;
    if (which == 3) {
        if (!jsonscan_string(scan, &string, &len))
            return false;
        char *key = arena_alloc(&points->arena, len + 1);
        memcpy(key, string, len);
        point->key = key;
        point->key_len = (uint32_t)len;
        return true;
    }
    if (!jsonscan_long(scan, names[which], &number))
        return false;
    if (which == 0 && (number < 0 || number > INT32_MAX))
        return jsonscan_fail(scan, scan->at, "partition is a number from 0 to %d", INT32_MAX);
    if (which == 0)
        point->partition = (int32_t)number;
    else
        *(which == 1 ? &point->offset : &point->as_of_ms) = number;
    return true;
}

static bool read_point(struct points *points, struct jsonscan *scan, struct point *point)
{
    unsigned seen = 0;
    bool ok = jsonscan_take(scan, '{');
    for (bool more = ok && jsonscan_peek(scan) != '}'; ok && more;) {
        ok = take_member(points, scan, point, &seen);
        more = ok && jsonscan_peek(scan) == ',';
        scan->at += more;
    }
    if (!ok || !jsonscan_take(scan, '}'))
        return false;
    return seen == HAS_ALL ||
           jsonscan_fail(scan, scan->at, "a point has partition, offset, as_of and key");
}

static bool read_lines(struct points *points, FILE *stream, const char *path, char *error,
                       size_t error_size)
{
    struct jsonscan scan = {0};
    char *line = NULL;
    size_t room = 0;
    uint32_t capacity = 0;
    ssize_t len;
    bool ok = true;
    for (int64_t number = 1; ok && (len = getline(&line, &room, stream)) >= 0; number++) {
        if (points->count == capacity) {
            capacity = capacity ? 2 * capacity : 1024;
            points->list = memory_resize(points->list, capacity * sizeof *points->list);
        }
        struct point *point = &points->list[points->count];
        *point = (struct point){.place = points->count, .begin = SIZE_MAX};
        scan.start = scan.at = line;
        scan.end = line + len;
        ok = read_point(points, &scan, point);
        points->count += ok;
        if (!ok)
            (void)snprintf(error, error_size, "%s:%lld:%zu: %s", path, (long long)number,
                           (size_t)(scan.at - scan.start) + 1, scan.message);
    }
    if (ok && ferror(stream)) {
        ok = false;
        (void)snprintf(error, error_size, "%s: %s", path, strerror(errno));
    }
    text_free(&scan.unescaped);
    free(line);
    return ok;
}

static int by_log(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

struct wanted {
    const struct points *points;
    const char *key;
    size_t len;
};

static bool is_key(const void *context, uint32_t handle)
{
    const struct wanted *wanted = context;
    const struct point *point = &wanted->points->list[wanted->points->owners[handle]];
    return point->key_len == wanted->len && memcmp(point->key, wanted->key, wanted->len) == 0;
}

uint32_t points_find_key(const struct points *points, const char *key, size_t len)
{
    struct wanted wanted = {points, key, len};
    return points->key_count == 0
               ? UINT32_MAX
               : keytable_find(&points->keys, hash_bytes(key, len), is_key, &wanted);
}

static void index_points(struct points *points)
{
    uint32_t *owners = memory_alloc((points->count + 1) * sizeof *owners);
    points->owners = owners;
    points->by_place = memory_alloc((points->count + 1) * sizeof *points->by_place);
    for (uint32_t i = 0; i < points->count; i++) {
        struct point *point = &points->list[i];
        points->by_place[point->place] = i;
        point->key_index = points_find_key(points, point->key, point->key_len);
        if (point->key_index != UINT32_MAX)
            continue;
        point->key_index = points->key_count;
        owners[points->key_count++] = i;
        keytable_insert(&points->keys, hash_bytes(point->key, point->key_len), point->key_index);
    }
}

bool points_read(struct points *points, const char *path, char *error, size_t error_size)
{
    *points = (struct points){0};
    FILE *stream = fopen(path, "r");
    if (!stream) {
        (void)snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return false;
    }
    bool ok = read_lines(points, stream, path, error, error_size);
    fclose(stream);
    if (ok && points->count > 1)
        qsort(points->list, points->count, sizeof *points->list, by_log);
    if (ok)
        index_points(points);
    return ok;
}

void points_free(struct points *points)
{
    memory_free(points->list);
    memory_free(points->by_place);
    memory_free((void *)(uintptr_t)points->owners);
    keytable_free(&points->keys);
    arena_free(&points->arena);
    *points = (struct points){0};
}

uint32_t points_first(const struct points *points, int32_t partition)
{
    uint32_t i = 0;
    while (i < points->count && points->list[i].partition != partition)
        i++;
    return i;
}
