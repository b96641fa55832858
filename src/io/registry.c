/* Lookups and their life: waiting -> reading (disk) -> fetching <-> pausing (back-off) -> gone.
 *
 * A 404 is believed only after some tries, because a schema that a producer has just registered may
 * not have reached every replica of the registry; but when unknown ids come in numbers the payloads
 * are garbage and one try is enough. What is not an answer is retried for ever. */
#include "registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "arena.h"
#include "framing.h"
#include "log.h"
#include "pool.h"
#include "registry_cache.h"
#include "registry_fetch.h"
#include "registry_tree.h"
#include "text.h"

_Static_assert((int)REGISTRY_GUID_BYTES == (int)FRAMING_GUID_BYTES, "one GUID");
_Static_assert((int)REGISTRY_KEY_TEXT == (int)FRAMING_GUID_TEXT, "the longest key");

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    UNKNOWN_PAUSE_MS = 50, /* before a 404 is asked again; doubles */
    UNKNOWN_MANY = 16,     /* so many unknown keys are remembered: one try is enough */
};

struct waiter {
    registry_done *done;
    void *context;
    struct waiter *next;
};

struct lookup {
    struct registry *registry;
    struct lookup *next;
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

struct unknown {
    struct registry_key key;
    uint64_t until_ms;
    char why[REGISTRY_ERROR_MAX];
};

struct registry {
    uv_loop_t *loop;
    char *base, *directory;
    struct registry_fetch *fetch;
    uv_timer_t timer;
    struct lookup *lookups; /* oldest first */
    unsigned active;        /* lookups that are not waiting */
    struct unknown unknowns[REGISTRY_UNKNOWN_KEPT];
    size_t unknown_at; /* the next to be replaced */
    struct registry_health health;
    uint32_t jitter;
    unsigned pending; /* work, handles and the fetcher that must end before the memory goes */
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
    registry_probed *probed;
    void *probe_context;
};

static void start_timer(struct registry *registry);
static void fetch_next(struct lookup *lookup);

void registry_key_text(const struct registry_key *key, char out[REGISTRY_KEY_TEXT])
{
    if (key->is_guid)
        framing_guid_text(key->guid, out);
    else
        snprintf(out, REGISTRY_KEY_TEXT, "%d", key->id);
}

static bool same_key(const struct registry_key *a, const struct registry_key *b)
{
    if (a->is_guid != b->is_guid)
        return false;
    return a->is_guid ? memcmp(a->guid, b->guid, REGISTRY_GUID_BYTES) == 0 : a->id == b->id;
}

const struct registry_health *registry_health(const struct registry *registry)
{
    return &registry->health;
}

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
    health->reachable = reachable;
    snprintf(health->error, sizeof health->error, "%s", error);
    if (!is_back)
        return;
    for (struct lookup *lookup = registry->lookups; lookup != NULL; lookup = lookup->next)
        lookup->due_ms = 0;
    start_timer(registry);
}

/* The end of a lookup */

static void lookup_free(struct lookup *lookup)
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
static void lookup_unlink(struct lookup *lookup)
{
    struct registry *registry = lookup->registry;
    struct lookup **at = &registry->lookups;
    while (*at != lookup)
        at = &(*at)->next;
    *at = lookup->next;
    registry->health.waiting--;
    registry->active -= lookup->state != LOOKUP_WAITING;
    start_timer(registry);
}

static void lookup_tell(struct lookup *lookup, const struct registry_schema *schema,
                        const char *why)
{
    for (struct waiter *waiter = lookup->waiters; waiter != NULL; waiter = waiter->next)
        waiter->done(waiter->context, &lookup->key, schema, why);
}

static void on_written(uv_work_t *work, int status)
{
    struct lookup *lookup = work->data;
    struct registry *registry = lookup->registry;
    (void)status;
    if (!lookup->was_read)
        log_warning("registry_cache_write_failed", "directory=%Q", registry->directory);
    lookup_free(lookup);
    registry->pending--;
    if (registry->closing)
        start_timer(registry);
}

