/* Records of keys: their state, their going, their rows that wait; and ids of events. */
#include <string.h>

#include "accumulatorsave.h"
#include "checkpointreading.h"
#include "hash.h"

static bool get_accumulators(struct checkpoint_loader *loader, struct segment_reader *in, int place,
                             char *accs)
{
    const struct checkpoint_layout *layout = &loader->layout;
    struct shard *shard = loader->shard;
    for (int k = layout->first[place]; k < layout->first[place + 1]; k++) {
        const struct feature *feature =
            layout->features[k] < 0 ? NULL : &shard->rules->set->features[layout->features[k]];
        if (feature ? !accumulator_load(in, shard->rules->set, feature, &shard->pool,
                                        accs + feature->acc_offset)
                    : !accumulator_skip(in))
            return false;
    }
    return true;
}

static bool is_event_time(int64_t t_ms)
{
    return t_ms >= 0 && t_ms <= RULES_EVENT_TIME_MAX_MS;
}

static bool get_span(struct segment_reader *in, int64_t *start_ms, int64_t *last_ms)
{
    *start_ms = segment_get_signed(in);
    int64_t length = segment_get_signed(in);
    *last_ms = clock_add_ms(*start_ms, length);
    if (in->broken || length < 0 || !is_event_time(*start_ms) || !is_event_time(*last_ms))
        return segment_fail(in);
    return true;
}

static struct session *get_session(struct checkpoint_loader *loader, struct segment_reader *in)
{
    struct shard *shard = loader->shard;
    int64_t start_ms, last_ms;
    if (!get_span(in, &start_ms, &last_ms))
        return NULL;
    struct session *session = pool_alloc(&shard->pool, session_bytes(shard->rules));
    session->start_ms = start_ms;
    session->last_ms = last_ms;
    session->id = segment_get_signed(in);
    session->events = (uint32_t)segment_get_at_most(in, UINT32_MAX);
    session->rev = segment_get_at_most(in, SESSION_REV_MAX) & SESSION_REV_MAX;
    get_accumulators(loader, in, PLACE_SESSION, session->acc);
    if (rules_part_sessions(shard->rules)) {
        struct session_part *part = session_part(shard->rules, session);
        part->start_offset = segment_get_signed(in);
        part->end_ms = segment_get_signed(in);
        part->end_offset = segment_get_signed(in);
        held_load(in, &shard->pool, &part->tracker, -1);
    }
    return session;
}

static bool get_past(struct checkpoint_loader *loader, struct segment_reader *in,
                     struct sessions *sessions)
{
    uint32_t count = (uint32_t)segment_get_at_most(in, SESSION_PAST_MAX);
    if (count == 0)
        return !in->broken;
    struct session_past *past = pool_alloc(
        &loader->shard->pool, sizeof *past + count * sizeof past->spans[0]);
    sessions->past = past;
    past->count = count;
    past->older.start_ms = segment_get_signed(in);
    past->older.last_ms = segment_get_signed(in);
    bool none = past->older.start_ms == INT64_MIN;
    if (!is_event_time(past->older.last_ms) || !(none || is_event_time(past->older.start_ms)))
        return segment_fail(in);
    for (uint32_t k = 0; k < count; k++)
        if (!get_span(in, &past->spans[k].start_ms, &past->spans[k].last_ms))
            return false;
    return true;
}

static bool get_sessions(struct checkpoint_loader *loader, struct segment_reader *in,
                         struct sessions *sessions)
{
    uint32_t live = (uint32_t)segment_get_at_most(in, UINT32_MAX);
    struct session **tail = &sessions->live;
    for (; sessions->live_count < live && !in->broken; sessions->live_count++) {
        *tail = get_session(loader, in);
        if (*tail)
            tail = &(*tail)->next;
    }
    sessions->settled_count = (uint32_t)segment_get_at_most(in, UINT32_MAX);
    if (segment_get_at_most(in, 1))
        sessions->settled = get_session(loader, in);
    return !in->broken && get_past(loader, in, sessions);
}

/* Events are not before the epoch, and panes begin up to a phase and a hop before theirs. */
static bool is_pane_index(const struct feature_window *window, int64_t index)
{
    if (feature_window_is_lifetime(window))
        return index == 0;
    int64_t bound = RULES_EVENT_TIME_MAX_MS / window->hop.ms + 1;
    return index >= -WINDOW_PHASE_MODULUS_MS / window->hop.ms - 1 && index <= bound;
}

static bool get_panes(struct checkpoint_loader *loader, struct segment_reader *in, int place,
                      struct entity *entity)
{
    struct shard *shard = loader->shard;
    const struct feature_set *set = shard->rules->set;
    int window = loader->layout.windows[place - PLACE_WINDOWS];
    uint64_t count = segment_get_number(in);
    int64_t index = 0;
    for (uint64_t k = 0; k < count && !in->broken; k++) {
        int64_t before = index;
        index = clock_add_ms(index, segment_get_signed(in));
        char *accs = NULL;
        if (window >= 0) {
            if (in->broken || (k > 0 && index <= before) ||
                !is_pane_index(&set->windows[window], index))
                return segment_fail(in);
            accs = pane_acc(panes_get(set, window, &shard->pool, &entity->windows[window], index,
                                      INT64_MIN));
        }
        get_accumulators(loader, in, place, accs);
    }
    return !in->broken;
}

