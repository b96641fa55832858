/* The Kafka client on librdkafka's mock cluster: assignment, order, pauses, commits, troubles. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "kafka.h"
#include "kafka_producer.h"

enum { PARTITIONS = 2, STEP_MS = 20000, SEEN_MAX = 100000 };

/* A cluster of its own for each test, a loop, and what the handlers saw. */
struct world {
    rd_kafka_t *host;
    rd_kafka_mock_cluster_t *cluster;
    const char *bootstrap;
    uv_loop_t loop;
    uv_timer_t limit;
    bool timed_out;
    struct kafka *kafka;

    int assigned; /* number of on_assign */
    size_t assigned_count;
    int32_t assigned_partitions[PARTITIONS];
    int revoked;
    bool answer_revoke;
    int64_t ends[PARTITIONS];
    enum kafka_trouble trouble;
    int32_t trouble_partition;
    int troubles;
    struct kafka_topic_info info;
    int topics;
    int64_t next[PARTITIONS]; /* expected offset */
    int64_t gaps;
    int64_t seen;
    size_t poll_max;
    bool closed;
    int commits_ok, commits_failed;
    int lookups;
    struct kafka_extent extents[PARTITIONS];
    size_t extent_count;
    int delivered, undelivered;
};

static void on_limit(uv_timer_t *timer)
{
    ((struct world *)timer->data)->timed_out = true;
}

/* Runs the loop until the condition holds; a step that never comes fails the test. */
#define run_until(world, condition)                                                                \
    do {                                                                                           \
        (world)->timed_out = false;                                                                \
        uv_timer_start(&(world)->limit, on_limit, STEP_MS, 0);                                     \
        while (!(condition) && !(world)->timed_out)                                                \
            uv_run(&(world)->loop, UV_RUN_ONCE);                                                   \
        uv_timer_stop(&(world)->limit);                                                            \
        assert_true(condition);                                                                    \
    } while (0)

static void on_ready(void *data)
{
    struct world *world = data;
    struct kafka_message messages[64];
    size_t count = kafka_poll(world->kafka, messages, world->poll_max);
    for (size_t i = 0; i < count; i++) {
        struct kafka_message *message = &messages[i];
        if (message->offset != world->next[message->partition])
            world->gaps++;
        world->next[message->partition] = message->offset + 1;
        world->seen++;
        kafka_message_done(message->owner);
    }
}

static void on_assign(void *data, const int32_t *partitions, size_t count)
{
    struct world *world = data;
    world->assigned++;
    world->assigned_count = count;
    for (size_t i = 0; i < count && i < PARTITIONS; i++)
        world->assigned_partitions[i] = partitions[i];
}

static void on_revoke(void *data, const int32_t *partitions, size_t count, bool lost)
{
    struct world *world = data;
    (void)partitions;
    (void)count;
    (void)lost;
    world->revoked++;
    if (world->answer_revoke)
        kafka_unassign(world->kafka);
}

static void on_end(void *data, int32_t partition, int64_t offset)
{
    struct world *world = data;
    assert_int_equal(offset, world->next[partition]); /* all before it were handed out */
    world->ends[partition] = offset;
}

static void on_trouble(void *data, enum kafka_trouble trouble, int32_t partition, const char *text)
{
    struct world *world = data;
    assert_true(trouble == KAFKA_TROUBLE_NONE || text[0]);
    world->trouble = trouble;
    world->trouble_partition = partition;
    world->troubles++;
}

static void on_topic(void *data, const struct kafka_topic_info *info)
{
    struct world *world = data;
    world->info = *info;
    world->topics++;
}

static const struct kafka_handlers handlers = {on_ready, on_assign,  on_revoke,
                                               on_end,   on_trouble, on_topic};

static int setup(void **state)
{
    char error[512];
    struct world *world = calloc(1, sizeof *world);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "0", error, sizeof error), 0);
    world->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    world->cluster = rd_kafka_mock_cluster_new(world->host, 1);
    world->bootstrap = rd_kafka_mock_cluster_bootstraps(world->cluster);
    rd_kafka_mock_topic_create(world->cluster, "clicks", PARTITIONS, 1);
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->limit);
    world->limit.data = world;
    world->poll_max = 64;
    world->answer_revoke = true;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    uv_close((uv_handle_t *)&world->limit, NULL);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&world->loop), 0); /* nothing was left open */
    rd_kafka_mock_cluster_destroy(world->cluster);
    rd_kafka_destroy(world->host);
    free(world);
    return 0;
}

