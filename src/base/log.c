/* One log line: formatted, escaped and cut here, so that no caller can break a line in two. */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

static void write_stderr(const char *line, size_t len)
{
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* there is nowhere left to complain to */
}

static const struct {
    const char *name;
    char priority; /* of syslog, as journald reads it from the line's start */
} levels[] = {
    [LOG_ERROR] = {"error", '3'},
    [LOG_WARNING] = {"warning", '4'},
    [LOG_INFO] = {"info", '6'},
    [LOG_DEBUG] = {"debug", '7'},
};

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER; /* of the sink and of all sites */
static struct log_sink log_sink = {.write = write_stderr};
static _Atomic int log_level = LOG_INFO;

void log_configure(const struct log_sink *sink)
{
    pthread_mutex_lock(&log_lock);
    log_sink = *sink;
    if (!log_sink.write)
        log_sink.write = write_stderr;
    pthread_mutex_unlock(&log_lock);
}

void log_set_level(enum log_level level)
{
    log_level = level;
}

enum log_level log_get_level(void)
{
    return (enum log_level)log_level;
}

/* ---- the message: printf, with %Q ---- */

/* One conversion of a format, as far as it was read. */
struct conversion {
    char spec[32]; /* flags, width and precision, with numbers in place of stars */
    size_t spec_len;
    int precision; /* -1: none */
    char length;   /* 'l' (also ll, j), 'z', 't', 'h' (also hh), or 0 */
    char letter;
};

static void spec_add(struct conversion *c, const char *bytes, size_t len)
{
    if (c->spec_len + len < sizeof c->spec - 4) { /* room for "j", the letter and the end */
        memcpy(c->spec + c->spec_len, bytes, len);
        c->spec_len += len;
    }
}

static void spec_add_int(struct conversion *c, int number)
{
    char digits[20];
    spec_add(c, digits, text_format_long(digits, number));
}

/* Reads the conversion after a percent sign; returns what follows it. */
static const char *conversion_read(struct conversion *c, const char *format, va_list *arguments)
{
    *c = (struct conversion){.spec = "%", .spec_len = 1, .precision = -1};
    for (; *format && strchr("-+ #0123456789.*", *format); format++) {
        if (*format == '.')
            c->precision = 0;
        else if (c->precision >= 0 && *format >= '0' && *format <= '9' &&
                 c->precision < LOG_LINE_MAX)
            c->precision = c->precision * 10 + (*format - '0');
        if (*format == '*') {
            int number = va_arg(*arguments, int);
            if (c->precision >= 0)
                c->precision = number;
            spec_add_int(c, number);
        } else {
            spec_add(c, format, 1);
        }
    }
    for (; *format && strchr("hljzt", *format); format++)
        c->length = *format == 'j' ? 'l' : *format;
    c->letter = *format;
    return *format ? format + 1 : format;
}

static int64_t take_signed(char length, va_list *arguments)
{
    switch (length) {
    case 'l': /* long, long long and intmax_t are one size on the platforms of freshet */
        return va_arg(*arguments, long);
    case 'z':
    case 't':
        return va_arg(*arguments, ssize_t);
    default:
        return va_arg(*arguments, int);
    }
}

static uint64_t take_unsigned(char length, va_list *arguments)
{
    return length ? length == 'h' ? va_arg(*arguments, unsigned) : va_arg(*arguments, size_t)
                  : va_arg(*arguments, unsigned);
}

/* Text is bounded by its precision and by the line. */
static void append_string(struct text *out, const struct conversion *c, const char *string)
{
    size_t bound = LOG_LINE_MAX;
    if (c->precision >= 0 && c->precision < LOG_LINE_MAX)
        bound = (size_t)c->precision;
    if (!string)
        string = c->letter == 'Q' ? "" : "(null)";
    size_t len = strnlen(string, bound);
    if (c->letter == 'Q')
        text_append_json_string(out, string, len);
    else
        text_append(out, string, len);
}

static void append_number(struct text *out, struct conversion *c, va_list *arguments)
{
    char number[512];
    bool is_int = strchr("diuxXo", c->letter);
    if (is_int)
        spec_add(c, "j", 1);
    c->spec[c->spec_len] = c->letter;
    c->spec[c->spec_len + 1] = '\0';
    int len;
    if (c->letter == 'd' || c->letter == 'i')
        len = snprintf(number, sizeof number, c->spec, take_signed(c->length, arguments));
    else if (is_int)
        len = snprintf(number, sizeof number, c->spec, take_unsigned(c->length, arguments));
    else if (c->letter == 'c')
        len = snprintf(number, sizeof number, c->spec, va_arg(*arguments, int));
    else if (c->letter == 'p')
        len = snprintf(number, sizeof number, c->spec, va_arg(*arguments, void *));
    else
        len = snprintf(number, sizeof number, c->spec, va_arg(*arguments, double));
    if (len > 0)
        text_append(out, number, (size_t)len < sizeof number ? (size_t)len : sizeof number - 1);
}

static void append_formatted(struct text *out, const char *format, va_list *arguments)
{
    while (*format) {
        size_t plain = strcspn(format, "%");
        text_append(out, format, plain);
        format += plain;
        if (!*format)
            return;
        struct conversion c;
        format = conversion_read(&c, format + 1, arguments);
        if (c.letter == '%')
            text_append_char(out, '%');
        else if (c.letter == 's' || c.letter == 'Q')
            append_string(out, &c, va_arg(*arguments, const char *));
        else if (c.letter && strchr("diuxXocpeEfFgGaA", c.letter))
            append_number(out, &c, arguments);
        else
            return; /* unknown: what follows cannot be read from the arguments */
    }
}

