/* Replies of Redis, parsed by hiredis, behind an interface without its types. */
#ifndef FRESHET_REDIS_REPLY_H
#define FRESHET_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_reply; /* one reply; an array owns its items */
struct redis_reply_reader;

enum redis_reply_type {
    REDIS_REPLY_IS_TEXT, /* status or bulk string */
    REDIS_REPLY_IS_INTEGER,
    REDIS_REPLY_IS_NIL,
    REDIS_REPLY_IS_ERROR,
    REDIS_REPLY_IS_ARRAY,
};

enum redis_reply_type redis_reply_type(const struct redis_reply *reply);
/* Items of an array, else 0. */
size_t redis_reply_count(const struct redis_reply *reply);
const struct redis_reply *redis_reply_item(const struct redis_reply *reply, size_t index);
/* The text of a text or error reply (terminated), else NULL; len may be NULL. */
const char *redis_reply_text(const struct redis_reply *reply, size_t *len);
/* An integer reply, or decimal text; false for anything else. */
bool redis_reply_long(const struct redis_reply *reply, int64_t *number);
void redis_reply_free(struct redis_reply *reply);

struct redis_reply_reader *redis_reply_reader_open(void);
void redis_reply_reader_close(struct redis_reply_reader *reader);
/* Hands over bytes as they came; then take replies until there is none. */
void redis_reply_feed(struct redis_reply_reader *reader, const char *bytes, size_t len);
/* The next whole reply (the caller frees it) or NULL; *broken is set on a protocol error. */
struct redis_reply *redis_reply_next(struct redis_reply_reader *reader, bool *broken);

#endif
