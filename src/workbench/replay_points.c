/* The rows of --at, by the line that the daemon logs. */
#include <string.h>

#include "pool.h"
#include "replay_lane_private.h"
#include "rowjson.h"

void lane_points_open(struct lane *lane)
{
    const struct points *points = lane->terms->points;
    if (!points)
        return;
    lane->next_point = points_first(points, lane->partition);
    lane->forgotten = memory_alloc(((size_t)points->key_count + 1) * sizeof *lane->forgotten);
    for (uint32_t k = 0; k < points->key_count; k++)
        lane->forgotten[k] = REPLAY_NONE;
}

static struct point *next_point(const struct lane *lane)
{
    const struct points *points = lane->terms->points;
    bool any = points && lane->next_point < points->count &&
               points->list[lane->next_point].partition == lane->partition;
    return any ? &points->list[lane->next_point] : NULL;
}

int64_t lane_points_next(const struct lane *lane)
{
    const struct point *point = next_point(lane);
    return point ? point->offset : INT64_MAX;
}

/* A forgotten key keeps the newest offset until its last row is out. */
void lane_points_forgotten(struct lane *lane, const struct effect *effect)
{
    uint32_t key = points_find_key(lane->terms->points, effect->key, effect->key_len);
    struct row row;
    if (key == UINT32_MAX)
        return;
    shard_effect_row(lane->shard, effect, &lane->arena, &row);
    lane->forgotten[key] = row.offset;
    arena_reset(&lane->arena);
}

void lane_points_take(struct lane *lane, int64_t offset)
{
    struct point *point;
    while ((point = next_point(lane)) && point->offset < offset) {
        struct row row;
        if (!shard_row_at(lane->shard, point->key, point->key_len, point->as_of_ms, &lane->arena,
                          &row)) {
            row.offset = lane->forgotten[point->key_index];
            row.removed = lane->terms->model->rules.delete_forgotten;
        }
        point->begin = lane->points_out.len;
        rowjson_point(&row, point->offset, &lane->points_out);
        point->end = lane->points_out.len;
        lane->next_point++;
        arena_reset(&lane->arena);
    }
}
