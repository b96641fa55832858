/* Clocks are types: event time, the machine's monotonic time and durations cannot be mixed. */
#ifndef FRESHET_CLOCK_H
#define FRESHET_CLOCK_H

#include <stdint.h>

/* Milliseconds since the epoch, as events and records state it. */
struct event_time {
    int64_t ms;
};

/* Milliseconds of the machine's monotonic clock: for time-outs only, never for state. */
struct mono_time {
    int64_t ms;
};

struct duration {
    int64_t ms;
};

/* Before every event: an empty shard's watermark. */
#define EVENT_TIME_MIN ((struct event_time){INT64_MIN})
/* After every event: a deadline that does not exist. */
#define EVENT_TIME_MAX ((struct event_time){INT64_MAX})

/* Sums saturate at the bounds of int64 (rule S14). */
static inline int64_t clock_add_ms(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

static inline int64_t clock_sub_ms(int64_t a, int64_t b)
{
    int64_t difference;
    if (!__builtin_sub_overflow(a, b, &difference))
        return difference;
    return b < 0 ? INT64_MAX : INT64_MIN;
}

static inline struct event_time event_time_add(struct event_time t, struct duration d)
{
    return (struct event_time){clock_add_ms(t.ms, d.ms)};
}

static inline struct event_time event_time_sub(struct event_time t, struct duration d)
{
    return (struct event_time){clock_sub_ms(t.ms, d.ms)};
}

static inline struct duration event_time_diff(struct event_time later, struct event_time earlier)
{
    return (struct duration){clock_sub_ms(later.ms, earlier.ms)};
}

static inline struct event_time event_time_max(struct event_time a, struct event_time b)
{
    return a.ms > b.ms ? a : b;
}

static inline struct event_time event_time_min(struct event_time a, struct event_time b)
{
    return a.ms < b.ms ? a : b;
}

static inline struct mono_time mono_time_add(struct mono_time t, struct duration d)
{
    return (struct mono_time){clock_add_ms(t.ms, d.ms)};
}

static inline struct duration mono_time_diff(struct mono_time later, struct mono_time earlier)
{
    return (struct duration){clock_sub_ms(later.ms, earlier.ms)};
}

/* Division that rounds towards minus infinity: the index of the step of length step_ms. */
static inline int64_t clock_floor_div(int64_t ms, int64_t step_ms)
{
    int64_t quotient = ms / step_ms;
    return ms % step_ms < 0 ? quotient - 1 : quotient;
}

#endif
