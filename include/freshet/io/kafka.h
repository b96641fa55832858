/* The input topic: one consumer whose messages and events come through one queue.
 *
 * How a partition passes through:
 *   kafka_open        joins the group (or none, see struct kafka_options)
 *   on_assign         the partitions that are ours from now on; nothing is fetched yet
 *   kafka_lookup      committed offsets and the ends of the log, off the loop
 *   kafka_assign      fetching starts at the offsets given; may be long after on_assign
 *   on_ready          something waits: call kafka_poll, now or in this turn of the loop
 *   kafka_poll        hands out messages; other events reach the handlers from inside it
 *   on_revoke         write and commit what there is, then kafka_unassign
 *   kafka_close       leaves the group (on_revoke comes once more) and frees everything
 *
 * All functions and handlers belong to the loop's thread. Nothing here blocks. The consumer retries
 * by itself for ever; troubles are told, never fatal to the process. */
#ifndef FRESHET_KAFKA_H
#define FRESHET_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
    KAFKA_ERROR_TEXT = 512,      /* room for any error text from here */
    KAFKA_MAX_PARTITIONS = 4096, /* of the topic; more are refused as KAFKA_TROUBLE_TOPIC */
};

/* A librdkafka property under its own name. */
struct kafka_property {
    const char *name;
    const char *value;
};

/* Strings are copied. */
struct kafka_options {
    const char *bootstrap;
    const char *group; /* NULL: member of no group, no on_assign; call kafka_assign at will */
    const char *topic;
    const struct kafka_property *properties; /* over our defaults; see kafka_check_property */
    size_t property_count;
};

/* A place in the log: where to start, or the offset to commit (the next one to be read). */
struct kafka_offset {
    int32_t partition;
    int64_t offset;
};

/* What a partition of the log holds, and what the group has committed. */
struct kafka_extent {
    int32_t partition;
    int64_t committed; /* -1: nothing committed (or no group) */
    int64_t low;       /* first offset still held */
    int64_t end;       /* last stable offset: behind the last record we can be given */
    int64_t at_time;   /* first offset with a record time >= the one asked for; -1: none */
};

/* Borrowed until kafka_message_done(). */
struct kafka_message {
    int32_t partition;
    int64_t offset;
    int64_t record_time_ms; /* -1: the record has none */
    const void *key;        /* NULL: no key */
    size_t key_len;
    const void *payload; /* NULL: a tombstone */
    size_t payload_len;
    void *owner;        /* gives the memory back */
    const void *handle; /* for kafka_message_header and for producing a copy */
};

enum kafka_trouble {
    KAFKA_TROUBLE_NONE,           /* over: fetching again */
    KAFKA_TROUBLE_BROKERS,        /* no broker can be reached */
    KAFKA_TROUBLE_AUTHENTICATION, /* refused by TLS, SASL or the ACLs */
    KAFKA_TROUBLE_TOPIC,          /* missing, or not readable */
    KAFKA_TROUBLE_OFFSET_GONE,    /* the log does not hold the offset; the partition stands still
                                   * until kafka_assign is called again */
    KAFKA_TROUBLE_CORRUPT,        /* a record batch fails its checksum */
    KAFKA_TROUBLE_FENCED,         /* another member has our group.instance.id: give up */
    KAFKA_TROUBLE_OTHER,
};

struct kafka_topic_info {
    int32_t partition_count;
    /* Empty and -1 while unknown (no rights, or a broker that cannot say). */
    char timestamp_type[32];        /* CreateTime or LogAppendTime */
    int64_t timestamp_after_max_ms; /* message.timestamp.after.max.ms; INT64_MAX: unlimited */
};

/* Each is called on the loop with the data given to kafka_open; none may be NULL. */
struct kafka_handlers {
    void (*on_ready)(void *data);
    void (*on_assign)(void *data, const int32_t *partitions, size_t count);
    /* lost: somebody else may already own them; write and commit nothing. */
    void (*on_revoke)(void *data, const int32_t *partitions, size_t count, bool lost);
    /* The end of the log was reached at offset: every message before it has been handed out. */
    void (*on_end)(void *data, int32_t partition, int64_t offset);
    /* partition is -1 when it concerns all. Told when it changes, and again every 10 s. */
    void (*on_trouble)(void *data, enum kafka_trouble trouble, int32_t partition, const char *text);
    /* The first time the topic is known, and whenever something of it has changed. */
    void (*on_topic)(void *data, const struct kafka_topic_info *info);
};

