/* The end of a schedule: faults are over, everything comes to rest, and Redis is right. */
#include "shardstate.h"
#include "simworld.h"

enum { SETTLE_ROUNDS = 60 };

static void heal(struct world *world)
{
    NOTE(NULL, "faults are over");
    world->healed = true;
    world->redis.full = world->stalled = false;
    while (world_stray(world, NULL))
        continue;
    for (int k = 0; k < WORLD_OWNERS; k++) {
        world->disks[k].full = world->disks[k].fails = false;
        world->owners[k].frozen = false;
    }
}

static bool at_rest(const struct world *world)
{
    const struct owner *owner = &world->owners[world->assigned];
    for (int k = 0; k < WORLD_OWNERS; k++)
        if (k != world->assigned && (world->owners[k].state == OWNER_OWNS ||
                                     world->owners[k].orphans || world->owners[k].command_count))
            return false;
    return owner->state == OWNER_OWNS && owner->group_generation == world->group_generation &&
           owner->revoke == REVOKE_NONE && owner->shard->next_offset == world->log_end &&
           owner->end_seen && owner->reject_count == 0 && !owner->orphans && owner_synced(owner);
}

/* A turn of the daemon's loop, and what others do meanwhile. */
static unsigned exchange(struct world *world, struct owner *owner)
{
    unsigned steps = 0;
    while (owner_execute(world, owner))
        steps++;
    while (owner_reply(world, owner))
        steps++;
    return steps;
}

static void settle_owner(struct world *world, struct owner *owner, bool probe)
{
    for (int k = 0; k < owner->reject_count; k++)
        if (owner->rejects[k].state == REJECT_FAILED) {
            NOTE(owner, "is restarted by its operator");
            owner_kill(world, owner);
            break;
        }
    unsigned steps = world_take(world, owner);
    steps += exchange(world, owner);
    steps += owner_revoke(world, owner);
    steps += owner_deliver(world, owner);
    while (owner->state == OWNER_OWNS && owner->revoke == REVOKE_NONE &&
           owner->reject_count == 0 &&
           (!owner->end_seen || owner->shard->next_offset < world->log_end))
        steps += owner_read(world, owner);
    steps += owner_lease(world, owner);
    steps += owner_refresh(world, owner);
    steps += owner_flush(world, owner, probe);
    world->steps += steps + exchange(world, owner);
}

/* probes: batches that must be acknowledged before it counts as rest. */
static void settle(struct world *world, uint64_t probes)
{
    uint64_t wanted = probes;
    for (int k = 0; k < WORLD_OWNERS; k++)
        wanted += world->owners[k].acknowledged;
    for (uint64_t round = 0, before = 0; round < SETTLE_ROUNDS; round++) {
        uint64_t acknowledged = 0;
        for (int k = 0; k < WORLD_OWNERS; k++) {
            settle_owner(world, &world->owners[k], before < wanted);
            acknowledged += world->owners[k].acknowledged;
        }
        /* as_of may have gone on with the last ACQUIRE: then there is more to write. */
        if (before >= wanted && at_rest(world) &&
            !owner_flush(world, &world->owners[world->assigned], false))
            return;
        before = acknowledged;
    }
    const struct owner *owner = &world->owners[world->assigned];
    world_violation(owner, "it does not come to rest: lease %d, resync %d, %lld unsynced",
                    owner->shard ? (int)owner->shard->lease.state : -1,
                    owner->shard ? (int)owner->shard->lease.resync : -1,
                    owner->shard ? (long long)owner->shard->unsynced : -1);
}

static void compare(const struct world *world)
{
    const struct owner *owner = &world->owners[world->assigned];
    const struct simtruth *truth = &world->truth[world->log_end];
    if (truth->raw == INT64_MIN)
        return;
    for (int k = 0; k < TRUTH_KEYS; k++) {
        const struct simrow *row = &world->redis.now.rows[k];
        bool there = simredis_shows(&world->redis, k, world->now);
        struct simvalues wanted =
            simtruth_values(truth, &world->rules, k, owner->shard->as_of_ms);
        if (there && !simvalues_same(&row->values, &wanted))
            world_violation(owner, "at the end row %s has clicks %lld session %lld of %lld, not "
                            "clicks %lld session %lld of %lld", simtruth_keys[k],
                            (long long)row->values.clicks, (long long)row->values.session,
                            (long long)row->values.events, (long long)wanted.clicks,
                            (long long)wanted.session, (long long)wanted.events);
        if (there && truth->keys[k].alive && row->offset != truth->keys[k].offset)
            world_violation(owner, "at the end _o of row %s is wrong", simtruth_keys[k]);
        if (!there && truth->keys[k].alive)
            world_violation(owner, "at the end there is no row %s", simtruth_keys[k]);
        if (there && !truth->keys[k].alive && world->rules.delete_forgotten)
            world_violation(owner, "at the end the forgotten row %s is there", simtruth_keys[k]);
    }
    for (int64_t at = 0; at < world->log_end; at++)
        if (world->log[at].is_late && !world->log[at].stored)
            world_violation(owner, "late record %lld was never stored", (long long)at);
}

/* With time, but no record: rows must outlive their TTL. */
static void pass_ttl(struct world *world)
{
    for (int k = 0; k < 4; k++) {
        world->now += world->ttl_ms / 3;
        settle(world, 1);
    }
}

/* Everything can be saved and committed. */
static void save_all(struct world *world)
{
    struct owner *owner = &world->owners[world->assigned];
    owner_save_abort(world, owner);
    for (int k = 0; k < 40 && owner->chain.offset < world->log_end; k++)
        world->steps += owner_save(world, owner);
    owner_commit(world, owner);
    if (world->committed < world->log_end && world->log_end > 0)
        world_violation(owner, "%lld is committed, not %lld", (long long)world->committed,
                        (long long)world->log_end);
}

void world_settle(struct world *world)
{
    heal(world);
    /* More than can be under way: the last one was sent after the last loss. */
    settle(world, OWNER_FLIGHTS + 1);
    if (world->ttl_ms)
        pass_ttl(world);
    compare(world);
    save_all(world);
}

/* One owner after the other, so that each can have a checkpoint of its own. */
void world_warm(struct world *world)
{
    NOTE(NULL, "the shard is at rest before anything goes wrong");
    for (int64_t owners = 1 + world_below(world, WORLD_OWNERS); owners > 0; owners--) {
        for (int64_t count = 1 + world_below(world, 4); count > 0; count--)
            world_produce(world, NULL);
        settle(world, 0);
        if (world_chance(world, 70))
            save_all(world);
        if (owners > 1)
            world_give(world, (int)world_below(world, WORLD_OWNERS));
    }
    world_replicate(world, NULL);
}
