/* From click to feature, open loop: what a model that reads Redis sees, at a given rate.
 *
 *     bench_latency BROKERS TOPIC PARTITIONS RATE SECONDS USERS REDIS-PORT
 *
 * Clicks are sent at their intended times, whatever has become of those before; the intended time
 * is the event time. Some are probes: of users of their own, with their number as price. A second
 * thread looks in Redis until a probe's number is there (feature `probe` = last(price)), and takes
 * the time from the intended one, so that a sender or a daemon that stalls makes everything behind
 * it late. A third thread only sleeps a millisecond at a time: by how much it oversleeps is what
 * this machine does to everybody. Prints one line of JSON, times in ms. */
#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "clickencode.h"
#include "clickpartition.h"
#include "clickrandom.h"
#include "expect.h"
#include "pool.h"

enum {
    PROBES_A_SECOND = 200,
    PROBE_USERS = 8192,
    SAMPLES_MAX = 1 << 20,
    WARM_MS = 1000,       /* the first ones do not count */
    PATIENCE_MS = 60000,  /* for the last probes; those not seen by then are lost */
    LOOK_US = 500,
    LOOK_AHEAD = 256,     /* probes that may be seen out of order, as partitions are flushed */
    SLEEP_US = 1000,
};

struct samples {
    double *ms;
    size_t count;
};

struct probe {
    uint64_t number; /* its price in cents: no two probes ever have the same */
    double intended_ms;
    bool seen; /* the reader's */
};

/* Probes are put in by the sender and taken out by the reader, in order. */
static struct probe probes[SAMPLES_MAX];
static atomic_size_t probes_sent;
static atomic_bool sender_ended, all_ended;
static struct samples latencies, hiccups;
static size_t lost;
static int redis_port;
static double began_ms;

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void sleep_us(long us)
{
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

static void add_sample(struct samples *samples, double ms)
{
    if (!samples->ms)
        samples->ms = memory_alloc(SAMPLES_MAX * sizeof *samples->ms);
    if (samples->count < SAMPLES_MAX)
        samples->ms[samples->count++] = ms;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(struct samples *samples, double share)
{
    expect(samples->count > 0);
    qsort(samples->ms, samples->count, sizeof *samples->ms, compare);
    return samples->ms[(size_t)(share * (double)(samples->count - 1))];
}

/* ---- what the machine does ---- */

static void *watch_hiccups(void *unused)
{
    (void)unused;
    prctl(PR_SET_TIMERSLACK, 1000);
    while (!atomic_load(&all_ended)) {
        double before = now_ms();
        sleep_us(SLEEP_US);
        add_sample(&hiccups, now_ms() - before - SLEEP_US / 1e3);
    }
    return NULL;
}

/* ---- the reader ---- */

static bool is_visible(redisContext *redis, uint64_t number)
{
    redisReply *reply = NULL;
    expect(redisGetReply(redis, (void **)&reply) == REDIS_OK && reply->type != REDIS_REPLY_ERROR);
    bool visible = reply->type == REDIS_REPLY_STRING &&
                   (uint64_t)llround(strtod(reply->str, NULL) * 100) >= number;
    freeReplyObject(reply);
    return visible;
}

/* Asks for all at once, so that the reader is no slower than what it looks at. */
static void look(redisContext *redis, size_t from, size_t to)
{
    for (size_t k = from; k < to; k++)
        if (!probes[k].seen)
            redisAppendCommand(redis, "HGET features:p%08u probe",
                               (unsigned)(probes[k].number % PROBE_USERS));
    for (size_t k = from; k < to; k++) {
        struct probe *probe = &probes[k];
        if (probe->seen || !is_visible(redis, probe->number))
            continue;
        probe->seen = true;
        if (probe->intended_ms > began_ms + WARM_MS)
            add_sample(&latencies, now_ms() - probe->intended_ms);
    }
}

static void *read_probes(void *unused)
{
    (void)unused;
    redisContext *redis = redisConnect("127.0.0.1", redis_port);
    expect(redis && !redis->err);
    prctl(PR_SET_TIMERSLACK, 1000);
    size_t next = 0, sent = 0;
    double ended_ms = 0;
    while (ended_ms == 0 || (next < sent && now_ms() < ended_ms + PATIENCE_MS)) {
        if (ended_ms == 0 && atomic_load(&sender_ended))
            ended_ms = now_ms();
        sent = atomic_load(&probes_sent);
        look(redis, next, sent < next + LOOK_AHEAD ? sent : next + LOOK_AHEAD);
        while (next < sent && probes[next].seen)
            next++;
        sleep_us(LOOK_US);
    }
    lost = sent - next;
    redisFree(redis);
    return NULL;
}

/* ---- the sender ---- */

static rd_kafka_t *open_producer(const char *brokers)
{
    static const char *const properties[][2] = {
        {"linger.ms", "1"}, {"max.in.flight", "5"}, {"compression.codec", "lz4"}, {"acks", "1"},
        {"queue.buffering.max.messages", "2000000"}};
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    expect(!rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, sizeof error));
    for (size_t k = 0; k < sizeof properties / sizeof *properties; k++)
        expect(!rd_kafka_conf_set(conf, properties[k][0], properties[k][1], error, sizeof error));
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    expect(producer);
    return producer;
}

/* probe 0: an ordinary click of a user drawn from all. */
static void send_click(rd_kafka_topic_t *topic, int32_t partitions, int64_t users,
                       struct clickrandom *random, uint64_t probe, double intended_ms)
{
    static struct text payload;
    char user[16];
    int len = probe ? snprintf(user, sizeof user, "p%08u", (unsigned)(probe % PROBE_USERS))
                    : snprintf(user, sizeof user, "u%08u",
                               (unsigned)clickrandom_below(random, users) + 1);
    uint64_t bits = clickrandom_bits(random);
    struct click click = {
        .id = bits, .user = user, .event_time_ms = (int64_t)intended_ms, .type = CLICK_VIEW,
        .item = (uint32_t)(1 + bits % 20000), .quantity = 1, .position = -1,
        .price_cents = probe ? (int64_t)probe : (int64_t)(199 + bits % 39800),
    };
    text_clear(&payload);
    clickencode_avro(&payload, &click);
    int32_t partition = clickpartition_of(user, (size_t)len, partitions);
    while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, payload.data, payload.len, user,
                            (size_t)len, NULL) == -1)
        sleep_us(SLEEP_US); /* its queue is full: what comes is late, and counts as late */
}

