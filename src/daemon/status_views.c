/* Screens and listings for operators. */
#include <string.h>

#include "dump.h"
#include "status.h"
#include "table.h"

static const char *state_text(const struct engine *engine)
{
    static const char *const names[] = {"starting", "running", "draining", "stopped"};
    if (engine->state == ENGINE_RUNNING && engine->paused)
        return "paused";
    if (engine->state == ENGINE_RUNNING && !engine->assigned)
        return engine->revoking ? "rebalancing" : "waiting for partitions";
    return names[engine->state];
}

/* How far a replay is, with the time it will take at the present rate. */
static void append_progress(const struct engine *engine, struct text *out)
{
    int64_t lag = status_lag(engine);
    if (lag < 0) {
        text_append_string(out, "lag unknown");
        return;
    }
    text_printf(out, "lag %lld", (long long)lag);
    if ((double)lag > engine->records_per_s && engine->records_per_s >= 1) {
        text_append_string(out, ", caught up in ");
        text_append_duration(out, (int64_t)((double)lag / engine->records_per_s) * 1000);
    }
}

void status_line(const struct engine *engine, struct text *out)
{
    text_printf(out, "%s, %d partitions, ", state_text(engine), engine->partition_count);
    append_progress(engine, out);
    text_printf(out, ", %.0f records/s", engine->records_per_s);
}

static void screen_alarm(void *context, const char *name, const char *sentence)
{
    text_printf(context, "ALARM      %s: %s\n", name, sentence);
}

static void screen_stream(const struct engine *engine, const struct shard_status *total,
                          struct text *out)
{
    text_printf(out, "topic      %s, group %s, %d of %d partitions", engine->config->kafka_topic,
                engine->config->kafka_group_id, engine->partition_count,
                engine->topic.partition_count);
    if (engine->topic.timestamp_type[0])
        text_printf(out, ", record time %s", engine->topic.timestamp_type);
    text_printf(out, "\nstream     %llu records consumed, %.0f/s, ",
                (unsigned long long)(engine->totals.consumed - engine->totals.dropped),
                engine->records_per_s);
    append_progress(engine, out);
    text_printf(out, "%s\n", total->held ? "; replaying, rows are held" : "");
    struct event_time watermark = status_watermark(engine);
    text_append_string(out, "watermark  ");
    text_append_event_time(out, watermark.ms);
    if (watermark.ms != INT64_MIN) {
        text_append_string(out, ", ");
        text_append_duration(out, (present_wall_ms() - watermark.ms) / 1000 * 1000);
        text_append_string(out, " behind the clock");
    }
    text_printf(out,
                "\nstate      %llu keys, %llu live sessions, %.1f MiB\n"
                "sessions   %llu opened, %llu closed, %llu merged, %llu corrected\n",
                (unsigned long long)total->keys, (unsigned long long)total->sessions_live,
                (double)total->state_bytes / (1 << 20),
                (unsigned long long)total->sessions_opened,
                (unsigned long long)total->sessions_closed,
                (unsigned long long)total->sessions_merged,
                (unsigned long long)total->sessions_corrected);
}

static void screen_redis(const struct engine *engine, const struct shard_status *total,
                         struct text *out)
{
    const struct redis_health *health = redis_health(engine->redis);
    struct histogram visible_ms, write_us;
    engine_recent(engine, &visible_ms, &write_us);
    text_printf(out, "redis      %s",
                health->trouble != REDIS_TROUBLE_NONE ? redis_error_trouble_name(health->trouble)
                : health->connected                   ? "takes rows"
                                                      : "connecting");
    if (health->info.version[0])
        text_printf(out, ", version %s", health->info.version);
    text_printf(out,
                ", batches p99 %lld ms\n"
                "rows       %llu written (%llu because time passed), %llu dirty, %llu in flight\n"
                "freshness  event to visible p50 %lld ms, p99 %lld ms in the last minute\n",
                (long long)histogram_quantile(&write_us, 0.99) / 1000,
                (unsigned long long)engine->totals.rows_written,
                (unsigned long long)total->decay_rows, (unsigned long long)total->dirty,
                (unsigned long long)total->inflight,
                (long long)histogram_quantile(&visible_ms, 0.5),
                (long long)histogram_quantile(&visible_ms, 0.99));
}

