/* The growable buffer; the parsers of units are in textparse.c. */
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "expect.h"
#include "pool.h"

enum { TEXT_FIRST_CAPACITY = 64 };

void text_free(struct text *text)
{
    memory_free(text->data);
    *text = (struct text){0};
}

void text_clear(struct text *text)
{
    text->len = 0;
    if (text->data)
        text->data[0] = '\0';
}

char *text_reserve(struct text *text, size_t len)
{
    expect(len < SIZE_MAX / 4);
    size_t wanted = text->len + len + 1;
    if (wanted > text->capacity) {
        size_t capacity = text->capacity ? 2 * text->capacity : TEXT_FIRST_CAPACITY;
        text->capacity = capacity < wanted ? wanted : capacity;
        text->data = memory_resize(text->data, text->capacity);
    }
    return text->data + text->len;
}

void text_append(struct text *text, const void *bytes, size_t len)
{
    char *end = text_reserve(text, len);
    if (len)
        memcpy(end, bytes, len);
    end[len] = '\0';
    text->len += len;
}

void text_append_string(struct text *text, const char *string)
{
    text_append(text, string, strlen(string));
}

void text_append_char(struct text *text, char c)
{
    char *end = text_reserve(text, 1);
    end[0] = c;
    end[1] = '\0';
    text->len++;
}

size_t text_format_long(char *out, int64_t number)
{
    char digits[20];
    size_t count = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[count++] = (char)('0' + rest % 10);
    while (rest /= 10);
    size_t len = 0;
    if (number < 0)
        out[len++] = '-';
    while (count)
        out[len++] = digits[--count];
    return len;
}

void text_append_long(struct text *text, int64_t number)
{
    char digits[20];
    text_append(text, digits, text_format_long(digits, number));
}

void text_vprintf(struct text *text, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    expect(len >= 0);
    char *end = text_reserve(text, (size_t)len);
    vsnprintf(end, (size_t)len + 1, format, arguments);
    text->len += (size_t)len;
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(text, format, arguments);
    va_end(arguments);
}

/* Length of the UTF-8 sequence at bytes, 0 when there is no valid one (RFC 3629, section 4). */
static size_t utf8_length(const unsigned char *bytes, size_t len)
{
    unsigned lead = bytes[0];
    if (lead < 0x80)
        return 1;
    size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || wanted > len)
        return 0;
    unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t k = 2; k < wanted; k++)
        if ((bytes[k] & 0xC0) != 0x80)
            return 0;
    return wanted;
}

static void text_append_json_char(struct text *text, unsigned char c)
{
    static const char escapes[][2] = {{'"', '"'},  {'\\', '\\'}, {'\n', 'n'}, {'\r', 'r'},
                                      {'\t', 't'}, {'\b', 'b'},  {'\f', 'f'}};
    for (size_t k = 0; k < sizeof escapes / sizeof escapes[0]; k++) {
        if ((unsigned char)escapes[k][0] == c) {
            text_append_char(text, '\\');
            text_append_char(text, escapes[k][1]);
            return;
        }
    }
    if (c < 0x20 || c == 0x7F)
        text_printf(text, "\\u%04x", c);
    else
        text_append_char(text, (char)c);
}

/* How many bytes from here stand in JSON as they are. */
static size_t plain_length(const unsigned char *bytes, size_t len)
{
    size_t plain = 0;
    while (plain < len && bytes[plain] >= 0x20 && bytes[plain] < 0x7F && bytes[plain] != '"' &&
           bytes[plain] != '\\')
        plain++;
    return plain;
}

void text_append_json_string(struct text *text, const char *bytes, size_t len)
{
    text_append_char(text, '"');
    for (size_t at = 0; at < len;) {
        const unsigned char *here = (const unsigned char *)bytes + at;
        size_t plain = plain_length(here, len - at);
        if (plain > 0) {
            text_append(text, here, plain);
            at += plain;
            continue;
        }
        size_t sequence = utf8_length(here, len - at);
        if (sequence == 0)
            text_append_string(text, "\xEF\xBF\xBD");
        else if (sequence == 1)
            text_append_json_char(text, *here);
        else
            text_append(text, here, sequence);
        at += sequence ? sequence : 1;
    }
    text_append_char(text, '"');
}

void text_append_latin1(struct text *text, const char *bytes, size_t len)
{
    text_append(text, "", 0); /* so that it has data, also when there are no bytes */
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte >= 0x80) {
            text_append_char(text, (char)(0xc0 | byte >> 6));
            byte = 0x80 | (byte & 0x3f);
        }
        text_append_char(text, (char)byte);
    }
}

void text_append_json_bytes(struct text *text, const char *bytes, size_t len)
{
    struct text utf8 = {0};
    text_append_latin1(&utf8, bytes, len);
    text_append_json_string(text, utf8.data, utf8.len);
    text_free(&utf8);
}

void text_append_duration(struct text *text, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } steps[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    if (ms == 0)
        text_append_char(text, '0');
    if (ms < 0)
        text_append_char(text, '-');
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        int64_t count = ms / steps[k].ms;
        ms %= steps[k].ms;
        if (count) {
            char digits[20];
            size_t len = text_format_long(digits, count);
            size_t skip = digits[0] == '-';
            text_append(text, digits + skip, len - skip);
            text_append_string(text, steps[k].unit);
        }
    }
}

void text_append_event_time(struct text *text, int64_t ms)
{
    static const int64_t first_ms = -62135596800000, last_ms = 253402300799999;
    char date[96]; /* room for what gcc believes that the numbers can be */;
    struct tm tm;
    if (ms == INT64_MIN || ms == INT64_MAX) {
        text_append_char(text, '-');
        return;
    }
    if (ms < first_ms || ms > last_ms) {
        text_append_long(text, ms);
        return;
    }
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);
    time_t clock = (time_t)seconds;
    gmtime_r(&clock, &tm);
    tm.tm_year += 1900;
    snprintf(date, sizeof date, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms - seconds * 1000));
    text_append_string(text, date);
}
