/* The effects once more: after each moment of a record all is looked at anew. */
#include "naive_story.h"

#include <stdlib.h>
#include <string.h>

const char *const naive_story_names[EFFECT_COUNT_OF] = {
    [EFFECT_ARRIVED] = "arrived",     [EFFECT_CLOSED] = "closed",
    [EFFECT_DECAYED] = "decayed",     [EFFECT_FORGOTTEN] = "forgotten",
    [EFFECT_OPENED] = "opened",       [EFFECT_RETRACTED] = "retracted",
    [EFFECT_CORRECTED] = "corrected", [EFFECT_ENDED] = "ended",
};

/* ---- words ---- */

static void say_session(struct text *told, int64_t id, int64_t start, int64_t last, int64_t events,
                        uint64_t rev, bool open)
{
    text_printf(told, " %lld:%lld..%lld events=%lld rev=%llu%s", (long long)id, (long long)start,
                (long long)last, (long long)events, (unsigned long long)rev, open ? " open" : "");
}

static bool is_closed(const struct naive_story *story, const struct naive_session *session)
{
    const struct rules *rules = story->naive.rules;
    return session->last + rules->gap.ms < story->as_of - rules->out_of_orderness.ms;
}

/* One line: the kind, the key, the session when it is of one, and the row at as_of. */
static void say(struct naive_story *story, enum effect_kind kind, int key,
                const struct naive_session *session, int64_t as_of)
{
    const struct feature_set *set = story->naive.rules->set;
    text_printf(&story->told, "%s %s as_of=%lld", naive_story_names[kind], naive_keys[key],
                (long long)as_of);
    if (session)
        say_session(&story->told, session->id, session->start, session->last, session->events,
                    session->rev, !is_closed(story, session));
    if (kind != EFFECT_RETRACTED) {
        struct value *values = arena_alloc(&story->arena, (size_t)set->count * sizeof *values);
        uint64_t rev;
        if (session) {
            naive_row_of(&story->naive, key, session, as_of, &story->arena, values);
            rev = session->rev;
        } else {
            rev = naive_row(&story->naive, key, as_of, &story->arena, values);
        }
        text_append_string(&story->told, " ");
        naive_render(&story->told, set, values, rev);
    }
    text_append_char(&story->told, '\n');
}

static int64_t raw_of(const struct shard *shard)
{
    struct shard_status status;
    shard_status(shard, &status);
    return status.raw.ms;
}

void naive_story_render(struct text *told, const struct shard *shard, const struct effect *effect,
                        const struct feature_set *set, struct arena *arena)
{
    if (!effect->key) {
        text_printf(told, "ended %s\n", fate_rows[effect->verdict.fate].name);
        return;
    }
    int64_t as_of = effect->as_of.ms;
    if (effect->kind == EFFECT_ARRIVED)
        as_of = effect->ts.ms > raw_of(shard) ? effect->ts.ms : raw_of(shard);
    text_printf(told, "%s %.*s as_of=%lld", naive_story_names[effect->kind], (int)effect->key_len,
                effect->key, (long long)as_of);
    if (effect->kind == EFFECT_CLOSED || effect->kind == EFFECT_OPENED ||
        effect->kind == EFFECT_RETRACTED || effect->kind == EFFECT_CORRECTED)
        say_session(told, effect->session.id, effect->session.start_ms, effect->session.last_ms,
                    effect->session.events, effect->session.rev, effect->session.open);
    if (effect->kind != EFFECT_RETRACTED && as_of != INT64_MIN) {
        struct row row;
        if (effect->kind == EFFECT_ARRIVED)
            shard_row_at(shard, effect->key, effect->key_len, as_of, arena, &row);
        else
            shard_effect_row(shard, effect, arena, &row);
        text_append_string(told, " ");
        naive_render(told, set, row.values, row.rev);
    }
    text_append_string(told, "\n");
    if (effect->kind == EFFECT_ENDED)
        text_printf(told, "ended %s\n", fate_rows[effect->verdict.fate].name);
}

/* ---- time ---- */

struct due {
    int64_t at;
    int key;
    struct naive_session *session; /* NULL: the key decays */
};

static int by_time(const void *left, const void *right)
{
    const struct due *a = left, *b = right;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    if (a->key != b->key)
        return a->key - b->key;
    if (!a->session || !b->session)
        return !a->session - !b->session;
    if (a->session->start != b->session->start)
        return a->session->start < b->session->start ? -1 : 1;
    return a->session->id < b->session->id ? -1 : 1;
}

