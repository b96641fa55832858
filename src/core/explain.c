/* What is known of one key, in words for an operator. */
#include "hash.h"
#include "shardstate.h"
#include "text.h"

static void explain_time(struct text *out, const char *what, int64_t ms)
{
    if (ms == INT64_MIN || ms == INT64_MAX)
        text_printf(out, "%s none\n", what);
    else
        text_printf(out, "%s %lld\n", what, (long long)ms);
}

static void explain_session(struct text *out, const struct rules *rules,
                            const struct session *session, const char *state, int64_t watermark_ms)
{
    text_printf(out, "  session %lld: %s, %u events, start %lld, last %lld, duration ",
                (long long)session->id, state, session->events, (long long)session->start_ms,
                (long long)session->last_ms);
    text_append_duration(out, session->last_ms - session->start_ms);
    int64_t deadline = clock_add_ms(session->last_ms, rules->gap.ms);
    text_printf(out, "; deadline %lld (%s the watermark), corrected %u times\n",
                (long long)deadline, deadline < watermark_ms ? "behind" : "ahead of",
                session->rev);
}

static void explain_sessions(struct text *out, const struct shard *shard,
                             const struct sessions *sessions)
{
    int64_t watermark = shard_watermark_ms(shard);
    text_printf(out, "sessions in this life %u, of which immutable %u\n",
                sessions->live_count + sessions->settled_count, sessions->settled_count);
    for (const struct session *session = sessions->live; session; session = session->next) {
        const char *state = !session_closed(shard->rules, session->last_ms, watermark) ? "open"
                            : session_live(shard->rules, session->last_ms, watermark)
                                ? "closed, may still be corrected"
                                : "closed, immutable";
        explain_session(out, shard->rules, session, state, watermark);
    }
    if (sessions->settled)
        explain_session(out, shard->rules, sessions->settled, "closed, immutable", watermark);
}

static void explain_windows(struct text *out, const struct shard *shard,
                            const struct entity *entity)
{
    const struct feature_set *set = shard->rules->set;
    int64_t phase = entity_phase_ms(entity);
    for (int w = 0; w < set->window_count; w++) {
        const struct feature_window *window = &set->windows[w];
        struct panes *panes = entity->windows[w];
        text_append_string(out, "  ");
        feature_window_append(out, window);
        if (!panes || panes->count == 0) {
            text_append_string(out, ": empty\n");
            continue;
        }
        if (feature_window_is_lifetime(window)) {
            text_append_string(out, ": never leaves\n");
            continue;
        }
        int64_t oldest = *pane_at(window, panes, 0);
        int64_t newest = *pane_at(window, panes, panes->count - 1);
        text_printf(out, ": %d panes, from %lld to %lld, the newest leaves at %lld\n", panes->count,
                    (long long)(oldest * window->hop.ms + phase),
                    (long long)((newest + 1) * window->hop.ms + phase),
                    (long long)pane_leaves_ms(window, phase, newest));
    }
}

static void explain_delivery(struct text *out, const struct shard *shard,
                             const struct entity *entity)
{
    static const char *const queues[] = {"clean", "dirty: events not written yet",
                                         "dirty: time has changed it"};
    text_printf(out, "row %s; in flight in %u batches%s%s\n", queues[entity->queue],
                entity->inflight, entity->flags & ENTITY_FORGOTTEN ? "; forgotten" : "",
                lease_may_write(&shard->lease, shard->next_offset) ? "" : "; writes are held");
    text_printf(out, "newest offset %lld\n", (long long)entity->offset);
    explain_time(out, "next change by time at as_of", entity->armed_ms);
}

bool shard_explain(const struct shard *shard, const char *key, size_t len, struct text *out)
{
    uint32_t handle = entity_find(shard, key, len, hash_bytes(key, len));
    if (handle == KEYTABLE_NONE)
        return false;
    const struct entity *entity = entity_at(shard, handle);
    text_printf(out, "partition %d\n", shard->partition);
    explain_time(out, "watermark", shard_watermark_ms(shard));
    explain_time(out, "as_of", shard->as_of_ms);
    explain_sessions(out, shard, &entity->sessions);
    explain_windows(out, shard, entity);
    explain_delivery(out, shard, entity);
    return true;
}