/* Empty, and without a place in a queue. */
static struct entity *fresh_entity(struct checkpoint_loader *loader, const char *key, size_t len,
                                   uint32_t *handle)
{
    struct shard *shard = loader->shard;
    uint64_t hash = hash_bytes(key, len);
    *handle = entity_find(shard, key, len, hash);
    if (*handle == KEYTABLE_NONE) {
        *handle = entity_create(shard, key, len, hash);
        return entity_at(shard, *handle);
    }
    entity_clean(shard, *handle);
    entity_release_state(shard, entity_at(shard, *handle));
    return entity_at(shard, *handle);
}

static uint32_t expiry(const struct checkpoint_loader *loader, uint64_t age)
{
    if (age == 0)
        return 0;
    uint32_t then = loader->now_s - (uint32_t)(age - 1) - (uint32_t)loader->age_s;
    return then ? then : UINT32_MAX;
}

bool checkpoint_read_key(struct checkpoint_loader *loader, struct segment_reader *in)
{
    size_t len;
    const char *key = segment_get_bytes(in, &len);
    if (len == 0 || len > RULES_KEY_MAX)
        return checkpoint_damaged(loader, "the key is too long");
    if (!loader->shard)
        return true;
    uint32_t handle;
    struct entity *entity = fresh_entity(loader, key, len, &handle);
    unsigned flags = (unsigned)segment_get_at_most(in, UINT8_MAX);
    unsigned queue = flags >> KEY_QUEUE_SHIFT;
    entity->flags = (uint8_t)(ENTITY_USED | (flags & KEY_FLAGS));
    entity->touched = (uint32_t)loader->about.segments + 1;
    entity->offset = segment_get_signed(in);
    entity->expire_s = expiry(loader, segment_get_at_most(in, INT32_MAX));
    get_sessions(loader, in, &entity->sessions);
    for (int w = 0; w < loader->layout.window_count && !in->broken; w++)
        get_panes(loader, in, PLACE_WINDOWS + w, entity);
    if (in->broken || segment_left(in) > 0 || queue > QUEUE_DECAY)
        return checkpoint_damaged(loader, "the state of a key makes no sense");
    if (queue != QUEUE_NONE)
        entity_dirty(loader->shard, handle, (enum entity_queue)queue);
    return true;
}

/* ---- REMOVED, DIRTY ---- */

static void remove_key(struct shard *shard, uint32_t handle)
{
    struct entity *entity = entity_at(shard, handle);
    entity_clean(shard, handle);
    entity_release_state(shard, entity);
    entity->flags |= ENTITY_FORGOTTEN;
    shard->live_keys--;
    shard->forgotten_keys++;
    entity_drop_if_done(shard, handle);
}

/* A key that came back has a record in the same segment, before or behind this one. */
bool checkpoint_read_removed(struct checkpoint_loader *loader, struct segment_reader *in)
{
    size_t len;
    const char *key = segment_get_bytes(in, &len);
    if (in->broken || segment_left(in) > 0)
        return checkpoint_damaged(loader, "a removed key makes no sense");
    if (!loader->shard)
        return true;
    uint32_t handle = entity_find(loader->shard, key, len, hash_bytes(key, len));
    if (handle != KEYTABLE_NONE &&
        entity_at(loader->shard, handle)->touched != (uint32_t)loader->about.segments + 1)
        remove_key(loader->shard, handle);
    return true;
}

bool checkpoint_read_dirty(struct checkpoint_loader *loader, struct segment_reader *in)
{
    uint64_t queue = segment_get_at_most(in, QUEUE_DECAY);
    size_t len;
    const char *key = segment_get_bytes(in, &len);
    if (in->broken || segment_left(in) > 0 || queue == QUEUE_NONE)
        return checkpoint_damaged(loader, "a dirty key makes no sense");
    if (!loader->shard)
        return true;
    uint32_t handle = entity_find(loader->shard, key, len, hash_bytes(key, len));
    if (handle == KEYTABLE_NONE)
        return checkpoint_damaged(loader, "a key that is to be written is not there");
    entity_dirty(loader->shard, handle, (enum entity_queue)queue);
    return true;
}

/* ---- IDS ---- */

bool checkpoint_read_ids(struct checkpoint_loader *loader, struct segment_reader *in)
{
    while (segment_left(in) > 0) {
        struct hash128 fingerprint;
        fingerprint.low = segment_get_u64(in);
        fingerprint.high = segment_get_u64(in);
        int64_t until_ms = segment_get_signed(in);
        if (in->broken || until_ms < 0)
            return checkpoint_damaged(loader, "the id of an event makes no sense");
        if (loader->shard)
            dedup_put(&loader->shard->dedup, &fingerprint, until_ms);
    }
    return true;
}
