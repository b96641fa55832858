/* An observed shard against the model's story. */
#include "simeffects.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "naive_story.h"

enum { BATCH_MAX = 6, ALL_KINDS = (1u << EFFECT_COUNT_OF) - 1 };

struct watcher {
    const struct feature_set *set;
    struct text told;
    struct arena arena;
};

static void watch(void *context, const struct shard *shard, const struct effect *effect)
{
    static const enum simlog_kind kinds[EFFECT_COUNT_OF] = {
        [EFFECT_CLOSED] = SIMLOG_told_closed,       [EFFECT_DECAYED] = SIMLOG_told_decayed,
        [EFFECT_FORGOTTEN] = SIMLOG_told_forgotten, [EFFECT_OPENED] = SIMLOG_told_opened,
        [EFFECT_RETRACTED] = SIMLOG_told_retracted, [EFFECT_CORRECTED] = SIMLOG_told_corrected,
        [EFFECT_ARRIVED] = SIMLOG_effects_compared, [EFFECT_ENDED] = SIMLOG_effects_compared,
    };
    struct watcher *watcher = context;
    simlog_met(kinds[effect->kind]);
    naive_story_render(&watcher->told, shard, effect, watcher->set, &watcher->arena);
}

static bool is_same(struct watcher *watcher, struct naive_story *story)
{
    const char *told = watcher->told.data ? watcher->told.data : "";
    const char *wanted = story->told.data ? story->told.data : "";
    bool same = strcmp(told, wanted) == 0;
    if (!same) {
        while (*told == *wanted && *told)
            told++, wanted++;
        while (told > watcher->told.data && told[-1] != '\n')
            told--, wanted--;
        printf("the shard tells\n%.*s\nnot\n%.*s\n", (int)strcspn(told, "\n"), told,
               (int)strcspn(wanted, "\n"), wanted);
    }
    text_clear(&watcher->told);
    text_clear(&story->told);
    arena_reset(&watcher->arena);
    arena_reset(&story->arena);
    return same;
}

/* All living keys in the order of their bytes, and no others. */
static bool walks_alike(const struct shard *shard, const struct naive *naive)
{
    struct shard_walk walk;
    const char *key;
    size_t len;
    int k = 0;
    bool same = true;
    shard_walk_begin(shard, &walk);
    while (shard_walk_next(shard, &walk, &key, &len)) {
        while (k < NAIVE_KEYS && !naive->keys[k].alive)
            k++;
        same &= k < NAIVE_KEYS && naive_key_of(key, len) == k;
        k++;
    }
    shard_walk_end(&walk);
    while (k < NAIVE_KEYS && !naive->keys[k].alive)
        k++;
    if (!same || k < NAIVE_KEYS)
        printf("the walk over the keys is wrong\n");
    return same && k >= NAIVE_KEYS;
}

/* Decides by the record, so that a shorter log is fed alike. */
static uint64_t dice(uint64_t seed, int64_t offset)
{
    uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15u ^ (uint64_t)offset * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 31)) * 0x94d049bb133111ebu;
    return z ^ (z >> 30);
}

static bool run(struct shard *shard, struct naive_story *story, struct watcher *watcher,
                const struct simlog *log, uint64_t seed)
{
    struct record records[BATCH_MAX];
    struct verdict verdicts[BATCH_MAX];
    int count = 0;
    for (int k = 0; k < log->count; k++) {
        uint64_t lot = dice(seed, log->entries[k].record.offset);
        records[count++] = log->entries[k].record;
        if (count < BATCH_MAX && lot % 3 != 0 && k < log->count - 1)
            continue;
        shard_apply(shard, records, count, verdicts);
        for (int r = 0; r < count; r++)
            naive_story_apply(story, &records[r]);
        count = 0;
        if (lot % 7 == 0 && story->as_of != INT64_MIN) {
            int64_t as_of = story->as_of + (int64_t)(lot / 7 % 9000);
            shard_advance_to(shard, as_of);
            naive_story_advance(story, as_of);
        }
        if (!is_same(watcher, story) || !walks_alike(shard, &story->naive))
            return false;
    }
    return true;
}

bool simeffects_agree(const struct rules *rules, const struct simlog *log, uint64_t seed)
{
    static struct naive_story story;
    struct watcher watcher = {.set = rules->set};
    naive_story_init(&story, rules);
    struct shard *shard = shard_open(rules, 0, INT64_MIN);
    shard_observe(shard, ALL_KINDS, watch, &watcher);
    bool same = run(shard, &story, &watcher, log, seed);
    shard_close(shard);
    naive_story_free(&story);
    text_free(&watcher.told);
    arena_free(&watcher.arena);
    return same;
}

/* ---- the shortest log ---- */

/* In a process of its own, because a wrong core may end it; nothing is said. */
static bool agrees_quietly(const struct rules *rules, const struct simlog *log, uint64_t seed)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        _exit(simeffects_agree(rules, log, seed) ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    return status == 0;
}

static void cut(struct simlog *log, int from, int count)
{
    for (int k = from; k + count < log->count; k++) {
        log->entries[k] = log->entries[k + count];
        log->entries[k].record.slots = log->entries[k].slots;
    }
    log->count -= count;
}

void simeffects_shrink(const struct rules *rules, const struct simlog *log, uint64_t seed)
{
    static struct simlog shortest, candidate;
    shortest = *log;
    if (agrees_quietly(rules, &shortest, seed))
        return;
    /* Halves, then quarters, ... then single records, until none can be left out. */
    for (int step = shortest.count / 2; step > 0;) {
        bool shorter = false;
        for (int from = 0; from + step <= shortest.count;) {
            candidate = shortest;
            cut(&candidate, from, step);
            if (agrees_quietly(rules, &candidate, seed)) {
                from += step;
                continue;
            }
            shortest = candidate;
            shorter = true;
        }
        if (!shorter || step > 1)
            step /= 2;
    }
    printf("a shortest log that shows it (records in JSON lines):\n");
    simlog_print(&shortest);
    simlog_print_rules(rules);
    fflush(stdout);
    simeffects_agree(rules, &shortest, seed);
}

void simeffects_check(const struct rules *rules, const struct simlog *log, uint64_t seed)
{
    if (simeffects_agree(rules, log, seed))
        return;
    simeffects_shrink(rules, log, seed);
    printf("seed %llu shard 0: violation: the effects are not the model's\n"
           "FRESHET_SIM_SEED=%llu runs it again\n",
           (unsigned long long)seed, (unsigned long long)seed);
    fflush(stdout);
    exit(1);
}
