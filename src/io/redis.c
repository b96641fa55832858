/* What replies mean for the connection: set-up after connecting, the remedy of each error, pauses
 * and reconnection. What a request's own reply says is its owner's business.
 *
 * A refused request is never sent again from here, not even after NOSCRIPT: requests behind it may
 * have been applied, and an old row must not overtake a newer one. Its owner still has the rows
 * dirty and builds a new request. */
#include "redis.h"

#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "log.h"
#include "pool.h"
#include "resp.h"
#include "text.h"

enum {
    SHORT_WAIT_MS = 50,
    LONG_WAIT_MS = 1000,
    WAIT_MAX_MS = 10000,
    PROBE_MS = 30000, /* between two INFO: they also notice a connection that died in silence */
    SHA_DIGITS = 40,
    HANDLES = 3, /* link, waiting, probing */
};

struct redis {
    struct redis_link link;
    struct redis_address address;
    char *user;
    char *password;
    char *client_name;
    size_t max_inflight_bytes;
    void (*on_change)(void *context);
    void *context;

    struct redis_health health;
    bool trouble_in_setup; /* so that a complete set-up ends it */
    bool explained;        /* the link goes down for the trouble that is already noted */
    bool slow;             /* wait long before the next attempt */
    bool paused;           /* connected, but waiting out an error */
    unsigned failures;     /* in a row: doubles the wait */
    int scripts_missing;
    char sha[REDIS_LUA_COUNT][SHA_DIGITS + 1];

