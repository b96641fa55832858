/* The consumer: one queue of messages and events, woken through an eventfd of the loop.
 *
 * librdkafka's event interface is used without callbacks: an event may be answered later (an
 * assignment after the take-over), and nothing of ours runs in its threads. Messages are taken one
 * at a time, because rd_kafka_consume_batch_queue can skip messages after pause, resume or a
 * rebalance before 2.13.2. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "expect.h"
#include "kafka_private.h"
#include "pool.h"

enum {
    EVENTS = RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT |
             RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS | RD_KAFKA_EVENT_LOG,
};

static void close_step(struct kafka *kafka);

static void wake(struct kafka *kafka)
{
    uint64_t one = 1;
    ssize_t written = write(kafka->wake_fd, &one, sizeof one);
    expect(written == sizeof one || errno == EAGAIN); /* EAGAIN: already awake */
}

static void wake_clear(struct kafka *kafka)
{
    uint64_t count;
    ssize_t got = read(kafka->wake_fd, &count, sizeof count);
    expect(got == sizeof count || errno == EAGAIN);
}

static void on_wake(uv_poll_t *handle, int status, int events)
{
    struct kafka *kafka = handle->data;
    (void)status;
    (void)events;
    wake_clear(kafka);
    if (kafka->closing)
        close_step(kafka);
    else
        kafka->handlers->on_ready(kafka->data);
}

/* The queue is polled at least this often, else the group takes us for dead (max.poll.interval). */
static void on_tick(uv_timer_t *handle)
{
    struct kafka *kafka = handle->data;
    if (kafka->closing) {
        close_step(kafka);
        return;
    }
    kafka_job_probe(kafka);
    kafka_job_ends(kafka);
    kafka_job_lookup_tick(kafka);
    kafka->handlers->on_ready(kafka->data);
}

static rd_kafka_t *make_client(const struct kafka_options *options, char *error)
{
    const char *group = options->group ? options->group : "freshet-reader";
    rd_kafka_conf_t *conf = kafka_property_conf(options->bootstrap, group, options->properties,
                                                options->property_count, error);
    if (!conf)
        return NULL;
    rd_kafka_conf_set_events(conf, EVENTS);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, KAFKA_ERROR_TEXT);
    if (!rk)
        rd_kafka_conf_destroy(conf);
    return rk;
}

static void subscribe(struct kafka *kafka)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, kafka->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(kafka->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error)
        kafka_event_tell_trouble(kafka, KAFKA_TROUBLE_TOPIC, -1, rd_kafka_err2str(error));
}

static void start_handles(struct kafka *kafka)
{
    uint64_t one = 1;
    kafka->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    expect(kafka->wake_fd >= 0);
    rd_kafka_queue_io_event_enable(kafka->queue, kafka->wake_fd, &one, sizeof one);
    kafka->wake.data = kafka->tick.data = kafka;
    expect(uv_poll_init(kafka->loop, &kafka->wake, kafka->wake_fd) == 0);
    expect(uv_poll_start(&kafka->wake, UV_READABLE, on_wake) == 0);
    expect(uv_timer_init(kafka->loop, &kafka->tick) == 0);
    expect(uv_timer_start(&kafka->tick, on_tick, 0, KAFKA_TICK_MS) == 0);
    kafka->open_handles = 2;
}

struct kafka *kafka_open(uv_loop_t *loop, const struct kafka_options *options,
                         const struct kafka_handlers *handlers, void *data, char *error)
{
    rd_kafka_t *rk = make_client(options, error);
    if (!rk)
        return NULL;
    rd_kafka_poll_set_consumer(rk);
    struct kafka *kafka = memory_alloc(sizeof *kafka);
    kafka->loop = loop;
    kafka->rk = rk;
    kafka->queue = rd_kafka_queue_get_consumer(rk);
    rd_kafka_set_log_queue(rk, kafka->queue);
    kafka->topic = memory_strdup(options->topic);
    kafka->topic_handle = rd_kafka_topic_new(rk, options->topic, NULL);
    kafka->in_group = options->group != NULL;
    kafka->handlers = handlers;
    kafka->data = data;
    kafka->trouble_partition = -1;
    kafka->info.timestamp_after_max_ms = -1;
    start_handles(kafka);
    if (kafka->in_group)
        subscribe(kafka);
    return kafka;
}

