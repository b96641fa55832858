/* One key for operators: its row as it would be written now, and why it is what it is. */
#include <string.h>

#include "hash.h"
#include "rowhash.h"
#include "status.h"

/* Fields as they stand in Redis, in a column; a feature that is null has no field there. */
static void append_row(const struct row *row, struct text *out)
{
    int width = (int)strlen("_as_of");
    for (int f = 0; f < row->set->count; f++) {
        int len = (int)strlen(row->set->features[f].name);
        width = len > width ? len : width;
    }
    for (int f = 0; f < row->set->count; f++) {
        text_printf(out, "%-*s ", width, row->set->features[f].name);
        if (row->values[f].type == VALUE_NULL)
            text_append_string(out, "(null)");
        else
            rowhash_append_value(&row->values[f], out);
        text_append_char(out, '\n');
    }
    text_printf(out, "%-*s %lld\n", width, "_as_of", (long long)row->as_of.ms);
    text_printf(out, "%-*s %llu\n", width, "_rev", (unsigned long long)row->rev);
    text_printf(out, "%-*s %016llx\n", width, "_v", (unsigned long long)row->set->version);
    text_printf(out, "%-*s %d\n", width, "_p", row->partition);
    text_printf(out, "%-*s %lld\n", width, "_o", (long long)row->offset);
    if (row->warming)
        text_printf(out, "%-*s %s\n", width, "_w", row->warming);
}

bool status_row(struct engine *engine, const char *key, size_t len, struct text *out)
{
    for (int k = 0; k < engine->partition_count; k++) {
        struct row row;
        arena_reset(&engine->arena);
        if (!shard_peek(engine->partitions[k]->shard, key, len, &engine->arena, &row))
            continue;
        append_row(&row, out);
        return true;
    }
    return false;
}

/* The newest late event of the key that is still remembered. */
static void explain_late(const struct partition *partition, const char *key, size_t len,
                         struct text *out)
{
    uint64_t hash = hash_bytes(key, len);
    for (uint32_t k = 0; k < ENGINE_LATE_NOTES && k < partition->late_noted; k++) {
        const struct late_note *note =
            &partition->late_notes[(partition->late_noted - 1 - k) % ENGINE_LATE_NOTES];
        if (note->key_hash != hash)
            continue;
        text_printf(out, "late       newest at offset %lld: %s, ", (long long)note->offset,
                    fate_rows[note->fate].name);
        text_append_duration(out, note->late_by_ms);
        text_printf(out, " behind the watermark\n           %s\n", fate_rows[note->fate].sentence);
        return;
    }
    text_append_string(out, "late       no late event of this key is remembered\n");
}

bool status_explain(struct engine *engine, const char *key, size_t len, struct text *out)
{
    for (int k = 0; k < engine->partition_count; k++) {
        const struct partition *partition = engine->partitions[k];
        if (!shard_explain(partition->shard, key, len, out))
            continue;
        explain_late(partition, key, len, out);
        return true;
    }
    return false;
}
