/* What an owner hears from Redis, and how its connection and its life end (flusher.c, sweeper.c and
 * partition.c of the daemon). */
#include <string.h>

#include "shardstate.h"
#include "simworld.h"

/* ---- replies ---- */

static void hear_clock(const struct world *world, struct owner *owner)
{
    owner->redis_ahead_ms = world->now - owner_wall_ms(world, owner);
    owner->redis_clock_known = true;
}

static void end_batch(struct owner *owner, const struct simreply *reply, int64_t seq)
{
    struct lease *lease = &owner->shard->lease;
    if (lease->under_way <= 0)
        world_violation(owner, "a reply is counted for a lease that did not send the request");
    switch (reply->result) {
    case FAKEREDIS_OK:
        lease_applied(lease, seq);
        break;
    case FAKEREDIS_REFUSED:
        lease_not_applied(lease);
        break;
    case FAKEREDIS_UNKNOWN:
        lease_doubt(lease);
        break;
    default:
        lease_refused(lease, reply->result == FAKEREDIS_ROLLBACK);
    }
}

static void end_acquire(struct world *world, struct owner *owner, const struct simreply *reply)
{
    struct lease *lease = &owner->shard->lease;
    owner->lease_busy = false;
    if (reply->result != FAKEREDIS_OK) {
        lease_not_granted(lease);
        return;
    }
    hear_clock(world, owner);
    bool resync = lease_granted(lease, &reply->grant, owner->extent_end, owner->empty_start);
    if (resync)
        shard_resync(owner->shard);
    NOTE(owner, "has the lease: hold %lld, %lld batches%s", (long long)lease->hold,
         (long long)lease->acknowledged, resync ? ", writes all again" : "");
}

static void end_mark(struct owner *owner, const struct simreply *reply, enum lease_step step)
{
    struct lease *lease = &owner->shard->lease;
    owner->lease_busy = false;
    if (reply->result == FAKEREDIS_FENCED)
        lease_refused(lease, false);
    if (reply->result == FAKEREDIS_UNKNOWN)
        lease_doubt(lease);
    lease_step_ended(lease, step, reply->result == FAKEREDIS_OK);
}

static void end_flush(struct world *world, struct owner *owner, const struct simcommand *command)
{
    struct shard_batch *batch = &owner->flights[command->flight];
    bool ok = command->reply.result == FAKEREDIS_OK;
    owner->flying[command->flight] = false;
    if (ok) {
        hear_clock(world, owner);
        owner->last_flush_ms = owner_wall_ms(world, owner);
        owner->acknowledged++;
        for (int k = 0; k < batch->count; k++)
            batch->differs[k] = command->reply.keys >> k & 1;
    }
    if (owner->generation == command->generation)
        end_batch(owner, &command->reply, command->reply.seq);
    shard_batch_end(owner->shard, batch, ok);
}

static void end_sweep(struct owner *owner)
{
    owner->sweep_runs = false;
    if (!owner->sweeping || owner->state != OWNER_OWNS)
        return;
    owner->sweeping = false;
    if (owner->generation == owner->sweep_generation)
        lease_step_ended(&owner->shard->lease, LEASE_SWEEP, !owner->sweep_failed);
}

static void end_scan(struct owner *owner, const struct simreply *reply)
{
    bool ours = owner->sweeping && owner->state == OWNER_OWNS;
    owner->sweep_failed = reply->result != FAKEREDIS_OK;
    unsigned keys = 0;
    for (int k = 0; ours && !owner->sweep_failed && k < TRUTH_KEYS; k++)
        if (reply->keys & 1u << k && !shard_holds_key(owner->shard, simtruth_keys[k], 1))
            keys |= 1u << k;
    const struct lease *lease = ours ? &owner->shard->lease : NULL;
    bool may = ours && owner_may_send(owner) && owner->generation == owner->sweep_generation &&
               lease->state == LEASE_HELD && !lease_awaits_replies(lease);
    if (keys == 0 || !may) {
        owner->sweep_failed |= keys != 0;
        end_sweep(owner);
        return;
    }
    struct simrequest *request = &owner_send(owner, REQUEST_SWEEP)->request;
    request->keys = keys;
    request->expected_seq = lease_batch_sent(&owner->shard->lease);
    NOTE(owner, "sends SWEEP as batch %lld", (long long)request->expected_seq + 1);
}

