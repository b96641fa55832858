/* The Lua scripts by which everything is written to Redis (design: delivery, "Redis side"). */
#ifndef FRESHET_REDIS_LUA_H
#define FRESHET_REDIS_LUA_H

enum redis_lua_id {
    REDIS_LUA_ACQUIRE,
    REDIS_LUA_FLUSH_HASH, /* one a layout, in the order of enum rowlayout_kind */
    REDIS_LUA_FLUSH_PACKED,
    REDIS_LUA_SET_RESYNC, /* MARK and DONE */
    REDIS_LUA_SWEEP,
    REDIS_LUA_SCAN,
    REDIS_LUA_COUNT,
};

extern const char *const redis_lua_sources[REDIS_LUA_COUNT];

#endif
