/* A shard's world: how it begins, and a step of it. */
#include "simworld.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>


enum { MACHINES_APART_S = 1000 };
#define WORLD_START_MS INT64_C(1700000000000)

static struct feature_set *features[TRUTH_SETS]; /* of all schedules */

/* ---- begin and end ---- */

static int64_t one_of(struct world *world, const int64_t *choices, uint32_t count)
{
    return choices[world_below(world, count)];
}

static void draw_rules(struct world *world)
{
    world->rules = (struct rules){
        .key_slot = 0,
        .time_slot = 1,
        .session_slot = -1,
        .id_slot = -1,
        .set = features[world_below(world, TRUTH_SETS)],
        .out_of_orderness.ms = one_of(world, (int64_t[]){0, 1000, 2500}, 3),
        .max_future_skew.ms = 2000,
        .gap.ms = one_of(world, (int64_t[]){1500, 4000, 60000}, 3),
        .lateness.ms = one_of(world, (int64_t[]){0, 3000}, 2),
        .cut_at_ms = -1,
        .cut_every.ms = 86400000,
        .keep.ms = one_of(world, (int64_t[]){0, 5000}, 2),
        .dedup_window.ms = 1,
        .dedup_max = 1,
        .max_keys = 1000,
        .delete_forgotten = world_chance(world, 75),
    };
    world->rules.window_lateness.ms = world->rules.gap.ms + world->rules.lateness.ms +
                                      one_of(world, (int64_t[]){0, 3000}, 2);
    world->ttl_ms = world_chance(world, 30) ? 60000 : 0;
    world->idle_clock = world_chance(world, 50);
    world->shared_disk = world_chance(world, 40);
    world->log_most = world_chance(world, 50) ? WORLD_LOG : 1 + world_below(world, WORLD_LOG / 2);
}

static void open_owner(struct world *world, int number)
{
    struct owner *owner = &world->owners[number];
    owner->number = number;
    owner->state = OWNER_DOWN;
    owner->frozen = false;
    owner->shard = owner->kept = NULL;
    owner->command_head = owner->command_count = owner->executed_count = 0;
    memset(owner->flying, 0, sizeof owner->flying);
    owner->reject_count = 0;
    owner->orphans = 0;
    owner->lease_busy = owner->sweep_runs = owner->sweeping = false;
    owner->redis_clock_known = false;
    owner->acknowledged = owner->generations = 0;
    owner->save = SAVE_NONE;
    owner->revoke = REVOKE_NONE;
    owner->revoke_lost = owner->save_wanted = false;
    owner->skew_ms = 0;
    owner->base_s = (uint32_t)(number + 1) * MACHINES_APART_S;
}

void world_open(struct world *world, uint64_t seed)
{
    for (int k = 0; k < TRUTH_SETS; k++)
        if (!features[k])
            features[k] = corekit_features(simtruth_features[k]);
    world->random = seed * 0x2545f4914f6cdd1du + 1;
    draw_rules(world);
    world->start = WORLD_START_MS + world_below(world, 100000);
    world->now = world->start;
    world->tokens = world->chains = 0;
    world->log_end = 0;
    simtruth_init(&world->truth[0]);
    world->assigned = (int)world_below(world, WORLD_OWNERS);
    world->next = -1;
    world->group_generation = 1;
    world->committed = world->durable = -1;
    simredis_init(&world->redis, world->ttl_ms);
    world->stray_count = 0;
    world->stalled = false;
    for (int k = 0; k < WORLD_OWNERS; k++) {
        simdisk_init(&world->disks[k]);
        open_owner(world, k);
    }
    world->steps = world->faults = world->incarnations = 0;
    world->healed = false;
    if (world_chance(world, 60))
        world_warm(world);
}

void world_close(struct world *world)
{
    for (int k = 0; k < WORLD_OWNERS; k++) {
        struct owner *owner = &world->owners[k];
        shard_close(owner->shard);
        shard_close(owner->kept);
        owner->shard = owner->kept = NULL;
    }
}

void world_free(struct world *world)
{
    for (int k = 0; k < WORLD_OWNERS; k++)
        simdisk_free(&world->disks[k]);
    arena_free(&world->arena);
    for (int k = 0; k < TRUTH_SETS; k++)
        feature_set_free(features[k]);
}

/* ---- a step ---- */

static const struct {
    bool (*make)(struct world *world, struct owner *owner);
    const char *words;
} moves[MOVE_COUNT] = {
#define MOVE(name, weight, words) {world_##name, words},
    WORLD_MOVES(MOVE) WORLD_FAULTS(MOVE)
#undef MOVE
};

bool world_step(struct world *world, const struct world_move *move)
{
    struct owner *owner = &world->owners[move->owner];
    bool fault = move->kind >= MOVE_FIRST_FAULT;
    /* Requests of a stopped process arrive all the same. */
    if (owner->frozen && !fault && move->kind != MOVE_execute && move->kind != MOVE_produce &&
        move->kind != MOVE_time && move->kind != MOVE_stray && move->kind != MOVE_replicate)
        return false;
    world->random = move->chance;
    if (fault)
        NOTE(owner, "FAULT: %s", moves[move->kind].words);
    if (!moves[move->kind].make(world, owner))
        return false;
    world->steps++;
    world->faults += fault;
    return true;
}

/* ---- telling ---- */

bool world_tells;

void world_note(const struct owner *owner, const char *format, ...)
{
    va_list arguments;
    if (owner)
        printf("  owner %d ", owner->number);
    else
        printf("  ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}
