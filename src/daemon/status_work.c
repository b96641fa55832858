/* What is under way for longer than a moment, and how far it is. */
#include "status.h"

static void begin_part(struct text *out, size_t before)
{
    if (out->len > before)
        text_append_string(out, "; ");
}

static void say_drain(const struct engine *engine, struct text *out)
{
    static const char *const stages[] = {
        [DRAIN_NONE] = "",
        [DRAIN_WRITING] = "rows are being written",
        [DRAIN_SAVING] = "state is being saved",
        [DRAIN_COMMITTING] = "offsets are being committed",
        [DRAIN_LEAVING] = "the group is being left",
        [DRAIN_DONE] = "",
    };
    if (stages[engine->drain][0])
        text_printf(out, "drain: %s", stages[engine->drain]);
}

static void say_rebuild(const struct partition *partition, struct text *out)
{
    const struct rebuild *rebuild = &partition->rebuild;
    struct shard_status status;
    shard_status(partition->shard, &status);
    text_append_string(out, "rebuild: ");
    rebuild_append(partition, out);
    int64_t all = partition_end(partition) - rebuild->offset;
    if (rebuild->state == REBUILD_READING && all > 0)
        text_printf(out, ", %lld of %lld records read (%lld %%)",
                    (long long)(status.next_offset - rebuild->offset), (long long)all,
                    (long long)((status.next_offset - rebuild->offset) * 100 / all));
}

static void say_resync(const struct engine *engine, struct text *out)
{
    uint64_t rows = 0;
    int shards = 0;
    for (int k = 0; k < engine->partition_count; k++) {
        struct partition *partition = engine->partitions[k];
        struct shard_status status;
        if (rebuild_pending(partition) || shard_lease(partition->shard)->resync == LEASE_SYNCED)
            continue;
        shard_status(partition->shard, &status);
        rows += status.unsynced;
        shards++;
    }
    if (shards > 0)
        text_printf(out, "resync: %llu rows of %d shards left, then rows without state are removed",
                    (unsigned long long)rows, shards);
}

static void say_checkpoints(const struct engine *engine, struct text *out)
{
    int shards = 0;
    for (int k = 0; k < engine->partition_count; k++)
        shards += engine->partitions[k]->checkpoint_wanted;
    if (shards > 0)
        text_printf(out, "checkpoint: %d shards left", shards);
}

void status_work(const struct engine *engine, struct text *out)
{
    static void (*const parts[])(const struct engine *engine, struct text *out) = {
        say_drain, say_checkpoints, say_resync};
    size_t before = out->len;
    for (int k = 0; k < engine->partition_count; k++) {
        if (!rebuild_pending(engine->partitions[k]))
            continue;
        begin_part(out, before);
        say_rebuild(engine->partitions[k], out);
    }
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        struct text part = {0};
        parts[k](engine, &part);
        if (part.len > 0)
            begin_part(out, before);
        text_append(out, part.data, part.len);
        text_free(&part);
    }
}
