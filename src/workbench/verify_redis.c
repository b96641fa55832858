/* Questions to Redis over the daemon's own connection, a page of them in flight at a time. */
#include "verify_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pool.h"
#include "redis.h"
#include "redis_script.h"
#include "resp.h"
#include "shard.h"

enum {
    PAGE_KEYS = 256,      /* asked of a SCAN, and rows in flight together */
    PATIENCE_MS = 10000,  /* without a connection */
    TICK_MS = 50,
};

/* MGET, unlike GET, shows no string where there is another type. */
static const char *const row_commands[] = {[ROWLAYOUT_HASH] = "HGETALL",
                                           [ROWLAYOUT_PACKED] = "MGET"};
static const char *const row_types[] = {[ROWLAYOUT_HASH] = "hash", [ROWLAYOUT_PACKED] = "string"};

struct question {
    struct redis_request request; /* first, so that a request leads to its question */
    struct verify_redis *redis;
    struct text command;
    const char *key; /* of the entity, when its row is asked for */
    size_t key_len;
};

struct verify_redis {
    uv_loop_t loop;
    uv_timer_t tick;
    const struct config *config;
    const struct feature_set *set;
    struct rowname name;
    enum rowlayout_kind kind; /* of the rows that are asked for */
    struct rowpack_reader packed;
    struct redis *redis;
    uint64_t waiting_since_ms;
    struct question questions[PAGE_KEYS];
    size_t asked, answered, count; /* of the questions */
    void (*take)(struct verify_redis *redis, const struct question *question,
                 const struct redis_reply *reply);
    void *into; /* of take */
    bool failed;
    char error[512];
    /* of a walk */
    char cursor[32];
    struct text page; /* keys, one after the other, each with its length before it */
};

static void fail(struct verify_redis *redis, const char *why, const char *what)
{
    if (redis->failed)
        return;
    redis->failed = true;
    snprintf(redis->error, sizeof redis->error, "Redis: %s (%s)", why, what);
}

/* ---- asking ---- */

static void on_reply(struct redis_request *request, enum redis_result result,
                     const struct redis_reply *reply)
{
    struct question *question = (struct question *)(void *)request;
    struct verify_redis *redis = question->redis;
    redis->answered++;
    if (result == REDIS_RESULT_OK && !redis->failed)
        redis->take(redis, question, reply);
    else if (result != REDIS_RESULT_OK)
        fail(redis, reply ? redis_reply_text(reply, NULL) : "the connection was lost",
             reply ? "may this user read rows?" : "see its log, then verify again");
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* the loop turns, and patience is looked at */
}

/* False: there is no hope of an answer. */
static bool hopeful(struct verify_redis *redis)
{
    const struct redis_health *health = redis_health(redis->redis);
    bool hopeless = health->trouble == REDIS_TROUBLE_DENIED ||
                    health->trouble == REDIS_TROUBLE_CLUSTER;
    if (redis_ready(redis->redis) || redis->asked > redis->answered)
        redis->waiting_since_ms = uv_now(&redis->loop);
    bool patient = uv_now(&redis->loop) - redis->waiting_since_ms <= PATIENCE_MS;
    if (hopeless)
        fail(redis, health->error, redis_error_trouble_sentence(health->trouble));
    else if (!patient)
        fail(redis, health->error, "is it running, and is redis.url its address?");
    return !redis->failed;
}

static bool ask(struct verify_redis *redis,
                void (*take)(struct verify_redis *, const struct question *,
                             const struct redis_reply *), void *into)
{
    redis->take = take;
    redis->into = into;
    redis->asked = redis->answered = 0;
    uv_run(&redis->loop, UV_RUN_NOWAIT); /* what happened meanwhile: the connection may be gone */
    redis->waiting_since_ms = uv_now(&redis->loop);
    while (redis->answered < redis->count) {
        while (!redis->failed && redis->asked < redis->count && redis_ready(redis->redis)) {
            struct question *question = &redis->questions[redis->asked++];
            question->request = (struct redis_request){
                .parts[0] = uv_buf_init(question->command.data, (unsigned)question->command.len),
                .part_count = 1,
                .done = on_reply,
            };
            redis_send(redis->redis, &question->request);
        }
        if (!hopeful(redis) && redis->answered == redis->asked)
            break;
        uv_run(&redis->loop, UV_RUN_ONCE);
    }
    redis->count = 0;
    return !redis->failed;
}

static struct question *question_new(struct verify_redis *redis)
{
    struct question *question = &redis->questions[redis->count++];
    question->redis = redis;
    text_clear(&question->command);
    return question;
}

/* ---- walking over keys ---- */

static void take_page(struct verify_redis *redis, const struct question *question,
                      const struct redis_reply *reply)
{
    const struct redis_reply *keys = redis_reply_item(reply, 1);
    (void)question;
    snprintf(redis->cursor, sizeof redis->cursor, "%s",
             redis_reply_text(redis_reply_item(reply, 0), NULL));
    for (size_t i = 0; i < redis_reply_count(keys); i++) {
        size_t len;
        const char *key = redis_reply_text(redis_reply_item(keys, i), &len);
        if (!rowname_entity(&redis->name, key, len, &key, &len))
            continue;
        text_append(&redis->page, &len, sizeof len);
        text_append(&redis->page, key, len);
    }
}

