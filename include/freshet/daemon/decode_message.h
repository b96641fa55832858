/* A message of the topic as a record: framing, writer schema, datum. */
#ifndef FRESHET_DECODE_MESSAGE_H
#define FRESHET_DECODE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "kafka.h"
#include "record.h"
#include "writers.h"

struct decoded {
    struct record *record; /* filled in: with a fate, or else with slots */
    struct value *slots;   /* one for each slot of the model; text is of the message */
    int64_t schema_id;     /* of the registry; -1: not named */
};

/* False: the writer schema is not known yet, and was asked for. */
bool decode_message(const struct config *config, struct writers *writers,
                    const struct kafka_message *message, struct decoded *decoded);

#endif
