/* A growable byte buffer for text and protocol output, and parsers of the units people write. */
#ifndef FRESHET_TEXT_H
#define FRESHET_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty text. data is always terminated once anything was appended. */
struct text {
    char *data;
    size_t len;
    size_t capacity;
};

void text_free(struct text *text);
void text_clear(struct text *text); /* keeps the memory */
void text_append(struct text *text, const void *bytes, size_t len);
void text_append_string(struct text *text, const char *string);
void text_append_char(struct text *text, char c);
void text_append_long(struct text *text, int64_t number);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
/* Makes room for len more bytes and returns where they go; the caller then adds to text->len. */
char *text_reserve(struct text *text, size_t len);
/* Appends a JSON string with its quotes; invalid UTF-8 bytes become U+FFFD. */
void text_append_json_string(struct text *text, const char *bytes, size_t len);
/* Bytes as UTF-8 text of which each code point is a byte (ISO-8859-1). */
void text_append_latin1(struct text *text, const char *bytes, size_t len);
/* The same as a JSON string. */
void text_append_json_bytes(struct text *text, const char *bytes, size_t len);

/* Decimal digits of number to out (at least 20 bytes, no terminator); returns how many. */
size_t text_format_long(char *out, int64_t number);

/* Each parser takes the whole string, returns false when it is anything else. */
bool text_parse_long(const char *string, int64_t *number);
/* 250ms 30s 5m 24h 30d 2w, sums with the greater unit first: 1h30m; bare 0. Never negative. */
bool text_parse_duration(const char *string, int64_t *ms);
/* 4096, 64KiB, 64MiB, 1GiB, also kB MB GB. Never negative. */
bool text_parse_size(const char *string, int64_t *bytes);
bool text_parse_time_of_day(const char *string, int64_t *ms); /* 04:00, 04:00:30; off = -1 */
bool text_parse_zone(const char *string, int64_t *ms);        /* +02:00, -05:30, Z */
bool text_parse_bool(const char *string, bool *value);        /* yes no true false on off 1 0 */
/* 2026-01-31T00:00:00[.123][Z|+02:00], or a number of ms since the epoch. */
bool text_parse_event_time(const char *string, int64_t *ms);

/* 2026-01-31T00:00:00.000Z, which parses back; beyond the years 1 to 9999 the number of ms, and "-"
 * for INT64_MIN and INT64_MAX, which stand for no time. */
void text_append_event_time(struct text *text, int64_t ms);
/* A duration in days to ms that parses back: 90000 -> "1m30s", 0 -> "0"; negative with a minus. */
void text_append_duration(struct text *text, int64_t ms);

/* The word of words (ended by NULL) that word was probably meant to be, or NULL. */
const char *text_nearest(const char *word, const char *const *words);

#endif
