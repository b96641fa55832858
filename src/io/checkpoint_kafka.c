/* Writing: chunks, then the pointer, then tombstones for what it no longer names. Each step waits
 * until the brokers have stored the one before; the producer's queue bounds memory. */
#include "checkpoint_kafka.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "checkpoint_kafka_load.h"
#include "expect.h"
#include "failpoint.h"
#include "kafka_producer.h"
#include "pool.h"

enum { CHUNK_BYTES = 512 << 10, CLOSE_MS = 5000 };

/* A segment whose chunks are to be removed. */
struct garbage {
    struct garbage *next;
    int32_t partition;
    struct checkpoint_part part;
    uint32_t removed; /* chunks */
};

struct topic {
    struct checkpoint_store store;
    uv_loop_t *loop;
    struct checkpoint_place place;
    struct kafka_producer *producer;
    struct checkpoint_manifest *manifests; /* by partition */
    int32_t manifest_count;
    struct garbage *garbage;

    /* the segment being written */
    int32_t partition;
    struct checkpoint_part part; /* chain 0: none */

    /* the write under way */
    bool busy;
    struct text bytes;
    size_t at; /* what of them was given to the producer */
    bool last, pointer_sent;
    size_t pending; /* deliveries */
    char error[CHECKPOINT_STORE_TEXT];
    checkpoint_written *written;
    void *context;

    int loads;
    void (*closed)(void *context); /* closing, when set */
    void *closed_context;
};

static struct checkpoint_manifest *manifest_of(struct topic *self, int32_t partition)
{
    if (partition >= self->manifest_count) {
        self->manifests =
            memory_resize(self->manifests, (size_t)(partition + 1) * sizeof *self->manifests);
        memset(self->manifests + self->manifest_count, 0,
               (size_t)(partition + 1 - self->manifest_count) * sizeof *self->manifests);
        self->manifest_count = partition + 1;
    }
    return &self->manifests[partition];
}

/* ---- producing ---- */

/* opaque NULL: nobody waits for it. */
static bool produce(struct topic *self, int32_t partition, const char *key, const void *payload,
                    size_t len, void *opaque)
{
    struct kafka_record record = {
        .topic = self->place.topic,
        .partition = partition % self->place.partitions,
        .key = key,
        .key_len = strlen(key),
        .payload = payload,
        .payload_len = len,
        .record_time_ms = -1,
    };
    return kafka_produce(self->producer, &record, opaque);
}

static void discard(struct topic *self, int32_t partition, const struct checkpoint_part *part)
{
    struct garbage *garbage = memory_alloc(sizeof *garbage);
    *garbage = (struct garbage){self->garbage, partition, *part, 0};
    self->garbage = garbage;
}

static void remove_garbage(struct topic *self)
{
    struct garbage *garbage;
    char name[CHECKPOINT_NAME_MAX], key[CHECKPOINT_KEY_MAX];
    while ((garbage = self->garbage) && self->place.partitions > 0) {
        checkpoint_place_name(&self->place, garbage->partition, name);
        for (; garbage->removed < garbage->part.chunks; garbage->removed++) {
            checkpoint_chunk_key(key, name, &garbage->part, garbage->removed);
            if (!produce(self, garbage->partition, key, NULL, 0, NULL))
                return; /* full: it goes on when there is room */
        }
        self->garbage = garbage->next;
        memory_free(garbage);
    }
}

/* ---- a write ---- */

static void end_write(struct topic *self)
{
    self->busy = false;
    text_free(&self->bytes);
    self->written(self->context, self->error[0] == '\0', self->error);
}

static void fail(struct topic *self, const char *why)
{
    if (!self->error[0])
        snprintf(self->error, sizeof self->error, "topic %s: %s", self->place.topic, why);
}

