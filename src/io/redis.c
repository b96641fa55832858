/* What replies mean for the connection: the remedy of each error, pauses and reconnection. What
 * a request's own reply says is its owner's business.
 *
 * A refused request is never sent again from here, not even after NOSCRIPT: requests behind it may
 * have been applied, and an old row must not overtake a newer one. Its owner still has the rows
 * dirty and builds a new request. */
#include "redis_private.h"

#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "log.h"
#include "pool.h"

enum {
    SHORT_WAIT_MS = 50,
    LONG_WAIT_MS = 1000,
    WAIT_MAX_MS = 10000,
    PROBE_MS = 30000, /* between two INFO: they also notice a connection that died in silence */
    HANDLES = 3,      /* link, waiting, probing */
};

const char *redis_result_name(enum redis_result result)
{
    static const char *const names[] = {"ok", "fenced", "rollback", "refused", "unknown"};
    return names[result];
}

/* ---- health ---- */

void redis_changed(struct redis *redis)
{
    if (redis->on_change && !redis->closing)
        redis->on_change(redis->context);
}

static void trouble_begins(struct redis *redis, enum redis_trouble trouble, const char *why)
{
    struct redis_health *health = &redis->health;
    bool news = health->trouble != trouble || !health->error[0];
    snprintf(health->error, sizeof health->error, "%s", why);
    redis->trouble_in_setup = !health->connected;
    if (!news || redis->closing)
        return;
    health->trouble = trouble;
    health->since_ms = uv_now(redis->link.loop);
    log_warning("redis_trouble", "trouble=%s error=%Q", redis_error_trouble_name(trouble), why);
}

void redis_trouble_ends(struct redis *redis)
{
    redis->failures = 0;
    if (redis->health.trouble == REDIS_TROUBLE_NONE)
        return;
    if (redis->health.error[0]) /* else it was only the time before the first connection */
        log_info("redis_well", "after=%s", redis_error_trouble_name(redis->health.trouble));
    redis->health.trouble = REDIS_TROUBLE_NONE;
    redis->health.since_ms = uv_now(redis->link.loop);
}

/* ---- waiting ---- */

static void on_waited(uv_timer_t *timer)
{
    struct redis *redis = timer->data;
    if (redis->link.state == REDIS_LINK_DOWN) {
        redis_link_connect(&redis->link, &redis->address);
    } else {
        redis->paused = false;
        redis_changed(redis);
    }
}

/* Doubles from failure to failure; the jitter keeps many daemons from coming back at once. */
static void wait(struct redis *redis, bool slow)
{
    uint64_t ms = slow ? LONG_WAIT_MS : SHORT_WAIT_MS;
    for (unsigned i = 0; i < redis->failures && ms < WAIT_MAX_MS; i++)
        ms *= 2;
    if (ms > WAIT_MAX_MS)
        ms = WAIT_MAX_MS;
    redis->failures++;
    uint32_t random = 0;
    uv_random(NULL, NULL, &random, sizeof random, 0, NULL);
    uv_timer_start(&redis->waiting, on_waited, ms - ms / 4 + random % (ms / 4 + 1), 0);
}

/* Drops the connection because of an error reply. */
void redis_give_up(struct redis *redis, const struct redis_error *error, const char *text)
{
    trouble_begins(redis, error->trouble, text);
    redis->explained = true;
    redis->slow = error->remedy == REDIS_REMEDY_WAIT_LONG;
    redis_link_drop(&redis->link, text);
}

static void on_probe(uv_timer_t *timer)
{
    redis_setup_probe(timer->data);
}

/* ---- events of the link ---- */

static void on_up(void *context)
{
    struct redis *redis = context;
    redis->health.connects++;
    redis_setup_begin(redis);
}

static void on_down(void *context, const char *why, bool timed_out)
{
    struct redis *redis = context;
    redis->health.connected = false;
    redis->health.timeouts += timed_out;
    redis->scripts_missing = 0;
    redis->paused = false;
    if (!redis->explained)
        trouble_begins(redis, REDIS_TROUBLE_DOWN, why);
    if (!redis->closing)
        wait(redis, redis->slow);
    redis->explained = redis->slow = false;
    redis_changed(redis);
}

static void pause_for(struct redis *redis, const struct redis_error *error, const char *text)
{
    trouble_begins(redis, error->trouble, text);
    if (!redis->paused && redis->link.state == REDIS_LINK_UP) {
        redis->paused = true; /* others in flight may come back with the same error */
        wait(redis, error->remedy != REDIS_REMEDY_WAIT);
    }
    redis_changed(redis);
}

static enum redis_result refused(struct redis *redis, const char *text)
{
    const struct redis_error *error = redis_error_find(text);
    redis->health.errors++;
    switch (error->remedy) {
    case REDIS_REMEDY_LOAD:
        if (redis->scripts_missing > 0) /* they are on their way */
            break;
        redis_setup_scripts(redis);
        if (redis->reloaded) /* to no avail: do we talk to several servers? */
            pause_for(redis, error, text);
        redis->reloaded = true;
        break;
    case REDIS_REMEDY_RECONNECT:
        redis_give_up(redis, error, text);
        break;
    default:
        pause_for(redis, error, text);
    }
    return REDIS_RESULT_REFUSED;
}

