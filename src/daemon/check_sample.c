/* Reads the newest records as the daemon would, and remembers only the hash of each entity key. */
#include "check_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expr.h"
#include "framing.h"
#include "hash.h"
#include "pool.h"
#include "writers.h"

/* One record: where its key was seen. */
struct seen {
    uint64_t hash;
    int64_t offset;
    int32_t partition;
};

struct check_sample {
    const struct config *config;
    const struct model *model;
    struct writers *writers;
    struct kafka *kafka;
    void (*done)(void *context);
    void *context;
    bool is_done;
    int64_t each;   /* records of a partition */
    int64_t wanted; /* records in all; -1: not known yet */
    int64_t looked_at;
    struct kafka_message *waiting; /* for their writer schema, in the order they came */
    size_t waiting_count, waiting_capacity;
    struct value *slots;
    struct seen *seen;
    size_t seen_count, seen_capacity;
    int64_t unusable; /* records that cannot be decoded or have no key */
    char why[WRITERS_ERROR_MAX];
    int32_t why_partition;
    int64_t why_offset;
};

enum { POLL_MAX = 256 };

static void on_writer(void *context);

struct check_sample *check_sample_open(uv_loop_t *loop, const struct config *config,
                                       const struct model *model, int64_t wanted,
                                       void (*done)(void *context), void *context, char *error)
{
    char why[WRITERS_ERROR_MAX];
    struct check_sample *sample = memory_alloc(sizeof *sample);
    sample->config = config;
    sample->model = model;
    sample->done = done;
    sample->context = context;
    sample->each = wanted;
    sample->wanted = -1;
    sample->slots = memory_alloc((size_t)model->slot_count * sizeof *sample->slots);
    sample->writers = writers_open(loop, config, model, on_writer, sample, why);
    if (sample->writers)
        return sample;
    snprintf(error, KAFKA_ERROR_TEXT, "%.500s", why);
    memory_free(sample->slots);
    memory_free(sample);
    return NULL;
}

static void finish_when_done(struct check_sample *sample)
{
    if (sample->is_done || sample->wanted < 0 || sample->looked_at < sample->wanted)
        return;
    sample->is_done = true;
    sample->done(sample->context);
}

/* ---- one record ---- */

static void refuse(struct check_sample *sample, const struct kafka_message *message,
                   const char *why)
{
    if (sample->unusable++ > 0)
        return;
    snprintf(sample->why, sizeof sample->why, "%s", why);
    sample->why_partition = message->partition;
    sample->why_offset = message->offset;
}

static void note_key(struct check_sample *sample, const struct kafka_message *message)
{
    const struct value *key = &sample->slots[sample->model->rules.key_slot];
    char scratch[8];
    size_t len = 0;
    if (key->type == VALUE_NULL || (key->type != VALUE_LONG && key->len == 0)) {
        refuse(sample, message, "its key is null or empty");
        return;
    }
    const void *bytes = value_canonical(key, scratch, &len);
    if (sample->seen_count == sample->seen_capacity) {
        sample->seen_capacity = sample->seen_capacity ? 2 * sample->seen_capacity : 1024;
        sample->seen =
            memory_resize(sample->seen, sample->seen_capacity * sizeof *sample->seen);
    }
    sample->seen[sample->seen_count++] = (struct seen){
        .hash = hash_bytes(bytes, len),
        .offset = message->offset,
        .partition = message->partition,
    };
}

/* False: its writer schema is not here yet. */
static bool look_at(struct check_sample *sample, const struct kafka_message *message)
{
    enum framing kind = (enum framing)sample->config->schema_framing;
    struct framing_result framing;
    struct avro_error err;
    char text[AVROERROR_MESSAGE_MAX + AVROERROR_PATH_MAX + 64];
    size_t header_len = 0;
    const void *header = NULL;
    if (!message->payload)
        return true; /* a tombstone has no entity */
    if (kind == FRAMING_CONFLUENT)
        header = kafka_message_header(message, FRAMING_HEADER, &header_len);
    bool ok = framing_parse(kind, header, header_len, message->payload, message->payload_len,
                            &framing, &err);
    struct writer *writer = ok ? writers_find(sample->writers, &framing) : NULL;
    if (writer && writer->state == WRITER_WAITING)
        return false;
    if (writer && writer->state == WRITER_UNKNOWN) {
        refuse(sample, message, writer->why);
        return true;
    }
    if (ok && avroplan_decode(writer->plan, framing.body, framing.len, sample->slots, &err)) {
        note_key(sample, message);
        return true;
    }
    avroerror_text(&err, text, sizeof text);
    refuse(sample, message, text);
    return true;
}

