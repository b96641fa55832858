/* The connection to a real redis-server that is away, full, read-only, busy, stopped, replaced. */
#include <fcntl.h>
#include <netinet/in.h>

#include "redis_world.h"

/* ---- an answer of each kind of trouble ---- */

struct alarms {
    char names[256];
};

static void on_alarm(void *context, const char *name, const char *sentence)
{
    struct alarms *alarms = context;
    assert_true(strlen(sentence) > 20);
    size_t len = strlen(alarms->names);
    snprintf(alarms->names + len, sizeof alarms->names - len, "%s ", name);
}

static void assert_alarms(struct world *world, const char *expected)
{
    struct alarms alarms = {""};
    redis_alarms(world->redis, on_alarm, &alarms);
    assert_string_equal(alarms.names, expected);
}

static enum redis_trouble trouble(struct world *world)
{
    return redis_health(world->redis)->trouble;
}

static void assert_error(struct world *world, const char *word)
{
    if (!strstr(redis_health(world->redis)->error, word))
        fail_msg("error is %s, not %s", redis_health(world->redis)->error, word);
}

/* Writes rows until one is taken: what the engine does. Returns how many were not. */
static int write_until_ok(struct world *world, int64_t seq, int64_t clicks)
{
    for (int failed = 0;; failed++) {
        WORLD_WAIT(world, redis_ready(world->redis));
        if (world_write(world, seq, "u1", clicks) == REDIS_RESULT_OK)
            return failed;
    }
}

/* Whether a request was applied is not known: a new token tells, and fences it. */
static void write_in_doubt(struct world *world, int64_t clicks)
{
    WORLD_WAIT(world, redis_ready(world->redis));
    world_acquire(world, "b", "a", 0);
    struct flush_terms terms = world_terms(world, world->acquired.seq);
    terms.token = "b";
    flush_batch_begin(&world->batch, &terms);
    world_add(world, "u1", clicks, NULL, true);
    assert_int_equal(world_flush(world), REDIS_RESULT_OK);
}

static void memory_full(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_write(world, 0, "u1", 1);
    world_do(world, "CONFIG SET maxmemory 1");
    assert_int_equal(world_write(world, 1, "u1", 2), REDIS_RESULT_REFUSED);
    assert_string_equal(world_do(world, "HGET features:u1 clicks"), "1"); /* DEL came not first */
    assert_string_equal(world_do(world, "HGET %s seq", world->own), "1");
    assert_int_equal(trouble(world), REDIS_TROUBLE_FULL);
    assert_error(world, "OOM");
    assert_alarms(world, "full ");
    assert_false(redis_ready(world->redis));
    assert_true(redis_health(world->redis)->connected);
    world_do(world, "CONFIG SET maxmemory 0");
    assert_int_equal(write_until_ok(world, 1, 3), 0);
    assert_int_equal(trouble(world), REDIS_TROUBLE_NONE);
    assert_alarms(world, "");
    assert_int_equal(redis_health(world->redis)->connects, 1);
}

static void disk_error_and_missing_replicas(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_do(world, "CONFIG SET min-replicas-to-write 1");
    assert_int_equal(world_write(world, 0, "u1", 1), REDIS_RESULT_REFUSED);
    assert_error(world, "NOREPLICAS");
    assert_int_equal(trouble(world), REDIS_TROUBLE_FULL);
    world_do(world, "CONFIG SET min-replicas-to-write 0");
    assert_int_equal(write_until_ok(world, 0, 1), 0);
}

static void scripts_vanish(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_do(world, "SCRIPT FLUSH");
    assert_int_equal(world_write(world, 0, "u1", 1), REDIS_RESULT_REFUSED);
    assert_int_equal(trouble(world), REDIS_TROUBLE_NONE);
    assert_int_equal(write_until_ok(world, 0, 2), 0);
    assert_int_equal(redis_health(world->redis)->connects, 1);
    assert_string_equal(world_do(world, "HGET features:u1 clicks"), "2");
}

