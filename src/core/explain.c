/* What is known of one key, in words for an operator: a label and what it says, as in STATUS. */
#include "hash.h"
#include "shardstate.h"
#include "text.h"

static void explain_time(struct text *out, const char *label, int64_t ms, const char *none)
{
    text_printf(out, "%-10s ", label);
    if (ms == INT64_MIN || ms == INT64_MAX)
        text_append_string(out, none);
    else
        text_append_event_time(out, ms);
    text_append_char(out, '\n');
}

static void explain_session(struct text *out, const struct rules *rules,
                            const struct session *session, int64_t watermark_ms)
{
    int64_t deadline_ms = clock_add_ms(session->last_ms, rules->gap.ms);
    bool is_closed = session_closed(rules, session->last_ms, watermark_ms);
    text_printf(out, "  %-8lld ", (long long)session->id);
    if (!is_closed)
        text_append_string(out, "open");
    else if (session_live(rules, session->last_ms, watermark_ms))
        text_append_string(out, "closed, may still be corrected");
    else
        text_append_string(out, "closed, immutable");
    text_printf(out, ": %u events from ", session->events);
    text_append_event_time(out, session->start_ms);
    text_append_string(out, " to ");
    text_append_event_time(out, session->last_ms);
    text_append_string(out, ", ");
    text_append_duration(out, session->last_ms - session->start_ms);
    if (session->rev > 0)
        text_printf(out, ", corrections %u", session->rev);
    text_append_string(out, is_closed ? "\n           closed when the watermark passed "
                                      : "\n           closes when the watermark passes ");
    text_append_event_time(out, deadline_ms);
    text_append_char(out, '\n');
}

static void explain_sessions(struct text *out, const struct shard *shard,
                             const struct sessions *sessions)
{
    int64_t watermark = shard_watermark_ms(shard);
    text_printf(out, "sessions   %u in this life of the key, of which immutable %u\n",
                sessions->live_count + sessions->settled_count, sessions->settled_count);
    for (const struct session *session = sessions->live; session; session = session->next)
        explain_session(out, shard->rules, session, watermark);
    if (sessions->settled)
        explain_session(out, shard->rules, sessions->settled, watermark);
}

static void explain_windows(struct text *out, const struct shard *shard,
                            const struct entity *entity)
{
    const struct feature_set *set = shard->rules->set;
    int64_t phase = entity_phase_ms(entity);
    if (set->window_count > 0)
        text_printf(out, "windows    %5s %5s %5s  %-24s  %s\n", "over", "hop", "panes",
                    "oldest begins", "newest leaves");
    for (int w = 0; w < set->window_count; w++) {
        const struct feature_window *window = &set->windows[w];
        const struct panes *panes = entity->windows[w];
        if (feature_window_is_lifetime(window)) {
            text_printf(out, "           %11s %5d  never leaves\n", "lifetime",
                        panes ? panes->count : 0);
            continue;
        }
        struct text length = {0}, hop = {0};
        text_append_duration(&length, window->length.ms);
        text_append_duration(&hop, window->hop.ms);
        text_printf(out, "           %5s %5s %5d", length.data, hop.data, panes ? panes->count : 0);
        text_free(&length);
        text_free(&hop);
        if (panes && panes->count > 0) {
            int64_t oldest = *pane_at(window, entity->windows[w], 0);
            int64_t newest = *pane_at(window, entity->windows[w], panes->count - 1);
            text_append_string(out, "  ");
            text_append_event_time(out, oldest * window->hop.ms + phase);
            text_append_string(out, "  ");
            text_append_event_time(out, pane_leaves_ms(window, phase, newest));
        }
        text_append_char(out, '\n');
    }
}

static void explain_delivery(struct text *out, const struct shard *shard,
                             const struct entity *entity)
{
    static const char *const queues[] = {"clean", "dirty: events not written yet",
                                         "dirty: time has changed it"};
    text_printf(out, "row        %s; in %u batches in flight%s%s\n", queues[entity->queue],
                entity->inflight,
                entity->flags & ENTITY_FORGOTTEN ? "; forgotten" : "",
                lease_may_write(&shard->lease, shard->next_offset) ? "" : "; writes are held");
    text_printf(out, "offset     %lld, of its newest event\n", (long long)entity->offset);
    explain_time(out, "changes by", entity->armed_ms, "events only");
}

bool shard_explain(const struct shard *shard, const char *key, size_t len, struct text *out)
{
    uint32_t handle = entity_find(shard, key, len, hash_bytes(key, len));
    if (handle == KEYTABLE_NONE)
        return false;
    const struct entity *entity = entity_at(shard, handle);
    text_append_string(out, "key        ");
    text_append(out, key, len);
    text_printf(out, ", partition %d\n", shard->partition);
    explain_time(out, "watermark", shard_watermark_ms(shard), "none yet");
    explain_time(out, "as_of", shard->as_of_ms, "none yet");
    explain_sessions(out, shard, &entity->sessions);
    explain_windows(out, shard, entity);
    explain_delivery(out, shard, entity);
    return true;
}
