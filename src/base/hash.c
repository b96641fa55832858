/* XXH64 behind one function: the only file that knows xxhash. */
#include "hash.h"

/* Compiled in, because most inputs are short keys for which a call costs as much as the hash. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(const void *bytes, size_t len)
{
    return XXH64(bytes, len, 0);
}
