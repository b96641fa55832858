/* A consumer without a group that is assigned one partition. */
#include "kafka_reader.h"

#include <stdio.h>
#include <string.h>

#include "kafka_private.h"
#include "pool.h"

enum { POLL_MS = 500 };

struct kafka_reader {
    rd_kafka_t *rk;
    char *topic;
    int32_t partition;
    rd_kafka_message_t *held; /* what the caller looks at */
};

static rd_kafka_t *make_client(const struct kafka_options *options, char *error)
{
    rd_kafka_conf_t *conf = kafka_property_conf(options->bootstrap, "freshet-reader",
                                                options->properties, options->property_count,
                                                error);
    /* No more than a few records are wanted ahead, and the news that the log ends at once: a broker
     * keeps a request that finds nothing for half a second, unless it is told not to. */
    static const char *const bounds[][2] = {{"queued.max.messages.kbytes", "16384"},
                                            {"fetch.wait.max.ms", "5"},
                                            {"log.queue", "false"}};
    for (size_t k = 0; conf && k < sizeof bounds / sizeof bounds[0]; k++)
        if (rd_kafka_conf_set(conf, bounds[k][0], bounds[k][1], error, KAFKA_ERROR_TEXT)) {
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    if (!conf)
        return NULL;
    rd_kafka_conf_set_log_cb(conf, NULL);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, KAFKA_ERROR_TEXT);
    if (!rk)
        rd_kafka_conf_destroy(conf);
    return rk;
}

struct kafka_reader *kafka_reader_open(const struct kafka_options *options, int32_t partition,
                                       char *error)
{
    rd_kafka_t *rk = make_client(options, error);
    if (!rk)
        return NULL;
    rd_kafka_poll_set_consumer(rk);
    struct kafka_reader *reader = memory_alloc(sizeof *reader);
    *reader = (struct kafka_reader){
        .rk = rk, .topic = memory_strdup(options->topic), .partition = partition};
    return reader;
}

static bool complain(const struct kafka_reader *reader, rd_kafka_resp_err_t failure, char *error)
{
    snprintf(error, KAFKA_ERROR_TEXT, "topic %s, partition %d: %s", reader->topic,
             reader->partition, rd_kafka_err2str(failure));
    return false;
}

static void let_go(struct kafka_reader *reader)
{
    if (reader->held)
        rd_kafka_message_destroy(reader->held);
    reader->held = NULL;
}

int32_t kafka_reader_partitions(struct kafka_reader *reader, char *error)
{
    return kafka_topic_partitions(reader->rk, reader->topic, KAFKA_READER_WAIT_MS, error);
}

bool kafka_reader_seek(struct kafka_reader *reader, int64_t offset, char *error)
{
    let_go(reader);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, reader->topic, reader->partition)->offset = offset;
    rd_kafka_resp_err_t failure = rd_kafka_assign(reader->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return !failure || complain(reader, failure, error);
}

bool kafka_reader_rewind(struct kafka_reader *reader, char *error)
{
    let_go(reader);
    int64_t low, high;
    rd_kafka_resp_err_t failure =
        rd_kafka_query_watermark_offsets(reader->rk, reader->topic, reader->partition, &low, &high,
                                         KAFKA_READER_WAIT_MS);
    return failure ? complain(reader, failure, error) : kafka_reader_seek(reader, low, error);
}

int kafka_reader_next(struct kafka_reader *reader, struct kafka_reader_record *record, char *error)
{
    let_go(reader);
    rd_kafka_resp_err_t last = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int waited = 0; waited < KAFKA_READER_WAIT_MS; waited += POLL_MS) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->rk, POLL_MS);
        if (!message)
            continue;
        if (!message->err) {
            reader->held = message;
            *record = (struct kafka_reader_record){message->key, message->key_len,
                                                   message->payload, message->len,
                                                   message->offset};
            return 1;
        }
        last = message->err;
        rd_kafka_message_destroy(message);
        if (last == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            return 0;
        /* The client tries again by itself. */
    }
    complain(reader, last, error);
    return -1;
}

void kafka_reader_close(struct kafka_reader *reader)
{
    if (!reader)
        return;
    let_go(reader);
    rd_kafka_consumer_close(reader->rk);
    rd_kafka_destroy(reader->rk);
    memory_free(reader->topic);
    memory_free(reader);
}
