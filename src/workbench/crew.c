/* One piece of work at a time is taken by whoever is free. */
#include "crew.h"

#include <pthread.h>
#include <stdbool.h>

#include "expect.h"
#include "pool.h"

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    pthread_t *threads;
    int thread_count;
    bool leaving;
    /* The work at hand. */
    void (*work)(void *context, int i);
    void *context;
    int count, next, done;
};

/* With the lock: takes and does pieces until none is left. */
static void take_part(struct crew *crew)
{
    while (crew->next < crew->count) {
        int i = crew->next++;
        pthread_mutex_unlock(&crew->lock);
        crew->work(crew->context, i);
        pthread_mutex_lock(&crew->lock);
        if (++crew->done == crew->count)
            pthread_cond_broadcast(&crew->end);
    }
}

static void *member(void *argument)
{
    struct crew *crew = argument;
    pthread_mutex_lock(&crew->lock);
    while (!crew->leaving) {
        take_part(crew);
        if (!crew->leaving && crew->next >= crew->count)
            pthread_cond_wait(&crew->begin, &crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

struct crew *crew_new(int jobs)
{
    struct crew *crew = memory_alloc(sizeof *crew);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->begin, NULL);
    pthread_cond_init(&crew->end, NULL);
    crew->thread_count = jobs - 1;
    crew->threads = memory_alloc((size_t)jobs * sizeof *crew->threads);
    for (int i = 0; i < crew->thread_count; i++) {
        int failed = pthread_create(&crew->threads[i], NULL, member, crew);
        expect(!failed);
    }
    return crew;
}

void crew_free(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->leaving = true;
    pthread_cond_broadcast(&crew->begin);
    pthread_mutex_unlock(&crew->lock);
    for (int i = 0; i < crew->thread_count; i++)
        pthread_join(crew->threads[i], NULL);
    pthread_mutex_destroy(&crew->lock);
    pthread_cond_destroy(&crew->begin);
    pthread_cond_destroy(&crew->end);
    memory_free(crew->threads);
    memory_free(crew);
}

void crew_do(struct crew *crew, int count, void (*work)(void *context, int i), void *context)
{
    pthread_mutex_lock(&crew->lock);
    crew->work = work;
    crew->context = context;
    crew->next = crew->done = 0;
    crew->count = count;
    if (crew->thread_count > 0 && count > 1)
        pthread_cond_broadcast(&crew->begin);
    take_part(crew);
    while (crew->done < crew->count)
        pthread_cond_wait(&crew->end, &crew->lock);
    crew->count = crew->next = 0;
    pthread_mutex_unlock(&crew->lock);
}
