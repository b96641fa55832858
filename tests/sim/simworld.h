/* A shard's world in the simulation of the protocol: the log, the consumer group, Redis, disks, and
 * the daemons that own the shard one after another, or believe to.
 *
 * What is real: shard, lease, batches, checkpoints (all of core). What is simulated: everything
 * that core talks to through the daemon; and the daemon itself, in simowner.c and simkeeper.c,
 * which follow flusher.c, sweeper.c, takeover.c, checkpointer.c, rejects.c and assignment.c step by
 * step, because those are tied to their libraries.
 *
 * Not here: a log that loses records or its beginning, REBUILD, and the store `kafka`, which are
 * left to the fault suite.
 *
 * A schedule is a list of moves; each names an owner and has its own chance, so that leaving some
 * out does not change what the others do. */
#ifndef FRESHET_TESTS_SIMWORLD_H
#define FRESHET_TESTS_SIMWORLD_H

#include "corekit.h"
#include "simdisk.h"
#include "simredis.h"
#include "simtruth.h"

enum {
    WORLD_LOG = 48,
    WORLD_OWNERS = 3,
    OWNER_COMMANDS = 8,
    OWNER_FLIGHTS = 3, /* batches under way */
    OWNER_REJECTS = 8,
    WORLD_STRAYS = 8,  /* requests of connections that are gone */
};

/* MOVE(name, weight of 1000, words) */
#define WORLD_MOVES(MOVE)                                                                          \
    MOVE(produce, 110, "a record is produced")                                                     \
    MOVE(time, 35, "time passes")                                                                  \
    MOVE(take, 60, "an assignment is taken")                                                       \
    MOVE(read, 120, "reads")                                                                       \
    MOVE(lease, 110, "goes on with its lease")                                                     \
    MOVE(flush, 90, "flushes")                                                                     \
    MOVE(execute, 140, "Redis executes")                                                           \
    MOVE(reply, 130, "hears Redis")                                                                \
    MOVE(save, 90, "goes on with a checkpoint")                                                    \
    MOVE(commit, 20, "commits")                                                                    \
    MOVE(deliver, 25, "late records")                                                              \
    MOVE(refresh, 10, "walks over TTLs")                                                           \
    MOVE(stray, 12, "a request of a connection that is gone arrives")                              \
    MOVE(replicate, 15, "a copy of Redis catches up")                                              \
    MOVE(revoke, 30, "goes on with a revocation")

#define WORLD_FAULTS(MOVE)                                                                         \
    MOVE(kill, 5, "kill -9")                                                                       \
    MOVE(freeze, 4, "SIGSTOP beyond the session time-out, or SIGCONT")                             \
    MOVE(rebalance, 6, "rebalance")                                                                \
    MOVE(lost, 3, "the group gives the shard to another one")                                      \
    MOVE(disconnect, 6, "connection to Redis lost")                                                \
    MOVE(failover, 4, "a replica that is behind becomes master")                                   \
    MOVE(flushall, 2, "FLUSHALL")                                                                  \
    MOVE(old_rdb, 2, "Redis comes back with an old RDB")                                           \
    MOVE(full_redis, 4, "Redis is out of memory, or no more")                                      \
    MOVE(refuse, 4, "Redis refuses a script")                                                      \
    MOVE(stall, 3, "Redis stalls, or no more")                                                     \
    MOVE(evict, 2, "a row is evicted")                                                             \
    MOVE(clock, 3, "a clock jumps")                                                                \
    MOVE(full_disk, 3, "a disk is full, or no more")                                               \
    MOVE(disk_error, 4, "the next call to a disk fails")                                           \
    MOVE(power_cut, 3, "the power of a machine goes")                                              \
    MOVE(flip_bit, 2, "a bit of a checkpoint flips")                                               \
    MOVE(cut_short, 2, "a checkpoint is cut short")                                                \
    MOVE(resync, 2, "an operator wants RESYNC")

enum world_kind {
#define MOVE(name, weight, words) MOVE_##name,
    WORLD_MOVES(MOVE) WORLD_FAULTS(MOVE)
#undef MOVE
    MOVE_COUNT
};
enum { MOVE_FIRST_FAULT = MOVE_kill };

struct world_move {
    uint8_t kind, owner;
    uint32_t chance;
};

/* ---- an owner ---- */

struct simcommand {
    struct simrequest request;
    uint64_t generation;
    int flight; /* FLUSH: whose batch it is */
    struct simreply reply;
};

struct simchain {
    struct checkpoint_link next;
    int64_t offset; /* of the newest checkpoint; -1: none */
};

struct owner {
    int number;
    bool frozen;
    enum { OWNER_DOWN, OWNER_IDLE, OWNER_TAKES, OWNER_OWNS } state;
    struct shard *shard;
    struct shard *kept; /* parked, while it owns nothing */
    struct simchain chain, kept_chain;

    /* the log */
    bool end_seen, empty_start;
    int64_t extent_end, committed; /* at the assignment; committed goes on with each commit */
    uint64_t group_generation;     /* that it believes to be in */
    struct {
        int64_t offset;
        enum { REJECT_WAITS, REJECT_SENT, REJECT_FAILED, REJECT_STORED } state;
    } rejects[OWNER_REJECTS];
    int reject_count;
    uint64_t orphans; /* a bit for each late record in its producer that it waits for no more */

    /* Redis */
    struct simcommand commands[OWNER_COMMANDS]; /* a ring */
    unsigned command_head, command_count, executed_count;
    struct shard_batch flights[OWNER_FLIGHTS];
    bool flying[OWNER_FLIGHTS];
    uint64_t generation, generations; /* of the lease, and of all that this process had */
    bool lease_busy;
    bool sweep_runs, sweep_failed; /* of the process ... */
    bool sweeping;                 /* ... and whether it is for this assignment */
    uint64_t sweep_generation;
    int64_t last_flush_ms, redis_ahead_ms;
    bool redis_clock_known;
    uint64_t acknowledged; /* batches */

