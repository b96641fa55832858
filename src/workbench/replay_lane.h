/* A lane: one partition of a replay, its shard, and the rows that come of its records.
 *
 *   lane_open    the first time that the input names the partition
 *   lane_add     the items of a chunk that are its own, in order
 *   lane_run     applies them; rows go to `out`, and each item learns where its rows end. Lanes are
 *                run by several threads at once: nothing here is shared but what only is read
 *   lane_finish  at the end of the input: what was asked for beyond it
 */
#ifndef FRESHET_REPLAY_LANE_H
#define FRESHET_REPLAY_LANE_H

#include "labels.h"
#include "points.h"
#include "replay_row.h"
#include "replay_source.h"
#include "shard.h"

struct lane;

/* What all lanes of a replay have in common. */
struct lane_terms {
    const struct replay_options *options;
    const struct model *model;
    struct labels *labels; /* NULL: none */
    struct points *points; /* NULL: none */
    const int64_t *times;  /* of --as-of, ascending */
    int time_count;
};

struct lane *lane_open(const struct lane_terms *terms, int32_t partition);
void lane_close(struct lane *lane);

int32_t lane_partition(const struct lane *lane);
/* The offset behind its last item. */
int64_t lane_next_offset(const struct lane *lane);
void lane_add(struct lane *lane, struct replay_item *item);
void lane_run(struct lane *lane);
/* True while items were added that lane_run has not seen. */
bool lane_has_work(const struct lane *lane);
void lane_finish(struct lane *lane);

/* The rows since lane_clear. */
const struct text *lane_out(const struct lane *lane, size_t *rows);
void lane_clear(struct lane *lane);
/* The lines of the points of --at so far; points say where in them theirs is. */
const struct text *lane_points(const struct lane *lane);

void lane_status(const struct lane *lane, struct shard_status *status);

#endif
