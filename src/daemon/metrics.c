/* Metrics in Prometheus' text form: a row of metrics.def each, by its kind and labels. */
#include <string.h>

#include "control.h"
#include "decimal.h"
#include "expect.h"
#include "status.h"

enum metric_id {
#define METRIC(ID, ...) METRIC_##ID,
#include "metrics.def"
#undef METRIC
    METRIC_COUNT_OF
};

enum metric_kind { COUNTER, GAUGE, HISTOGRAM };

static const struct metric_row {
    const char *name;
    enum metric_kind kind;
    const char *labels;
    const char *sentence;
} metric_rows[METRIC_COUNT_OF] = {
#define METRIC(ID, name, kind, labels, sentence) [METRIC_##ID] = {#name, kind, labels, sentence},
#include "metrics.def"
#undef METRIC
};

struct scrape {
    const struct engine *engine;
    struct text *out;
    struct shard_status total;
    const struct metric_row *row;
};

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

/* ---- without labels ---- */

static double registry_schemas(const struct engine *engine)
{
    return writers_count(engine->writers);
}

static double pending_rejects(const struct engine *engine)
{
    double pending = 0;
    for (int k = 0; k < engine->partition_count; k++)
        pending += (double)engine->partitions[k]->rejects.count;
    return pending;
}

static double watermark_lag(const struct engine *engine)
{
    struct event_time watermark = status_watermark(engine);
    return watermark.ms == INT64_MIN ? 0 : seconds(present_wall_ms() - watermark.ms);
}

static bool is_ready(const struct engine *engine)
{
    struct text why = {0};
    bool ready = status_ready(engine, &why);
    text_free(&why);
    return ready;
}

static double engine_value(const struct scrape *scrape, enum metric_id id)
{
    const struct engine *engine = scrape->engine;
    switch (id) {
    case METRIC_UPTIME_SECONDS:
        return seconds(mono_time_diff(engine_now(engine), engine->started).ms);
    case METRIC_READY:
        return is_ready(engine);
    case METRIC_CONSUMED:
        return (double)(engine->totals.consumed - engine->totals.dropped);
    case METRIC_IN_FLIGHT:
        return (double)engine_in_flight(engine);
    case METRIC_PARTITIONS:
        return engine->partition_count;
    case METRIC_WATERMARK_LAG_SECONDS:
        return watermark_lag(engine);
    case METRIC_OFFSET_GAPS:
        return (double)scrape->total.offset_gaps;
    case METRIC_STALLS:
        return (double)engine->totals.stalls;
    case METRIC_REBUILDS:
        return (double)engine->totals.rebuilds;
    case METRIC_REBALANCES:
        return (double)engine->totals.rebalances;
    case METRIC_KAFKA_ERRORS:
        return (double)engine->totals.kafka_troubles;
    case METRIC_KAFKA_QUEUE_MESSAGES:
        return engine->kafka ? (double)kafka_statistics(engine->kafka).queued_messages : 0;
    case METRIC_KAFKA_QUEUE_BYTES:
        return engine->kafka ? (double)kafka_statistics(engine->kafka).queued_bytes : 0;
    case METRIC_ADDENDS_CLAMPED:
        return (double)scrape->total.addends_clamped;
    case METRIC_VALUES_LEFT_OUT:
        return (double)scrape->total.values_left_out;
    case METRIC_FUTURE_CLAMPED:
        return (double)scrape->total.future_clamped;
    case METRIC_ROWS_GONE:
        return (double)engine->totals.rows_gone;
    case METRIC_FOREIGN_KEY:
        return (double)engine->totals.rows_foreign;
    case METRIC_SESSIONS_OPEN:
        return (double)scrape->total.sessions_live;
    case METRIC_DEDUP_OVERFLOWS:
        return (double)scrape->total.ids_overflowed;
    case METRIC_STATE_BYTES:
        return (double)scrape->total.state_bytes;
    case METRIC_ROWS:
        return (double)engine->totals.rows_written;
    case METRIC_DECAY_ROWS:
        return (double)scrape->total.decay_rows;
    case METRIC_CHECKPOINT_BYTES:
        return (double)engine->totals.checkpoint_bytes;
    case METRIC_REDIS_CONNECTED:
        return redis_health(engine->redis)->connected;
    case METRIC_REDIS_INFLIGHT_BYTES:
        return (double)redis_inflight_bytes(engine->redis);
    case METRIC_REDIS_CLOCK_DIFFERENCE_SECONDS:
        return seconds(engine->redis_ahead_ms);
    case METRIC_LATE_PENDING:
        return pending_rejects(engine);
    case METRIC_SCHEMAS_KNOWN:
        return registry_schemas(engine);
    case METRIC_CONTROL_CLIENTS:
        return engine->control ? control_counts(engine->control).clients : 0;
    case METRIC_CONTROL_REFUSED:
        return engine->control ? (double)control_counts(engine->control).refused : 0;
    default:
        unreachable("metric without labels that nobody computes");
    }
}

