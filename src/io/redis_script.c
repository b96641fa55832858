/* Calls are built and their replies taken apart here; what the scripts do is in redis_lua.c. */
#include "redis_script.h"

#include <string.h>

#include "expect.h"
#include "pool.h"
#include "resp.h"

enum { SCAN_COUNT = 256 };

/* A call of any script but FLUSH: rare, so it is allocated and freed. */
struct call {
    struct redis_request request; /* first, so that a request leads to its call */
    struct text command;
    union {
        redis_acquire_done *acquire;
        redis_resync_done *resync;
        redis_scan_done *scan;
        redis_sweep_done *sweep;
    } done;
    void *context;
};

static struct call *call_of(struct redis_request *request)
{
    return (struct call *)(void *)request;
}

/* Begins EVALSHA; `arguments` counts keys and arguments that the caller appends. */
static struct call *call_new(struct redis *redis, enum redis_lua_id script, size_t keys,
                             size_t arguments, redis_done *done, void *context)
{
    struct call *call = memory_alloc(sizeof *call);
    call->request.done = done;
    call->context = context;
    resp_array(&call->command, 3 + keys + arguments);
    resp_bulk_string(&call->command, "EVALSHA");
    resp_bulk_string(&call->command, redis_script_sha(redis, script));
    resp_bulk_long(&call->command, (int64_t)keys);
    return call;
}

static void call_send(struct redis *redis, struct call *call)
{
    call->request.parts[0] = uv_buf_init(call->command.data, (unsigned)call->command.len);
    call->request.part_count = 1;
    redis_send(redis, &call->request);
}

static void call_free(struct call *call)
{
    text_free(&call->command);
    memory_free(call);
}

/* ---- what is answered ---- */

/* A reply that is none of the script's: whoever gave it is left, and what it did is unknown. */
static enum redis_result judge(struct redis_request *request, enum redis_result result,
                               bool has_shape)
{
    if (result != REDIS_RESULT_OK || has_shape)
        return result;
    redis_link_drop(request->link, "a reply of another shape than our script gives");
    return REDIS_RESULT_UNKNOWN;
}

/* The index-th item as a number; `fallback` when it is none. */
static int64_t item_long(const struct redis_reply *reply, size_t index, int64_t fallback)
{
    int64_t number = fallback;
    if (index < redis_reply_count(reply))
        redis_reply_long(redis_reply_item(reply, index), &number);
    return number;
}

static bool item_is(const struct redis_reply *reply, size_t index, enum redis_reply_type type)
{
    return index < redis_reply_count(reply) &&
           redis_reply_type(redis_reply_item(reply, index)) == type;
}

static bool item_is_long(const struct redis_reply *reply, size_t index)
{
    int64_t number;
    return index < redis_reply_count(reply) &&
           redis_reply_long(redis_reply_item(reply, index), &number);
}

static bool item_is_long_or_nil(const struct redis_reply *reply, size_t index)
{
    return item_is_long(reply, index) || item_is(reply, index, REDIS_REPLY_IS_NIL);
}

/* ---- names ---- */