static void busy_script(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    redisContext *other = redisConnectUnix(world->socket);
    redisAppendCommand(other, "EVAL %s 0", "while true do end");
    int done;
    redisBufferWrite(other, &done);
    usleep(100000);
    assert_int_equal(world_write(world, 0, "u1", 1), REDIS_RESULT_REFUSED);
    assert_int_equal(trouble(world), REDIS_TROUBLE_BUSY);
    assert_alarms(world, ""); /* it passes by itself */
    world_do(world, "SCRIPT KILL");
    write_until_ok(world, 0, 1);
    assert_int_equal(trouble(world), REDIS_TROUBLE_NONE);
    redisFree(other);
}

static void read_only_replica(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_do(world, "REPLICAOF 127.0.0.1 1");
    assert_int_equal(world_write(world, 0, "u1", 1), REDIS_RESULT_REFUSED);
    assert_error(world, "READONLY");
    assert_int_equal(trouble(world), REDIS_TROUBLE_REPLICA);
    WORLD_WAIT(world, redis_ready(world->redis)); /* reconnected: perhaps to the primary */
    assert_int_equal(redis_health(world->redis)->connects, 2);
    assert_int_equal(trouble(world), REDIS_TROUBLE_REPLICA); /* until a write is taken */
    world_do(world, "REPLICAOF NO ONE");
    write_until_ok(world, 0, 1);
    assert_int_equal(trouble(world), REDIS_TROUBLE_NONE);
}

static void evicting_policy_is_an_alarm(void **state)
{
    struct world *world = *state;
    static const char *const policy[] = {"--maxmemory-policy", "allkeys-lru", NULL};
    world_serve(world, policy);
    world_connect(world);
    assert_alarms(world, "evicts ");
    assert_string_equal(redis_health(world->redis)->info.maxmemory_policy, "allkeys-lru");
    assert_string_equal(redis_health(world->redis)->info.role, "master");
    assert_int_equal(strlen(redis_health(world->redis)->info.run_id), 40);
}

static void cluster_is_refused(void **state)
{
    struct world *world = *state;
    static const char *const cluster[] = {"--cluster-enabled", "yes", "--port", "0", NULL};
    world_serve(world, cluster);
    struct redis_options options = world_options(world);
    world->redis = redis_open(&world->loop, &options);
    WORLD_WAIT(world, trouble(world) == REDIS_TROUBLE_CLUSTER);
    assert_false(redis_ready(world->redis));
    char nodes[128];
    snprintf(nodes, sizeof nodes, "%s/nodes.conf", world->dir);
    unlink(nodes);
}

/* ---- who may enter ---- */

