/* Late and dead-letter records: sent once they are known to be new, and committed only when stored.
 *
 * The rule (design: delivery, LATE): a record is sent only when its offset is not below the group's
 * committed offset, and the committed offset never passes one that is not stored yet. So a record
 * below a commit is never sent twice, and none is lost. */
#include <string.h>

#include "engine.h"
#include "expect.h"
#include "failpoint.h"
#include "log.h"
#include "pool.h"

static struct reject *reject_at(const struct rejects *rejects, size_t k)
{
    return &rejects->list[(rejects->head + k) % rejects->capacity];
}

static const char *reject_topic(const struct config *config, enum fate fate)
{
    const char *topic = fate_rows[fate].class == FATE_LATE_TOPIC    ? config->late_topic
                        : fate_rows[fate].class == FATE_DEAD_LETTER ? config->late_dead_letter_topic
                                                                    : "";
    return topic[0] ? topic : NULL;
}

static struct reject *reject_append(struct rejects *rejects)
{
    if (rejects->count == rejects->capacity) {
        size_t capacity = rejects->capacity ? 2 * rejects->capacity : 64;
        struct reject *grown = memory_alloc(capacity * sizeof *grown);
        for (size_t k = 0; k < rejects->count; k++)
            grown[k] = *reject_at(rejects, k);
        memory_free(rejects->list);
        rejects->list = grown;
        rejects->head = 0;
        rejects->capacity = capacity;
    }
    rejects->count++;
    return reject_at(rejects, rejects->count - 1);
}

static void log_reject(const struct partition *partition, const struct kafka_message *message,
                       const struct verdict *verdict)
{
    log_warning("record_rejected", "fate=%s partition=%d offset=%lld late_by_ms=%lld reason=%Q",
                fate_rows[verdict->fate].name, partition->id, (long long)message->offset,
                (long long)verdict->late_by_ms, fate_rows[verdict->fate].sentence);
}

/* The opaque of a produced record: partition and offset, valid also when the partition is gone. */
struct reject_ticket {
    int32_t partition;
    int64_t offset;
};

static bool reject_send(struct partition *partition, struct reject *reject)
{
    struct engine *engine = partition->engine;
    struct shard_status status;
    shard_status(partition->shard, &status);
    struct kafka_rejection rejection = {
        .source_topic = engine->config->kafka_topic,
        .fate = fate_rows[reject->verdict.fate].name,
        .reason = fate_rows[reject->verdict.fate].sentence,
        .schema_id = reject->schema_id,
        .watermark_ms = status.watermark.ms,
        .late_by_ms = reject->verdict.late_by_ms > 0 ? reject->verdict.late_by_ms : -1,
    };
    struct reject_ticket *ticket = memory_alloc(sizeof *ticket);
    *ticket = (struct reject_ticket){partition->id, reject->offset};
    const char *topic = reject_topic(engine->config, reject->verdict.fate);
    if (!kafka_produce_rejected(engine->producer, topic, &reject->message, &rejection, ticket)) {
        memory_free(ticket);
        return false;
    }
    reject->sent = true;
    engine->totals.rejects_sent++;
    return true;
}

bool reject_take(struct partition *partition, const struct kafka_message *message,
                 const struct verdict *verdict, int64_t schema_id)
{
    if (!reject_topic(partition->engine->config, verdict->fate)) {
        log_reject(partition, message, verdict);
        return false;
    }
    if (message->offset < partition->committed)
        return false; /* stored before the commit */
    struct reject *reject = reject_append(&partition->rejects);
    *reject = (struct reject){
        .offset = message->offset,
        .message = *message,
        .verdict = *verdict,
        .schema_id = schema_id,
    };
    return !reject_send(partition, reject);
}

void rejects_send_waiting(struct partition *partition)
{
    for (size_t k = 0; k < partition->rejects.count; k++) {
        struct reject *reject = reject_at(&partition->rejects, k);
        if (reject->sent)
            continue;
        if (!reject_send(partition, reject))
            return;
        kafka_message_done(reject->message.owner);
    }
}

void rejects_drop_from(struct rejects *rejects, int64_t offset)
{
    for (; rejects->count > 0; rejects->count--) {
        const struct reject *last = reject_at(rejects, rejects->count - 1);
        if (last->offset < offset)
            return;
        if (!last->sent)
            kafka_message_done(last->message.owner);
    }
}

