/* Opens the source that fits the input, and what all sources share. */
#include "replay_source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "avrofile.h"
#include "crew.h"

void replay_source_fail(struct replay_source *source, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(source->error, sizeof source->error, format, arguments);
    va_end(arguments);
    source->status = status;
}

void replay_item_timed(struct replay_item *item, const struct replay_setup *setup)
{
    const struct value *time = &item->record.slots[setup->model->rules.time_slot];
    bool usable =
        time->type == VALUE_LONG && time->i >= 0 && time->i <= RULES_EVENT_TIME_MAX_MS;
    if (item->record.record_time_ms == RECORD_NO_TIME && usable)
        item->record.record_time_ms = time->i;
}

struct decoding {
    struct replay_source *source;
    struct replay_chunk *chunk;
};

static void decode_slice(void *context, int slice)
{
    const struct decoding *decoding = context;
    decoding->source->decode(decoding->source, decoding->chunk, slice);
}

void replay_source_decode(struct replay_source *source, struct replay_chunk *chunk,
                          struct crew *crew)
{
    struct decoding decoding = {source, chunk};
    if (!source->decode)
        return;
    for (int i = 0; i < REPLAY_SLICES; i++)
        chunk->slices[i].bad = REPLAY_CHUNK;
    crew_do(crew, REPLAY_SLICES, decode_slice, &decoding);
    for (int i = 0; i < REPLAY_SLICES; i++) {
        if (chunk->slices[i].bad == REPLAY_CHUNK)
            continue;
        replay_source_fail(source, EX_DATAERR, "%s", chunk->slices[i].error);
        chunk->count = chunk->slices[i].bad;
        return;
    }
}

static struct replay_source *open_file(const struct replay_options *options, FILE *stream,
                                       const struct replay_setup *setup, char *error)
{
    enum replay_format format = options->format;
    int first = getc(stream);
    ungetc(first, stream);
    if (format == REPLAY_GUESS)
        format = first == AVROFILE_MAGIC ? REPLAY_AVRO : REPLAY_JSONL;
    return format == REPLAY_AVRO ? replay_source_avro(stream, options->input, setup, error)
                                 : replay_source_json(stream, setup);
}

struct replay_source *replay_source_open(const struct replay_options *options,
                                         const struct replay_setup *setup, int *status)
{
    char error[REPLAY_ERROR_TEXT] = "";
    struct replay_source *source;
    struct stat facts;
    *status = EX_DATAERR;
    if (options->format == REPLAY_KAFKA) {
        *status = EX_UNAVAILABLE;
        source = replay_source_kafka(options, setup, error);
        if (!source)
            fprintf(stderr, "%s: %s\n", program_invocation_name, error);
        return source;
    }
    bool standard = strcmp(options->input, "-") == 0;
    const char *name = standard ? "standard input" : options->input;
    FILE *stream = standard ? stdin : fopen(options->input, "rb");
    bool directory = stream && fstat(fileno(stream), &facts) == 0 && S_ISDIR(facts.st_mode);
    if (!stream || directory) {
        fprintf(stderr, "%s: %s: %s\n", program_invocation_name, name,
                strerror(stream ? EISDIR : errno));
        *status = EX_NOINPUT;
        return NULL;
    }
    source = open_file(options, stream, setup, error);
    if (!source) {
        fprintf(stderr, "%s: %s: %s\n", program_invocation_name, name, error);
        return NULL;
    }
    source->name = name;
    source->setup = setup;
    if (fstat(fileno(stream), &facts) == 0 && S_ISREG(facts.st_mode))
        source->all_bytes = facts.st_size;
    return source;
}
