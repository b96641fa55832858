/* Kafka's default partitioning, so that other clients of the topic agree about the partition. */
#include <string.h>

#include "clickpartition.h"

/* MurmurHash2 as the Java client has it. */
static uint32_t murmur2(const unsigned char *bytes, size_t len)
{
    const uint32_t m = 0x5bd1e995;
    uint32_t h = 0x9747b28c ^ (uint32_t)len;
    for (; len >= 4; bytes += 4, len -= 4) {
        uint32_t k;
        memcpy(&k, bytes, sizeof k);
        k *= m;
        k ^= k >> 24;
        h = (h * m) ^ (k * m);
    }
    uint32_t rest = 0;
    for (size_t i = len; i-- > 0;)
        rest = rest << 8 | bytes[i];
    if (len > 0)
        h = (h ^ rest) * m;
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}

int32_t clickpartition_of(const void *key, size_t len, int32_t partitions)
{
    return (int32_t)((murmur2(key, len) & 0x7fffffff) % (uint32_t)partitions);
}