/* ---- of a partition ---- */

static double partition_value(const struct partition *partition, enum metric_id id)
{
    struct shard_status status;
    shard_status(partition->shard, &status);
    int64_t lag = partition_lag(partition);
    switch (id) {
    case METRIC_CONSUMER_LAG:
        return lag < 0 ? 0 : (double)lag;
    case METRIC_CHECKPOINT_AGE_SECONDS:
        return partition->engine->checkpointer.store
                   ? seconds(status_checkpoint_age_ms(partition))
                   : 0;
    case METRIC_PARTITION_PAUSED:
        return partition->paused != 0;
    case METRIC_PARTITION_STALLED:
        return partition->stall.lasts;
    case METRIC_PARTITION_IDLE:
        return partition->idle;
    case METRIC_PARTITION_HELD:
        return !lease_may_write(shard_lease(partition->shard), status.next_offset);
    case METRIC_WATERMARK_SECONDS:
        return status.watermark.ms == INT64_MIN ? 0 : seconds(status.watermark.ms);
    case METRIC_STATE_KEYS:
        return (double)status.keys;
    case METRIC_DEDUP_IDS:
        return (double)status.ids_remembered;
    case METRIC_ROWS_DIRTY:
        return (double)(status.dirty + status.inflight + status.unsynced);
    default:
        unreachable("metric of a partition that nobody computes");
    }
}

/* ---- output ---- */

/* The rest of a line. */
static void append_number(struct text *out, double value)
{
    char digits[DECIMAL_MAX];
    text_append_char(out, ' ');
    text_append(out, digits, decimal_format(digits, value));
    text_append_char(out, '\n');
}

static void sample(const struct scrape *scrape, double value)
{
    text_append_string(scrape->out, scrape->row->name);
    append_number(scrape->out, value);
}

static void labelled(const struct scrape *scrape, const char *label, uint64_t value)
{
    text_printf(scrape->out, "%s{%s=\"%s\"} %llu\n", scrape->row->name, scrape->row->labels, label,
                (unsigned long long)value);
}

static void append_partitions(const struct scrape *scrape, enum metric_id id)
{
    const struct engine *engine = scrape->engine;
    for (int k = 0; k < engine->partition_count; k++) {
        text_printf(scrape->out, "%s{topic=\"%s\",partition=\"%d\"}", scrape->row->name,
                    engine->config->kafka_topic, engine->partitions[k]->id);
        append_number(scrape->out, partition_value(engine->partitions[k], id));
    }
}

/* unit: numbers of the histogram in a second. */
static void append_histogram(const struct scrape *scrape, const struct histogram *histogram,
                             double unit)
{
    static const double limits[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                    0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10,
                                    30,     60,      300,    1800,  3600,   21600, 86400};
    const char *name = scrape->row->name;
    for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++)
        text_printf(scrape->out, "%s_bucket{le=\"%g\"} %llu\n", name, limits[k],
                    (unsigned long long)histogram_at_most(histogram, (int64_t)(limits[k] * unit)));
    text_printf(scrape->out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum", name,
                (unsigned long long)histogram->count, name);
    append_number(scrape->out, (double)histogram->sum / unit);
    text_printf(scrape->out, "%s_count %llu\n", name, (unsigned long long)histogram->count);
}

static void append_fates(const struct scrape *scrape)
{
    for (int k = 0; k < FATE_COUNT_OF; k++)
        labelled(scrape, fate_rows[k].name, scrape->engine->totals.fates[k]);
}

static void append_alarm(void *context, const char *name, const char *sentence)
{
    (void)sentence;
    labelled(context, name, 1);
}

static void append_rejects(const struct scrape *scrape)
{
    const struct config *config = scrape->engine->config;
    const struct engine_totals *totals = &scrape->engine->totals;
    if (!scrape->engine->producer)
        return;
    const char *topic =
        config->late_topic[0] ? config->late_topic : config->late_dead_letter_topic;
    const char *name = scrape->row->name;
    text_printf(scrape->out,
                "%s{topic=\"%s\",result=\"stored\"} %llu\n%s{topic=\"%s\",result=\"error\"} %llu\n",
                name, topic, (unsigned long long)totals->rejects_stored, name, topic,
                (unsigned long long)totals->rejects_failed);
}

