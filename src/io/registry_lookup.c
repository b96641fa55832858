/* Lookups and their life: waiting -> reading (disk) -> fetching <-> pausing (back-off) -> gone.
 *
 * A 404 is believed only after some tries, because a schema that a producer has just registered may
 * not have reached every replica of the registry; but when unknown ids come in numbers the payloads
 * are garbage and one try is enough. A registry that has just come back may not have read its store
 * yet: for a while its 404 is not believed at all. What is not an answer is retried for ever. */
#include "registry_lookup.h"

#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "log.h"
#include "pool.h"
#include "registry_cache.h"
#include "registry_tree.h"
#include "text.h"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    UNKNOWN_PAUSE_MS = 50, /* before a 404 is asked again; doubles */
    SETTLING_PAUSE_MS = 500,
};

struct waiter {
    registry_done *done;
    void *context;
    struct waiter *next;
};

struct registry_lookup {
    struct registry *registry;
    struct registry_lookup *next;
    struct registry_key key;
    enum { LOOKUP_WAITING, LOOKUP_READING, LOOKUP_FETCHING, LOOKUP_PAUSING } state;
    uint64_t due_ms; /* while pausing */
    unsigned failures, unknowns;
    struct waiter *waiters;
    struct registry_tree tree;
    /* For the work pool, which the loop does not touch meanwhile. */
    uv_work_t work;
    bool was_read;
    struct arena arena;
    struct registry_schema schema;
};

static void fetch_next(struct registry_lookup *lookup);

/* Health */

static void set_reachable(struct registry *registry, bool reachable, const char *error)
{
    struct registry_health *health = &registry->health;
    if (health->reachable != reachable) {
        health->since_ms = uv_now(registry->loop);
        if (reachable)
            log_info("registry_reachable", "url=%Q", registry->base);
        else
            log_warning("registry_unreachable", "url=%Q reason=%Q", registry->base, error);
    }
    bool is_back = reachable && !health->reachable;
    registry->was_away |= !reachable;
    health->reachable = reachable;
    snprintf(health->error, sizeof health->error, "%s", error);
    if (!is_back)
        return;
    for (struct registry_lookup *lookup = registry->lookups; lookup != NULL; lookup = lookup->next)
        lookup->due_ms = 0;
    registry_lookup_schedule(registry);
}

/* The end of a lookup */

static void lookup_free(struct registry_lookup *lookup)
{
    registry_tree_free(&lookup->tree);
    arena_free(&lookup->arena);
    while (lookup->waiters != NULL) {
        struct waiter *waiter = lookup->waiters;
        lookup->waiters = waiter->next;
        memory_free(waiter);
    }
    memory_free(lookup);
}

/* Out of the list, so that who is told may ask for the same key again. */
static void lookup_unlink(struct registry_lookup *lookup)
{
    struct registry *registry = lookup->registry;
    struct registry_lookup **at = &registry->lookups;
    while (*at != lookup)
        at = &(*at)->next;
    *at = lookup->next;
    registry->health.waiting--;
    registry->active -= lookup->state != LOOKUP_WAITING;
    registry_lookup_schedule(registry);
}

static void lookup_tell(struct registry_lookup *lookup, const struct registry_schema *schema,
                        const char *why)
{
    for (struct waiter *waiter = lookup->waiters; waiter != NULL; waiter = waiter->next)
        waiter->done(waiter->context, &lookup->key, schema, why);
}

static void on_written(uv_work_t *work, int status)
{
    struct registry_lookup *lookup = work->data;
    struct registry *registry = lookup->registry;
    (void)status;
    if (!lookup->was_read)
        log_warning("registry_cache_write_failed", "directory=%Q", registry->directory);
    lookup_free(lookup);
    registry->pending--;
    if (registry->closing)
        registry_lookup_schedule(registry);
}

static void write_file(uv_work_t *work)
{
    struct registry_lookup *lookup = work->data;
    lookup->was_read = registry_cache_write(lookup->registry->directory, lookup->registry->base,
                                            &lookup->key, &lookup->schema);
}

static void finish_known(struct registry_lookup *lookup)
{
    struct registry *registry = lookup->registry;
    bool keep = !lookup->schema.from_cache && registry->directory[0] != '\0';
    lookup_unlink(lookup);
    lookup_tell(lookup, &lookup->schema, NULL);
    if (!keep) {
        lookup_free(lookup);
        return;
    }
    lookup->work.data = lookup;
    registry->pending++;
    uv_queue_work(registry->loop, &lookup->work, write_file, on_written);
}

static void finish_unknown(struct registry_lookup *lookup, const char *why)
{
    lookup_unlink(lookup);
    lookup_tell(lookup, NULL, why);
    lookup_free(lookup);
}

/* Answers of the registry */

