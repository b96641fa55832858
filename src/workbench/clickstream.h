/* A seeded clickstream whose records know which fate they will have.
 *
 * Records come in the order of their record times, evenly spread from start to start + span. Behind
 * them visits of users go on: impressions, a click, a look at the item, the cart, the purchase. The
 * stream keeps the greatest event time of each partition and the newest activity of each user, so
 * that it can make events that are late, or late for their session only, for certain: exact for a
 * topic that was empty, read with the same rules. */
#ifndef FRESHET_CLICKSTREAM_H
#define FRESHET_CLICKSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clickencode.h"
#include "framing.h"
#include "record.h"

enum { CLICKSTREAM_PARTITIONS_MAX = 4096 };

/* What a record is made to be; each has its share. The rest are ordinary events. */
enum click_kind {
    CLICK_KIND_ORDINARY,
    CLICK_KIND_OUT_OF_ORDER,
    CLICK_KIND_LATE,
    CLICK_KIND_MALFORMED,
    CLICK_KIND_FUTURE,
    CLICK_KIND_DUPLICATE,
    CLICK_KIND_BAD_TIME,
    CLICK_KIND_NO_KEY,
    CLICK_KIND_TOMBSTONE,
    CLICK_KIND_UNKNOWN_SCHEMA,
    CLICK_KINDS,
};

struct clickstream_options {
    uint64_t seed;
    int64_t users;
    double zipf; /* exponent; 0: all users alike */
    int64_t thinking_ms; /* mean time between two clicks of a visit; 0: of one click */
    int32_t partitions;
    int64_t start_ms;
    double interval_ms; /* between records, in record time */
    double shares[CLICK_KINDS];
    double v1_share;
    enum framing framing;
    int32_t schema_ids[2];    /* by enum click_writer, for framing confluent */
    uint64_t fingerprints[2]; /* for framing single_object */
    /* The rules of the reader. */
    int64_t out_of_orderness_ms;
    int64_t max_future_skew_ms;
    int64_t gap_ms;
    int64_t lateness_ms;
    int64_t window_lateness_ms;
};

/* Valid until the next record. */
struct clickstream_record {
    int32_t partition;
    int64_t record_time_ms;
    const char *key; /* NULL: none */
    size_t key_len;
    const void *payload; /* NULL: a tombstone */
    size_t payload_len;
    const struct click *click; /* NULL when the payload is not to be understood */
    enum click_kind kind;      /* what it became: an impossible wish becomes ordinary */
    enum fate fate;
};

struct clickstream;

struct clickstream *clickstream_open(const struct clickstream_options *options);
void clickstream_next(struct clickstream *stream, struct clickstream_record *record);
/* Users with an event in state. */
int64_t clickstream_keys(const struct clickstream *stream);
void clickstream_close(struct clickstream *stream);

#endif
