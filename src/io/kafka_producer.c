/* The producer: late and dead-letter records on the loop, clicks of the workbench without one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "expect.h"
#include "kafka_private.h"
#include "log.h"
#include "pool.h"

enum { CLOSE_TICK_MS = 20, ROOM_MS = 10 };

/* Refused at once, told with the deliveries: a caller is never called back from kafka_produce. */
struct refused {
    struct refused *next;
    void *opaque;
    rd_kafka_resp_err_t error;
};

struct kafka_producer {
    uv_loop_t *loop; /* NULL: the caller serves */
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    kafka_delivered *delivered;
    void (*room)(void *data);
    void *data;
    char *application;
    struct refused *refused;
    size_t pending;

    int wake_fd;
    uv_poll_t wake;
    uv_timer_t tick; /* while closing; before that, when the queue was full */
    int open_handles;
    uint64_t close_by_ms;
    void (*close_done)(void *data);
    void *close_data;
    uv_work_t destroy;
};

static void tell(struct kafka_producer *producer, void *opaque, rd_kafka_resp_err_t error)
{
    producer->pending--;
    producer->delivered(producer->data, opaque, !error, rd_kafka_err2str(error));
}

static void tell_refused(struct kafka_producer *producer)
{
    struct refused *refused;
    while ((refused = producer->refused)) {
        producer->refused = refused->next;
        tell(producer, refused->opaque, refused->error);
        memory_free(refused);
    }
}

static void dispatch(struct kafka_producer *producer, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
        while ((message = rd_kafka_event_message_next(event)))
            tell(producer, message->_private, message->err);
        break;
    case RD_KAFKA_EVENT_ERROR:
        log_warning("kafka_producer", "text=%Q", rd_kafka_event_error_string(event));
        break;
    case RD_KAFKA_EVENT_LOG:
        kafka_event_log(event);
        break;
    default:
        break;
    }
    rd_kafka_event_destroy(event);
}

static void serve(struct kafka_producer *producer, int wait_ms)
{
    rd_kafka_event_t *event;
    tell_refused(producer);
    while ((event = rd_kafka_queue_poll(producer->queue, wait_ms))) {
        dispatch(producer, event);
        wait_ms = 0;
    }
}

static void on_wake(uv_poll_t *handle, int status, int events)
{
    struct kafka_producer *producer = handle->data;
    uint64_t count;
    ssize_t got = read(producer->wake_fd, &count, sizeof count);
    (void)status;
    (void)events;
    expect(got == sizeof count || errno == EAGAIN);
    serve(producer, 0);
}

static void start_handles(struct kafka_producer *producer)
{
    uint64_t one = 1;
    /* The queue wakes us only when it was empty, and it may hold an error by now: look at once. */
    producer->wake_fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    expect(producer->wake_fd >= 0);
    rd_kafka_queue_io_event_enable(producer->queue, producer->wake_fd, &one, sizeof one);
    producer->wake.data = producer->tick.data = producer;
    expect(uv_poll_init(producer->loop, &producer->wake, producer->wake_fd) == 0);
    expect(uv_poll_start(&producer->wake, UV_READABLE, on_wake) == 0);
    expect(uv_timer_init(producer->loop, &producer->tick) == 0);
    producer->open_handles = 2;
}

static rd_kafka_t *make_client(const struct kafka_producer_options *options, char *error)
{
    rd_kafka_conf_t *conf = kafka_property_conf(options->bootstrap, NULL, options->properties,
                                                options->property_count, error);
    if (!conf)
        return NULL;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    if (rd_kafka_conf_set(conf, "partitioner", "murmur2_random", error, KAFKA_ERROR_TEXT)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, KAFKA_ERROR_TEXT);
    if (!rk)
        rd_kafka_conf_destroy(conf);
    return rk;
}

