/* What the files of the Kafka client share: librdkafka is seen by them alone. */
#ifndef FRESHET_KAFKA_PRIVATE_H
#define FRESHET_KAFKA_PRIVATE_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "kafka.h"
#include "kafka_producer.h"

enum {
    KAFKA_REQUEST_TIMEOUT_MS = 5000,
    KAFKA_TICK_MS = 1000,
    KAFKA_CLOSING_TICK_MS = 20,
    KAFKA_UNSUBSCRIBE_MS = 200, /* without partitions, before a static member is closed */
    KAFKA_LEAVE_MS = 1000,  /* to leave the group in, beyond the deadline of kafka_close */
    KAFKA_PROBE_MS = 30000, /* how often the topic is looked at */
    KAFKA_ENDS_MS = 2000,   /* how often the ends of paused partitions are asked for */
    KAFKA_TROUBLE_REPEAT_MS = 10000,
};

/* A commit that is not yet answered; in a list, so that closing can answer the rest. */
struct kafka_pending_commit {
    struct kafka_pending_commit *next;
    kafka_commit_done *done;
    void *data;
};

struct kafka_lookup_job {
    uv_work_t work;
    struct kafka *kafka;
    int64_t time_ms;
    kafka_lookup_done *done;
    void *data;
    bool running;
    bool is_void; /* nobody waits for it any more */
    bool ok;
    char text[KAFKA_ERROR_TEXT];
    size_t count;
    struct kafka_extent extents[];
};

struct kafka_probe_job {
    uv_work_t work;
    bool running;
    bool ask_config;
    unsigned count;
    atomic_bool stop; /* set on the loop when closing begins */
    rd_kafka_resp_err_t error;
    struct kafka_topic_info found;
};

/* Nothing is fetched of a paused partition, nor of one that stands still for another reason, so
 * that its end is not told by itself. */
struct kafka_ends_job {
    uv_work_t work;
    bool running;
    uint64_t due_ms;
    rd_kafka_topic_partition_list_t *list; /* while running */
    bool watched[KAFKA_MAX_PARTITIONS];    /* asked for though it is not paused */
    int64_t known[KAFKA_MAX_PARTITIONS];   /* behind the last record; 0: not asked */
};

struct kafka {
    uv_loop_t *loop;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* messages and events in one order */
    rd_kafka_topic_t *topic_handle;
    char *topic;
    bool in_group;
    const struct kafka_handlers *handlers;
    void *data;

    int wake_fd; /* librdkafka writes to it when the empty queue gets something */
    uv_poll_t wake;
    uv_timer_t tick;
    int open_handles;

    rd_kafka_event_t *held; /* stands behind messages that were handed out */
    bool rebalancing;
    bool assigned; /* partitions, by us */
    bool paused[KAFKA_MAX_PARTITIONS];
    struct kafka_pending_commit *commits;
    struct kafka_lookup_job *lookup;
    struct kafka_probe_job probe;
    struct kafka_ends_job ends;
    uint64_t probe_due_ms;
    struct kafka_topic_info info;
    struct kafka_statistics statistics;

    enum kafka_trouble trouble;
    int32_t trouble_partition;
    uint64_t trouble_told_ms;
    char trouble_text[KAFKA_ERROR_TEXT];

    bool closing;
    bool deserted; /* closed a second time: nobody answers on_revoke */
    bool unsubscribing;       /* before it leaves the group */
    uint64_t unsubscribed_ms; /* since when it has had no partitions */
    bool leaving;             /* the group */
    bool destroying;
    uint64_t close_by_ms;
    void (*close_done)(void *data);
    void *close_data;
    uv_work_t destroy;
};

/* kafka_property.c: group NULL makes a producer's configuration. NULL with a text in error. */
rd_kafka_conf_t *kafka_property_conf(const char *bootstrap, const char *group,
                                     const struct kafka_property *properties, size_t count,
                                     char *error);

/* kafka_event.c */
bool kafka_event_has_place(rd_kafka_event_t *event); /* in the order of messages */
void kafka_event_dispatch(struct kafka *kafka, rd_kafka_event_t *event); /* takes the event */
void kafka_event_tell_trouble(struct kafka *kafka, enum kafka_trouble trouble, int32_t partition,
                              const char *text);
void kafka_event_trouble_over(struct kafka *kafka);
enum kafka_trouble kafka_event_classify(rd_kafka_resp_err_t error);
void kafka_event_log(rd_kafka_event_t *event); /* a log line of librdkafka */

/* kafka_job.c: blocking calls in the work pool. */
void kafka_job_probe(struct kafka *kafka);
void kafka_job_ends(struct kafka *kafka);
void kafka_job_lookup_tick(struct kafka *kafka);
void kafka_job_lookup_void(struct kafka *kafka);
bool kafka_job_any_running(const struct kafka *kafka);

/* kafka_producer.c, for the questions of kafka_admin.c */
rd_kafka_t *kafka_producer_client(const struct kafka_producer *producer);
/* kafka_admin.c: as kafka_producer_partitions */
int32_t kafka_topic_partitions(rd_kafka_t *rk, const char *topic, int wait_ms, char *error);

/* kafka_stats.c: the few numbers that matter of librdkafka's JSON. */
struct kafka_statistics kafka_stats_read(const char *json);

#endif
