/* Inside the reading of checkpoints: what its files share; users include checkpoint.h. */
#ifndef FRESHET_CHECKPOINTREADING_H
#define FRESHET_CHECKPOINTREADING_H

#include "checkpoint.h"
#include "checkpointlayout.h"

enum { NOT_KEPT = -1, CHECKPOINT_TEXT_MAX = 512 };

/* The feature set of the segment at hand, and what has become of it. */
struct checkpoint_layout {
    int window_count;
    int windows[FEATURE_WINDOWS_MAX]; /* index in the present set, or NOT_KEPT */
    int feature_count;
    int16_t features[FEATURES_MAX];   /* the same, for folded ones ordered by place */
    uint16_t first[FEATURE_WINDOWS_MAX + 3];
    int64_t starts_ms[FEATURES_MAX];  /* by present index */
};

struct checkpoint_loader {
    const struct rules *rules;
    int32_t partition;
    const char *name;
    int64_t wall_ms;
    uint32_t now_s;
    checkpoint_observer *observer;
    void *observer_context;

    struct text rest; /* of a record that is not all there */
    uint32_t crc;
    bool inside; /* a segment: HEAD was read, END was not */
    bool settled;
    uint64_t records, bytes; /* of the segment */
    int64_t age_s; /* of the segment */
    uint64_t forgotten; /* keys, as HEAD counts them */
    struct checkpoint_layout layout;
    struct shard *shard;

    enum checkpoint_result result;
    struct checkpoint_about about;
    char text[CHECKPOINT_TEXT_MAX];
};

/* Ends the reading; returns false for the caller to return. */
bool checkpoint_fail(struct checkpoint_loader *loader, enum checkpoint_result result,
                     const char *format, ...) __attribute__((format(printf, 3, 4)));
bool checkpoint_damaged(struct checkpoint_loader *loader, const char *what);

/* One record each, behind its kind: checkpointhead.c, checkpointkey.c */
bool checkpoint_read_head(struct checkpoint_loader *loader, struct segment_reader *in);
bool checkpoint_read_key(struct checkpoint_loader *loader, struct segment_reader *in);
bool checkpoint_read_removed(struct checkpoint_loader *loader, struct segment_reader *in);
bool checkpoint_read_dirty(struct checkpoint_loader *loader, struct segment_reader *in);
bool checkpoint_read_ids(struct checkpoint_loader *loader, struct segment_reader *in);

#endif