static void passwords_and_users(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    world_do(world, "ACL SETUSER writer on >secret ~* +@all");
    world_do(world, "ACL SETUSER reader on >secret ~* +@read +@connection +script|load");
    world_do(world, "ACL SETUSER default >main");
    static const struct {
        const char *user;
        const char *password;
        const char *word; /* of the error; NULL: welcome */
    } cases[] = {
        {NULL, NULL, "NOAUTH"},         {NULL, "wrong", "WRONGPASS"},
        {NULL, "main", NULL},           {"writer", "wrong", "WRONGPASS"},
        {"writer", "secret", NULL},     {"nobody", "secret", "WRONGPASS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_options options = world_options(world);
        options.user = cases[i].user;
        options.password = cases[i].password;
        world->redis = redis_open(&world->loop, &options);
        if (cases[i].word) {
            WORLD_WAIT(world, trouble(world) == REDIS_TROUBLE_DENIED);
            assert_error(world, cases[i].word);
            assert_alarms(world, "denied ");
            assert_false(redis_ready(world->redis));
        } else {
            WORLD_WAIT(world, redis_ready(world->redis));
            assert_int_equal(trouble(world), REDIS_TROUBLE_NONE);
        }
        world_disconnect(world);
    }

    /* Setting up may be allowed and writing not. */
    struct redis_options options = world_options(world);
    options.user = "reader";
    options.password = "secret";
    world->redis = redis_open(&world->loop, &options);
    WORLD_WAIT(world, redis_ready(world->redis));
    assert_int_equal(world_acquire(world, "a", NULL, 0), REDIS_RESULT_REFUSED);
    assert_int_equal(trouble(world), REDIS_TROUBLE_DENIED);
    world_do(world, "ACL SETUSER reader +@all");
    WORLD_WAIT(world, redis_ready(world->redis));
    assert_int_equal(world_acquire(world, "a", NULL, 0), REDIS_RESULT_OK);
    assert_int_equal(trouble(world), REDIS_TROUBLE_NONE);
}

static void other_database_and_name(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    struct redis_options options = world_options(world);
    options.address.db = 5;
    world->redis = redis_open(&world->loop, &options);
    WORLD_WAIT(world, redis_ready(world->redis));
    world_acquire(world, "a", NULL, 0);
    world_write(world, 0, "u1", 1);
    assert_string_equal(world_do(world, "DBSIZE"), "0");
    world_do(world, "SELECT 5");
    assert_string_equal(world_do(world, "DBSIZE"), "2");
    assert_non_null(strstr(world_do(world, "CLIENT LIST"), "name=freshet-test"));
    world_disconnect(world);

    options.address.db = 5000;
    world->redis = redis_open(&world->loop, &options);
    WORLD_WAIT(world, trouble(world) == REDIS_TROUBLE_ODD);
    assert_error(world, "DB index is out of range");
}

/* ---- connections that break ---- */

static void killed_client_comes_back(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    for (int i = 0; i < 3; i++) {
        world_do(world, "CLIENT KILL TYPE normal SKIPME yes");
        WORLD_WAIT(world, trouble(world) == REDIS_TROUBLE_DOWN);
        assert_alarms(world, "down ");
        write_until_ok(world, i, i);
        assert_int_equal(trouble(world), REDIS_TROUBLE_NONE);
    }
    assert_int_equal(redis_health(world->redis)->connects, 4);
}

static void stopped_server_times_out(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    redis_set_limits(world->redis, &(struct redis_limits){200, 150, 1 << 20});
    kill(world->server, SIGSTOP);
    assert_int_equal(world_write(world, 0, "u1", 1), REDIS_RESULT_UNKNOWN);
    assert_int_equal(redis_health(world->redis)->timeouts, 1);
    assert_error(world, "no reply in time");
    /* The kernel accepts the next connection; nobody answers. */
    WORLD_WAIT(world, redis_health(world->redis)->timeouts >= 3);
    assert_false(redis_ready(world->redis));
    kill(world->server, SIGCONT);
    redis_set_limits(world->redis, &(struct redis_limits){2000, 5000, 1 << 20});
    write_in_doubt(world, 2);
    assert_string_equal(world_do(world, "HGET features:u1 clicks"), "2");
}

static void replaced_by_an_empty_server(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    world_write(world, 0, "u1", 1);
    char run_id[REDIS_WORD_MAX];
    memcpy(run_id, redis_health(world->redis)->info.run_id, sizeof run_id);
    world_kill(world);
    WORLD_WAIT(world, trouble(world) == REDIS_TROUBLE_DOWN);
    assert_false(redis_ready(world->redis));
    world_serve(world, NULL);
    WORLD_WAIT(world, redis_ready(world->redis));
    assert_string_not_equal(redis_health(world->redis)->info.run_id, run_id);
    assert_int_equal(world_write(world, 1, "u1", 2), REDIS_RESULT_FENCED);
    world_acquire(world, "b", "a", 1);
    assert_true(world->acquired.resync);
}

static void killed_with_requests_in_flight(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    kill(world->server, SIGSTOP);
    struct flush_terms terms = world_terms(world, 0);
    struct flush_batch batches[4];
    int before = world->answers;
    for (int i = 0; i < 4; i++) {
        flush_batch_init(&batches[i]);
        flush_batch_begin(&batches[i], &terms);
        redis_flush(world->redis, &batches[i], world_on_flushed, world);
    }
    assert_true(redis_inflight_bytes(world->redis) > 4 * 100);
    world_kill(world);
    WORLD_WAIT(world, world->answers == before + 4);
    assert_int_equal(world->flushed.result, REDIS_RESULT_UNKNOWN);
    assert_int_equal(redis_inflight_bytes(world->redis), 0);
    for (int i = 0; i < 4; i++)
        flush_batch_fini(&batches[i]);
}

static void server_comes_late(void **state)
{
    struct world *world = *state;
    struct redis_options options = world_options(world);
    world->redis = redis_open(&world->loop, &options);
    WORLD_WAIT(world, redis_health(world->redis)->error[0]);
    assert_int_equal(trouble(world), REDIS_TROUBLE_DOWN);
    assert_error(world, "no such file");
    world_serve(world, NULL);
    WORLD_WAIT(world, redis_ready(world->redis));
    assert_int_equal(trouble(world), REDIS_TROUBLE_NONE);
    assert_true(world->changes > 0);
}

/* Over TCP, by a name that may have several addresses of which one answers. */
static void by_host_name(void **state)
{
    struct world *world = *state;
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    bind(probe, (struct sockaddr *)&address, len);
    getsockname(probe, (struct sockaddr *)&address, &len);
    close(probe);
    char port[8];
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    const char *tcp[] = {"--port", port, "--bind", "127.0.0.1", NULL};
    world_serve(world, tcp);
    struct redis_options options = world_options(world);
    char url[64], error[256];
    snprintf(url, sizeof url, "redis://localhost:%s/0", port);
    assert_true(redis_address_parse(url, &options.address, error, sizeof error));
    world->redis = redis_open(&world->loop, &options);
    WORLD_WAIT(world, redis_ready(world->redis));
    assert_int_equal(world_acquire(world, "a", NULL, 0), REDIS_RESULT_OK);
    /* A request that times out is taken back from the network. */
    redis_set_limits(world->redis, &(struct redis_limits){1000, 100, 1 << 20});
    kill(world->server, SIGSTOP);
    assert_int_equal(world_write(world, 0, "u1", 1), REDIS_RESULT_UNKNOWN);
    kill(world->server, SIGCONT);
    redis_set_limits(world->redis, &(struct redis_limits){1000, 5000, 1 << 20});
    write_in_doubt(world, 2);
    world_disconnect(world);

    assert_true(redis_address_parse("redis://no..name:1/0", &options.address, error,
                                    sizeof error));
    world->redis = redis_open(&world->loop, &options);
    WORLD_WAIT(world, redis_health(world->redis)->error[0]);
    assert_error(world, "address was not found");
}

/* ---- a server that talks nonsense ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    listen(listener, 8);
    return listener;
}

static void nonsense_is_survived(void **state)
{
    struct world *world = *state;
    static const char *const nonsense[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        "-ERR max number of clients reached\r\n",
        "$-7\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        "",
    };
    int listener = listen_at(world->socket);
    struct redis_options options = world_options(world);
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        world->redis = redis_open(&world->loop, &options);
        WORLD_WAIT(world, redis_health(world->redis)->connects == 1);
        int peer = accept(listener, NULL, NULL);
        assert_int_equal(write(peer, nonsense[i], strlen(nonsense[i])), strlen(nonsense[i]));
        shutdown(peer, SHUT_WR);
        WORLD_WAIT(world, redis_health(world->redis)->error[0]);
        WORLD_WAIT(world, redis_health(world->redis)->connects == 2); /* tries again */
        close(peer);
        close(accept(listener, NULL, NULL));
        world_disconnect(world);
    }
    close(listener);
    unlink(world->socket);
}

