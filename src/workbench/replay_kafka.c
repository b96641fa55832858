/* Records from a range of the topic, through the daemon's own decoding.
 *
 * Partitions are read one after the other, so that the order of rows does not depend on the
 * brokers. The loop runs only while a chunk is being filled. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "arena.h"
#include "decode_message.h"
#include "pool.h"
#include "replay_source.h"

enum { PATIENCE_MS = 30000, CLOSE_MS = 1000 };

struct kafka_source {
    struct replay_source source;
    const struct replay_options *options;
    uv_loop_t loop;
    uv_timer_t patience;
    struct kafka *kafka;
    struct kafka_property *properties;
    struct writers *writers;
    struct arena arena; /* of the chunk */

    /* The range. */
    bool asked, known;
    struct kafka_offset *starts; /* by partition */
    int64_t *ends;
    int32_t partitions;
    int32_t partition; /* that is being read; -1: none yet */
    bool reading;
    bool end_seen; /* behind the messages that were polled nothing comes before its end */
    int64_t at;    /* its next offset */

    struct kafka_message messages[REPLAY_CHUNK]; /* of the chunk, then those that wait */
    int used, count;
};

/* ---- the range ---- */

static int64_t bounded(int64_t offset, const struct kafka_extent *extent)
{
    return offset < extent->low ? extent->low : offset > extent->end ? extent->end : offset;
}

static int64_t place(const struct replay_bound *bound, const struct kafka_extent *extent,
                     int64_t whole)
{
    switch (bound->kind) {
    case REPLAY_OFFSET:
        return bounded(bound->value, extent);
    case REPLAY_TIME: /* no record at or behind that time: the end */
        return extent->at_time < 0 ? extent->end : bounded(extent->at_time, extent);
    case REPLAY_WHOLE:
        break;
    }
    return whole;
}

static void look_up(struct kafka_source *kafka, const struct replay_bound *bound,
                    kafka_lookup_done *done)
{
    int32_t *list = memory_alloc((size_t)kafka->partitions * sizeof *list);
    for (int32_t i = 0; i < kafka->partitions; i++)
        list[i] = i;
    kafka_lookup(kafka->kafka, list, (size_t)kafka->partitions,
                 bound->kind == REPLAY_TIME ? bound->value : -1, done, kafka);
    memory_free(list);
}

static void on_ends(void *data, const struct kafka_extent *extents, size_t count)
{
    struct kafka_source *kafka = data;
    for (size_t i = 0; extents && i < count; i++)
        kafka->ends[extents[i].partition] =
            place(&kafka->options->to, &extents[i], extents[i].end);
    kafka->known = extents != NULL;
}

static void on_starts(void *data, const struct kafka_extent *extents, size_t count)
{
    struct kafka_source *kafka = data;
    for (size_t i = 0; extents && i < count; i++)
        kafka->starts[extents[i].partition] = (struct kafka_offset){
            extents[i].partition, place(&kafka->options->from, &extents[i], extents[i].low)};
    if (extents)
        look_up(kafka, &kafka->options->to, on_ends);
}

static void on_topic(void *data, const struct kafka_topic_info *info)
{
    struct kafka_source *kafka = data;
    if (kafka->asked)
        return; /* what came later than the start is not looked at */
    kafka->asked = true;
    kafka->partitions = info->partition_count;
    kafka->starts = memory_alloc((size_t)kafka->partitions * sizeof *kafka->starts);
    kafka->ends = memory_alloc((size_t)kafka->partitions * sizeof *kafka->ends);
    look_up(kafka, &kafka->options->from, on_starts);
}

/* ---- events of the client ---- */

static void on_patience(uv_timer_t *timer)
{
    struct kafka_source *kafka = timer->data;
    replay_source_fail(&kafka->source, EX_UNAVAILABLE, "no answer for %d s: %s",
                       PATIENCE_MS / 1000, kafka_trouble_text(kafka->kafka));
}

static void be_patient(struct kafka_source *kafka)
{
    uv_timer_start(&kafka->patience, on_patience, PATIENCE_MS, 0);
}

static void on_ready(void *data)
{
    struct kafka_source *kafka = data;
    size_t room = (size_t)(REPLAY_CHUNK - kafka->count);
    size_t got = room > 0 ? kafka_poll(kafka->kafka, kafka->messages + kafka->count, room) : 0;
    kafka->count += (int)got;
    if (got > 0)
        be_patient(kafka);
}

static void on_end(void *data, int32_t partition, int64_t offset)
{
    struct kafka_source *kafka = data;
    /* Control records have offsets, too: the last record may be well before the end. */
    kafka->end_seen |= partition == kafka->partition && offset >= kafka->ends[partition];
}

static void on_trouble(void *data, enum kafka_trouble trouble, int32_t partition, const char *text)
{
    struct kafka_source *kafka = data;
    if (trouble == KAFKA_TROUBLE_OFFSET_GONE)
        replay_source_fail(&kafka->source, EX_UNAVAILABLE, "partition %d: %s", partition, text);
    else if (trouble != KAFKA_TROUBLE_NONE)
        fprintf(stderr, "%s: %s\n", program_invocation_name, text);
}

static void on_assign(void *data, const int32_t *partitions, size_t count)
{
    (void)data; /* there is no group */
    (void)partitions;
    (void)count;
}

static void on_revoke(void *data, const int32_t *partitions, size_t count, bool lost)
{
    (void)lost;
    on_assign(data, partitions, count);
}

static void on_writer(void *context)
{
    (void)context; /* what waits is looked at after each turn of the loop */
}