    uv_timer_t waiting; /* for the next attempt, or for the end of a pause */
    uv_timer_t probing;
    int handles_left; /* while closing */
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

const char *redis_result_name(enum redis_result result)
{
    static const char *const names[] = {"ok", "fenced", "rollback", "refused", "unknown"};
    return names[result];
}

/* ---- health ---- */

static void changed(struct redis *redis)
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

static void trouble_ends(struct redis *redis)
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
        changed(redis);
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
static void give_up(struct redis *redis, const struct redis_error *error, const char *text)
{
    trouble_begins(redis, error->trouble, text);
    redis->explained = true;
    redis->slow = error->remedy == REDIS_REMEDY_WAIT_LONG;
    redis_link_drop(&redis->link, text);
}

/* ---- errands: our own commands ---- */

enum errand_kind { ERRAND_ENTER, ERRAND_NAME, ERRAND_INFO, ERRAND_LOAD };

struct errand {
    struct redis_request request; /* first, so that a request leads to its errand */
    struct text command;
    enum errand_kind kind;
    enum redis_lua_id script;
};

/* Marks the requests that are errands; they are answered by errand_answered. */
static void errand_done(struct redis_request *request, enum redis_result result,
                        const struct redis_reply *reply)
{
    (void)request, (void)result, (void)reply;
    unreachable("an errand is answered by errand_answered");
}

static struct errand *errand_new(enum errand_kind kind)
{
    struct errand *errand = memory_alloc(sizeof *errand);
    errand->kind = kind;
    errand->request.done = errand_done;
    return errand;
}

static void errand_send(struct redis *redis, struct errand *errand)
{
    errand->request.parts[0] = uv_buf_init(errand->command.data, (unsigned)errand->command.len);
    errand->request.part_count = 1;
    if (redis->link.state == REDIS_LINK_UP) {
        redis_link_send(&redis->link, &errand->request);
        return;
    }
    text_free(&errand->command); /* an errand before it found the link broken */
    memory_free(errand);
}

static void load_scripts(struct redis *redis)
{
    if (redis->scripts_missing > 0)
        return; /* under way */
    redis->scripts_missing = REDIS_LUA_COUNT;
    for (int i = 0; i < REDIS_LUA_COUNT; i++) {
        struct errand *errand = errand_new(ERRAND_LOAD);
        errand->script = (enum redis_lua_id)i;
        resp_command(&errand->command, "SCRIPT", "LOAD", redis_lua_sources[i], NULL);
        errand_send(redis, errand);
    }
}

static void ask_info(struct redis *redis)
{
    struct errand *errand = errand_new(ERRAND_INFO);
    resp_command(&errand->command, "INFO", NULL);
    errand_send(redis, errand);
}

static void script_loaded(struct redis *redis, enum redis_lua_id script, const char *sha)
{
    snprintf(redis->sha[script], sizeof redis->sha[script], "%s", sha);
    if (--redis->scripts_missing > 0)
        return;
    if (!redis->health.connected) {
        redis->health.connected = true;
        log_info("redis_connected", "server=%Q version=%Q",
                 redis->address.path[0] ? redis->address.path : redis->address.host,
                 redis->health.info.version);
        if (redis->trouble_in_setup)
            trouble_ends(redis);
    }
    changed(redis);
}

static void info_came(struct redis *redis, const char *text)
{
    bool evicted = redis_info_evicts(&redis->health.info);
    redis_info_parse(text, &redis->health.info);
    if (strcmp(redis->health.info.mode, "cluster") == 0)
        give_up(redis, redis_error_find("MOVED"), "the server runs in cluster mode");
    if (redis_info_evicts(&redis->health.info) != evicted)
        changed(redis);
}

/* reply is NULL when the link went down: everything is set up anew after the next connection. */
static void errand_answered(struct redis *redis, struct errand *errand,
                            const struct redis_reply *reply)
{
    const char *text = reply ? redis_reply_text(reply, NULL) : NULL;
    if (text && redis_reply_type(reply) == REDIS_REPLY_IS_ERROR) {
        /* A user may lack the right to CLIENT and INFO: we can do without. */
        if (errand->kind == ERRAND_ENTER || errand->kind == ERRAND_LOAD)
            give_up(redis, redis_error_find(text), text);
    } else if (text && errand->kind == ERRAND_LOAD) {
        script_loaded(redis, errand->script, text);
    } else if (text && errand->kind == ERRAND_INFO) {
        info_came(redis, text);
    }
    explicit_bzero(errand->command.data, errand->command.len); /* it may hold the password */
    text_free(&errand->command);
    memory_free(errand);
}

static void on_probe(uv_timer_t *timer)
{
    struct redis *redis = timer->data;
    if (redis->health.connected && redis->link.state == REDIS_LINK_UP)
        ask_info(redis);
}

/* ---- events of the link ---- */

static void on_up(void *context)
{
    struct redis *redis = context;
    redis->health.connects++;
    if (redis->user[0] || redis->password[0]) {
        struct errand *auth = errand_new(ERRAND_ENTER);
        if (redis->user[0])
            resp_command(&auth->command, "AUTH", redis->user, redis->password, NULL);
        else
            resp_command(&auth->command, "AUTH", redis->password, NULL);
        errand_send(redis, auth);
    }
    if (redis->address.db > 0) {
        struct errand *select = errand_new(ERRAND_ENTER);
        char db[16];
        snprintf(db, sizeof db, "%d", redis->address.db);
        resp_command(&select->command, "SELECT", db, NULL);
        errand_send(redis, select);
    }
    if (redis->client_name[0]) {
        struct errand *name = errand_new(ERRAND_NAME);
        resp_command(&name->command, "CLIENT", "SETNAME", redis->client_name, NULL);
        errand_send(redis, name);
    }
    ask_info(redis);
    load_scripts(redis);
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
    changed(redis);
}

static enum redis_result refused(struct redis *redis, const char *text)
{
    const struct redis_error *error = redis_error_find(text);
    redis->health.errors++;
    switch (error->remedy) {
    case REDIS_REMEDY_LOAD:
        if (redis->link.state == REDIS_LINK_UP)
            load_scripts(redis);
        break;
    case REDIS_REMEDY_RECONNECT:
        give_up(redis, error, text);
        break;
    default:
        trouble_begins(redis, error->trouble, text);
        if (!redis->paused && redis->link.state == REDIS_LINK_UP) {
            redis->paused = true; /* others in flight may come back with the same error */
            wait(redis, error->remedy == REDIS_REMEDY_WAIT_LONG);
        }
        changed(redis);
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
    if (!redis->paused && redis->health.connected)
        trouble_ends(redis);
    return result;
}

static void on_answer(void *context, struct redis_request *request,
                      const struct redis_reply *reply)
{
    struct redis *redis = context;
    if (request->done == errand_done) {
        errand_answered(redis, (struct errand *)(void *)request, reply);
        return;
    }
    enum redis_result result = judge(redis, reply);
    request->done(request, result, reply);
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
