/* `freshet broker`: librdkafka's mock cluster as a Kafka for first looks, in memory only. */
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "text.h"
#include "workbench.h"

static const char help[] =
    "Usage: freshet broker [--topic T] [--partitions N]\n"
    "Runs a Kafka broker in memory on a free port of 127.0.0.1, prints its address on standard\n"
    "output and ends at SIGINT or SIGTERM. It keeps at most 5 MiB of a partition: for first looks\n"
    "only.\n"
    "\n"
    "  --topic T       make this topic; others, with 4 partitions, appear when first asked for\n"
    "  --partitions N  of the topic; default 4\n"
    "  --help          this text\n";

enum { TOPIC_MAX = 249 };

static const char topic_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

struct options {
    const char *topic;
    int64_t partitions;
};

static bool parse(int argc, char **argv, struct options *options, bool *wants_help)
{
    static const struct option table[] = {
        {"topic", required_argument, NULL, 't'},
        {"partitions", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int chosen;
    int64_t number;
    while ((chosen = getopt_long(argc, argv, "", table, NULL)) >= 0) {
        if (chosen == 't')
            options->topic = optarg;
        else if (chosen == 'p')
            options->partitions = text_parse_long(optarg, &number) ? number : 0;
        else if (chosen == 'h')
            *wants_help = true;
        else
            return false;
    }
    const char *topic = options->topic ? options->topic : "any";
    const char *why = NULL;
    if (optind < argc)
        why = "there is nothing to give but options";
    else if (options->partitions < 1 || options->partitions > 4096)
        why = "--partitions: a number from 1 to 4096";
    else if (!*topic || strlen(topic) > TOPIC_MAX || topic[strspn(topic, topic_letters)])
        why = "--topic: at most 249 letters, digits, `.`, `_` and `-`";
    if (why)
        fprintf(stderr, "freshet broker: %s\n", why);
    return !why;
}

static rd_kafka_t *host_new(void)
{
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "3", error, sizeof error);
    rd_kafka_t *host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (!host) {
        rd_kafka_conf_destroy(conf);
        fprintf(stderr, "freshet broker: %s\n", error);
    }
    return host;
}

int broker_main(int argc, char **argv)
{
    struct options options = {.partitions = 4};
    bool wants_help = false;
    if (!parse(argc, argv, &options, &wants_help)) {
        fputs("Try `freshet broker --help`.\n", stderr);
        return EX_USAGE;
    }
    if (wants_help) {
        fputs(help, stdout);
        return EX_OK;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before the library's threads: they inherit it */
    rd_kafka_t *host = host_new();
    rd_kafka_mock_cluster_t *cluster = host ? rd_kafka_mock_cluster_new(host, 1) : NULL;
    if (!cluster)
        return EX_OSERR;
    if (options.topic)
        rd_kafka_mock_topic_create(cluster, options.topic, (int)options.partitions, 1);
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    int signal;
    if (fflush(stdout) == 0) /* else nobody could find it; main says so */
        sigwait(&signals, &signal);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return EX_OK;
}
