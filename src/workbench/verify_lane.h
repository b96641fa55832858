/* A lane of a verification: one partition, its shard, and the rows of Redis that belong to it.
 *
 *   verify_lane_open   with what the owner left in Redis, and all rows that are there
 *   verify_lane_add    the records of a chunk: as far as the newest batch that was written
 *   verify_lane_run    applies them; lanes are run by several threads at once
 *   verify_lane_compare_keys, verify_lane_compare_rows
 *                      at the end: each key's row at the shard's last as_of against that of Redis
 *
 * While records pass, each row is also compared with the row of its own place in the log: before
 * the first record that brings raw beyond its _as_of or changes its key. A row that was right at
 * its place and is not at the end only waits to be written again. */
#ifndef FRESHET_VERIFY_LANE_H
#define FRESHET_VERIFY_LANE_H

#include "model.h"
#include "replay_source.h"
#include "verify_redis.h"
#include "verify_rows.h"

struct verify_lane;

/* Why a row differs. All but the last three are explanations. */
#define VERIFY_REASONS(X)                                                                          \
    X(UNFLUSHED, "not yet flushed")                                                                \
    X(VERSION, "other feature set")                                                                \
    X(FOREIGN, "foreign partition")                                                                \
    X(INPUT, "beyond the input")                                                                   \
    X(BEGINNING, "the input begins too late")                                                      \
    X(WARMING, "warming")                                                                          \
    X(LATE, "late")                                                                                \
    X(EXPIRED, "expired")                                                                          \
    X(EVICTED, "evicted")                                                                          \
    X(STALE, "stale")                                                                              \
    X(MISSING, "missing")                                                                          \
    X(UNKNOWN, "unknown")

enum verify_reason {
#define X(ID, name) VERIFY_##ID,
    VERIFY_REASONS(X)
#undef X
        VERIFY_REASON_COUNT
};

/* A key whose row in Redis is not the one at the end. */
struct verify_difference {
    struct verify_lane *lane;
    const char *key;
    size_t key_len;
    const struct verify_row *row; /* NULL: there is none in Redis */
    enum verify_reason reason;    /* UNFLUSHED and MISSING are settled by a second look */
    size_t lines_begin, lines_end; /* within verify_lane_lines: key, feature, Redis, computed */
    int64_t newest_ms; /* as_of of the shard, for what may have expired */
};

struct verify_lane *verify_lane_open(const struct model *model, int32_t partition, uint64_t last,
                                     const struct verify_own *own, struct verify_rows *rows);
void verify_lane_close(struct verify_lane *lane);
int32_t verify_lane_partition(const struct verify_lane *lane);
const struct verify_own *verify_lane_own(const struct verify_lane *lane);

/* False with the reason in error: its offset does not come after the last one. */
bool verify_lane_add(struct verify_lane *lane, struct replay_item *item, char *error);
void verify_lane_run(struct verify_lane *lane);
/* Records applied, and records beyond what Redis shows. */
void verify_lane_counts(const struct verify_lane *lane, uint64_t *applied, uint64_t *beyond);

/* The keys that have state; when all lanes have done so, the rows of keys that have none. */
void verify_lane_compare_keys(struct verify_lane *lane);
void verify_lane_compare_rows(struct verify_lane *lane);
/* What was found; *compared: how many keys were looked at. */
struct verify_difference *verify_lane_differences(const struct verify_lane *lane, size_t *count,
                                                  uint64_t *compared);
const char *verify_lane_lines(const struct verify_lane *lane);

#endif
