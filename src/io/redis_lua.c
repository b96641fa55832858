/* The Lua scripts. Each begins with a shebang: when memory is full or the server may not write,
 * such a script is refused before it runs, so that a batch is applied whole or not at all.
 *
 * The own hash of a shard, KEYS[1] of all but SCAN:
 *     t    token of the owner            hw  last applied offset when the newest batch was encoded
 *     seq  number of applied batches     as  highest as_of in any applied batch
 *     rs   1: rows may be wrong or missing, all must be written again
 *     th   owners as "token:seq at which it took over", oldest first, the last 16
 *     ly   layout of the rows; none: hash
 *
 * What a stranger has put there instead is nobody's: it fences the owner, and ACQUIRE replaces it.
 *
 * Error replies are two words or more, else Redis would put ERR in front. Numbers that may need
 * more than 53 bits are kept as the text they came in; Lua compares them as doubles. */
#include "redis_lua.h"

/* meta(key): partition and as_of of the row under the key, whatever layout it has; false when there
 * is none. A packed row begins with C3 01, 8 bytes of fingerprint, as_of, partition (rowavro.h). */
#define META                                                                                       \
    "local function long_at(row, at)\n" /* of Avro, never negative: 7 bits a byte, doubled */      \
    "    local n, unit = 0, 1\n"                                                                   \
    "    repeat\n"                                                                                 \
    "        local byte = string.byte(row, at) or 0\n"                                             \
    "        n, unit, at = n + byte % 128 * unit, unit * 128, at + 1\n"                            \
    "    until byte < 128\n"                                                                       \
    "    return n / 2, at\n"                                                                       \
    "end\n"                                                                                        \
    "local function meta(key)\n"                                                                   \
    "    local kind = redis.call('TYPE', key).ok\n"                                                \
    "    if kind == 'hash' then return unpack(redis.call('HMGET', key, '_p', '_as_of')) end\n"     \
    "    local row = kind == 'string' and redis.call('GETRANGE', key, 0, 31) or ''\n"              \
    "    if string.sub(row, 1, 2) ~= '\\195\\1' or #row < 12 then return false end\n"              \
    "    local as_of, at = long_at(row, 11)\n"                                                     \
    "    return string.format('%d', (long_at(row, at))), as_of\n"                                  \
    "end\n"

/* Nobody but the owner, whose token ARGV[1] is. */
#define FENCED                                                                                     \
    "if own[1] ~= ARGV[1] then\n"                                                                  \
    "    return redis.error_reply('FENCED another owner has taken the shard')\n"                   \
    "end\n"

/* And no batch but the next: ARGV[2] is the seq it must find. */
#define NUMBERED                                                                                   \
    "local own = redis.pcall('HMGET', KEYS[1], 't', 'seq', 'hw', 'as')\n"                          \
    FENCED                                                                                         \
    "if tonumber(own[2]) ~= tonumber(ARGV[2]) then\n"                                              \
    "    return redis.error_reply('ROLLBACK batches before this one are gone')\n"                  \
    "end\n"

/* What both layouts' FLUSH begin with. kept(k, as_of): the k-th row belongs to another partition
 * and is newer, so it is left alone; as_of false: the row is to be deleted. */
#define FLUSH_HEAD                                                                                 \
    "#!lua\n"                                                                                      \
    META                                                                                           \
    NUMBERED                                                                                       \
    "local seq, hw, as = own[2] + 1, own[3], own[4]\n"                                             \
    "if (tonumber(hw) or -math.huge) < tonumber(ARGV[3]) then hw = ARGV[3] end\n"                  \
    "if (tonumber(as) or -math.huge) < tonumber(ARGV[4]) then as = ARGV[4] end\n"                  \
    "redis.call('HSET', KEYS[1], 'hw', hw, 'as', as)\n"                                            \
    "local time = redis.call('TIME')\n"                                                            \
    "local reply = {seq, time[1] * 1000 + math.floor(time[2] / 1000)}\n"                           \
    "local ttl, partition = ARGV[5], ARGV[6]\n"                                                    \
    "local function kept(k, as_of)\n"                                                              \
    "    local other, at = meta(KEYS[k])\n"                                                        \
    "    if not other or other == partition then return false end\n"                               \
    "    reply[#reply + 1] = k - 2\n"                                                              \
    "    reply[#reply + 1] = other\n"                                                              \
    "    return not as_of or as_of < (tonumber(at) or 0)\n"                                        \
    "end\n"