static void delivered(void *data, void *opaque, bool ok, const char *text)
{
    struct world *world = data;
    (void)opaque;
    (void)text;
    world->delivered += ok;
    world->undelivered += !ok;
}

static struct kafka_producer *open_producer(struct world *world, uv_loop_t *loop)
{
    char error[KAFKA_ERROR_TEXT];
    struct kafka_producer_options options = {
        .bootstrap = world->bootstrap,
        .application = "test",
        .delivered = delivered,
        .data = world,
    };
    struct kafka_producer *producer = kafka_producer_open(loop, &options, error);
    if (!producer)
        fail_msg("%s", error);

    return producer;
}

/* count records to each partition, record time = 1000 + number. */
static void fill(struct world *world, int count)
{
    struct kafka_producer *producer = open_producer(world, NULL);
    world->delivered = 0;
    for (int i = 0; i < count * PARTITIONS; i++) {
        struct kafka_record record = {.topic = "clicks",
                                      .partition = i % PARTITIONS,
                                      .key = "k",
                                      .key_len = 1,
                                      .payload = "value",
                                      .payload_len = 5,
                                      .record_time_ms = 1000 + i / PARTITIONS};
        while (!kafka_produce(producer, &record, NULL))
            kafka_producer_serve(producer, 10);
    }
    assert_true(kafka_producer_flush(producer, STEP_MS));
    kafka_producer_close(producer, 0, NULL, NULL);
    assert_int_equal(world->delivered, count * PARTITIONS);
    assert_int_equal(world->undelivered, 0);
}

static void open_consumer(struct world *world, const char *group)
{
    char error[KAFKA_ERROR_TEXT];
    static const struct kafka_property quick = {"fetch.wait.max.ms", "10"};
    struct kafka_options options = {.bootstrap = world->bootstrap,
                                    .group = group,
                                    .topic = "clicks",
                                    .properties = &quick,
                                    .property_count = 1};
    world->kafka = kafka_open(&world->loop, &options, &handlers, world, error);
    if (!world->kafka)
        fail_msg("%s", error);
}

static void assign_from(struct world *world, int64_t first, int64_t second)
{
    struct kafka_offset starts[PARTITIONS] = {{0, first}, {1, second}};
    world->next[0] = first;
    world->next[1] = second;
    kafka_assign(world->kafka, starts, PARTITIONS);
}

static void on_closed(void *data)
{
    ((struct world *)data)->closed = true;
}

static void close_consumer(struct world *world)
{
    kafka_close(world->kafka, STEP_MS, on_closed, world);
    run_until(world, world->closed);
}

static void test_deferred_assignment(void **state)
{
    struct world *world = *state;
    fill(world, 500);
    open_consumer(world, "group");
    run_until(world, world->assigned == 1);
    assert_int_equal(world->assigned_count, PARTITIONS);
    assert_true(kafka_is_rebalancing(world->kafka));
    for (int turns = 0; turns < 3; turns++) /* the take-over takes its time: nothing is fetched */
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(world->seen, 0);
    assign_from(world, 100, 0);
    assert_false(kafka_is_rebalancing(world->kafka));
    run_until(world, world->ends[0] == 500 && world->ends[1] == 500);
    assert_int_equal(world->seen, 900);
    assert_int_equal(world->gaps, 0);
    assert_int_equal(kafka_high_watermark(world->kafka, 0), 500);
    run_until(world, world->topics == 1);
    assert_int_equal(world->info.partition_count, PARTITIONS);
    close_consumer(world);
    assert_int_equal(world->revoked, 1);
}

