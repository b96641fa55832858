/* Records from an Avro container file: blocks are unpacked, datums decoded by our own plan. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "arena.h"
#include "avrofile.h"
#include "avroplan.h"
#include "pool.h"
#include "replay_source.h"

struct avro_source {
    struct replay_source source;
    FILE *stream;
    struct avrofile *file;
    struct avroschema *writer;
    struct avroplan *plan;  /* to the reader schema */
    struct avroplan *whole; /* over a datum that the reader has no place for */
    struct avrofile_block block;
    int64_t taken; /* datums of the block */
    size_t at;     /* byte of the block */
    int64_t number; /* of records before */
    struct arena arena;
};

/* The next block that has datums; false at the end. */
static bool next_block(struct avro_source *avro)
{
    char why[AVROFILE_ERROR_TEXT];
    struct replay_source *source = &avro->source;
    if (avro->taken > 0 && avro->at < avro->block.len) {
        replay_source_fail(source, EX_DATAERR, "%s: block %lld: bytes are left over after its "
                           "records", source->name, (long long)avro->block.number);
        return false;
    }
    avro->taken = 0;
    avro->at = 0;
    if (avrofile_next(avro->file, &avro->block, why)) {
        source->read_bytes = ftell(avro->stream);
        return true;
    }
    avro->block.count = 0;
    if (why[0])
        replay_source_fail(source, EX_DATAERR, "%s: block %lld %s", source->name,
                           (long long)avro->block.number, why);
    return false;
}

/* A datum that is sound but has no place in the reader schema is a fate; one that is not sound
 * leaves nothing after it in the block that could be understood. */
static bool take_datum(struct avro_source *avro, struct replay_item *item)
{
    const struct replay_setup *setup = avro->source.setup;
    const char *bytes = avro->block.bytes + avro->at;
    size_t left = avro->block.len - avro->at, used = 0;
    struct avro_error err;
    struct value *slots =
        arena_alloc(&avro->arena, (size_t)setup->model->slot_count * sizeof *slots);
    *item = (struct replay_item){
        .record = {REPLAY_NO_OFFSET, RECORD_NO_TIME, FATE_NONE, slots},
        .place = avro->number + 1,
    };
    bool ok = avroplan_decode_next(avro->plan, bytes, left, slots, &used, &err);
    if (!ok && err.code != AVRO_ERROR_MALFORMED) {
        item->record.fate = FATE_UNDECODABLE;
        ok = avroplan_walk_next(avro->whole, bytes, left, NULL, &used, &err);
    } else if (ok) {
        replay_item_timed(item, setup);
    }
    if (!ok) {
        char why[AVROERROR_PATH_MAX + AVROERROR_MESSAGE_MAX + 64];
        avroerror_text(&err, why, sizeof why);
        replay_source_fail(&avro->source, EX_DATAERR, "%s: block %lld, record %lld: %s",
                           avro->source.name, (long long)avro->block.number,
                           (long long)avro->taken + 1, why);
        return false;
    }
    if ((int64_t)used > setup->config->schema_max_bytes)
        item->record.fate = FATE_OVERSIZE;
    avro->at += used;
    avro->taken++;
    avro->number++;
    return true;
}

static bool read_datums(struct replay_source *source, struct replay_chunk *chunk)
{
    struct avro_source *avro = (struct avro_source *)source;
    chunk->count = 0;
    arena_reset(&avro->arena);
    /* Values point into the block: a chunk does not go beyond it. */
    while (avro->taken == avro->block.count)
        if (!next_block(avro))
            return false;
    while (chunk->count < REPLAY_CHUNK && avro->taken < avro->block.count &&
           take_datum(avro, &chunk->items[chunk->count]))
        chunk->count++;
    return chunk->count > 0;
}

static void close_avro(struct replay_source *source)
{
    struct avro_source *avro = (struct avro_source *)source;
    avroplan_free(avro->plan);
    avroplan_free(avro->whole);
    avroschema_free(avro->writer);
    avrofile_close(avro->file);
    arena_free(&avro->arena);
    if (avro->stream != stdin)
        fclose(avro->stream);
    memory_free(avro);
}

/* The file's schema and the plans from it; false with the reason. */
static bool compile(struct avro_source *avro, const struct replay_setup *setup, char *error)
{
    struct avro_error err;
    const struct model *model = setup->model;
    const struct text *text = avrofile_schema(avro->file);
    avro->writer = avroschema_parse(text->data, text->len, NULL, 0, AVROSCHEMA_WRITER, &err);
    if (avro->writer)
        avro->whole = avroplan_compile(avro->writer, avro->writer, NULL, true, &err);
    if (avro->whole)
        avro->plan =
            avroplan_compile(avro->writer, model->reader, model->projection, true, &err);
    if (avro->plan)
        return true;
    char why[AVROERROR_PATH_MAX + AVROERROR_MESSAGE_MAX + 64];
    avroerror_text(&err, why, sizeof why);
    (void)snprintf(error, REPLAY_ERROR_TEXT, "its schema cannot be read as %s: %s",
                   setup->config->schema_reader, why);
    return false;
}

struct replay_source *replay_source_avro(FILE *stream, const char *name,
                                         const struct replay_setup *setup, char *error)
{
    struct avro_source *avro = memory_alloc(sizeof *avro);
    avro->source = (struct replay_source){
        .read = read_datums, .close = close_avro, .name = name, .place_name = "record"};
    avro->stream = stream;
    avro->file = avrofile_open(stream, error);
    if (avro->file && compile(avro, setup, error))
        return &avro->source;
    close_avro(&avro->source);
    return NULL;
}