#define FLUSH_TAIL                                                                                 \
    "redis.call('HSET', KEYS[1], 'seq', seq)\n"                                                    \
    "return reply\n"

const char *const redis_lua_sources[REDIS_LUA_COUNT] = {
    /* ARGV: token, token of the checkpoint or '', seq acknowledged under that, layout, how far as
     * may be ahead of TIME in ms or -1.
     * Reply: hw, as (nil: unknown), rs, seq, TIME in ms.
     * The old owner's batches end where its successor took over: if fewer were applied than were
     * acknowledged, Redis has lost some (by fail-over, FLUSHALL, an old RDB). Rows of another
     * layout are all written again, too. */
    [REDIS_LUA_ACQUIRE] =
        "#!lua\n"
        "local own = redis.pcall('HMGET', KEYS[1], 'hw', 'as', 'rs', 'seq', 'th', 'ly')\n"
        "if own.err then redis.call('DEL', KEYS[1]) end\n"
        "for i = 1, 4 do own[i] = own[i] and string.match(own[i], '^-?%d+$') or false end\n"
        "local resync, seq = own[3] or '0', own[4] or '0'\n"
        "local time = redis.call('TIME')\n"
        "local now, ahead = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[5])\n"
        "if ahead >= 0 and own[2] and tonumber(own[2]) > now + ahead then\n"
        "    own[2] = string.format('%.0f', now + ahead)\n"
        "    redis.call('HSET', KEYS[1], 'as', own[2])\n"
        "end\n"
        "local owners, applied, is_open = {}, -1, false\n"
        "for token, at in string.gmatch(own[5] or '', '(%w+):(%d+)') do\n"
        "    owners[#owners + 1] = token .. ':' .. at\n"
        "    if is_open then applied, is_open = tonumber(at), false end\n"
        "    if token == ARGV[2] then applied, is_open = tonumber(seq), true end\n"
        "end\n"
        "if ARGV[2] ~= '' and applied < tonumber(ARGV[3]) then resync = '1' end\n"
        "if own[4] and (own[6] or 'hash') ~= ARGV[4] then resync = '1' end\n"
        "owners[#owners + 1] = ARGV[1] .. ':' .. seq\n"
        "local history = table.concat(owners, ' ', math.max(1, #owners - 15))\n"
        "redis.call('HSET', KEYS[1], 't', ARGV[1], 'rs', resync, 'seq', seq, 'th', history,\n"
        "           'ly', ARGV[4])\n"
        "return {own[1], own[2], resync, seq, now}\n",

    /* KEYS[2..]: rows. ARGV: token, the seq it must find, hwm, asm, TTL in ms or 0, partition or ''
     * (do not check), then each row's arguments (rowhash.h).
     * Reply: seq, TIME in ms, then (index, its partition) of each foreign row, and (index, -1) of
     * each row that was not there, or not as its delta said.
     * hw and as are written first, seq last: were a row refused, a higher hw without rows is
     * harmless, and the batch, which is sent again, finds the number it had. */
    [REDIS_LUA_FLUSH_HASH] =
        FLUSH_HEAD
        "local at = 7\n"
        "for k = 2, #KEYS do\n"
        "    local key, code = KEYS[k], tonumber(ARGV[at])\n"
        "    local flags, counts = code % 8, math.floor(code / 8)\n"
        "    local deletes, sets = counts % 1024, math.floor(counts / 1024) % 1024\n"
        "    local expire = flags % 4 >= 2\n"
        "    local last_set = at + 2 * sets\n"
        "    local write = partition == '' or not kept(k, sets > 0 and tonumber(ARGV[at + 2]))\n"
        "    if write and flags % 2 == 1 then redis.call('DEL', key) end\n"
        "    if write and sets > 0 then\n"
        "        local done, gone = redis.pcall('HSET', key, unpack(ARGV, at + 1, last_set)), 0\n"
        "        if type(done) == 'table' then\n"
        "            if not string.find(done.err, 'WRONGTYPE') then return done end\n"
        "            redis.call('DEL', key)\n" /* a stranger's value under a name of ours */
        "            done = redis.call('HSET', key, unpack(ARGV, at + 1, last_set))\n"
        "            expire = true\n"
        "        elseif deletes > 0 then\n"
        "            gone = redis.call('HDEL', key,\n"
        "                              unpack(ARGV, last_set + 1, last_set + deletes))\n"
        "        end\n"
        "        if flags >= 4 and (done ~= math.floor(counts / 1048576) or gone ~= deletes) then\n"
        "            if done == sets then redis.call('DEL', key) end\n" /* a part is no row */
        "            reply[#reply + 1] = k - 2\n"
        "            reply[#reply + 1] = -1\n"
        "        elseif expire and ttl ~= '0' then\n"
        "            redis.call('PEXPIRE', key, ttl)\n"
        "        end\n"
        "    end\n"
        "    at = last_set + deletes + 1\n"
        "end\n"
        FLUSH_TAIL,

    /* The same for layout packed (rowpack.h). A row that is not there any more gets a TTL anew. */
    [REDIS_LUA_FLUSH_PACKED] =
        FLUSH_HEAD
        "for k = 2, #KEYS do\n"
        "    local key, flag, row = KEYS[k], ARGV[2 * k + 3], ARGV[2 * k + 4]\n"
        "    if partition ~= '' and kept(k, flag ~= '2' and long_at(row, 11)) then\n"
        "    elseif flag == '2' then\n"
        "        redis.call('DEL', key)\n"
        "    elseif flag == '1' or not redis.call('SET', key, row, 'XX', 'KEEPTTL') then\n"
        "        if ttl ~= '0' then redis.call('SET', key, row, 'PX', ttl)\n"
        "        else redis.call('SET', key, row) end\n"
        "    end\n"
        "end\n"
        FLUSH_TAIL,

    /* MARK and DONE. ARGV: token, '1' or '0'. */
    [REDIS_LUA_SET_RESYNC] =
        "#!lua\n"
        "local own = redis.pcall('HMGET', KEYS[1], 't')\n"
        FENCED
        "redis.call('HSET', KEYS[1], 'rs', ARGV[2])\n"
        "return 1\n",

    /* A batch, too, and counted as one: should Redis lose what it deleted, that is noticed.
     * KEYS[2..]: rows. ARGV: token, the seq it must find, partition. Reply: how many were
     * deleted. */
    [REDIS_LUA_SWEEP] =
        "#!lua\n"
        META
        NUMBERED
        "local deleted = 0\n"
        "for k = 2, #KEYS do\n"
        "    if meta(KEYS[k]) == ARGV[3] then\n"
        "        deleted = deleted + redis.call('DEL', KEYS[k])\n"
        "    end\n"
        "end\n"
        "redis.call('HSET', KEYS[1], 'seq', own[2] + 1)\n"
        "return deleted\n",

    /* ARGV: cursor, pattern, count. Reply: next cursor, then (key, partition or nil) of each. */
    [REDIS_LUA_SCAN] =
        "#!lua flags=no-writes\n"
        META
        "local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])\n"
        "local reply = {page[1]}\n"
        "for _, key in ipairs(page[2]) do\n"
        "    reply[#reply + 1] = key\n"
        "    reply[#reply + 1] = meta(key) or false\n"
        "end\n"
        "return reply\n",
};
