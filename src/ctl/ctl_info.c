/* INFO is the interface between daemon and tools: lines name:value in sections "# Name". */
#include "ctl_info.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "pool.h"

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void parse(struct ctl_info *info)
{
    const char *section = "";
    size_t lines = 1;
    for (const char *at = info->text; *at != '\0'; at++)
        lines += *at == '\n';
    info->fields = memory_alloc(lines * sizeof *info->fields);
    char *rest = info->text, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        line[strcspn(line, "\r")] = '\0';
        char *colon = strchr(line, ':');
        if (line[0] == '#') {
            section = line + 1 + strspn(line + 1, " ");
        } else if (colon != NULL) {
            *colon = '\0';
            info->fields[info->count++] = (struct ctl_info_field){section, line, colon + 1};
        }
    }
}

bool ctl_info_ask(struct ctl_link *link, struct ctl_info *info)
{
    const char *words[] = {"INFO"};
    *info = (struct ctl_info){.at_ms = monotonic_ms()};
    redisReply *reply = ctl_link_ask(link, 1, words);
    if (reply == NULL)
        return false;
    bool is_info = reply->type == REDIS_REPLY_STRING;
    if (is_info) {
        info->text = memory_strdup(reply->str);
        parse(info);
    } else {
        snprintf(link->error, sizeof link->error, "%s: INFO is not answered: %s", link->path,
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "no text");
    }
    freeReplyObject(reply);
    return is_info;
}

void ctl_info_free(struct ctl_info *info)
{
    memory_free(info->text);
    memory_free(info->fields);
    *info = (struct ctl_info){0};
}

const char *ctl_info_string(const struct ctl_info *info, const char *name)
{
    for (size_t i = 0; i < info->count; i++)
        if (strcmp(info->fields[i].name, name) == 0)
            return info->fields[i].value;
    return "";
}

int64_t ctl_info_number(const struct ctl_info *info, const char *name)
{
    return strtoll(ctl_info_string(info, name), NULL, 10);
}

int64_t ctl_info_part(const char *value, const char *name, int64_t fallback)
{
    size_t len = strlen(name);
    for (const char *at = value; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            return strtoll(at + len + 1, NULL, 10);
    }
    return fallback;
}

/* JSON */

static bool is_number(const char *value, size_t len)
{
    size_t at = len > 0 && value[0] == '-', digits = 0, points = 0;
    if (len > at + 1 && value[at] == '0' && value[at + 1] != '.')
        return false;
    for (; at < len; at++) {
        digits += isdigit((unsigned char)value[at]) != 0;
        points += value[at] == '.';
        if (!isdigit((unsigned char)value[at]) && value[at] != '.')
            return false;
    }
    return digits > 0 && points <= 1 && value[len - 1] != '.';
}

static void append_value(struct text *out, const char *value, size_t len)
{
    if (is_number(value, len))
        text_append(out, value, len);
    else
        text_append_json_string(out, value, len);
}

static void append_name(struct text *out, const char *name, size_t len, bool first)
{
    text_append_string(out, first ? "" : ", ");
    text_append_json_string(out, name, len);
    text_append_string(out, ": ");
}

/* "partition=0,offset=12" as {"partition": 0, "offset": 12}. */
static void append_parts(struct text *out, const char *value)
{
    text_append_char(out, '{');
    for (bool first = true; *value != '\0'; first = false) {
        size_t len = strcspn(value, ","), name = strcspn(value, "=,");
        append_name(out, value, name, first);
        append_value(out, value + name + (name < len), len - name - (name < len));
        value += len + (value[len] == ',');
    }
    text_append_char(out, '}');
}

static void append_list(struct text *out, const char *value)
{
    text_append_char(out, '[');
    for (bool first = true; *value != '\0'; first = false) {
        size_t len = strcspn(value, ",");
        text_append_string(out, first ? "" : ", ");
        text_append_json_string(out, value, len);
        value += len + (value[len] == ',');
    }
    text_append_char(out, ']');
}

static void append_section(const struct ctl_info *info, const char *section, struct text *out)
{
    bool is_shards = strcasecmp(section, "Shards") == 0, first = true;
    text_append_char(out, is_shards ? '[' : '{');
    for (size_t i = 0; i < info->count; i++) {
        const struct ctl_info_field *field = &info->fields[i];
        if (strcasecmp(field->section, section) != 0)
            continue;
        const char *name = field->name;
        if (strncmp(name, "fate_", 5) == 0)
            name += 5;
        if (is_shards)
            text_append_string(out, first ? "" : ", ");
        else
            append_name(out, name, strlen(name), first);
        first = false;
        if (strcmp(name, "alarms") == 0)
            append_list(out, field->value);
        else if (is_shards)
            append_parts(out, field->value);
        else
            append_value(out, field->value, strlen(field->value));
    }
    text_append_char(out, is_shards ? ']' : '}');
}

void ctl_info_json(const struct ctl_info *info, const char *section, struct text *out)
{
    const char *last = "";
    bool first = true;
    if (section != NULL) {
        append_section(info, section, out);
        return;
    }
    text_append_char(out, '{');
    for (size_t i = 0; i < info->count; i++) {
        char lower[64];
        if (strcmp(info->fields[i].section, last) == 0)
            continue;
        last = info->fields[i].section;
        snprintf(lower, sizeof lower, "%s", last);
        for (char *at = lower; *at != '\0'; at++)
            *at = (char)tolower((unsigned char)*at);
        append_name(out, lower, strlen(lower), first);
        append_section(info, last, out);
        first = false;
    }
    text_append_char(out, '}');
}
