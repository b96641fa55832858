/* Events of the consumer's queue that are not messages: rebalances, ends, troubles, log lines. */
#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "kafka_private.h"
#include "log.h"
#include "pool.h"

bool kafka_event_has_place(rd_kafka_event_t *event)
{
    rd_kafka_event_type_t type = rd_kafka_event_type(event);
    return type == RD_KAFKA_EVENT_REBALANCE || type == RD_KAFKA_EVENT_ERROR;
}

enum kafka_trouble kafka_event_classify(rd_kafka_resp_err_t error)
{
    switch ((int)error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return KAFKA_TROUBLE_NONE;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
        return KAFKA_TROUBLE_BROKERS;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return KAFKA_TROUBLE_AUTHENTICATION;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return KAFKA_TROUBLE_TOPIC;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return KAFKA_TROUBLE_OFFSET_GONE;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
        return KAFKA_TROUBLE_CORRUPT;
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return KAFKA_TROUBLE_FENCED;
    default:
        return KAFKA_TROUBLE_OTHER;
    }
}

void kafka_event_tell_trouble(struct kafka *kafka, enum kafka_trouble trouble, int32_t partition,
                              const char *text)
{
    uint64_t now = uv_now(kafka->loop);
    bool same = kafka->trouble == trouble && kafka->trouble_partition == partition;
    if (same && now - kafka->trouble_told_ms < KAFKA_TROUBLE_REPEAT_MS)
        return;
    kafka->trouble = trouble;
    kafka->trouble_partition = partition;
    kafka->trouble_told_ms = now;
    snprintf(kafka->trouble_text, sizeof kafka->trouble_text, "%s", text);
    if (!kafka->closing)
        kafka->handlers->on_trouble(kafka->data, trouble, partition, kafka->trouble_text);
}

void kafka_event_trouble_over(struct kafka *kafka)
{
    if (kafka->trouble != KAFKA_TROUBLE_NONE)
        kafka_event_tell_trouble(kafka, KAFKA_TROUBLE_NONE, -1, "");
}

/* The partitions of a rebalance; those of another topic cannot be, we subscribe to one. */
static size_t take_partitions(const rd_kafka_topic_partition_list_t *list, int32_t **partitions)
{
    size_t count = 0;
    *partitions = memory_alloc(sizeof **partitions * (size_t)(list->cnt + 1));
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].partition < KAFKA_MAX_PARTITIONS)
            (*partitions)[count++] = list->elems[i].partition;
    return count;
}

static void dispatch_rebalance(struct kafka *kafka, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t kind = rd_kafka_event_error(event);
    int32_t *partitions;
    size_t count = take_partitions(rd_kafka_event_topic_partition_list(event), &partitions);
    kafka->rebalancing = true;
    kafka_job_lookup_void(kafka);
    if (kind == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !kafka->closing) {
        kafka->handlers->on_assign(kafka->data, partitions, count);
    } else if (kind == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && !kafka->deserted) {
        bool lost = rd_kafka_assignment_lost(kafka->rk) != 0;
        kafka->handlers->on_revoke(kafka->data, partitions, count, lost);
    } else { /* an assignment while we leave, nobody who would answer, or a failed rebalance */
        kafka_unassign(kafka);
    }
    memory_free(partitions);
}

static void dispatch_commit(struct kafka *kafka, rd_kafka_event_t *event)
{
    struct kafka_pending_commit *commit = rd_kafka_event_opaque(event);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    rd_kafka_resp_err_t error = rd_kafka_event_error(event);
    for (int i = 0; list && i < list->cnt && !error; i++)
        error = list->elems[i].err;
    struct kafka_pending_commit **at = &kafka->commits;
    while (*at && *at != commit)
        at = &(*at)->next;
    expect(*at);
    *at = commit->next;
    commit->done(commit->data, error == RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_err2str(error));
    memory_free(commit);
}

static void dispatch_partition_error(struct kafka *kafka, rd_kafka_resp_err_t error,
                                     const rd_kafka_topic_partition_t *place, const char *text)
{
    if (error == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        kafka_event_trouble_over(kafka);
        if (!kafka->closing)
            kafka->handlers->on_end(kafka->data, place->partition, place->offset);
        return;
    }
    char line[KAFKA_ERROR_TEXT];
    snprintf(line, sizeof line, "partition %d: %s", (int)place->partition, text);
    enum kafka_trouble trouble = kafka_event_classify(error);
    if (trouble == KAFKA_TROUBLE_OFFSET_GONE)
        kafka->trouble = KAFKA_TROUBLE_NONE; /* it comes once and asks for an answer: always tell */
    kafka_event_tell_trouble(kafka, trouble, place->partition, line);
}

static void dispatch_error(struct kafka *kafka, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t error = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);
    rd_kafka_topic_partition_t *place = rd_kafka_event_topic_partition(event);
    if (place && place->partition >= 0 && strcmp(place->topic, kafka->topic) == 0) {
        dispatch_partition_error(kafka, error, place, text);
    } else if (rd_kafka_event_error_is_fatal(event)) {
        char reason[KAFKA_ERROR_TEXT];
        error = rd_kafka_fatal_error(kafka->rk, reason, sizeof reason);
        kafka_event_tell_trouble(kafka, kafka_event_classify(error), -1, reason);
    } else if (error == RD_KAFKA_RESP_ERR__TRANSPORT) {
        log_debug("kafka_connection", "text=%Q", text); /* one of several; or all, told apart */
    } else {
        kafka_event_tell_trouble(kafka, kafka_event_classify(error), -1, text);
        kafka->probe_due_ms = 0;
    }
    if (place)
        rd_kafka_topic_partition_destroy(place);
}

void kafka_event_log(rd_kafka_event_t *event)
{
    enum { SYSLOG_ERROR = 3, SYSLOG_NOTICE = 5 };
    const char *facility, *text;
    int level;
    if (rd_kafka_event_log(event, &facility, &text, &level) != 0)
        return;
    if (level <= SYSLOG_ERROR)
        log_warning("kafka_client", "facility=%s text=%Q", facility, text);
    else if (level <= SYSLOG_NOTICE)
        log_info("kafka_client", "facility=%s text=%Q", facility, text);
    else
        log_debug("kafka_client", "facility=%s text=%Q", facility, text);
}

void kafka_event_dispatch(struct kafka *kafka, rd_kafka_event_t *event)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
        dispatch_rebalance(kafka, event);
        break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
        dispatch_commit(kafka, event);
        break;
    case RD_KAFKA_EVENT_ERROR:
        dispatch_error(kafka, event);
        break;
    case RD_KAFKA_EVENT_STATS:
        kafka->statistics = kafka_stats_read(rd_kafka_event_stats(event));
        break;
    case RD_KAFKA_EVENT_LOG:
        kafka_event_log(event);
        break;
    default:
        break; /* nothing else was asked for; a newer library may have more to say */
    }
    rd_kafka_event_destroy(event);
}
