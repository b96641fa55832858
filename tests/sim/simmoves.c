/* The moves of a schedule: each makes one thing happen, or finds that it cannot. */
#include "simworld.h"

enum { JUMP_MAX_MS = 90000 };

/* ---- the log ---- */

bool world_produce(struct world *world, struct owner *owner)
{
    (void)owner;
    if (world->log_end == world->log_most)
        return false;
    int64_t at = world->log_end++;
    __typeof__(world->log[0]) *entry = &world->log[at];
    world->truth[at + 1] = world->truth[at];
    entry->is_late = entry->stored = false;
    entry->is_record = !world_chance(world, 6);
    if (!entry->is_record) {
        NOTE(NULL, "log %lld: a control record", (long long)at);
        return true;
    }
    entry->key = (int)world_below(world, TRUTH_KEYS);
    entry->garbage = world_chance(world, 4);
    int64_t behind = world_chance(world, 70) ? world_below(world, 1200)
                                             : world_below(world, 14000) - 3000;
    entry->ts = world->now - behind;
    entry->record_ms = world->now;
    entry->slots[0] = value_text(VALUE_STRING, simtruth_keys[entry->key], 1);
    entry->slots[1] = value_long(entry->ts);
    entry->fate = FATE_UNDECODABLE;
    if (!entry->garbage)
        entry->fate = simtruth_apply(&world->truth[at + 1], &world->rules, entry->key, at,
                                     entry->ts, entry->record_ms);
    enum fate_class class = fate_rows[entry->fate].class;
    entry->is_late = class == FATE_LATE_TOPIC || class == FATE_DEAD_LETTER;
    NOTE(NULL, "log %lld: key %s at %+lld, %s", (long long)at, simtruth_keys[entry->key],
         (long long)(entry->ts - world->start), fate_rows[entry->fate].name);
    return true;
}

bool world_time(struct world *world, struct owner *owner)
{
    (void)owner;
    int64_t ms = world_chance(world, 85)   ? 100 + world_below(world, 2500)
                 : world_chance(world, 75) ? 2000 + world_below(world, 12000)
                                           : world_below(world, 80000);
    world->now += ms;
    NOTE(NULL, "%lld ms pass, it is %+lld", (long long)ms, (long long)(world->now - world->start));
    return true;
}

/* ---- the group ---- */

void world_give(struct world *world, int owner)
{
    world->assigned = owner;
    world->next = -1;
    world->group_generation++;
    NOTE(NULL, "the group gives the shard to owner %d", owner);
}

static void own(struct world *world, struct owner *owner)
{
    owner_load(world, owner);
    owner->state = OWNER_OWNS;
    owner->generation = 0;
    owner->end_seen = owner->lease_busy = false;
    owner->last_flush_ms = 0;
    world->incarnations++;
}

/* In two steps: what Kafka says of the log's end may be old when the shard starts. */
bool world_take(struct world *world, struct owner *owner)
{
    bool ours = world->assigned == owner->number;
    if (owner->state == OWNER_OWNS || (owner->state == OWNER_DOWN && !ours))
        return false;
    if (!ours || (owner->state == OWNER_TAKES &&
                  owner->group_generation != world->group_generation)) {
        bool news = owner->state == OWNER_TAKES || owner->kept;
        owner->state = OWNER_IDLE;
        if (!ours) { /* what is left belongs to others now */
            shard_close(owner->kept);
            owner->kept = NULL;
            owner_drop_rejects(owner);
        }
        return news;
    }
    if (owner->state == OWNER_TAKES) {
        own(world, owner);
        return true;
    }
    owner->state = OWNER_TAKES;
    owner->group_generation = world->group_generation;
    owner->extent_end = world->log_end;
    owner->committed = world->committed;
    return true;
}

bool world_kill(struct world *world, struct owner *owner)
{
    if (owner->state == OWNER_DOWN)
        return false;
    owner_kill(world, owner);
    if (world->assigned == owner->number)
        world_give(world, (int)world_below(world, WORLD_OWNERS));
    return true;
}

bool world_freeze(struct world *world, struct owner *owner)
{
    if (!owner->frozen && owner->state != OWNER_OWNS)
        return false;
    owner->frozen = !owner->frozen;
    if (owner->frozen && world->assigned == owner->number)
        world_give(world, (int)world_below(world, WORLD_OWNERS));
    return true;
}

bool world_rebalance(struct world *world, struct owner *owner)
{
    struct owner *from = &world->owners[world->assigned];
    if (from->state == OWNER_OWNS && from->group_generation == world->group_generation &&
        !from->frozen) {
        if (from->revoke != REVOKE_NONE)
            return false;
        from->revoke = REVOKE_ROWS;
        world->next = owner->number;
    } else {
        world_give(world, owner->number);
    }
    return true;
}

bool world_lost(struct world *world, struct owner *owner)
{
    world_give(world, owner->number);
    return true;
}

/* ---- Redis ---- */

