/* INFO: everything as name:value lines in sections, for scripts and freshetctl. */
#include <stdio.h>
#include <strings.h>

#include "status.h"

static void info_server(const struct engine *engine, struct text *out)
{
    text_printf(out, "freshet_version:%s\r\nlibrdkafka_version:%s\r\nuptime_in_seconds:%lld\r\n",
                FRESHET_VERSION, kafka_library_version(),
                (long long)mono_time_diff(engine_now(engine), engine->started).ms / 1000);
}

static void name_alarm(void *context, const char *name, const char *sentence)
{
    struct text *out = context;
    (void)sentence;
    text_printf(out, "%s%s", out->data[out->len - 1] == ':' ? "" : ",", name);
}

static void info_stream(const struct engine *engine, struct text *out)
{
    static const char *const names[] = {"starting", "running", "draining", "stopped"};
    struct shard_status total;
    status_total(engine, &total);
    struct text why = {0};
    bool ready = status_ready(engine, &why);
    struct event_time watermark = status_watermark(engine);
    text_printf(out, "state:%s\r\nready:%d\r\nnot_ready_because:%s\r\npaused:%d\r\n",
                names[engine->state], ready, why.len ? why.data : "", engine->paused);
    text_free(&why);
    text_printf(out,
                "partitions:%d\r\nconsumed:%llu\r\nin_flight:%llu\r\nrecords_per_second:%.0f\r\n"
                "lag:%lld\r\nwatermark_ms:%lld\r\nwatermark_lag_ms:%lld\r\nkeys:%llu\r\n"
                "state_bytes:%llu\r\nheld:%d\r\nsessions_live:%llu\r\nsessions_opened:%llu\r\n"
                "sessions_closed:%llu\r\nsessions_merged:%llu\r\nsessions_corrected:%llu\r\n",
                engine->partition_count,
                (unsigned long long)(engine->totals.consumed - engine->totals.dropped),
                (unsigned long long)engine_in_flight(engine), engine->records_per_s,
                (long long)status_lag(engine),
                (long long)(watermark.ms == INT64_MIN ? -1 : watermark.ms),
                (long long)(watermark.ms == INT64_MIN ? -1 : present_wall_ms() - watermark.ms),
                (unsigned long long)total.keys, (unsigned long long)total.state_bytes, total.held,
                (unsigned long long)total.sessions_live, (unsigned long long)total.sessions_opened,
                (unsigned long long)total.sessions_closed,
                (unsigned long long)total.sessions_merged,
                (unsigned long long)total.sessions_corrected);
    text_append_string(out, "working:");
    status_work(engine, out);
    text_append_string(out, "\r\nalarms:");
    status_alarms(engine, name_alarm, out);
    text_append_string(out, "\r\n");
}

static void info_redis(const struct engine *engine, struct text *out)
{
    struct shard_status total;
    status_total(engine, &total);
    const struct redis_health *health = redis_health(engine->redis);
    struct histogram visible_ms, write_us;
    engine_recent(engine, &visible_ms, &write_us);
    text_printf(out,
                "redis_state:%s\r\nredis_version:%s\r\nredis_error:%s\r\n"
                "redis_rows_written:%llu\r\nredis_batches:%llu\r\nredis_inflight_bytes:%llu\r\n"
                "dirty:%llu\r\ndirty_decay:%llu\r\n"
                "inflight_rows:%llu\r\nunsynced:%llu\r\nevent_rows:%llu\r\ndecay_rows:%llu\r\n"
                "event_to_visible_p50_ms:%lld\r\nevent_to_visible_p99_ms:%lld\r\n"
                "redis_write_p99_ms:%lld\r\n",
                health->trouble == REDIS_TROUBLE_NONE ? "ok"
                                                      : redis_error_trouble_name(health->trouble),
                health->info.version, health->error,
                (unsigned long long)engine->totals.rows_written,
                (unsigned long long)engine->totals.batches_ok,
                (unsigned long long)redis_inflight_bytes(engine->redis),
                (unsigned long long)total.dirty, (unsigned long long)total.dirty_decay,
                (unsigned long long)total.inflight, (unsigned long long)total.unsynced,
                (unsigned long long)total.event_rows, (unsigned long long)total.decay_rows,
                (long long)histogram_quantile(&visible_ms, 0.5),
                (long long)histogram_quantile(&visible_ms, 0.99),
                (long long)histogram_quantile(&write_us, 0.99) / 1000);
}

