/* What error replies of Redis mean and what we do about them. */
#ifndef FRESHET_REDIS_ERROR_H
#define FRESHET_REDIS_ERROR_H

/* What is wrong with Redis; every trouble but NONE and BUSY is an alarm. */
#define REDIS_TROUBLES(X)                                                                          \
    X(NONE, none, "Redis takes rows.")                                                             \
    X(DOWN, down, "No connection to Redis, or no answer in time; rows wait and coalesce.")         \
    X(BUSY, busy, "Redis is loading, failing over or runs a long script; rows wait.")              \
    X(REPLICA, replica, "The server is a read-only replica: redis.url must name the primary.")     \
    X(FULL, full, "Redis refuses writes (memory full, disk error or missing replicas).")           \
    X(DENIED, denied, "Redis refuses this user or password: see redis.user and redis.password.")   \
    X(CLUSTER, cluster, "The server is a Redis Cluster node, which is not supported yet.")         \
    X(ODD, odd, "Redis gave an error that freshet does not know.")

enum redis_trouble {
#define X(ID, name, sentence) REDIS_TROUBLE_##ID,
    REDIS_TROUBLES(X)
#undef X
};

enum redis_remedy {
    REDIS_REMEDY_NONE,      /* an outcome of our scripts, not an error of Redis */
    REDIS_REMEDY_LOAD,      /* load the scripts, then go on; the second time in a row wait long */
    REDIS_REMEDY_WAIT,      /* back off on the same connection: 50 ms x 2^n to 10 s */
    REDIS_REMEDY_WAIT_LONG, /* back off on the same connection: 1 s x 2^n to 10 s */
    REDIS_REMEDY_RECONNECT, /* close, back off, connect */
};

/* One row an error: its first word, and what it means. */
struct redis_error {
    const char *word;
    enum redis_trouble trouble;
    enum redis_remedy remedy;
};

/* The row for an error reply's text; unknown errors have a row of their own. Never NULL. */
const struct redis_error *redis_error_find(const char *text);
const char *redis_error_trouble_name(enum redis_trouble trouble);
const char *redis_error_trouble_sentence(enum redis_trouble trouble);

#endif
