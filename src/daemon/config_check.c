/* What a value means beyond its type, and what several mean together. */
#include "config_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "readfile.h"

enum { DAY_MS = 86400000, HOUR_MS = 3600000 };

/* False when the value was complained about: what it means need not be looked at. */
static bool usable(const struct config *config, enum config_row_id id)
{
    return !config->origins[id].wrong;
}

static bool is_topic(const char *topic)
{
    static const char legal[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return topic[strspn(topic, legal)] == '\0' && strcmp(topic, ".") != 0 &&
           strcmp(topic, "..") != 0;
}

static void check_topic(const struct config *config, enum config_row_id id, const char *topic,
                        struct config_errors *errors)
{
    if (!usable(config, id) || *topic == '\0' || is_topic(topic))
        return;
    config_complain(config, id, 0, errors,
                    "\"%s\" is no topic name (letters, digits, `.`, `_` and `-` only)", topic);
}

static void check_kafka(struct config *config, struct config_errors *errors)
{
    check_topic(config, CONFIG_ROW_kafka_topic, config->kafka_topic, errors);
    check_topic(config, CONFIG_ROW_late_topic, config->late_topic, errors);
    check_topic(config, CONFIG_ROW_late_dead_letter_topic, config->late_dead_letter_topic, errors);
    if (strcmp(config->late_topic, config->kafka_topic) == 0)
        config_complain(config, CONFIG_ROW_late_topic, 0, errors,
                        "is the input topic, so late records would come back (name another)");
    if (strcmp(config->late_dead_letter_topic, config->kafka_topic) == 0)
        config_complain(config, CONFIG_ROW_late_dead_letter_topic, 0, errors,
                        "is the input topic, so bad records would come back (name another)");
    if (strpbrk(config->kafka_group_id, "{}"))
        config_complain(config, CONFIG_ROW_kafka_group_id, 0, errors,
                        "has { or }, which mean something in names of Redis keys (leave them out)");
    if (strcmp(config->kafka_start, "beginning") == 0)
        config->start.kind = CONFIG_START_BEGINNING;
    else if (strcmp(config->kafka_start, "latest") == 0)
        config->start.kind = CONFIG_START_LATEST;
    else if (strcmp(config->kafka_start, "rebuild") == 0)
        config->start.kind = CONFIG_START_REBUILD;
    else if (text_parse_event_time(config->kafka_start, &config->start.at.ms))
        config->start.kind = CONFIG_START_TIME;
    else
        config_complain(config, CONFIG_ROW_kafka_start, 0, errors,
                        "\"%s\" is no start (write beginning, rebuild, latest, or a time such as "
                        "2026-01-31T00:00:00Z)", config->kafka_start);
}

/* The list of files, each beside the configuration file. */
static void resolve_writers(struct config *config)
{
    struct text list = {0};
    const char *rest = config->schema_writers;
    while (*rest) {
        size_t len = strcspn(rest, ",");
        struct text path = {0};
        while (len > 0 && strchr(" \t", *rest))
            rest++, len--;
        size_t trimmed = len;
        while (trimmed > 0 && strchr(" \t", rest[trimmed - 1]))
            trimmed--;
        text_append(&path, rest, trimmed);
        char *resolved = readfile_beside(config->path, path.data ? path.data : "");
        if (*resolved)
            text_printf(&list, "%s%s", list.len > 0 ? "," : "", resolved);
        memory_free(resolved);
        text_free(&path);
        rest += len;
        rest += *rest == ',';
    }
    memory_free(config->schema_writers);
    config->schema_writers = memory_strdup(list.data ? list.data : "");
    text_free(&list);
}

static void check_registry(const struct config *config, struct config_errors *errors)
{
    const char *url = config->schema_registry;
    bool http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    const char *host = http ? strstr(url, "://") + 3 : url;
    size_t host_len = strcspn(host, "/?#");
    if (!http || host_len == 0)
        config_complain(config, CONFIG_ROW_schema_registry, 0, errors,
                        "is no address (write http://HOST:PORT or https://HOST:PORT, "
                        "with a path if the registry has one)");
    else if (memchr(host, '@', host_len))
        config_complain(config, CONFIG_ROW_schema_registry, 0, errors,
                        "has a user in it (use schema.registry_user and "
                        "schema.registry_password)");
    if (*config->schema_registry_password && !*config->schema_registry_user)
        config_complain(config, CONFIG_ROW_schema_registry_password, 0, errors,
                        "has no user (set schema.registry_user)");
}

static void check_schema(struct config *config, struct config_errors *errors)
{
    resolve_writers(config);
    if (*config->schema_registry)
        check_registry(config, errors);
    if (!usable(config, CONFIG_ROW_schema_framing))
        return;
    if (*config->schema_registry == '\0' &&
        config->schema_framing == CONFIG_SCHEMA_FRAMING_CONFLUENT &&
        usable(config, CONFIG_ROW_schema_registry))
        config_complain(config, CONFIG_ROW_schema_framing, 0, errors,
                        "confluent needs a registry (set schema.registry, or another framing)");
    if (config->schema_framing == CONFIG_SCHEMA_FRAMING_SINGLE_OBJECT &&
        usable(config, CONFIG_ROW_schema_writers) && *config->schema_writers == '\0')
        config_complain(config, CONFIG_ROW_schema_framing, 0, errors,
                        "single_object needs schemas (set schema.writers to their files)");
}

static void check_time(struct config *config, struct config_errors *errors)
{
    int64_t least_ms = clock_add_ms(config->session_lateness.ms, config->session_gap.ms);
    struct text least = {0};
    text_append_duration(&least, least_ms);
    config->window_lateness = config->time_window_lateness;
    if (config->time_window_lateness.ms == 0)
        config->window_lateness.ms = least_ms > HOUR_MS ? least_ms : HOUR_MS;
    else if (config->time_window_lateness.ms < least_ms)
        config_complain(config, CONFIG_ROW_time_window_lateness, 0, errors,
                        "is less than session.lateness + session.gap (write at least %s, or 0)",
                        least.data);
    text_free(&least);
    int64_t every_ms = config->session_cut_every.ms;
    if (config->session_cut_at >= 0 && DAY_MS % every_ms != 0 && every_ms % DAY_MS != 0)
        config_complain(config, CONFIG_ROW_session_cut_every, 0, errors,
                        "would cut at other times every day (write a part of a day such as 1h, "
                        "6h or 12h, or whole days)");
}

static void check_redis(struct config *config, struct config_errors *errors)
{
    char err[512];
    if (usable(config, CONFIG_ROW_redis_url) &&
        !redis_address_parse(config->redis_url, &config->redis, err, sizeof err))
        config_complain(config, CONFIG_ROW_redis_url, 0, errors, "%s", err);
    if (*config->redis.user && *config->redis_user == '\0') {
        memory_free(config->redis_user);
        config->redis_user = memory_strdup(config->redis.user);
    } else if (*config->redis.user && strcmp(config->redis.user, config->redis_user) != 0) {
        config_complain(config, CONFIG_ROW_redis_user, 0, errors,
                        "is not the user in redis.url (write it in one place)");
    }
    const char *place = strstr(config->redis_key, "{key}");
    if (!place || strstr(place + 1, "{key}"))
        config_complain(config, CONFIG_ROW_redis_key, 0, errors,
                        "\"%s\" must have {key} once (write for example features:{key})",
                        config->redis_key);
}

static void check_sockets(const struct config *config, struct config_errors *errors)
{
    if (*config->control_socket && !strcmp(config->control_socket, config->control_stat_socket))
        config_complain(config, CONFIG_ROW_control_stat_socket, 0, errors,
                        "is control.socket, too (name another, or leave one empty)");
}

static void check_http(struct config *config, struct config_errors *errors)
{
    const char *listen = config->http_listen;
    const char *colon = strrchr(listen, ':');
    if (*listen == '\0' || !usable(config, CONFIG_ROW_http_listen))
        return;
    int64_t port = -1;
    const char *host = listen, *end = colon;
    bool bracketed = colon && *listen == '[' && colon > listen + 1 && colon[-1] == ']';
    if (bracketed)
        host++, end--;
    bool ok = colon && end > host && text_parse_long(colon + 1, &port) && port >= 0 &&
              port <= 65535 && (bracketed || !memchr(host, ':', (size_t)(end - host)));
    if (!ok) {
        config_complain(config, CONFIG_ROW_http_listen, 0, errors,
                        "\"%s\" is no address (write HOST:PORT such as 127.0.0.1:9464 or "
                        "[::1]:9464, or nothing)", listen);
        return;
    }
    struct text name = {0};
    text_append(&name, host, (size_t)(end - host));
    config->http.host = memory_strdup(name.data);
    config->http.port = (int)port;
    text_free(&name);
}

static void resolve_checkpoint_topic(struct config *config, struct config_errors *errors)
{
    struct text name = {0};
    if (config->checkpoint_topic[0])
        text_append_string(&name, config->checkpoint_topic);
    else
        text_printf(&name, "%s-checkpoints", config->kafka_group_id);
    config->checkpoint_topic_name = name.data;
    if (!is_topic(name.data))
        config_complain(config, CONFIG_ROW_checkpoint_topic, 0, errors,
                        "\"%s\" is no topic name (set checkpoint.topic: letters, digits, `.`, `_` "
                        "and `-` only)", name.data);
    const char *const others[] = {config->kafka_topic, config->late_topic,
                                  config->late_dead_letter_topic};
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
        if (strcmp(name.data, others[k]) == 0)
            config_complain(config, CONFIG_ROW_checkpoint_topic, 0, errors,
                            "is a topic of events (name one for checkpoints alone)");
}

/* systemd says in STATE_DIRECTORY, separated by colons, what StateDirectory= of the unit names. */
static void resolve_checkpoints(struct config *config, struct config_errors *errors)
{
    const char *state = getenv("STATE_DIRECTORY");
    bool named = config->checkpoint_dir[0] != '\0';
    if (config->checkpoint_store == CONFIG_CHECKPOINT_STORE_KAFKA) {
        resolve_checkpoint_topic(config, errors);
        return;
    }
    if (config->checkpoint_store == CONFIG_CHECKPOINT_STORE_NONE ||
        (config->checkpoint_store == CONFIG_CHECKPOINT_STORE_AUTO && !named && !state))
        return;
    if (!named && !state) {
        config_complain(config, CONFIG_ROW_checkpoint_store, 0, errors,
                        "needs a directory (set checkpoint.dir, or StateDirectory= in the unit)");
        return;
    }
    struct text path = {0};
    if (named)
        text_append_string(&path, config->checkpoint_dir);
    else
        text_printf(&path, "%.*s/checkpoints", (int)strcspn(state, ":"), state);
    config->checkpoint_path = path.data;
}

void config_check(struct config *config, struct config_errors *errors)
{
    check_kafka(config, errors);
    check_schema(config, errors);
    check_time(config, errors);
    check_redis(config, errors);
    check_sockets(config, errors);
    check_http(config, errors);
    resolve_checkpoints(config, errors);
}