static void write_file(uv_work_t *work)
{
    struct lookup *lookup = work->data;
    lookup->was_read = registry_cache_write(lookup->registry->directory, lookup->registry->base,
                                            &lookup->key, &lookup->schema);
}

static void finish_known(struct lookup *lookup)
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

static void finish_unknown(struct lookup *lookup, const char *why)
{
    lookup_unlink(lookup);
    lookup_tell(lookup, NULL, why);
    lookup_free(lookup);
}

/* Unknown keys */

static const struct unknown *find_unknown(const struct registry *registry,
                                          const struct registry_key *key)
{
    for (size_t i = 0; i < REGISTRY_UNKNOWN_KEPT; i++)
        if (registry->unknowns[i].until_ms > uv_now(registry->loop) &&
            same_key(&registry->unknowns[i].key, key))
            return &registry->unknowns[i];
    return NULL;
}

static bool many_unknown(const struct registry *registry)
{
    size_t nth = (registry->unknown_at + REGISTRY_UNKNOWN_KEPT - UNKNOWN_MANY) %
                 REGISTRY_UNKNOWN_KEPT;
    return registry->unknowns[nth].until_ms > uv_now(registry->loop);
}

static void remember_unknown(struct lookup *lookup, const char *why)
{
    struct registry *registry = lookup->registry;
    struct unknown *unknown = &registry->unknowns[registry->unknown_at];
    char key[REGISTRY_KEY_TEXT];
    registry->unknown_at = (registry->unknown_at + 1) % REGISTRY_UNKNOWN_KEPT;
    unknown->key = lookup->key;
    unknown->until_ms = uv_now(registry->loop) + REGISTRY_UNKNOWN_MS;
    snprintf(unknown->why, sizeof unknown->why, "%s", why);
    registry_key_text(&lookup->key, key);
    log_warning("registry_schema_unknown", "key=%s reason=%Q", key, why);
}

/* Answers of the registry */

static void pause_lookup(struct lookup *lookup, uint64_t pause_ms)
{
    struct registry *registry = lookup->registry;
    registry->jitter = registry->jitter * 1664525 + 1013904223;
    lookup->state = LOOKUP_PAUSING;
    lookup->due_ms = uv_now(registry->loop) + pause_ms / 2 +
                     registry->jitter % (unsigned)(pause_ms / 2 + 1);
    start_timer(registry);
}

/* No answer: asked again for as long as it takes. */
static void take_failure(struct lookup *lookup, const char *why)
{
    uint64_t pause_ms = BACKOFF_MIN_MS;
    for (unsigned i = 0; i < lookup->failures && pause_ms < BACKOFF_MAX_MS; i++)
        pause_ms *= 2;
    lookup->failures++;
    lookup->registry->health.errors++;
    set_reachable(lookup->registry, false, why);
    pause_lookup(lookup, pause_ms < BACKOFF_MAX_MS ? pause_ms : BACKOFF_MAX_MS);
}

static void take_unusable(struct lookup *lookup, const char *why)
{
    set_reachable(lookup->registry, true, "");
    remember_unknown(lookup, why);
    finish_unknown(lookup, why);
}