static void test_pause_keeps_order(void **state)
{
    struct world *world = *state;
    fill(world, 5000);
    open_consumer(world, NULL);
    world->poll_max = 7;
    assign_from(world, 0, 0);
    int64_t paused_at = 0;
    for (int round = 0; world->next[0] < 5000; round++) { /* pauses in the middle of the queue */
        int64_t before = world->seen;
        run_until(world, world->seen > before + 200 || world->next[0] == 5000);
        kafka_pause(world->kafka, 0);
        kafka_pause(world->kafka, 0);
        paused_at = world->next[0];
        for (int turns = 0; turns < 5; turns++)
            uv_run(&world->loop, UV_RUN_NOWAIT);
        assert_int_equal(world->next[0], paused_at);
        kafka_resume(world->kafka, 0);
        kafka_resume(world->kafka, 1); /* was not paused: nothing happens */
    }
    run_until(world, world->next[1] == 5000);
    assert_int_equal(world->gaps, 0);
    assert_int_equal(world->seen, 2 * 5000);
    close_consumer(world);
}

/* Of each partition, and there is no more. */
static void read_a_hundred(struct world *world)
{
    fill(world, 100);
    open_consumer(world, NULL);
    assign_from(world, 0, 0);
    run_until(world, world->ends[0] == 100 && world->ends[1] == 100);
}

/* Nothing is fetched of it, and still one sees what waits. */
static void test_end_of_a_paused_partition(void **state)
{
    struct world *world = *state;
    read_a_hundred(world);
    kafka_pause(world->kafka, 0);
    fill(world, 50);
    run_until(world, kafka_high_watermark(world->kafka, 0) == 150);
    assert_int_equal(world->next[0], 100);
    kafka_resume(world->kafka, 0);
    run_until(world, world->next[0] == 150);
    close_consumer(world);
}

static void test_new_assignment_is_not_paused(void **state)
{
    struct world *world = *state;
    read_a_hundred(world);
    kafka_pause(world->kafka, 0);
    kafka_pause(world->kafka, 1);
    assign_from(world, 50, 0);
    kafka_pause(world->kafka, 1);
    run_until(world, world->next[0] == 100);
    assert_int_equal(world->next[1], 0);
    assign_from(world, 100, 20);
    run_until(world, world->next[1] == 100);
    close_consumer(world);
}

/* Stands before librdkafka's own, which it calls: but so many are lost first. */
static int resumes_to_lose;

rd_kafka_resp_err_t rd_kafka_resume_partitions(rd_kafka_t *rk,
                                               rd_kafka_topic_partition_list_t *partitions)
{
    __typeof__(&rd_kafka_resume_partitions) real;
    *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_resume_partitions");
    assert_non_null(real);
    return resumes_to_lose-- > 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : real(rk, partitions);
}

static void test_lost_resume_is_made_up_for(void **state)
{
    struct world *world = *state;
    read_a_hundred(world);
    kafka_pause(world->kafka, 0);
    resumes_to_lose = 1;
    kafka_unassign(world->kafka);
    assert_int_equal(resumes_to_lose, 0);
    assign_from(world, 50, 50);
    run_until(world, world->next[0] == 100 && world->next[1] == 100);
    close_consumer(world);
}

static void on_commit(void *data, bool ok, const char *text)
{
    struct world *world = data;
    (void)text;
    world->commits_ok += ok;
    world->commits_failed += !ok;
}

static void on_lookup(void *data, const struct kafka_extent *extents, size_t count)
{
    struct world *world = data;
    world->lookups++;
    world->extent_count = extents ? count : 0;
    for (size_t i = 0; extents && i < count; i++)
        world->extents[i] = extents[i];
}

