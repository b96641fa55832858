/* The schema registry (Confluent's API): from an id or GUID to schema texts.
 *
 * A lookup passes so: the newest answers "unknown" are remembered for a while; the disk cache is
 * read (off the loop); the registry is asked for the schema, then for each schema it refers to, and
 * so on; the result is written to the disk cache and given to everybody who asked. While the
 * registry cannot be reached, answers 5xx or refuses us, lookups wait and are tried again with
 * back-off for as long as it takes: an outage is never an answer. */
#ifndef FRESHET_REGISTRY_H
#define FRESHET_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
    REGISTRY_RESPONSE_MAX = 2 << 20,   /* bytes of a response; a larger one counts as UNKNOWN */
    REGISTRY_REFERENCES_MAX = 256,     /* schemas a schema refers to, directly or not */
    REGISTRY_REFERENCE_DEPTH = 32,     /* references of references */
    REGISTRY_LOOKUPS_MAX = 64,         /* at the same time; more wait their turn */
    REGISTRY_UNKNOWN_TRIES = 3,        /* a schema may be seconds old: asked this often */
    REGISTRY_SETTLING_MS = 15 * 1000,  /* after an outage "unknown" is not believed for so long */
    REGISTRY_UNKNOWN_KEPT = 1024,      /* answers "unknown" that are remembered ... */
    REGISTRY_UNKNOWN_MS = 60 * 1000,   /* ... for this long */
    REGISTRY_GUID_BYTES = 16,
    REGISTRY_ERROR_MAX = 320,          /* room for any error text from here */
};

struct registry_key {
    bool is_guid;
    int32_t id;                        /* when it is no GUID */
    uint8_t guid[REGISTRY_GUID_BYTES]; /* else */
};

/* A schema that is referred to. */
struct registry_reference {
    const char *name; /* as the referring schema calls it */
    const char *text;
    size_t len;
};

/* Borrowed during the call of registry_done. */
struct registry_schema {
    const char *text;
    size_t len;
    /* What it refers to, directly or not, each once and before those that refer to it: parse them
     * in this order, each with all before it as known schemas, and then the text with all. */
    const struct registry_reference *references;
    size_t reference_count;
    bool from_cache;
};

/* schema is NULL when the registry does not know the key or it is not a usable Avro schema; why
 * says what it answered. Called from the loop, never from registry_get. */
typedef void registry_done(void *context, const struct registry_key *key,
                           const struct registry_schema *schema, const char *why);

/* Strings are copied; empty or NULL where there is none. */
struct registry_options {
    const char *url; /* http:// or https://, with the path prefix: http://host/apis/ccompat/v7 */
    const char *user;
    const char *password;
    const char *cache; /* directory, made when it is missing; empty: nothing is kept on disk */
    int64_t timeout_ms; /* of one request */
};

struct registry;

/* NULL and error (REGISTRY_ERROR_MAX bytes) when the URL or the directory cannot be used. */
struct registry *registry_open(uv_loop_t *loop, const struct registry_options *options,
                               char *error);
/* Forgets all lookups without answering, calls closed from the loop, then frees. Not from within
 * a registry_done or registry_probed. */
void registry_close(struct registry *registry, void (*closed)(void *context), void *context);
void registry_set_timeout(struct registry *registry, int64_t timeout_ms);

/* Several for one key become one lookup. Two requests are two answers. */
void registry_get(struct registry *registry, const struct registry_key *key, registry_done *done,
                  void *context);

/* "17", or the GUID's usual text. */
enum { REGISTRY_KEY_TEXT = 37 };
void registry_key_text(const struct registry_key *key, char out[REGISTRY_KEY_TEXT]);
bool registry_key_equal(const struct registry_key *a, const struct registry_key *b);

struct registry_health {
    bool reachable;                 /* the newest request was answered, or none was needed yet */
    char error[REGISTRY_ERROR_MAX]; /* why not */
    uint64_t since_ms;              /* uv_now when that began, or ended */
    unsigned waiting;               /* lookups under way */
    /* Counters since registry_open: the results of freshet_schema_fetch_total, and cache hits. */
    uint64_t ok;
    uint64_t missing;
    uint64_t errors;
    uint64_t cache_hits;
};
const struct registry_health *registry_health(const struct registry *registry);

/* For `check --online`: asks once for GET /subjects; error is NULL when it answers. */
typedef void registry_probed(void *context, const char *error);
void registry_probe(struct registry *registry, registry_probed *done, void *context);

#endif
