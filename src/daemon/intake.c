/* Messages become records: framing, writer schema, decoding; then the shard gives each a fate.
 *
 * Order within a partition is kept: when a message needs a schema that the registry has not given
 * yet, everything behind it waits, the partition is paused, and others go on. */
#include <string.h>

#include "decode_message.h"
#include "engine.h"
#include "expect.h"
#include "hash.h"
#include "log.h"
#include "pool.h"

enum { FIFO_FIRST_CAPACITY = 256 };

static struct kafka_message *fifo_at(const struct partition *partition, size_t k)
{
    return &partition->fifo[(partition->fifo_head + k) % partition->fifo_capacity];
}

static void fifo_grow(struct partition *partition)
{
    size_t capacity = partition->fifo_capacity ? 2 * partition->fifo_capacity : FIFO_FIRST_CAPACITY;
    struct kafka_message *grown = memory_alloc(capacity * sizeof *grown);
    for (size_t k = 0; k < partition->fifo_count; k++)
        grown[k] = *fifo_at(partition, k);
    memory_free(partition->fifo);
    partition->fifo = grown;
    partition->fifo_head = 0;
    partition->fifo_capacity = capacity;
}

void intake_push(struct partition *partition, const struct kafka_message *message)
{
    if (partition->fifo_count == partition->fifo_capacity)
        fifo_grow(partition);
    partition->fifo_count++;
    *fifo_at(partition, partition->fifo_count - 1) = *message;
    partition->consumed++;
    partition->engine->totals.consumed++;
    partition->last_record = engine_now(partition->engine);
    partition->end_seen = false;
}

static void fifo_pop(struct partition *partition)
{
    partition->fifo_head = (partition->fifo_head + 1) % partition->fifo_capacity;
    partition->fifo_count--;
}

void intake_drop(struct partition *partition)
{
    for (; partition->fifo_count > 0; fifo_pop(partition)) {
        kafka_message_done(fifo_at(partition, 0)->owner);
        partition->engine->totals.dropped++;
    }
    memory_free(partition->fifo);
    partition->fifo = NULL;
    partition->fifo_capacity = 0;
}

/* ---- one message ---- */

/* False: its schema is not known yet. */
static bool decode(struct engine *engine, const struct kafka_message *message,
                   struct record *record, int64_t *schema_id)
{
    struct value *slots =
        arena_alloc(&engine->arena, (size_t)engine->model->slot_count * sizeof *slots);
    struct decoded decoded = {.record = record, .slots = slots};
    bool known = decode_message(engine->config, engine->writers, message, &decoded);
    *schema_id = decoded.schema_id;
    return known;
}

/* ---- a chunk ---- */

static void note_late(struct partition *partition, const struct record *record,
                      const struct verdict *verdict)
{
    const struct rules *rules = &partition->engine->model->rules;
    char digits[RULES_KEY_DIGITS];
    size_t len;
    const char *key = rules_key(&record->slots[rules->key_slot], digits, &len);
    partition->late_notes[partition->late_noted++ % ENGINE_LATE_NOTES] = (struct late_note){
        .key_hash = hash_bytes(key, len),
        .offset = record->offset,
        .late_by_ms = verdict->late_by_ms,
        .fate = verdict->fate,
    };
}

static void settle_message(struct partition *partition, const struct kafka_message *message,
                           const struct record *record, const struct verdict *verdict,
                           int64_t schema_id)
{
    struct engine *engine = partition->engine;
    engine->totals.fates[verdict->fate]++;
    enum fate_class class = fate_rows[verdict->fate].class;
    if (verdict->fate == FATE_LATE || verdict->fate == FATE_WINDOWS_ONLY) {
        histogram_add(&engine->late_ms, verdict->late_by_ms);
        note_late(partition, record, verdict);
    }
    bool kept = (class == FATE_LATE_TOPIC || class == FATE_DEAD_LETTER) &&
                reject_take(partition, message, verdict, schema_id);
    if (!kept)
        kafka_message_done(message->owner);
}

/* Decodes and applies up to a chunk; returns how many messages are done. */
static int run_chunk(struct partition *partition)
{
    struct engine *engine = partition->engine;
    int64_t schema_ids[ENGINE_CHUNK];
    int count = 0;
    bool waits = false;
    arena_reset(&engine->arena);
    while (count < ENGINE_CHUNK && (size_t)count < partition->fifo_count && !waits) {
        waits = !decode(engine, fifo_at(partition, (size_t)count), &engine->records[count],
                        &schema_ids[count]);
        count += !waits;
    }
    partition_pause(partition, PAUSE_SCHEMA, waits);
    if (count == 0)
        return 0;
    shard_apply(partition->shard, engine->records, count, engine->verdicts);
    for (int k = 0; k < count; k++) {
        settle_message(partition, fifo_at(partition, 0), &engine->records[k], &engine->verdicts[k],
                       schema_ids[k]);
        fifo_pop(partition);
    }
    return count;
}

void intake_run(struct partition *partition)
{
    rejects_send_waiting(partition);
    while (partition->fifo_count > 0 && run_chunk(partition) > 0)
        ;
    partition_update_pauses(partition);
}
