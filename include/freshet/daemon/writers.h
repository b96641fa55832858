/* Writer schemas in use: each compiled once into a plan, found by what a message names. */
#ifndef FRESHET_WRITERS_H
#define FRESHET_WRITERS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "avroplan.h"
#include "config.h"
#include "framing.h"
#include "model.h"
#include "registry.h"
#include "text.h"

enum {
    WRITERS_MAX = 4096,            /* known at once; beyond, unknown ones are forgotten */
    WRITERS_ASK_AGAIN_MS = 60000,  /* an unknown schema is asked for again after so long */
    WRITERS_ERROR_MAX = 640,
    WRITERS_FILE_MAX = 1 << 20, /* bytes of a schema file */
};

enum writer_state {
    WRITER_WAITING, /* the registry was asked */
    WRITER_READY,
    WRITER_UNKNOWN, /* there is no such schema, or it cannot be resolved to the reader's */
};

struct writer {
    enum framing_ref ref;
    struct registry_key key; /* of REF_ID and REF_GUID */
    uint64_t fingerprint;
    enum writer_state state;
    struct avroplan *plan; /* READY */
    char name[64];         /* "id 17", ... */
    char why[WRITERS_ERROR_MAX]; /* UNKNOWN */
    uint64_t records, errors; /* decoded, and of those failed */
    uint64_t decided_ms;      /* uv_now */
};

struct writers;

/* changed(context) is called from the loop when a WAITING writer is decided. NULL with a text in
 * error (WRITERS_ERROR_MAX bytes) when a configured schema cannot be used. */
struct writers *writers_open(uv_loop_t *loop, const struct config *config,
                             const struct model *model, void (*changed)(void *context),
                             void *context, char *error);
void writers_close(struct writers *writers, void (*closed)(void *context), void *context);

/* The writer a message names; asks the registry when it is new. Never NULL. */
struct writer *writers_find(struct writers *writers, const struct framing_result *framing);
void writers_set_timeout(struct writers *writers, int64_t timeout_ms); /* of the registry */
/* NULL: there is no registry. */
const struct registry_health *writers_registry_health(const struct writers *writers);
int writers_count(const struct writers *writers);
const struct writer *writers_at(const struct writers *writers, int index);

#endif
