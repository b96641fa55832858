/* Our own commands on a connection: entering (AUTH, SELECT), the scripts, INFO. They are sent all
 * at once; the first refusal of what is needed gives the connection up. */
#include "redis_private.h"

#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "log.h"
#include "pool.h"
#include "resp.h"
#include "text.h"

enum errand_kind { ERRAND_ENTER, ERRAND_NAME, ERRAND_INFO, ERRAND_LOAD, ERRAND_READ };

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

/* ---- what is said after connecting ---- */

void redis_setup_scripts(struct redis *redis)
{
    if (redis->scripts_missing > 0 || redis->link.state != REDIS_LINK_UP)
        return;
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

/* Any read shows that we were let in; a server that is loading its data refuses it. */
static void ask_to_read(struct redis *redis)
{
    struct errand *errand = errand_new(ERRAND_READ);
    resp_command(&errand->command, "EXISTS", "freshet:", NULL); /* as rights are given for */
    errand_send(redis, errand);
}

static void enter(struct redis *redis)
{
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
}

void redis_setup_begin(struct redis *redis)
{
    enter(redis);
    if (redis->client_name[0]) {
        struct errand *name = errand_new(ERRAND_NAME);
        resp_command(&name->command, "CLIENT", "SETNAME", redis->client_name, NULL);
        errand_send(redis, name);
    }
    ask_info(redis);
    if (redis->read_only)
        ask_to_read(redis);
    else
        redis_setup_scripts(redis);
}

void redis_setup_probe(struct redis *redis)
{
    if (redis->health.connected && redis->link.state == REDIS_LINK_UP)
        ask_info(redis);
}

/* ---- what is answered ---- */

static void set_up(struct redis *redis)
{
    if (!redis->health.connected) {
        redis->health.connected = true;
        log_info("redis_connected", "server=%Q version=%Q",
                 redis->address.path[0] ? redis->address.path : redis->address.host,
                 redis->health.info.version);
        if (redis->trouble_in_setup)
            redis_trouble_ends(redis);
    }
    redis_changed(redis);
}

static void script_loaded(struct redis *redis, enum redis_lua_id script, const char *sha)
{
    snprintf(redis->sha[script], sizeof redis->sha[script], "%s", sha);
    if (--redis->scripts_missing == 0)
        set_up(redis);
}

static void info_came(struct redis *redis, const char *text)
{
    bool evicted = redis_info_evicts(&redis->health.info);
    redis_info_parse(text, &redis->health.info);
    if (strcmp(redis->health.info.mode, "cluster") == 0)
        redis_give_up(redis, redis_error_find("MOVED"), "the server runs in cluster mode");
    if (redis_info_evicts(&redis->health.info) != evicted)
        redis_changed(redis);
}

/* reply is NULL when the link went down: everything is set up anew after the next connection. */
static void errand_answered(struct redis *redis, struct errand *errand,
                            const struct redis_reply *reply)
{
    const char *text = reply ? redis_reply_text(reply, NULL) : NULL;
    if (text && redis_reply_type(reply) == REDIS_REPLY_IS_ERROR) {
        /* A user may lack the right to CLIENT and INFO: we can do without. */
        if (errand->kind != ERRAND_NAME && errand->kind != ERRAND_INFO)
            redis_give_up(redis, redis_error_find(text), text);
    } else if (reply && errand->kind == ERRAND_READ) {
        set_up(redis);
    } else if (text && errand->kind == ERRAND_LOAD) {
        script_loaded(redis, errand->script, text);
    } else if (text && errand->kind == ERRAND_INFO) {
        info_came(redis, text);
    }
    explicit_bzero(errand->command.data, errand->command.len); /* it may hold the password */
    text_free(&errand->command);
    memory_free(errand);
}

bool redis_setup_answer(struct redis *redis, struct redis_request *request,
                        const struct redis_reply *reply)
{
    if (request->done != errand_done)
        return false;
    errand_answered(redis, (struct errand *)(void *)request, reply);
    return true;
}