static void take_missing(struct lookup *lookup, int status, int node)
{
    struct registry *registry = lookup->registry;
    char why[REGISTRY_ERROR_MAX];
    registry->health.missing++;
    set_reachable(registry, true, "");
    lookup->unknowns++;
    if (lookup->unknowns < REGISTRY_UNKNOWN_TRIES && !many_unknown(registry)) {
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

static void take_answer(struct lookup *lookup, int node, const char *body, size_t len)
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
    struct lookup *lookup = context;
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

static void fetch_next(struct lookup *lookup)
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
    struct lookup *lookup = work->data;
    lookup->was_read =
        registry_cache_read(lookup->registry->directory, lookup->registry->base, &lookup->key,
                            &lookup->arena, &lookup->schema);
}

static void on_read(uv_work_t *work, int status)
{
    struct lookup *lookup = work->data;
    struct registry *registry = lookup->registry;
    (void)status;
    registry->pending--;
    if (registry->closing) {
        lookup_free(lookup);
        start_timer(registry);
    } else if (lookup->was_read) {
        registry->health.cache_hits++;
        finish_known(lookup);
    } else {
        fetch_next(lookup);
    }
}

/* The beginning of a lookup */

static void lookup_begin(struct lookup *lookup)
{
    struct registry *registry = lookup->registry;
    const struct unknown *unknown = find_unknown(registry, &lookup->key);
    registry->active++;
    if (unknown != NULL) {
        lookup->state = LOOKUP_FETCHING;
        finish_unknown(lookup, unknown->why);
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
static struct lookup *find_due(struct registry *registry)
{
    uint64_t now_ms = uv_now(registry->loop);
    for (struct lookup *lookup = registry->lookups; lookup != NULL; lookup = lookup->next) {
        if (lookup->state == LOOKUP_WAITING && registry->active < REGISTRY_LOOKUPS_MAX)
            return lookup;
        if (lookup->state == LOOKUP_PAUSING && lookup->due_ms <= now_ms)
            return lookup;
    }
    return NULL;
}

static void close_when_idle(struct registry *registry);

static void on_timer(uv_timer_t *timer)
{
    struct registry *registry = timer->data;
    struct lookup *lookup;
    if (registry->closing) {
        close_when_idle(registry);
        return;
    }
    while ((lookup = find_due(registry)) != NULL) {
        if (lookup->state == LOOKUP_WAITING)
            lookup_begin(lookup);
        else
            fetch_next(lookup);
    }
    start_timer(registry);
}

/* Lets on_timer run when the next lookup can go on; never calls anybody by itself. */
static void start_timer(struct registry *registry)
{
    uint64_t now_ms = uv_now(registry->loop), due_ms = UINT64_MAX;
    if (registry->closing || find_due(registry) != NULL)
        due_ms = now_ms;
    for (struct lookup *lookup = registry->lookups; lookup != NULL; lookup = lookup->next)
        if (lookup->state == LOOKUP_PAUSING && lookup->due_ms < due_ms)
            due_ms = lookup->due_ms;
    if (due_ms == UINT64_MAX)
        uv_timer_stop(&registry->timer);
    else
        uv_timer_start(&registry->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static struct lookup *lookup_open(struct registry *registry, const struct registry_key *key)
{
    struct lookup **at = &registry->lookups;
    for (; *at != NULL; at = &(*at)->next)
        if (same_key(&(*at)->key, key))
            return *at;
    struct lookup *lookup = memory_alloc(sizeof *lookup);
    lookup->registry = registry;
    lookup->key = *key;
    registry_tree_init(&lookup->tree);
    *at = lookup;
    registry->health.waiting++;
    return lookup;
}

void registry_get(struct registry *registry, const struct registry_key *key, registry_done *done,
                  void *context)
{
    struct lookup *lookup = lookup_open(registry, key);
    struct waiter *waiter = memory_alloc(sizeof *waiter);
    struct waiter **at = &lookup->waiters;
    while (*at != NULL)
        at = &(*at)->next;
    *waiter = (struct waiter){.done = done, .context = context};
    *at = waiter;
    start_timer(registry);
}

/* The probe of `check --online` */

static void on_probed(void *context, int status, const char *body, size_t len, const char *error)
{
    struct registry *registry = context;
    char why[REGISTRY_ERROR_MAX];
    (void)body;
    (void)len;
    if (status == 0)
        snprintf(why, sizeof why, "%s", error);
    else
        snprintf(why, sizeof why, "GET /subjects answers HTTP %d", status);
    bool is_good = status == 200 || status == REGISTRY_FETCH_TOO_LARGE;
    registry->probed(registry->probe_context, is_good ? NULL : why);
}

void registry_probe(struct registry *registry, registry_probed *done, void *context)
{
    struct text url = {0};
    registry->probed = done;
    registry->probe_context = context;
    text_printf(&url, "%s/subjects", registry->base);
    registry_fetch_get(registry->fetch, url.data, on_probed, registry);
    text_free(&url);
}

/* Opening and closing */

static bool check_url(const char *url, char *error)
{
    const char *host = strstr(url, "://");
    if (host == NULL || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)) {
        snprintf(error, REGISTRY_ERROR_MAX, "the URL must begin with http:// or https://");
        return false;
    }
    host += 3;
    size_t authority = strcspn(host, "/");
    if (authority == 0 || memchr(host, '@', authority) != NULL || strpbrk(host, "?# ") != NULL) {
        snprintf(error, REGISTRY_ERROR_MAX,
                 "the URL must be like https://host:port/path; user and password have their own "
                 "keys");
        return false;
    }
    return true;
}

static bool make_directory(const char *directory, char *error)
{
    struct stat found;
    if (*directory == '\0' || (mkdir(directory, 0700) == 0))
        return true;
    if (errno == EEXIST && stat(directory, &found) == 0 && S_ISDIR(found.st_mode))
        return true;
    int reason = errno == EEXIST ? ENOTDIR : errno;
    snprintf(error, REGISTRY_ERROR_MAX, "schema cache %.128s: %s", directory, strerror(reason));
    return false;
}

struct registry *registry_open(uv_loop_t *loop, const struct registry_options *options,
                               char *error)
{
    const char *directory = options->cache == NULL ? "" : options->cache;
    if (!check_url(options->url, error) || !make_directory(directory, error))
        return NULL;
    struct registry_fetch *fetch =
        registry_fetch_open(loop, options->user, options->password, options->timeout_ms);
    if (fetch == NULL) {
        snprintf(error, REGISTRY_ERROR_MAX, "libcurl does not start");
        return NULL;
    }
    struct registry *registry = memory_alloc(sizeof *registry);
    registry->loop = loop;
    registry->fetch = fetch;
    registry->base = memory_strdup(options->url);
    size_t len = strlen(registry->base);
    while (registry->base[len - 1] == '/')
        registry->base[--len] = '\0';
    registry->directory = memory_strdup(directory);
    registry->health.reachable = true;
    registry->health.since_ms = uv_now(loop);
    registry->jitter = (uint32_t)uv_hrtime();
    registry->pending = 1; /* the fetcher */
    registry->timer.data = registry;
    uv_timer_init(loop, &registry->timer);
    return registry;
}

void registry_set_timeout(struct registry *registry, int64_t timeout_ms)
{
    registry_fetch_set_timeout(registry->fetch, timeout_ms);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct registry *registry = handle->data;
    if (registry->closed != NULL)
        registry->closed(registry->closed_context);
    memory_free(registry->base);
    memory_free(registry->directory);
    memory_free(registry);
}

static void close_when_idle(struct registry *registry)
{
    if (registry->pending == 0 && !uv_is_closing((uv_handle_t *)&registry->timer))
        uv_close((uv_handle_t *)&registry->timer, on_timer_closed);
}

static void on_fetch_closed(void *context)
{
    struct registry *registry = context;
    registry->pending--;
    start_timer(registry);
}

void registry_close(struct registry *registry, void (*closed)(void *context), void *context)
{
    registry->closing = true;
    registry->closed = closed;
    registry->closed_context = context;
    uv_timer_stop(&registry->timer);
    registry_fetch_close(registry->fetch, on_fetch_closed, registry);
    struct lookup *lookup = registry->lookups;
    registry->lookups = NULL;
    while (lookup != NULL) {
        struct lookup *next = lookup->next;
        if (lookup->state != LOOKUP_READING) /* else on_read frees it */
            lookup_free(lookup);
        lookup = next;
    }
}
