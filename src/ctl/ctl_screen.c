/* The frame of `freshetctl top`: what is wrong first, then the stream, then fates and shards. */
#include "ctl_screen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { NUMBER_MAX = 32 };

struct frame {
    const struct ctl_screen *screen;
    const struct ctl_info *before, *now;
    struct text *out;
    int lines;
};

static bool has_room(const struct frame *frame, int wanted)
{
    return frame->screen->rows == 0 || frame->lines + wanted < frame->screen->rows;
}

/* Ends a line that begins at `from` and cuts it to the width of the screen. */
static void end_line(struct frame *frame, size_t from)
{
    size_t width = (size_t)frame->screen->columns;
    if (width > 0 && frame->out->len - from > width)
        frame->out->len = from + width;
    text_append_string(frame->out, frame->screen->is_terminal ? "\033[0m\033[K\n" : "\n");
    frame->lines++;
}

static void style(struct frame *frame, const char *code)
{
    if (frame->screen->is_terminal)
        text_append_string(frame->out, code);
}

static const char *grouped(int64_t number, char out[NUMBER_MAX])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, number < 0 ? -number : number);
    size_t to = 0;
    if (number < 0)
        out[to++] = '-';
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[to++] = ',';
        out[to++] = digits[i];
    }
    out[to] = '\0';
    return out;
}

/* Growth a second between the two answers; "-" while there is only one. */
static const char *rate(const struct frame *frame, int64_t before, int64_t now,
                        char out[NUMBER_MAX])
{
    int64_t ms = frame->before == NULL ? 0 : frame->now->at_ms - frame->before->at_ms;
    if (ms <= 0 || now < before) /* restarted in between */
        return "-";
    return grouped((now - before) * 1000 / ms, out);
}

static const char *field_rate(const struct frame *frame, const char *name, char out[NUMBER_MAX])
{
    int64_t before = frame->before == NULL ? 0 : ctl_info_number(frame->before, name);
    return rate(frame, before, ctl_info_number(frame->now, name), out);
}

static const char *field(const struct frame *frame, const char *name, char out[NUMBER_MAX])
{
    return grouped(ctl_info_number(frame->now, name), out);
}

static void head(struct frame *frame)
{
    const struct ctl_info *now = frame->now;
    const char *why = ctl_info_string(now, "not_ready_because");
    bool ready = ctl_info_number(now, "ready") != 0;
    size_t from = frame->out->len;
    time_t clock = time(NULL);
    char time_text[16];
    strftime(time_text, sizeof time_text, "%H:%M:%S", localtime(&clock));
    text_printf(frame->out, "%s  freshet %s  up ", time_text,
                ctl_info_string(now, "freshet_version"));
    text_append_duration(frame->out, ctl_info_number(now, "uptime_in_seconds") * 1000);
    text_printf(frame->out, "  %s%s", ctl_info_string(now, "state"),
                ctl_info_number(now, "paused") ? " (paused)" : "");
    text_printf(frame->out, ready ? "  ready" : "  NOT READY: %s", why);
    end_line(frame, from);
    const char *alarms = ctl_info_string(now, "alarms");
    if (alarms[0] != '\0') {
        style(frame, "\033[1;31m");
        from = frame->out->len;
        text_printf(frame->out, "ALARMS    %s  (freshetctl status says what to do)", alarms);
        end_line(frame, from);
    }
}

static void stream(struct frame *frame)
{
    char a[NUMBER_MAX], b[NUMBER_MAX], c[NUMBER_MAX], d[NUMBER_MAX];
    const struct ctl_info *now = frame->now;
    size_t from = frame->out->len;
    text_printf(frame->out, "records   %12s/s  consumed %s  in flight %s  lag %s",
                field_rate(frame, "consumed", a), field(frame, "consumed", b),
                field(frame, "in_flight", c), field(frame, "lag", d));
    end_line(frame, from);
    from = frame->out->len;
    text_printf(frame->out, "rows      %12s/s  written %s  dirty %s  in flight %s  redis %s",
                field_rate(frame, "redis_rows_written", a),
                field(frame, "redis_rows_written", b), field(frame, "dirty", c),
                field(frame, "inflight_rows", d), ctl_info_string(now, "redis_state"));
    end_line(frame, from);
    from = frame->out->len;
    text_printf(frame->out, "fresh     visible after %s ms (p50), %s ms (p99)  watermark ",
                field(frame, "event_to_visible_p50_ms", a),
                field(frame, "event_to_visible_p99_ms", b));
    int64_t behind_ms = ctl_info_number(now, "watermark_lag_ms");
    if (ctl_info_number(now, "watermark_ms") < 0)
        text_append_string(frame->out, "unknown");
    else
        text_printf(frame->out, "%.1f s behind", (double)behind_ms / 1000);
    end_line(frame, from);
    from = frame->out->len;
    text_printf(frame->out, "state     keys %s  live sessions %s  %.1f MiB%s",
                field(frame, "keys", a), field(frame, "sessions_live", b),
                (double)ctl_info_number(now, "state_bytes") / (1 << 20),
                ctl_info_number(now, "held") ? "  replaying, rows are held" : "");
    end_line(frame, from);
}

