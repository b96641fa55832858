/* Redis for the simulation of the protocol. Each script runs whole or not at all. */
#include "simredis.h"

#include <string.h>

const char *const simredis_names[] = {"ACQUIRE", "MARK", "DONE", "FLUSH", "SCAN", "SWEEP"};
const char *const simredis_results[] = {"ok", "FENCED", "ROLLBACK", "refused", "no answer"};

void simredis_init(struct simredis *redis, int64_t ttl_ms)
{
    memset(redis, 0, sizeof *redis);
    redis->ttl_ms = ttl_ms;
    for (int k = 0; k < TRUTH_KEYS; k++)
        redis->seen[k].as_of = redis->seen[k].offset = INT64_MIN;
}

bool simredis_shows(const struct simredis *redis, int key, int64_t now)
{
    return redis->now.rows[key].exists && now < redis->now.rows[key].expires;
}

/* Nothing the readers have seen counts any more but what is there. */
void simredis_lose(struct simredis *redis, const struct simredis_state *state)
{
    redis->now = *state;
    redis->newest = state->own.token;
    for (int k = 0; k < TRUTH_KEYS; k++) {
        const struct simrow *row = &redis->now.rows[k];
        redis->seen[k].as_of = row->exists ? row->as_of : INT64_MIN;
        redis->seen[k].offset = row->exists ? row->offset : INT64_MIN;
    }
}

static const char *write_row(struct simredis *redis, const struct simwrite *write, int64_t now,
                             bool *gone)
{
    struct simrow *row = &redis->now.rows[write->key];
    bool there = simredis_shows(redis, write->key, now);
    if (write->row.as_of < redis->seen[write->key].as_of)
        return "_as_of of a row went back";
    if (write->row.offset < redis->seen[write->key].offset)
        return "_o of a row went back";
    *gone = write->delta && !there;
    if (*gone)
        return NULL;
    int64_t expires = there && !write->whole ? row->expires : INT64_MAX;
    *row = write->row;
    row->exists = !write->removed;
    row->expires = write->expire ? now + redis->ttl_ms : expires;
    redis->seen[write->key].as_of = row->as_of;
    redis->seen[write->key].offset = row->offset;
    return NULL;
}

static const char *flush(struct simredis *redis, const struct simrequest *request, int64_t now,
                         struct simreply *reply)
{
    const char *wrong = NULL;
    fakeown_raise(&redis->now.own, request->hw, request->as_of);
    for (int k = 0; k < request->count && !wrong; k++) {
        bool gone = false;
        wrong = write_row(redis, &request->writes[k], now, &gone);
        reply->keys |= (unsigned)gone << k;
    }
    return wrong;
}

static const char *batch(struct simredis *redis, const struct simrequest *request, int64_t now,
                         struct simreply *reply)
{
    reply->result = fakeown_batch(&redis->now.own, request->token, request->expected_seq);
    reply->seq = redis->now.own.seq;
    if (reply->result != FAKEREDIS_OK)
        return NULL;
    if (request->token != redis->newest)
        return "an owner wrote after another one had taken the shard";
    if (request->kind == REQUEST_FLUSH)
        return flush(redis, request, now, reply);
    for (int k = 0; k < TRUTH_KEYS; k++)
        if (request->keys & 1u << k)
            redis->now.rows[k].exists = false;
    return NULL;
}

const char *simredis_execute(struct simredis *redis, const struct simrequest *request, int64_t now,
                             struct simreply *reply)
{
    *reply = (struct simreply){.result = FAKEREDIS_OK};
    if (request->kind == REQUEST_SCAN) {
        for (int k = 0; k < TRUTH_KEYS; k++)
            reply->keys |= (unsigned)simredis_shows(redis, k, now) << k;
        return NULL;
    }
    if (redis->full) {
        reply->result = FAKEREDIS_REFUSED;
        return NULL;
    }
    switch (request->kind) {
    case REQUEST_ACQUIRE:
        reply->grant = fakeown_acquire(&redis->now.own, request->token, request->previous,
                                       request->previous_seq);
        redis->newest = request->token;
        return NULL;
    case REQUEST_MARK:
    case REQUEST_DONE:
        reply->result = fakeown_mark(&redis->now.own, request->token,
                                     request->kind == REQUEST_MARK);
        return NULL;
    default:
        return batch(redis, request, now, reply);
    }
}
