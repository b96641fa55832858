/* What an owner keeps: its checkpoints, its commits, its late records, and the shard when it is
 * revoked (takeover.c, checkpointer.c, rejects.c and assignment.c of the daemon). */
#include <string.h>

#include "expect.h"
#include "shardstate.h"
#include "simworld.h"

enum { DELTAS_MAX = 3 };
static const char shard_name[] = "sim:clicks:0";

struct simdisk *owner_disk(struct world *world, const struct owner *owner)
{
    return &world->disks[world->shared_disk ? 0 : owner->number];
}

/* ---- taking over ---- */

static bool load(struct world *world, struct owner *owner)
{
    struct checkpoint_loader *loader =
        checkpoint_loader_open(&world->rules, 0, shard_name, owner_wall_ms(world, owner),
                               owner_now_s(world, owner));
    bool damaged = false;
    bool found = simdisk_load(owner_disk(world, owner), loader, &damaged);
    if (found) {
        const struct checkpoint_about *about = checkpoint_loader_about(loader);
        owner->shard = checkpoint_loader_take(loader);
        owner->chain = (struct simchain){
            {about->link.chain, about->link.index + 1, about->link.previous}, about->offset};
        if (about->offset > world->durable)
            world->durable = about->offset; /* its writer died before the directory was synced */
        /* Rows whose expiry was set long ago may be gone, though their keys live. */
        if (world->ttl_ms > 0 &&
            owner_wall_ms(world, owner) - about->last_flush_ms > world->ttl_ms / 2)
            lease_want_resync(&owner->shard->lease);
    }
    checkpoint_loader_close(loader);
    if (damaged)
        world_violation(owner, "a damaged checkpoint was taken for a whole one");
    return found;
}

void owner_load(struct world *world, struct owner *owner)
{
    if (owner->kept) {
        owner->shard = owner->kept;
        owner->chain = owner->kept_chain;
        owner->kept = NULL;
        NOTE(owner, "goes on with the shard it had, at %lld",
             (long long)owner->shard->next_offset);
    } else if (load(world, owner)) {
        NOTE(owner, "starts from a checkpoint at %lld", (long long)owner->chain.offset);
    } else {
        int64_t start = 0; /* the log's beginning */
        owner->shard = shard_open(&world->rules, 0, INT64_MIN);
        owner->chain = (struct simchain){.offset = -1};
        shard_end_of_log(owner->shard, start);
        NOTE(owner, "starts without state at %lld", (long long)start);
    }
    owner->empty_start = owner->shard->lease.previous[0] == '\0';
}

/* ---- checkpoints ---- */

void owner_save_abort(struct world *world, struct owner *owner)
{
    if (owner->save == SAVE_NONE)
        return;
    checkpoint_abort(owner->shard);
    simdisk_remove(owner_disk(world, owner), &owner->file);
    owner->save = SAVE_NONE;
    owner->save_wanted = false;
}

static void begin(struct world *world, struct owner *owner)
{
    owner->link = owner->chain.next;
    if (owner->link.index == 0 || checkpoint_needs_base(owner->shard) ||
        owner->link.index > DELTAS_MAX) {
        uint64_t chain = (uint64_t)owner_wall_ms(world, owner) << 8 | (++world->chains & 0xff);
        if (chain <= owner->chain.next.chain)
            chain = owner->chain.next.chain + 1;
        owner->link = (struct checkpoint_link){.chain = chain};
    }
    struct checkpoint_terms terms = {
        .name = shard_name,
        .link = owner->link,
        .wall_ms = owner_wall_ms(world, owner),
        .now_s = owner_now_s(world, owner),
        .last_flush_ms = owner->last_flush_ms,
    };
    checkpoint_begin(owner->shard, &terms);
    owner->save = SAVE_WALKS;
    owner->file.at = -1;
    owner->written = 0;
    NOTE(owner, "begins a checkpoint at %lld", (long long)checkpoint_offset(owner->shard));
}

static bool late_records_stored(const struct owner *owner)
{
    return owner->reject_count == 0 ||
           owner->rejects[0].offset >= checkpoint_offset(owner->shard);
}

static bool end(struct world *world, struct owner *owner)
{
    if (!late_records_stored(owner))
        return false;
    owner->crc = checkpoint_end(owner->shard);
    if (!simdisk_create(owner_disk(world, owner), &owner->link, &owner->file))
        owner_save_abort(world, owner);
    else
        owner->save = SAVE_WRITES;
    return true;
}

