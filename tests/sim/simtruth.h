/* What the rows of a small log are: an independent model of one window and of sessions.
 *
 * The features are those of simtruth_features. One state for each prefix of the log: a row that an
 * owner writes at any offset is looked up, not computed anew. */
#ifndef FRESHET_TESTS_SIMTRUTH_H
#define FRESHET_TESTS_SIMTRUTH_H

#include "record.h"
#include "row.h"
#include "rules.h"

enum { TRUTH_KEYS = 3, TRUTH_SESSIONS = 8, TRUTH_PANES = 16 };

extern const char *const simtruth_keys[TRUTH_KEYS];
/* A short window, whose rows decay all the time, and a long one. */
enum { TRUTH_SETS = 2 };
extern const char *const simtruth_features[TRUTH_SETS];

struct simvalues {
    int64_t clicks, events, session;
    bool open;
};

struct simtruth {
    int64_t raw; /* INT64_MIN: no event yet */
    struct simtruth_key {
        int session_count, pane_count;
        struct {
            int64_t start, last, id, events;
        } sessions[TRUTH_SESSIONS];
        struct {
            int64_t index, clicks;
        } panes[TRUTH_PANES];
        int64_t offset; /* -1: no event */
        bool alive;     /* else forgotten, or never seen */
    } keys[TRUTH_KEYS];
};

void simtruth_init(struct simtruth *truth);
/* The fate of the event, which enters. */
enum fate simtruth_apply(struct simtruth *truth, const struct rules *rules, int key, int64_t offset,
                         int64_t ts, int64_t record_ms);
struct simvalues simtruth_values(const struct simtruth *truth, const struct rules *rules, int key,
                                 int64_t as_of);
struct simvalues simtruth_row_values(const struct row *row);
static inline bool simvalues_same(const struct simvalues *a, const struct simvalues *b)
{
    return a->clicks == b->clicks && a->events == b->events && a->session == b->session &&
           a->open == b->open;
}

#endif
