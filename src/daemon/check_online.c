/* Asks Kafka, the registry and Redis at the same time, and waits for the slowest. */
#include "check_online.h"

#include <stdio.h>
#include <string.h>

#include "check_sample.h"
#include "kafka.h"
#include "log.h"
#include "pool.h"
#include "redis.h"
#include "registry.h"

enum {
    TICK_MS = 50,
    PROGRESS_MS = 1000,
    INFO_MS = 1000, /* a user without the right to INFO gets no answer to wait for */
    TOPIC_CONFIG_MS = 4000, /* nor one without the right to the topic's configuration */
    CLOSE_MS = 2000,
};

struct online {
    uv_loop_t loop;
    uv_timer_t tick;
    const struct config *config;
    const struct model *model;
    struct config_errors *errors;
    struct text *out;
    uint64_t started_ms, progress_ms;
    int64_t sample_wanted;
    struct registry *registry;
    struct redis *redis;
    struct kafka *kafka;
    struct check_sample *sample;
    /* an answer is here, good or bad */
    bool registry_told, redis_told, topic_told, sample_told;
    bool sample_complete;
    struct kafka_topic_info topic; /* as far as it is known */
    uint64_t topic_seen_ms;
};

/* ---- answers ---- */

static void on_registry(void *context, const char *error)
{
    struct online *online = context;
    online->registry_told = true;
    if (error)
        config_complain(online->config, CONFIG_ROW_schema_registry, 0, online->errors,
                        "does not answer: %s (is it running, and is this its address?)", error);
    else
        text_append_string(online->out, "registry   answers\n");
}

static void look_at_redis(struct online *online)
{
    const struct redis_health *health = redis_health(online->redis);
    bool hopeless = health->trouble == REDIS_TROUBLE_DENIED ||
                    health->trouble == REDIS_TROUBLE_CLUSTER ||
                    health->trouble == REDIS_TROUBLE_REPLICA;
    bool patient = health->info.version[0] != '\0' ||
                   uv_now(&online->loop) - health->since_ms > INFO_MS;
    if (hopeless) {
        config_complain(online->config, CONFIG_ROW_redis_url, 0, online->errors, "%s (%s)",
                        health->error, redis_error_trouble_sentence(health->trouble));
        online->redis_told = true;
    } else if (health->connected && health->trouble == REDIS_TROUBLE_NONE && patient) {
        text_printf(online->out, "redis      version %s, maxmemory-policy %s\n",
                    health->info.version[0] ? health->info.version : "unknown",
                    health->info.maxmemory_policy[0] ? health->info.maxmemory_policy : "unknown");
        if (redis_info_evicts(&health->info))
            config_warn(online->config, CONFIG_ROW_redis_url, online->errors,
                        "Redis drops rows when its memory is full: maxmemory-policy is %s (set "
                        "noeviction)", health->info.maxmemory_policy);
        online->redis_told = true;
    }
}

static void judge_record_times(struct online *online, const struct kafka_topic_info *info)
{
    if (info->timestamp_type[0] == '\0')
        config_warn(online->config, CONFIG_ROW_kafka_topic, online->errors,
                    "whether record times can be trusted is unknown: the brokers do not say "
                    "(allow DescribeConfigs on the topic)");
    else if (strcmp(info->timestamp_type, "CreateTime") == 0 &&
             info->timestamp_after_max_ms == INT64_MAX)
        config_warn(online->config, CONFIG_ROW_kafka_topic, online->errors,
                    "record times are what producers say, without a bound: one wrong clock could "
                    "make everything after it late (set message.timestamp.after.max.ms, or "
                    "message.timestamp.type = LogAppendTime)");
}

static void tell_topic(struct online *online)
{
    const struct kafka_topic_info *info = &online->topic;
    online->topic_told = true;
    text_printf(online->out, "kafka      topic %s has %d partitions, record times %s\n",
                online->config->kafka_topic, info->partition_count,
                info->timestamp_type[0] ? info->timestamp_type : "unknown");
    judge_record_times(online, info);
    if (online->sample)
        check_sample_start(online->sample, online->kafka, info->partition_count);
}