static void info_checkpoints(const struct engine *engine, struct text *out)
{
    const struct engine_totals *totals = &engine->totals;
    text_printf(out,
                "checkpoint_store:%s\r\ncheckpoints_base:%llu\r\ncheckpoints_delta:%llu\r\n"
                "checkpoints_failed:%llu\r\ncheckpoint_bytes:%llu\r\ncheckpoint_error:%s\r\n"
                "checkpoint_p99_ms:%lld\r\ncheckpoint_step_p99_us:%lld\r\n"
                "checkpoint_step_p999_us:%lld\r\ncheckpoint_step_wall_p99_us:%lld\r\n"
                "checkpoint_step_wall_p999_us:%lld\r\n",
                engine->checkpointer.store ? engine->checkpointer.store->kind->name : "none",
                (unsigned long long)totals->checkpoints_base,
                (unsigned long long)totals->checkpoints_delta,
                (unsigned long long)totals->checkpoints_failed,
                (unsigned long long)totals->checkpoint_bytes, engine->checkpointer.error,
                (long long)histogram_quantile(&engine->checkpoint_ms, 0.99),
                (long long)histogram_quantile(&engine->checkpoint_step_us, 0.99),
                (long long)histogram_quantile(&engine->checkpoint_step_us, 0.999),
                (long long)histogram_quantile(&engine->checkpoint_step_wall_us, 0.99),
                (long long)histogram_quantile(&engine->checkpoint_step_wall_us, 0.999));
}

static void info_fates(const struct engine *engine, struct text *out)
{
    for (int k = 0; k < FATE_COUNT_OF; k++)
        text_printf(out, "fate_%s:%llu\r\n", fate_rows[k].name,
                    (unsigned long long)engine->totals.fates[k]);
}

static void info_shards(const struct engine *engine, struct text *out)
{
    for (int k = 0; k < engine->partition_count; k++) {
        struct partition *partition = engine->partitions[k];
        struct shard_status status;
        shard_status(partition->shard, &status);
        text_printf(out,
                    "shard%d:partition=%d,offset=%lld,lag=%lld,watermark_ms=%lld,as_of_ms=%lld,"
                    "keys=%llu,dirty=%llu,idle=%d,paused=%u,held=%d,resync=%d,checkpoint=%lld\r\n",
                    k, partition->id, (long long)status.next_offset,
                    (long long)partition_lag(partition), (long long)status.watermark.ms,
                    (long long)status.as_of.ms, (unsigned long long)status.keys,
                    (unsigned long long)status.dirty, partition->idle, partition->paused,
                    status.held, shard_lease(partition->shard)->resync != LEASE_SYNCED,
                    (long long)partition->chain.offset);
    }
}

bool status_info(const struct engine *engine, const char *section, struct text *out)
{
    static const struct {
        const char *name;
        void (*append)(const struct engine *engine, struct text *out);
    } sections[] = {
        {"Server", info_server}, {"Stream", info_stream}, {"Redis", info_redis},
        {"Checkpoints", info_checkpoints}, {"Fates", info_fates},   {"Shards", info_shards},
    };
    static const char *const all[] = {"all", "everything", "default"}; /* as clients of Redis ask */
    for (size_t k = 0; section && k < sizeof all / sizeof all[0]; k++)
        if (strcasecmp(section, all[k]) == 0)
            section = NULL;
    size_t before = out->len;
    for (size_t k = 0; k < sizeof sections / sizeof sections[0]; k++) {
        if (section && strcasecmp(section, sections[k].name) != 0)
            continue;
        text_printf(out, "# %s\r\n", sections[k].name);
        sections[k].append(engine, out);
        text_append_string(out, "\r\n");
    }
    return out->len > before;
}
