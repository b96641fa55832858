/* Reading Avro object container files, by avro-c. */
#ifndef FRESHET_AVROFILE_H
#define FRESHET_AVROFILE_H

#include <stdbool.h>

#include "text.h"

enum { AVROFILE_ERROR_TEXT = 256, AVROFILE_MAX_DATUM = 64 << 20 };

struct avrofile;

/* NULL with a text in error (AVROFILE_ERROR_TEXT bytes). */
struct avrofile *avrofile_open(const char *path, char *error);
/* The schema that the file was written with, as JSON. */
const char *avrofile_schema(const struct avrofile *file);
/* Replaces datum by the next one, as bytes of that schema. False at the end, with error empty, or
 * when the file is damaged. */
bool avrofile_next(struct avrofile *file, struct text *datum, char *error);
void avrofile_close(struct avrofile *file);

#endif
