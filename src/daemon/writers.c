/* Writer schemas: from files or from the registry to plans. */
#include "writers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avrofingerprint.h"
#include "expect.h"
#include "readfile.h"
#include "log.h"
#include "pool.h"

struct writers {
    uv_loop_t *loop;
    const struct model *model;
    struct registry *registry; /* NULL unless framing is confluent */
    bool strict;
    void (*changed)(void *context);
    void *context;
    struct writer **list; /* sorted by writer_compare */
    int count, capacity;
    struct writer *last; /* that was found: mostly the same again */
    struct writer *none; /* stands for fingerprints that no file has */
};

/* ---- order ---- */

static int writer_compare(const struct writer *a, const struct writer *b)
{
    if (a->ref != b->ref)
        return a->ref < b->ref ? -1 : 1;
    switch (a->ref) {
    case FRAMING_REF_ID:
        return (a->key.id > b->key.id) - (a->key.id < b->key.id);
    case FRAMING_REF_GUID:
        return memcmp(a->key.guid, b->key.guid, sizeof a->key.guid);
    case FRAMING_REF_FINGERPRINT:
        return (a->fingerprint > b->fingerprint) - (a->fingerprint < b->fingerprint);
    default:
        return 0;
    }
}

static int writers_place(const struct writers *writers, const struct writer *wanted, bool *found)
{
    int low = 0;
    int high = writers->count;
    *found = false;
    while (low < high) {
        int middle = (low + high) / 2;
        int order = writer_compare(writers->list[middle], wanted);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    avroplan_free(writer->plan);
    memory_free(writer);
}

/* Keys that do not exist must not fill the memory: any producer can make them up. */
static void forget_unknown(struct writers *writers)
{
    int kept = 0;
    for (int k = 0; k < writers->count; k++) {
        if (writers->list[k]->state == WRITER_UNKNOWN)
            writer_free(writers->list[k]);
        else
            writers->list[kept++] = writers->list[k];
    }
    writers->count = kept;
    writers->last = NULL;
}

static struct writer *writers_add(struct writers *writers, const struct writer *like)
{
    if (writers->count >= WRITERS_MAX)
        forget_unknown(writers);
    bool found;
    int at = writers_place(writers, like, &found);
    expect(!found);
    if (writers->count == writers->capacity) {
        writers->capacity = writers->capacity ? 2 * writers->capacity : 8;
        writers->list = memory_resize(writers->list,
                                      (size_t)writers->capacity * sizeof *writers->list);
    }
    struct writer *writer = memory_alloc(sizeof *writer);
    *writer = *like;
    memmove(&writers->list[at + 1], &writers->list[at],
            (size_t)(writers->count - at) * sizeof *writers->list);
    writers->list[at] = writer;
    writers->count++;
    return writer;
}

/* ---- compiling ---- */

static void writer_decide(struct writers *writers, struct writer *writer,
                          const struct avroschema *schema, const struct avro_error *parse_error)
{
    struct avro_error error = {0};
    writer->decided_ms = uv_now(writers->loop);
    if (schema)
        writer->plan = avroplan_compile(schema, writers->model->reader,
                                        writers->model->projection, writers->strict, &error);
    if (writer->plan) {
        writer->state = WRITER_READY;
        log_info("schema_ready", "schema=%Q", writer->name);
        return;
    }
    writer->state = WRITER_UNKNOWN;
    avroerror_text(schema ? &error : parse_error, writer->why, sizeof writer->why);
    log_warning("schema_unusable", "schema=%Q reason=%Q", writer->name, writer->why);
}

/* Parses references in their order, each knowing those before it. */
static void writer_compile(struct writers *writers, struct writer *writer,
                           const struct registry_schema *got)
{
    struct avro_error error = {0};
    struct avroschema *known[REGISTRY_REFERENCES_MAX];
    size_t parsed = 0;
    while (parsed < got->reference_count) {
        const struct registry_reference *reference = &got->references[parsed];
        known[parsed] = avroschema_parse(reference->text, reference->len,
                                         (const struct avroschema *const *)known, parsed,
                                         AVROSCHEMA_WRITER, &error);
        if (!known[parsed])
            break;
        parsed++;
    }
    struct avroschema *schema = NULL;
    if (parsed == got->reference_count)
        schema = avroschema_parse(got->text, got->len, (const struct avroschema *const *)known,
                                  parsed, AVROSCHEMA_WRITER, &error);
    writer_decide(writers, writer, schema, &error);
    avroschema_free(schema);
    while (parsed > 0)
        avroschema_free(known[--parsed]);
}

static void on_registry(void *context, const struct registry_key *key,
                        const struct registry_schema *schema, const char *why)
{
    struct writers *writers = context;
    struct writer like = {.ref = key->is_guid ? FRAMING_REF_GUID : FRAMING_REF_ID, .key = *key};
    bool found;
    int at = writers_place(writers, &like, &found);
    if (!found || writers->list[at]->state != WRITER_WAITING)
        return;
    struct writer *writer = writers->list[at];
    if (schema) {
        writer_compile(writers, writer, schema);
    } else {
        writer->state = WRITER_UNKNOWN;
        writer->decided_ms = uv_now(writers->loop);
        snprintf(writer->why, sizeof writer->why, "%s", why);
        log_warning("schema_unknown", "schema=%Q reason=%Q", writer->name, why);
    }
    writers->changed(writers->context);
}

/* ---- from files ---- */

static struct avroschema *read_schema(const char *path, char *error)
{
    struct text text = {0};
    struct avroschema *schema = NULL;
    const char *why = readfile(path, WRITERS_FILE_MAX, &text);
    char reason[512];
    if (!why) {
        struct avro_error err = {0};
        schema = avroschema_parse(text.data, text.len, NULL, 0, AVROSCHEMA_WRITER, &err);
        if (!schema) {
            avroerror_text(&err, reason, sizeof reason);
            why = reason;
        }
    }
    if (why)
        snprintf(error, WRITERS_ERROR_MAX, "%s: %s", path, why);
    text_free(&text);
    return schema;
}

static bool add_file(struct writers *writers, const char *path, enum framing_ref ref, char *error)
{
    struct avroschema *schema = read_schema(path, error);
    if (!schema)
        return false;
    struct writer like = {.ref = ref, .fingerprint = avrofingerprint_of(schema)};
    if (ref == FRAMING_REF_NONE)
        like.fingerprint = 0;
    const char *base = strrchr(path, '/');
    snprintf(like.name, sizeof like.name, "file %.50s", base ? base + 1 : path);
    bool found;
    writers_place(writers, &like, &found);
    struct writer *writer = found ? NULL : writers_add(writers, &like);
    if (writer)
        writer_decide(writers, writer, schema, NULL);
    avroschema_free(schema);
    if (writer && writer->state != WRITER_READY) {
        snprintf(error, WRITERS_ERROR_MAX, "%s: %.500s", path, writer->why);
        return false;
    }
    return true;
}

static bool add_files(struct writers *writers, const char *list, char *error)
{
    char *copy = memory_strdup(list);
    char *rest = copy;
    bool ok = true;
    for (char *path = strsep(&rest, ","); path && ok; path = strsep(&rest, ",")) {
        path += strspn(path, " \t");
        for (size_t len = strlen(path); len > 0 && strchr(" \t", path[len - 1]); len--)
            path[len - 1] = '\0'; /* a path may have blanks within */
        if (*path)
            ok = add_file(writers, path, FRAMING_REF_FINGERPRINT, error);
    }
    memory_free(copy);
    return ok;
}

/* ---- public ---- */

static bool writers_fill(struct writers *writers, const struct config *config, char *error)
{
    if (config->schema_framing == CONFIG_SCHEMA_FRAMING_RAW)
        return add_file(writers,
                        config->schema_writer[0] ? config->schema_writer : config->schema_reader,
                        FRAMING_REF_NONE, error);
    if (config->schema_framing == CONFIG_SCHEMA_FRAMING_SINGLE_OBJECT)
        return add_files(writers, config->schema_writers, error);
    struct registry_options options = {
        .url = config->schema_registry,
        .user = config->schema_registry_user,
        .password = config->schema_registry_password,
        .cache = config->schema_cache,
        .timeout_ms = config->schema_registry_timeout.ms,
    };
    writers->registry = registry_open(writers->loop, &options, error);
    return writers->registry != NULL;
}

struct writers *writers_open(uv_loop_t *loop, const struct config *config,
                             const struct model *model, void (*changed)(void *context),
                             void *context, char *error)
{
    _Static_assert((int)WRITERS_ERROR_MAX >= (int)REGISTRY_ERROR_MAX, "registry texts fit");
    struct writers *writers = memory_alloc(sizeof *writers);
    *writers = (struct writers){
        .loop = loop,
        .model = model,
        .strict = config->schema_strict,
        .changed = changed,
        .context = context,
        .none = memory_alloc(sizeof *writers->none),
    };
    *writers->none = (struct writer){.state = WRITER_UNKNOWN, .name = "fingerprint"};
    snprintf(writers->none->why, sizeof writers->none->why,
             "no file of schema.writers has this fingerprint");
    if (writers_fill(writers, config, error))
        return writers;
    writers_close(writers, NULL, NULL);
    return NULL;
}

struct writers_closing {
    void (*closed)(void *context);
    void *context;
};

static void registry_closed(void *context)
{
    struct writers_closing *closing = context;
    if (closing->closed)
        closing->closed(closing->context);
    memory_free(closing);
}

void writers_close(struct writers *writers, void (*closed)(void *context), void *context)
{
    struct registry *registry = writers->registry;
    for (int k = 0; k < writers->count; k++)
        writer_free(writers->list[k]);
    memory_free(writers->list);
    writer_free(writers->none);
    memory_free(writers);
    if (registry) {
        struct writers_closing *closing = memory_alloc(sizeof *closing);
        *closing = (struct writers_closing){closed, context};
        registry_close(registry, registry_closed, closing);
    } else if (closed) {
        closed(context);
    }
}

static struct writer *writers_ask(struct writers *writers, struct writer *like)
{
    char key[REGISTRY_KEY_TEXT];
    registry_key_text(&like->key, key);
    snprintf(like->name, sizeof like->name, "%s %s", like->key.is_guid ? "guid" : "id", key);
    like->state = WRITER_WAITING;
    struct writer *writer = writers_add(writers, like);
    registry_get(writers->registry, &writer->key, on_registry, writers);
    return writer;
}

struct writer *writers_find(struct writers *writers, const struct framing_result *framing)
{
    struct writer like = {.ref = framing->ref};
    if (framing->ref == FRAMING_REF_ID)
        like.key.id = framing->id;
    else if (framing->ref == FRAMING_REF_FINGERPRINT)
        like.fingerprint = framing->fingerprint;
    else if (framing->ref == FRAMING_REF_GUID) {
        like.key.is_guid = true;
        memcpy(like.key.guid, framing->guid, sizeof like.key.guid);
    }
    if (writers->last && writer_compare(writers->last, &like) == 0)
        return writers->last;
    bool found;
    int at = writers_place(writers, &like, &found);
    if (!found && like.ref == FRAMING_REF_FINGERPRINT)
        return writers->none;
    if (!found)
        return writers_ask(writers, &like);
    struct writer *writer = writers->list[at];
    if (writer->state == WRITER_READY)
        writers->last = writer;
    if (writer->state == WRITER_UNKNOWN && writers->registry &&
        uv_now(writers->loop) - writer->decided_ms > WRITERS_ASK_AGAIN_MS) {
        writer->state = WRITER_WAITING;
        registry_get(writers->registry, &writer->key, on_registry, writers);
    }
    return writer;
}

void writers_set_timeout(struct writers *writers, int64_t timeout_ms)
{
    if (writers->registry)
        registry_set_timeout(writers->registry, timeout_ms);
}

const struct registry_health *writers_registry_health(const struct writers *writers)
{
    return writers->registry ? registry_health(writers->registry) : NULL;
}

int writers_count(const struct writers *writers)
{
    return writers->count;
}

const struct writer *writers_at(const struct writers *writers, int index)
{
    return writers->list[index];
}