static void screen_checkpoints(const struct engine *engine, struct text *out)
{
    if (!engine->checkpointer.store) {
        text_append_string(out, "checkpoint none: a restart reads the log from kafka.start\n");
        return;
    }
    int64_t oldest = 0;
    int64_t behind = 0;
    for (int k = 0; k < engine->partition_count; k++) {
        const struct partition *partition = engine->partitions[k];
        struct shard_status status;
        shard_status(partition->shard, &status);
        int64_t age = status_checkpoint_age_ms(partition);
        oldest = age > oldest ? age : oldest;
        if (partition->chain.offset >= 0)
            behind += status.next_offset - partition->chain.offset;
    }
    text_append_string(out, "checkpoint oldest ");
    text_append_duration(out, oldest / 1000 * 1000);
    text_printf(out, " ago, %lld records since; %llu made, p99 %lld ms, step p99 %lld us\n",
                (long long)behind,
                (unsigned long long)(engine->totals.checkpoints_base +
                                     engine->totals.checkpoints_delta),
                (long long)histogram_quantile(&engine->checkpoint_ms, 0.99),
                (long long)histogram_quantile(&engine->checkpoint_step_us, 0.99));
}

static void screen_fates(const struct engine *engine, struct text *out)
{
    text_append_string(out, "fates     ");
    for (int k = 0; k < FATE_COUNT_OF; k++)
        if (engine->totals.fates[k] > 0)
            text_printf(out, " %s %llu", fate_rows[k].name,
                        (unsigned long long)engine->totals.fates[k]);
    text_append_char(out, '\n');
}

static void screen_work(const struct engine *engine, struct text *out)
{
    struct text work = {0};
    status_work(engine, &work);
    if (work.len > 0)
        text_printf(out, "working    %s\n", work.data);
    text_free(&work);
    for (int k = 0; k < engine->partition_count; k++) {
        const struct partition *partition = engine->partitions[k];
        struct shard_status status;
        shard_status(partition->shard, &status);
        if (partition->rebuild.state != REBUILD_NONE && !rebuild_pending(partition)) {
            text_append_string(out, "rebuilt    ");
            rebuild_append(partition, out);
            text_append_char(out, '\n');
        }
        if (status.warming)
            text_printf(out, "warming    in partition %d: %s\n", partition->id, status.warming);
    }
}

void status_screen(const struct engine *engine, struct text *out)
{
    struct shard_status total;
    status_total(engine, &total);
    text_printf(out, "freshet %s, %s, up ", FRESHET_VERSION, state_text(engine));
    text_append_duration(out, mono_time_diff(engine_now(engine), engine->started).ms / 1000 * 1000);
    struct text why = {0};
    text_printf(out, ", %s", status_ready(engine, &why) ? "ready" : "not ready: ");
    text_append(out, why.data, why.len);
    text_free(&why);
    text_append_char(out, '\n');
    status_alarms(engine, screen_alarm, out);
    screen_work(engine, out);
    screen_stream(engine, &total, out);
    screen_redis(engine, &total, out);
    screen_checkpoints(engine, out);
    screen_fates(engine, out);
}

/* ---- listings ---- */

static void append_state(const struct partition *partition, const struct shard_status *status,
                         struct text *out)
{
    static const char *const leases[] = {"no lease", "acquiring", "owner", "fenced", "dropped"};
    static const char *const pauses[] = {"operator", "schema", "dirty", "rejects",
                                         "checkpoint", "rebuild"};
    const struct lease *lease = shard_lease(partition->shard);
    text_append_string(out, leases[lease->state]);
    text_append_string(out, status->held ? ", replaying" : "");
    text_append_string(out, partition->idle ? ", idle" : "");
    text_append_string(out, partition->stall.lasts ? ", stalled" : "");
    text_append_string(out, lease->resync != LEASE_SYNCED ? ", resync" : "");
    const char *before = ", paused by ";
    for (unsigned k = 0; k < sizeof pauses / sizeof pauses[0]; k++) {
        if (!(partition->paused & 1U << k))
            continue;
        text_printf(out, "%s%s", before, pauses[k]);
        before = "+";
    }
}

static void add_time(struct table *table, struct event_time time)
{
    struct text text = {0};
    text_append_event_time(&text, time.ms);
    table_add(table, text.data);
    text_free(&text);
}

static void add_state(struct table *table, const struct partition *partition,
                      const struct shard_status *status)
{
    struct text text = {0};
    append_state(partition, status, &text);
    table_add(table, text.data);
    text_free(&text);
}

/* A number that is not known, or not of interest, is negative. */
static void add_number(struct table *table, int64_t number)
{
    if (number < 0)
        table_add(table, "-");
    else
        table_add_long(table, number);
}

static void render_flat(struct table *table, struct text *out)
{
    table->is_flat = true;
    table_render(table, TABLE_TEXT, out);
    table_free(table);
}

