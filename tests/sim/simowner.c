/* An owner of the shard: what it reads, and what it sends to Redis (intake.c, flusher.c and
 * sweeper.c of the daemon). */
#include <string.h>

#include "expect.h"
#include "shardstate.h"
#include "simworld.h"

enum { READ_MAX = 4, REJECTS_MAX = 3, SKEW_MAX_MS = 60000 };

int64_t owner_wall_ms(const struct world *world, const struct owner *owner)
{
    return world->now + owner->skew_ms;
}

uint32_t owner_now_s(const struct world *world, const struct owner *owner)
{
    return owner->base_s + (uint32_t)((world->now - world->start) / 1000);
}

/* ---- requests ---- */

struct simcommand *owner_command(struct owner *owner, unsigned k)
{
    return &owner->commands[(owner->command_head + k) % OWNER_COMMANDS];
}

bool owner_may_send(const struct owner *owner)
{
    return owner->command_count < OWNER_COMMANDS;
}

/* Tokens are numbers here, and text in the lease. */
static void token_text(char text[LEASE_TOKEN_BYTES + 1], uint64_t token)
{
    memset(text, '0', LEASE_TOKEN_BYTES);
    text[LEASE_TOKEN_BYTES] = '\0';
    for (char *at = text + LEASE_TOKEN_BYTES; token > 0; token /= 10)
        *--at = (char)('0' + token % 10);
}

static uint64_t token_number(const char *text)
{
    uint64_t token = 0;
    for (; *text; text++)
        token = 10 * token + (uint64_t)(*text - '0');
    return token;
}

struct simcommand *owner_send(struct owner *owner, int kind)
{
    expect(owner_may_send(owner));
    struct simcommand *command = owner_command(owner, owner->command_count++);
    command->request.kind = (__typeof__(command->request.kind))kind;
    command->request.token = token_number(owner->shard->lease.token);
    command->request.count = 0;
    command->request.keys = 0;
    command->generation = owner->generation;
    command->flight = -1;
    return command;
}

/* ---- the log ---- */

static int next_records(const struct world *world, const struct owner *owner,
                        struct record records[READ_MAX], int count)
{
    int got = 0;
    for (int64_t at = owner->shard->next_offset; at < world->log_end && got < count; at++)
        if (world->log[at].is_record)
            records[got++] = (struct record){at, world->log[at].record_ms,
                                             world->log[at].garbage ? FATE_UNDECODABLE : FATE_NONE,
                                             world->log[at].slots};
    return got;
}

static void apply(struct world *world, struct owner *owner, struct record *records, int count)
{
    struct verdict verdicts[READ_MAX];
    int64_t next = owner->shard->next_offset;
    shard_apply(owner->shard, records, count, verdicts);
    NOTE(owner, "applies %d records from %lld", count, (long long)records[0].offset);
    for (int k = 0; k < count; k++) {
        int64_t offset = records[k].offset;
        enum fate fate = offset < next ? FATE_REPLAYED : world->log[offset].fate;
        if (verdicts[k].fate != fate)
            world_violation(owner, "the fate of %lld is %s, not %s", (long long)offset,
                            fate_rows[verdicts[k].fate].name, fate_rows[fate].name);
        if (fate != FATE_REPLAYED && world->log[offset].is_late)
            owner_reject(world, owner, offset);
    }
}

bool owner_read(struct world *world, struct owner *owner)
{
    struct record records[READ_MAX];
    if (owner->state != OWNER_OWNS || owner->revoke != REVOKE_NONE ||
        owner->reject_count >= REJECTS_MAX)
        return false;
    int count = next_records(world, owner, records, 1 + (int)world_below(world, READ_MAX));
    if (count > 0) {
        owner->end_seen = false;
        apply(world, owner, records, count);
        return true;
    }
    if (owner->end_seen && owner->shard->next_offset == world->log_end) {
        int64_t again = world_below(world, WORLD_LOG);
        if (again >= world->log_end || !world->log[again].is_record)
            return false;
        records[0] = (struct record){again, world->log[again].record_ms, FATE_NONE,
                                     world->log[again].slots};
        apply(world, owner, records, 1); /* it is told once more */
        return true;
    }
    shard_end_of_log(owner->shard, world->log_end);
    owner->end_seen = true;
    NOTE(owner, "is at the end of the log, %lld", (long long)world->log_end);
    return true;
}

/* ---- the lease ---- */

static void scan(struct owner *owner)
{
    struct lease *lease = &owner->shard->lease;
    owner->sweep_runs = owner->sweeping = true;
    owner->sweep_failed = false;
    owner->sweep_generation = owner->generation;
    lease_step_sent(lease, LEASE_SWEEP);
    owner_send(owner, REQUEST_SCAN);
}

static void acquire(struct world *world, struct owner *owner)
{
    struct lease *lease = &owner->shard->lease;
    char token[LEASE_TOKEN_BYTES + 1];
    token_text(token, ++world->tokens);
    lease_acquiring(lease, token);
    owner->generation = ++owner->generations;
    owner->lease_busy = true;
    struct simrequest *request = &owner_send(owner, REQUEST_ACQUIRE)->request;
    request->previous = token_number(lease->previous);
    request->previous_seq = lease->acknowledged;
    NOTE(owner, "asks for token %llu (had %llu, %lld batches)", (unsigned long long)request->token,
         (unsigned long long)request->previous, (long long)request->previous_seq);
}

/* Whether rows and the steps of the lease may go out. */
static bool writes(const struct owner *owner)
{
    return owner->state == OWNER_OWNS && owner->revoke <= REVOKE_ROWS && !owner->revoke_lost;
}