static enum redis_result judge(struct redis *redis, const struct redis_reply *reply)
{
    if (!reply)
        return REDIS_RESULT_UNKNOWN;
    enum redis_result result = REDIS_RESULT_OK;
    if (redis_reply_type(reply) == REDIS_REPLY_IS_ERROR) {
        const char *text = redis_reply_text(reply, NULL);
        if (redis_error_find(text)->remedy != REDIS_REMEDY_NONE)
            return refused(redis, text);
        result = text[0] == 'F' ? REDIS_RESULT_FENCED : REDIS_RESULT_ROLLBACK;
    }
    redis->reloaded = false;
    if (!redis->paused && redis->health.connected)
        redis_trouble_ends(redis);
    return result;
}

static void on_answer(void *context, struct redis_request *request,
                      const struct redis_reply *reply)
{
    struct redis *redis = context;
    if (!redis_setup_answer(redis, request, reply))
        request->done(request, judge(redis, reply), reply);
}

/* ---- for our users ---- */

struct redis *redis_open(uv_loop_t *loop, const struct redis_options *options)
{
    struct redis *redis = memory_alloc(sizeof *redis);
    const char *user = options->user && options->user[0] ? options->user : options->address.user;
    redis->address = options->address;
    redis->user = memory_strdup(user);
    redis->password = memory_strdup(options->password ? options->password : "");
    redis->client_name = memory_strdup(options->client_name ? options->client_name : "");
    redis->read_only = options->read_only;
    redis->on_change = options->on_change;
    redis->context = options->context;
    redis->health.trouble = REDIS_TROUBLE_DOWN; /* until the first connection */
    redis->health.since_ms = uv_now(loop);
    redis->trouble_in_setup = true;
    struct redis_link_events events = {on_up, on_down, on_answer, redis};
    redis_link_init(&redis->link, loop, &events);
    redis_set_limits(redis, &options->limits);
    uv_timer_init(loop, &redis->waiting);
    uv_timer_init(loop, &redis->probing);
    redis->waiting.data = redis->probing.data = redis;
    uv_timer_start(&redis->waiting, on_waited, 0, 0);
    uv_timer_start(&redis->probing, on_probe, PROBE_MS, PROBE_MS);
    return redis;
}

static void one_closed(struct redis *redis)
{
    if (--redis->handles_left > 0)
        return;
    explicit_bzero(redis->password, strlen(redis->password));
    memory_free(redis->user);
    memory_free(redis->password);
    memory_free(redis->client_name);
    if (redis->closed)
        redis->closed(redis->closed_context);
    memory_free(redis);
}

static void on_timer_closed(uv_handle_t *handle)
{
    one_closed(handle->data);
}

static void on_link_finished(void *context)
{
    one_closed(context);
}

void redis_close(struct redis *redis, void (*closed)(void *context), void *context)
{
    expect(!redis->closing);
    redis->closing = true;
    redis->closed = closed;
    redis->closed_context = context;
    redis->handles_left = HANDLES;
    uv_close((uv_handle_t *)&redis->waiting, on_timer_closed);
    uv_close((uv_handle_t *)&redis->probing, on_timer_closed);
    redis_link_fini(&redis->link, on_link_finished);
}

void redis_set_limits(struct redis *redis, const struct redis_limits *limits)
{
    redis->link.connect_timeout_ms = (uint64_t)limits->connect_timeout_ms;
    redis->link.reply_timeout_ms = (uint64_t)limits->reply_timeout_ms;
    redis->max_inflight_bytes = limits->max_inflight_bytes;
}

bool redis_ready(const struct redis *redis)
{
    return redis->link.state == REDIS_LINK_UP && redis->health.connected && !redis->closing &&
           !redis->paused && redis->scripts_missing == 0 &&
           redis->link.inflight_bytes < redis->max_inflight_bytes;
}

size_t redis_inflight_bytes(const struct redis *redis)
{
    return redis->link.inflight_bytes;
}

void redis_send(struct redis *redis, struct redis_request *request)
{
    expect(redis_ready(redis));
    redis_link_send(&redis->link, request);
    redis->health.requests++;
    redis->health.bytes_sent += request->bytes;
}

const char *redis_script_sha(const struct redis *redis, enum redis_lua_id script)
{
    return redis->sha[script];
}

const struct redis_health *redis_health(const struct redis *redis)
{
    return &redis->health;
}

void redis_alarms(const struct redis *redis,
                  void (*alarm)(void *context, const char *name, const char *sentence),
                  void *context)
{
    enum redis_trouble trouble = redis->health.trouble;
    if (trouble != REDIS_TROUBLE_NONE && trouble != REDIS_TROUBLE_BUSY)
        alarm(context, redis_error_trouble_name(trouble),
              redis_error_trouble_sentence(trouble));
    if (redis_info_evicts(&redis->health.info))
        alarm(context, "evicts",
              "Redis may evict rows that are alive: set maxmemory-policy to noeviction.");
}
