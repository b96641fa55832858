/* The options of `freshet generate`: one row an option; struct, parser and help come from it. */
#ifndef FRESHET_GENERATE_OPTIONS_H
#define FRESHET_GENERATE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clickstream.h"
#include "kafka.h"

/*
 * GENERATE_OPTION(type, field, name, default, sentence)
 *   type  STRING | LONG | DURATION (ms) | SHARE (0..1) | NUMBER | FLAG
 */
#define GENERATE_OPTIONS(GENERATE_OPTION)                                                          \
    GENERATE_OPTION(STRING, brokers, "brokers", "127.0.0.1:9092", "Kafka to write to")             \
    GENERATE_OPTION(STRING, topic, "topic", "clicks", "topic to write to")                         \
    GENERATE_OPTION(FLAG, create, "create", "", "make the topic, without retention")               \
    GENERATE_OPTION(LONG, partitions, "partitions", "0",                                           \
                    "of the topic to make, or of standard output; 0: as the topic has, or 4")      \
    GENERATE_OPTION(STRING, property, "property", "",                                              \
                    "librdkafka property NAME=VALUE; may be given several times")                  \
    GENERATE_OPTION(STRING, output, "output", "", "-: JSON lines to standard output, no Kafka")    \
    GENERATE_OPTION(LONG, events, "events", "1000", "how many records")                            \
    GENERATE_OPTION(FLAG, forever, "forever", "", "records of now, at --rate, until interrupted")  \
    GENERATE_OPTION(NUMBER, rate, "rate", "0", "records a second; 0: as fast as possible")         \
    GENERATE_OPTION(LONG, seed, "seed", "1", "the same seed gives the same records")               \
    GENERATE_OPTION(STRING, end, "end", "now", "record time of the last record")                   \
    GENERATE_OPTION(DURATION, span, "span", "1h", "record time from the first to the last")        \
    GENERATE_OPTION(LONG, users, "users", "1000", "how many users there are")                      \
    GENERATE_OPTION(NUMBER, zipf, "zipf", "0.99", "how unequal users are; 0: all alike")           \
    GENERATE_OPTION(DURATION, thinking, "thinking", "15s",                                         \
                    "mean time between clicks of a visit; 0: each visit is one click")             \
    GENERATE_OPTION(SHARE, out_of_order, "out-of-order", "0.05", "behind the newest, accepted")    \
    GENERATE_OPTION(SHARE, late, "late", "0", "too late for sessions, most for windows too")       \
    GENERATE_OPTION(SHARE, malformed, "malformed", "0", "not to be decoded")                       \
    GENERATE_OPTION(SHARE, future, "future", "0", "from a clock far ahead")                        \
    GENERATE_OPTION(SHARE, duplicate, "duplicate", "0", "an event sent once more")                 \
    GENERATE_OPTION(SHARE, bad_time, "bad-time", "0", "event time out of range")                   \
    GENERATE_OPTION(SHARE, no_key, "no-key", "0", "without a user")                                \
    GENERATE_OPTION(SHARE, tombstone, "tombstone", "0", "without a payload")                       \
    GENERATE_OPTION(SHARE, unknown_schema, "unknown-schema", "0", "schema nobody has registered")  \
    GENERATE_OPTION(SHARE, v1_share, "v1-share", "0.3",                                            \
                    "written by the older writer; none with framing raw unless 1")                 \
    GENERATE_OPTION(STRING, framing, "framing", "confluent", "confluent, single_object or raw")    \
    GENERATE_OPTION(STRING, schema_id, "schema-id", "v2=1,v1=2", "ids for framing confluent")      \
    GENERATE_OPTION(STRING, reader, "reader", "", "click.avsc, for framing single_object")         \
    GENERATE_OPTION(STRING, older, "older", "", "click-v1.avsc, for framing single_object")        \
    GENERATE_OPTION(DURATION, out_of_orderness, "out-of-orderness", "5s",                          \
                    "time.out_of_orderness of the reader; this and the next four are the rules "   \
                    "by which fates are counted")                                                  \
    GENERATE_OPTION(DURATION, max_future_skew, "max-future-skew", "5m", "time.max_future_skew")    \
    GENERATE_OPTION(DURATION, gap, "gap", "30m", "session.gap")                                    \
    GENERATE_OPTION(DURATION, lateness, "lateness", "0", "session.lateness")                       \
    GENERATE_OPTION(DURATION, window_lateness, "window-lateness", "0",                             \
                    "time.window_lateness; 0: max(lateness + gap, 1h)")                            \
    GENERATE_OPTION(STRING, summary, "summary", "", "file for what was made, as JSON")             \
    GENERATE_OPTION(FLAG, quiet, "quiet", "", "no progress on standard error")

enum { GENERATE_PROPERTIES_MAX = 32 };

struct generate_options {
#define GENERATE_TYPE_STRING const char *
#define GENERATE_TYPE_LONG int64_t
#define GENERATE_TYPE_DURATION int64_t
#define GENERATE_TYPE_SHARE double
#define GENERATE_TYPE_NUMBER double
#define GENERATE_TYPE_FLAG bool
#define GENERATE_OPTION(type, field, name, default, sentence) GENERATE_TYPE_##type field;
    GENERATE_OPTIONS(GENERATE_OPTION)
#undef GENERATE_OPTION
    struct kafka_property properties[GENERATE_PROPERTIES_MAX]; /* each --property */
    size_t property_count;
};

enum generate_parsed { GENERATE_RUN, GENERATE_HELP, GENERATE_WRONG };

/* Says what is wrong on standard error, or the help on standard output. */
enum generate_parsed generate_options_parse(int argc, char **argv,
                                            struct generate_options *options);

/* 0, or the exit status after saying why. partitions is left to the caller. */
int generate_stream_options(const struct generate_options *options,
                            struct clickstream_options *out);
/* Writes "freshet generate: what: why" and returns status. */
int generate_complain(int status, const char *what, const char *why);

#endif