static void append_schema_fetches(const struct scrape *scrape)
{
    const struct registry_health *health = writers_registry_health(scrape->engine->writers);
    if (!health)
        return;
    labelled(scrape, "ok", health->ok);
    labelled(scrape, "missing", health->missing);
    labelled(scrape, "error", health->errors);
}

static void append_resyncs(const struct scrape *scrape)
{
    static const char *const causes[RESYNC_CAUSES] = {"start", "rollback", "fenced", "command",
                                                      "log_lost"};
    for (int k = 0; k < RESYNC_CAUSES; k++)
        labelled(scrape, causes[k], scrape->engine->totals.resyncs[k]);
}

static void append_labelled(struct scrape *scrape, enum metric_id id)
{
    const struct engine_totals *totals = &scrape->engine->totals;
    switch (id) {
    case METRIC_BUILD_INFO:
        labelled(scrape, FRESHET_VERSION, 1);
        break;
    case METRIC_ALARM:
        status_alarms(scrape->engine, append_alarm, scrape);
        break;
    case METRIC_RECORDS:
        append_fates(scrape);
        break;
    case METRIC_COMMITS:
        labelled(scrape, "ok", totals->commits);
        labelled(scrape, "error", totals->commit_failures);
        break;
    case METRIC_SESSIONS:
        labelled(scrape, "opened", scrape->total.sessions_opened);
        labelled(scrape, "closed", scrape->total.sessions_closed);
        labelled(scrape, "merged", scrape->total.sessions_merged);
        labelled(scrape, "corrected", scrape->total.sessions_corrected);
        labelled(scrape, "split", scrape->total.sessions_split);
        break;
    case METRIC_REDIS_BATCHES:
        labelled(scrape, "ok", totals->batches_ok);
        labelled(scrape, "fenced", totals->batches_fenced);
        labelled(scrape, "rollback", totals->batches_rollback);
        labelled(scrape, "error", totals->batches_refused);
        labelled(scrape, "lost", totals->batches_unknown);
        break;
    case METRIC_REDIS_RESYNC:
        append_resyncs(scrape);
        break;
    case METRIC_CHECKPOINTS:
        labelled(scrape, "base", totals->checkpoints_base);
        labelled(scrape, "delta", totals->checkpoints_delta);
        labelled(scrape, "error", totals->checkpoints_failed);
        break;
    case METRIC_LATE_OUTPUT:
        append_rejects(scrape);
        break;
    case METRIC_SCHEMA_FETCH:
        append_schema_fetches(scrape);
        break;
    default:
        unreachable("metric with labels that nobody computes");
    }
}

static void append_histogram_of(const struct scrape *scrape, enum metric_id id)
{
    const struct engine *engine = scrape->engine;
    switch (id) {
    case METRIC_LATE_SECONDS:
        append_histogram(scrape, &engine->late_ms, 1e3);
        break;
    case METRIC_DECAY_DELAY_SECONDS:
        append_histogram(scrape, &engine->decay_delay_ms, 1e3);
        break;
    case METRIC_EVENT_TO_VISIBLE_SECONDS:
        append_histogram(scrape, &engine->event_to_visible_ms, 1e3);
        break;
    case METRIC_REDIS_WRITE_SECONDS:
        append_histogram(scrape, &engine->redis_write_us, 1e6);
        break;
    case METRIC_CHECKPOINT_SECONDS:
        append_histogram(scrape, &engine->checkpoint_ms, 1e3);
        break;
    case METRIC_CHECKPOINT_STEP_SECONDS:
        append_histogram(scrape, &engine->checkpoint_step_us, 1e6);
        break;
    case METRIC_CHECKPOINT_STEP_WALL_SECONDS:
        append_histogram(scrape, &engine->checkpoint_step_wall_us, 1e6);
        break;
    case METRIC_LOOP_SECONDS:
        append_histogram(scrape, &engine->loop_us, 1e6);
        break;
    default:
        unreachable("histogram that nobody fills");
    }
}

void metrics_append(const struct engine *engine, struct text *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    struct scrape scrape = {.engine = engine, .out = out};
    status_total(engine, &scrape.total);
    for (enum metric_id id = 0; id < METRIC_COUNT_OF; id++) {
        scrape.row = &metric_rows[id];
        text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", scrape.row->name, scrape.row->sentence,
                    scrape.row->name, kinds[scrape.row->kind]);
        if (scrape.row->kind == HISTOGRAM)
            append_histogram_of(&scrape, id);
        else if (scrape.row->labels[0] == '\0')
            sample(&scrape, engine_value(&scrape, id));
        else if (strcmp(scrape.row->labels, "topic,partition") == 0)
            append_partitions(&scrape, id);
        else
            append_labelled(&scrape, id);
    }
}
