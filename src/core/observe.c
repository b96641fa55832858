/* Effects of a shard that is observed, and rows that are no emission. */
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "hash.h"
#include "shardstate.h"

enum { DUE_FIRST_CAPACITY = 64 };

void shard_observe(struct shard *shard, unsigned kinds, effect_observer *observer, void *context)
{
    expect(shard->next_offset == 0 && shard->lease.state == LEASE_NONE);
    shard->observed = kinds;
    shard->observer = observer;
    shard->observer_context = context;
}

/* ---- telling ---- */

static struct effect effect_new(const struct shard *shard, enum effect_kind kind)
{
    return (struct effect){
        .kind = kind,
        .offset = shard->cause_offset,
        .as_of.ms = shard->as_of_ms,
        .watermark.ms = shard_watermark_ms(shard),
    };
}

static void tell(const struct shard *shard, const struct effect *effect)
{
    if (shard->observed & 1u << effect->kind)
        shard->observer(shard->observer_context, shard, effect);
}

static void tell_key(const struct shard *shard, const struct entity *entity, enum effect_kind kind,
                     const struct session *session)
{
    struct effect effect = effect_new(shard, kind);
    effect.key = entity_key(entity);
    effect.key_len = entity->key_len;
    effect.shown = session;
    if (session)
        effect.session = (struct effect_session){
            .id = session->id,
            .start_ms = session->start_ms,
            .last_ms = session->last_ms,
            .events = session->events,
            .rev = session->rev,
            .open = !row_session_closed(shard->rules, session, shard->as_of_ms),
        };
    tell(shard, &effect);
}

void observe_arrival(struct shard *shard, const char *key, size_t len, int64_t ts_ms,
                     int64_t raw_ms)
{
    struct effect effect = effect_new(shard, EFFECT_ARRIVED);
    effect.key = key;
    effect.key_len = len;
    effect.ts.ms = ts_ms;
    effect.raw.ms = raw_ms > shard->raw_ms ? raw_ms : shard->raw_ms;
    tell(shard, &effect);
}

void observe_ended(struct shard *shard, const char *key, size_t len, int64_t ts_ms,
                   struct verdict verdict)
{
    struct effect effect = effect_new(shard, EFFECT_ENDED);
    effect.key = len > 0 && len <= RULES_KEY_MAX ? key : NULL;
    effect.key_len = effect.key ? len : 0;
    effect.ts.ms = ts_ms;
    effect.verdict = verdict;
    tell(shard, &effect);
}

/* ---- what time does ---- */

struct effect_due {
    int64_t at_ms;
    uint32_t handle;
    const struct entity *entity;
    struct session *session; /* that closes; NULL: the key's row decays */
};

static void due_add(struct shard *shard, struct effect_due due)
{
    if (shard->due_count == shard->due_capacity) {
        shard->due_capacity = shard->due_capacity ? 2 * shard->due_capacity : DUE_FIRST_CAPACITY;
        shard->due = memory_resize(shard->due, shard->due_capacity * sizeof *shard->due);
    }
    shard->due[shard->due_count++] = due;
}

void observe_key_due(struct shard *shard, uint32_t handle, int64_t before_ms)
{
    const struct entity *entity = entity_at(shard, handle);
    struct session *session = entity->sessions.live;
    for (; session; session = session->next) {
        int64_t closes = session_closes_ms(shard->rules, session);
        if (closes > before_ms && closes <= shard->as_of_ms)
            due_add(shard, (struct effect_due){closes, handle, entity, session});
    }
    int64_t decays = entity_row_due(shard, entity, before_ms);
    if (decays > shard->as_of_ms && closed_row_due(shard, entity))
        decays = shard->as_of_ms;
    if (decays <= shard->as_of_ms)
        due_add(shard, (struct effect_due){decays, handle, entity, NULL});
}

