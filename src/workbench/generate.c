/* `freshet generate`: the clickstream to a topic, or as JSON lines; and what it was made to be. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "clickstream.h"
#include "generate_options.h"
#include "kafka_producer.h"
#include "workbench.h"

enum {
    PATIENCE_MS = 30000, /* for the broker */
    DEFAULT_PARTITIONS = 4,
    PACE_RECORDS = 16, /* the clock is read once for so many when --rate is high */
};

struct generator {
    struct generate_options options;
    struct clickstream_options stream_options;
    struct clickstream *stream;
    struct kafka_producer *producer;
    struct text line;
    int64_t made, stored, failed, bytes, by_writer[2];
    int64_t by_fate[FATE_COUNT_OF], by_kind[CLICK_KINDS];
    char failure[KAFKA_ERROR_TEXT];
    uint64_t began_ns, told_ns;
};

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
    (void)signal;
    stopped = 1;
}

/* ---- Kafka ---- */

static void on_delivered(void *data, void *opaque, bool ok, const char *text)
{
    struct generator *generator = data;
    (void)opaque;
    generator->stored += ok;
    generator->failed += !ok;
    if (!ok)
        snprintf(generator->failure, sizeof generator->failure, "%s", text);
}

/* The user's properties over what suits a generator. */
static size_t make_properties(const struct generate_options *options,
                              struct kafka_property *properties)
{
    static const struct kafka_property ours[] = {{"compression.codec", "lz4"},
                                                 {"linger.ms", "20"},
                                                 {"queue.buffering.max.messages", "200000"}};
    memcpy(properties, ours, sizeof ours);
    size_t count = sizeof ours / sizeof *ours;
    memcpy(properties + count, options->properties,
           options->property_count * sizeof *options->properties);
    return count + options->property_count;
}

/* A topic appears some time after it was made, and some clusters make one when it is asked for. */
static int32_t await_topic(struct generator *generator, int tries, char *error)
{
    enum { PAUSE_MS = 100 };
    int32_t found;
    while ((found = kafka_producer_partitions(generator->producer, generator->options.topic,
                                              PATIENCE_MS, error)) == 0 &&
           --tries > 0)
        uv_sleep(PAUSE_MS);
    return found;
}

static int find_topic(struct generator *generator)
{
    enum { TRIES = 50 };
    static const struct kafka_property keep_all[] = {
        {"retention.ms", "-1"}, {"retention.bytes", "-1"}, {"cleanup.policy", "delete"}};
    const struct generate_options *options = &generator->options;
    char error[KAFKA_ERROR_TEXT];
    int32_t wanted = options->partitions ? (int32_t)options->partitions : DEFAULT_PARTITIONS;
    int32_t found = await_topic(generator, options->create ? 1 : TRIES, error);
    if (found == 0 && options->create) {
        if (!kafka_producer_create_topic(generator->producer, options->topic, wanted, keep_all,
                                         sizeof keep_all / sizeof *keep_all, PATIENCE_MS, error))
            return generate_complain(EX_UNAVAILABLE, options->brokers, error);
        found = await_topic(generator, TRIES, error);
    }
    if (found <= 0)
        return generate_complain(EX_UNAVAILABLE, options->brokers, error);
    if (found > CLICKSTREAM_PARTITIONS_MAX)
        return generate_complain(EX_USAGE, options->topic, "more than 4096 partitions");
    generator->stream_options.partitions = found;
    return EX_OK;
}

static int open_kafka(struct generator *generator)
{
    struct kafka_property properties[GENERATE_PROPERTIES_MAX + 3];
    struct kafka_producer_options options = {
        .bootstrap = generator->options.brokers,
        .properties = properties,
        .property_count = make_properties(&generator->options, properties),
        .delivered = on_delivered,
        .data = generator,
    };
    char error[KAFKA_ERROR_TEXT];
    generator->producer = kafka_producer_open(NULL, &options, error);
    if (!generator->producer)
        return generate_complain(EX_USAGE, "--property", error);
    return find_topic(generator);
}

