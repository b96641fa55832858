/* The hash of keys and members: XXH64 with seed 0, as the design fixes it; and fingerprints. */
#ifndef FRESHET_HASH_H
#define FRESHET_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t len);

/* 128 bits, for fingerprints that stand for what they were made of: XXH3. */
struct hash128 {
    uint64_t low, high;
};
struct hash128 hash_bytes128(const void *bytes, size_t len, uint64_t seed);

#endif
