/* Schemas kept on disk over restarts, so that an outage of the registry does not touch known ids.
 *
 * One file a key. A file that cannot be used, for whatever reason, counts as not there: it is
 * fetched and written again. Files are written aside and renamed, so a crash leaves none half
 * written; they are not synced, as losing one costs a request. */
#ifndef FRESHET_REGISTRY_CACHE_H
#define FRESHET_REGISTRY_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "registry.h"

/* Both block and are for the work pool: they share nothing. base_url is part of what is stored:
 * ids of another registry mean other schemas. */
bool registry_cache_read(const char *directory, const char *base_url,
                         const struct registry_key *key, struct arena *arena,
                         struct registry_schema *schema);
bool registry_cache_write(const char *directory, const char *base_url,
                          const struct registry_key *key, const struct registry_schema *schema);

#endif