bool owner_lease(struct world *world, struct owner *owner)
{
    if (!writes(owner) || owner->lease_busy || !owner_may_send(owner))
        return false;
    struct lease *lease = &owner->shard->lease;
    enum lease_step step = lease_next(lease, shard_synced(owner->shard));
    switch (step) {
    case LEASE_WAIT:
        return false;
    case LEASE_PROVE:
        return owner_prove(world, owner);
    case LEASE_ACQUIRE:
        acquire(world, owner);
        return true;
    case LEASE_SWEEP:
        if (owner->sweep_runs)
            return false;
        scan(owner);
        NOTE(owner, "sends SCAN");
        return true;
    default:
        lease_step_sent(lease, step);
        owner->lease_busy = true;
        owner_send(owner, step == LEASE_MARK ? REQUEST_MARK : REQUEST_DONE);
        NOTE(owner, "sends %s", step == LEASE_MARK ? "MARK" : "DONE");
        return true;
    }
}

bool owner_resync(struct owner *owner)
{
    if (owner->state != OWNER_OWNS || owner->shard->lease.state != LEASE_HELD)
        return false;
    lease_want_resync(&owner->shard->lease);
    shard_resync(owner->shard);
    return true;
}

/* ---- rows ---- */

/* What present.c says: nothing while the partition is not idle or clocks do not agree. */
static int64_t present(const struct world *world, const struct owner *owner)
{
    int64_t ahead = owner->redis_ahead_ms;
    bool agree = owner->redis_clock_known && ahead <= SKEW_MAX_MS && ahead >= -SKEW_MAX_MS;
    if (!world->idle_clock || !owner->end_seen || !agree)
        return INT64_MIN;
    int64_t wall = owner_wall_ms(world, owner);
    return ahead < 0 ? wall + ahead : wall;
}

static void check_row(const struct world *world, const struct owner *owner, int key,
                      const struct row *row)
{
    int64_t offset = owner->shard->next_offset;
    const struct simtruth *truth = &world->truth[offset];
    struct simvalues is = simtruth_row_values(row);
    struct simvalues wanted = simtruth_values(truth, &world->rules, key, row->as_of.ms);
    if (!simvalues_same(&is, &wanted))
        world_violation(owner,
                        "row %s at offset %lld has clicks %lld session %lld of %lld events, "
                        "not clicks %lld session %lld of %lld events",
                        simtruth_keys[key], (long long)offset, (long long)is.clicks,
                        (long long)is.session, (long long)is.events, (long long)wanted.clicks,
                        (long long)wanted.session, (long long)wanted.events);
    if (row->offset != truth->keys[key].offset)
        world_violation(owner, "_o of row %s is %lld, not %lld", simtruth_keys[key],
                        (long long)row->offset, (long long)truth->keys[key].offset);
    if (row->removed && truth->keys[key].alive)
        world_violation(owner, "the living key %s is removed", simtruth_keys[key]);
}

static void take_row(struct world *world, struct owner *owner, struct simrequest *request,
                     const struct row *row)
{
    int key = row->key[0] - 'a';
    check_row(world, owner, key, row);
    request->writes[request->count++] = (struct simwrite){
        .key = key,
        .removed = row->removed,
        .whole = row->whole,
        .delta = !row->whole && !row->removed && world_chance(world, 60),
        .expire = row->expire,
        .row = {true, row->as_of.ms, row->offset, INT64_MAX, simtruth_row_values(row)},
    };
}

static int free_flight(const struct owner *owner)
{
    for (int k = 0; k < OWNER_FLIGHTS; k++)
        if (!owner->flying[k])
            return k;
    return -1;
}

bool owner_flies(const struct owner *owner)
{
    for (int k = 0; k < OWNER_FLIGHTS; k++)
        if (owner->flying[k])
            return true;
    return false;
}

static void send_batch(struct world *world, struct owner *owner, int flight)
{
    struct shard_batch *batch = &owner->flights[flight];
    struct simcommand *command = owner_send(owner, REQUEST_FLUSH);
    struct simrequest *request = &command->request;
    owner->flying[flight] = true;
    command->flight = flight;
    shard_batch_begin(owner->shard, batch);
    request->expected_seq = lease_batch_sent(&owner->shard->lease);
    request->hw = batch->last_offset;
    request->as_of = batch->as_of.ms;
    int64_t bound = 1 + world_below(world, TRUTH_KEYS);
    struct row row;
    arena_reset(&world->arena);
    while (request->count < bound &&
           shard_batch_next(owner->shard, batch, &world->arena, owner_now_s(world, owner),
                            (uint32_t)(world->ttl_ms / 1000), &row))
        take_row(world, owner, request, &row);
    NOTE(owner, "sends %d rows as batch %lld, hw %lld, as_of %+lld", request->count,
         (long long)request->expected_seq + 1, (long long)request->hw,
         (long long)(request->as_of == INT64_MIN ? 0 : request->as_of - world->start));
}

bool owner_flush(struct world *world, struct owner *owner, bool probe)
{
    if (!writes(owner) || !owner_may_send(owner))
        return false;
    struct shard *shard = owner->shard;
    int flight = free_flight(owner);
    if (flight < 0 || !lease_may_write(&shard->lease, shard->next_offset) ||
        lease_awaits_replies(&shard->lease))
        return false;
    shard_advance(shard, present(world, owner));
    if (!shard_has_rows(shard) &&
        (!probe || owner_flies(owner) || !lease_may_write(&shard->lease, shard->next_offset)))
        return false;
    send_batch(world, owner, flight);
    return true;
}

bool owner_refresh(struct world *world, struct owner *owner)
{
    if (world->ttl_ms == 0 || owner->state != OWNER_OWNS)
        return false;
    shard_refresh_ttl(owner->shard, owner_now_s(world, owner), (uint32_t)(world->ttl_ms / 1000),
                      TRUTH_KEYS + 1);
    return true;
}
