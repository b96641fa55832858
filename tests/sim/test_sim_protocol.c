/* The protocol of a shard under every fault: owners that die, sleep and come back, Redis and disks
 * that lose what they had, late records, TTLs, jumping clocks (simworld.h).
 *
 * A schedule is a seed. What is asserted, all the time: no reader sees a row go back unless Redis
 * has lost it; nobody writes after being fenced; each row is that of the log up to its offset, by a
 * model of its own; commits pass neither a checkpoint nor a late record that is not stored; a
 * damaged checkpoint is never taken. And at rest: Redis is the model of the whole log, and each
 * late record was stored. A schedule that fails is shrunk: moves are left out as long as it fails.
 *
 * FRESHET_SIM_SEEDS is the number of schedules (0: as many as fit into a few seconds),
 * FRESHET_SIM_SEED the first one, or the one to run alone when there is no number.
 * FRESHET_SIM_LONG=1 is the long run of 10,000,000. How much happens in a schedule is printed, and
 * must be enough. */
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "simworld.h"

enum {
    MOVES_LEAST = 60,
    MOVES_MORE = 60,
    TRIES = 4096, /* moves drawn for a schedule, most of which are not possible */
    DEFAULT_SECONDS = 5,
    LONG_SCHEDULES = 10000000,
    HISTOGRAM = 512,
    JUDGED = 1000, /* schedules: the medians of so many must be ... */
    STEPS_LEAST = 50,
    FAULTS_LEAST = 3,
    OWNERS_LEAST = 2,
    WHEEL = 1200,
    KEPT_BYTES = 1 << 28,
    FAULT_KINDS_MAX = 6,
};

static struct world world;
static struct world_move made[TRIES];
static int made_count;
static sigjmp_buf violated;
static char what[512];

/* ---- one schedule ---- */

_Noreturn void world_violation(const struct owner *owner, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = owner ? snprintf(what, sizeof what, "owner %d: ", owner->number) : 0;
    vsnprintf(what + len, sizeof what - (size_t)len, format, arguments);
    va_end(arguments);
    siglongjmp(violated, 1);
}

static void on_abort(int signal)
{
    (void)signal;
    snprintf(what, sizeof what, "an assertion of the core failed");
    siglongjmp(violated, 1);
}

static const int weights[MOVE_COUNT] = {
#define MOVE(name, weight, words) weight,
    WORLD_MOVES(MOVE) WORLD_FAULTS(MOVE)
#undef MOVE
};

/* Moves by weight, and the faults of this schedule: few kinds, so that the same ones meet often. */
static struct {
    uint8_t kinds[WHEEL];
    uint32_t count, faults_from, fault_percent;
    uint8_t faults[FAULT_KINDS_MAX];
    uint32_t fault_kinds;
} wheel;

static void add_kind(int kind)
{
    for (int k = 0; k < weights[kind] && wheel.count < WHEEL; k++)
        wheel.kinds[wheel.count++] = (uint8_t)kind;
}

static void make_wheel(void)
{
    for (int kind = 0; kind < MOVE_FIRST_FAULT; kind++)
        add_kind(kind);
    wheel.faults_from = wheel.count;
    for (int kind = MOVE_FIRST_FAULT; kind < MOVE_COUNT; kind++)
        add_kind(kind);
}

static uint32_t below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)((chance_draw(state) >> 32) * bound >> 32);
}

static void draw_faults(uint64_t *state)
{
    wheel.fault_percent = 2 + below(state, 14);
    wheel.fault_kinds = 1 + below(state, FAULT_KINDS_MAX);
    for (uint32_t k = 0; k < wheel.fault_kinds; k++)
        wheel.faults[k] =
            wheel.kinds[wheel.faults_from + below(state, wheel.count - wheel.faults_from)];
}

static struct world_move draw_move(uint64_t *state)
{
    uint64_t drawn = chance_draw(state);
    uint32_t at = (uint32_t)(drawn >> 32 & 0xffff);
    /* Mostly the one that is to own the shard: others have little to do. */
    uint64_t owner = drawn >> 60 < 10 ? (uint64_t)world.assigned
                                      : (drawn >> 52 & 0xff) % WORLD_OWNERS;
    bool fault = (drawn >> 48 & 0xff) * 100 >> 8 < wheel.fault_percent;
    return (struct world_move){
        .kind = fault ? wheel.faults[at * wheel.fault_kinds >> 16]
                      : wheel.kinds[at * wheel.faults_from >> 16],
        .owner = (uint8_t)owner,
        .chance = (uint32_t)drawn,
    };
}

static void run_drawn(uint64_t seed)
{
    world_open(&world, seed);
    uint64_t state = seed ^ 0x6a09e667f3bcc909u;
    unsigned wanted = world.steps + MOVES_LEAST + below(&state, MOVES_MORE);
    draw_faults(&state);
    made_count = 0;
    for (int k = 0; k < TRIES && world.steps < wanted; k++) {
        struct world_move *move = &made[made_count++];
        *move = draw_move(&state);
        if (!world_step(&world, move))
            made_count--;
    }
    world_settle(&world);
    world_close(&world);
}

