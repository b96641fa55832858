/* For tests against a real redis-server: a private one on a Unix socket, a loop, and waiting. */
#ifndef FRESHET_REDIS_WORLD_H
#define FRESHET_REDIS_WORLD_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "redis_script.h"
#include "rowlayout.h"

enum { WORLD_LIMIT_MS = 20000, WORLD_ARGS_MAX = 32 };

/* Two features: a count that is a long, a name that may be null. */
static struct feature world_features[] = {
    {.name = "clicks", .kind.type = VALUE_LONG, .by = -1},
    {.name = "last", .kind.type = VALUE_STRING, .by = -1},
};
static const struct feature_set world_set = {
    .features = world_features, .count = 2, .version = 0xfeed};

struct world {
    char dir[64];
    char socket[96];
    pid_t server;
    redisContext *admin;
    uv_loop_t loop;
    uv_timer_t limit;
    bool too_late;
    struct redis *redis;
    struct rowlayout layout;
    struct flush_batch batch;
    char own[64];

    /* What the newest answer was; `answers` counts them. */
    int answers;
    int changes;
    struct acquire_result acquired;
    struct flush_result flushed;
    enum redis_result resynced;
    struct sweep_result swept;
    bool closed;
};

/* ---- the server ---- */

static inline void world_admin(struct world *world)
{
    for (int i = 0; i < 500; i++) {
        world->admin = redisConnectUnix(world->socket);
        redisReply *pong = world->admin->err ? NULL : redisCommand(world->admin, "PING");
        bool works = pong != NULL;
        freeReplyObject(pong);
        if (works)
            return;
        redisFree(world->admin);
        usleep(10000);
    }
    fail_msg("redis-server does not answer");
}

/* Starts the server with more arguments (ending in NULL) and waits until it answers. */
static inline void world_serve(struct world *world, const char *const *more)
{
    const char *args[WORLD_ARGS_MAX] = {
        "redis-server", "--port", "0", "--unixsocket", world->socket, "--save", "",
        "--appendonly", "no", "--dir", world->dir, "--enable-debug-command", "yes",
        "--busy-reply-threshold", "20"};
    int count = 15;
    while (more && *more)
        args[count++] = *more++;
    world->server = fork();
    if (world->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        freopen("/dev/null", "w", stdout);
        execvp(args[0], (char *const *)(uintptr_t)args);
        _exit(127);
    }
    world_admin(world);
}

static inline void world_kill(struct world *world)
{
    redisFree(world->admin);
    world->admin = NULL;
    kill(world->server, SIGKILL);
    waitpid(world->server, NULL, 0);
    world->server = 0;
    unlink(world->socket);
}

/* A command of the operator; the reply's text, or its number as text, until the next one. */
static inline const char *world_do(struct world *world, const char *format, ...)
{
    static char text[4096];
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(world->admin, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_INTEGER)
        snprintf(text, sizeof text, "%lld", reply->integer);
    else
        snprintf(text, sizeof text, "%s", reply->str ? reply->str : "(nil)");
    freeReplyObject(reply);
    return text;
}

/* ---- the loop ---- */

static inline void world_too_late(uv_timer_t *timer)
{
    ((struct world *)timer->data)->too_late = true;
}

#define WORLD_WAIT(world, condition)                                                               \
    do {                                                                                           \
        (world)->too_late = false;                                                                 \
        uv_update_time(&(world)->loop);                                                            \
        uv_timer_start(&(world)->limit, world_too_late, WORLD_LIMIT_MS, 0);                        \
        while (!(condition) && !(world)->too_late)                                                 \
            uv_run(&(world)->loop, UV_RUN_ONCE);                                                   \
        uv_timer_stop(&(world)->limit);                                                            \
        if ((world)->too_late)                                                                     \
            fail_msg("waited in vain for " #condition);                                            \
    } while (0)

static inline void world_changed(void *context)
{
    ((struct world *)context)->changes++;
}

static inline struct redis_options world_options(struct world *world)
{
    struct redis_options options = {
        .client_name = "freshet-test",
        .limits = {.connect_timeout_ms = 1000, .reply_timeout_ms = 3000,
                   .max_inflight_bytes = 1 << 20},
        .on_change = world_changed,
        .context = world,
    };
    snprintf(options.address.path, sizeof options.address.path, "%s", world->socket);
    return options;
}

static inline void world_connect(struct world *world)
{
    struct redis_options options = world_options(world);
    world->redis = redis_open(&world->loop, &options);
    WORLD_WAIT(world, redis_ready(world->redis));
}

static inline void world_closed(void *context)
{
    ((struct world *)context)->closed = true;
}

static inline void world_disconnect(struct world *world)
{
    world->closed = false;
    redis_close(world->redis, world_closed, world);
    WORLD_WAIT(world, world->closed);
    world->redis = NULL;
}

/* ---- life ---- */

/* Makes the world; the test starts the server and connects. */
static inline int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    snprintf(world->dir, sizeof world->dir, "/tmp/freshet-redis-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    snprintf(world->socket, sizeof world->socket, "%s/redis.sock", world->dir);
    snprintf(world->own, sizeof world->own, "freshet:{app:clicks:3}:own");
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->limit);
    world->limit.data = world;
    rowlayout_init(&world->layout, ROWLAYOUT_HASH, &world_set, "", "features:{key}", 0);
    flush_batch_init(&world->batch);
    *state = world;
    return 0;
}