static void store(struct generator *generator, const struct clickstream_record *made)
{
    enum { WAIT_MS = 50 };
    struct kafka_record record = {
        .topic = generator->options.topic,
        .partition = made->partition,
        .key = made->key,
        .key_len = made->key_len,
        .payload = made->payload,
        .payload_len = made->payload_len,
        .record_time_ms = made->record_time_ms,
    };
    while (!kafka_produce(generator->producer, &record, NULL) && !stopped)
        kafka_producer_serve(generator->producer, WAIT_MS);
    if (generator->made % 1024 == 0 || generator->options.rate > 0)
        kafka_producer_serve(generator->producer, 0);
}

/* ---- JSON lines ---- */

static void print(struct generator *generator, const struct clickstream_record *made)
{
    struct text *line = &generator->line;
    text_clear(line);
    text_append_char(line, '{');
    if (made->click) {
        clickencode_json(line, made->click);
        text_append_char(line, ',');
    } else if (made->payload) {
        text_append_string(line, "\"@payload\":\"");
        for (size_t i = 0; i < made->payload_len; i++)
            text_printf(line, "%02x", ((const unsigned char *)made->payload)[i]);
        text_append_string(line, "\",");
    }
    text_printf(line, "\"@partition\":%d,\"@timestamp\":%lld}\n", (int)made->partition,
                (long long)made->record_time_ms);
    fwrite(line->data, 1, line->len, stdout);
}

/* ---- running ---- */

/* Waits until record number is due: by the rate, or in real time. */
static void pace(struct generator *generator)
{
    double rate = generator->options.rate;
    if (rate == 0 || (rate > 1000 && generator->made % PACE_RECORDS != 0))
        return;
    uint64_t due_ns = generator->began_ns + (uint64_t)((double)generator->made * 1e9 / rate);
    uint64_t now_ns = uv_hrtime();
    if (due_ns <= now_ns)
        return;
    struct timespec wait = {(time_t)((due_ns - now_ns) / 1000000000),
                            (long)((due_ns - now_ns) % 1000000000)};
    if (generator->producer)
        kafka_producer_serve(generator->producer, 0);
    else
        fflush(stdout);
    nanosleep(&wait, NULL);
}

static void show_progress(struct generator *generator)
{
    uint64_t now_ns = uv_hrtime();
    if (generator->options.quiet || now_ns - generator->told_ns < 1000000000)
        return;
    generator->told_ns = now_ns;
    double seconds = (double)(now_ns - generator->began_ns) / 1e9;
    double rate = (double)generator->made / seconds;
    if (generator->options.forever)
        fprintf(stderr, "freshet generate: %lld records, %.0f/s\n", (long long)generator->made,
                rate);
    else
        fprintf(stderr, "freshet generate: %lld of %lld records, %.0f/s, %.0f s left\n",
                (long long)generator->made, (long long)generator->options.events, rate,
                (double)(generator->options.events - generator->made) / rate);
}

static void count(struct generator *generator, const struct clickstream_record *made)
{
    generator->made++;
    generator->bytes += (int64_t)made->payload_len;
    generator->by_fate[made->fate]++;
    generator->by_kind[made->kind]++;
    if (made->click)
        generator->by_writer[made->click->writer]++;
}

static void run(struct generator *generator)
{
    struct clickstream_record made;
    generator->began_ns = generator->told_ns = uv_hrtime();
    while (!stopped && !ferror(stdout) &&
           (generator->options.forever || generator->made < generator->options.events)) {
        clickstream_next(generator->stream, &made);
        pace(generator);
        if (generator->producer)
            store(generator, &made);
        else
            print(generator, &made);
        count(generator, &made);
        if (generator->made % 256 == 0 || generator->options.rate > 0)
            show_progress(generator);
    }
}

