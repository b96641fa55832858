/* The job as the manuals of librdkafka, avro-c, uthash and hiredis show it: one thread, a poll for
 * each message, generic values, formatted commands appended to a pipeline.
 *
 *     peer_c BROKERS TOPIC PARTITIONS EVENTS REDIS-PORT SCHEMA
 *
 * Every event is written. Nothing is checked that the manuals do not check. */
#include <avro.h>
#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { PIPELINE = 500, WAIT_MS = 100 };
static const int64_t gap_ms = 30 * 60 * 1000;

struct visitor {
    char user[64];
    char item[64];
    int64_t start_ms, last_ms, events;
    double value;
    UT_hash_handle hh;
};

static struct visitor *visitors;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "peer_c: %s: %s\n", what, why);
    exit(1);
}

static rd_kafka_t *open_consumer(const char *brokers, const char *topic, int partitions)
{
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, sizeof error) ||
        rd_kafka_conf_set(conf, "group.id", "peer-c", error, sizeof error) ||
        rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", error, sizeof error))
        fail("configuration", error);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (!consumer)
        fail("consumer", error);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int k = 0; k < partitions; k++)
        rd_kafka_topic_partition_list_add(list, topic, k)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return consumer;
}

static avro_schema_t read_schema(const char *path)
{
    static char text[65536];
    avro_schema_t schema;
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, sizeof text, file) : 0;
    if (!file || avro_schema_from_json_length(text, len, &schema))
        fail(path, avro_strerror());
    fclose(file);
    return schema;
}

static const char *text_of(avro_value_t *record, const char *name)
{
    avro_value_t field;
    const char *text = NULL;
    size_t size;
    avro_value_get_by_name(record, name, &field, NULL);
    if (avro_value_get_type(&field) == AVRO_UNION) {
        avro_value_t branch;
        avro_value_get_current_branch(&field, &branch);
        if (avro_value_get_type(&branch) == AVRO_NULL)
            return NULL;
        avro_value_get_string(&branch, &text, &size);
    } else {
        avro_value_get_string(&field, &text, &size);
    }
    return text;
}

static struct visitor *update(avro_value_t *record)
{
    struct visitor *visitor;
    avro_value_t field, branch;
    int64_t time_ms;
    double price;
    const char *user = text_of(record, "user_id");
    HASH_FIND_STR(visitors, user, visitor);
    if (!visitor) {
        visitor = calloc(1, sizeof *visitor);
        snprintf(visitor->user, sizeof visitor->user, "%s", user);
        HASH_ADD_STR(visitors, user, visitor);
    }
    avro_value_get_by_name(record, "event_time", &field, NULL);
    avro_value_get_long(&field, &time_ms);
    if (visitor->events == 0 || time_ms - visitor->last_ms > gap_ms) {
        visitor->start_ms = time_ms;
        visitor->events = 0;
        visitor->value = 0;
        visitor->item[0] = '\0';
    }
    visitor->last_ms = time_ms;
    visitor->events++;
    avro_value_get_by_name(record, "price", &field, NULL);
    avro_value_get_current_branch(&field, &branch);
    if (avro_value_get_type(&branch) == AVRO_DOUBLE) {
        avro_value_get_double(&branch, &price);
        visitor->value += price;
    }
    const char *item = text_of(record, "item_id");
    if (item)
        snprintf(visitor->item, sizeof visitor->item, "%s", item);
    return visitor;
}

static void read_replies(redisContext *redis, int *waiting)
{
    for (; *waiting > 0; --*waiting) {
        redisReply *reply;
        if (redisGetReply(redis, (void **)&reply) != REDIS_OK || reply->type == REDIS_REPLY_ERROR)
            fail("redis", redis->errstr);
        freeReplyObject(reply);
    }
}

static void write_row(redisContext *redis, const struct visitor *visitor, int *waiting)
{
    redisAppendCommand(redis,
                       "HSET features:%s session_events %lld session_value %.2f last_item %s "
                       "session_start %lld session_last %lld",
                       visitor->user, (long long)visitor->events, visitor->value, visitor->item,
                       (long long)visitor->start_ms, (long long)visitor->last_ms);
    if (++*waiting == PIPELINE)
        read_replies(redis, waiting);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: peer_c BROKERS TOPIC PARTITIONS EVENTS REDIS-PORT SCHEMA\n");
        return 64;
    }
    rd_kafka_t *consumer = open_consumer(argv[1], argv[2], atoi(argv[3]));
    redisContext *redis = redisConnect("127.0.0.1", atoi(argv[5]));
    if (!redis || redis->err)
        fail("redis", redis ? redis->errstr : "no memory");
    avro_schema_t schema = read_schema(argv[6]);
    avro_value_iface_t *interface = avro_generic_class_from_schema(schema);
    avro_value_t record;
    avro_generic_value_new(interface, &record);
    int waiting = 0;
    for (long long left = atoll(argv[4]); left > 0;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, WAIT_MS);
        if (!message)
            continue;
        if (!message->err) {
            avro_reader_t reader = avro_reader_memory(message->payload, (int64_t)message->len);
            if (avro_value_read(reader, &record))
                fail("datum", avro_strerror());
            avro_reader_free(reader);
            write_row(redis, update(&record), &waiting);
            left--;
        }
        rd_kafka_message_destroy(message);
    }
    read_replies(redis, &waiting);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    redisFree(redis);
    return 0;
}