/* Sends text to the daemon's side of the connection. */
static void say(int peer, const char *text)
{
    assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static const char script_loaded[] = "$40\r\n0123456789012345678901234567890123456789\r\n";

/* Answers the set-up as a server would; returns the connection. */
static int false_server(struct world *world, int listener)
{
    struct redis_options options = world_options(world);
    world->redis = redis_open(&world->loop, &options);
    WORLD_WAIT(world, redis_health(world->redis)->connects == 1);
    int peer = accept(listener, NULL, NULL);
    say(peer, "+OK\r\n$16\r\nredis_mode:alone\r\n");
    for (int i = 0; i < REDIS_LUA_COUNT; i++)
        say(peer, script_loaded);
    WORLD_WAIT(world, redis_ready(world->redis));
    return peer;
}

static void on_scanned(void *context, const struct scan_result *result)
{
    struct world *world = context;
    world->flushed.result = result->result;
    world->answers++;
}

static void on_swept(void *context, const struct sweep_result *result)
{
    struct world *world = context;
    world->flushed.result = result->result;
    world->answers++;
}

static void on_resynced(void *context, enum redis_result result)
{
    struct world *world = context;
    world->flushed.result = result;
    world->answers++;
}

static void on_acquired(void *context, const struct acquire_result *result)
{
    struct world *world = context;
    world->flushed.result = result->result;
    world->answers++;
}

enum odd_call { ODD_ACQUIRE, ODD_FLUSH, ODD_RESYNC, ODD_SCAN, ODD_SWEEP };

static void make_call(struct world *world, enum odd_call call)
{
    struct acquire_terms acquire = {world->own, "a", NULL, 0, "hash", -1};
    struct sweep_terms sweep = {world->own, "a", 0, 3};
    struct flush_terms flush = world_terms(world, 0);
    struct text keys = {0};
    text_append_string(&keys, "$1\r\nk\r\n");
    switch (call) {
    case ODD_ACQUIRE:
        redis_acquire(world->redis, &acquire, on_acquired, world);
        break;
    case ODD_FLUSH:
        flush_batch_begin(&world->batch, &flush);
        world_add(world, "u1", 1, NULL, true);
        redis_flush(world->redis, &world->batch, world_on_flushed, world);
        break;
    case ODD_RESYNC:
        redis_set_resync(world->redis, world->own, "a", true, on_resynced, world);
        break;
    case ODD_SCAN:
        redis_scan(world->redis, "0", "*", on_scanned, world);
        break;
    case ODD_SWEEP:
        redis_sweep(world->redis, &sweep, &keys, 1, on_swept, world);
        break;
    }
    text_free(&keys);
}

/* Replies that are RESP, but none that our scripts give: not believed, not acted on. */
static void replies_of_another_shape(void **state)
{
    struct world *world = *state;
    static const struct {
        enum odd_call call;
        const char *reply;
    } odd[] = {
        {ODD_ACQUIRE, "+OK\r\n"},
        {ODD_ACQUIRE, "*4\r\n$-1\r\n$-1\r\n:0\r\n:0\r\n"},
        {ODD_ACQUIRE, "*5\r\n$-1\r\n$-1\r\n:0\r\n$1\r\nx\r\n:5\r\n"},
        {ODD_ACQUIRE, "*5\r\n*0\r\n$-1\r\n:0\r\n:0\r\n:5\r\n"},
        {ODD_FLUSH, "+OK\r\n"},
        {ODD_FLUSH, "*0\r\n"},
        {ODD_FLUSH, "*2\r\n$-1\r\n:5\r\n"},
        {ODD_FLUSH, "*3\r\n:1\r\n:5\r\n:0\r\n"},
        {ODD_FLUSH, "*4\r\n:1\r\n:5\r\n:1\r\n:0\r\n"}, /* a row that was not sent */
        {ODD_FLUSH, "*6\r\n:1\r\n:5\r\n:0\r\n:0\r\n:0\r\n:0\r\n"},
        {ODD_RESYNC, "$-1\r\n"},
        {ODD_RESYNC, "*0\r\n"},
        {ODD_SCAN, "+OK\r\n"},
        {ODD_SCAN, "*0\r\n"},
        {ODD_SCAN, "*1\r\n:0\r\n"},
        {ODD_SCAN, "*2\r\n$1\r\n0\r\n$1\r\nk\r\n"},
        {ODD_SCAN, "*3\r\n$1\r\n0\r\n:1\r\n:1\r\n"},
        {ODD_SWEEP, "$-1\r\n"},
        {ODD_SWEEP, "+OK\r\n"},
    };
    int listener = listen_at(world->socket);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        int peer = false_server(world, listener);
        int before = world->answers;
        make_call(world, odd[i].call);
        say(peer, odd[i].reply);
        WORLD_WAIT(world, world->answers > before);
        if (world->flushed.result != REDIS_RESULT_UNKNOWN)
            fail_msg("%s is %s", odd[i].reply, redis_result_name(world->flushed.result));
        WORLD_WAIT(world, !redis_health(world->redis)->connected);
        assert_error(world, "shape");
        close(peer);
        world_disconnect(world);
    }
    close(listener);
    unlink(world->socket);
}

