/* The inside of a lane, for the files that make it up; others include replay_lane.h. */
#ifndef FRESHET_REPLAY_LANE_PRIVATE_H
#define FRESHET_REPLAY_LANE_PRIVATE_H

#include "effect.h"
#include "keyset.h"
#include "replay_lane.h"

/* Rows that are asked for at a time: those of --as-of, and labels. */
struct asked {
    int next_time;         /* index of the first time that the shard has not reached */
    struct keyset *early;  /* by time: keys whose rows were taken before the shard reached it */
    uint32_t next_label;   /* the same for labels */
    uint8_t *taken;        /* by label */
    uint32_t *next_of_key; /* by key of the labels: the first label not taken */
};

/* Records of labelled keys, for --knowledge final. */
struct recorded {
    struct recorded_record {
        struct record record;
        int64_t ts_ms; /* after T2 */
        struct recorded_record *next;
    } **first, **last; /* by key of the labels, in the order of arrival */
    struct arena arena;
};

struct lane {
    const struct lane_terms *terms;
    struct shard *shard;
    int32_t partition;
    int64_t next_offset;
    struct replay_item **items; /* of the chunk */
    int item_count, item_capacity;
    int done; /* items of the chunk that are applied, or are being applied */
    int64_t applied; /* offset of the newest record before the one at hand; -1: none */
    struct record *records; /* of the batch at hand */
    struct replay_item **batch;
    int batch_count, batch_at; /* batch_at: the record that effects are told of */
    struct verdict *verdicts;
    struct text out;
    size_t rows;
    uint64_t closed; /* sessions */
    struct arena arena; /* of the row at hand */
    size_t pre_begin, pre_end; /* the pre_event row of the record at hand, within out */
    struct asked asked;
    struct recorded recorded;
    uint32_t next_point;      /* index of the terms' points */
    struct text points_out;   /* their lines, kept until the end */
    int64_t *forgotten;       /* by key of the points: the newest offset it had; NULL: no points */
};

void lane_emit(struct lane *lane, const struct replay_row *row);

/* ---- replay_asked.c ---- */
void asked_open(struct lane *lane);
void asked_close(struct lane *lane);
/* Before the record that arrives moves anything. */
void asked_arrival(struct lane *lane, const struct effect *effect);
/* The log ends here. */
void asked_finish(struct lane *lane);

/* ---- replay_recorded.c ---- */
void recorded_open(struct lane *lane);
void recorded_close(struct lane *lane);
void recorded_arrival(struct lane *lane, const struct effect *effect,
                      const struct record *record);
void recorded_finish(struct lane *lane);

/* ---- replay_points.c ---- */
void lane_points_open(struct lane *lane);
/* The next place in the log that rows are asked for; INT64_MAX: none. */
int64_t lane_points_next(const struct lane *lane);
/* The rows of all points before offset: records before it are applied. */
void lane_points_take(struct lane *lane, int64_t offset);
void lane_points_forgotten(struct lane *lane, const struct effect *effect);

#endif
