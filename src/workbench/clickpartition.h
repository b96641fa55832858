/* Which partition a key belongs to, as Kafka's own clients see it. */
#ifndef FRESHET_CLICKPARTITION_H
#define FRESHET_CLICKPARTITION_H

#include <stddef.h>
#include <stdint.h>

int32_t clickpartition_of(const void *key, size_t len, int32_t partitions);

#endif