/* The partition count comes first, the topic's configuration a moment later, if at all. */
static void on_topic(void *data, const struct kafka_topic_info *info)
{
    struct online *online = data;
    if (online->topic_told || info->partition_count <= 0)
        return;
    if (online->topic.partition_count == 0)
        online->topic_seen_ms = uv_now(&online->loop);
    online->topic = *info;
    if (info->timestamp_type[0])
        tell_topic(online);
}

static void on_trouble(void *data, enum kafka_trouble trouble, int32_t partition, const char *text)
{
    struct online *online = data;
    (void)partition;
    bool hopeless = trouble == KAFKA_TROUBLE_TOPIC || trouble == KAFKA_TROUBLE_AUTHENTICATION;
    if (!hopeless || online->topic_told)
        return;
    config_complain(online->config, CONFIG_ROW_kafka_topic, 0, online->errors,
                    "%s (create it, or allow it to this user)", text);
    online->topic_told = online->sample_told = true;
}

static void on_ready(void *data)
{
    struct online *online = data;
    struct kafka_message message;
    if (online->sample)
        check_sample_poll(online->sample, online->kafka);
    else if (kafka_poll(online->kafka, &message, 1) > 0)
        kafka_message_done(message.owner);
}

static void on_partitions(void *data, const int32_t *partitions, size_t count)
{
    (void)data, (void)partitions, (void)count; /* of a group; we are in none */
}

static void on_revoke(void *data, const int32_t *partitions, size_t count, bool lost)
{
    struct online *online = data;
    (void)partitions, (void)count, (void)lost;
    kafka_unassign(online->kafka);
}

static void on_end(void *data, int32_t partition, int64_t offset)
{
    (void)data, (void)partition, (void)offset; /* the sample knows where it ends */
}

static const struct kafka_handlers handlers = {
    .on_ready = on_ready,
    .on_assign = on_partitions,
    .on_revoke = on_revoke,
    .on_end = on_end,
    .on_trouble = on_trouble,
    .on_topic = on_topic,
};

static void on_sample(void *context)
{
    struct online *online = context;
    online->sample_told = online->sample_complete = true;
}

/* ---- the run ---- */

static void start_kafka(struct online *online)
{
    const struct config *config = online->config;
    char error[KAFKA_ERROR_TEXT];
    size_t count = (size_t)config->kafka_property_count;
    struct kafka_property *properties = memory_alloc((count + 1) * sizeof *properties);
    for (size_t i = 0; i < count; i++)
        properties[i] = (struct kafka_property){config->kafka_properties[i].name,
                                                config->kafka_properties[i].value};
    struct kafka_options options = {
        .bootstrap = config->kafka_bootstrap_servers,
        .topic = config->kafka_topic,
        .properties = properties,
        .property_count = count,
    };
    online->sample_told = online->sample_wanted == 0;
    if (online->sample_wanted > 0) {
        online->sample = check_sample_open(&online->loop, config, online->model,
                                           online->sample_wanted, on_sample, online, error);
        if (!online->sample)
            config_complain(config, CONFIG_ROW_schema_framing, 0, online->errors, "%s", error);
        online->sample_told = !online->sample;
    }
    online->kafka = kafka_open(&online->loop, &options, &handlers, online, error);
    if (!online->kafka) {
        config_complain(config, CONFIG_ROW_kafka_bootstrap_servers, 0, online->errors, "%s",
                        error);
        online->topic_told = online->sample_told = true;
    }
    memory_free(properties);
}

static void start_registry(struct online *online)
{
    const struct config *config = online->config;
    char error[REGISTRY_ERROR_MAX];
    struct registry_options options = {
        .url = config->schema_registry,
        .user = config->schema_registry_user,
        .password = config->schema_registry_password,
        .timeout_ms = config->schema_registry_timeout.ms,
    };
    online->registry_told = config->schema_framing != CONFIG_SCHEMA_FRAMING_CONFLUENT;
    if (online->registry_told)
        return;
    online->registry = registry_open(&online->loop, &options, error);
    if (online->registry)
        registry_probe(online->registry, on_registry, online);
    else
        on_registry(online, error);
}

