/* What a topic of checkpoints holds: the segments that each shard's newest pointer names. */
#include <stdio.h>
#include <string.h>

#include "checkpoint_manifest.h"
#include "checkpoint_shelf.h"
#include "kafka_reader.h"
#include "pool.h"

/* A chunk, and where it is in the topic. */
struct place {
    int32_t partition; /* of the topic */
    int shard;
    struct checkpoint_part part;
    uint32_t chunk;
    int64_t offset;
};

/* A shard: what its pointer names. */
struct owner {
    char name[CHECKPOINT_NAME_MAX];
    int32_t topic_partition;
    struct checkpoint_manifest manifest;
};

struct topic_shelf {
    struct checkpoint_shelf shelf;
    struct kafka_reader **readers; /* by partition of the topic */
    int32_t partitions;
    struct place *places; /* in the order of the topic */
    size_t place_count;
    struct owner *owners;
    struct checkpoint_part *parts; /* of the segments */
};

/* Grows an array by one at each power of two. */
static void *one_more(void *array, size_t count, size_t size)
{
    return (count & (count + 1)) == 0 ? memory_resize(array, 2 * (count + 1) * size) : array;
}

static int owner_of(struct topic_shelf *self, int32_t partition, const char *name, size_t len)
{
    int shards = self->shelf.shards;
    for (int k = 0; k < shards; k++)
        if (strlen(self->owners[k].name) == len && memcmp(self->owners[k].name, name, len) == 0)
            return k;
    self->owners = one_more(self->owners, (size_t)shards, sizeof self->owners[0]);
    struct owner *owner = &self->owners[shards];
    *owner = (struct owner){.topic_partition = partition};
    snprintf(owner->name, sizeof owner->name, "%.*s", (int)len, name);
    self->shelf.shards++;
    return shards;
}

/* The length of the shard's name in a key: all of a pointer's, and of a chunk's what stands before
 * the last but one slash. */
static size_t name_in_key(const char *key, size_t len, struct checkpoint_part *part,
                          uint32_t *chunk)
{
    int slashes = 0;
    for (size_t at = len; at-- > 0;) {
        slashes += key[at] == '/';
        if (slashes < 2)
            continue;
        char name[CHECKPOINT_NAME_MAX];
        snprintf(name, sizeof name, "%.*s", (int)at, key);
        return checkpoint_read_key_of(name, key, len, part, chunk) == 1 ? at : len;
    }
    return len;
}

static void see(struct topic_shelf *self, int32_t partition,
                const struct kafka_reader_record *record)
{
    struct place place = {.partition = partition, .offset = record->offset};
    if (!record->key || record->key_len >= CHECKPOINT_KEY_MAX)
        return;
    size_t len = name_in_key(record->key, record->key_len, &place.part, &place.chunk);
    if (len >= CHECKPOINT_NAME_MAX)
        return;
    struct checkpoint_manifest manifest = {0};
    if (len < record->key_len && record->payload) {
        place.shard = owner_of(self, partition, record->key, len);
        self->places = one_more(self->places, self->place_count, sizeof place);
        self->places[self->place_count++] = place;
    } else if (record->payload &&
               checkpoint_manifest_read(&manifest, record->payload, record->payload_len)) {
        struct owner *owner = &self->owners[owner_of(self, partition, record->key, len)];
        checkpoint_manifest_free(&owner->manifest);
        owner->manifest = manifest;
    } else {
        checkpoint_manifest_free(&manifest);
    }
}

static bool scan(struct topic_shelf *self, int32_t partition, char *error)
{
    struct kafka_reader_record record;
    struct kafka_reader *reader = self->readers[partition];
    int got;
    if (!kafka_reader_rewind(reader, error))
        return false;
    while ((got = kafka_reader_next(reader, &record, error)) > 0)
        see(self, partition, &record);
    return got == 0;
}

static void put_on_shelf(struct topic_shelf *self)
{
    struct checkpoint_shelf *shelf = &self->shelf;
    size_t count = 0;
    for (int s = 0; s < shelf->shards; s++)
        count += self->owners[s].manifest.count;
    shelf->segments = memory_alloc((count + 1) * sizeof shelf->segments[0]);
    self->parts = memory_alloc((count + 1) * sizeof self->parts[0]);
    for (int s = 0; s < shelf->shards; s++) {
        const struct owner *owner = &self->owners[s];
        const char *digits = strrchr(owner->name, ':');
        int partition = -1;
        if (digits)
            sscanf(digits, ":%d", &partition);
        for (size_t k = 0; k < owner->manifest.count; k++) {
            const struct checkpoint_part *part = &owner->manifest.parts[k];
            struct checkpoint_shelved *to = &shelf->segments[shelf->count];
            self->parts[shelf->count++] = *part;
            to->shard = s;
            to->segment = (struct checkpoint_segment){partition, part->chain, part->index};
            snprintf(to->name, sizeof to->name, "%016llx-%06u-%08x",
                     (unsigned long long)part->chain, part->index, part->nonce);
        }
    }
}