static inline int world_setup_connected(void **state)
{
    world_setup(state);
    struct world *world = *state;
    world_serve(world, NULL);
    world_connect(world);
    return 0;
}

static inline int world_teardown(void **state)
{
    struct world *world = *state;
    if (world->redis)
        world_disconnect(world);
    if (world->server)
        world_kill(world);
    uv_close((uv_handle_t *)&world->limit, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0); /* nothing was left open */
    rowlayout_fini(&world->layout);
    flush_batch_fini(&world->batch);
    rmdir(world->dir);
    free(world);
    return 0;
}

/* Says so, instead of failing each test, when there is no redis-server. */
static inline bool world_possible(void)
{
    if (system("command -v redis-server >/dev/null") == 0)
        return true;
    fprintf(stderr, "SKIPPED: redis-server is not installed, nothing here was tested\n");
    return false;
}

/* ---- calls, each waiting for its answer ---- */

static inline void world_on_acquired(void *context, const struct acquire_result *result)
{
    struct world *world = context;
    world->acquired = *result;
    world->answers++;
}

static inline enum redis_result world_acquire(struct world *world, const char *token,
                                              const char *old_token, int64_t old_seq)
{
    int before = world->answers;
    const char *layout = world->layout.kind == ROWLAYOUT_HASH ? "hash" : "packed";
    struct acquire_terms terms = {world->own, token, old_token, old_seq, layout, -1};
    redis_acquire(world->redis, &terms, world_on_acquired, world);
    assert_int_equal(world->answers, before); /* never from within */
    WORLD_WAIT(world, world->answers > before);
    return world->acquired.result;
}

static inline void world_on_flushed(void *context, struct flush_batch *batch,
                                    const struct flush_result *result)
{
    (void)batch;
    struct world *world = context;
    world->flushed = *result;
    world->answers++;
}

/* Token a, partition 3, offset 100, as_of 5000, TTL one hour. */
static inline struct flush_terms world_terms(struct world *world, int64_t expected_seq)
{
    return (struct flush_terms){.own_key = world->own, .token = "a",
                                .expected_seq = expected_seq, .high_offset = 100,
                                .as_of = {5000}, .ttl_ms = 3600000,
                                .layout = world->layout.kind, .partition = 3};
}

/* A row with clicks = n and last = text (NULL: null). */
static inline void world_add(struct world *world, const char *key, int64_t clicks,
                             const char *last, bool whole)
{
    struct value values[] = {value_long(clicks), value_null()};
    if (last)
        values[1] = value_text(VALUE_STRING, last, (uint32_t)strlen(last));
    struct row row = {.key = key, .key_len = (uint32_t)strlen(key), .partition = 3,
                      .offset = 77, .as_of = {5000}, .set = &world_set, .values = values,
                      .whole = whole};
    flush_batch_add(&world->batch, &world->layout, &row);
}

static inline enum redis_result world_flush(struct world *world)
{
    int before = world->answers;
    redis_flush(world->redis, &world->batch, world_on_flushed, world);
    assert_int_equal(world->answers, before);
    WORLD_WAIT(world, world->answers > before);
    return world->flushed.result;
}

/* One row in a batch of its own. */
static inline enum redis_result world_write(struct world *world, int64_t expected_seq,
                                            const char *key, int64_t clicks)
{
    struct flush_terms terms = world_terms(world, expected_seq);
    flush_batch_begin(&world->batch, &terms);
    world_add(world, key, clicks, NULL, true);
    return world_flush(world);
}

/* The largest batch, as the first of owner a: keys k0 to k255, clicks = the number. */
static inline void world_flush_largest(struct world *world)
{
    world_acquire(world, "a", NULL, 0);
    struct flush_terms terms = world_terms(world, 0);
    flush_batch_begin(&world->batch, &terms);
    int rows = 0;
    for (; !flush_batch_full(&world->batch, &world->layout); rows++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", rows);
        world_add(world, key, rows, "a name", true);
    }
    assert_int_equal(rows, FLUSH_BATCH_ROWS);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
    assert_string_equal(world_do(world, "DBSIZE"), "257");
}

#endif
