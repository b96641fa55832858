/* Avro object container files: their header and blocks. What stands in a block is for the plan.
 *
 * avro-c is not used for it: its schema object drops aliases, defaults and logical types, and what
 * it decodes would have to be encoded again for the plan to see it. */
#ifndef FRESHET_AVROFILE_H
#define FRESHET_AVROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "text.h"

enum {
    AVROFILE_ERROR_TEXT = 256,
    AVROFILE_MAX_HEADER = 4 << 20,  /* bytes of a value of the header, such as the schema */
    AVROFILE_MAX_BLOCK = 256 << 20, /* bytes of a block, packed and unpacked */
    AVROFILE_SYNC = 16,
    AVROFILE_MAGIC = 'O', /* the first byte of every container file */
};

struct avrofile;

/* Reads the header. NULL with a text in error (AVROFILE_ERROR_TEXT bytes). The stream stays the
 * caller's. */
struct avrofile *avrofile_open(FILE *stream, char *error);
/* The schema that the file was written with, as it stands there. */
const struct text *avrofile_schema(const struct avrofile *file);

struct avrofile_block {
    int64_t number; /* from 1 */
    int64_t count;  /* of datums */
    const char *bytes; /* of all of them, until the next call */
    size_t len;
};

/* False at the end, with error empty, or when the file is damaged; block->number is then that of
 * the block that is. */
bool avrofile_next(struct avrofile *file, struct avrofile_block *block, char *error);
void avrofile_close(struct avrofile *file);

/* ---- writing ---- */

/* Blocks are packed by deflate. The marker between them is made from the schema: the same rows give
 * the same bytes. */
struct avrofile_writer {
    uint8_t sync[AVROFILE_SYNC];
    struct text packed;
};

/* Appends the header of a file of this schema to out. */
void avrofile_begin(struct avrofile_writer *writer, const char *schema, struct text *out);
/* Appends a block of count datums to out. */
void avrofile_append(struct avrofile_writer *writer, int64_t count, const char *bytes, size_t len,
                     struct text *out);
void avrofile_end(struct avrofile_writer *writer);

#endif
