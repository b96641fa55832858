/* `freshet inspect`: a topic or an Avro container file as JSON lines; checkpoints and rows of Redis
 * have files of their own. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "avrofile.h"
#include "avroplan.h"
#include "inspect_checkpoint.h"
#include "inspect_options.h"
#include "inspect_row.h"
#include "inspect_schemas.h"
#include "jsonout.h"
#include "kafka.h"
#include "pool.h"
#include "workbench.h"

enum { POLL_MAX = 256, PATIENCE_MS = 30000, CLOSE_MS = 1000 };

struct inspector {
    struct inspect_options options;
    int64_t count; /* records still wanted; -1: all */
    struct inspect_schemas *schemas;
    struct text line;
    struct kafka *kafka;
    uv_loop_t loop;
    uv_timer_t patience;
    int64_t ends[KAFKA_MAX_PARTITIONS]; /* where to stop; -1: not read */
    int status;
    bool closing;
};

/* ---- topics ---- */

static void finish(struct inspector *inspector, int status)
{
    if (inspector->closing)
        return;
    inspector->closing = true;
    inspector->status = status;
    uv_close((uv_handle_t *)&inspector->patience, NULL);
    kafka_close(inspector->kafka, CLOSE_MS, NULL, NULL);
}

static void append_headers(const struct kafka_message *message, struct text *out)
{
    const char *name;
    const void *value;
    size_t len;
    if (!kafka_message_header_at(message, 0, &name, &value, &len))
        return;
    text_append_string(out, "\"headers\":{");
    for (size_t i = 0; kafka_message_header_at(message, i, &name, &value, &len); i++) {
        if (i > 0)
            text_append_char(out, ',');
        text_append_json_string(out, name, strlen(name));
        text_append_char(out, ':');
        text_append_json_string(out, value ? value : "", value ? len : 0);
    }
    text_append_string(out, "},");
}

static void print_message(struct inspector *inspector, const struct kafka_message *message)
{
    struct text *line = &inspector->line;
    size_t header_len = 0;
    const void *header = kafka_message_header(message, FRAMING_HEADER, &header_len);
    text_clear(line);
    text_printf(line,
                "{\"partition\":%d,\"offset\":%" PRId64 ",\"record_time\":%" PRId64 ",\"key\":",
                (int)message->partition, message->offset, message->record_time_ms);
    if (message->key)
        text_append_json_string(line, message->key, message->key_len);
    else
        text_append_string(line, "null");
    text_append_char(line, ',');
    append_headers(message, line);
    if (message->payload)
        inspect_schemas_print(inspector->schemas, header, header_len, message->payload,
                              message->payload_len, line);
    else
        text_append_string(line, "\"value\":null");
    text_append_string(line, "}\n");
    fwrite(line->data, 1, line->len, stdout);
}

static bool all_read(const struct inspector *inspector)
{
    for (int i = 0; i < KAFKA_MAX_PARTITIONS; i++)
        if (inspector->ends[i] >= 0)
            return false;
    return true;
}

static void partition_read(struct inspector *inspector, int32_t partition)
{
    inspector->ends[partition] = -1;
    if (!inspector->options.follow && all_read(inspector))
        finish(inspector, EX_OK);
}

static void take(struct inspector *inspector, const struct kafka_message *message)
{
    int64_t end = inspector->ends[message->partition];
    bool wanted = inspector->options.follow || (end >= 0 && message->offset < end);
    if (wanted && inspector->count != 0) {
        print_message(inspector, message);
        inspector->count -= inspector->count > 0;
    }
    int32_t partition = message->partition;
    bool last = end >= 0 && message->offset + 1 >= end;
    kafka_message_done(message->owner);
    if (last)
        partition_read(inspector, partition);
}

static void on_ready(void *data)
{
    struct inspector *inspector = data;
    struct kafka_message messages[POLL_MAX];
    size_t count = kafka_poll(inspector->kafka, messages, POLL_MAX);
    for (size_t i = 0; i < count; i++)
        take(inspector, &messages[i]);
    bool is_lost = count > 0 && fflush(stdout) != 0; /* main says so */
    if (inspector->count == 0 || is_lost)
        finish(inspector, EX_OK);
}