static void test_commit_and_lookup(void **state)
{
    struct world *world = *state;
    int32_t both[] = {0, 1};
    fill(world, 50);
    open_consumer(world, "group");
    run_until(world, world->assigned == 1);
    kafka_lookup(world->kafka, both, 2, -1, on_lookup, world);
    run_until(world, world->lookups == 1);
    assert_int_equal(world->extent_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(world->extents[i].partition, i);
        assert_int_equal(world->extents[i].committed, -1);
        assert_int_equal(world->extents[i].low, 0);
        assert_int_equal(world->extents[i].end, 50);
        assert_int_equal(world->extents[i].at_time, -1);
    }
    assign_from(world, 0, 0);
    run_until(world, world->seen == 100);
    struct kafka_offset commits[] = {{0, 30}, {1, 40}};
    kafka_commit(world->kafka, commits, 2, on_commit, world);
    run_until(world, world->commits_ok + world->commits_failed == 1);
    assert_int_equal(world->commits_ok, 1);
    kafka_lookup(world->kafka, both, 2, -1, on_lookup, world);
    run_until(world, world->lookups == 2);
    assert_int_equal(world->extents[0].committed, 30);
    assert_int_equal(world->extents[1].committed, 40);
    kafka_lookup(world->kafka, both, 2, -1, on_lookup, world);
    close_consumer(world);
    assert_int_equal(world->lookups, 3); /* void, but answered */
    assert_int_equal(world->extent_count, 0);
}

static void test_offset_gone(void **state)
{
    struct world *world = *state;
    fill(world, 10);
    open_consumer(world, NULL);
    assign_from(world, 5, 1000);
    run_until(world, world->trouble == KAFKA_TROUBLE_OFFSET_GONE && world->next[0] == 10);
    assert_int_equal(world->trouble_partition, 1);
    assert_non_null(strstr(kafka_trouble_text(world->kafka), "partition 1"));
    assign_from(world, 10, 0); /* the policy's answer: all partitions again */
    run_until(world, world->ends[1] == 10);
    assert_int_equal(world->trouble, KAFKA_TROUBLE_NONE);
    assert_int_equal(world->gaps, 0);
    close_consumer(world);
}

static void test_broker_down_and_back(void **state)
{
    struct world *world = *state;
    fill(world, 10);
    open_consumer(world, NULL);
    assign_from(world, 0, 0);
    run_until(world, world->ends[0] == 10 && world->ends[1] == 10);
    rd_kafka_mock_broker_set_down(world->cluster, -1);
    run_until(world, world->trouble == KAFKA_TROUBLE_BROKERS);
    assert_string_not_equal(kafka_trouble_text(world->kafka), "");
    rd_kafka_mock_broker_set_up(world->cluster, -1);
    run_until(world, world->trouble == KAFKA_TROUBLE_NONE);
    close_consumer(world);
}