/* ---- records ---- */

/* Goes on to the next partition that has records; false when there is none. */
static bool next_partition(struct kafka_source *kafka)
{
    while (!kafka->reading && ++kafka->partition < kafka->partitions) {
        kafka->at = kafka->starts[kafka->partition].offset;
        kafka->end_seen = false;
        kafka->reading = kafka->at < kafka->ends[kafka->partition];
        if (kafka->reading)
            kafka_assign(kafka->kafka, &kafka->starts[kafka->partition], 1);
    }
    return kafka->reading;
}

/* Decodes what waits into the chunk, as far as schemas are known. */
static void take_messages(struct kafka_source *kafka, struct replay_chunk *chunk)
{
    const struct replay_setup *setup = kafka->source.setup;
    for (; kafka->used < kafka->count; kafka->used++) {
        const struct kafka_message *message = &kafka->messages[kafka->used];
        bool wanted = kafka->reading && message->partition == kafka->partition &&
                      message->offset < kafka->ends[kafka->partition];
        if (!wanted)
            continue;
        struct replay_item *item = &chunk->items[chunk->count];
        *item = (struct replay_item){.partition = message->partition, .place = message->offset};
        size_t bytes = (size_t)setup->model->slot_count * sizeof(struct value);
        struct decoded decoded = {&item->record, arena_alloc(&kafka->arena, bytes), -1};
        if (!decode_message(setup->config, kafka->writers, message, &decoded))
            return;
        kafka->source.read_bytes += (int64_t)message->payload_len;
        kafka->at = message->offset + 1;
        chunk->count++;
    }
    kafka->reading &= kafka->at < kafka->ends[kafka->partition] && !kafka->end_seen;
}

/* Gives back what the chunk before has used. */
static void release_messages(struct kafka_source *kafka)
{
    for (int i = 0; i < kafka->used; i++)
        kafka_message_done(kafka->messages[i].owner);
    kafka->count -= kafka->used;
    memmove(kafka->messages, kafka->messages + kafka->used,
            (size_t)kafka->count * sizeof *kafka->messages);
    kafka->used = 0;
}

static bool read_messages(struct replay_source *source, struct replay_chunk *chunk)
{
    struct kafka_source *kafka = (struct kafka_source *)source;
    release_messages(kafka);
    arena_reset(&kafka->arena);
    chunk->count = 0;
    be_patient(kafka);
    while (source->status == 0) {
        if (kafka->known && !next_partition(kafka))
            break;
        if (kafka->known)
            take_messages(kafka, chunk);
        if (chunk->count > 0)
            break;
        release_messages(kafka); /* of another partition, or beyond the end */
        if (kafka->known && !kafka->reading)
            continue;
        uv_run(&kafka->loop, UV_RUN_ONCE);
        on_ready(kafka);
    }
    uv_timer_stop(&kafka->patience);
    return chunk->count > 0;
}

/* ---- life ---- */

static void on_closed(void *context)
{
    (void)context;
}

static void close_source(struct replay_source *source)
{
    struct kafka_source *kafka = (struct kafka_source *)source;
    kafka->used = kafka->count;
    release_messages(kafka);
    if (kafka->kafka)
        kafka_close(kafka->kafka, CLOSE_MS, NULL, NULL);
    if (kafka->writers)
        writers_close(kafka->writers, on_closed, NULL);
    uv_close((uv_handle_t *)&kafka->patience, NULL);
    uv_run(&kafka->loop, UV_RUN_DEFAULT);
    uv_loop_close(&kafka->loop);
    arena_free(&kafka->arena);
    memory_free(kafka->properties);
    memory_free(kafka->starts);
    memory_free(kafka->ends);
    memory_free(kafka);
}

static bool open_client(struct kafka_source *kafka, const struct config *config, char *error)
{
    static const struct kafka_handlers handlers = {on_ready, on_assign,  on_revoke,
                                                   on_end,   on_trouble, on_topic};
    size_t count = (size_t)config->kafka_property_count;
    kafka->properties = memory_alloc((count + 1) * sizeof *kafka->properties);
    for (size_t i = 0; i < count; i++)
        kafka->properties[i] = (struct kafka_property){config->kafka_properties[i].name,
                                                       config->kafka_properties[i].value};
    struct kafka_options options = {
        .bootstrap = config->kafka_bootstrap_servers,
        .topic = config->kafka_topic,
        .properties = kafka->properties,
        .property_count = count,
    };
    char why[WRITERS_ERROR_MAX];
    kafka->writers =
        writers_open(&kafka->loop, config, kafka->source.setup->model, on_writer, kafka, why);
    if (!kafka->writers) {
        (void)snprintf(error, REPLAY_ERROR_TEXT, "%s", why);
        return false;
    }
    kafka->kafka = kafka_open(&kafka->loop, &options, &handlers, kafka, error);
    return kafka->kafka != NULL;
}

struct replay_source *replay_source_kafka(const struct replay_options *options,
                                          const struct replay_setup *setup, char *error)
{
    struct kafka_source *kafka = memory_alloc(sizeof *kafka);
    kafka->source = (struct replay_source){
        .read = read_messages,
        .close = close_source,
        .setup = setup,
        .name = setup->config->kafka_topic,
        .place_name = "offset",
    };
    kafka->options = options;
    kafka->partition = -1;
    uv_loop_init(&kafka->loop);
    uv_timer_init(&kafka->loop, &kafka->patience);
    kafka->patience.data = kafka;
    if (open_client(kafka, setup->config, error))
        return &kafka->source;
    close_source(&kafka->source);
    return NULL;
}