static void on_end(void *data, int32_t partition, int64_t offset)
{
    struct inspector *inspector = data;
    if (inspector->ends[partition] >= 0 && offset >= inspector->ends[partition])
        partition_read(inspector, partition);
}

static void on_lookup(void *data, const struct kafka_extent *extents, size_t count)
{
    struct inspector *inspector = data;
    int64_t number;
    if (!extents)
        return;
    uv_timer_stop(&inspector->patience);
    bool by_offset = text_parse_long(inspector->options.from, &number);
    bool by_time = !by_offset && strcmp(inspector->options.from, "beginning") != 0;
    struct kafka_offset *starts = memory_alloc(count * sizeof *starts);
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++) {
        const struct kafka_extent *extent = &extents[i];
        int64_t start = by_offset ? number : by_time ? extent->at_time : extent->low;
        if (start < 0 || start > extent->end)
            start = extent->end;
        if (start < extent->low)
            start = extent->low;
        starts[wanted++] = (struct kafka_offset){extent->partition, start};
        inspector->ends[extent->partition] = start < extent->end ? extent->end : -1;
    }
    kafka_assign(inspector->kafka, starts, wanted);
    memory_free(starts);
    if (!inspector->options.follow && all_read(inspector))
        finish(inspector, EX_OK);
}

static void on_topic(void *data, const struct kafka_topic_info *info)
{
    struct inspector *inspector = data;
    int32_t partitions[KAFKA_MAX_PARTITIONS];
    size_t count = 0;
    int64_t time_ms = -1, number;
    if (inspector->line.capacity > 0) /* it has grown since */
        return;
    for (int32_t i = 0; i < info->partition_count; i++)
        if (inspector->options.partition < 0 || inspector->options.partition == i)
            partitions[count++] = i;
    if (!text_parse_long(inspector->options.from, &number) &&
        strcmp(inspector->options.from, "beginning") != 0)
        text_parse_event_time(inspector->options.from, &time_ms);
    text_reserve(&inspector->line, POLL_MAX);
    kafka_lookup(inspector->kafka, partitions, count, time_ms, on_lookup, inspector);
}

static void on_trouble(void *data, enum kafka_trouble trouble, int32_t partition, const char *text)
{
    (void)data;
    (void)partition;
    if (trouble != KAFKA_TROUBLE_NONE)
        fprintf(stderr, "freshet inspect: %s\n", text);
}

static void on_assign(void *data, const int32_t *partitions, size_t count)
{
    (void)data; /* there is no group */
    (void)partitions;
    (void)count;
}

static void on_revoke(void *data, const int32_t *partitions, size_t count, bool lost)
{
    (void)lost;
    on_assign(data, partitions, count);
}

static void on_patience(uv_timer_t *timer)
{
    fprintf(stderr, "freshet inspect: no answer from %s\n",
            ((struct inspector *)timer->data)->options.brokers);
    finish(timer->data, EX_UNAVAILABLE);
}

static int inspect_topic(struct inspector *inspector)
{
    static const struct kafka_handlers handlers = {on_ready, on_assign,  on_revoke,
                                                   on_end,   on_trouble, on_topic};
    struct kafka_options options = {.bootstrap = inspector->options.brokers,
                                    .topic = inspector->options.topic,
                                    .properties = inspector->options.properties,
                                    .property_count = inspector->options.property_count};
    char error[KAFKA_ERROR_TEXT];
    for (int i = 0; i < KAFKA_MAX_PARTITIONS; i++)
        inspector->ends[i] = -1;
    uv_loop_init(&inspector->loop);
    inspector->kafka = kafka_open(&inspector->loop, &options, &handlers, inspector, error);
    if (!inspector->kafka) {
        fprintf(stderr, "freshet inspect: %s\n", error);
        return EX_USAGE;
    }
    uv_timer_init(&inspector->loop, &inspector->patience);
    inspector->patience.data = inspector;
    uv_timer_start(&inspector->patience, on_patience, PATIENCE_MS, 0);
    uv_run(&inspector->loop, UV_RUN_DEFAULT);
    uv_loop_close(&inspector->loop);
    return inspector->status;
}