static int by_bytes(const struct entity *a, const struct entity *b)
{
    size_t shorter = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(entity_key(a), entity_key(b), shorter);
    return order != 0 ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static int by_time(const void *left, const void *right)
{
    const struct effect_due *a = left, *b = right;
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    int order = a->entity == b->entity ? 0 : by_bytes(a->entity, b->entity);
    if (order != 0)
        return order;
    if (!a->session || !b->session)
        return !a->session - !b->session; /* closed before decayed */
    if (a->session->start_ms != b->session->start_ms)
        return a->session->start_ms < b->session->start_ms ? -1 : 1;
    return (a->session->id > b->session->id) - (a->session->id < b->session->id);
}

static void due_sort(struct shard *shard)
{
    if (shard->due_count > 1)
        qsort(shard->due, shard->due_count, sizeof *shard->due, by_time);
}

void observe_due(struct shard *shard)
{
    due_sort(shard);
    for (size_t k = 0; k < shard->due_count; k++) {
        const struct effect_due *due = &shard->due[k];
        tell_key(shard, due->entity, due->session ? EFFECT_CLOSED : EFFECT_DECAYED, due->session);
        if (due->session)
            due->session->published = true;
    }
    shard->due_count = 0;
}

void observe_forgotten(struct shard *shard, uint32_t handle)
{
    const struct entity *entity = entity_at(shard, handle);
    due_add(shard, (struct effect_due){entity_forget_at(shard, entity), handle, entity, NULL});
}

void observe_all_forgotten(struct shard *shard)
{
    due_sort(shard);
    for (size_t k = 0; k < shard->due_count; k++) {
        tell_key(shard, shard->due[k].entity, EFFECT_FORGOTTEN, NULL);
        entity_forget(shard, shard->due[k].handle);
    }
    shard->due_count = 0;
}

/* ---- what an event does ---- */

struct observed_sessions observe_before(struct shard *shard, const struct entity *entity)
{
    struct observed_sessions before = {0};
    size_t most = entity->sessions.live_count;
    before.list = arena_alloc(&shard->scratch, (most + 1) * sizeof *before.list);
    /* Oldest first. */
    before.count = (int)most;
    for (const struct session *session = entity->sessions.live; session; session = session->next)
        before.list[--most] = *session;
    return before;
}

static bool is_live(const struct entity *entity, int64_t id)
{
    const struct session *session = entity->sessions.live;
    while (session && session->id != id)
        session = session->next;
    return session != NULL;
}

void observe_entered(struct shard *shard, const struct entity *entity,
                     const struct observed_sessions *before, const struct session_change *change)
{
    const struct rules *rules = shard->rules;
    struct session *session = change->session;
    if (change->opened)
        tell_key(shard, entity, EFFECT_OPENED, session);
    bool corrected = change->opened && row_session_closed(rules, session, shard->as_of_ms);
    for (int k = 0; k < before->count; k++) {
        const struct session *was = &before->list[k];
        bool replaced = !is_live(entity, was->id);
        if (replaced && was->published)
            tell_key(shard, entity, EFFECT_RETRACTED, was);
        if (replaced || was->id == session->id)
            corrected |= row_session_closed(rules, was, shard->as_of_ms);
    }
    if (!corrected)
        return;
    tell_key(shard, entity, EFFECT_CORRECTED, session);
    session->published = true;
}

/* ---- rows that are no emission ---- */

void shard_effect_row(const struct shard *shard, const struct effect *effect, struct arena *arena,
                      struct row *row)
{
    if (!effect->shown) {
        shard_row_at(shard, effect->key, effect->key_len, effect->as_of.ms, arena, row);
        return;
    }
    uint32_t handle = entity_find(shard, effect->key, effect->key_len,
                                  hash_bytes(effect->key, effect->key_len));
    expect(handle != KEYTABLE_NONE);
    row_make_of(shard, entity_at(shard, handle), effect->shown, effect->as_of.ms, arena, row);
}

bool shard_row_at(const struct shard *shard, const char *key, size_t len, int64_t as_of_ms,
                  struct arena *arena, struct row *row)
{
    uint64_t hash = hash_bytes(key, len);
    uint32_t handle = entity_find(shard, key, len, hash);
    if (handle != KEYTABLE_NONE) {
        row_make(shard, entity_at(shard, handle), as_of_ms, arena, row);
        return true;
    }
    struct entity *nobody = arena_alloc(arena, shard->entity_bytes);
    memset(nobody, 0, shard->entity_bytes);
    nobody->offset = -1;
    row_make(shard, nobody, as_of_ms, arena, row);
    row->key = key;
    row->key_len = (uint32_t)len;
    return false;
}

static int by_key(const void *left, const void *right, void *context)
{
    const struct shard *shard = context;
    const uint32_t *a = left, *b = right;
    return by_bytes(entity_at(shard, *a), entity_at(shard, *b));
}

void shard_walk_begin(const struct shard *shard, struct shard_walk *walk)
{
    *walk = (struct shard_walk){.handles = memory_alloc((shard->live_keys + 1) *
                                                        sizeof *walk->handles)};
    for (uint32_t handle = 0; handle < shard->handle_count; handle++) {
        uint8_t flags = entity_at(shard, handle)->flags;
        if (flags & ENTITY_USED && !(flags & ENTITY_FORGOTTEN))
            walk->handles[walk->count++] = handle;
    }
    qsort_r(walk->handles, walk->count, sizeof *walk->handles, by_key, (void *)(uintptr_t)shard);
}

bool shard_walk_next(const struct shard *shard, struct shard_walk *walk, const char **key,
                     size_t *len)
{
    if (walk->at == walk->count)
        return false;
    const struct entity *entity = entity_at(shard, walk->handles[walk->at++]);
    *key = entity_key(entity);
    *len = entity->key_len;
    return true;
}

void shard_walk_end(struct shard_walk *walk)
{
    memory_free(walk->handles);
    *walk = (struct shard_walk){0};
}
