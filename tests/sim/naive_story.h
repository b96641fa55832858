/* The effects of a shard (effect.h) once more, from the naive model, in words. */
#ifndef FRESHET_TESTS_NAIVE_STORY_H
#define FRESHET_TESTS_NAIVE_STORY_H

#include "effect.h"
#include "naive.h"
#include "text.h"

struct naive_story {
    struct naive naive;
    int64_t as_of; /* INT64_MIN: none yet */
    struct text told;
    struct arena arena;
    bool was_live[NAIVE_RECORDS]; /* of the sessions of the event's key, before it enters */
};

void naive_story_init(struct naive_story *story, const struct rules *rules);
void naive_story_free(struct naive_story *story);
void naive_story_apply(struct naive_story *story, const struct record *record);
void naive_story_advance(struct naive_story *story, int64_t as_of);

/* What the real shard tells, in the same words. */
void naive_story_render(struct text *told, const struct shard *shard, const struct effect *effect,
                        const struct feature_set *set, struct arena *arena);
extern const char *const naive_story_names[EFFECT_COUNT_OF];

#endif