struct kafka_producer *
kafka_producer_open(uv_loop_t *loop, const struct kafka_producer_options *options, char *error)
{
    rd_kafka_t *rk = make_client(options, error);
    if (!rk)
        return NULL;
    struct kafka_producer *producer = memory_alloc(sizeof *producer);
    producer->loop = loop;
    producer->rk = rk;
    producer->queue = rd_kafka_queue_get_main(rk);
    rd_kafka_set_log_queue(rk, producer->queue);
    producer->delivered = options->delivered;
    producer->room = loop ? options->room : NULL;
    producer->data = options->data;
    if (options->application)
        producer->application = memory_strdup(options->application);
    if (loop)
        start_handles(producer);
    return producer;
}

static void refuse(struct kafka_producer *producer, void *opaque, rd_kafka_resp_err_t error)
{
    struct refused *refused = memory_alloc(sizeof *refused);
    *refused = (struct refused){producer->refused, opaque, error};
    producer->refused = refused;
    uint64_t one = 1;
    if (producer->loop)
        expect(write(producer->wake_fd, &one, sizeof one) == sizeof one || errno == EAGAIN);
}

static void on_room(uv_timer_t *handle)
{
    struct kafka_producer *producer = handle->data;
    producer->room(producer->data);
}

static void wait_for_room(struct kafka_producer *producer)
{
    if (producer->room && !uv_is_active((uv_handle_t *)&producer->tick))
        uv_timer_start(&producer->tick, on_room, ROOM_MS, 0);
}

/* Takes the headers. */
static bool produce(struct kafka_producer *producer, const struct kafka_record *record,
                    rd_kafka_headers_t *headers, void *opaque)
{
    int64_t time_ms = record->record_time_ms > 0 ? record->record_time_ms : 0;
    rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = record->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)record->key, record->key_len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {(void *)(uintptr_t)record->payload, record->payload_len}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = time_ms},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = opaque},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    size_t count = sizeof arguments / sizeof *arguments - (headers ? 0 : 1);
    rd_kafka_error_t *failure = rd_kafka_produceva(producer->rk, arguments, count);
    producer->pending++;
    if (!failure)
        return true;
    rd_kafka_resp_err_t error = rd_kafka_error_code(failure);
    rd_kafka_error_destroy(failure);
    if (headers)
        rd_kafka_headers_destroy(headers);
    if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        producer->pending--;
        wait_for_room(producer);
        return false;
    }
    refuse(producer, opaque, error);
    return true;
}

bool kafka_produce(struct kafka_producer *producer, const struct kafka_record *record, void *opaque)
{
    return produce(producer, record, NULL, opaque);
}

static void add_text(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    rd_kafka_header_add(headers, name, -1, value, (ssize_t)strlen(value));
}

static void add_long(rd_kafka_headers_t *headers, const char *name, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    add_text(headers, name, digits);
}

static rd_kafka_headers_t *rejection_headers(const struct kafka_producer *producer,
                                             const struct kafka_message *message,
                                             const struct kafka_rejection *rejection)
{
    rd_kafka_headers_t *original;
    rd_kafka_headers_t *headers = rd_kafka_message_headers(message->handle, &original)
                                      ? rd_kafka_headers_new(9)
                                      : rd_kafka_headers_copy(original);
    add_text(headers, "__connect.errors.topic", rejection->source_topic);
    add_long(headers, "__connect.errors.partition", message->partition);
    add_long(headers, "__connect.errors.offset", message->offset);
    if (producer->application)
        add_text(headers, "__connect.errors.connector.name", producer->application);
    add_text(headers, "__connect.errors.exception.message", rejection->reason);
    add_text(headers, "freshet.fate", rejection->fate);
    if (rejection->schema_id >= 0)
        add_long(headers, "freshet.schema_id", rejection->schema_id);
    if (rejection->watermark_ms != INT64_MIN)
        add_long(headers, "freshet.watermark_ms", rejection->watermark_ms);
    if (rejection->late_by_ms >= 0)
        add_long(headers, "freshet.late_by_ms", rejection->late_by_ms);
    return headers;
}