static void take_message(rd_kafka_event_t *event, struct kafka_message *out)
{
    const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
    rd_kafka_timestamp_type_t kind;
    int64_t time_ms = rd_kafka_message_timestamp(message, &kind);
    *out = (struct kafka_message){
        .partition = message->partition,
        .offset = message->offset,
        .record_time_ms = kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : time_ms,
        .key = message->key,
        .key_len = message->key_len,
        .payload = message->payload,
        .payload_len = message->len,
        .owner = event,
        .handle = message,
    };
}

size_t kafka_poll(struct kafka *kafka, struct kafka_message *out, size_t max)
{
    size_t count = 0;
    expect(!kafka->closing);
    if (kafka->held) {
        rd_kafka_event_t *event = kafka->held;
        kafka->held = NULL;
        kafka_event_dispatch(kafka, event);
    }
    while (count < max) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(kafka->queue, 0);
        if (!event)
            return count; /* the next event into the empty queue wakes the loop */
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH) {
            take_message(event, &out[count++]);
        } else if (count > 0 && kafka_event_has_place(event)) {
            kafka->held = event;
            break;
        } else {
            kafka_event_dispatch(kafka, event);
        }
    }
    if (count > 0 && kafka->trouble == KAFKA_TROUBLE_BROKERS)
        kafka_event_trouble_over(kafka);
    wake(kafka);
    return count;
}

void kafka_message_done(void *owner)
{
    rd_kafka_event_destroy(owner);
}

const void *kafka_message_header(const struct kafka_message *message, const char *name, size_t *len)
{
    rd_kafka_headers_t *headers;
    const void *value;
    if (rd_kafka_message_headers(message->handle, &headers) ||
        rd_kafka_header_get_last(headers, name, &value, len))
        return NULL;
    return value;
}

bool kafka_message_header_at(const struct kafka_message *message, size_t index, const char **name,
                             const void **value, size_t *len)
{
    rd_kafka_headers_t *headers;
    return !rd_kafka_message_headers(message->handle, &headers) &&
           !rd_kafka_header_get_all(headers, index, name, value, len);
}

static rd_kafka_topic_partition_list_t *
offset_list(const struct kafka *kafka, const struct kafka_offset *offsets, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count + 1);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, kafka->topic, offsets[i].partition)->offset =
            offsets[i].offset;
    return list;
}

/* librdkafka would keep partitions paused over assignments. */
static void resume_all(struct kafka *kafka)
{
    for (int32_t k = 0; k < KAFKA_MAX_PARTITIONS; k++)
        kafka_resume(kafka, k);
}

/* An end or a trouble that was held back belongs to the assignment that goes. */
static void assignment_changes(struct kafka *kafka)
{
    if (kafka->held && rd_kafka_event_type(kafka->held) == RD_KAFKA_EVENT_ERROR) {
        rd_kafka_event_destroy(kafka->held);
        kafka->held = NULL;
    }
    resume_all(kafka);
    memset(kafka->ends.known, 0, sizeof kafka->ends.known);
    memset(kafka->ends.watched, 0, sizeof kafka->ends.watched);
    kafka->rebalancing = false;
    if (kafka->trouble_partition >= 0)
        kafka_event_trouble_over(kafka);
}

void kafka_assign(struct kafka *kafka, const struct kafka_offset *starts, size_t count)
{
    rd_kafka_topic_partition_list_t *list = offset_list(kafka, starts, count);
    assignment_changes(kafka);
    /* Also what we do not think paused: around a rebalance a resume can be lost in librdkafka, and
     * the partition would stand still for good. Nothing is assigned now that could outdate it. */
    rd_kafka_resume_partitions(kafka->rk, list);
    kafka->assigned = count > 0;
    rd_kafka_resp_err_t error = rd_kafka_assign(kafka->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error)
        kafka_event_tell_trouble(kafka, KAFKA_TROUBLE_OTHER, -1, rd_kafka_err2str(error));
}

