/* The partition is read once for the pointers, and once again for each chain that is tried: the
 * chunks of a chain stand in the order in which they were written, whatever compaction took away
 * between them, so they go to the loader as they come. */
#include "checkpoint_kafka_load.h"

#include <stdio.h>
#include <string.h>

#include "kafka_producer.h"
#include "kafka_reader.h"
#include "pool.h"

enum {
    POINTERS_TRIED = 8, /* the newest ones; all but the last are there until compaction comes */
    TOPIC_WAIT_MS = 10000,
};

/* ---- where ---- */

void checkpoint_place_init(struct checkpoint_place *place,
                           const struct checkpoint_kafka_options *options)
{
    /* What is not stored yet is held here, too; the user's own word comes behind and counts. */
    static const struct kafka_property own[] = {{"queue.buffering.max.kbytes", "32768"}};
    size_t owned = sizeof own / sizeof own[0];
    size_t count = options->property_count + owned;
    *place = (struct checkpoint_place){
        .bootstrap = memory_strdup(options->bootstrap),
        .topic = memory_strdup(options->topic),
        .input_topic = memory_strdup(options->input_topic),
        .shards = memory_strdup(options->shards),
        .properties = memory_alloc(count * sizeof(struct kafka_property)),
        .property_count = count,
    };
    for (size_t k = 0; k < count; k++) {
        const struct kafka_property *from = k < owned ? &own[k] : &options->properties[k - owned];
        place->properties[k] =
            (struct kafka_property){memory_strdup(from->name), memory_strdup(from->value)};
    }
}

void checkpoint_place_fini(struct checkpoint_place *place)
{
    for (size_t k = 0; k < place->property_count; k++) {
        memory_free((char *)(uintptr_t)place->properties[k].name);
        memory_free((char *)(uintptr_t)place->properties[k].value);
    }
    memory_free(place->properties);
    memory_free(place->bootstrap);
    memory_free(place->topic);
    memory_free(place->input_topic);
    memory_free(place->shards);
}

void checkpoint_place_name(const struct checkpoint_place *place, int32_t partition,
                           char name[CHECKPOINT_NAME_MAX])
{
    snprintf(name, CHECKPOINT_NAME_MAX, "%s:%d", place->shards, partition);
}

/* ---- the topic ---- */

static bool make_topic(struct checkpoint_kafka_load *load, char *error)
{
    /* Segments of the log are closed early enough for compaction to keep up with deltas. */
    static const struct kafka_property settings[] = {
        {"cleanup.policy", "compact"},
        {"min.cleanable.dirty.ratio", "0.1"},
        {"segment.bytes", "67108864"},
        {"delete.retention.ms", "3600000"},
    };
    const struct checkpoint_place *place = &load->place;
    int32_t inputs =
        kafka_producer_partitions(load->producer, place->input_topic, TOPIC_WAIT_MS, error);
    return inputs > 0 && kafka_producer_create_topic(load->producer, place->topic, inputs, settings,
                                                     sizeof settings / sizeof settings[0],
                                                     TOPIC_WAIT_MS, error);
}

static bool find_topic(struct checkpoint_kafka_load *load, char *error)
{
    enum { TRIES = 20 };
    bool made = false;
    for (int tries = 0; load->place.partitions <= 0 && tries < TRIES; tries++) {
        load->place.partitions =
            kafka_producer_partitions(load->producer, load->place.topic, TOPIC_WAIT_MS, error);
        if (load->place.partitions < 0 ||
            (load->place.partitions == 0 && !made && !make_topic(load, error)))
            return false;
        made |= load->place.partitions == 0;
        if (load->place.partitions == 0)
            uv_sleep(100); /* until the brokers have told each other */
    }
    return load->place.partitions > 0;
}

/* ---- pointers ---- */

struct scan {
    struct kafka_reader *reader;
    char name[CHECKPOINT_NAME_MAX];
    struct checkpoint_manifest pointers[POINTERS_TRIED]; /* a ring, by number */
    size_t pointer_count;
    struct checkpoint_manifest seen; /* segments of which chunks are there */
    bool failed; /* the topic cannot be read: error says why */
    char error[KAFKA_ERROR_TEXT];
};

static void see_pointer(struct scan *scan, const struct kafka_reader_record *record)
{
    struct checkpoint_manifest *pointer = &scan->pointers[scan->pointer_count % POINTERS_TRIED];
    checkpoint_manifest_free(pointer);
    if (record->payload &&
        checkpoint_manifest_read(pointer, record->payload, record->payload_len))
        scan->pointer_count++;
}

static void see_chunk(struct scan *scan, const struct checkpoint_part *part, uint32_t chunk)
{
    struct checkpoint_manifest *seen = &scan->seen;
    if (seen->count > 0 && checkpoint_manifest_has(seen, part)) {
        for (size_t k = 0; k < seen->count; k++)
            if (seen->parts[k].nonce == part->nonce && seen->parts[k].chain == part->chain &&
                seen->parts[k].index == part->index && seen->parts[k].chunks <= chunk)
                seen->parts[k].chunks = chunk + 1;
        return;
    }
    struct checkpoint_part first = *part;
    first.chunks = chunk + 1;
    checkpoint_manifest_add(seen, &first);
}

