/* For tests of the core: rules, a feature set from text, a shard, and events to feed it. */
#ifndef FRESHET_TESTS_COREKIT_H
#define FRESHET_TESTS_COREKIT_H

#include <stdbool.h>
#include <stdint.h>

#include "shard.h"

/* The fields of the fake schema; each path names its slot. */
enum corekit_slot { SLOT_KEY, SLOT_TS, SLOT_TYPE, SLOT_ITEM, SLOT_PRICE, SLOT_N, SLOT_ID,
                    SLOT_COUNT };

#define CORE_NO_PRICE (-1e300)  /* price is null */
#define CORE_NO_N     INT64_MIN /* n is null */
#define CORE_NO_TS    INT64_MIN /* ts is null */

struct corekit_event {
    const char *key; /* NULL: null */
    int64_t ts_ms;
    const char *type; /* NULL: null */
    const char *item; /* NULL: null */
    double price;
    int64_t n;
    int64_t record_ms; /* 0: that of ts */
    int64_t id;        /* 0: null */
};

struct corekit {
    struct rules rules;
    struct feature_set *set;
    struct expr *where, *end_when;
    struct shard *shard;
    struct arena arena; /* of rows */
    int64_t offset;     /* of the next record */
    struct verdict verdict; /* of the last record */
};

/* Fills a slot array; its text is the event's. */
void corekit_slots(const struct corekit_event *event, struct value slots[SLOT_COUNT]);
/* The fields of the fake schema. */
struct fieldspace corekit_fields(void);
/* Compiles features in the form of the features file; fails the test when they are refused. */
struct feature_set *corekit_features(const char *ini);

/* Rules of short times: gap 10 ms, no lateness, no disorder, no cut, keep 1 s, window lateness
 * 10 ms, skew 1 h. The test may change them (not the set) before corekit_open. */
void corekit_init(struct corekit *kit, const char *features);
void corekit_where(struct corekit *kit, const char *text); /* event.where */
void corekit_end_when(struct corekit *kit, const char *text); /* session.end_when */
void corekit_open(struct corekit *kit);
/* corekit_init and corekit_open. */
void corekit_start(struct corekit *kit, const char *features);
void corekit_fini(struct corekit *kit);

/* Applies one record, at the next offset. */
enum fate corekit_event(struct corekit *kit, const struct corekit_event *event);
enum fate corekit_click(struct corekit *kit, const char *key, int64_t ts_ms);
struct shard_status corekit_status(const struct corekit *kit);
/* The feature's value in the row that the key would have now; the key must be known. */
struct value corekit_value(struct corekit *kit, const char *key, const char *feature);
int64_t corekit_long(struct corekit *kit, const char *key, const char *feature);
bool corekit_is_null(struct corekit *kit, const char *key, const char *feature);
bool corekit_known(struct corekit *kit, const char *key);
uint64_t corekit_rev(struct corekit *kit, const char *key);

/* Takes the lease of a topic that Redis knows, at hw -1 and seq 0: rows flow at once. */
void corekit_grant(struct corekit *kit);
/* shard_advance until it is done, as_of = idle_now_ms's when not INT64_MIN. */
void corekit_advance(struct corekit *kit, int64_t idle_now_ms);
/* Advances and takes one batch of at most max rows; keys[k] is 16 bytes with the key of row k. */
int corekit_batch(struct corekit *kit, struct shard_batch *batch, int max, char keys[][16]);
/* Writes all that waits, acknowledged; returns the number of rows. */
int corekit_flush(struct corekit *kit);

#endif
