/* B0 to B5: what merely reading the topic costs, and what each further step must cost at least.
 *
 *     bench_bounds LEVEL BROKERS TOPIC FROM MID TAKE REDIS-PORT
 *
 * LEVEL is a row of `levels` below; each does what those before it do. FROM and MID are offsets,
 * one for each partition (12,0). Records from FROM to MID are only a warm-up; measured are those
 * from MID to the end, or TAKE of them, waited for (0: to the end). CPU is that of the process, all
 * threads. Library, properties, projection, key table and RESP writer are the daemon's own. Prints
 * one line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "expect.h"
#include "job.h"
#include "kafka_private.h"

enum { WAIT_MS = 100, BATCH = 256, PARTITIONS_MAX = 64, SETTLE_US = 200000 };

struct level {
    const char *name;
    enum { BY_EVENT, BY_POLL, BY_BATCH } call; /* how messages are taken */
    enum job_step step;
};

static const struct level levels[] = {
    {"drop", BY_EVENT, JOB_DROP},     /* B0, taken as the daemon does */
    {"drop-poll", BY_POLL, JOB_DROP}, /* other ways to take them */
    {"drop-batch", BY_BATCH, JOB_DROP},
    {"touch", BY_EVENT, JOB_TOUCH},   /* B1: every byte is looked at */
    {"decode", BY_EVENT, JOB_DECODE}, /* B2: 8 of 15 fields */
    {"table", BY_EVENT, JOB_TABLE},   /* B3: a record of 64 bytes and more for each user */
    {"encode", BY_EVENT, JOB_ENCODE}, /* B4: a row for each event, to nowhere */
    {"redis", BY_EVENT, JOB_REDIS},   /* B5: to Redis, plain pipelined HSET */
};

struct bounds {
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    const struct level *level;
    const char *topic;
    int partitions;
    int64_t next[PARTITIONS_MAX]; /* offset of the next record */
    int64_t stop[PARTITIONS_MAX]; /* INT64_MAX: the end of the log */
    int running;                  /* partitions that have not reached their stop */
    long long take;               /* so many records, whatever the ends say; 0: all */
    bool ended[PARTITIONS_MAX];
    long long messages, bytes;
    struct job *job;
};

static void open_consumer(struct bounds *self, const char *brokers)
{
    char error[KAFKA_ERROR_TEXT];
    rd_kafka_conf_t *conf = kafka_property_conf(brokers, "bench-bounds", NULL, 0, error);
    if (!conf || !(self->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error))) {
        fprintf(stderr, "bench_bounds: %s\n", error);
        exit(1);
    }
    rd_kafka_poll_set_consumer(self->consumer);
    rd_kafka_set_log_queue(self->consumer, NULL);
    self->queue = rd_kafka_queue_get_consumer(self->consumer);
}

static void end_partition(struct bounds *self, int32_t partition)
{
    self->running -= !self->ended[partition];
    self->ended[partition] = true;
}

/* Messages and what else comes with them; those beyond the stop are not taken. */
static void take(struct bounds *self, const rd_kafka_message_t *const *messages, size_t count)
{
    struct job_message kept[BATCH];
    size_t n = 0;
    for (size_t k = 0; k < count; k++) {
        const rd_kafka_message_t *message = messages[k];
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            end_partition(self, message->partition);
        } else if (!message->err && message->offset < self->stop[message->partition]) {
            kept[n++] = (struct job_message){message->payload, message->len, message->partition,
                                             message->offset};
            self->bytes += (long long)message->len;
            self->next[message->partition] = message->offset + 1;
        }
        if (!message->err && message->offset + 1 >= self->stop[message->partition])
            end_partition(self, message->partition);
    }
    self->messages += (long long)n;
    job_take(self->job, kept, n);
}

static void turn_by_event(struct bounds *self)
{
    rd_kafka_event_t *events[BATCH];
    const rd_kafka_message_t *messages[BATCH];
    size_t count = 0, fetched = 0;
    int wait = WAIT_MS;
    for (; count < BATCH && (events[count] = rd_kafka_queue_poll(self->queue, wait)); count++) {
        wait = 0;
        if (rd_kafka_event_type(events[count]) == RD_KAFKA_EVENT_FETCH)
            messages[fetched++] = rd_kafka_event_message_next(events[count]);
        else if (rd_kafka_event_error(events[count]) == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            rd_kafka_topic_partition_t *end = rd_kafka_event_topic_partition(events[count]);
            end_partition(self, end->partition);
            rd_kafka_topic_partition_destroy(end);
        }
    }
    take(self, messages, fetched);
    for (size_t k = 0; k < count; k++)
        rd_kafka_event_destroy(events[k]);
}

