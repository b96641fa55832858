/* hiredis' reply reader is used for replies only, and only here: writing is ours, and its own
 * connection code lacks time-outs and hides poll errors (design: redis). */
#include "redis_reply.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include "expect.h"
#include "text.h"

static const redisReply *inner(const struct redis_reply *reply)
{
    return (const redisReply *)(const void *)reply;
}

static redisReader *reader_of(struct redis_reply_reader *reader)
{
    return (redisReader *)(void *)reader;
}

enum redis_reply_type redis_reply_type(const struct redis_reply *reply)
{
    switch (inner(reply)->type) {
    case REDIS_REPLY_INTEGER:
        return REDIS_REPLY_IS_INTEGER;
    case REDIS_REPLY_NIL:
        return REDIS_REPLY_IS_NIL;
    case REDIS_REPLY_ERROR:
        return REDIS_REPLY_IS_ERROR;
    case REDIS_REPLY_ARRAY:
        return REDIS_REPLY_IS_ARRAY;
    default:
        return REDIS_REPLY_IS_TEXT;
    }
}

size_t redis_reply_count(const struct redis_reply *reply)
{
    return inner(reply)->type == REDIS_REPLY_ARRAY ? (size_t)inner(reply)->elements : 0;
}

const struct redis_reply *redis_reply_item(const struct redis_reply *reply, size_t index)
{
    expect(index < redis_reply_count(reply));
    return (const struct redis_reply *)(const void *)inner(reply)->element[index];
}

const char *redis_reply_text(const struct redis_reply *reply, size_t *len)
{
    enum redis_reply_type type = redis_reply_type(reply);
    if (type != REDIS_REPLY_IS_TEXT && type != REDIS_REPLY_IS_ERROR)
        return NULL;
    if (len)
        *len = (size_t)inner(reply)->len;
    return inner(reply)->str;
}

bool redis_reply_long(const struct redis_reply *reply, int64_t *number)
{
    if (redis_reply_type(reply) == REDIS_REPLY_IS_INTEGER) {
        *number = inner(reply)->integer;
        return true;
    }
    return redis_reply_type(reply) == REDIS_REPLY_IS_TEXT &&
           text_parse_long(inner(reply)->str, number);
}

void redis_reply_free(struct redis_reply *reply)
{
    freeReplyObject(reply);
}

struct redis_reply_reader *redis_reply_reader_open(void)
{
    redisReader *reader = redisReaderCreate();
    expect(reader);
    return (struct redis_reply_reader *)(void *)reader;
}

void redis_reply_reader_close(struct redis_reply_reader *reader)
{
    redisReaderFree(reader_of(reader));
}

void redis_reply_feed(struct redis_reply_reader *reader, const char *bytes, size_t len)
{
    redisReaderFeed(reader_of(reader), bytes, len); /* an error shows in redis_reply_next */
}

struct redis_reply *redis_reply_next(struct redis_reply_reader *reader, bool *broken)
{
    void *reply = NULL;
    *broken = redisReaderGetReply(reader_of(reader), &reply) != REDIS_OK;
    return *broken ? NULL : (struct redis_reply *)reply;
}