static bool write_some(struct world *world, struct owner *owner)
{
    const struct text *bytes = checkpoint_bytes(owner->shard);
    size_t len = bytes->len - owner->written;
    if (world_chance(world, 30) && len > 1)
        len /= 2; /* a short write */
    if (!simdisk_write(owner_disk(world, owner), &owner->file, bytes->data + owner->written, len))
        return false;
    owner->written += len;
    if (owner->written == bytes->len)
        owner->save = SAVE_SYNCS;
    return true;
}

static void durable(struct world *world, struct owner *owner)
{
    owner->chain.offset = checkpoint_offset(owner->shard);
    owner->chain.next =
        (struct checkpoint_link){owner->link.chain, owner->link.index + 1, owner->crc};
    if (owner->chain.offset > world->durable)
        world->durable = owner->chain.offset;
    checkpoint_stored(owner->shard);
    owner->save = SAVE_NONE;
    owner->save_wanted = false;
    if (owner->link.index == 0)
        simdisk_remove_old(owner_disk(world, owner));
    NOTE(owner, "has a durable checkpoint at %lld", (long long)owner->chain.offset);
}

/* The calls to the disk, in their order. */
static bool disk_call(struct world *world, struct owner *owner)
{
    struct simdisk *disk = owner_disk(world, owner);
    switch (owner->save) {
    case SAVE_WRITES:
        return write_some(world, owner);
    case SAVE_SYNCS:
        owner->save = SAVE_RENAMES;
        return simdisk_sync(disk, &owner->file);
    case SAVE_RENAMES:
        owner->save = SAVE_ENTERS;
        return simdisk_rename(disk, &owner->file);
    default:
        if (!simdisk_sync_directory(disk, &owner->file))
            return false;
        durable(world, owner);
        return true;
    }
}

bool owner_save(struct world *world, struct owner *owner)
{
    if (owner->state != OWNER_OWNS)
        return false;
    switch (owner->save) {
    case SAVE_NONE:
        if (owner->revoke != REVOKE_NONE && !owner->save_wanted)
            return false;
        begin(world, owner);
        return true;
    case SAVE_WALKS:
        if (checkpoint_step(owner->shard))
            owner->save = SAVE_WAITS;
        return true;
    case SAVE_WAITS:
        return end(world, owner);
    default:
        if (disk_call(world, owner))
            return true;
        NOTE(owner, "cannot store its checkpoint");
        owner_save_abort(world, owner);
        return true;
    }
}

/* ---- commits ---- */

static int64_t commit_offset(const struct owner *owner)
{
    int64_t offset = owner->chain.offset;
    if (owner->reject_count && owner->rejects[0].offset < offset)
        offset = owner->rejects[0].offset;
    return offset > owner->committed ? offset : owner->committed;
}

/* The broker: whether it takes the commit of this member. */
static bool broker_commits(struct world *world, const struct owner *owner, int64_t offset)
{
    if (world->assigned != owner->number || world->group_generation != owner->group_generation)
        return false;
    for (int64_t at = 0; at < offset; at++)
        if (world->log[at].is_late && !world->log[at].stored)
            world_violation(owner, "the commit of %lld passes the late record %lld",
                            (long long)offset, (long long)at);
    if (offset > 0 && offset > world->durable)
        world_violation(owner, "the commit of %lld is not in any checkpoint", (long long)offset);
    world->committed = offset;
    return true;
}

bool owner_commit(struct world *world, struct owner *owner)
{
    if (owner->state != OWNER_OWNS)
        return false;
    int64_t offset = commit_offset(owner);
    if (offset <= owner->committed)
        return false;
    bool ok = broker_commits(world, owner, offset);
    NOTE(owner, "commits %lld%s", (long long)offset, ok ? "" : ": it is not the owner any more");
    if (ok && !world_chance(world, 10)) /* else the answer is lost */
        owner->committed = offset;
    return true;
}

bool owner_prove(struct world *world, struct owner *owner)
{
    int64_t offset = commit_offset(owner);
    bool ok = broker_commits(world, owner, offset < 0 ? 0 : offset);
    NOTE(owner, "commits to prove that it is the owner: %s", ok ? "it is" : "it is not");
    if (ok)
        lease_proved(&owner->shard->lease, true);
    return ok;
}

/* ---- late records ---- */