static void turn_by_poll(struct bounds *self)
{
    rd_kafka_message_t *messages[BATCH];
    size_t count = 0;
    int wait = WAIT_MS;
    for (; count < BATCH && (messages[count] = rd_kafka_consumer_poll(self->consumer, wait));
         count++)
        wait = 0;
    take(self, (const rd_kafka_message_t *const *)messages, count);
    for (size_t k = 0; k < count; k++)
        rd_kafka_message_destroy(messages[k]);
}

static void turn_by_batch(struct bounds *self)
{
    rd_kafka_message_t *messages[BATCH];
    ssize_t count = rd_kafka_consume_batch_queue(self->queue, WAIT_MS, messages, BATCH);
    take(self, (const rd_kafka_message_t *const *)messages, count > 0 ? (size_t)count : 0);
    for (ssize_t k = 0; k < count; k++)
        rd_kafka_message_destroy(messages[k]);
}

static void run(struct bounds *self)
{
    static void (*const turns[])(struct bounds *self) = {turn_by_event, turn_by_poll,
                                                         turn_by_batch};
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(self->partitions);
    self->running = 0;
    for (int k = 0; k < self->partitions; k++) {
        self->ended[k] = self->next[k] >= self->stop[k];
        self->running += !self->ended[k];
        if (!self->ended[k])
            rd_kafka_topic_partition_list_add(list, self->topic, k)->offset = self->next[k];
    }
    self->messages = self->bytes = 0;
    rd_kafka_assign(self->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    while (self->take ? self->messages < self->take : self->running > 0)
        turns[self->level->call](self);
    job_flush(self->job);
    rd_kafka_assign(self->consumer, NULL);
}

static double cpu_ns(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e9 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e3;
}

static int parse_offsets(const char *text, int64_t *offsets)
{
    int count = 0;
    for (char *end; *text && count < PARTITIONS_MAX; text = *end ? end + 1 : end)
        offsets[count++] = strtoll(text, &end, 10);
    return count;
}

static void report(const struct bounds *self, double ns)
{
    struct job_result result = job_result(self->job);
    printf("{\"messages\": %lld, \"bytes\": %lld, \"ns\": %.1f, \"next\": [", self->messages,
           self->bytes, ns / (double)self->messages);
    for (int k = 0; k < self->partitions; k++)
        printf("%s%lld", k ? ", " : "", (long long)self->next[k]);
    printf("], \"keys\": %llu, \"digest\": \"%016llx\"}\n", (unsigned long long)result.keys,
           (unsigned long long)result.digest);
}

int main(int argc, char **argv)
{
    struct bounds self = {0};
    for (size_t k = 0; argc == 8 && k < sizeof levels / sizeof *levels; k++)
        if (strcmp(levels[k].name, argv[1]) == 0)
            self.level = &levels[k];
    if (!self.level) {
        fprintf(stderr, "usage: bench_bounds LEVEL BROKERS TOPIC FROM MID TAKE REDIS-PORT\n");
        return 64;
    }
    self.topic = argv[3];
    self.partitions = parse_offsets(argv[4], self.next);
    expect(parse_offsets(argv[5], self.stop) == self.partitions);
    self.job = job_open(self.level->step, atoi(argv[7]));
    open_consumer(&self, argv[2]);
    run(&self);
    usleep(SETTLE_US); /* what was fetched beyond is thrown away meanwhile */
    for (int p = 0; p < self.partitions; p++)
        self.stop[p] = INT64_MAX;
    self.take = atoll(argv[6]);
    double before = cpu_ns();
    run(&self);
    report(&self, cpu_ns() - before);
    rd_kafka_queue_destroy(self.queue);
    rd_kafka_consumer_close(self.consumer);
    rd_kafka_destroy(self.consumer);
    job_close(self.job);
    return 0;
}