/* ---- feeding ---- */

static bool same_part(const struct checkpoint_part *a, const struct checkpoint_part *b)
{
    return a->chain == b->chain && a->index == b->index && a->nonce == b->nonce;
}

/* The newest place of a chunk; NULL when the topic has none. */
static const struct place *find_chunk(const struct topic_shelf *self, int shard,
                                      const struct checkpoint_part *part, uint32_t chunk)
{
    for (size_t k = self->place_count; k-- > 0;) {
        const struct place *place = &self->places[k];
        if (place->shard == shard && place->chunk == chunk && same_part(&place->part, part))
            return place;
    }
    return NULL;
}

static bool feed_chunk(struct kafka_reader *reader, const struct place *place,
                       struct checkpoint_loader *loader, char *error)
{
    struct kafka_reader_record record;
    if (!kafka_reader_seek(reader, place->offset, error))
        return false;
    int got = kafka_reader_next(reader, &record, error);
    if (got == 0 || (got > 0 && record.offset != place->offset))
        snprintf(error, CHECKPOINT_STORE_TEXT, "chunk %u is gone", place->chunk);
    if (got <= 0 || record.offset != place->offset)
        return false;
    checkpoint_loader_feed(loader, record.payload, record.payload_len);
    return true;
}

static bool feed(struct checkpoint_shelf *shelf, size_t segment, struct checkpoint_loader *loader,
                 char error[CHECKPOINT_STORE_TEXT])
{
    struct topic_shelf *self = (struct topic_shelf *)shelf;
    const struct checkpoint_part *part = &self->parts[segment];
    int shard = shelf->segments[segment].shard;
    struct kafka_reader *reader = self->readers[self->owners[shard].topic_partition];
    for (uint32_t chunk = 0; chunk < part->chunks; chunk++) {
        const struct place *place = find_chunk(self, shard, part, chunk);
        if (!place)
            snprintf(error, CHECKPOINT_STORE_TEXT, "chunk %u of %u is missing", chunk,
                     part->chunks);
        if (!place || !feed_chunk(reader, place, loader, error))
            return false;
    }
    return true;
}

/* ---- open and close ---- */

static void close_shelf(struct checkpoint_shelf *shelf)
{
    struct topic_shelf *self = (struct topic_shelf *)shelf;
    for (int32_t k = 0; k < self->partitions; k++)
        kafka_reader_close(self->readers[k]);
    for (int k = 0; k < shelf->shards; k++)
        checkpoint_manifest_free(&self->owners[k].manifest);
    memory_free(self->readers);
    memory_free(self->owners);
    memory_free(self->places);
    memory_free(self->parts);
    memory_free(shelf->segments);
    memory_free(self);
}

static bool open_readers(struct topic_shelf *self, const struct kafka_options *options,
                         char *error)
{
    struct kafka_reader *first = kafka_reader_open(options, 0, error);
    int32_t partitions = first ? kafka_reader_partitions(first, error) : 0;
    if (partitions <= 0) {
        kafka_reader_close(first);
        return false;
    }
    self->readers = memory_alloc((size_t)partitions * sizeof self->readers[0]);
    self->readers[self->partitions++] = first;
    while (self->partitions < partitions) {
        struct kafka_reader *reader = kafka_reader_open(options, self->partitions, error);
        if (!reader)
            return false;
        self->readers[self->partitions++] = reader;
    }
    return true;
}

struct checkpoint_shelf *checkpoint_kafka_shelf(const struct checkpoint_kafka_options *options,
                                                char error[CHECKPOINT_STORE_TEXT])
{
    struct topic_shelf *self = memory_alloc(sizeof *self);
    *self = (struct topic_shelf){.shelf = {.feed = feed, .close = close_shelf}};
    struct kafka_options reading = {.bootstrap = options->bootstrap,
                                    .topic = options->topic,
                                    .properties = options->properties,
                                    .property_count = options->property_count};
    char text[KAFKA_ERROR_TEXT];
    bool ok = open_readers(self, &reading, text);
    for (int32_t k = 0; ok && k < self->partitions; k++)
        ok = scan(self, k, text);
    if (ok) {
        put_on_shelf(self);
        return &self->shelf;
    }
    snprintf(error, CHECKPOINT_STORE_TEXT, "%.500s", text);
    close_shelf(&self->shelf);
    return NULL;
}
