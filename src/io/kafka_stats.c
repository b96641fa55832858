/* The few numbers that matter of librdkafka's statistics, found without parsing all of it.
 *
 * The JSON is written by the library itself: keys are quoted, followed by a colon and a number.
 * Totals stand at the very end, after the lists that use the same names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka_private.h"

struct found {
    int64_t last;
    int64_t sum;
};

static struct found find(const char *json, const char *key)
{
    char pattern[64];
    struct found found = {0, 0};
    int len = snprintf(pattern, sizeof pattern, "\"%s\":", key);
    for (const char *at = strstr(json, pattern); at; at = strstr(at, pattern)) {
        at += len;
        found.last = strtoll(at, NULL, 10);
        found.sum += found.last;
    }
    return found;
}

struct kafka_statistics kafka_stats_read(const char *json)
{
    return (struct kafka_statistics){
        .received_messages = find(json, "rxmsgs").last,
        .received_bytes = find(json, "rxmsg_bytes").last,
        .queued_messages = find(json, "fetchq_cnt").sum,
        .queued_bytes = find(json, "fetchq_size").sum,
        .rebalances = find(json, "rebalance_cnt").last,
    };
}
