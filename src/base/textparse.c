/* Parsers of what people write in configuration: each is strict, and takes the whole string. */
#include <string.h>
#include <time.h>

#include "text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits at *at; false without one, or on overflow. */
static bool take_number(const char **at, int64_t *number)
{
    if (!is_digit(**at))
        return false;
    *number = 0;
    for (; is_digit(**at); ++*at)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, **at - '0', number))
            return false;
    return true;
}

/* Reads exactly count digits at *at as a number from low to high. */
static bool take_digits(const char **at, int count, int low, int high, int *number)
{
    *number = 0;
    for (int k = 0; k < count; k++, ++*at) {
        if (!is_digit(**at))
            return false;
        *number = *number * 10 + (**at - '0');
    }
    return *number >= low && *number <= high;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

bool text_parse_long(const char *string, int64_t *number)
{
    bool negative = *string == '-';
    const char *at = string + negative;
    if (!is_digit(*at))
        return false;
    int64_t value = 0; /* counted downwards, because INT64_MIN has no positive twin */
    for (; is_digit(*at); at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *at - '0', &value))
            return false;
    if (*at || (!negative && value == INT64_MIN))
        return false;
    *number = negative ? value : -value;
    return true;
}

struct unit {
    const char *name;
    int64_t factor;
};

/* The unit at *at, from units[from] on; units are sorted so that the longer of two fits first. */
static int take_unit(const char **at, const struct unit *units, int from)
{
    for (int k = from; units[k].name; k++) {
        size_t len = strlen(units[k].name);
        const char *after = *at + len;
        if (strncmp(*at, units[k].name, len) == 0 && (*after == '\0' || is_digit(*after))) {
            *at = after;
            return k;
        }
    }
    return -1;
}

bool text_parse_duration(const char *string, int64_t *ms)
{
    static const struct unit units[] = {{"w", 604800000}, {"d", 86400000}, {"h", 3600000},
                                        {"m", 60000},     {"s", 1000},     {"ms", 1},
                                        {NULL, 0}};
    if (strcmp(string, "0") == 0) {
        *ms = 0;
        return true;
    }
    int64_t sum = 0;
    int next = 0; /* units only become smaller: 30m1h is more likely a slip than a wish */
    const char *at = string;
    do {
        int64_t number;
        if (!take_number(&at, &number))
            return false;
        int k = take_unit(&at, units, next);
        if (k < 0 || __builtin_mul_overflow(number, units[k].factor, &number) ||
            __builtin_add_overflow(sum, number, &sum))
            return false;
        next = k + 1;
    } while (*at);
    *ms = sum;
    return true;
}

bool text_parse_size(const char *string, int64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},          {"kB", 1000},     {"MB", 1000000},  {"GB", 1000000000},
        {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
    const char *at = string;
    int64_t number;
    if (!take_number(&at, &number))
        return false;
    int k = take_unit(&at, units, 0);
    return k >= 0 && *at == '\0' && !__builtin_mul_overflow(number, units[k].factor, bytes);
}

bool text_parse_time_of_day(const char *string, int64_t *ms)
{
    if (strcmp(string, "off") == 0) {
        *ms = -1;
        return true;
    }
    const char *at = string;
    int hour;
    int minute;
    int second = 0;
    if (!take_digits(&at, 2, 0, 23, &hour) || !take_char(&at, ':') ||
        !take_digits(&at, 2, 0, 59, &minute))
        return false;
    if (*at && (!take_char(&at, ':') || !take_digits(&at, 2, 0, 59, &second)))
        return false;
    if (*at)
        return false;
    *ms = ((hour * 60 + minute) * 60 + second) * (int64_t)1000;
    return true;
}

bool text_parse_zone(const char *string, int64_t *ms)
{
    if (strcmp(string, "Z") == 0) {
        *ms = 0;
        return true;
    }
    const char *at = string;
    bool west = *at == '-';
    if (!west && *at != '+')
        return false;
    at++;
    int hour;
    int minute;
    if (!take_digits(&at, 2, 0, 23, &hour) || !take_char(&at, ':') ||
        !take_digits(&at, 2, 0, 59, &minute) || *at)
        return false;
    int64_t offset = (hour * 60 + minute) * (int64_t)60000;
    *ms = west ? -offset : offset;
    return true;
}

bool text_parse_bool(const char *string, bool *value)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (int k = 0; k < 8; k++) {
        if (strcmp(string, words[k]) == 0) {
            *value = k & 1;
            return true;
        }
    }
    return false;
}

/* Fractions beyond ms are cut off, as those of micros and nanos are in events. */
static bool take_fraction(const char **at, int *ms)
{
    *ms = 0;
    int digits = 0;
    for (; is_digit(**at) && digits < 9; ++*at, digits++)
        if (digits < 3)
            *ms = *ms * 10 + (**at - '0');
    for (int k = digits; k < 3; k++)
        *ms *= 10;
    return digits > 0;
}

bool text_parse_event_time(const char *string, int64_t *ms)
{
    if (text_parse_long(string, ms))
        return true;
    const char *at = string;
    struct tm tm = {0};
    int fraction = 0;
    int64_t zone = 0;
    if (!take_digits(&at, 4, 1, 9999, &tm.tm_year) || !take_char(&at, '-') ||
        !take_digits(&at, 2, 1, 12, &tm.tm_mon) || !take_char(&at, '-') ||
        !take_digits(&at, 2, 1, 31, &tm.tm_mday) || !take_char(&at, 'T') ||
        !take_digits(&at, 2, 0, 23, &tm.tm_hour) || !take_char(&at, ':') ||
        !take_digits(&at, 2, 0, 59, &tm.tm_min) || !take_char(&at, ':') ||
        !take_digits(&at, 2, 0, 59, &tm.tm_sec))
        return false;
    if (*at == '.' && (at++, !take_fraction(&at, &fraction)))
        return false;
    if (*at && !text_parse_zone(at, &zone))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int day = tm.tm_mday;
    int64_t seconds = timegm(&tm);
    if (tm.tm_mday != day) /* 31 April became 1 May */
        return false;
    *ms = seconds * 1000 + fraction - zone;
    return true;
}
