/* The options of `freshet inspect`. */
#ifndef FRESHET_INSPECT_OPTIONS_H
#define FRESHET_INSPECT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing.h"
#include "inspect_schemas.h"
#include "kafka.h"

enum { INSPECT_PROPERTIES_MAX = 32 };

struct inspect_options {
    const char *file, *topic, *checkpoint, *redis; /* one of them, the others are NULL */
    const char *brokers, *from;
    const char *key, *config; /* of a checkpoint or row; NULL: not given */
    const char *schemas[INSPECT_SCHEMAS_MAX];
    struct kafka_property properties[INSPECT_PROPERTIES_MAX];
    size_t schema_count, property_count;
    enum framing framing;
    int64_t count;     /* -1: all */
    int32_t partition; /* -1: all */
    bool follow, wants_help;
};

/* 0, or the exit status after saying what is wrong; with --help the text is printed. */
int inspect_options_parse(int argc, char **argv, struct inspect_options *options);

#endif
