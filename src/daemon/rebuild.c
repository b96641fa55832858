/* REBUILD: an empty shard begins where that is as good as the whole log (design: semantics, 9).
 *
 *   1  The first offset with a record time >= T is looked up, T = now - reach - max_future_skew -
 *      slack. When there is none the newest record is older: T goes further back, twice as far each
 *      time, until there is one or the log begins.
 *   2  The shard starts there, empty. Nothing is written before both the log's end as it was then,
 *      and what Redis has seen, are passed.
 *   3  Let A be the event time that was reached. Every record before the start is of an event
 *      before T + max_future_skew (T2). So when that is not within reach of A, nothing is missing:
 *      the start is proven. Else the feed is behind the clock: T = A - reach - max_future_skew, and
 *      again from 1. A only grows, so that one is proven when it comes here.
 * as_of is set anew (W5): as ever it begins with the highest that Redis has seen, so that no row
 * goes back, but not beyond max_future_skew ahead of Redis' clock. No right clock has stated such a
 * row, and until that time came all windows would be empty.
 * The log's beginning is as good as the log. Where keys were turned away (state.max_keys) nothing
 * is proven: which ones they are depends on all of history. */
#include "engine.h"
#include "log.h"
#include "text.h"

enum { SLACK_MS = 300000 }; /* a feed that is less behind the clock needs one reading only */

/* How far before an event another one, or its record, may lie that matters to it. */
static int64_t needed_ms(const struct engine *engine)
{
    return clock_add_ms(config_reach_ms(engine->config, engine->model->set),
                        engine->config->time_max_future_skew.ms);
}

int64_t rebuild_from_ms(const struct engine *engine)
{
    return clock_sub_ms(present_wall_ms() - SLACK_MS, needed_ms(engine));
}

void rebuild_want(struct partition *partition, int64_t from_ms)
{
    partition->engine->totals.rebuilds++;
    partition->rebuild = (struct rebuild){
        .state = REBUILD_DUE,
        .from_ms = from_ms,
        .offset = -1,
        .step_ms = clock_add_ms(needed_ms(partition->engine), SLACK_MS),
    };
}

static void say(const struct partition *partition, const char *what)
{
    const struct rebuild *self = &partition->rebuild;
    struct text from = {0};
    text_append_event_time(&from, self->from_ms);
    log_info(what, "partition=%d offset=%lld from=%s end=%lld proven=%s", partition->id,
             (long long)self->offset, from.data, (long long)partition->extent.end,
             self->state == REBUILD_PROVEN ? "yes" : "no");
    text_free(&from);
}

static void go_further_back(struct partition *partition, int64_t from_ms, const char *why)
{
    struct rebuild *self = &partition->rebuild;
    self->state = REBUILD_DUE;
    self->from_ms = from_ms;
    log_info("rebuild_further_back", "partition=%d reason=%Q", partition->id, why);
}

static void step_back(struct partition *partition, const char *why)
{
    struct rebuild *self = &partition->rebuild;
    int64_t step_ms = self->step_ms;
    self->step_ms = clock_add_ms(step_ms, step_ms);
    go_further_back(partition, clock_sub_ms(self->from_ms, step_ms), why);
}

bool rebuild_place(struct partition *partition, const struct kafka_extent *extent)
{
    struct rebuild *self = &partition->rebuild;
    bool whole = self->from_ms <= 0 || extent->low == extent->end || extent->at_time == extent->low;
    if (!whole && extent->at_time < 0) {
        step_back(partition, "no record is as new as that");
        return false;
    }
    self->state = REBUILD_READING;
    self->offset = whole ? extent->low : extent->at_time;
    if (whole)
        self->from_ms = INT64_MIN;
    partition->extent = *extent;
    say(partition, "rebuild_begins");
    return true;
}

static void judge(struct partition *partition, const struct shard_status *status)
{
    struct rebuild *self = &partition->rebuild;
    bool whole = self->from_ms == INT64_MIN;
    if (!whole && status->raw.ms == INT64_MIN) {
        step_back(partition, "no event is as new as that");
        return;
    }
    int64_t from_ms = clock_sub_ms(status->raw.ms, needed_ms(partition->engine));
    if (!whole && from_ms < self->from_ms) {
        go_further_back(partition, from_ms, "the feed is behind the clock");
        return;
    }
    bool proven = whole || status->fates[FATE_OVER_CAPACITY] == 0;
    self->state = proven ? REBUILD_PROVEN : REBUILD_UNPROVEN;
    if (!proven)
        shard_distrust(partition->shard);
    /* Else a restart could go on from the state that was forgotten. */
    partition->checkpoint_wanted = partition->engine->checkpointer.store;
    say(partition, "rebuild_ended");
}

void rebuild_run(struct partition *partition)
{
    struct rebuild *self = &partition->rebuild;
    struct lease *lease = shard_lease(partition->shard);
    partition_pause(partition, PAUSE_REBUILD, self->state == REBUILD_DUE);
    if (self->state == REBUILD_READING && lease->state == LEASE_HELD) {
        struct shard_status status;
        shard_status(partition->shard, &status);
        int64_t last = partition->extent.end - 1;
        lease->hold = lease->hold > last ? lease->hold : last;
        if (status.next_offset > lease->hold)
            judge(partition, &status);
    }
    if (self->state == REBUILD_DUE)
        lease->hold = INT64_MAX; /* what the shard has is not to be seen any more */
}

bool rebuild_pending(const struct partition *partition)
{
    return partition->rebuild.state == REBUILD_DUE || partition->rebuild.state == REBUILD_READING;
}

void rebuild_append(const struct partition *partition, struct text *out)
{
    static const char *const states[] = {
        [REBUILD_NONE] = "was not rebuilt",
        [REBUILD_DUE] = "its start is being looked up",
        [REBUILD_READING] = "not proven yet, nothing is written",
        [REBUILD_PROVEN] = "proven",
        [REBUILD_UNPROVEN] = "not proven: keys were turned away (state.max_keys)",
    };
    const struct rebuild *self = &partition->rebuild;
    text_printf(out, "partition %d", partition->id);
    if (self->state > REBUILD_DUE) {
        text_printf(out, " from offset %lld", (long long)self->offset);
        text_append_string(out, self->from_ms == INT64_MIN ? ", the log's beginning"
                                                           : ", record time ");
        if (self->from_ms != INT64_MIN)
            text_append_event_time(out, self->from_ms);
    }
    text_printf(out, ": %s", states[self->state]);
}