static bool scan_all(struct scan *scan)
{
    struct kafka_reader_record record;
    int got;
    if (!kafka_reader_rewind(scan->reader, scan->error))
        return false;
    while ((got = kafka_reader_next(scan->reader, &record, scan->error)) > 0) {
        struct checkpoint_part part;
        uint32_t chunk;
        int kind = record.key ? checkpoint_read_key_of(scan->name, record.key, record.key_len,
                                                       &part, &chunk)
                              : -1;
        if (kind == 0)
            see_pointer(scan, &record);
        else if (kind == 1 && record.payload)
            see_chunk(scan, &part, chunk);
    }
    return got == 0;
}

/* ---- chains ---- */

/* How many of the parts are whole, in *good; false when the topic cannot be read. */
static bool read_parts(struct scan *scan, struct checkpoint_loader *loader,
                       const struct checkpoint_part *parts, size_t count, size_t *good)
{
    struct kafka_reader_record record;
    uint32_t next = 0; /* chunk */
    int got;
    *good = 0;
    if (!kafka_reader_rewind(scan->reader, scan->error))
        return false;
    while (*good < count && (got = kafka_reader_next(scan->reader, &record, scan->error)) != 0) {
        struct checkpoint_part part;
        uint32_t chunk;
        const struct checkpoint_part *wanted = &parts[*good];
        if (got < 0)
            return false;
        if (!record.payload || !record.key ||
            checkpoint_read_key_of(scan->name, record.key, record.key_len, &part, &chunk) != 1 ||
            part.chain != wanted->chain || part.index != wanted->index ||
            part.nonce != wanted->nonce || chunk != next)
            continue;
        if (!checkpoint_loader_feed(loader, record.payload, record.payload_len))
            return true;
        if (++next < wanted->chunks)
            continue;
        if (!checkpoint_loader_whole(loader))
            return true;
        next = 0;
        (*good)++;
    }
    return true;
}

/* Tries a chain, then fewer of its segments; *count is what was found. */
static bool read_chain(struct scan *scan, struct checkpoint_kafka_load *load,
                       const struct checkpoint_part *parts, size_t *count)
{
    struct checkpoint_loader *loader = load->loader;
    while (*count > 0) {
        size_t good;
        checkpoint_loader_reset(loader);
        scan->failed = !read_parts(scan, loader, parts, *count, &good);
        if (scan->failed)
            return false;
        if (good == *count && checkpoint_loader_settle(loader))
            return true;
        if (good == *count)
            good--; /* the sum is wrong though each part is right */
        const char *why = checkpoint_loader_text(loader);
        snprintf(load->found.text, sizeof load->found.text, "segment %u of chain %016llx: %s",
                 parts[good].index, (unsigned long long)parts[good].chain,
                 why[0] ? why : "parts of it are missing");
        if (checkpoint_loader_result(loader) > CHECKPOINT_DAMAGED)
            return false;
        *count = good;
    }
    return false;
}

static bool is_over(const struct scan *scan, const struct checkpoint_kafka_load *load)
{
    return load->found.found || scan->failed ||
           checkpoint_loader_result(load->loader) > CHECKPOINT_DAMAGED;
}

/* The chains of a pointer, newest first. */
static void try_pointer(struct scan *scan, struct checkpoint_kafka_load *load,
                        const struct checkpoint_manifest *pointer)
{
    struct checkpoint_manifest left = *pointer;
    while (left.count > 0 && !is_over(scan, load)) {
        size_t begins = checkpoint_manifest_newest(&left);
        size_t count = left.count - begins;
        if (count == 0)
            return; /* no base */
        load->found.found = read_chain(scan, load, left.parts + begins, &count);
        if (load->found.found) {
            left.count = begins + count;
            checkpoint_manifest_copy(&load->found_parts, &left);
        }
        left.count = begins;
    }
}

static void read_all(struct scan *scan, struct checkpoint_kafka_load *load)
{
    scan->failed = !scan_all(scan);
    if (scan->failed)
        return;
    size_t tried = scan->pointer_count < POINTERS_TRIED ? scan->pointer_count : POINTERS_TRIED;
    for (size_t k = 1; k <= tried && !is_over(scan, load); k++)
        try_pointer(scan, load, &scan->pointers[(scan->pointer_count - k) % POINTERS_TRIED]);
    if (scan->failed)
        return;
    if (!load->found.found) {
        /* What cannot be used is kept until a new chain has taken its place twice. */
        if (tried > 0)
            checkpoint_manifest_copy(
                &load->found_parts, &scan->pointers[(scan->pointer_count - 1) % POINTERS_TRIED]);
        return;
    }
    for (size_t k = 0; k < scan->seen.count; k++)
        if (!checkpoint_manifest_has(&load->found_parts, &scan->seen.parts[k]))
            checkpoint_manifest_add(&load->strays, &scan->seen.parts[k]);
}

void checkpoint_kafka_load(struct checkpoint_kafka_load *load)
{
    struct scan scan = {0};
    checkpoint_place_name(&load->place, load->partition, scan.name);
    struct kafka_options options = {
        .bootstrap = load->place.bootstrap,
        .topic = load->place.topic,
        .properties = load->place.properties,
        .property_count = load->place.property_count,
    };
    if (find_topic(load, scan.error))
        scan.reader = kafka_reader_open(&options, load->partition % load->place.partitions,
                                        scan.error);
    scan.failed = !scan.reader;
    if (scan.reader)
        read_all(&scan, load);
    if (scan.failed) {
        load->found.unreachable = true;
        snprintf(load->found.text, sizeof load->found.text, "%.500s", scan.error);
    }
    kafka_reader_close(scan.reader);
    for (int k = 0; k < POINTERS_TRIED; k++)
        checkpoint_manifest_free(&scan.pointers[k]);
    checkpoint_manifest_free(&scan.seen);
}