/* ---- the line ---- */

/* Length of the value at pair: a quoted string with its quotes, or all up to a blank. */
static size_t value_length(const char *value)
{
    if (*value != '"')
        return strcspn(value, " ");
    size_t len = 1;
    while (value[len] && value[len] != '"')
        len += value[len] == '\\' && value[len + 1] ? 2 : 1;
    return value[len] ? len + 1 : len;
}

static bool is_json_number(const char *value, size_t len)
{
    size_t at = len > 0 && value[0] == '-';
    if (at == len || len - at > 18 || (value[at] == '0' && len - at > 1))
        return false;
    for (; at < len; at++)
        if (value[at] < '0' || value[at] > '9')
            return false;
    return true;
}

/* Turns `key=value key="quoted value"` into members; quoted values are JSON strings already.
 * Members that would not fit are left out, because a cut object cannot be read. */
static void append_members(struct text *out, const char *pairs)
{
    struct text member = {0};
    while (*(pairs += strspn(pairs, " "))) {
        size_t key_len = strcspn(pairs, "= ");
        const char *value = pairs + key_len + (pairs[key_len] == '=');
        size_t len = value_length(value);
        text_clear(&member);
        text_append_char(&member, ',');
        text_append_json_string(&member, pairs, key_len);
        text_append_char(&member, ':');
        if ((*value == '"' && len > 1 && value[len - 1] == '"') || is_json_number(value, len))
            text_append(&member, value, len);
        else
            text_append_json_string(&member, value, len);
        pairs = value + len;
        if (out->len + member.len > LOG_LINE_MAX - sizeof ",\"cut\":true}\n") {
            text_append_string(out, ",\"cut\":true");
            break;
        }
        text_append(out, member.data, member.len);
    }
    text_free(&member);
}

static void append_escaped(struct text *out, const char *message)
{
    for (; *message; message++) {
        unsigned char c = (unsigned char)*message;
        if (c < 0x20 || c == 0x7F)
            text_printf(out, "\\x%02x", c);
        else
            text_append_char(out, *message);
    }
}

static void build_logfmt(struct text *line, const struct log_sink *sink, int64_t now_ms,
                         enum log_level level, const char *event, const char *pairs)
{
    if (sink->with_time) {
        text_append_string(line, "ts=");
        text_append_event_time(line, now_ms);
        text_append_char(line, ' ');
    }
    text_printf(line, "level=%s event=%s", levels[level].name, event);
    if (*pairs)
        text_append_char(line, ' ');
    append_escaped(line, pairs);
    if (line->len > LOG_LINE_MAX - 1) {
        line->len = LOG_LINE_MAX - sizeof "...";
        text_append_string(line, "...");
    }
}

static void build_json(struct text *line, const struct log_sink *sink, int64_t now_ms,
                       enum log_level level, const char *event, const char *pairs)
{
    text_append_char(line, '{');
    if (sink->with_time) {
        text_append_string(line, "\"ts\":\"");
        text_append_event_time(line, now_ms);
        text_append_string(line, "\",");
    }
    text_printf(line, "\"level\":\"%s\",\"event\":\"%s\"", levels[level].name, event);
    append_members(line, pairs);
    text_append_char(line, '}');
}

/* Whether the site may write now; *suppressed is how many lines it could not write before. */
static bool site_admits(struct log_site *site, int64_t now_ms, uint32_t *suppressed)
{
    *suppressed = 0;
    if (site->lines == 0 || now_ms - site->period_start_ms >= LOG_SITE_PERIOD_S * 1000 ||
        now_ms < site->period_start_ms) {
        site->period_start_ms = now_ms;
        site->lines = 0;
        *suppressed = site->suppressed;
        site->suppressed = 0;
    }
    if (site->lines == LOG_SITE_BURST) {
        site->suppressed++;
        return false;
    }
    site->lines++;
    return true;
}

void log_line(struct log_site *site, enum log_level level, const char *event, const char *format,
              ...)
{
    if ((int)level > log_level)
        return;
    pthread_mutex_lock(&log_lock);
    struct log_sink sink = log_sink;
    int64_t now_ms = sink.now_ms ? sink.now_ms() : 0;
    uint32_t suppressed = 0;
    bool admitted = !sink.now_ms || site_admits(site, now_ms, &suppressed);
    pthread_mutex_unlock(&log_lock);
    if (!admitted)
        return;
    struct text pairs = {0};
    struct text line = {0};
    va_list arguments;
    va_start(arguments, format);
    append_formatted(&pairs, format, &arguments);
    va_end(arguments);
    if (suppressed)
        text_printf(&pairs, "%ssuppressed=%u", pairs.len ? " " : "", suppressed);
    text_append(&pairs, "", 0);
    if (!sink.with_time)
        text_printf(&line, "<%c>", levels[level].priority);
    (sink.json ? build_json : build_logfmt)(&line, &sink, now_ms, level, event, pairs.data);
    text_append_char(&line, '\n');
    sink.write(line.data, line.len);
    text_free(&line);
    text_free(&pairs);
}