void naive_story_advance(struct naive_story *story, int64_t as_of)
{
    struct naive *naive = &story->naive;
    int64_t before = story->as_of;
    if (as_of > story->as_of)
        story->as_of = as_of;
    if (naive->raw > story->as_of)
        story->as_of = naive->raw;
    static struct due due[NAIVE_KEYS * (NAIVE_RECORDS + 1)];
    size_t count = 0;
    for (int k = 0; k < NAIVE_KEYS; k++) {
        struct naive_key *key = &naive->keys[k];
        if (!key->alive)
            continue;
        for (int s = 0; s < key->session_count; s++) {
            struct naive_session *session = &key->sessions[s];
            int64_t closes = session->last + naive->rules->gap.ms +
                             naive->rules->out_of_orderness.ms + 1;
            if (!session->gone && closes > before && closes <= story->as_of)
                due[count++] = (struct due){closes, k, session};
        }
        int64_t decays = naive_decays_at(naive, k, before);
        if (key->fed && decays > story->as_of)
            decays = story->as_of;
        key->fed = false;
        if (decays <= story->as_of)
            due[count++] = (struct due){decays, k, NULL};
    }
    if (count > 1)
        qsort(due, count, sizeof *due, by_time);
    for (size_t k = 0; k < count; k++) {
        say(story, due[k].session ? EFFECT_CLOSED : EFFECT_DECAYED, due[k].key, due[k].session,
            story->as_of);
        if (due[k].session)
            due[k].session->published = true;
    }
}

/* ---- a record ---- */

static void say_replaced(struct naive_story *story, int k, int64_t id)
{
    const struct naive_key *key = &story->naive.keys[k];
    const struct naive_session *said = NULL;
    for (;;) { /* by last, then id */
        const struct naive_session *next = NULL;
        for (int s = 0; s < key->session_count - 1; s++) {
            const struct naive_session *session = &key->sessions[s];
            if (!story->was_live[s] || !session->gone || !session->published || session->id == id)
                continue;
            bool after = !said || session->last > said->last ||
                         (session->last == said->last && session->id > said->id);
            bool sooner = !next || session->last < next->last ||
                          (session->last == next->last && session->id < next->id);
            if (after && sooner)
                next = session;
        }
        if (!next)
            return;
        say(story, EFFECT_RETRACTED, k, next, story->as_of);
        said = next;
    }
}

static void say_entered(struct naive_story *story, int k)
{
    struct naive_key *key = &story->naive.keys[k];
    struct naive_session *session = &key->sessions[key->session_count - 1];
    if (session->events == 1)
        say(story, EFFECT_OPENED, k, session, story->as_of);
    bool corrected = session->events == 1 && is_closed(story, session);
    for (int s = 0; s < key->session_count - 1; s++)
        if (story->was_live[s] && key->sessions[s].gone)
            corrected |= is_closed(story, &key->sessions[s]);
    say_replaced(story, k, session->id);
    if (!corrected)
        return;
    say(story, EFFECT_CORRECTED, k, session, story->as_of);
    session->published = true;
}

static void follow(void *context, struct naive *naive, enum naive_moment moment,
                   const struct naive_event *event)
{
    struct naive_story *story = context;
    const struct naive_key *key = &naive->keys[event->key];
    switch (moment) {
    case NAIVE_ARRIVED:
        say(story, EFFECT_ARRIVED, event->key, NULL,
            event->ts > naive->raw ? event->ts : naive->raw);
        break;
    case NAIVE_TIME_MOVED:
        naive_story_advance(story, naive->raw);
        break;
    case NAIVE_FORGETS:
        say(story, EFFECT_FORGOTTEN, event->key, NULL, story->as_of);
        break;
    case NAIVE_ENTERS:
        for (int s = 0; s < key->session_count; s++)
            story->was_live[s] = !key->sessions[s].gone;
        break;
    default:
        say_entered(story, event->key);
    }
}

void naive_story_init(struct naive_story *story, const struct rules *rules)
{
    naive_init(&story->naive, rules);
    story->naive.follower = follow;
    story->naive.context = story;
    story->as_of = INT64_MIN;
    text_clear(&story->told);
}

void naive_story_free(struct naive_story *story)
{
    text_free(&story->told);
    arena_free(&story->arena);
}

void naive_story_apply(struct naive_story *story, const struct record *record)
{
    enum fate fate = naive_apply(&story->naive, record);
    const struct value *key = &record->slots[SLOT_KEY];
    int k = key->type == VALUE_STRING ? naive_key_of(key->s, key->len) : -1;
    if (k >= 0 && record->fate == FATE_NONE) {
        if (story->as_of != INT64_MIN)
            say(story, EFFECT_ENDED, k, NULL, story->as_of);
        else
            text_printf(&story->told, "ended %s as_of=%lld\n", naive_keys[k],
                        (long long)INT64_MIN);
    }
    text_printf(&story->told, "ended %s\n", fate_rows[fate].name);
}
