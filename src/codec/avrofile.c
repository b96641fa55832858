/* Container files as the Avro 1.12 specification has them: magic, metadata, marker; then blocks of
 * count, size, bytes and marker. */
#include "avrofile.h"

#include <stdarg.h>
#include <string.h>

#include "avropack.h"
#include "avrowire.h"
#include "hash.h"
#include "jsonscalar.h"
#include "pool.h"

static const char magic[4] = {'O', 'b', 'j', 1};
enum { NAME_MAX_LEN = 4096, ENTRIES_MAX = 10000 };

struct avrofile {
    FILE *stream;
    struct text schema;
    const struct avropack *pack;
    uint8_t sync[AVROFILE_SYNC];
    struct text raw, unpacked; /* of the block at hand */
    int64_t blocks;
};

static bool fail(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(char *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, AVROFILE_ERROR_TEXT, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- pieces ---- */

static bool read_bytes(struct avrofile *file, void *bytes, size_t len, char *error)
{
    if (fread(bytes, 1, len, file->stream) == len)
        return true;
    return fail(error, ferror(file->stream) ? "cannot be read" : "ends in the middle");
}

static bool read_long(struct avrofile *file, int64_t *number, char *error)
{
    uint8_t bytes[AVROWIRE_MAX_VARINT];
    size_t len = 0;
    do {
        if (len == sizeof bytes)
            return fail(error, "has a number of more than 64 bits");
        if (!read_bytes(file, bytes + len, 1, error))
            return false;
    } while (bytes[len++] & 0x80);
    return avrowire_long(bytes, bytes + len, number) ||
           fail(error, "has a number of more than 64 bits");
}

/* A length of at most max, and that many bytes. */
static bool read_text(struct avrofile *file, const char *what, size_t max, struct text *text,
                      char *error)
{
    int64_t len;
    if (!read_long(file, &len, error))
        return false;
    if (len < 0 || (uint64_t)len > max)
        return fail(error, "has %s of %lld bytes (at most %zu)", what, (long long)len, max);
    text_clear(text);
    char *room = text_reserve(text, (size_t)len + 1);
    if (!read_bytes(file, room, (size_t)len, error))
        return false;
    text->len = (size_t)len;
    text->data[text->len] = '\0';
    return true;
}

/* ---- header ---- */

static bool take_entry(struct avrofile *file, struct text *name, struct text *value, char *error)
{
    if (!read_text(file, "a name", NAME_MAX_LEN, name, error) ||
        !read_text(file, "a value", AVROFILE_MAX_HEADER, value, error))
        return false;
    if (strcmp(name->data, "avro.schema") == 0) {
        text_clear(&file->schema);
        text_append(&file->schema, value->data, value->len);
    } else if (strcmp(name->data, "avro.codec") == 0) {
        file->pack = avropack_find(value->data);
        if (!file->pack)
            return fail(error, "is packed by \"%.32s\" (known are %s)", value->data,
                        avropack_names());
    }
    return true;
}

static bool read_metadata(struct avrofile *file, char *error)
{
    struct text name = {0}, value = {0};
    int64_t count = 0, size;
    int entries = 0;
    bool ok;
    while ((ok = read_long(file, &count, error)) && count != 0) {
        if (count < 0)
            ok = read_long(file, &size, error); /* of the block: not needed */
        uint64_t left = count < 0 ? ~(uint64_t)count + 1 : (uint64_t)count;
        for (; ok && left > 0; left--) {
            if (++entries > ENTRIES_MAX)
                ok = fail(error, "has more than %d entries in its header", ENTRIES_MAX);
            ok = ok && take_entry(file, &name, &value, error);
        }
        if (!ok)
            break;
    }
    text_free(&name);
    text_free(&value);
    return ok;
}

static bool read_header(struct avrofile *file, char *error)
{
    char start[sizeof magic];
    if (fread(start, 1, sizeof start, file->stream) != sizeof start ||
        memcmp(start, magic, sizeof start) != 0)
        return fail(error, "is no Avro container file");
    file->pack = avropack_find("null");
    if (!read_metadata(file, error) || !read_bytes(file, file->sync, sizeof file->sync, error))
        return false;
    return file->schema.len > 0 || fail(error, "has no schema");
}

struct avrofile *avrofile_open(FILE *stream, char *error)
{
    struct avrofile *file = memory_alloc(sizeof *file);
    file->stream = stream;
    if (read_header(file, error))
        return file;
    avrofile_close(file);
    return NULL;
}

const struct text *avrofile_schema(const struct avrofile *file)
{
    return &file->schema;
}

/* ---- blocks ---- */

static bool read_block(struct avrofile *file, struct avrofile_block *block, char *error)
{
    uint8_t sync[AVROFILE_SYNC];
    if (!read_long(file, &block->count, error))
        return false;
    if (block->count < 0)
        return fail(error, "says that it has %lld records", (long long)block->count);
    if (!read_text(file, "data", AVROFILE_MAX_BLOCK, &file->raw, error) ||
        !read_bytes(file, sync, sizeof sync, error))
        return false;
    if (memcmp(sync, file->sync, sizeof sync) != 0)
        return fail(error, "does not end in the file's marker");
    text_clear(&file->unpacked);
    const char *why = file->pack->unpack(file->raw.data, file->raw.len, AVROFILE_MAX_BLOCK,
                                         &file->unpacked);
    if (why)
        return fail(error, "cannot be unpacked by %s: %s", file->pack->name, why);
    const struct text *bytes = file->pack->plain ? &file->raw : &file->unpacked;
    block->bytes = bytes->data ? bytes->data : "";
    block->len = bytes->len;
    return true;
}

bool avrofile_next(struct avrofile *file, struct avrofile_block *block, char *error)
{
    error[0] = '\0';
    int c = getc(file->stream);
    if (c == EOF && !ferror(file->stream))
        return false;
    block->number = ++file->blocks;
    if (c == EOF)
        return fail(error, "cannot be read");
    ungetc(c, file->stream);
    return read_block(file, block, error);
}

void avrofile_close(struct avrofile *file)
{
    if (!file)
        return;
    text_free(&file->schema);
    text_free(&file->raw);
    text_free(&file->unpacked);
    memory_free(file);
}

/* ---- writing ---- */

static void put_entry(const char *name, const char *value, struct text *out)
{
    jsonscalar_put_bytes(out, name, strlen(name));
    jsonscalar_put_bytes(out, value, strlen(value));
}

void avrofile_begin(struct avrofile_writer *writer, const char *schema, struct text *out)
{
    *writer = (struct avrofile_writer){0};
    uint64_t half = hash_bytes(schema, strlen(schema));
    memcpy(writer->sync, &half, sizeof half);
    half = hash_bytes(&half, sizeof half);
    memcpy(writer->sync + sizeof half, &half, sizeof half);
    text_append(out, magic, sizeof magic);
    jsonscalar_put_long(out, 2);
    put_entry("avro.codec", "deflate", out);
    put_entry("avro.schema", schema, out);
    jsonscalar_put_long(out, 0);
    text_append(out, writer->sync, sizeof writer->sync);
}

void avrofile_append(struct avrofile_writer *writer, int64_t count, const char *bytes, size_t len,
                     struct text *out)
{
    text_clear(&writer->packed);
    avropack_deflate(bytes, len, &writer->packed);
    jsonscalar_put_long(out, count);
    jsonscalar_put_bytes(out, writer->packed.data, writer->packed.len);
    text_append(out, writer->sync, sizeof writer->sync);
}

void avrofile_end(struct avrofile_writer *writer)
{
    text_free(&writer->packed);
}