void redis_token(char token[REDIS_TOKEN_MAX])
{
    unsigned char bytes[(REDIS_TOKEN_MAX - 1) / 2];
    int status = uv_random(NULL, NULL, bytes, sizeof bytes, 0, NULL);
    expect(status == 0);
    for (size_t i = 0; i < sizeof bytes; i++) {
        token[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        token[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    token[REDIS_TOKEN_MAX - 1] = '\0';
}

void redis_own_key(struct text *out, const char *prefix, const char *app, const char *topic,
                   int32_t partition)
{
    text_printf(out, "%sfreshet:{%s:%s:%d}:own", prefix, app, topic, partition);
}

/* ---- ACQUIRE ---- */

static bool is_acquired(const struct redis_reply *reply)
{
    return item_is_long_or_nil(reply, 0) && item_is_long_or_nil(reply, 1) &&
           item_is_long(reply, 2) && item_is_long(reply, 3) && item_is_long(reply, 4);
}

static void acquire_answered(struct redis_request *request, enum redis_result status,
                             const struct redis_reply *reply)
{
    struct call *call = call_of(request);
    struct acquire_result result = {.result =
                                        judge(request, status, reply && is_acquired(reply))};
    if (result.result == REDIS_RESULT_OK) {
        result.known = !item_is(reply, 0, REDIS_REPLY_IS_NIL);
        result.high_offset = item_long(reply, 0, -1);
        result.as_of.ms = item_long(reply, 1, EVENT_TIME_MIN.ms);
        result.resync = item_long(reply, 2, 1) != 0;
        result.seq = item_long(reply, 3, 0);
        result.time_ms = item_long(reply, 4, 0);
    }
    call->done.acquire(call->context, &result);
    call_free(call);
}

void redis_acquire(struct redis *redis, const struct acquire_terms *terms,
                   redis_acquire_done *done, void *context)
{
    struct call *call = call_new(redis, REDIS_LUA_ACQUIRE, 1, 5, acquire_answered, context);
    call->done.acquire = done;
    resp_bulk_string(&call->command, terms->own_key);
    resp_bulk_string(&call->command, terms->token);
    resp_bulk_string(&call->command, terms->old_token ? terms->old_token : "");
    resp_bulk_long(&call->command, terms->old_seq);
    resp_bulk_string(&call->command, terms->layout);
    resp_bulk_long(&call->command, terms->as_of_ahead_ms);
    call_send(redis, call);
}

/* ---- FLUSH ---- */

static bool is_flushed(const struct flush_batch *batch, const struct redis_reply *reply)
{
    size_t count = redis_reply_count(reply);
    bool has_shape = item_is_long(reply, 0) && item_is_long(reply, 1) && count % 2 == 0 &&
                     count <= 2 + 2 * (size_t)batch->rows;
    for (size_t i = 2; i < count && has_shape; i += 2) {
        int64_t index = item_long(reply, i, -1);
        has_shape = index >= 0 && index < batch->rows;
    }
    return has_shape;
}

static void flush_answered(struct redis_request *request, enum redis_result status,
                           const struct redis_reply *reply)
{
    struct flush_batch *batch = (struct flush_batch *)(void *)request;
    struct flush_result result = {
        .result = judge(request, status, reply && is_flushed(batch, reply))};
    if (result.result == REDIS_RESULT_OK) {
        result.seq = item_long(reply, 0, 0);
        result.time_ms = item_long(reply, 1, 0);
        for (size_t i = 2; i < redis_reply_count(reply); i += 2) {
            result.found[result.found_count++] = (struct flush_found){
                .index = (uint32_t)item_long(reply, i, 0),
                .partition = (int32_t)item_long(reply, i + 1, -1),
            };
        }
    }
    batch->done(batch->context, batch, &result);
}

void redis_flush(struct redis *redis, struct flush_batch *batch, flush_batch_done *done,
                 void *context)
{
    batch->done = done;
    batch->context = context;
    batch->request.done = flush_answered;
    flush_batch_finish(batch, redis_script_sha(redis, REDIS_LUA_FLUSH_HASH + batch->layout));
    redis_send(redis, &batch->request);
}

/* ---- MARK and DONE ---- */

static void resync_answered(struct redis_request *request, enum redis_result status,
                            const struct redis_reply *reply)
{
    int64_t done;
    struct call *call = call_of(request);
    status = judge(request, status, reply && redis_reply_long(reply, &done));
    call->done.resync(call->context, status);
    call_free(call);
}

void redis_set_resync(struct redis *redis, const char *own_key, const char *token, bool pending,
                      redis_resync_done *done, void *context)
{
    struct call *call = call_new(redis, REDIS_LUA_SET_RESYNC, 1, 2, resync_answered, context);
    call->done.resync = done;
    resp_bulk_string(&call->command, own_key);
    resp_bulk_string(&call->command, token);
    resp_bulk_string(&call->command, pending ? "1" : "0");
    call_send(redis, call);
}

/* ---- SCAN and SWEEP ---- */

static bool is_scanned(const struct redis_reply *reply)
{
    size_t count = redis_reply_count(reply);
    bool has_shape = item_is(reply, 0, REDIS_REPLY_IS_TEXT) && count % 2 == 1;
    for (size_t i = 1; i < count && has_shape; i += 2)
        has_shape = item_is(reply, i, REDIS_REPLY_IS_TEXT);
    return has_shape;
}

static void scan_answered(struct redis_request *request, enum redis_result status,
                          const struct redis_reply *reply)
{
    struct call *call = call_of(request);
    struct scan_result result = {.result = judge(request, status, reply && is_scanned(reply))};
    if (result.result == REDIS_RESULT_OK) {
        result.cursor = redis_reply_text(redis_reply_item(reply, 0), NULL);
        result.count = (redis_reply_count(reply) - 1) / 2;
        result.keys = reply;
    }
    call->done.scan(call->context, &result);
    call_free(call);
}

void redis_scan(struct redis *redis, const char *cursor, const char *pattern,
                redis_scan_done *done, void *context)
{
    struct call *call = call_new(redis, REDIS_LUA_SCAN, 0, 3, scan_answered, context);
    call->done.scan = done;
    resp_bulk_string(&call->command, cursor);
    resp_bulk_string(&call->command, pattern);
    resp_bulk_long(&call->command, SCAN_COUNT);
    call_send(redis, call);
}

const char *redis_scan_key(const struct scan_result *result, size_t index, size_t *len,
                           int32_t *partition)
{
    *partition = (int32_t)item_long(result->keys, 2 * index + 2, -1);
    return redis_reply_text(redis_reply_item(result->keys, 2 * index + 1), len);
}

static void sweep_answered(struct redis_request *request, enum redis_result status,
                           const struct redis_reply *reply)
{
    struct call *call = call_of(request);
    struct sweep_result result = {0};
    result.result = judge(request, status, reply && redis_reply_long(reply, &result.deleted));
    call->done.sweep(call->context, &result);
    call_free(call);
}

void redis_sweep(struct redis *redis, const struct sweep_terms *terms, const struct text *keys,
                 uint32_t count, redis_sweep_done *done, void *context)
{
    expect(count <= REDIS_SWEEP_KEYS_MAX);
    struct call *call = call_new(redis, REDIS_LUA_SWEEP, (size_t)count + 1, 3, sweep_answered,
                                 context);
    call->done.sweep = done;
    resp_bulk_string(&call->command, terms->own_key);
    text_append(&call->command, keys->data, keys->len);
    resp_bulk_string(&call->command, terms->token);
    resp_bulk_long(&call->command, terms->expected_seq);
    resp_bulk_long(&call->command, terms->partition);
    call_send(redis, call);
}