/* ---- container files ---- */

/* Prints the datums of a block; false with the reason when one is malformed. */
static bool print_block(struct inspector *inspector, const struct avroplan *plan,
                        const struct avrofile_block *block, char *error)
{
    struct text *line = &inspector->line;
    size_t at = 0, used;
    for (int64_t i = 0; i < block->count && inspector->count != 0 && !ferror(stdout); i++) {
        struct jsonout out = {.text = line};
        struct avroplan_sink sink = jsonout_sink(&out);
        struct avro_error err;
        text_clear(line);
        text_append_string(line, "{\"value\":");
        if (!avroplan_walk_next(plan, block->bytes + at, block->len - at, &sink, &used, &err)) {
            snprintf(error, AVROFILE_ERROR_TEXT, "record %lld: %.200s", (long long)i + 1,
                     err.message);
            return false;
        }
        at += used;
        text_append_string(line, "}\n");
        fwrite(line->data, 1, line->len, stdout);
        inspector->count -= inspector->count > 0;
    }
    return true;
}

static int print_file(struct inspector *inspector, struct avrofile *file)
{
    char error[AVROFILE_ERROR_TEXT] = "";
    struct avro_error err;
    struct avrofile_block block = {0};
    const struct text *text = avrofile_schema(file);
    struct avroplan *plan = NULL;
    struct avroschema *schema =
        avroschema_parse(text->data, text->len, NULL, 0, AVROSCHEMA_WRITER, &err);
    if (schema)
        plan = avroplan_compile(schema, schema, NULL, true, &err);
    if (!plan)
        fprintf(stderr, "freshet inspect: %s: %s\n", inspector->options.file, err.message);
    while (plan && inspector->count != 0 && !ferror(stdout) &&
           avrofile_next(file, &block, error) && print_block(inspector, plan, &block, error))
        ;
    if (error[0])
        fprintf(stderr, "freshet inspect: %s: block %lld: %s\n", inspector->options.file,
                (long long)block.number, error);
    int status = plan && !error[0] ? EX_OK : EX_DATAERR;
    avroplan_free(plan);
    avroschema_free(schema);
    return status;
}

static int inspect_file(struct inspector *inspector)
{
    char error[AVROFILE_ERROR_TEXT];
    const char *name = inspector->options.file;
    FILE *stream = fopen(name, "rb");
    struct stat found;
    int status = EX_NOINPUT;
    if (!stream) {
        fprintf(stderr, "freshet inspect: %s: %s\n", name, strerror(errno));
        return status;
    }
    if (fstat(fileno(stream), &found) == 0 && S_ISDIR(found.st_mode)) {
        fprintf(stderr, "freshet inspect: %s: %s\n", name, strerror(EISDIR));
    } else {
        struct avrofile *file = avrofile_open(stream, error);
        status = file ? print_file(inspector, file) : EX_DATAERR;
        if (!file)
            fprintf(stderr, "freshet inspect: %s: %s\n", name, error);
        avrofile_close(file);
    }
    fclose(stream);
    return status;
}

int inspect_main(int argc, char **argv)
{
    static struct inspector inspector;
    const struct inspect_options *options = &inspector.options;
    int status = inspect_options_parse(argc, argv, &inspector.options);
    if (status != EX_OK || options->wants_help)
        return status;
    if (options->checkpoint)
        return inspect_checkpoint(options);
    if (options->redis)
        return inspect_row(options->config, options->redis);
    inspector.count = options->count;
    inspector.schemas = inspect_schemas_new(options->framing);
    for (size_t i = 0; i < options->schema_count && status == EX_OK; i++)
        if (!inspect_schemas_add(inspector.schemas, options->schemas[i]))
            status = EX_NOINPUT;
    if (status == EX_OK)
        status = options->file ? inspect_file(&inspector) : inspect_topic(&inspector);
    inspect_schemas_free(inspector.schemas);
    text_free(&inspector.line);
    return status;
}
