/* Topics for tools: how many partitions one has, and making one. These calls wait. */
#include <stdio.h>

#include "kafka_private.h"

int32_t kafka_topic_partitions(rd_kafka_t *rk, const char *topic, int wait_ms, char *error)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    const struct rd_kafka_metadata *metadata;
    int32_t partitions = -1;
    rd_kafka_resp_err_t failure = rd_kafka_metadata(rk, 0, handle, &metadata, wait_ms);
    if (!failure) {
        failure = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__FAIL;
        partitions = failure ? -1 : metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(handle);
    if (kafka_event_classify(failure) == KAFKA_TROUBLE_TOPIC ||
        failure == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        partitions = 0;
    if (partitions <= 0)
        snprintf(error, KAFKA_ERROR_TEXT, "topic %s: %s", topic, rd_kafka_err2str(failure));
    return partitions;
}

int32_t kafka_producer_partitions(struct kafka_producer *producer, const char *topic, int wait_ms,
                                  char *error)
{
    return kafka_topic_partitions(kafka_producer_client(producer), topic, wait_ms, error);
}

static bool read_result(rd_kafka_event_t *event, const char *topic, char *error)
{
    if (!event || rd_kafka_event_error(event)) {
        snprintf(error, KAFKA_ERROR_TEXT, "creating topic %s: %s", topic,
                 event ? rd_kafka_event_error_string(event) : "no answer");
        return false;
    }
    size_t count;
    const rd_kafka_topic_result_t **result =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    rd_kafka_resp_err_t failure =
        count == 1 ? rd_kafka_topic_result_error(result[0]) : RD_KAFKA_RESP_ERR__FAIL;
    if (!failure || failure == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return true;
    const char *text = count == 1 ? rd_kafka_topic_result_error_string(result[0]) : NULL;
    snprintf(error, KAFKA_ERROR_TEXT, "creating topic %s: %s", topic,
             text ? text : rd_kafka_err2str(failure));
    return false;
}

bool kafka_producer_create_topic(struct kafka_producer *producer, const char *topic,
                                 int32_t partitions, const struct kafka_property *properties,
                                 size_t property_count, int wait_ms, char *error)
{
    enum { BROKER_DEFAULT_REPLICATION = -1 };
    rd_kafka_t *rk = kafka_producer_client(producer);
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(
        topic, partitions, BROKER_DEFAULT_REPLICATION, error, KAFKA_ERROR_TEXT);
    if (!wanted)
        return false;
    for (size_t i = 0; i < property_count; i++)
        rd_kafka_NewTopic_set_config(wanted, properties[i].name, properties[i].value);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, wait_ms, error, KAFKA_ERROR_TEXT);
    rd_kafka_CreateTopics(rk, &wanted, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, wait_ms);
    bool ok = read_result(event, topic, error);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(wanted);
    return ok;
}