static void title(struct frame *frame, const char *text)
{
    size_t from = frame->out->len;
    end_line(frame, from);
    style(frame, "\033[7m");
    from = frame->out->len;
    text_append_string(frame->out, text);
    end_line(frame, from);
}

static void fates(struct frame *frame)
{
    char a[NUMBER_MAX], b[NUMBER_MAX];
    title(frame, "fate                        records          /s");
    for (size_t i = 0; i < frame->now->count && has_room(frame, 1); i++) {
        const struct ctl_info_field *fate = &frame->now->fields[i];
        int64_t records = strtoll(fate->value, NULL, 10);
        if (strncmp(fate->name, "fate_", 5) != 0 || records == 0)
            continue;
        size_t from = frame->out->len;
        text_printf(frame->out, "%-18s %16s %11s", fate->name + 5, grouped(records, a),
                    field_rate(frame, fate->name, b));
        end_line(frame, from);
    }
}

/* The shard of that partition in the answer before; NULL when it is new here. */
static const char *shard_before(const struct frame *frame, int64_t partition)
{
    for (size_t i = 0; frame->before != NULL && i < frame->before->count; i++) {
        const struct ctl_info_field *shard = &frame->before->fields[i];
        if (strcasecmp(shard->section, "Shards") == 0 &&
            ctl_info_part(shard->value, "partition", -1) == partition)
            return shard->value;
    }
    return NULL;
}

static void shard_line(struct frame *frame, const char *value)
{
    char a[NUMBER_MAX], b[NUMBER_MAX], c[NUMBER_MAX], d[NUMBER_MAX], e[NUMBER_MAX];
    int64_t partition = ctl_info_part(value, "partition", -1);
    int64_t offset = ctl_info_part(value, "offset", 0);
    const char *before = shard_before(frame, partition);
    size_t from = frame->out->len;
    text_printf(frame->out, "%9" PRId64 " %15s %12s %11s %12s %10s ", partition,
                grouped(offset, a), grouped(ctl_info_part(value, "lag", 0), b),
                before == NULL ? "-"
                               : rate(frame, ctl_info_part(before, "offset", 0), offset, c),
                grouped(ctl_info_part(value, "keys", 0), d),
                grouped(ctl_info_part(value, "dirty", 0), e));
    static const char *const states[] = {"idle", "paused", "held", "resync"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (ctl_info_part(value, states[i], 0) != 0)
            text_printf(frame->out, " %s", states[i]);
    end_line(frame, from);
}

static void shards(struct frame *frame)
{
    size_t hidden = 0;
    title(frame, "partition          offset          lag         /s         keys      dirty "
                 " state");
    for (size_t i = 0; i < frame->now->count; i++) {
        const struct ctl_info_field *shard = &frame->now->fields[i];
        if (strcasecmp(shard->section, "Shards") != 0)
            continue;
        if (has_room(frame, 2))
            shard_line(frame, shard->value);
        else
            hidden++;
    }
    if (hidden > 0) {
        size_t from = frame->out->len;
        text_printf(frame->out, "and %zu more partitions: freshetctl shards", hidden);
        end_line(frame, from);
    }
}

void ctl_screen_frame(const struct ctl_screen *screen, const struct ctl_info *before,
                      const struct ctl_info *now, struct text *out)
{
    struct frame frame = {.screen = screen, .before = before, .now = now, .out = out};
    head(&frame);
    stream(&frame);
    fates(&frame);
    if (has_room(&frame, 4))
        shards(&frame);
}
