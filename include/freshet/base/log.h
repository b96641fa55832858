/* Log lines in logfmt or JSON, with a journald priority prefix, rate limited per site. */
#ifndef FRESHET_LOG_H
#define FRESHET_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

enum {
    LOG_LINE_MAX = 2048,    /* longer lines are cut, with "..." at the end */
    LOG_SITE_BURST = 10,    /* lines a site may write ... */
    LOG_SITE_PERIOD_S = 10, /* ... in this time; the number of the suppressed is said afterwards */
};

/*
 * Where lines go. now_ms gives wall time for the line and for rate limits (the base layer has no
 * clock of its own); write takes one line with its end of line; NULL writes to file
 * descriptor 2, as the default sink does, which knows no time.
 */
struct log_sink {
    int64_t (*now_ms)(void);
    void (*write)(const char *line, size_t len);
    bool json;      /* JSON objects instead of logfmt */
    bool with_time; /* put ts= in front: not under journald, which has its own */
};

void log_configure(const struct log_sink *sink);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* One per call site: its share of the rate limit. */
struct log_site {
    int64_t period_start_ms;
    uint32_t lines;
    uint32_t suppressed;
};

/*
 * log_info("redis_connected", "host=%s port=%d", host, port): the first argument names the event,
 * the rest are key=value pairs. A value that may hold blanks or quotes is given with %Q (a
 * const char *, quoted and escaped by the log). Safe to call from any thread.
 */
void log_line(struct log_site *site, enum log_level level, const char *event, const char *format,
              ...);

#define LOG_AT(level, event, ...)                                                                  \
    do {                                                                                           \
        static struct log_site log_site_;                                                          \
        log_line(&log_site_, level, event, __VA_ARGS__);                                           \
    } while (0)
#define log_error(event, ...)   LOG_AT(LOG_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) LOG_AT(LOG_WARNING, event, __VA_ARGS__)
#define log_info(event, ...)    LOG_AT(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...)   LOG_AT(LOG_DEBUG, event, __VA_ARGS__)

#endif