static void pause_lookup(struct registry_lookup *lookup, uint64_t pause_ms)
{
    struct registry *registry = lookup->registry;
    registry->jitter = registry->jitter * 1664525 + 1013904223;
    lookup->state = LOOKUP_PAUSING;
    lookup->due_ms = uv_now(registry->loop) + pause_ms / 2 +
                     registry->jitter % (unsigned)(pause_ms / 2 + 1);
    registry_lookup_schedule(registry);
}

/* No answer: asked again for as long as it takes. */
static void take_failure(struct registry_lookup *lookup, const char *why)
{
    uint64_t pause_ms = BACKOFF_MIN_MS;
    for (unsigned i = 0; i < lookup->failures && pause_ms < BACKOFF_MAX_MS; i++)
        pause_ms *= 2;
    lookup->failures++;
    lookup->registry->health.errors++;
    set_reachable(lookup->registry, false, why);
    pause_lookup(lookup, pause_ms < BACKOFF_MAX_MS ? pause_ms : BACKOFF_MAX_MS);
}

static void take_unusable(struct registry_lookup *lookup, const char *why)
{
    struct registry *registry = lookup->registry;
    char key[REGISTRY_KEY_TEXT];
    registry_key_text(&lookup->key, key);
    log_warning("registry_schema_unknown", "key=%s reason=%Q", key, why);
    set_reachable(registry, true, "");
    registry_unknown_add(&registry->unknown, &lookup->key, why, uv_now(registry->loop));
    finish_unknown(lookup, why);
}

static void take_missing(struct registry_lookup *lookup, int status, int node)
{
    struct registry *registry = lookup->registry;
    char why[REGISTRY_ERROR_MAX];
    registry->health.missing++;
    set_reachable(registry, true, "");
    uint64_t reachable_ms = uv_now(registry->loop) - registry->health.since_ms;
    if (registry->was_away && reachable_ms < REGISTRY_SETTLING_MS) {
        pause_lookup(lookup, SETTLING_PAUSE_MS);
        return;
    }
    lookup->unknowns++;
    bool many = registry_unknown_many(&registry->unknown, uv_now(registry->loop));
    if (lookup->unknowns < REGISTRY_UNKNOWN_TRIES && !many) {
        pause_lookup(lookup, (uint64_t)UNKNOWN_PAUSE_MS << lookup->unknowns);
        return;
    }
    if (node == 0)
        snprintf(why, sizeof why, "the registry does not know it (HTTP %d)", status);
    else
        snprintf(why, sizeof why, "the registry does not know %.160s version %lld, to which it "
                 "refers (HTTP %d)", lookup->tree.nodes[node].subject,
                 (long long)lookup->tree.nodes[node].version, status);
    take_unusable(lookup, why);
}

static void take_answer(struct registry_lookup *lookup, int node, const char *body, size_t len)
{
    char error[REGISTRY_ERROR_MAX];
    switch (registry_tree_answer(&lookup->tree, node, body, len, error)) {
    case REGISTRY_TREE_NO_ANSWER:
        take_failure(lookup, error);
        break;
    case REGISTRY_TREE_UNUSABLE:
        take_unusable(lookup, error);
        break;
    case REGISTRY_TREE_OK:
        lookup->registry->health.ok++;
        lookup->failures = lookup->unknowns = 0;
        set_reachable(lookup->registry, true, "");
        fetch_next(lookup);
        break;
    }
}

/* These say that the thing asked for is not there; other 4xx that we may not, or not now. */
static bool is_missing(int status)
{
    return status == 404 || status == 422;
}

static void on_fetched(void *context, int status, const char *body, size_t len, const char *error)
{
    struct registry_lookup *lookup = context;
    int node = registry_tree_missing(&lookup->tree);
    char why[REGISTRY_ERROR_MAX];
    if (status == REGISTRY_FETCH_TOO_LARGE) {
        take_unusable(lookup, "the answer is larger than 2 MiB");
    } else if (status == 200) {
        take_answer(lookup, node, body, len);
    } else if (is_missing(status)) {
        take_missing(lookup, status, node);
    } else if (status == 0) {
        take_failure(lookup, error);
    } else {
        snprintf(why, sizeof why, "HTTP %d%s", status,
                 status == 401 || status == 403
                     ? ": schema.registry_user and schema.registry_password are not accepted"
                     : "");
        take_failure(lookup, why);
    }
}

static void fetch_next(struct registry_lookup *lookup)
{
    struct registry *registry = lookup->registry;
    int node = registry_tree_missing(&lookup->tree);
    if (node < 0) {
        registry_tree_schema(&lookup->tree, &lookup->schema);
        finish_known(lookup);
        return;
    }
    struct text url = {0};
    text_append_string(&url, registry->base);
    registry_tree_path(&lookup->tree, node, &lookup->key, &url);
    lookup->state = LOOKUP_FETCHING;
    registry_fetch_get(registry->fetch, url.data, on_fetched, lookup);
    text_free(&url);
}