static bool next_page(struct verify_redis *redis)
{
    struct text pattern = {0};
    struct question *question = question_new(redis);
    char count[16];
    snprintf(count, sizeof count, "%d", PAGE_KEYS);
    rowname_pattern(&redis->name, &pattern);
    resp_command(&question->command, "SCAN", redis->cursor, "MATCH", pattern.data, "COUNT", count,
                 "TYPE", row_types[redis->kind], NULL);
    text_free(&pattern);
    text_clear(&redis->page);
    return ask(redis, take_page, NULL);
}

/* The keys of the page, one at each call; *at begins as 0. */
static bool next_key(const struct verify_redis *redis, size_t *at, const char **key, size_t *len)
{
    if (*at >= redis->page.len)
        return false;
    memcpy(len, redis->page.data + *at, sizeof *len);
    *key = redis->page.data + *at + sizeof *len;
    *at += sizeof *len + *len;
    return true;
}

/* ---- which keys ---- */

/* The smallest places so far, the greatest of them first: a heap. */
struct places {
    uint64_t *heap;
    uint64_t count, capacity;
};

static void sift_down(struct places *places)
{
    uint64_t at = 0;
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child + 1 < places->count && places->heap[child + 1] > places->heap[child])
            child++;
        if (child >= places->count || places->heap[child] <= places->heap[at])
            return;
        uint64_t greater = places->heap[child];
        places->heap[child] = places->heap[at];
        places->heap[at] = greater;
        at = child;
    }
}

static void add_place(struct places *places, uint64_t place, uint64_t most)
{
    if (places->count == most) {
        if (place >= places->heap[0])
            return;
        places->heap[0] = place;
        sift_down(places);
        return;
    }
    if (places->count == places->capacity) {
        places->capacity = places->capacity ? 2 * places->capacity : 1024;
        places->heap = memory_resize(places->heap, places->capacity * sizeof *places->heap);
    }
    uint64_t at = places->count++;
    for (; at > 0 && places->heap[(at - 1) / 2] < place; at = (at - 1) / 2)
        places->heap[at] = places->heap[(at - 1) / 2];
    places->heap[at] = place;
}

bool verify_redis_place(struct verify_redis *redis, uint64_t keys, uint64_t *last)
{
    struct places places = {0};
    bool ok = true;
    snprintf(redis->cursor, sizeof redis->cursor, "0");
    do {
        const char *key;
        size_t at = 0, len;
        ok = next_page(redis);
        while (ok && next_key(redis, &at, &key, &len))
            add_place(&places, shard_key_place(key, len), keys);
    } while (ok && strcmp(redis->cursor, "0") != 0);
    *last = places.count == keys ? places.heap[0] : UINT64_MAX;
    memory_free(places.heap);
    return ok;
}

/* ---- rows ---- */

/* A row whose fields come one after the other; it is added with the first. */
struct taking {
    struct verify_redis *redis;
    const struct question *question;
    struct verify_row *row;
};

static void take_field(void *context, const char *name, const char *value, size_t len)
{
    struct taking *taking = context;
    const struct question *question = taking->question;
    struct verify_rows *rows = taking->redis->into;
    const struct feature_set *set = taking->redis->set;
    if (!taking->row)
        taking->row = verify_rows_add(rows, set, question->key, question->key_len);
    verify_rows_put(rows, set, taking->row, name, value, len);
}

static void take_row(struct verify_redis *redis, const struct question *question,
                     const struct redis_reply *reply)
{
    struct taking taking = {redis, question, NULL};
    size_t len, count = redis_reply_count(reply);
    if (verify_rows_find(redis->into, question->key, question->key_len))
        return; /* SCAN may show a key twice */
    for (size_t i = 0; i + 1 < count; i += 2) {
        const char *name = redis_reply_text(redis_reply_item(reply, i), NULL);
        const char *value = redis_reply_text(redis_reply_item(reply, i + 1), &len);
        if (name && value)
            take_field(&taking, name, value, len);
    }
    const char *packed = count == 1 ? redis_reply_text(redis_reply_item(reply, 0), &len) : NULL;
    if (packed)
        rowpack_read(&redis->packed, packed, len, take_field, &taking);
}

static void ask_row(struct verify_redis *redis, const char *key, size_t len)
{
    struct question *question = question_new(redis);
    question->key = key;
    question->key_len = len;
    resp_array(&question->command, 2);
    resp_bulk_string(&question->command, row_commands[redis->kind]);
    rowname_append(&redis->name, key, len, &question->command);
}