void rejects_drop(struct rejects *rejects)
{
    rejects_drop_from(rejects, INT64_MIN);
    memory_free(rejects->list);
    *rejects = (struct rejects){0};
}

static void reject_stored(struct rejects *rejects, int64_t offset)
{
    for (size_t k = 0; k < rejects->count; k++)
        if (reject_at(rejects, k)->offset == offset)
            reject_at(rejects, k)->stored = true;
    while (rejects->count && reject_at(rejects, 0)->stored) {
        rejects->head = (rejects->head + 1) % rejects->capacity;
        rejects->count--;
    }
}

void reject_delivered(void *data, void *opaque, bool ok, const char *text)
{
    struct engine *engine = data;
    struct reject_ticket *ticket = opaque;
    struct partition *partition = engine_partition(engine, ticket->partition);
    if (ok) {
        failpoint_before(FAILPOINT_LATE_STORED);
        engine->totals.rejects_stored++;
        if (partition) {
            reject_stored(&partition->rejects, ticket->offset);
            partition_update_pauses(partition);
        } else {
            reject_stored(&engine_kept(engine, ticket->partition)->rejects, ticket->offset);
        }
        failpoint_after(FAILPOINT_LATE_STORED);
    } else {
        /* Not stored and not retried: the commit stays below it, so a restart sends it again. */
        engine->totals.rejects_failed++;
        log_error("reject_not_stored", "partition=%d offset=%lld reason=%Q action=%Q",
                  ticket->partition, (long long)ticket->offset, text,
                  "commits stop before this offset; repair the topic and restart");
    }
    memory_free(ticket);
}

int64_t rejects_first_offset(const struct rejects *rejects)
{
    return reject_at(rejects, 0)->offset;
}

/* Never past the newest checkpoint: see checkpoint.h. */
int64_t reject_commit_offset(const struct partition *partition)
{
    struct shard_status status;
    shard_status(partition->shard, &status);
    int64_t offset =
        partition->engine->checkpointer.store ? partition->chain.offset : status.next_offset;
    if (partition->rejects.count && rejects_first_offset(&partition->rejects) < offset)
        offset = rejects_first_offset(&partition->rejects);
    return offset > partition->committed ? offset : partition->committed;
}

/* ---- commits ---- */

struct commit {
    struct engine *engine;
    kafka_commit_done *done;
    void *data;
    size_t count;
    struct kafka_offset offsets[];
};

static void on_commit(void *data, bool ok, const char *text)
{
    struct commit *commit = data;
    struct engine *engine = commit->engine;
    engine->totals.commits += ok;
    engine->totals.commit_failures += !ok;
    for (size_t k = 0; k < commit->count; k++) {
        struct partition *partition = engine_partition(engine, commit->offsets[k].partition);
        if (!partition)
            continue;
        partition->commit_busy = false;
        if (ok && commit->offsets[k].offset > partition->committed)
            partition->committed = commit->offsets[k].offset;
    }
    if (!ok)
        log_warning("commit_failed", "reason=%Q", text);
    else
        failpoint_after(FAILPOINT_COMMIT);
    if (commit->done)
        commit->done(commit->data, ok, text);
    memory_free(commit);
}

void engine_commit(struct engine *engine, kafka_commit_done *done, void *data)
{
    struct commit *commit = memory_alloc(
        sizeof *commit + (size_t)engine->partition_count * sizeof commit->offsets[0]);
    *commit = (struct commit){.engine = engine, .done = done, .data = data};
    for (int k = 0; k < engine->partition_count; k++) {
        struct partition *partition = engine->partitions[k];
        int64_t offset = reject_commit_offset(partition);
        bool news = offset > partition->committed && !partition->commit_busy;
        if (offset < 0 || (!news && !done))
            continue;
        partition->commit_busy = true;
        commit->offsets[commit->count++] = (struct kafka_offset){partition->id, offset};
    }
    if (commit->count > 0) {
        failpoint_before(FAILPOINT_COMMIT);
        kafka_commit(engine->kafka, commit->offsets, commit->count, on_commit, commit);
        return;
    }
    memory_free(commit);
    if (done)
        done(data, true, "");
}
