/* What time it is, for emission only: state never asks (design: semantics, W4 and W5). */
#include <time.h>

#include "engine.h"
#include "log.h"

int64_t present_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void present_redis_clock(struct engine *engine, int64_t redis_ms)
{
    engine->redis_ahead_ms = redis_ms - present_wall_ms();
    engine->redis_clock_known = true;
}

static bool clocks_agree(const struct engine *engine)
{
    return engine->redis_clock_known && engine->redis_ahead_ms <= ENGINE_CLOCK_SKEW_MS &&
           engine->redis_ahead_ms >= -ENGINE_CLOCK_SKEW_MS;
}

int64_t present_for_emission(struct partition *partition)
{
    struct engine *engine = partition->engine;
    int64_t timeout = engine->config->time_idle_timeout.ms;
    struct duration silence = mono_time_diff(engine_now(engine), partition->last_record);
    /* Backlog is never idleness: the end of the log must have been reported since. */
    partition->idle = timeout > 0 && silence.ms >= timeout && partition->end_seen &&
                      partition->paused == 0 && partition->fifo_count == 0;
    if (!partition->idle)
        return INT64_MIN;
    if (!clocks_agree(engine)) {
        if (engine->redis_clock_known)
            log_warning("clock_skew", "redis_ahead_ms=%lld action=%Q",
                        (long long)engine->redis_ahead_ms,
                        "no idle emission until the clocks of this host and Redis agree");
        return INT64_MIN;
    }
    int64_t now = present_wall_ms();
    return engine->redis_ahead_ms < 0 ? now + engine->redis_ahead_ms : now;
}