bool verify_redis_rows(struct verify_redis *redis, uint64_t last, struct verify_rows *rows)
{
    bool ok = true;
    snprintf(redis->cursor, sizeof redis->cursor, "0");
    do {
        const char *key;
        size_t at = 0, len;
        ok = next_page(redis);
        while (ok && next_key(redis, &at, &key, &len)) {
            if (shard_key_place(key, len) > last)
                continue;
            ask_row(redis, key, len);
            if (redis->count == PAGE_KEYS)
                ok = ask(redis, take_row, rows);
        }
        ok = ok && ask(redis, take_row, rows);
    } while (ok && strcmp(redis->cursor, "0") != 0);
    return ok;
}

bool verify_redis_again(struct verify_redis *redis, const struct verify_key *keys, size_t count,
                        struct verify_rows *rows)
{
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ask_row(redis, keys[i].key, keys[i].len);
        if (redis->count == PAGE_KEYS || i + 1 == count)
            ok = ask(redis, take_row, rows);
    }
    return ok;
}

bool verify_redis_find(struct verify_redis *redis, const char *key, size_t len,
                       struct verify_rows *rows, enum rowlayout_kind *kind)
{
    static const enum rowlayout_kind kinds[] = {ROWLAYOUT_PACKED, ROWLAYOUT_HASH};
    bool ok = true;
    for (size_t i = 0; ok && rows->count == 0 && i < sizeof kinds / sizeof *kinds; i++) {
        redis->kind = *kind = kinds[i];
        ask_row(redis, key, len);
        ok = ask(redis, take_row, rows);
    }
    return ok;
}

/* ---- own hashes, and what Redis says of itself ---- */

static void take_own(struct verify_redis *redis, const struct question *question,
                     const struct redis_reply *reply)
{
    struct verify_own *own = redis->into;
    int64_t resync = 0;
    (void)question;
    own->known = redis_reply_count(reply) == 4 &&
                 redis_reply_long(redis_reply_item(reply, 0), &own->high_offset) &&
                 redis_reply_long(redis_reply_item(reply, 1), &own->as_of_ms) &&
                 redis_reply_long(redis_reply_item(reply, 2), &own->seq);
    if (own->known)
        (void)redis_reply_long(redis_reply_item(reply, 3), &resync);
    own->resync = resync != 0;
}

bool verify_redis_own(struct verify_redis *redis, int32_t partition, struct verify_own *own)
{
    const struct config *config = redis->config;
    struct text name = {0};
    *own = (struct verify_own){0};
    redis_own_key(&name, config->redis_prefix, config->kafka_group_id, config->kafka_topic,
                  partition);
    resp_command(&question_new(redis)->command, "HMGET", name.data, "hw", "as", "seq", "rs", NULL);
    text_free(&name);
    return ask(redis, take_own, own);
}

static void take_info(struct verify_redis *redis, const struct question *question,
                      const struct redis_reply *reply)
{
    (void)question;
    text_append_string(redis->into, redis_reply_text(reply, NULL));
}

static int64_t number_in(const char *info, const char *name)
{
    const char *found = info ? strstr(info, name) : NULL;
    return found ? strtoll(found + strlen(name), NULL, 10) : 0;
}

bool verify_redis_dropped(struct verify_redis *redis, int64_t *expired, int64_t *evicted)
{
    struct text info = {0};
    resp_command(&question_new(redis)->command, "INFO", "stats", NULL);
    bool ok = ask(redis, take_info, &info);
    *expired = number_in(info.data, "expired_keys:");
    *evicted = number_in(info.data, "evicted_keys:");
    text_free(&info);
    return ok;
}

/* ---- life ---- */

struct verify_redis *verify_redis_open(const struct config *config,
                                       const struct feature_set *set)
{
    struct verify_redis *redis = memory_alloc(sizeof *redis);
    struct redis_options options = {
        .address = config->redis,
        .user = config->redis_user,
        .password = config->redis_password,
        .client_name = "freshet-verify",
        .limits = {config->redis_connect_timeout.ms, config->redis_reply_timeout.ms,
                   (size_t)config->redis_max_inflight},
        .read_only = true,
    };
    log_set_level(LOG_ERROR); /* what goes wrong is told in our own words */
    redis->config = config;
    redis->set = set;
    redis->kind = (enum rowlayout_kind)config->redis_layout;
    rowname_init(&redis->name, config->redis_prefix, config->redis_key);
    rowpack_reader_init(&redis->packed, set);
    uv_loop_init(&redis->loop);
    uv_timer_init(&redis->loop, &redis->tick);
    uv_timer_start(&redis->tick, on_tick, TICK_MS, TICK_MS);
    redis->redis = redis_open(&redis->loop, &options);
    return redis;
}

void verify_redis_close(struct verify_redis *redis)
{
    redis_close(redis->redis, NULL, NULL);
    uv_close((uv_handle_t *)&redis->tick, NULL);
    uv_run(&redis->loop, UV_RUN_DEFAULT);
    uv_loop_close(&redis->loop);
    for (size_t i = 0; i < PAGE_KEYS; i++)
        text_free(&redis->questions[i].command);
    text_free(&redis->page);
    rowname_fini(&redis->name);
    rowpack_reader_fini(&redis->packed);
    memory_free(redis);
}

const char *verify_redis_error(const struct verify_redis *redis)
{
    return redis->error;
}
