/* From text to a field of struct config, and from a field to what people may see of it. */
#include "config_parts.h"

#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "pool.h"
#include "readfile.h"

static void *field_of(const struct config *config, const struct config_row *row)
{
    return (char *)(uintptr_t)config + row->offset;
}

int64_t config_value_number(const struct config *config, const struct config_row *row)
{
    const void *field = field_of(config, row);
    switch (row->type) {
    case CONFIG_BOOL:
        return *(const bool *)field;
    case CONFIG_INT:
    case CONFIG_SIZE:
    case CONFIG_TIME_OF_DAY:
        return *(const int64_t *)field;
    case CONFIG_DURATION:
    case CONFIG_ZONE:
        return ((const struct duration *)field)->ms;
    case CONFIG_CHOICE:
        return *(const unsigned *)field;
    case CONFIG_STRING:
    case CONFIG_PATH:
    case CONFIG_SECRET:
        break;
    }
    unreachable("a string is not a number");
}

static void store_number(struct config *config, const struct config_row *row, int64_t number)
{
    void *field = field_of(config, row);
    if (row->type == CONFIG_BOOL)
        *(bool *)field = number != 0;
    else if (row->type == CONFIG_DURATION || row->type == CONFIG_ZONE)
        ((struct duration *)field)->ms = number;
    else if (row->type == CONFIG_CHOICE)
        *(unsigned *)field = (unsigned)number;
    else
        *(int64_t *)field = number;
}

const char *config_value_string(const struct config *config, const struct config_row *row)
{
    if (row->type != CONFIG_STRING && row->type != CONFIG_PATH && row->type != CONFIG_SECRET)
        return NULL;
    return *(char *const *)field_of(config, row);
}

/* What a number of the row's type looks like, for messages. */
static void append_number(const struct config_row *row, int64_t number, struct text *out)
{
    if (row->type == CONFIG_DURATION)
        text_append_duration(out, number);
    else
        text_append_long(out, number);
}

static const char *const examples[] = {
    [CONFIG_BOOL] = "yes or no",
    [CONFIG_INT] = "a whole number",
    [CONFIG_SIZE] = "a size such as 4096, 64KiB or 16MiB",
    [CONFIG_DURATION] = "a duration such as 250ms, 30s, 1h30m or 7d",
    [CONFIG_TIME_OF_DAY] = "a time of day such as 04:00, or off",
    [CONFIG_ZONE] = "an offset such as +02:00, -05:30 or Z",
};

static bool parse_number(const struct config_row *row, const char *value, int64_t *number)
{
    bool truth = false;
    switch (row->type) {
    case CONFIG_BOOL:
        if (!text_parse_bool(value, &truth))
            return false;
        *number = truth;
        return true;
    case CONFIG_INT:
        return text_parse_long(value, number);
    case CONFIG_SIZE:
        return text_parse_size(value, number);
    case CONFIG_DURATION:
        return text_parse_duration(value, number);
    case CONFIG_TIME_OF_DAY:
        return text_parse_time_of_day(value, number);
    case CONFIG_ZONE:
        return text_parse_zone(value, number);
    default:
        unreachable("not a number");
    }
}

static bool set_number(struct config *config, const struct config_row *row, const char *value,
                       const char *written, char *err, size_t err_size)
{
    int64_t number = 0;
    if (!parse_number(row, value, &number)) {
        snprintf(err, err_size, "\"%s\" is not %s (write one)", written, examples[row->type]);
        return false;
    }
    if (number < row->min || number > row->max) {
        struct text min = {0}, max = {0};
        append_number(row, row->min, &min);
        append_number(row, row->max, &max);
        snprintf(err, err_size, "%s is too %s (at least %s, at most %s)", written,
                 number < row->min ? "small" : "large", min.data, max.data);
        text_free(&min);
        text_free(&max);
        return false;
    }
    store_number(config, row, number);
    return true;
}

static bool set_choice(struct config *config, const struct config_row *row, const char *value,
                       const char *written, char *err, size_t err_size)
{
    struct text words = {0};
    for (unsigned i = 0; row->words[i]; i++) {
        if (strcmp(row->words[i], value) == 0) {
            store_number(config, row, i);
            text_free(&words);
            return true;
        }
        text_printf(&words, "%s%s", i > 0 ? ", " : "", row->words[i]);
    }
    snprintf(err, err_size, "\"%s\" is none of its words (%s)", written, words.data);
    text_free(&words);
    return false;
}

static bool set_string(struct config *config, const struct config_row *row, const char *value,
                       char *err, size_t err_size)
{
    char *string = row->type == CONFIG_PATH ? readfile_beside(config->path, value)
                                            : memory_strdup(value);
    int64_t len = (int64_t)strlen(string);
    if (len < row->min || len > row->max) {
        if (len == 0)
            snprintf(err, err_size, "is not set (set it: %s)", row->sentence);
        else
            snprintf(err, err_size, "has %lld bytes (at least %lld, at most %lld)",
                     (long long)len, (long long)row->min, (long long)row->max);
        memory_free(string);
        return false;
    }
    char **field = field_of(config, row);
    memory_free(*field);
    *field = string;
    return true;
}

bool config_value_set(struct config *config, const struct config_row *row, const char *value,
                      const char *written, char *err, size_t err_size)
{
    switch (row->type) {
    case CONFIG_STRING:
    case CONFIG_PATH:
    case CONFIG_SECRET:
        return set_string(config, row, value, err, err_size);
    case CONFIG_CHOICE:
        return set_choice(config, row, value, written, err, err_size);
    default:
        return set_number(config, row, value, written, err, err_size);
    }
}

void config_value_copy(struct config *to, const struct config *from, const struct config_row *row)
{
    store_number(to, row, config_value_number(from, row));
}

/* scheme://user:password@host: what stands between the second : and the @ becomes stars. */
void config_value_mask_urls(const char *value, struct text *out)
{
    const char *scheme;
    while ((scheme = strstr(value, "://"))) {
        const char *authority = scheme + 3;
        const char *end = authority + strcspn(authority, "/?# ,");
        const char *at = memrchr(authority, '@', (size_t)(end - authority));
        const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
        if (colon) {
            text_append(out, value, (size_t)(colon + 1 - value));
            text_append_string(out, "********");
            value = at;
        }
        text_append(out, value, (size_t)(end - value));
        value = end;
    }
    text_append_string(out, value);
}

void config_append_value(const struct config *config, const struct config_row *row,
                         struct text *out)
{
    const char *written = config->origins[row - config_rows].written;
    if (!written)
        written = row->fallback;
    if (row->type == CONFIG_SECRET && *written)
        text_append_string(out, "********");
    else
        config_value_mask_urls(written, out);
}

void config_append_origin(const struct config *config, const struct config_row *row,
                          struct text *out)
{
    const struct config_origin *origin = &config->origins[row - config_rows];
    if (!origin->written)
        text_append_string(out, "default");
    else if (origin->line > 0)
        text_printf(out, "%s:%d", origin->place, origin->line);
    else
        text_append_string(out, origin->place);
}