/* A reply without end is not kept in memory until its end. */
static void endless_reply(void **state)
{
    struct world *world = *state;
    static char zeros[1 << 20];
    int listener = listen_at(world->socket);
    int peer = false_server(world, listener);
    int before = world->answers;
    size_t said = 0;
    make_call(world, ODD_SCAN);
    say(peer, "$2000000000\r\n");
    fcntl(peer, F_SETFL, O_NONBLOCK);
    while (world->answers == before && said < (size_t)256 << 20) {
        ssize_t wrote = write(peer, zeros, sizeof zeros);
        said += wrote > 0 ? (size_t)wrote : 0;
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_true(said < (size_t)64 << 20);
    assert_int_equal(world->flushed.result, REDIS_RESULT_UNKNOWN);
    close(peer);
    close(listener);
    unlink(world->socket);
}

/* As behind a proxy that spreads requests over servers: no storm, and people are told. */
static void scripts_vanish_again_and_again(void **state)
{
    struct world *world = *state;
    int listener = listen_at(world->socket);
    int peer = false_server(world, listener);
    for (int i = 0; i < 2; i++) {
        assert_true(redis_ready(world->redis));
        int before = world->answers;
        make_call(world, ODD_FLUSH);
        say(peer, "-NOSCRIPT No matching script.\r\n");
        WORLD_WAIT(world, world->answers > before);
        assert_int_equal(world->flushed.result, REDIS_RESULT_REFUSED);
        assert_false(redis_ready(world->redis));
        for (int k = 0; k < REDIS_LUA_COUNT; k++)
            say(peer, script_loaded);
        if (i == 0) {
            assert_int_equal(trouble(world), REDIS_TROUBLE_NONE);
            WORLD_WAIT(world, redis_ready(world->redis));
        }
    }
    assert_int_equal(trouble(world), REDIS_TROUBLE_ODD);
    assert_error(world, "NOSCRIPT");
    uint64_t began = uv_now(&world->loop);
    WORLD_WAIT(world, redis_ready(world->redis));
    assert_true(uv_now(&world->loop) - began > 300); /* it waited */
    int before = world->answers;
    make_call(world, ODD_FLUSH);
    say(peer, "*2\r\n:1\r\n:5\r\n");
    WORLD_WAIT(world, world->answers > before);
    assert_int_equal(trouble(world), REDIS_TROUBLE_NONE);
    close(peer);
    close(listener);
    unlink(world->socket);
}

/* ---- many requests, and the end ---- */

enum { MANY = 200 };

struct order {
    int64_t last_seq;
    int count;
};

static void in_order(void *context, struct flush_batch *batch, const struct flush_result *result)
{
    (void)batch;
    struct order *order = context;
    assert_int_equal(result->result, REDIS_RESULT_OK);
    assert_int_equal(result->seq, order->last_seq + 1);
    order->last_seq = result->seq;
    order->count++;
}

static void bytes_in_flight_are_bounded(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    redis_set_limits(world->redis, &(struct redis_limits){2000, 5000, 100000});
    struct flush_batch *batches = calloc(MANY, sizeof *batches);
    struct order order = {0};
    struct flush_terms terms = world_terms(world, 0);
    for (int i = 0; i < MANY; i++) {
        WORLD_WAIT(world, redis_ready(world->redis));
        terms.expected_seq = i;
        flush_batch_begin(&world->batch, &terms);
        for (int k = 0; k < 100; k++)
            world_add(world, "same", k, "x", true);
        batches[i] = world->batch;
        flush_batch_init(&world->batch);
        redis_flush(world->redis, &batches[i], in_order, &order);
        assert_true(redis_inflight_bytes(world->redis) < 100000 + 50000);
    }
    WORLD_WAIT(world, order.count == MANY);
    assert_int_equal(redis_inflight_bytes(world->redis), 0);
    for (int i = 0; i < MANY; i++)
        flush_batch_fini(&batches[i]);
    free(batches);
}

static void closing_answers_what_is_in_flight(void **state)
{
    struct world *world = *state;
    world_acquire(world, "a", NULL, 0);
    kill(world->server, SIGSTOP);
    struct flush_terms terms = world_terms(world, 0);
    flush_batch_begin(&world->batch, &terms);
    int before = world->answers;
    redis_flush(world->redis, &world->batch, world_on_flushed, world);
    world_disconnect(world);
    assert_int_equal(world->answers, before + 1);
    assert_int_equal(world->flushed.result, REDIS_RESULT_UNKNOWN);
    kill(world->server, SIGCONT);
}

static void closing_at_any_moment(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    for (int steps = 0; steps < 40; steps++) {
        struct redis_options options = world_options(world);
        if (steps % 2)
            options.address = (struct redis_address){.host = "localhost", .port = 1};
        world->redis = redis_open(&world->loop, &options);
        for (int i = 0; i < steps / 2; i++) {
            uv_run(&world->loop, UV_RUN_NOWAIT);
            usleep(200);
        }
        world_disconnect(world);
    }
}

#define WITH_SERVER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, world_setup_connected, world_teardown)
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
    if (!world_possible())
        return 0;
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    const struct CMUnitTest tests[] = {
        WITH_SERVER(memory_full),
        WITH_SERVER(disk_error_and_missing_replicas),
        WITH_SERVER(scripts_vanish),
        WITH_SERVER(busy_script),
        WITH_SERVER(read_only_replica),
        WITH_WORLD(evicting_policy_is_an_alarm),
        WITH_WORLD(cluster_is_refused),
        WITH_WORLD(passwords_and_users),
        WITH_WORLD(other_database_and_name),
        WITH_SERVER(killed_client_comes_back),
        WITH_SERVER(stopped_server_times_out),
        WITH_SERVER(replaced_by_an_empty_server),
        WITH_SERVER(killed_with_requests_in_flight),
        WITH_WORLD(server_comes_late),
        WITH_WORLD(by_host_name),
        WITH_WORLD(nonsense_is_survived),
        WITH_WORLD(replies_of_another_shape),
        WITH_WORLD(endless_reply),
        WITH_WORLD(scripts_vanish_again_and_again),
        WITH_SERVER(bytes_in_flight_are_bounded),
        WITH_SERVER(closing_answers_what_is_in_flight),
        WITH_WORLD(closing_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
