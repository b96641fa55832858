/* Producing: late and dead-letter records for the daemon, clicks for the workbench.
 *
 * acks=all and idempotent: per partition the order is kept and nothing is stored twice by a retry.
 * The queue is bounded; when it is full the caller waits, pausing its input. */
#ifndef FRESHET_KAFKA_PRODUCER_H
#define FRESHET_KAFKA_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "kafka.h"

struct kafka_producer;

/* The fate of one record: opaque is what it was produced with. ok: stored by all replicas. */
typedef void kafka_delivered(void *data, void *opaque, bool ok, const char *text);

struct kafka_producer_options {
    const char *bootstrap;
    const struct kafka_property *properties; /* those of the consumer do no harm */
    size_t property_count;
    const char *application; /* named in the headers of kafka_produce_rejected; may be NULL */
    kafka_delivered *delivered;
    /* With a loop, soon after the queue was full: it is worth another try. NULL: not told. */
    void (*room)(void *data);
    void *data;
};

struct kafka_record {
    const char *topic;
    int32_t partition; /* -1: by the key, as the Java client does (murmur2) */
    const void *key;   /* NULL: none */
    size_t key_len;
    const void *payload; /* NULL: a tombstone */
    size_t payload_len;
    int64_t record_time_ms; /* -1: now */
};

/* Why a record goes to the late or the dead-letter topic. */
struct kafka_rejection {
    const char *source_topic;
    const char *fate;
    const char *reason;   /* a sentence for the operator */
    int64_t schema_id;    /* -1: none */
    int64_t watermark_ms; /* INT64_MIN: none yet */
    int64_t late_by_ms;   /* -1: not a matter of lateness */
};

/* With a loop deliveries are told on it; with loop NULL by kafka_producer_serve. NULL with a text
 * in error (KAFKA_ERROR_TEXT bytes) when an option is wrong. */
struct kafka_producer *
kafka_producer_open(uv_loop_t *loop, const struct kafka_producer_options *options, char *error);

/* Everything is copied. False: the queue is full, try again a little later; not only with the next
 * delivery, for a record makes room after its own was told. A record that can never be stored (too
 * large) is accepted and told as not delivered. */
bool kafka_produce(struct kafka_producer *producer, const struct kafka_record *record,
                   void *opaque);

/* Key, value, headers and record time as they came, and headers that say why: those of Kafka
 * Connect (__connect.errors.topic, .partition, .offset, .connector.name, .exception.message) and
 * freshet.fate, freshet.schema_id, freshet.watermark_ms, freshet.late_by_ms, values as text. */
bool kafka_produce_rejected(struct kafka_producer *producer, const char *topic,
                            const struct kafka_message *message,
                            const struct kafka_rejection *rejection, void *opaque);

/* Records that were accepted and are not yet told. */
size_t kafka_producer_pending(const struct kafka_producer *producer);

/* Without a loop: tells deliveries, waiting for the first up to wait_ms. */
void kafka_producer_serve(struct kafka_producer *producer, int wait_ms);
/* Without a loop: waits until all is stored or the time is over; false when something is left. */
bool kafka_producer_flush(struct kafka_producer *producer, int wait_ms);

/* Gives what is pending up to deadline_ms; the rest is told as not delivered. Without a loop it is
 * closed on return, and done (which may then be NULL) is called before. */
void kafka_producer_close(struct kafka_producer *producer, int64_t deadline_ms,
                          void (*done)(void *data), void *data);

/* 0 when the cluster says that the topic is not there (or not yet), -1 when it says nothing within
 * wait_ms; both with a text. */
int32_t kafka_producer_partitions(struct kafka_producer *producer, const char *topic, int wait_ms,
                                  char *error);
/* Makes the topic unless it is there; false with a text. properties are topic properties such as
 * retention.ms. Waits up to wait_ms. */
bool kafka_producer_create_topic(struct kafka_producer *producer, const char *topic,
                                 int32_t partitions, const struct kafka_property *properties,
                                 size_t property_count, int wait_ms, char *error);

#endif