    /* checkpoints */
    enum { SAVE_NONE, SAVE_WALKS, SAVE_WAITS, SAVE_WRITES, SAVE_SYNCS, SAVE_RENAMES,
           SAVE_ENTERS } save;
    struct checkpoint_link link;
    struct simdisk_handle file;
    size_t written;
    uint32_t crc;

    enum { REVOKE_NONE, REVOKE_ROWS, REVOKE_CALLS, REVOKE_SAVES, REVOKE_COMMITS } revoke;
    bool revoke_lost;
    bool save_wanted;

    int64_t skew_ms;  /* of its wall clock */
    uint32_t base_s;  /* of its monotonic clock */
};

/* ---- the world ---- */

struct world {
    struct rules rules;
    int64_t ttl_ms;
    bool shared_disk;
    bool idle_clock; /* time.idle_timeout is not 0 */
    int64_t log_most; /* records and control records that are produced */

    int64_t start, now;
    uint64_t random; /* of the move at hand */
    uint64_t tokens, chains;

    struct {
        bool is_record; /* else an offset that a control record took */
        int key;
        bool garbage; /* a dead letter */
        int64_t ts, record_ms;
        enum fate fate;
        bool is_late; /* it is to be sent to a topic of late records ... */
        bool stored;  /* ... and is there */
        struct value slots[2];
    } log[WORLD_LOG];
    int64_t log_end;
    struct simtruth truth[WORLD_LOG + 1]; /* by offset: of the records before it */

    int assigned, next; /* owner: of the shard, and after the rebalance; -1: none */
    uint64_t group_generation;
    int64_t committed, durable; /* greatest offset of a checkpoint that was ever durable */

    struct simredis redis;
    struct simdisk disks[WORLD_OWNERS];
    struct owner owners[WORLD_OWNERS];
    struct simrequest strays[WORLD_STRAYS];
    int stray_count;
    bool stalled; /* Redis */
    struct arena arena;

    unsigned steps, faults, incarnations;
    bool healed; /* nothing goes wrong any more */
};

extern bool world_tells; /* each step, on stdout */
void world_note(const struct owner *owner, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define NOTE(owner, ...)                                                                           \
    do {                                                                                           \
        if (world_tells)                                                                           \
            world_note(owner, __VA_ARGS__);                                                        \
    } while (0)
/* Ends the schedule. */
_Noreturn void world_violation(const struct owner *owner, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline uint64_t chance_draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static inline uint64_t world_draw(struct world *world)
{
    return chance_draw(&world->random);
}
static inline int64_t world_below(struct world *world, uint32_t bound)
{
    return (int64_t)((world_draw(world) >> 32) * bound >> 32);
}
static inline bool world_chance(struct world *world, int percent)
{
    return world_below(world, 100) < percent;
}

/* simworld.c: draws rules and begins. */
void world_open(struct world *world, uint64_t seed);
void world_close(struct world *world);
void world_free(struct world *world);
/* False when nothing was done: it does not count then. */
bool world_step(struct world *world, const struct world_move *move);
/* simsettle.c: faults are over: everything must find its way, and Redis must be right. */
void world_settle(struct world *world);
/* A beginning without faults. */
void world_warm(struct world *world);

/* simmoves.c: one function for each move; false when there is nothing to do. */
#define MOVE(name, weight, words) bool world_##name(struct world *world, struct owner *owner);
WORLD_MOVES(MOVE) WORLD_FAULTS(MOVE)
#undef MOVE
void world_give(struct world *world, int owner); /* the group assigns the shard */

/* simowner.c: the log, and what goes to Redis. */
int64_t owner_wall_ms(const struct world *world, const struct owner *owner);
uint32_t owner_now_s(const struct world *world, const struct owner *owner);
bool owner_read(struct world *world, struct owner *owner);
bool owner_lease(struct world *world, struct owner *owner);
bool owner_flush(struct world *world, struct owner *owner, bool probe);
bool owner_refresh(struct world *world, struct owner *owner);
struct simcommand *owner_command(struct owner *owner, unsigned k); /* the k-th under way */
bool owner_may_send(const struct owner *owner);
struct simcommand *owner_send(struct owner *owner, int kind);
bool owner_flies(const struct owner *owner); /* some batch does */
bool owner_resync(struct owner *owner);

/* simreply.c: what comes from Redis, and ends. */
bool owner_execute(struct world *world, struct owner *owner);
bool owner_reply(struct world *world, struct owner *owner);
void owner_disconnect(struct world *world, struct owner *owner);
bool owner_clean(const struct owner *owner);
bool owner_calls(const struct owner *owner); /* some are under way */
bool owner_synced(const struct owner *owner);
void owner_kill(struct world *world, struct owner *owner);
void redis_execute(struct world *world, const struct owner *owner, const struct simrequest *request,
                   struct simreply *reply);

/* simkeeper.c: checkpoints, commits, late records, revocation. */
struct simdisk *owner_disk(struct world *world, const struct owner *owner);
void owner_load(struct world *world, struct owner *owner);
bool owner_save(struct world *world, struct owner *owner);
void owner_save_abort(struct world *world, struct owner *owner);
bool owner_commit(struct world *world, struct owner *owner);
bool owner_prove(struct world *world, struct owner *owner);
void owner_reject(struct world *world, struct owner *owner, int64_t offset);
void owner_drop_rejects(struct owner *owner); /* what was sent may still arrive */
bool owner_deliver(struct world *world, struct owner *owner);
bool owner_revoke(struct world *world, struct owner *owner);

#endif
