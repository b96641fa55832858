/* Finding a shard's newest whole checkpoint in the topic; for the work pool. */
#ifndef FRESHET_CHECKPOINT_KAFKA_LOAD_H
#define FRESHET_CHECKPOINT_KAFKA_LOAD_H

#include "checkpoint_kafka.h"
#include "checkpoint_manifest.h"

struct kafka_producer;

/* Where checkpoints are. The strings are those of the store. */
struct checkpoint_place {
    char *bootstrap, *topic, *input_topic, *shards;
    struct kafka_property *properties;
    size_t property_count;
    int32_t partitions; /* of the topic; 0: not known yet */
};

void checkpoint_place_init(struct checkpoint_place *place,
                           const struct checkpoint_kafka_options *options);
void checkpoint_place_fini(struct checkpoint_place *place);
void checkpoint_place_name(const struct checkpoint_place *place, int32_t partition,
                           char name[CHECKPOINT_NAME_MAX]);

struct checkpoint_kafka_load {
    struct checkpoint_place place; /* partitions is filled in */
    struct kafka_producer *producer;
    int32_t partition;
    struct checkpoint_loader *loader;
    struct checkpoint_found found;
    struct checkpoint_manifest found_parts; /* what the pointer will go on from */
    struct checkpoint_manifest strays;      /* segments that it does not name */
};

/* Makes the topic when it is missing, then reads. */
void checkpoint_kafka_load(struct checkpoint_kafka_load *load);

#endif
