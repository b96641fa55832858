/* Records from JSON lines: text is read in large pieces, cut into lines, and decoded in slices. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "arena.h"
#include "avroplan.h"
#include "expect.h"
#include "jsonavro.h"
#include "pool.h"
#include "replay_source.h"

enum {
    PIECE = 1 << 20,     /* bytes asked of the file at once */
    REPLAY_LINE_MAX = 64 << 20, /* bytes of a line; a longer one is an error */
};

/* What one thread needs to decode a slice. */
struct decoder {
    struct jsonavro *json;
    struct arena arena; /* of the slice's datums and values */
    struct text datum;
};

struct json_source {
    struct replay_source source;
    FILE *stream;
    struct avroplan *plan; /* from the schema to itself */
    struct text buffer;    /* what was read ... */
    size_t at;             /* ... and is not yet in an item */
    bool ended;
    int64_t line;
    struct decoder decoders[REPLAY_SLICES];
};

/* ---- lines ---- */

/* Makes room at the front and reads on. */
static void fill(struct json_source *json)
{
    struct text *buffer = &json->buffer;
    memmove(buffer->data, buffer->data + json->at, buffer->len - json->at);
    buffer->len -= json->at;
    json->at = 0;
    size_t got = fread(text_reserve(buffer, PIECE + 1), 1, PIECE, json->stream);
    buffer->len += got;
    json->source.read_bytes += (int64_t)got;
    json->ended = got == 0;
    if (got == 0 && ferror(json->stream))
        replay_source_fail(&json->source, EX_IOERR, "%s: %s", json->source.name, strerror(errno));
}

/* The end of the line that begins at `at`; NULL: it is not in the buffer. */
static const char *line_end(const struct json_source *json)
{
    const char *from = json->buffer.data + json->at;
    size_t len = json->buffer.len - json->at;
    const char *end = memchr(from, '\n', len);
    return end || len == 0 || !json->ended ? end : from + len;
}

static bool is_blank(const char *text, size_t len)
{
    while (len > 0 && (*text == ' ' || *text == '\t' || *text == '\r'))
        text++, len--;
    return len == 0;
}

static bool read_lines(struct replay_source *source, struct replay_chunk *chunk)
{
    struct json_source *json = (struct json_source *)source;
    chunk->count = 0;
    if (json->buffer.len - json->at < PIECE && !json->ended)
        fill(json);
    while (!line_end(json) && !json->ended && source->status == 0) {
        if (json->buffer.len - json->at > REPLAY_LINE_MAX)
            replay_source_fail(source, EX_DATAERR, "%s:%lld: the line is longer than %d MiB",
                               source->name, (long long)json->line + 1, REPLAY_LINE_MAX >> 20);
        else
            fill(json);
    }
    const char *end;
    while (source->status == 0 && chunk->count < REPLAY_CHUNK && (end = line_end(json))) {
        const char *text = json->buffer.data + json->at;
        size_t len = (size_t)(end - text);
        json->at += len + (json->at + len < json->buffer.len);
        json->line++;
        if (!is_blank(text, len))
            chunk->items[chunk->count++] =
                (struct replay_item){.text = text, .len = len, .place = json->line};
    }
    return chunk->count > 0 || (source->status == 0 && json->at < json->buffer.len);
}

/* ---- events ---- */

static bool decode_line(struct json_source *json, struct decoder *decoder,
                        struct replay_item *item, char *error)
{
    const struct replay_setup *setup = json->source.setup;
    struct jsonavro_meta meta;
    struct jsonavro_error wrong;
    struct avro_error err;
    text_clear(&decoder->datum);
    if (!jsonavro_line(decoder->json, item->text, item->len, &decoder->datum, &meta, &wrong)) {
        (void)snprintf(error, REPLAY_ERROR_TEXT, "%s:%lld:%zu: %s", json->source.name,
                       (long long)item->place, wrong.column, wrong.message);
        return false;
    }
    item->partition = meta.partition;
    item->idle = meta.idle;
    item->as_of_ms = meta.as_of_ms;
    if (meta.idle)
        return true;
    item->record = (struct record){
        .offset = meta.has_offset ? meta.offset : REPLAY_NO_OFFSET,
        .record_time_ms = meta.has_record_time ? meta.record_time_ms : RECORD_NO_TIME,
        .fate = meta.tombstone ? FATE_TOMBSTONE : FATE_NONE,
    };
    if (meta.tombstone)
        return true;
    struct value *slots =
        arena_alloc(&decoder->arena, (size_t)setup->model->slot_count * sizeof *slots);
    size_t len = decoder->datum.len;
    char *datum = arena_alloc(&decoder->arena, len + 1);
    memcpy(datum, decoder->datum.data, len);
    item->record.slots = slots;
    if ((int64_t)len > setup->config->schema_max_bytes) {
        item->record.fate = FATE_OVERSIZE;
    } else if (!avroplan_decode(json->plan, datum, len, slots, &err)) {
        item->record.fate = FATE_UNDECODABLE;
    } else {
        replay_item_timed(item, setup);
    }
    return true;
}

static void decode_slice(struct replay_source *source, struct replay_chunk *chunk, int slice)
{
    struct json_source *json = (struct json_source *)source;
    struct decoder *decoder = &json->decoders[slice];
    arena_reset(&decoder->arena);
    int end = replay_slice_begin(chunk, slice + 1);
    for (int i = replay_slice_begin(chunk, slice); i < end; i++) {
        if (decode_line(json, decoder, &chunk->items[i], chunk->slices[slice].error))
            continue;
        chunk->slices[slice].bad = i;
        return;
    }
}

/* ---- life ---- */

static void close_json(struct replay_source *source)
{
    struct json_source *json = (struct json_source *)source;
    for (int i = 0; i < REPLAY_SLICES; i++) {
        jsonavro_free(json->decoders[i].json);
        arena_free(&json->decoders[i].arena);
        text_free(&json->decoders[i].datum);
    }
    avroplan_free(json->plan);
    text_free(&json->buffer);
    if (json->stream != stdin)
        fclose(json->stream);
    memory_free(json);
}

struct replay_source *replay_source_json(FILE *stream, const struct replay_setup *setup)
{
    struct avro_error err;
    struct json_source *json = memory_alloc(sizeof *json);
    const struct model *model = setup->model;
    json->source = (struct replay_source){
        .read = read_lines, .decode = decode_slice, .close = close_json, .place_name = "line"};
    json->stream = stream;
    json->plan = avroplan_compile(model->reader, model->reader, model->projection, false, &err);
    expect(json->plan != NULL);
    text_reserve(&json->buffer, PIECE + 1);
    for (int i = 0; i < REPLAY_SLICES; i++)
        json->decoders[i].json = jsonavro_new(model->reader);
    return &json->source;
}