void status_shards(const struct engine *engine, struct text *out)
{
    static const char *const columns[] = {"partition", "offset", "end",   "lag",   "watermark",
                                          "as_of",     "keys",   "dirty", "hold",  "state"};
    struct table table = {.columns = columns, .column_count = 10, .right = 0x1cf};
    for (int k = 0; k < engine->partition_count; k++) {
        const struct partition *partition = engine->partitions[k];
        const struct lease *lease = shard_lease(partition->shard);
        struct shard_status status;
        shard_status(partition->shard, &status);
        bool is_held = lease->hold != INT64_MAX && lease->hold >= status.next_offset;
        table_add_long(&table, partition->id);
        table_add_long(&table, status.next_offset);
        add_number(&table, partition_end(partition));
        table_add_long(&table, partition_lag(partition));
        add_time(&table, status.watermark);
        add_time(&table, status.as_of);
        table_add_long(&table, (int64_t)status.keys);
        table_add_long(&table, (int64_t)status.dirty);
        add_number(&table, is_held ? lease->hold : -1);
        add_state(&table, partition, &status);
    }
    render_flat(&table, out);
}

void status_lags(const struct engine *engine, struct text *out)
{
    static const char *const columns[] = {"partition", "offset", "end", "lag", "state"};
    struct table table = {.columns = columns, .column_count = 5, .right = 0xf};
    for (int k = 0; k < engine->partition_count; k++) {
        struct shard_status status;
        shard_status(engine->partitions[k]->shard, &status);
        table_add_long(&table, engine->partitions[k]->id);
        table_add_long(&table, status.next_offset);
        add_number(&table, partition_end(engine->partitions[k]));
        table_add_long(&table, partition_lag(engine->partitions[k]));
        add_state(&table, engine->partitions[k], &status);
    }
    table_add(&table, "all");
    table_add(&table, "");
    table_add(&table, "");
    add_number(&table, status_lag(engine));
    table_add(&table, "");
    render_flat(&table, out);
}

void status_fates(const struct engine *engine, struct text *out)
{
    uint64_t sum = 0;
    for (int k = 0; k < FATE_COUNT_OF; k++) {
        text_printf(out, "%-15s %12llu  %s\n", fate_rows[k].name,
                    (unsigned long long)engine->totals.fates[k], fate_rows[k].sentence);
        sum += engine->totals.fates[k];
    }
    uint64_t consumed = engine->totals.consumed - engine->totals.dropped;
    uint64_t waiting = engine_in_flight(engine);
    text_printf(out, "consumed %llu = in flight %llu + fates %llu: %s\n",
                (unsigned long long)consumed, (unsigned long long)waiting, (unsigned long long)sum,
                consumed == waiting + sum ? "holds" : "VIOLATED");
}

void status_features(const struct engine *engine, struct text *out)
{
    const struct feature_set *set = engine->model->set;
    struct table table = {0};
    text_printf(out, "version %016llx, %d features, reach ", (unsigned long long)set->version,
                set->count);
    text_append_duration(out, config_reach_ms(engine->config, set));
    text_append_string(out, "\n");
    for (int k = 0; k < engine->partition_count; k++) {
        struct shard_status status;
        shard_status(engine->partitions[k]->shard, &status);
        if (status.warming)
            text_printf(out, "warming in partition %d: %s\n", engine->partitions[k]->id,
                        status.warming);
    }
    dump_features(set, &table);
    table_render(&table, TABLE_TEXT, out);
    table_free(&table);
}

void status_schemas(const struct engine *engine, struct text *out)
{
    static const char *const states[] = {"waiting", "ready", "unknown"};
    static const char *const columns[] = {"writer", "state", "records", "errors", "why"};
    struct table table = {.columns = columns, .column_count = 5, .right = 0xc};
    const struct registry_health *health = writers_registry_health(engine->writers);
    if (health)
        text_printf(out, "registry %s%s\n", health->reachable ? "reachable" : "NOT reachable: ",
                    health->reachable ? "" : health->error);
    for (int k = 0; k < writers_count(engine->writers); k++) {
        const struct writer *writer = writers_at(engine->writers, k);
        table_add(&table, writer->name);
        table_add(&table, states[writer->state]);
        table_add_long(&table, (int64_t)writer->records);
        table_add_long(&table, (int64_t)writer->errors);
        table_add(&table, writer->why);
    }
    if (writers_count(engine->writers) > 0)
        table_render(&table, TABLE_TEXT, out);
    else
        text_append_string(out, "no writer schema was needed yet\n");
    table_free(&table);
}
