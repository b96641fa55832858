/* Screens and listings for operators. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "hash.h"
#include "rowhash.h"
#include "status.h"

enum { TIME_TEXT = 40 };

static const char *time_text(int64_t ms, char out[TIME_TEXT])
{
    if (ms == INT64_MIN || ms == INT64_MAX)
        return "-";
    time_t second = (time_t)clock_floor_div(ms, 1000);
    struct tm parts;
    if (!gmtime_r(&second, &parts))
        return "-";
    size_t len = strftime(out, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + len, TIME_TEXT - len, ".%03dZ", (int)(ms - (int64_t)second * 1000));
    return out;
}

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
    char time[TIME_TEXT];
    text_printf(out, "topic      %s, group %s, %d of %d partitions", engine->config->kafka_topic,
                engine->config->kafka_group_id, engine->partition_count,
                engine->topic.partition_count);
    if (engine->topic.timestamp_type[0])
        text_printf(out, ", record time %s", engine->topic.timestamp_type);
    text_printf(out, "\nstream     %llu consumed, %.0f/s, ",
                (unsigned long long)(engine->totals.consumed - engine->totals.dropped),
                engine->records_per_s);
    append_progress(engine, out);
    text_printf(out, "%s\n", total->held ? "; replaying, rows are held" : "");
    struct event_time watermark = status_watermark(engine);
    text_printf(out, "watermark  %s", time_text(watermark.ms, time));
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
    text_printf(out, "redis      %s",
                health->trouble == REDIS_TROUBLE_NONE ? "takes rows"
                                                      : redis_error_trouble_name(health->trouble));
    if (health->info.version[0])
        text_printf(out, ", version %s", health->info.version);
    text_printf(out,
                ", %llu rows written (%llu by decay), %llu dirty, %llu in flight\n"
                "freshness  event to visible p50 %lld ms, p99 %lld ms; Redis batch p99 %lld ms\n",
                (unsigned long long)engine->totals.rows_written,
                (unsigned long long)total->decay_rows, (unsigned long long)total->dirty,
                (unsigned long long)total->inflight,
                (long long)histogram_quantile(&engine->event_to_visible_ms, 0.5),
                (long long)histogram_quantile(&engine->event_to_visible_ms, 0.99),
                (long long)histogram_quantile(&engine->redis_write_us, 0.99) / 1000);
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
    screen_stream(engine, &total, out);
    screen_redis(engine, &total, out);
    screen_fates(engine, out);
}

/* ---- listings ---- */

static void append_pauses(const struct partition *partition, struct text *out)
{
    static const char *const names[] = {"operator", "schema", "dirty", "rejects"};
    bool any = false;
    for (unsigned k = 0; k < sizeof names / sizeof names[0]; k++) {
        if (!(partition->paused & 1U << k))
            continue;
        text_printf(out, "%s%s", any ? "+" : "paused by ", names[k]);
        any = true;
    }
}

void status_shards(const struct engine *engine, struct text *out)
{
    text_printf(out, "%-9s %12s %12s %8s %-24s %-24s %9s %8s %s\n", "partition", "offset", "hold",
                "lag", "watermark", "as_of", "keys", "dirty", "state");
    for (int k = 0; k < engine->partition_count; k++) {
        struct partition *partition = engine->partitions[k];
        struct shard_status status;
        shard_status(partition->shard, &status);
        const struct lease *lease = shard_lease(partition->shard);
        char watermark[TIME_TEXT];
        char as_of[TIME_TEXT];
        text_printf(out, "%-9d %12lld %12lld %8lld %-24s %-24s %9llu %8llu ", partition->id,
                    (long long)status.next_offset,
                    (long long)(lease->hold == INT64_MAX ? -1 : lease->hold),
                    (long long)partition_lag(partition), time_text(status.watermark.ms, watermark),
                    time_text(status.as_of.ms, as_of), (unsigned long long)status.keys,
                    (unsigned long long)status.dirty);
        static const char *const leases[] = {"no lease", "acquiring", "owner", "fenced",
                                             "dropped"};
        text_append_string(out, leases[lease->state]);
        text_append_string(out, status.held ? ", replaying" : "");
        text_append_string(out, partition->idle ? ", idle" : "");
        text_append_string(out, lease->resync != LEASE_SYNCED ? ", resync" : "");
        text_append_string(out, partition->paused ? ", " : "");
        append_pauses(partition, out);
        text_append_char(out, '\n');
    }
}

