/* Progress for people, a summary for programs; both on standard error. */
#include "replay_report.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rowjson.h"

enum { EVERY_MS = 500, MIB = 1 << 20 };

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void replay_report_begin(struct replay_report *report)
{
    *report = (struct replay_report){.on_terminal = isatty(STDERR_FILENO)};
    report->began_ms = report->shown_ms = report->on_terminal ? now_ms() : 0;
}

void replay_report_progress(struct replay_report *report, const struct replay_source *source)
{
    if (!report->on_terminal)
        return;
    int64_t now = now_ms();
    if (now - report->shown_ms < EVERY_MS)
        return;
    report->shown_ms = now;
    report->shown = true;
    double seconds = (double)(now - report->began_ms) / 1000;
    fprintf(stderr, "\r%lld records, %.0f/s", (long long)report->records,
            (double)report->records / seconds);
    if (source->all_bytes > 0)
        fprintf(stderr, ", %lld of %lld MiB", (long long)source->read_bytes / MIB,
                (long long)source->all_bytes / MIB);
    fprintf(stderr, "\033[K");
    fflush(stderr);
}

void replay_report_end(struct replay_report *report)
{
    if (report->shown)
        fprintf(stderr, "\r\033[K");
}

/* ---- summary ---- */

static void put_time(const char *name, struct event_time time, struct text *out)
{
    text_append_string(out, name);
    if (time.ms == EVENT_TIME_MIN.ms)
        text_append_string(out, "null");
    else
        text_append_long(out, time.ms);
}

static void put_counters(const struct shard_status *sum, struct text *out)
{
    text_append_string(out, "\"fates\":{");
    for (int i = 0; i < FATE_COUNT_OF; i++)
        text_printf(out, "%s\"%s\":%llu", i > 0 ? "," : "", fate_rows[i].name,
                    (unsigned long long)sum->fates[i]);
    text_printf(out,
                "},\"sessions\":{\"opened\":%llu,\"closed\":%llu,\"merged\":%llu,"
                "\"corrected\":%llu,\"live\":%llu},\"keys\":%llu,\"future_clamped\":%llu",
                (unsigned long long)sum->sessions_opened, (unsigned long long)sum->sessions_closed,
                (unsigned long long)sum->sessions_merged,
                (unsigned long long)sum->sessions_corrected,
                (unsigned long long)sum->sessions_live, (unsigned long long)sum->keys,
                (unsigned long long)sum->future_clamped);
}

static void add(struct shard_status *sum, const struct shard_status *status)
{
    for (int i = 0; i < FATE_COUNT_OF; i++)
        sum->fates[i] += status->fates[i];
    sum->sessions_opened += status->sessions_opened;
    sum->sessions_closed += status->sessions_closed;
    sum->sessions_merged += status->sessions_merged;
    sum->sessions_corrected += status->sessions_corrected;
    sum->sessions_live += status->sessions_live;
    sum->keys += status->keys;
    sum->future_clamped += status->future_clamped;
    if (status->watermark.ms != EVENT_TIME_MIN.ms && status->watermark.ms < sum->watermark.ms)
        sum->watermark = status->watermark;
}

void replay_report_summary(struct lane *const *lanes, int lane_count, uint64_t version,
                           uint64_t rows)
{
    struct text out = {0}, list = {0};
    struct shard_status sum = {.watermark = EVENT_TIME_MAX};
    uint64_t records = 0;
    for (int i = 0; i < lane_count; i++) {
        struct shard_status status;
        lane_status(lanes[i], &status);
        add(&sum, &status);
        text_printf(&list, "%s{\"partition\":%d,\"next_offset\":%lld", i > 0 ? "," : "",
                    status.partition, (long long)status.next_offset);
        put_time(",\"watermark\":", status.watermark, &list);
        put_time(",\"as_of\":", status.as_of, &list);
        text_append_char(&list, '}');
    }
    for (int i = 0; i < FATE_COUNT_OF; i++)
        records += sum.fates[i];
    text_printf(&out, "{\"records\":%llu,\"rows\":%llu,", (unsigned long long)records,
                (unsigned long long)rows);
    put_counters(&sum, &out);
    /* Of several partitions the least: all of them have come so far. */
    put_time(",\"watermark\":",
             sum.watermark.ms == EVENT_TIME_MAX.ms ? EVENT_TIME_MIN : sum.watermark, &out);
    text_printf(&out, ",\"partitions\":[%s],\"v\":\"", list.data ? list.data : "");
    rowjson_version(version, &out);
    text_append_string(&out, "\"}\n");
    fwrite(out.data, 1, out.len, stderr);
    text_free(&out);
    text_free(&list);
}