bool kafka_produce_rejected(struct kafka_producer *producer, const char *topic,
                            const struct kafka_message *message,
                            const struct kafka_rejection *rejection, void *opaque)
{
    struct kafka_record record = {
        .topic = topic,
        .partition = RD_KAFKA_PARTITION_UA,
        .key = message->key,
        .key_len = message->key_len,
        .payload = message->payload,
        .payload_len = message->payload_len,
        .record_time_ms = message->record_time_ms,
    };
    return produce(producer, &record, rejection_headers(producer, message, rejection), opaque);
}

rd_kafka_t *kafka_producer_client(const struct kafka_producer *producer)
{
    return producer->rk;
}

size_t kafka_producer_pending(const struct kafka_producer *producer)
{
    return producer->pending;
}

void kafka_producer_serve(struct kafka_producer *producer, int wait_ms)
{
    expect(!producer->loop);
    serve(producer, producer->refused ? 0 : wait_ms);
}

bool kafka_producer_flush(struct kafka_producer *producer, int wait_ms)
{
    uint64_t by = uv_hrtime() + (uint64_t)wait_ms * 1000000;
    expect(!producer->loop);
    while (kafka_producer_pending(producer) > 0 && uv_hrtime() < by)
        serve(producer, CLOSE_TICK_MS);
    return kafka_producer_pending(producer) == 0;
}

/* ---- closing ---- */

static void free_producer(struct kafka_producer *producer)
{
    void (*done)(void *) = producer->close_done;
    void *data = producer->close_data;
    memory_free(producer->application);
    memory_free(producer);
    if (done)
        done(data);
}

static void give_up_rest(struct kafka_producer *producer)
{
    enum { PURGED_WAIT_MS = 1000 };
    if (kafka_producer_pending(producer) == 0)
        return;
    rd_kafka_purge(producer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    for (int waited = 0; kafka_producer_pending(producer) > 0 && waited < PURGED_WAIT_MS;
         waited += CLOSE_TICK_MS)
        serve(producer, CLOSE_TICK_MS);
}

static void destroy_client(struct kafka_producer *producer)
{
    rd_kafka_queue_destroy(producer->queue);
    rd_kafka_destroy(producer->rk);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct kafka_producer *producer = handle->data;
    if (--producer->open_handles > 0)
        return;
    close(producer->wake_fd);
    free_producer(producer);
}

static void destroy_work(uv_work_t *work)
{
    destroy_client(work->data);
}

static void destroy_after(uv_work_t *work, int status)
{
    struct kafka_producer *producer = work->data;
    (void)status;
    uv_close((uv_handle_t *)&producer->wake, on_handle_closed);
    uv_close((uv_handle_t *)&producer->tick, on_handle_closed);
}

static void on_closing_tick(uv_timer_t *handle)
{
    struct kafka_producer *producer = handle->data;
    serve(producer, 0);
    if (kafka_producer_pending(producer) > 0 && uv_now(producer->loop) < producer->close_by_ms)
        return;
    give_up_rest(producer);
    uv_timer_stop(&producer->tick);
    uv_poll_stop(&producer->wake);
    rd_kafka_queue_io_event_enable(producer->queue, -1, NULL, 0);
    producer->destroy.data = producer;
    expect(uv_queue_work(producer->loop, &producer->destroy, destroy_work, destroy_after) == 0);
}

void kafka_producer_close(struct kafka_producer *producer, int64_t deadline_ms,
                          void (*done)(void *data), void *data)
{
    producer->close_done = done;
    producer->close_data = data;
    if (producer->loop) {
        producer->close_by_ms = uv_now(producer->loop) + (uint64_t)deadline_ms;
        uv_timer_start(&producer->tick, on_closing_tick, 0, CLOSE_TICK_MS);
        return;
    }
    kafka_producer_flush(producer, (int)deadline_ms);
    give_up_rest(producer);
    destroy_client(producer);
    free_producer(producer);
}
