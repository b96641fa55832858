/* Checkpoints in a compacted topic, so that state moves with its partition and a container needs no
 * disk.
 *
 *   key NAME/CHAIN-INDEX-NONCE/CHUNK   a piece of a segment
 *   key NAME                           the pointer: the segments of the newest chain and of the one
 *                                      before, a line each: chain, index, nonce, chunks
 *
 * NAME is that of the shard (application:topic:partition); all of a shard is in one partition. The
 * pointer is written when every chunk is stored by all replicas: what it names is there. A segment
 * has a nonce, so that an owner who was thought dead writes over nothing of its successor; its
 * late pointer costs a replay and nothing else, because any whole checkpoint is a legal place to
 * start. So no Kafka transactions are needed. Chunks that no pointer names are removed by
 * tombstones. */
#ifndef FRESHET_CHECKPOINT_KAFKA_H
#define FRESHET_CHECKPOINT_KAFKA_H

#include "checkpoint_store.h"
#include "kafka.h"

/* Strings are copied. */
struct checkpoint_kafka_options {
    const char *bootstrap;
    const struct kafka_property *properties;
    size_t property_count;
    const char *topic;       /* made when it is missing */
    const char *input_topic; /* whose number of partitions a new topic gets */
    const char *shards;      /* names of shards without their partition: application:topic */
};

/* NULL with a text when an option is wrong. */
struct checkpoint_store *checkpoint_kafka_open(uv_loop_t *loop,
                                               const struct checkpoint_kafka_options *options,
                                               char error[CHECKPOINT_STORE_TEXT]);

#endif