static void send_chunks(struct topic *self, const char *name)
{
    char key[CHECKPOINT_KEY_MAX];
    if (self->at == 0 && failpoint_before(FAILPOINT_CHUNK))
        fail(self, strerror(errno));
    while (self->at < self->bytes.len && !self->error[0]) {
        size_t rest = self->bytes.len - self->at;
        size_t len = rest < CHUNK_BYTES ? rest : CHUNK_BYTES;
        checkpoint_chunk_key(key, name, &self->part, self->part.chunks);
        if (!produce(self, self->partition, key, self->bytes.data + self->at, len, self))
            return;
        self->pending++;
        self->part.chunks++;
        self->at += len;
    }
}

/* All chunks are stored: what the shard has from now on. */
static void send_pointer(struct topic *self, const char *name)
{
    struct checkpoint_manifest next = {0};
    const struct checkpoint_manifest *now = manifest_of(self, self->partition);
    checkpoint_manifest_copy(&next, now);
    checkpoint_manifest_add(&next, &self->part);
    size_t old = checkpoint_manifest_old(&next);
    memmove(next.parts, next.parts + old, (next.count - old) * sizeof next.parts[0]);
    next.count -= old;
    struct text text = {0};
    checkpoint_manifest_write(&next, &text);
    failpoint_before(FAILPOINT_POINTER);
    self->pointer_sent = produce(self, self->partition, name, text.data, text.len, self);
    self->pending += self->pointer_sent;
    text_free(&text);
    checkpoint_manifest_free(&next);
}

static void pointer_stored(struct topic *self)
{
    struct checkpoint_manifest *now = manifest_of(self, self->partition);
    checkpoint_manifest_add(now, &self->part);
    size_t old = checkpoint_manifest_old(now);
    for (size_t k = 0; k < old; k++)
        discard(self, self->partition, &now->parts[k]);
    memmove(now->parts, now->parts + old, (now->count - old) * sizeof now->parts[0]);
    now->count -= old;
    self->part = (struct checkpoint_part){0};
    failpoint_after(FAILPOINT_POINTER);
}

static void go_on(struct topic *self)
{
    char name[CHECKPOINT_NAME_MAX];
    checkpoint_place_name(&self->place, self->partition, name);
    if (!self->pointer_sent)
        send_chunks(self, name);
    bool given = self->at == self->bytes.len || self->error[0];
    if (!given || self->pending > 0)
        return;
    if (self->last && !self->pointer_sent && !self->error[0]) {
        send_pointer(self, name);
        return;
    }
    if (self->pointer_sent && !self->error[0])
        pointer_stored(self);
    end_write(self);
}

static void on_room(void *data)
{
    struct topic *self = data;
    if (self->busy)
        go_on(self);
    if (!self->busy)
        remove_garbage(self);
}

static void on_delivered(void *data, void *opaque, bool ok, const char *text)
{
    struct topic *self = data;
    if (opaque) {
        self->pending--;
        if (!ok)
            fail(self, text);
        else if (!self->pointer_sent)
            failpoint_after(FAILPOINT_CHUNK);
    }
    on_room(self);
}

static void topic_write(struct checkpoint_store *store, const struct checkpoint_segment *segment,
                        struct text *bytes, bool last, checkpoint_written *done, void *context)
{
    struct topic *self = (struct topic *)store;
    expect(!self->busy && !self->closed && self->place.partitions > 0);
    if (self->part.chain == 0) {
        uint32_t nonce = 0;
        ssize_t got = getrandom(&nonce, sizeof nonce, 0);
        (void)got; /* the chain alone is hardly ever the same */
        self->part = (struct checkpoint_part){segment->chain, segment->index, nonce, 0};
        self->partition = segment->partition;
    }
    self->busy = true;
    self->bytes = *bytes;
    *bytes = (struct text){0};
    self->at = 0;
    self->last = last;
    self->pointer_sent = false;
    self->error[0] = '\0';
    self->written = done;
    self->context = context;
    go_on(self);
}

