/* Chance, and what is drawn from it: rules, feature sets and logs full of disorder. */
#ifndef FRESHET_TESTS_SIMLOG_H
#define FRESHET_TESTS_SIMLOG_H

#include "corekit.h"

enum { SIMLOG_MAX = 160 };

/* A record of the log with what it points to. */
struct simlog_entry {
    struct record record;
    struct value slots[SLOT_COUNT];
};

struct simlog {
    struct simlog_entry entries[SIMLOG_MAX];
    int count;
    int64_t end; /* the next offset */
};

/* ---- chance ---- */

void simlog_seed(uint64_t seed);
uint64_t simlog_draw(void);
int64_t simlog_below(int64_t bound);
bool simlog_chance(int percent);

/* ---- kinds of what happened, counted: a long run must have met each ---- */

#define SIMLOG_KINDS(KIND)                                                                         \
    KIND(cut) KIND(end_when) KIND(tracker) KIND(dedup) KIND(dedup_full) KIND(coarse_time)          \
    KIND(lateness) KIND(disorder) KIND(future_rejected) KIND(max_age) KIND(few_keys)               \
    KIND(keys_deleted) KIND(grouped) KIND(lifetime) KIND(on_session)                               \
    KIND(several_partitions) KIND(repeated_id) KIND(old_event) KIND(future_event)                  \
    KIND(no_record_time) KIND(offset_gap) KIND(seen_before) KIND(idle) KIND(lost_connection)       \
    KIND(restart) KIND(restored) KIND(rival) KIND(redis_flushed) KIND(redis_rolled_back)           \
    KIND(redis_refused) KIND(parked) KIND(resync) KIND(merged) KIND(corrected) KIND(split)         \
    KIND(effects_compared) KIND(told_closed) KIND(told_decayed) KIND(told_forgotten)               \
    KIND(told_opened) KIND(told_retracted) KIND(told_corrected)

enum simlog_kind {
#define KIND(name) SIMLOG_##name,
    SIMLOG_KINDS(KIND)
#undef KIND
    SIMLOG_KIND_COUNT
};
extern uint64_t simlog_kinds[SIMLOG_KIND_COUNT];
static inline void simlog_met(enum simlog_kind kind)
{
    simlog_kinds[kind]++;
}
/* Prints all with their numbers; returns how many were never met. */
int simlog_print_kinds(void);

/* ---- what is drawn ---- */

/* Draws all but the set. Expressions are kept until simlog_fini. */
void simlog_rules(struct rules *rules);
struct feature_set *simlog_features(void); /* to be freed by the caller */
/* Appends a record at the present time, if there is room. */
void simlog_produce(struct simlog *log, const struct rules *rules, int64_t now_ms);
/* A record far in the future that event.where drops: it ends every session and window. */
void simlog_produce_last(struct simlog *log, int64_t now_ms);
void simlog_fini(void);

/* A rule book and a log in words: what a failing test says. */
void simlog_print_rules(const struct rules *rules);
void simlog_print(const struct simlog *log);

#endif