void status_lags(const struct engine *engine, struct text *out)
{
    for (int k = 0; k < engine->partition_count; k++)
        text_printf(out, "%s/%d %lld\n", engine->config->kafka_topic, engine->partitions[k]->id,
                    (long long)partition_lag(engine->partitions[k]));
    text_printf(out, "total %lld\n", (long long)status_lag(engine));
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

static bool is_warming(const struct engine *engine, const char *name)
{
    size_t len = strlen(name);
    for (int k = 0; k < engine->partition_count; k++) {
        struct shard_status status;
        shard_status(engine->partitions[k]->shard, &status);
        for (const char *at = status.warming; at && (at = strstr(at, name)); at += len)
            if ((at == status.warming || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
                return true;
    }
    return false;
}

void status_features(const struct engine *engine, struct text *out)
{
    const struct feature_set *set = engine->model->set;
    text_printf(out, "version %016llx, %d features, reach ", (unsigned long long)set->version,
                set->count);
    text_append_duration(out, config_reach_ms(engine->config, set));
    text_append_char(out, '\n');
    for (int k = 0; k < set->count; k++) {
        const struct feature *feature = &set->features[k];
        text_printf(out, "%-24s %-20s ", feature->name, operator_rows[feature->op].name);
        if (feature->window >= 0)
            feature_window_append(out, &set->windows[feature->window]);
        else
            text_append_string(out, operator_rows[feature->op].scope == DERIVED ? "derived"
                                                                                : "session");
        text_printf(out, " %s\n", is_warming(engine, feature->name) ? "warming" : "ready");
    }
}

void status_schemas(const struct engine *engine, struct text *out)
{
    static const char *const states[] = {"waiting", "ready", "unknown"};
    const struct registry_health *health = writers_registry_health(engine->writers);
    if (health)
        text_printf(out, "registry %s%s\n", health->reachable ? "reachable" : "NOT reachable: ",
                    health->reachable ? "" : health->error);
    for (int k = 0; k < writers_count(engine->writers); k++) {
        const struct writer *writer = writers_at(engine->writers, k);
        text_printf(out, "%-40s %-8s records %llu errors %llu %s\n", writer->name,
                    states[writer->state], (unsigned long long)writer->records,
                    (unsigned long long)writer->errors, writer->why);
    }
}

/* ---- one key ---- */

bool status_row(struct engine *engine, const char *key, size_t len, struct text *out)
{
    for (int k = 0; k < engine->partition_count; k++) {
        struct row row;
        arena_reset(&engine->arena);
        if (!shard_peek(engine->partitions[k]->shard, key, len, &engine->arena, &row))
            continue;
        for (int f = 0; f < row.set->count; f++) {
            text_printf(out, "%s ", row.set->features[f].name);
            if (row.values[f].type == VALUE_NULL)
                text_append_string(out, "(null)");
            else
                rowhash_append_value(&row.values[f], out);
            text_append_char(out, '\n');
        }
        text_printf(out, "_as_of %lld\n_rev %llu\n_v %016llx\n_p %d\n_o %lld\n",
                    (long long)row.as_of.ms, (unsigned long long)row.rev,
                    (unsigned long long)row.set->version, row.partition, (long long)row.offset);
        if (row.warming)
            text_printf(out, "_w %s\n", row.warming);
        return true;
    }
    return false;
}

/* The newest late event of the key that is still remembered. */
static void explain_late(const struct partition *partition, const char *key, size_t len,
                         struct text *out)
{
    uint64_t hash = hash_bytes(key, len);
    for (uint32_t k = 0; k < ENGINE_LATE_NOTES && k < partition->late_noted; k++) {
        const struct late_note *note =
            &partition->late_notes[(partition->late_noted - 1 - k) % ENGINE_LATE_NOTES];
        if (note->key_hash != hash)
            continue;
        text_printf(out, "last late event: offset %lld, %s, ", (long long)note->offset,
                    fate_rows[note->fate].name);
        text_append_duration(out, note->late_by_ms);
        text_printf(out, " behind the watermark: %s\n", fate_rows[note->fate].sentence);
        return;
    }
    text_append_string(out, "last late event: none remembered\n");
}

bool status_explain(struct engine *engine, const char *key, size_t len, struct text *out)
{
    for (int k = 0; k < engine->partition_count; k++) {
        const struct partition *partition = engine->partitions[k];
        if (!shard_explain(partition->shard, key, len, out))
            continue;
        explain_late(partition, key, len, out);
        return true;
    }
    return false;
}
