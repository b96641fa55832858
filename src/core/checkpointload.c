/* Reading a chain of segments, and the shard that comes of it.
 *
 * Whatever the bytes are, the end is a result: they come from a disk or a topic. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "checkpointreading.h"
#include "expect.h"

bool checkpoint_fail(struct checkpoint_loader *loader, enum checkpoint_result result,
                     const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(loader->text, sizeof loader->text, format, arguments);
    va_end(arguments);
    loader->result = result;
    return false;
}

bool checkpoint_damaged(struct checkpoint_loader *loader, const char *what)
{
    return checkpoint_fail(loader, CHECKPOINT_DAMAGED, "segment %d, record %llu at byte %llu: %s",
                           loader->about.segments, (unsigned long long)loader->records,
                           (unsigned long long)loader->bytes, what);
}

/* ---- END ---- */

static bool read_end(struct checkpoint_loader *loader, struct segment_reader *in)
{
    struct checkpoint_about *about = &loader->about;
    size_t len;
    const char *token = segment_get_bytes(in, &len);
    if (len >= sizeof about->token)
        return checkpoint_damaged(loader, "its token is too long");
    memcpy(about->token, token, len);
    about->token[len] = '\0';
    about->acknowledged = segment_get_signed(in);
    about->resync = segment_get_at_most(in, 1);
    uint64_t records = segment_get_number(in);
    uint64_t bytes = segment_get_number(in);
    if (in->broken || segment_left(in) > 0 || records != loader->records ||
        bytes != loader->bytes)
        return checkpoint_damaged(loader, "its end does not fit what was before it");
    about->link.previous = loader->crc;
    about->segments++;
    loader->inside = false;
    return true;
}

/* ---- the stream ---- */

static bool read_record(struct checkpoint_loader *loader, enum segment_kind kind,
                        struct segment_reader *in)
{
    static bool (*const readers[])(struct checkpoint_loader *, struct segment_reader *) = {
        [SEGMENT_HEAD] = checkpoint_read_head,
        [SEGMENT_REMOVED] = checkpoint_read_removed,
        [SEGMENT_KEY] = checkpoint_read_key,
        [SEGMENT_DIRTY] = checkpoint_read_dirty,
        [SEGMENT_IDS] = checkpoint_read_ids,
        [SEGMENT_END] = read_end,
    };
    bool known = (size_t)kind < sizeof readers / sizeof readers[0] && readers[kind];
    if (!known || (kind == SEGMENT_HEAD) == loader->inside)
        return checkpoint_damaged(loader, "is of no kind that can stand here");
    if (loader->observer)
        loader->observer(loader->observer_context, kind, in);
    if (!readers[kind](loader, in))
        return false;
    if (kind == SEGMENT_HEAD)
        loader->inside = true;
    return true;
}

/* How many of the bytes were used. */
static size_t read_records(struct checkpoint_loader *loader, const char *bytes, size_t len)
{
    size_t at = 0;
    for (;;) {
        size_t used;
        enum segment_kind kind;
        struct segment_reader body;
        if (!loader->inside) {
            loader->crc = 0;
            loader->records = 0;
            loader->bytes = 0;
        }
        int got = segment_take_record(bytes + at, len - at, &loader->crc, &used, &kind, &body);
        if (got < 0)
            checkpoint_damaged(loader, "fails its checksum");
        if (got <= 0 || !read_record(loader, kind, &body))
            return at;
        at += used;
        loader->records++;
        loader->bytes += used;
        loader->about.records++;
        loader->about.bytes += used;
        if (loader->about.link.index == 0)
            loader->about.base_bytes += used;
    }
}

bool checkpoint_loader_feed(struct checkpoint_loader *loader, const void *bytes, size_t len)
{
    if (loader->result != CHECKPOINT_OK)
        return false;
    struct text *rest = &loader->rest;
    if (rest->len == 0) {
        size_t used = read_records(loader, bytes, len);
        if (loader->result == CHECKPOINT_OK)
            text_append(rest, (const char *)bytes + used, len - used);
        return loader->result == CHECKPOINT_OK;
    }
    text_append(rest, bytes, len);
    size_t used = read_records(loader, rest->data, rest->len);
    memmove(rest->data, rest->data + used, rest->len - used);
    rest->len -= used;
    return loader->result == CHECKPOINT_OK;
}

/* ---- open and close ---- */