static void run_made(uint64_t seed, const struct world_move *moves, int count)
{
    world_open(&world, seed);
    for (int k = 0; k < count; k++)
        world_step(&world, &moves[k]);
    world_settle(&world);
    world_close(&world);
}

/* ---- a schedule that fails ---- */

__attribute__((noinline)) static bool holds(uint64_t seed, const struct world_move *moves,
                                            int count)
{
    if (sigsetjmp(violated, 1) != 0)
        return false;
    run_made(seed, moves, count);
    return true;
}

/* In a process of its own: a violation may leave anything behind. */
static bool fails(uint64_t seed, const struct world_move *moves, int count)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        _exit(!holds(seed, moves, count));
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && status != 0;
}

/* Leaves out ever smaller pieces. */
static int shrink(uint64_t seed, struct world_move *moves, int count)
{
    static struct world_move fewer[TRIES];
    for (int piece = count / 2; piece > 0; piece = piece > 1 ? (piece + 1) / 2 : 0) {
        for (int at = 0; at < count;) {
            int end = at + piece < count ? at + piece : count;
            memcpy(fewer, moves, (size_t)at * sizeof *moves);
            memcpy(fewer + at, moves + end, (size_t)(count - end) * sizeof *moves);
            int left = count - (end - at);
            if (fails(seed, fewer, left)) {
                memcpy(moves, fewer, (size_t)left * sizeof *moves);
                count = left;
            } else {
                at = end;
            }
        }
        if (piece == 1)
            break;
    }
    return count;
}

static _Noreturn void report(uint64_t seed)
{
    static struct world_move moves[TRIES];
    int count = made_count;
    printf("seed %llu shard 0: violation: %s\n", (unsigned long long)seed, what);
    memcpy(moves, made, (size_t)count * sizeof *moves);
    if (!fails(seed, moves, count))
        printf("(the same moves do not fail again)\n");
    int left = shrink(seed, moves, count);
    printf("shrunk from %d to %d moves:\n", count, left);
    world_tells = true;
    if (!holds(seed, moves, left))
        printf("  violation: %s\n", what);
    printf("FRESHET_SIM_SEED=%llu runs it again\n", (unsigned long long)seed);
    fflush(stdout);
    _exit(1);
}

/* ---- many ---- */

static struct histogram_of {
    const char *name;
    uint64_t counts[HISTOGRAM];
} steps = {.name = "steps"}, faults = {.name = "faults"}, owners = {.name = "owners"};

static void count(struct histogram_of *histogram, unsigned value)
{
    histogram->counts[value < HISTOGRAM ? value : HISTOGRAM - 1]++;
}

/* Returns the median. */
static unsigned print(const struct histogram_of *histogram, uint64_t total, unsigned width)
{
    uint64_t below = 0;
    unsigned median = 0;
    printf("%s:", histogram->name);
    for (unsigned from = 0; from < HISTOGRAM; from += width) {
        uint64_t in = 0;
        for (unsigned k = from; k < from + width && k < HISTOGRAM; k++) {
            in += histogram->counts[k];
            if (below * 2 < total)
                median = k;
            below += histogram->counts[k];
        }
        if (in > 0)
            printf(" %u%s %.1f%%", from, width > 1 ? "+" : "", 100.0 * (double)in / (double)total);
    }
    printf("; median %u\n", median);
    return median;
}

static int64_t environment(const char *name)
{
    const char *text = getenv(name);
    return text ? atoll(text) : 0;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(void)
{
    uint64_t first = (uint64_t)environment("FRESHET_SIM_SEED");
    uint64_t wanted = (uint64_t)environment("FRESHET_SIM_SEEDS");
    if (environment("FRESHET_SIM_LONG") > 0)
        wanted = LONG_SCHEDULES;
    bool alone = first > 0 && wanted == 0;
    if (alone)
        wanted = 1;
    first = first ? first : 1;
    /* Shards come and go: their memory stays with us. */
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    make_wheel();
    signal(SIGABRT, on_abort);
    double began = seconds(CLOCK_MONOTONIC), used = seconds(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t run = 0, total = 0;
    while (wanted > 0 ? run < wanted
                      : (run & 255) || seconds(CLOCK_MONOTONIC) - began < DEFAULT_SECONDS) {
        if (sigsetjmp(violated, 1) != 0)
            report(first + run);
        world_tells = alone;
        run_drawn(first + run);
        run++;
        total += world.steps;
        count(&steps, world.steps);
        count(&faults, world.faults);
        count(&owners, world.incarnations);
    }
    double took = seconds(CLOCK_PROCESS_CPUTIME_ID) - used;
    printf("%llu schedules, %llu steps; a second of CPU: %.0f schedules, %.2f million steps\n",
           (unsigned long long)run, (unsigned long long)total, (double)run / took,
           (double)total / took / 1e6);
    bool enough = print(&steps, run, 20) >= STEPS_LEAST;
    enough &= print(&faults, run, 5) >= FAULTS_LEAST;
    enough &= print(&owners, run, 1) >= OWNERS_LEAST;
    world_free(&world);
    if (run >= JUDGED && !enough)
        printf("too little happens in a schedule\n");
    return run >= JUDGED && !enough;
}