bool world_stray(struct world *world, struct owner *owner)
{
    (void)owner;
    if (world->stray_count == 0)
        return false;
    int k = (int)world_below(world, (uint32_t)world->stray_count);
    struct simrequest request = world->strays[k];
    struct simreply reply;
    world->strays[k] = world->strays[--world->stray_count];
    redis_execute(world, NULL, &request, &reply);
    return true;
}

bool world_replicate(struct world *world, struct owner *owner)
{
    (void)owner;
    if (world_chance(world, 70))
        world->redis.replica = world->redis.now;
    else
        world->redis.saved = world->redis.now;
    return true;
}

static void disconnect_all(struct world *world)
{
    for (int k = 0; k < WORLD_OWNERS; k++)
        if (world->owners[k].command_count > 0)
            owner_disconnect(world, &world->owners[k]);
}

bool world_disconnect(struct world *world, struct owner *owner)
{
    if (owner->command_count == 0)
        return false;
    owner_disconnect(world, owner);
    return true;
}

bool world_failover(struct world *world, struct owner *owner)
{
    (void)owner;
    if (world_chance(world, 60))
        disconnect_all(world);
    simredis_lose(&world->redis, &world->redis.replica);
    return true;
}

bool world_flushall(struct world *world, struct owner *owner)
{
    (void)owner;
    static const struct simredis_state empty;
    simredis_lose(&world->redis, &empty);
    return true;
}

bool world_old_rdb(struct world *world, struct owner *owner)
{
    (void)owner;
    disconnect_all(world);
    simredis_lose(&world->redis, &world->redis.saved);
    world->redis.replica = world->redis.now;
    return true;
}

bool world_full_redis(struct world *world, struct owner *owner)
{
    (void)owner;
    world->redis.full = !world->redis.full;
    return true;
}

bool world_refuse(struct world *world, struct owner *owner)
{
    if (owner->executed_count == owner->command_count)
        return false;
    owner->commands[(owner->command_head + owner->executed_count++) % OWNER_COMMANDS].reply =
        (struct simreply){.result = FAKEREDIS_REFUSED};
    (void)world;
    return true;
}

bool world_stall(struct world *world, struct owner *owner)
{
    (void)owner;
    world->stalled = !world->stalled;
    return true;
}

bool world_evict(struct world *world, struct owner *owner)
{
    (void)owner;
    int key = (int)world_below(world, TRUTH_KEYS);
    if (world->ttl_ms == 0 || !world->redis.now.rows[key].exists)
        return false;
    world->redis.now.rows[key].exists = false;
    return true;
}

/* ---- machines ---- */

bool world_clock(struct world *world, struct owner *owner)
{
    owner->skew_ms = world_below(world, 2 * JUMP_MAX_MS) - JUMP_MAX_MS;
    return true;
}

bool world_full_disk(struct world *world, struct owner *owner)
{
    struct simdisk *disk = owner_disk(world, owner);
    disk->full = !disk->full;
    return true;
}

bool world_disk_error(struct world *world, struct owner *owner)
{
    owner_disk(world, owner)->fails = true;
    return true;
}

bool world_power_cut(struct world *world, struct owner *owner)
{
    world_kill(world, owner);
    simdisk_power_cut(owner_disk(world, owner), world_draw(world));
    return true;
}

bool world_flip_bit(struct world *world, struct owner *owner)
{
    return simdisk_flip_bit(owner_disk(world, owner), world_draw(world));
}

bool world_cut_short(struct world *world, struct owner *owner)
{
    return simdisk_cut_short(owner_disk(world, owner), world_draw(world));
}

/* ---- what the daemons do ---- */

bool world_read(struct world *world, struct owner *owner)
{
    return owner_read(world, owner);
}
bool world_lease(struct world *world, struct owner *owner)
{
    return owner_lease(world, owner);
}
bool world_flush(struct world *world, struct owner *owner)
{
    return owner_flush(world, owner, world_chance(world, 30));
}
bool world_execute(struct world *world, struct owner *owner)
{
    bool some = !world->stalled && owner_execute(world, owner);
    while (some && world_chance(world, 50) && owner_execute(world, owner))
        world->steps++;
    return some;
}
bool world_reply(struct world *world, struct owner *owner)
{
    return owner_reply(world, owner);
}
bool world_save(struct world *world, struct owner *owner)
{
    bool some = owner_save(world, owner);
    while (some && owner->save != SAVE_NONE && world_chance(world, 70) && owner_save(world, owner))
        world->steps++;
    return some;
}
bool world_commit(struct world *world, struct owner *owner)
{
    return owner_commit(world, owner);
}
bool world_deliver(struct world *world, struct owner *owner)
{
    return owner_deliver(world, owner);
}
bool world_refresh(struct world *world, struct owner *owner)
{
    return owner_refresh(world, owner);
}
bool world_revoke(struct world *world, struct owner *owner)
{
    return owner_revoke(world, owner);
}
bool world_resync(struct world *world, struct owner *owner)
{
    (void)world;
    return owner_resync(owner);
}