/* Returns how late the latest click was sent. */
static double send_all(const char *brokers, const char *name, int32_t partitions, double rate,
                       double seconds, int64_t users)
{
    rd_kafka_t *producer = open_producer(brokers);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, name, NULL);
    struct clickrandom random = {(uint64_t)now_ms()};
    int64_t clicks = (int64_t)(rate * seconds);
    int64_t stride = rate > PROBES_A_SECOND ? (int64_t)(rate / PROBES_A_SECOND) : 1;
    double latest = 0;
    began_ms = now_ms();
    for (int64_t k = 0; k < clicks; k++) {
        double intended = began_ms + (double)k * 1e3 / rate, now;
        while ((now = now_ms()) < intended) {
            rd_kafka_poll(producer, 0);
            sleep_us((long)((intended - now) * 1e3) + 1);
        }
        latest = now - intended > latest ? now - intended : latest;
        size_t sent = atomic_load(&probes_sent);
        bool is_probe = k % stride == 0 && sent < SAMPLES_MAX;
        uint64_t number = is_probe ? (uint64_t)began_ms + sent : 0;
        send_click(topic, partitions, users, &random, number, intended);
        if (is_probe) {
            probes[sent] = (struct probe){.number = number, .intended_ms = intended};
            atomic_store(&probes_sent, sent + 1);
        }
    }
    rd_kafka_flush(producer, PATIENCE_MS);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return latest;
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: bench_latency BROKERS TOPIC PARTITIONS RATE SECONDS USERS "
                        "REDIS-PORT\n");
        return 64;
    }
    pthread_t reader, watcher;
    redis_port = atoi(argv[7]);
    prctl(PR_SET_TIMERSLACK, 1000);
    began_ms = now_ms();
    expect(pthread_create(&reader, NULL, read_probes, NULL) == 0);
    expect(pthread_create(&watcher, NULL, watch_hiccups, NULL) == 0);
    double behind = send_all(argv[1], argv[2], atoi(argv[3]), atof(argv[4]), atof(argv[5]),
                             atoll(argv[6]));
    atomic_store(&sender_ended, true);
    pthread_join(reader, NULL);
    atomic_store(&all_ended, true);
    pthread_join(watcher, NULL);
    printf("{\"sent\": %.0f, \"probes\": %zu, \"lost\": %zu, \"sender_behind\": %.1f, \"p50\": "
           "%.2f, \"p99\": %.2f, \"p999\": %.2f, \"max\": %.2f, \"hiccup_p999\": %.2f}\n",
           atof(argv[4]) * atof(argv[5]), latencies.count, lost, behind, quantile(&latencies, 0.5),
           quantile(&latencies, 0.99), quantile(&latencies, 0.999), quantile(&latencies, 1),
           quantile(&hiccups, 0.999));
    return 0;
}