static void test_topic_missing(void **state)
{
    struct world *world = *state;
    rd_kafka_mock_topic_set_error(world->cluster, "clicks",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    open_consumer(world, NULL);
    run_until(world, world->trouble == KAFKA_TROUBLE_TOPIC);
    rd_kafka_mock_topic_set_error(world->cluster, "clicks", RD_KAFKA_RESP_ERR_NO_ERROR);
    run_until(world, world->topics == 1);
    assert_int_equal(world->trouble, KAFKA_TROUBLE_NONE);
    close_consumer(world);
}

static void test_close_does_not_wait_for_ever(void **state)
{
    struct world *world = *state;
    open_consumer(world, "group");
    run_until(world, world->assigned == 1);
    assign_from(world, 0, 0);
    world->answer_revoke = false;
    kafka_close(world->kafka, 200, on_closed, world);
    run_until(world, world->closed);
    assert_int_equal(world->revoked, 1);
}

static void test_close_at_once(void **state)
{
    struct world *world = *state;
    fill(world, 100);
    open_consumer(world, "group");
    run_until(world, world->assigned == 1);
    assign_from(world, 0, 0);
    run_until(world, world->seen > 0);
    kafka_close(world->kafka, 0, on_closed, world);
    run_until(world, world->closed);
    assert_int_equal(world->revoked, 0);
}

static void on_closed_first(void *data)
{
    (void)data;
    fail_msg("the second caller is told, not the first");
}

/* As when a second signal comes while the group is being left. */
static void test_close_again_is_at_once(void **state)
{
    struct world *world = *state;
    open_consumer(world, "group");
    run_until(world, world->assigned == 1);
    assign_from(world, 0, 0);
    world->answer_revoke = false;
    kafka_close(world->kafka, 2 * STEP_MS, on_closed_first, world);
    kafka_close(world->kafka, 0, on_closed, world);
    run_until(world, world->closed);
    assert_int_equal(world->revoked, 0);
}

static void test_close_again_while_it_waits(void **state)
{
    struct world *world = *state;
    open_consumer(world, "group");
    run_until(world, world->assigned == 1);
    assign_from(world, 0, 0);
    world->answer_revoke = false;
    kafka_close(world->kafka, 2 * STEP_MS, on_closed_first, world);
    run_until(world, world->revoked == 1);
    kafka_close(world->kafka, 0, on_closed, world);
    run_until(world, world->closed);
}

static void test_close_without_a_broker(void **state)
{
    struct world *world = *state;
    open_consumer(world, "group");
    run_until(world, world->assigned == 1);
    assign_from(world, 0, 0);
    rd_kafka_mock_broker_set_down(world->cluster, -1);
    run_until(world, world->trouble == KAFKA_TROUBLE_BROKERS);
    kafka_close(world->kafka, 1000, on_closed, world);
    run_until(world, world->closed);
    assert_int_equal(world->revoked, 1);
}

static void test_reader_without_group(void **state)
{
    struct world *world = *state;
    int32_t both[] = {0, 1};
    fill(world, 20);
    open_consumer(world, NULL);
    run_until(world, world->topics == 1);
    kafka_lookup(world->kafka, both, 2, -1, on_lookup, world);
    run_until(world, world->lookups == 1);
    assert_int_equal(world->extents[1].end, 20);
    assert_int_equal(world->extents[1].committed, -1);
    assign_from(world, 0, 15);
    run_until(world, world->ends[0] == 20 && world->ends[1] == 20);
    assert_int_equal(world->seen, 25);
    assert_int_equal(world->assigned, 0);
    close_consumer(world);
    assert_int_equal(world->revoked, 0);
}

/* Takes one message of partition 0, for tests that look at it. */
static struct kafka_message take_one(struct world *world)
{
    struct kafka_message message = {0};
    size_t count = 0;
    for (int waited = 0; count == 0 && waited < STEP_MS; waited += 10) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
        count = kafka_poll(world->kafka, &message, 1);
        uv_sleep(10);
    }
    assert_int_equal(count, 1);
    return message;
}

static void on_ready_ignored(void *data)
{
    (void)data;
}

static void assert_header(const struct kafka_message *message, const char *name, const char *value)
{
    size_t len = 0;
    const char *found = kafka_message_header(message, name, &len);
    assert_non_null(found);
    assert_int_equal(len, strlen(value));
    assert_memory_equal(found, value, len);
}

static void test_rejected_record(void **state)
{
    static const struct kafka_handlers quiet = {on_ready_ignored, on_assign,  on_revoke,
                                                on_end,           on_trouble, on_topic};
    struct world *world = *state;
    char error[KAFKA_ERROR_TEXT];
    rd_kafka_mock_topic_create(world->cluster, "late", 1, 1);
    struct kafka_producer *producer = open_producer(world, &world->loop);
    struct kafka_record original = {.topic = "clicks",
                                    .partition = 0,
                                    .key = "user",
                                    .key_len = 4,
                                    .payload = NULL,
                                    .record_time_ms = 12345};
    assert_true(kafka_produce(producer, &original, NULL));
    run_until(world, world->delivered == 1);

    struct kafka_options options = {.bootstrap = world->bootstrap, .topic = "clicks"};
    world->kafka = kafka_open(&world->loop, &options, &quiet, world, error);
    struct kafka_offset start = {0, 0};
    kafka_assign(world->kafka, &start, 1);
    struct kafka_message message = take_one(world);
    assert_null(message.payload);
    assert_int_equal(message.record_time_ms, 12345);
    struct kafka_rejection why = {.source_topic = "clicks",
                                  .fate = "late",
                                  .reason = "beyond every bound",
                                  .schema_id = 7,
                                  .watermark_ms = 99999,
                                  .late_by_ms = 1234};
    assert_true(kafka_produce_rejected(producer, "late", &message, &why, NULL));
    kafka_message_done(message.owner);
    run_until(world, world->delivered == 2);
    close_consumer(world);

    options.topic = "late";
    world->kafka = kafka_open(&world->loop, &options, &quiet, world, error);
    kafka_assign(world->kafka, &start, 1);
    message = take_one(world);
    assert_null(message.payload);
    assert_int_equal(message.key_len, 4);
    assert_memory_equal(message.key, "user", 4);
    assert_int_equal(message.record_time_ms, 12345);
    assert_header(&message, "__connect.errors.topic", "clicks");
    assert_header(&message, "__connect.errors.partition", "0");
    assert_header(&message, "__connect.errors.offset", "0");
    assert_header(&message, "__connect.errors.connector.name", "test");
    assert_header(&message, "__connect.errors.exception.message", "beyond every bound");
    assert_header(&message, "freshet.fate", "late");
    assert_header(&message, "freshet.schema_id", "7");
    assert_header(&message, "freshet.watermark_ms", "99999");
    assert_header(&message, "freshet.late_by_ms", "1234");
    size_t len;
    assert_null(kafka_message_header(&message, "none", &len));
    kafka_message_done(message.owner);
    world->closed = false;
    close_consumer(world);
    world->closed = false;
    kafka_producer_close(producer, 1000, on_closed, world);
    run_until(world, world->closed);
}

