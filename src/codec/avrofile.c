/* Container files: avro-c undoes blocks and compression; each datum is given on as bytes again, so
 * that one piece of code, the plan, says what a datum looks like. */
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>

#include "avrofile.h"
#include "pool.h"

enum { SCHEMA_TEXT_MAX = 1 << 20 };

struct avrofile {
    avro_file_reader_t reader;
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
    struct text schema_text;
};

static bool write_schema(struct avrofile *file)
{
    char *room = text_reserve(&file->schema_text, SCHEMA_TEXT_MAX);
    avro_writer_t writer = avro_writer_memory(room, SCHEMA_TEXT_MAX - 1);
    bool ok = avro_schema_to_json(file->schema, writer) == 0;
    if (ok) {
        file->schema_text.len = (size_t)avro_writer_tell(writer);
        file->schema_text.data[file->schema_text.len] = 0;
    }
    avro_writer_free(writer);
    return ok;
}

struct avrofile *avrofile_open(const char *path, char *error)
{
    struct avrofile *file = memory_alloc(sizeof *file);
    if (avro_file_reader(path, &file->reader)) {
        snprintf(error, AVROFILE_ERROR_TEXT, "%s: %s", path, avro_strerror());
        memory_free(file);
        return NULL;
    }
    file->schema = avro_file_reader_get_writer_schema(file->reader);
    file->class = avro_generic_class_from_schema(file->schema);
    if (file->class && avro_generic_value_new(file->class, &file->value) == 0 && write_schema(file))
        return file;
    snprintf(error, AVROFILE_ERROR_TEXT, "%s: the schema cannot be used: %s", path,
             avro_strerror());
    avrofile_close(file);
    return NULL;
}

const char *avrofile_schema(const struct avrofile *file)
{
    return file->schema_text.data;
}

static bool write_datum(struct avrofile *file, struct text *datum)
{
    size_t size;
    if (avro_value_sizeof(&file->value, &size) || size > AVROFILE_MAX_DATUM)
        return false;
    text_clear(datum);
    char *room = text_reserve(datum, size + 1);
    avro_writer_t writer = avro_writer_memory(room, (int64_t)size);
    bool ok = avro_value_write(writer, &file->value) == 0;
    avro_writer_free(writer);
    datum->len = size;
    return ok;
}

bool avrofile_next(struct avrofile *file, struct text *datum, char *error)
{
    error[0] = 0;
    int failure = avro_file_reader_read_value(file->reader, &file->value);
    if (failure == EOF)
        return false;
    if (failure || !write_datum(file, datum)) {
        snprintf(error, AVROFILE_ERROR_TEXT, "%s", avro_strerror());
        return false;
    }
    return true;
}

void avrofile_close(struct avrofile *file)
{
    if (file->value.self)
        avro_value_decref(&file->value);
    if (file->class)
        avro_value_iface_decref(file->class);
    avro_schema_decref(file->schema);
    avro_file_reader_close(file->reader);
    text_free(&file->schema_text);
    memory_free(file);
}
