/* A partition is ours: its newest checkpoint is read, and only then is the log fetched, from there.
 *
 * The order of a take-over (design: delivery, "Owner side"), and who does it:
 *   1 read the newest whole checkpoint, off the loop                       here
 *   2 start fetching at its offset, said explicitly in the assignment      assignment.c
 *   3 ACQUIRE with a fresh token, the checkpoint's token and sequence      flusher.c
 *     before any row is written: Redis tells what has been seen (hold) and whether it lost batches
 *   4 apply from the offset on, writing nothing up to hold                 lease.c
 * The committed offset decides nothing but which late records are new. */
#include <stdio.h>

#include "engine.h"
#include "log.h"
#include "pool.h"

struct takeover {
    struct engine *engine; /* NULL: nobody waits for it any more */
    void (*done)(struct engine *engine, const struct kafka_extent *extents, size_t count);
    size_t pending; /* loads */
    size_t count;
    struct takeover_part {
        struct takeover *takeover;
        struct kafka_extent extent;
        struct checkpoint_loader *loader; /* NULL: nothing to be read */
        bool again; /* the store gave no answer */
        char name[CHECKPOINT_NAME_MAX];
        struct mono_time started;
    } parts[];
};

static void finish(struct takeover *takeover)
{
    if (takeover->pending > 0)
        return;
    struct engine *engine = takeover->engine;
    if (engine) {
        struct kafka_extent *extents = memory_alloc((takeover->count + 1) * sizeof *extents);
        for (size_t k = 0; k < takeover->count; k++)
            extents[k] = takeover->parts[k].extent;
        engine->takeover = NULL;
        engine->checkpointer.error[0] = '\0'; /* the store has answered */
        takeover->done(engine, extents, takeover->count);
        memory_free(extents);
    }
    memory_free(takeover);
}

static void take_state(struct engine *engine, struct takeover_part *part)
{
    const struct checkpoint_about *about = checkpoint_loader_about(part->loader);
    struct kept_shard *kept = engine_kept(engine, part->extent.partition);
    kept->shard = checkpoint_loader_take(part->loader);
    kept->chain = (struct chain){
        .next = {about->link.chain, about->link.index + 1, about->link.previous},
        .offset = about->offset,
        .saved.ms = engine_now(engine).ms - (present_wall_ms() - about->wall_ms),
        .base_bytes = about->base_bytes,
        .delta_bytes = about->bytes - about->base_bytes,
    };
    /* Rows whose expiry was set long ago may be gone, though their keys live. */
    if (engine->ttl_ms > 0 && present_wall_ms() - about->last_flush_ms > engine->ttl_ms / 2)
        lease_want_resync(shard_lease(kept->shard));
    log_info("checkpoint_loaded",
             "partition=%d offset=%lld keys=%llu bytes=%llu segments=%d age_s=%lld ms=%lld "
             "features_new=%d",
             part->extent.partition, (long long)about->offset, (unsigned long long)about->keys,
             (unsigned long long)about->bytes, about->segments,
             (long long)(present_wall_ms() - about->wall_ms) / 1000,
             (long long)mono_time_diff(engine_now(engine), part->started).ms,
             about->features_new);
}

/* What is in the store cannot be used, and must not be overwritten in silence either. */
static void refuse(struct engine *engine, const struct takeover_part *part,
                   const struct checkpoint_found *found)
{
    enum checkpoint_result result = checkpoint_loader_result(part->loader);
    int32_t partition = part->extent.partition;
    if (result == CHECKPOINT_NEWER || result == CHECKPOINT_FOREIGN)
        engine_fatal(engine, "partition %d: its checkpoint: %s", partition, found->text);
    else if (result == CHECKPOINT_UNUSABLE)
        log_warning("checkpoint_unusable", "partition=%d reason=%Q action=%Q", partition,
                    found->text, "the shard starts without state, from kafka.start");
    else if (found->text[0])
        log_error("checkpoint_damaged", "partition=%d reason=%Q action=%Q", partition,
                  found->text, "the shard starts without state, from kafka.start");
}

static void on_loaded(void *context, const struct checkpoint_found *found)
{
    struct takeover_part *part = context;
    struct takeover *takeover = part->takeover;
    struct engine *engine = takeover->engine;
    if (engine && found->unreachable) {
        log_warning("checkpoint_unreachable", "partition=%d reason=%Q action=%Q",
                    part->extent.partition, found->text, "it is asked for again");
        snprintf(engine->checkpointer.error, sizeof engine->checkpointer.error, "%s",
                 found->text);
        part->again = true;
        return;
    }
    takeover->pending--;
    if (engine && found->found && found->text[0])
        log_error("checkpoint_damaged", "partition=%d reason=%Q action=%Q",
                  part->extent.partition, found->text, "an older one is used");
    if (engine && found->found)
        take_state(engine, part);
    else if (engine)
        refuse(engine, part, found);
    checkpoint_loader_close(part->loader);
    finish(takeover);
}

static void load(struct engine *engine, struct takeover_part *part)
{
    part->again = false;
    checkpoint_store_load(engine->checkpointer.store, part->extent.partition, part->loader,
                          on_loaded, part);
}

void takeover_start(struct engine *engine, const struct kafka_extent *extents, size_t count,
                    void (*done)(struct engine *engine, const struct kafka_extent *extents,
                                 size_t count))
{
    struct takeover *takeover =
        memory_alloc(sizeof *takeover + count * sizeof takeover->parts[0]);
    *takeover = (struct takeover){.engine = engine, .done = done, .count = count, .pending = 1};
    engine->takeover = takeover;
    for (size_t k = 0; k < count; k++) {
        struct takeover_part *part = &takeover->parts[k];
        part->takeover = takeover;
        part->extent = extents[k];
        part->started = engine_now(engine);
        if (!engine->checkpointer.store || engine_kept(engine, extents[k].partition)->shard)
            continue;
        engine_shard_name(engine, extents[k].partition, part->name);
        part->loader = checkpoint_loader_open(&engine->model->rules, extents[k].partition,
                                              part->name, present_wall_ms(),
                                              engine_now_s(engine));
        takeover->pending++;
        load(engine, part);
    }
    takeover->pending--;
    finish(takeover);
}

void takeover_run(struct engine *engine)
{
    for (size_t k = 0; engine->takeover && k < engine->takeover->count; k++)
        if (engine->takeover->parts[k].again)
            load(engine, &engine->takeover->parts[k]);
}

void takeover_void(struct engine *engine)
{
    struct takeover *takeover = engine->takeover;
    engine->takeover = NULL;
    if (!takeover)
        return;
    takeover->engine = NULL;
    takeover->pending++;
    for (size_t k = 0; k < takeover->count; k++) {
        if (!takeover->parts[k].again)
            continue;
        checkpoint_loader_close(takeover->parts[k].loader);
        takeover->pending--;
    }
    takeover->pending--;
    finish(takeover);
}
