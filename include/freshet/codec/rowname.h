/* The names of rows in Redis: redis.prefix, then the template redis.key with the entity's key. */
#ifndef FRESHET_ROWNAME_H
#define FRESHET_ROWNAME_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

struct rowname {
    char *head; /* the prefix, and what stands before {key} in the template */
    char *tail; /* what stands after it */
    size_t head_len, tail_len;
};

/* The template holds {key} exactly once: see rowname_template_ok. */
bool rowname_template_ok(const char *key_template);
void rowname_init(struct rowname *name, const char *prefix, const char *key_template);
void rowname_fini(struct rowname *name);

/* The Redis key of an entity as a bulk string. */
void rowname_append(const struct rowname *name, const char *key, size_t len, struct text *out);
/* The entity's key within a Redis key; false when the Redis key is not one of ours. */
bool rowname_entity(const struct rowname *name, const char *redis_key, size_t redis_key_len,
                    const char **key, size_t *len);
/* The glob pattern for SCAN that matches every row. */
void rowname_pattern(const struct rowname *name, struct text *out);

#endif