void owner_reject(struct world *world, struct owner *owner, int64_t offset)
{
    if (offset < owner->committed)
        return; /* stored before the commit */
    expect(owner->reject_count < OWNER_REJECTS);
    owner->rejects[owner->reject_count].offset = offset;
    owner->rejects[owner->reject_count++].state =
        world_chance(world, 20) ? REJECT_WAITS : REJECT_SENT; /* the producer may be full */
}

void owner_drop_rejects(struct owner *owner)
{
    for (int k = 0; k < owner->reject_count; k++)
        if (owner->rejects[k].state == REJECT_SENT)
            owner->orphans |= UINT64_C(1) << owner->rejects[k].offset;
    owner->reject_count = 0;
}

static bool deliver_orphan(struct world *world, struct owner *owner)
{
    if (owner->orphans == 0)
        return false;
    int at = __builtin_ctzll(owner->orphans);
    owner->orphans &= owner->orphans - 1;
    world->log[at].stored |= world_chance(world, 80);
    return true;
}

bool owner_deliver(struct world *world, struct owner *owner)
{
    if (owner->state == OWNER_DOWN)
        return false;
    if (owner->reject_count == 0)
        return deliver_orphan(world, owner);
    int k = (int)world_below(world, (uint32_t)owner->reject_count);
    __typeof__(owner->rejects[0]) *reject = &owner->rejects[k];
    if (reject->state == REJECT_WAITS) {
        reject->state = REJECT_SENT;
    } else if (reject->state == REJECT_SENT) {
        bool ok = world->healed || !world_chance(world, 5);
        reject->state = ok ? REJECT_STORED : REJECT_FAILED;
        world->log[reject->offset].stored |= reject->state == REJECT_STORED;
        NOTE(owner, "hears that late record %lld is %s", (long long)reject->offset,
             reject->state == REJECT_STORED ? "stored" : "not stored");
    } else {
        return false;
    }
    int stored = 0;
    while (stored < owner->reject_count && owner->rejects[stored].state == REJECT_STORED)
        stored++;
    owner->reject_count -= stored;
    memmove(&owner->rejects[0], &owner->rejects[stored],
            (size_t)owner->reject_count * sizeof owner->rejects[0]);
    return true;
}

/* ---- revocation ---- */

static void let_go(struct world *world, struct owner *owner)
{
    if (owner->revoke_lost)
        owner->chain.next.index = 0; /* another owner may have gone on from this chain */
    owner_save_abort(world, owner);
    lease_let_go(&owner->shard->lease);
    owner->kept = owner->shard;
    owner->kept_chain = owner->chain;
    owner->shard = NULL;
    owner->sweeping = false;
    owner->state = OWNER_IDLE;
    owner->revoke = REVOKE_NONE;
    owner->revoke_lost = false;
    NOTE(owner, "parks its shard at %lld", (long long)owner->kept->next_offset);
    if (world->assigned == owner->number && world->group_generation == owner->group_generation)
        world_give(world, world->next >= 0 ? world->next : owner->number);
}

/* One stage; each may have to be given up for time. */
bool owner_revoke(struct world *world, struct owner *owner)
{
    if (owner->state != OWNER_OWNS)
        return false;
    bool lost = world->group_generation != owner->group_generation;
    if (owner->revoke == REVOKE_NONE) {
        if (!lost)
            return false;
        owner->revoke = REVOKE_CALLS;
        owner->revoke_lost = true;
        owner_save_abort(world, owner);
        NOTE(owner, "hears that it has lost the shard");
        return true;
    }
    switch (owner->revoke) {
    case REVOKE_ROWS:
        if (!owner_clean(owner) && !world_chance(world, 20))
            return false;
        owner->revoke = REVOKE_CALLS;
        return true;
    case REVOKE_CALLS:
        if (owner_calls(owner))
            return false;
        if (owner->revoke_lost) {
            let_go(world, owner);
            return true;
        }
        owner->revoke = REVOKE_SAVES;
        owner_save_abort(world, owner);
        owner->save_wanted = true;
        return true;
    case REVOKE_SAVES:
        if (owner->save_wanted && !world_chance(world, 10))
            return owner_save(world, owner);
        owner_save_abort(world, owner);
        owner->save_wanted = false;
        owner->revoke = REVOKE_COMMITS;
        return true;
    default:
        owner_commit(world, owner);
        let_go(world, owner);
        return true;
    }
}