static void test_producer_bounds(void **state)
{
    struct world *world = *state;
    char error[KAFKA_ERROR_TEXT];
    struct kafka_property small[] = {{"queue.buffering.max.messages", "10"},
                                     {"message.max.bytes", "2000"}};
    struct kafka_producer_options options = {.bootstrap = world->bootstrap,
                                             .properties = small,
                                             .property_count = 2,
                                             .delivered = delivered,
                                             .data = world};
    struct kafka_producer *producer = kafka_producer_open(&world->loop, &options, error);
    if (!producer)
        fail_msg("%s", error);

    char large[4000] = {0};
    struct kafka_record record = {
        .topic = "clicks", .partition = -1, .payload = large, .payload_len = sizeof large};
    assert_true(kafka_produce(producer, &record, NULL)); /* can never be stored: told later */
    assert_int_equal(world->undelivered, 0);
    run_until(world, world->undelivered == 1);
    rd_kafka_mock_broker_set_down(world->cluster, -1);
    record.payload_len = 10;
    int accepted = 0;
    while (kafka_produce(producer, &record, NULL))
        accepted++;
    assert_int_equal(accepted, 10);
    assert_int_equal(kafka_producer_pending(producer), 10);
    kafka_producer_close(producer, 50, on_closed, world);
    run_until(world, world->closed);
    assert_int_equal(world->undelivered, 1 + 10);
}

struct squeezed {
    struct kafka_producer *producer;
    int left, stored;
};

static void squeeze(void *data)
{
    struct squeezed *self = data;
    struct kafka_record record = {.topic = "clicks", .payload = "x", .payload_len = 1};
    while (self->left > 0 && kafka_produce(self->producer, &record, NULL))
        self->left--;
}

static void squeezed_delivered(void *data, void *opaque, bool ok, const char *text)
{
    (void)opaque;
    (void)text;
    assert_true(ok);
    ((struct squeezed *)data)->stored++;
    squeeze(data); /* refused: what was delivered is still in the queue */
}

static void test_producer_with_room_for_one(void **state)
{
    struct world *world = *state;
    char error[KAFKA_ERROR_TEXT];
    struct kafka_property small[] = {{"queue.buffering.max.messages", "1"}};
    struct squeezed self = {.left = 5};
    struct kafka_producer_options options = {.bootstrap = world->bootstrap,
                                             .properties = small,
                                             .property_count = 1,
                                             .delivered = squeezed_delivered,
                                             .room = squeeze,
                                             .data = &self};
    self.producer = kafka_producer_open(&world->loop, &options, error);
    if (!self.producer)
        fail_msg("%s", error);
    squeeze(&self);
    assert_int_equal(self.left, 4);
    run_until(world, self.stored == 5);
    kafka_producer_close(self.producer, 1000, on_closed, world);
    run_until(world, world->closed);
}

