/* The hash of keys and members: XXH64 with seed 0, as the design fixes it. */
#ifndef FRESHET_HASH_H
#define FRESHET_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t len);

#endif