static void start_redis(struct online *online)
{
    const struct config *config = online->config;
    struct redis_options options = {
        .address = config->redis,
        .user = config->redis_user,
        .password = config->redis_password,
        .client_name = "freshet-check",
        .limits = {config->redis_connect_timeout.ms, config->redis_reply_timeout.ms,
                   (size_t)config->redis_max_inflight},
    };
    online->redis = redis_open(&online->loop, &options);
}

/* What has not answered in time. */
static void complain_silent(struct online *online)
{
    if (!online->registry_told)
        on_registry(online, "no answer in time");
    if (!online->redis_told)
        config_complain(online->config, CONFIG_ROW_redis_url, 0, online->errors,
                        "cannot be reached: %s (is it running, and is this its address?)",
                        redis_health(online->redis)->error);
    if (!online->topic_told) {
        const char *text = kafka_trouble_text(online->kafka);
        config_complain(online->config, CONFIG_ROW_kafka_bootstrap_servers, 0, online->errors,
                        "no answer: %s (is it running, and is this its address?)",
                        *text ? text : "no broker can be reached");
    } else if (!online->sample_told) {
        int64_t seen, wanted;
        check_sample_progress(online->sample, &seen, &wanted);
        config_complain(online->config, CONFIG_ROW_kafka_topic, 0, online->errors,
                        "only %lld of %lld records of the sample came in time (ask for fewer)",
                        (long long)seen, (long long)wanted);
    }
}

static void nothing(void *context)
{
    (void)context;
}

static void finish(struct online *online)
{
    complain_silent(online);
    uv_close((uv_handle_t *)&online->tick, NULL);
    if (online->sample_complete)
        check_sample_report(online->sample, online->out, online->errors);
    if (online->sample)
        check_sample_close(online->sample, nothing, NULL);
    if (online->registry)
        registry_close(online->registry, nothing, NULL);
    redis_close(online->redis, nothing, NULL);
    if (online->kafka)
        kafka_close(online->kafka, CLOSE_MS, nothing, NULL);
    online->sample = NULL;
}

static void say_progress(struct online *online, uint64_t now_ms)
{
    int64_t seen, wanted;
    if (!online->sample || now_ms - online->progress_ms < PROGRESS_MS)
        return;
    online->progress_ms = now_ms;
    check_sample_progress(online->sample, &seen, &wanted);
    if (wanted == 0)
        return;
    fprintf(stderr, "sample: %lld of %lld records\n", (long long)seen, (long long)wanted);
}

static void on_tick(uv_timer_t *timer)
{
    struct online *online = timer->data;
    uint64_t now_ms = uv_now(&online->loop);
    if (!online->redis_told)
        look_at_redis(online);
    if (!online->topic_told && online->topic.partition_count > 0 &&
        now_ms - online->topic_seen_ms > TOPIC_CONFIG_MS)
        tell_topic(online);
    say_progress(online, now_ms);
    bool all = online->registry_told && online->redis_told && online->topic_told &&
               online->sample_told;
    uint64_t limit_ms = CHECK_ONLINE_MS;
    if (online->topic_told && online->sample_wanted > 0)
        limit_ms += CHECK_SAMPLE_MS;
    if (all || now_ms - online->started_ms > limit_ms)
        finish(online);
}

void check_online(const struct config *config, const struct model *model, int64_t sample,
                  struct text *out, struct config_errors *errors)
{
    struct online online = {
        .config = config,
        .model = model,
        .errors = errors,
        .out = out,
        .sample_wanted = sample,
    };
    log_set_level(LOG_ERROR); /* what goes wrong is told in our own words, with what to do */
    uv_loop_init(&online.loop);
    uv_timer_init(&online.loop, &online.tick);
    online.tick.data = &online;
    online.started_ms = online.progress_ms = uv_now(&online.loop);
    start_registry(&online);
    start_redis(&online);
    start_kafka(&online);
    uv_timer_start(&online.tick, on_tick, TICK_MS, TICK_MS);
    uv_run(&online.loop, UV_RUN_DEFAULT);
    uv_loop_close(&online.loop);
}