static void test_properties(void **state)
{
    char error[KAFKA_ERROR_TEXT];
    (void)state;
    assert_true(kafka_check_property("security.protocol", "PLAINTEXT", error));
    assert_true(kafka_check_property("enable.auto.commit", "false", error));
    assert_true(kafka_check_property("linger.ms", "50", error));
    assert_true(kafka_check_property("partition.assignment.strategy", "roundrobin,range", error));
    static const struct kafka_property wrong[] = {
        {"enable.auto.commit", "true"},
        {"auto.offset.reset", "earliest"},
        {"isolation.level", "read_uncommitted"},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"statistics.interval.ms", "1000"},
        {"client.id", "0123456789012345678901234567890123456789012345678901234567890123456789"},
        {"acks", "1"},
        {"group.protocol", "consumer"},
        {"metadata.broker.list", "x"},
        {"no.such.property", "1"},
        {"fetch.wait.max.ms", "many"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error[0] = 0;
        assert_false(kafka_check_property(wrong[i].name, wrong[i].value, error));
        assert_non_null(strstr(error, wrong[i].name));
    }
}

static void test_rebalance_protocols(void **state)
{
    enum { STRATEGY, PROTOCOL };
    static const char *const properties[] = {"partition.assignment.strategy", "group.protocol"};
    static const struct {
        int property;
        const char *value;
        int version;
        const char *said; /* NULL: it may be used */
    } cases[] = {
        {STRATEGY, "range", 0x000b0000, NULL},
        {STRATEGY, "roundrobin,range", 0x020f00ff, NULL},
        {STRATEGY, "range,sticky", 0x020f00ff, "sticky is not known"},
        {STRATEGY, "range,", 0x020f00ff, "is not known"},
        {STRATEGY, "cooperative-sticky", 0x020002ff, "librdkafka 2.0.2: Of two members that claim"},
        {STRATEGY, "range,cooperative-sticky", 0x020503ff, "loop for ever. Mended in 2.6.1."},
        {STRATEGY, "cooperative-sticky", 0x020601ff, "lose the assignment. Mended in 2.10.0."},
        {STRATEGY, "cooperative-sticky", 0x020a00ff, "gives up and takes all partitions at once"},
        {PROTOCOL, "classic", 0x020300ff, "leave it out. Mended in 2.4.0."},
        {PROTOCOL, "classic", 0x020400ff, NULL},
        {PROTOCOL, "consumer", 0x020a00ff, "preview that its makers do not want in production"},
        {PROTOCOL, "consumer", 0x020d02ff, "joining again. Mended in 2.15.0."},
        {PROTOCOL, "consumer", 0x7f0000ff, "no incremental hand-over"},
    };
    (void)state;
    char error[KAFKA_ERROR_TEXT];
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        error[0] = '\0';
        bool fits = kafka_rebalance_fits(properties[cases[k].property], cases[k].value,
                                         cases[k].version, error);
        assert_int_equal(fits, cases[k].said == NULL);
        if (cases[k].said && !strstr(error, cases[k].said))
            fail_msg("%s: %s", cases[k].value, error);
    }
    assert_true(kafka_rebalance_fits("linger.ms", "5,6", 0x020002ff, error));
}

int main(int argc, char **argv)
{
    if (argc > 1) /* one test by a pattern */
        cmocka_set_test_filter(argv[1]);
#define WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WORLD(test_deferred_assignment),
        WORLD(test_pause_keeps_order),
        WORLD(test_end_of_a_paused_partition),
        WORLD(test_new_assignment_is_not_paused),
        WORLD(test_lost_resume_is_made_up_for),
        WORLD(test_commit_and_lookup),
        WORLD(test_offset_gone),
        WORLD(test_broker_down_and_back),
        WORLD(test_topic_missing),
        WORLD(test_close_does_not_wait_for_ever),
        WORLD(test_close_at_once),
        WORLD(test_close_again_is_at_once),
        WORLD(test_close_again_while_it_waits),
        WORLD(test_close_without_a_broker),
        WORLD(test_reader_without_group),
        WORLD(test_rejected_record),
        WORLD(test_producer_bounds),
        WORLD(test_producer_with_room_for_one),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_rebalance_protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
