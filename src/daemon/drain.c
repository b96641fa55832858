/* An orderly end: stop consuming, write rows, save state, commit, leave the group. */
#include "engine.h"
#include "log.h"

void engine_drain(struct engine *engine, void (*drained)(void *context, bool clean), void *context)
{
    if (engine->drain != DRAIN_NONE)
        return;
    engine->drain = DRAIN_WRITING;
    engine->state = ENGINE_DRAINING;
    engine->drained = drained;
    engine->drained_context = context;
    engine->drain_deadline =
        mono_time_add(engine_now(engine), engine->config->control_drain_timeout);
    for (int k = 0; k < engine->partition_count; k++)
        partition_pause(engine->partitions[k], PAUSE_OPERATOR, true);
    log_info("drain_begins", "partitions=%d", engine->partition_count);
}

static void on_drain_committed(void *data, bool ok, const char *text)
{
    struct engine *engine = data;
    (void)text;
    if (engine->drain != DRAIN_COMMITTING)
        return; /* it came too late */
    engine->drain_clean &= ok;
    engine->drain = DRAIN_LEAVING;
}

static void on_left(void *data)
{
    struct engine *engine = data;
    engine->kafka = NULL;
    engine->drain = DRAIN_DONE;
    engine->state = ENGINE_STOPPED;
    log_info("drain_ended", "clean=%s rows_written=%llu", engine->drain_clean ? "yes" : "no",
             (unsigned long long)engine->totals.rows_written);
    void (*drained)(void *context, bool clean) = engine->drained;
    engine->drained = NULL;
    if (drained)
        drained(engine->drained_context, engine->drain_clean);
}

static bool rejects_stored(const struct engine *engine)
{
    for (int k = 0; k < engine->partition_count; k++)
        if (engine->partitions[k]->rejects.count > 0)
            return false;
    return true;
}

/* Rows first, so that the checkpoint knows them written. But Redis may be away: then state is saved
 * all the same, while there is time. */
static void write_rows(struct engine *engine, bool clean)
{
    int64_t left = mono_time_diff(engine->drain_deadline, engine_now(engine)).ms;
    if (!clean && left > engine->config->control_drain_timeout.ms / 2)
        return;
    engine->drain = DRAIN_SAVING;
    checkpointer_want(engine);
}

static void save_state(struct engine *engine, bool clean)
{
    bool over = mono_time_diff(engine_now(engine), engine->drain_deadline).ms >= 0;
    bool saved = checkpointer_settled(engine);
    if (!(clean && saved) && !over)
        return;
    checkpointer_abort(engine, NULL);
    engine->drain_clean = clean && saved && !engine->checkpointer.error[0];
    engine->drain = DRAIN_COMMITTING;
    engine_commit(engine, on_drain_committed, engine);
}

void drain_run(struct engine *engine)
{
    bool clean = engine_clean(engine) && rejects_stored(engine);
    if (engine->drain == DRAIN_WRITING)
        write_rows(engine, clean);
    if (engine->drain == DRAIN_SAVING)
        save_state(engine, clean);
    /* Nobody may answer the commit; it is advisory, and late records are sent again. */
    struct mono_time last =
        mono_time_add(engine->drain_deadline, (struct duration){ENGINE_REVOKE_MS});
    if (engine->drain == DRAIN_COMMITTING && mono_time_diff(engine_now(engine), last).ms >= 0) {
        engine->drain_clean = false;
        engine->drain = DRAIN_LEAVING;
    }
    if (engine->drain == DRAIN_LEAVING && !engine->leaving) {
        engine->leaving = true;
        engine_release_messages(engine);
        takeover_void(engine);
        kafka_close(engine->kafka, ENGINE_REVOKE_MS, on_left, engine);
    }
}