static void hear(struct world *world, struct owner *owner, const struct simcommand *command)
{
    const struct simreply *reply = &command->reply;
    bool owns = owner->state == OWNER_OWNS;
    bool current = owns && owner->generation == command->generation;
    NOTE(owner, "hears of %s: %s", simredis_names[command->request.kind],
         simredis_results[reply->result]);
    switch (command->request.kind) {
    case REQUEST_FLUSH:
        end_flush(world, owner, command);
        break;
    case REQUEST_SCAN:
        end_scan(owner, reply);
        break;
    case REQUEST_SWEEP:
        if (current)
            end_batch(owner, reply, command->request.expected_seq + 1);
        owner->sweep_failed |= reply->result != FAKEREDIS_OK;
        end_sweep(owner);
        break;
    case REQUEST_ACQUIRE:
        if (current)
            end_acquire(world, owner, reply);
        break;
    default:
        if (current)
            end_mark(owner, reply, command->request.kind == REQUEST_MARK ? LEASE_MARK : LEASE_DONE);
    }
}

static void pop(struct world *world, struct owner *owner)
{
    struct simcommand *command = owner_command(owner, 0);
    owner->command_head++;
    owner->command_count--;
    hear(world, owner, command);
}

bool owner_reply(struct world *world, struct owner *owner)
{
    if (owner->executed_count == 0)
        return false;
    owner->executed_count--;
    pop(world, owner);
    return true;
}

void redis_execute(struct world *world, const struct owner *owner, const struct simrequest *request,
                   struct simreply *reply)
{
    const char *wrong = simredis_execute(&world->redis, request, world->now, reply);
    NOTE(NULL, "Redis executes %s under token %llu: %s", simredis_names[request->kind],
         (unsigned long long)request->token, simredis_results[reply->result]);
    if (wrong)
        world_violation(owner, "%s", wrong);
}

bool owner_execute(struct world *world, struct owner *owner)
{
    if (owner->executed_count == owner->command_count)
        return false;
    struct simcommand *command = owner_command(owner, owner->executed_count++);
    redis_execute(world, owner, &command->request, &command->reply);
    return true;
}

/* ---- ends ---- */

/* Some of what was sent arrives, some arrives later, and the rest does not. */
static void cut_connection(struct world *world, struct owner *owner)
{
    int64_t arrived = world_below(world, owner->command_count - owner->executed_count + 1);
    while (arrived-- > 0)
        owner_execute(world, owner);
    for (unsigned k = owner->executed_count; k < owner->command_count; k++)
        if (world->stray_count < WORLD_STRAYS && world_chance(world, 50))
            world->strays[world->stray_count++] = owner_command(owner, k)->request;
    owner->executed_count = 0;
}

void owner_disconnect(struct world *world, struct owner *owner)
{
    cut_connection(world, owner);
    /* What the answers make it send goes over the next connection. */
    for (unsigned count = owner->command_count; count > 0; count--) {
        owner_command(owner, 0)->reply = (struct simreply){.result = FAKEREDIS_UNKNOWN};
        pop(world, owner);
    }
}

void owner_kill(struct world *world, struct owner *owner)
{
    cut_connection(world, owner);
    owner->command_count = 0;
    owner_save_abort(world, owner);
    shard_close(owner->shard);
    shard_close(owner->kept);
    owner->shard = owner->kept = NULL;
    owner_drop_rejects(owner);
    for (int64_t at = 0; at < world->log_end; at++)
        if (owner->orphans >> at & 1 && world_chance(world, 50))
            world->log[at].stored = true;
    owner->orphans = 0;
    memset(owner->flying, 0, sizeof owner->flying);
    owner->lease_busy = owner->sweep_runs = owner->sweeping = false;
    owner->redis_clock_known = false;
    owner->revoke = REVOKE_NONE;
    owner->revoke_lost = owner->save_wanted = owner->frozen = false;
    owner->state = OWNER_DOWN;
}

bool owner_clean(const struct owner *owner)
{
    const struct shard *shard = owner->shard;
    if (!lease_may_write(&shard->lease, shard->next_offset))
        return !owner_flies(owner);
    return shard->queues[QUEUE_EVENT].count + shard->queues[QUEUE_DECAY].count == 0 &&
           shard->inflight_rows == 0 && !owner_flies(owner);
}

bool owner_calls(const struct owner *owner)
{
    return owner->lease_busy || owner_flies(owner);
}

bool owner_synced(const struct owner *owner)
{
    const struct shard *shard = owner->shard;
    return shard->lease.state == LEASE_HELD && shard->lease.resync == LEASE_SYNCED &&
           !shard_has_rows(shard) && owner->command_count == 0;
}
