/* The hashes behind functions: the only file that knows xxhash. */
#include "hash.h"

/* Compiled in, because most inputs are short keys for which a call costs as much as the hash. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(const void *bytes, size_t len)
{
    return XXH64(bytes, len, 0);
}

struct hash128 hash_bytes128(const void *bytes, size_t len, uint64_t seed)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, len, seed);
    return (struct hash128){hash.low64, hash.high64};
}
