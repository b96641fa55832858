/* librdkafka properties: what freshet relies on, its defaults, and the user's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kafka_private.h"

/* A user's property that says something else is refused. Each row comes from a rule of the
 * delivery protocol or from a bug of the library. */
static const struct kafka_forced {
    const char *name;
    const char *value; /* NULL: the property must not be set at all */
    const char *why;
} forced[] = {
    {"enable.auto.commit", "false", "offsets are committed only for what Redis has acknowledged"},
    {"enable.auto.offset.store", "false", "freshet keeps the offsets itself"},
    {"auto.offset.reset", "error",
     "a jump in the log must never be silent; see kafka.offset_reset"},
    {"isolation.level", "read_committed", "aborted transactions are not events"},
    {"check.crcs", "true", "a damaged record must not become a feature"},
    {"enable.partition.eof", "true", "an idle partition is known by the end of the log"},
    {"socket.nagle.disable", "true", "small requests must not wait"},
    {"log.queue", "true", "log lines go through freshet's log"},
    {"enable.idempotence", "true", "late records must not be stored twice by a retry"},
    {"acks", "all", "a late record counts when all replicas have it"},
    {"request.required.acks", "all", "a late record counts when all replicas have it"},
    {"delivery.report.only.error", NULL, "every late record is awaited"},
    {"metadata.broker.list", NULL, "set kafka.bootstrap.servers"},
    {"bootstrap.servers", NULL, "set kafka.bootstrap.servers"},
    {"group.id", NULL, "set kafka.group.id"},
};

/* Put in force before the user's own. */
static const struct kafka_property defaults[] = {
    {"client.id", "freshet"},
    {"partition.assignment.strategy", "range"},
    {"statistics.interval.ms", "30000"},
    {"queued.max.messages.kbytes", "131072"},
    {"fetch.message.max.bytes", "4194304"},
    {"topic.metadata.refresh.interval.ms", "30000"},
    {"reconnect.backoff.max.ms", "2000"},
    {"linger.ms", "5"},
};

/* librdkafka warns of a property that the other kind of client has; one list serves both here. */
static const struct {
    const char *prefix;
    bool producer; /* else of the consumer */
} sides[] = {
    {"acks", true},
    {"request.required.acks", true},
    {"request.timeout", true},
    {"enable.idempotence", true},
    {"linger.", true},
    {"batch.", true},
    {"queue.buffering.", true},
    {"compression.", true},
    {"delivery.", true},
    {"message.timeout.", true},
    {"message.send.", true},
    {"partitioner", true},
    {"retries", true},
    {"group.", false},
    {"session.", false},
    {"heartbeat.", false},
    {"max.poll.", false},
    {"fetch.", false},
    {"queued.", false},
    {"auto.", false},
    {"enable.auto.", false},
    {"enable.partition.eof", false},
    {"partition.assignment.", false},
    {"isolation.level", false},
    {"check.crcs", false},
    {"coordinator.", false},
    {"allow.auto.create.topics", false},
};

enum {
    FETCH_BACKOFF_VERSION = 0x02020000, /* the first that has fetch.queue.backoff.ms */
    CLIENT_ID_MAX = 64,                 /* longer ones overrun a buffer of some brokers' metrics */
    STATISTICS_INTERVAL_MIN_MS = 10000,
};

static bool contradicts(const char *name, const char *value, char *error)
{
    for (size_t i = 0; i < sizeof forced / sizeof *forced; i++) {
        if (strcmp(name, forced[i].name) != 0)
            continue;
        if (forced[i].value && !strcasecmp(value, forced[i].value))
            return false;
        snprintf(error, KAFKA_ERROR_TEXT, "%s is %s: %s", name,
                 forced[i].value ? forced[i].value : "not for you to set", forced[i].why);
        return true;
    }
    const char *why = NULL;
    if (!strcmp(name, "client.id") && strlen(value) > CLIENT_ID_MAX)
        why = "at most 64 bytes";
    else if (!strcmp(name, "statistics.interval.ms") && strcmp(value, "0") != 0 &&
             atoll(value) < STATISTICS_INTERVAL_MIN_MS)
        why = "0 or at least 10000: statistics cost time in every thread";
    if (!why)
        return !kafka_rebalance_fits(name, value, rd_kafka_version(), error);
    snprintf(error, KAFKA_ERROR_TEXT, "%s: %s", name, why);
    return true;
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value, char *error)
{
    return rd_kafka_conf_set(conf, name, value, error, KAFKA_ERROR_TEXT) == RD_KAFKA_CONF_OK;
}

bool kafka_check_property(const char *name, const char *value, char *error)
{
    if (contradicts(name, value, error))
        return false;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool ok = set(conf, name, value, error);
    rd_kafka_conf_destroy(conf);
    return ok;
}

static bool fits(const char *name, bool producer)
{
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        if (!strncmp(name, sides[i].prefix, strlen(sides[i].prefix)))
            return sides[i].producer == producer;
    return true;
}

static bool set_fitting(rd_kafka_conf_t *conf, bool producer, const char *name, const char *value,
                        char *error)
{
    return !fits(name, producer) || set(conf, name, value, error);
}

static bool set_defaults(rd_kafka_conf_t *conf, bool producer, char *error)
{
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        if (!set_fitting(conf, producer, defaults[i].name, defaults[i].value, error))
            return false;
    /* Older versions stop fetching for a second once queued.min.messages wait: a fast reader
     * would starve, so they get a queue of a second and are bounded by its bytes. */
    if (rd_kafka_version() >= FETCH_BACKOFF_VERSION)
        return set_fitting(conf, producer, "fetch.queue.backoff.ms", "10", error);
    return set_fitting(conf, producer, "queued.min.messages", "1000000", error);
}

static bool set_forced(rd_kafka_conf_t *conf, bool producer, char *error)
{
    for (size_t i = 0; i < sizeof forced / sizeof *forced; i++) {
        if (!forced[i].value)
            continue;
        if (!set_fitting(conf, producer, forced[i].name, forced[i].value, error))
            return false;
    }
    return true;
}

rd_kafka_conf_t *kafka_property_conf(const char *bootstrap, const char *group,
                                     const struct kafka_property *properties, size_t count,
                                     char *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool producer = group == NULL;
    bool ok = set_defaults(conf, producer, error);
    for (size_t i = 0; ok && i < count; i++)
        ok = !contradicts(properties[i].name, properties[i].value, error) &&
             set_fitting(conf, producer, properties[i].name, properties[i].value, error);
    ok = ok && set_forced(conf, producer, error) &&
         set(conf, "bootstrap.servers", bootstrap, error) &&
         (!group || set(conf, "group.id", group, error));
    if (ok)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

const char *kafka_library_version(void)
{
    return rd_kafka_version_str();
}