struct checkpoint_loader *checkpoint_loader_open(const struct rules *rules, int32_t partition,
                                                 const char *name, int64_t wall_ms, uint32_t now_s)
{
    struct checkpoint_loader *loader = memory_alloc(sizeof *loader);
    loader->rules = rules;
    loader->partition = partition;
    loader->name = name;
    loader->wall_ms = wall_ms;
    loader->now_s = now_s;
    return loader;
}

void checkpoint_loader_observe(struct checkpoint_loader *loader, checkpoint_observer *observer,
                               void *context)
{
    loader->observer = observer;
    loader->observer_context = context;
}

bool checkpoint_loader_whole(const struct checkpoint_loader *loader)
{
    return loader->result == CHECKPOINT_OK && !loader->inside && loader->rest.len == 0 &&
           loader->about.segments > 0;
}

enum checkpoint_result checkpoint_loader_result(const struct checkpoint_loader *loader)
{
    return loader->result;
}

const char *checkpoint_loader_text(const struct checkpoint_loader *loader)
{
    return loader->text;
}

const struct checkpoint_about *checkpoint_loader_about(const struct checkpoint_loader *loader)
{
    return &loader->about;
}

/* Deadlines, counts and queues follow from state. */
static void settle_entity(struct shard *shard, uint32_t handle)
{
    struct entity *entity = entity_at(shard, handle);
    if (!(entity->flags & ENTITY_USED))
        return;
    entity->touched = 0;
    entity->epoch = shard->epoch;
    if (entity->flags & ENTITY_FORGOTTEN) {
        shard->live_keys--;
        shard->forgotten_keys++;
        entity_drop_if_done(shard, handle); /* its last row was acknowledged */
        return;
    }
    shard->live_sessions += entity->sessions.live_count;
    int64_t due = entity_next_due(shard, entity, shard->due_ms);
    if (due != INT64_MAX)
        entity_arm(shard, handle, due);
    entity_arm_forget(shard, handle);
    if (shard->rules->set->closed.count > 0)
        closed_arm(shard, handle);
}

static void settle_lease(const struct checkpoint_loader *loader, struct shard *shard)
{
    struct lease *lease = &shard->lease;
    memcpy(lease->previous, loader->about.token, sizeof lease->previous);
    lease->acknowledged = loader->about.token[0] ? loader->about.acknowledged : -1;
    if (lease->previous[0])
        lease->hold = -1; /* ACQUIRE raises it */
    /* Another version of the set: rows have other fields, and those that go must leave Redis. */
    if (loader->about.resync || loader->about.feature_version != shard->rules->set->version)
        lease_want_resync(lease);
}

bool checkpoint_loader_settle(struct checkpoint_loader *loader)
{
    struct shard *shard = loader->shard;
    expect(checkpoint_loader_whole(loader) && !loader->settled);
    if (!shard)
        return true;
    shard->unsynced = 0;
    shard->live_sessions = 0;
    for (uint32_t handle = 0; handle < shard->handle_count; handle++)
        settle_entity(shard, handle);
    if (shard->live_keys != loader->about.keys)
        return checkpoint_damaged(loader, "the keys are not as many as it says");
    dedup_arm(&shard->dedup);
    dedup_expire(&shard->dedup, shard_watermark_ms(shard), checkpoint_id_leaves, shard);
    settle_lease(loader, shard);
    bool same = loader->about.feature_version == shard->rules->set->version;
    shard->checkpointing.epoch = 1;
    shard->checkpointing.since = same; /* a delta can follow what has the same layout */
    loader->settled = true;
    return true;
}

struct shard *checkpoint_loader_take(struct checkpoint_loader *loader)
{
    expect(loader->settled);
    struct shard *shard = loader->shard;
    loader->shard = NULL;
    return shard;
}

void checkpoint_loader_reset(struct checkpoint_loader *loader)
{
    shard_close(loader->shard);
    loader->shard = NULL;
    text_clear(&loader->rest);
    loader->inside = false;
    loader->settled = false;
    loader->result = CHECKPOINT_OK;
    loader->text[0] = '\0';
    loader->about = (struct checkpoint_about){0};
}

void checkpoint_loader_close(struct checkpoint_loader *loader)
{
    if (!loader)
        return;
    shard_close(loader->shard);
    text_free(&loader->rest);
    memory_free(loader);
}