/* What librdkafka says of itself, as of its last statistics (every 30 s). */
struct kafka_statistics {
    int64_t received_messages;
    int64_t received_bytes;
    int64_t queued_messages; /* fetched and not yet polled */
    int64_t queued_bytes;
    int64_t rebalances;
};

struct kafka;

/* NULL with a text in error (KAFKA_ERROR_TEXT bytes) when an option is wrong. handlers and data
 * must outlive the handle. */
struct kafka *kafka_open(uv_loop_t *loop, const struct kafka_options *options,
                         const struct kafka_handlers *handlers, void *data, char *error);

/* Takes up to max messages, never waits. Events are kept in order with messages: one that stands
 * behind messages is dispatched by the next call, after they were handed out. When something is
 * left, on_ready follows in the next turn of the loop. */
size_t kafka_poll(struct kafka *kafka, struct kafka_message *out, size_t max);
void kafka_message_done(void *owner);
/* The newest header of that name; NULL when there is none. */
const void *kafka_message_header(const struct kafka_message *message, const char *name,
                                 size_t *len);

/* The index-th header in the order of the record; false behind the last one. */
bool kafka_message_header_at(const struct kafka_message *message, size_t index, const char **name,
                             const void **value, size_t *len);

/* Replaces the assignment: fetching starts at these offsets, nothing is paused. Messages polled
 * before keep their memory; none of an earlier assignment comes after it. Also the way to go on
 * after KAFKA_TROUBLE_OFFSET_GONE, with all partitions. */
void kafka_assign(struct kafka *kafka, const struct kafka_offset *starts, size_t count);
/* The answer to on_revoke. */
void kafka_unassign(struct kafka *kafka);
/* True while on_assign or on_revoke still waits for kafka_assign or kafka_unassign. */
bool kafka_is_rebalancing(const struct kafka *kafka);

/* Idempotent. Messages in the queue are dropped and fetched again on resume: none is lost. */
void kafka_pause(struct kafka *kafka, int32_t partition);
void kafka_resume(struct kafka *kafka, int32_t partition);

/* The answer comes within the session timeout. text says why not when ok is false. */
typedef void kafka_commit_done(void *data, bool ok, const char *text);
void kafka_commit(struct kafka *kafka, const struct kafka_offset *offsets, size_t count,
                  kafka_commit_done *done, void *data);

/* Asks again every second until everything is known. time_ms < 0: at_time is not wanted.
 * extents is NULL when a rebalance or kafka_close made the question void. One at a time. */
typedef void kafka_lookup_done(void *data, const struct kafka_extent *extents, size_t count);
void kafka_lookup(struct kafka *kafka, const int32_t *partitions, size_t count, int64_t time_ms,
                  kafka_lookup_done *done, void *data);

/* The end of the partition as of the last fetch, or, while it is paused, as of a question every few
 * seconds; -1 when unknown. */
int64_t kafka_high_watermark(const struct kafka *kafka, int32_t partition);
/* Whether the end of a partition that hands nothing out is to be asked for, too. */
void kafka_watch(struct kafka *kafka, int32_t partition, bool watch);
/* The end that was asked for: behind the last record for us; -1: not since kafka_assign. */
int64_t kafka_asked_end(const struct kafka *kafka, int32_t partition);
/* All zero before the first statistics. */
struct kafka_statistics kafka_statistics(const struct kafka *kafka);
/* What stands in the way now, for STATUS; "" when all is well. */
const char *kafka_trouble_text(const struct kafka *kafka);

/* Leaves the group and frees the handle. on_revoke comes if there is an assignment and is answered
 * by kafka_unassign; kafka_poll must not be called any more. After deadline_ms it is over in any
 * case; with 0 the group is not told and waits for the session timeout. Messages must be done by
 * then. It may be called a second time, with an earlier deadline: only the second done is called,
 * and on_revoke does not come any more. */
void kafka_close(struct kafka *kafka, int64_t deadline_ms, void (*done)(void *data), void *data);

/* For the configuration: false with a reason (KAFKA_ERROR_TEXT bytes) when librdkafka does not
 * know the property, refuses the value, or it contradicts what freshet relies on. */
bool kafka_check_property(const char *name, const char *value, char *error);

/* The part of it that is about rebalances (rebalances.def): false with a reason when that version
 * of librdkafka (0x020002ff: 2.0.2) cannot be used so; true for properties about other things. */
bool kafka_rebalance_fits(const char *property, const char *value, int version, char *error);

/* "2.0.2", of the library that is loaded. */
const char *kafka_library_version(void);

#endif
