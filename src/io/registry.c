/* The registry client's handle: opening, closing, health, the probe. Lookups: registry_lookup.c. */
#include "registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "framing.h"
#include "pool.h"
#include "registry_lookup.h"
#include "text.h"

_Static_assert((int)REGISTRY_GUID_BYTES == (int)FRAMING_GUID_BYTES, "one GUID");
_Static_assert((int)REGISTRY_KEY_TEXT == (int)FRAMING_GUID_TEXT, "the longest key");

void registry_key_text(const struct registry_key *key, char out[REGISTRY_KEY_TEXT])
{
    if (key->is_guid)
        framing_guid_text(key->guid, out);
    else
        snprintf(out, REGISTRY_KEY_TEXT, "%d", key->id);
}

bool registry_key_equal(const struct registry_key *a, const struct registry_key *b)
{
    if (a->is_guid != b->is_guid)
        return false;
    return a->is_guid ? memcmp(a->guid, b->guid, REGISTRY_GUID_BYTES) == 0 : a->id == b->id;
}

const struct registry_health *registry_health(const struct registry *registry)
{
    return &registry->health;
}

void registry_get(struct registry *registry, const struct registry_key *key, registry_done *done,
                  void *context)
{
    registry_lookup_add(registry, key, done, context);
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

void registry_close_when_idle(struct registry *registry)
{
    if (registry->pending == 0 && !uv_is_closing((uv_handle_t *)&registry->timer))
        uv_close((uv_handle_t *)&registry->timer, on_timer_closed);
}

static void on_fetch_closed(void *context)
{
    struct registry *registry = context;
    registry->pending--;
    registry_lookup_schedule(registry);
}

void registry_close(struct registry *registry, void (*closed)(void *context), void *context)
{
    registry->closing = true;
    registry->closed = closed;
    registry->closed_context = context;
    uv_timer_stop(&registry->timer);
    registry_fetch_close(registry->fetch, on_fetch_closed, registry);
    registry_lookup_drop_all(registry);
}