static int write_summary(const struct generator *generator)
{
    static const char *const kinds[CLICK_KINDS] = {
        [CLICK_KIND_ORDINARY] = "ordinary",
        [CLICK_KIND_OUT_OF_ORDER] = "out_of_order",
        [CLICK_KIND_LATE] = "late",
        [CLICK_KIND_MALFORMED] = "malformed",
        [CLICK_KIND_FUTURE] = "future_clamped",
        [CLICK_KIND_DUPLICATE] = "duplicate",
        [CLICK_KIND_BAD_TIME] = "bad_time",
        [CLICK_KIND_NO_KEY] = "no_key",
        [CLICK_KIND_TOMBSTONE] = "tombstone",
        [CLICK_KIND_UNKNOWN_SCHEMA] = "unknown_schema",
    };
    FILE *file = fopen(generator->options.summary, "w");
    if (!file) {
        perror(generator->options.summary);
        return EX_CANTCREAT;
    }
    fprintf(file,
            "{\"seed\": %lld, \"records\": %lld, \"bytes\": %lld, \"keys\": %lld,\n"
            " \"partitions\": %d, \"start_ms\": %lld, \"v2\": %lld, \"v1\": %lld,\n \"fates\": {",
            (long long)generator->options.seed, (long long)generator->made,
            (long long)generator->bytes, (long long)clickstream_keys(generator->stream),
            (int)generator->stream_options.partitions,
            (long long)generator->stream_options.start_ms,
            (long long)generator->by_writer[CLICK_V2], (long long)generator->by_writer[CLICK_V1]);
    const char *comma = "";
    for (int fate = 0; fate < FATE_COUNT_OF; fate++) {
        if (generator->by_fate[fate]) {
            fprintf(file, "%s\"%s\": %lld", comma, fate_rows[fate].name,
                    (long long)generator->by_fate[fate]);
            comma = ", ";
        }
    }
    fprintf(file, "},\n \"kinds\": {");
    for (int kind = 0; kind < CLICK_KINDS; kind++)
        fprintf(file, "%s\"%s\": %lld", kind ? ", " : "", kinds[kind],
                (long long)generator->by_kind[kind]);
    fprintf(file, "}}\n");
    return fclose(file) == 0 ? EX_OK : EX_IOERR;
}

static int finish(struct generator *generator)
{
    int status = EX_OK;
    if (generator->producer) {
        if (generator->made > 0 && !kafka_producer_flush(generator->producer, PATIENCE_MS))
            status = generate_complain(EX_IOERR, generator->options.brokers,
                                       "not all records were stored");
        kafka_producer_close(generator->producer, 0, NULL, NULL);
        if (generator->failed > 0)
            status = generate_complain(EX_IOERR, generator->options.brokers, generator->failure);
    } else if (fflush(stdout) != 0 || ferror(stdout)) {
        status = generate_complain(EX_IOERR, "standard output", "not all records were written");
    }
    if (status == EX_OK && generator->stream && generator->options.summary[0])
        status = write_summary(generator);
    if (generator->stream)
        clickstream_close(generator->stream);
    text_free(&generator->line);
    return status;
}

int generate_main(int argc, char **argv)
{
    static struct generator generator;
    enum generate_parsed parsed = generate_options_parse(argc, argv, &generator.options);
    if (parsed != GENERATE_RUN)
        return parsed == GENERATE_HELP ? EX_OK : EX_USAGE;
    int status = generate_stream_options(&generator.options, &generator.stream_options);
    if (status)
        return status;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    int32_t partitions = (int32_t)generator.options.partitions;
    generator.stream_options.partitions = partitions ? partitions : DEFAULT_PARTITIONS;
    if (strcmp(generator.options.output, "-") != 0)
        status = open_kafka(&generator);
    if (status == EX_OK) {
        generator.stream = clickstream_open(&generator.stream_options);
        run(&generator);
    }
    int finished = finish(&generator);
    return status ? status : finished;
}