/* The disk cache */

static void read_cache(uv_work_t *work)
{
    struct registry_lookup *lookup = work->data;
    lookup->was_read =
        registry_cache_read(lookup->registry->directory, lookup->registry->base, &lookup->key,
                            &lookup->arena, &lookup->schema);
}

static void on_read(uv_work_t *work, int status)
{
    struct registry_lookup *lookup = work->data;
    struct registry *registry = lookup->registry;
    (void)status;
    registry->pending--;
    if (registry->closing) {
        lookup_free(lookup);
        registry_lookup_schedule(registry);
    } else if (lookup->was_read) {
        registry->health.cache_hits++;
        finish_known(lookup);
    } else {
        fetch_next(lookup);
    }
}

/* The beginning of a lookup */

static void lookup_begin(struct registry_lookup *lookup)
{
    struct registry *registry = lookup->registry;
    const char *why =
        registry_unknown_find(&registry->unknown, &lookup->key, uv_now(registry->loop));
    registry->active++;
    if (why != NULL) {
        lookup->state = LOOKUP_FETCHING;
        finish_unknown(lookup, why);
    } else if (registry->directory[0] == '\0') {
        fetch_next(lookup);
    } else {
        lookup->state = LOOKUP_READING;
        lookup->work.data = lookup;
        registry->pending++;
        uv_queue_work(registry->loop, &lookup->work, read_cache, on_read);
    }
}

/* One lookup that can go on now; they may end, so the list is looked at anew each time. */
static struct registry_lookup *find_due(struct registry *registry)
{
    uint64_t now_ms = uv_now(registry->loop);
    struct registry_lookup *lookup = registry->lookups;
    for (; lookup != NULL; lookup = lookup->next) {
        if (lookup->state == LOOKUP_WAITING && registry->active < REGISTRY_LOOKUPS_MAX)
            return lookup;
        if (lookup->state == LOOKUP_PAUSING && lookup->due_ms <= now_ms)
            return lookup;
    }
    return NULL;
}

void registry_lookup_on_timer(uv_timer_t *timer)
{
    struct registry *registry = timer->data;
    struct registry_lookup *lookup;
    if (registry->closing) {
        registry_close_when_idle(registry);
        return;
    }
    while ((lookup = find_due(registry)) != NULL) {
        if (lookup->state == LOOKUP_WAITING)
            lookup_begin(lookup);
        else
            fetch_next(lookup);
    }
    registry_lookup_schedule(registry);
}

/* Lets on_timer run when the next lookup can go on; never calls anybody by itself. */
void registry_lookup_schedule(struct registry *registry)
{
    uint64_t now_ms = uv_now(registry->loop), due_ms = UINT64_MAX;
    if (registry->closing || find_due(registry) != NULL)
        due_ms = now_ms;
    for (struct registry_lookup *lookup = registry->lookups; lookup != NULL; lookup = lookup->next)
        if (lookup->state == LOOKUP_PAUSING && lookup->due_ms < due_ms)
            due_ms = lookup->due_ms;
    if (due_ms == UINT64_MAX)
        uv_timer_stop(&registry->timer);
    else
        uv_timer_start(&registry->timer, registry_lookup_on_timer,
                       due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static struct registry_lookup *lookup_open(struct registry *registry,
                                           const struct registry_key *key)
{
    struct registry_lookup **at = &registry->lookups;
    for (; *at != NULL; at = &(*at)->next)
        if (registry_key_equal(&(*at)->key, key))
            return *at;
    struct registry_lookup *lookup = memory_alloc(sizeof *lookup);
    lookup->registry = registry;
    lookup->key = *key;
    registry_tree_init(&lookup->tree);
    *at = lookup;
    registry->health.waiting++;
    return lookup;
}

void registry_lookup_add(struct registry *registry, const struct registry_key *key,
                         registry_done *done, void *context)
{
    struct registry_lookup *lookup = lookup_open(registry, key);
    struct waiter *waiter = memory_alloc(sizeof *waiter);
    struct waiter **at = &lookup->waiters;
    while (*at != NULL)
        at = &(*at)->next;
    *waiter = (struct waiter){.done = done, .context = context};
    *at = waiter;
    registry_lookup_schedule(registry);
}

void registry_lookup_drop_all(struct registry *registry)
{
    struct registry_lookup *lookup = registry->lookups;
    registry->lookups = NULL;
    while (lookup != NULL) {
        struct registry_lookup *next = lookup->next;
        if (lookup->state != LOOKUP_READING) /* else on_read frees it */
            lookup_free(lookup);
        lookup = next;
    }
}