static void topic_abandon(struct checkpoint_store *store)
{
    struct topic *self = (struct topic *)store;
    expect(!self->busy);
    if (self->part.chain != 0 && !self->closed)
        discard(self, self->partition, &self->part);
    self->part = (struct checkpoint_part){0};
    if (!self->closed)
        remove_garbage(self);
}

/* ---- loading ---- */

struct load {
    uv_work_t work;
    struct topic *topic;
    struct checkpoint_kafka_load job;
    checkpoint_loaded *done;
    void *context;
};

static void finish_closing(struct topic *self);

static void load_work(uv_work_t *work)
{
    checkpoint_kafka_load(&((struct load *)work->data)->job);
}

static void load_after(uv_work_t *work, int status)
{
    struct load *load = work->data;
    struct topic *self = load->topic;
    struct checkpoint_kafka_load *job = &load->job;
    (void)status;
    if (job->place.partitions > 0)
        self->place.partitions = job->place.partitions;
    struct checkpoint_manifest *now = manifest_of(self, job->partition);
    checkpoint_manifest_free(now);
    *now = job->found_parts;
    for (size_t k = 0; k < job->strays.count && !self->closed; k++)
        discard(self, job->partition, &job->strays.parts[k]);
    checkpoint_manifest_free(&job->strays);
    self->loads--;
    load->done(load->context, &job->found);
    memory_free(load);
    finish_closing(self);
}

static void topic_load(struct checkpoint_store *store, int32_t partition,
                       struct checkpoint_loader *loader, checkpoint_loaded *done, void *context)
{
    struct topic *self = (struct topic *)store;
    struct load *load = memory_alloc(sizeof *load);
    *load = (struct load){
        .topic = self,
        .job = {.place = self->place, .producer = self->producer, .partition = partition,
                .loader = loader},
        .done = done,
        .context = context,
    };
    load->work.data = load;
    self->loads++;
    expect(uv_queue_work(self->loop, &load->work, load_work, load_after) == 0);
}

/* ---- open and close ---- */

static void on_producer_closed(void *data)
{
    struct topic *self = data;
    void (*closed)(void *context) = self->closed;
    void *context = self->closed_context;
    while (self->garbage) {
        struct garbage *next = self->garbage->next;
        memory_free(self->garbage);
        self->garbage = next;
    }
    for (int32_t k = 0; k < self->manifest_count; k++)
        checkpoint_manifest_free(&self->manifests[k]);
    memory_free(self->manifests);
    checkpoint_place_fini(&self->place);
    memory_free(self);
    closed(context);
}

static void finish_closing(struct topic *self)
{
    if (self->closed && self->loads == 0)
        kafka_producer_close(self->producer, CLOSE_MS, on_producer_closed, self);
}

static void topic_close(struct checkpoint_store *store, void (*closed)(void *context),
                        void *context)
{
    struct topic *self = (struct topic *)store;
    self->closed = closed;
    self->closed_context = context;
    finish_closing(self);
}

static const struct checkpoint_store_kind topic_kind = {
    .name = "kafka",
    .load = topic_load,
    .write = topic_write,
    .abandon = topic_abandon,
    .close = topic_close,
};

struct checkpoint_store *checkpoint_kafka_open(uv_loop_t *loop,
                                               const struct checkpoint_kafka_options *options,
                                               char error[CHECKPOINT_STORE_TEXT])
{
    struct topic *self = memory_alloc(sizeof *self);
    self->store.kind = &topic_kind;
    self->loop = loop;
    checkpoint_place_init(&self->place, options);
    struct kafka_producer_options producer = {
        .bootstrap = self->place.bootstrap,
        .properties = self->place.properties,
        .property_count = self->place.property_count,
        .delivered = on_delivered,
        .room = on_room,
        .data = self,
    };
    char text[KAFKA_ERROR_TEXT];
    self->producer = kafka_producer_open(loop, &producer, text);
    if (self->producer)
        return &self->store;
    snprintf(error, CHECKPOINT_STORE_TEXT, "%.500s", text);
    checkpoint_place_fini(&self->place);
    memory_free(self);
    return NULL;
}