void kafka_unassign(struct kafka *kafka)
{
    assignment_changes(kafka);
    kafka->assigned = false;
    rd_kafka_assign(kafka->rk, NULL);
}

bool kafka_is_rebalancing(const struct kafka *kafka)
{
    return kafka->rebalancing;
}

static void set_paused(struct kafka *kafka, int32_t partition, bool paused)
{
    expect(partition >= 0 && partition < KAFKA_MAX_PARTITIONS);
    if (kafka->paused[partition] == paused)
        return;
    kafka->paused[partition] = paused;
    struct kafka_offset place = {partition, RD_KAFKA_OFFSET_INVALID};
    rd_kafka_topic_partition_list_t *list = offset_list(kafka, &place, 1);
    if (paused)
        rd_kafka_pause_partitions(kafka->rk, list);
    else
        rd_kafka_resume_partitions(kafka->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_pause(struct kafka *kafka, int32_t partition)
{
    set_paused(kafka, partition, true);
}

void kafka_resume(struct kafka *kafka, int32_t partition)
{
    set_paused(kafka, partition, false);
}

void kafka_commit(struct kafka *kafka, const struct kafka_offset *offsets, size_t count,
                  kafka_commit_done *done, void *data)
{
    struct kafka_pending_commit *commit = memory_alloc(sizeof *commit);
    *commit = (struct kafka_pending_commit){kafka->commits, done, data};
    kafka->commits = commit;
    rd_kafka_topic_partition_list_t *list = offset_list(kafka, offsets, count);
    rd_kafka_resp_err_t error = rd_kafka_commit_queue(kafka->rk, list, kafka->queue, NULL, commit);
    rd_kafka_topic_partition_list_destroy(list);
    if (!error)
        return;
    kafka->commits = commit->next;
    memory_free(commit);
    done(data, false, rd_kafka_err2str(error));
}

int64_t kafka_high_watermark(const struct kafka *kafka, int32_t partition)
{
    int64_t low, high, asked = kafka->ends.known[partition];
    if (rd_kafka_get_watermark_offsets(kafka->rk, kafka->topic, partition, &low, &high) || high < 0)
        high = -1;
    return asked > high ? asked : high;
}

void kafka_watch(struct kafka *kafka, int32_t partition, bool watch)
{
    kafka->ends.watched[partition] = watch;
}

int64_t kafka_asked_end(const struct kafka *kafka, int32_t partition)
{
    int64_t known = kafka->ends.known[partition];
    return known > 0 ? known : -1;
}

struct kafka_statistics kafka_statistics(const struct kafka *kafka)
{
    return kafka->statistics;
}

const char *kafka_trouble_text(const struct kafka *kafka)
{
    return kafka->trouble_text;
}

/* ---- closing ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct kafka *kafka = handle->data;
    if (--kafka->open_handles > 0)
        return;
    void (*done)(void *) = kafka->close_done;
    void *data = kafka->close_data;
    close(kafka->wake_fd);
    memory_free(kafka->topic);
    memory_free(kafka);
    if (done)
        done(data);
}

/* A client that has begun to leave its group cannot be destroyed before it has left (librdkafka
 * 2.0.2 would wait for ever): then it is abandoned, and its threads end with the process. */
static void destroy_work(uv_work_t *work)
{
    struct kafka *kafka = work->data;
    bool left = !kafka->in_group || rd_kafka_consumer_closed(kafka->rk);
    if (kafka->leaving && !left) {
        static rd_kafka_queue_t *_Atomic abandoned; /* in sight, so that it counts as no leak */
        atomic_store(&abandoned, kafka->queue);
        return;
    }
    rd_kafka_topic_destroy(kafka->topic_handle);
    rd_kafka_queue_destroy(kafka->queue);
    rd_kafka_destroy_flags(kafka->rk, left ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void destroy_after(uv_work_t *work, int status)
{
    struct kafka *kafka = work->data;
    (void)status;
    uv_close((uv_handle_t *)&kafka->wake, on_handle_closed);
    uv_close((uv_handle_t *)&kafka->tick, on_handle_closed);
}

static void serve_events(struct kafka *kafka)
{
    rd_kafka_event_t *event = kafka->held;
    kafka->held = NULL;
    for (; event || (event = rd_kafka_queue_poll(kafka->queue, 0)); event = NULL)
        kafka_event_dispatch(kafka, event); /* messages are dropped */
}

static void leave(struct kafka *kafka)
{
    kafka->unsubscribing = false;
    kafka->leaving = true;
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(kafka->rk, kafka->queue);
    if (!error)
        return;
    kafka->leaving = false;
    kafka->close_by_ms = 0;
    rd_kafka_error_destroy(error);
}

static bool is_static_member(const struct kafka *kafka)
{
    char id[KAFKA_ERROR_TEXT] = "";
    size_t size = sizeof id;
    const rd_kafka_conf_t *conf = rd_kafka_conf(kafka->rk);
    return rd_kafka_conf_get(conf, "group.instance.id", id, &size) == RD_KAFKA_CONF_OK && id[0];
}

/* Closing a static member tells the group nothing, so that its partitions would wait until its
 * session is over. Unsubscribing says that it goes. */
static void unsubscribe_step(struct kafka *kafka)
{
    uint64_t now_ms = uv_now(kafka->loop);
    if (kafka->rebalancing || kafka->assigned || kafka->unsubscribed_ms == 0)
        kafka->unsubscribed_ms = now_ms;
    if (now_ms >= kafka->close_by_ms)
        kafka->close_by_ms = now_ms + KAFKA_LEAVE_MS;
    else if (now_ms - kafka->unsubscribed_ms < KAFKA_UNSUBSCRIBE_MS)
        return;
    leave(kafka);
}

static void close_step(struct kafka *kafka)
{
    if (kafka->destroying)
        return;
    serve_events(kafka);
    if (kafka->unsubscribing) {
        unsubscribe_step(kafka);
        return;
    }
    bool left = !kafka->in_group || rd_kafka_consumer_closed(kafka->rk);
    if (!left && uv_now(kafka->loop) < kafka->close_by_ms)
        return;
    if (!left && kafka->rebalancing) { /* nobody answered on_revoke */
        kafka_unassign(kafka);
        kafka->close_by_ms = uv_now(kafka->loop) + KAFKA_LEAVE_MS;
        return;
    }
    if (kafka_job_any_running(kafka))
        return;
    kafka->destroying = true;
    for (struct kafka_pending_commit *commit; (commit = kafka->commits);) {
        kafka->commits = commit->next;
        commit->done(commit->data, false, "the consumer is closed");
        memory_free(commit);
    }
    rd_kafka_queue_io_event_enable(kafka->queue, -1, NULL, 0);
    kafka->destroy.data = kafka;
    expect(uv_queue_work(kafka->loop, &kafka->destroy, destroy_work, destroy_after) == 0);
}

void kafka_close(struct kafka *kafka, int64_t deadline_ms, void (*done)(void *data), void *data)
{
    kafka->close_by_ms = uv_now(kafka->loop) + (uint64_t)deadline_ms;
    kafka->close_done = done;
    kafka->close_data = data;
    kafka->deserted = kafka->closing;
    if (kafka->closing)
        return;
    kafka->closing = true;
    atomic_store(&kafka->probe.stop, true);
    kafka_job_lookup_void(kafka);
    uv_timer_start(&kafka->tick, on_tick, 0, KAFKA_CLOSING_TICK_MS);
    if (!kafka->in_group || deadline_ms == 0)
        return;
    bool fenced = rd_kafka_fatal_error(kafka->rk, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;
    kafka->unsubscribing =
        is_static_member(kafka) && !fenced && !rd_kafka_unsubscribe(kafka->rk);
    if (!kafka->unsubscribing)
        leave(kafka);
}