static void look_at_waiting(struct check_sample *sample)
{
    size_t done = 0;
    while (done < sample->waiting_count && look_at(sample, &sample->waiting[done])) {
        kafka_message_done(sample->waiting[done++].owner);
        sample->looked_at++;
    }
    sample->waiting_count -= done;
    if (done > 0 && sample->waiting_count > 0)
        memmove(sample->waiting, sample->waiting + done,
                sample->waiting_count * sizeof *sample->waiting);
    finish_when_done(sample);
}

static void on_writer(void *context)
{
    look_at_waiting(context);
}

void check_sample_poll(struct check_sample *sample, struct kafka *kafka)
{
    struct kafka_message messages[POLL_MAX];
    size_t count;
    while ((count = kafka_poll(kafka, messages, POLL_MAX)) > 0) {
        size_t needed = sample->waiting_count + count;
        if (needed > sample->waiting_capacity) {
            sample->waiting_capacity = 2 * needed;
            sample->waiting = memory_resize(sample->waiting,
                                            sample->waiting_capacity * sizeof *sample->waiting);
        }
        memcpy(sample->waiting + sample->waiting_count, messages, count * sizeof *messages);
        sample->waiting_count = needed;
    }
    look_at_waiting(sample);
}

/* ---- where to read ---- */

static void on_extents(void *data, const struct kafka_extent *extents, size_t count)
{
    struct check_sample *sample = data;
    if (!extents)
        return;
    struct kafka_offset *starts = memory_alloc((count + 1) * sizeof *starts);
    sample->wanted = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t start = extents[i].end - sample->each;
        start = start > extents[i].low ? start : extents[i].low;
        starts[i] = (struct kafka_offset){extents[i].partition, start};
        sample->wanted += extents[i].end - start;
    }
    kafka_assign(sample->kafka, starts, count);
    memory_free(starts);
    finish_when_done(sample);
}

void check_sample_start(struct check_sample *sample, struct kafka *kafka, int32_t partitions)
{
    int32_t *list = memory_alloc((size_t)partitions * sizeof *list);
    for (int32_t i = 0; i < partitions; i++)
        list[i] = i;
    sample->kafka = kafka;
    sample->each = (sample->each + partitions - 1) / partitions;
    kafka_lookup(kafka, list, (size_t)partitions, -1, on_extents, sample);
    memory_free(list);
}

void check_sample_progress(const struct check_sample *sample, int64_t *seen, int64_t *wanted)
{
    *seen = sample->looked_at;
    *wanted = sample->wanted < 0 ? 0 : sample->wanted;
}

/* ---- what it says ---- */

static int by_key(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->partition > y->partition) - (x->partition < y->partition);
}

void check_sample_report(struct check_sample *sample, struct text *out,
                         struct config_errors *errors)
{
    int64_t keys = 0, foreign = 0;
    const struct seen *one = NULL, *other = NULL;
    if (sample->seen_count > 0)
        qsort(sample->seen, sample->seen_count, sizeof *sample->seen, by_key);
    for (size_t i = 0; i < sample->seen_count;) {
        size_t next = i + 1;
        while (next < sample->seen_count && sample->seen[next].hash == sample->seen[i].hash)
            next++;
        keys++;
        if (sample->seen[next - 1].partition != sample->seen[i].partition && foreign++ == 0) {
            one = &sample->seen[i];
            other = &sample->seen[next - 1];
        }
        i = next;
    }
    text_printf(out, "sample     %lld records, %lld keys\n", (long long)sample->looked_at,
                (long long)keys);
    if (foreign > 0)
        config_complain(sample->config, CONFIG_ROW_event_key, 0, errors,
                        "%lld of %lld keys are in several partitions: one of them at offset %lld "
                        "of partition %d and at offset %lld of partition %d (have the producers "
                        "use %s as the record's key, or partition the topic anew)",
                        (long long)foreign, (long long)keys, (long long)one->offset,
                        one->partition, (long long)other->offset, other->partition,
                        sample->config->event_key);
    if (sample->unusable > 0)
        config_warn(sample->config, CONFIG_ROW_schema_reader, errors,
                    "%lld of %lld records of the sample cannot be used: the first at offset %lld "
                    "of partition %d: %s (look at its producer)", (long long)sample->unusable,
                    (long long)sample->looked_at, (long long)sample->why_offset,
                    sample->why_partition, sample->why);
}

void check_sample_close(struct check_sample *sample, void (*closed)(void *context), void *context)
{
    for (size_t i = 0; i < sample->waiting_count; i++)
        kafka_message_done(sample->waiting[i].owner);
    writers_close(sample->writers, closed, context);
    memory_free(sample->waiting);
    memory_free(sample->seen);
    memory_free(sample->slots);
    memory_free(sample);
}
