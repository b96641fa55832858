/* Small files as a whole: configuration, schemas, secrets. */
#ifndef FRESHET_READFILE_H
#define FRESHET_READFILE_H

#include <stddef.h>

#include "text.h"

/* Appends the file's bytes to out. Returns NULL, or why not: the system's words, or that it has
 * more than max bytes; out may then hold a part. */
const char *readfile(const char *path, size_t max, struct text *out);

/* path as seen from the directory of the file base; NULL as base: the working directory. The
 * caller frees it by memory_free. */
char *readfile_beside(const char *base, const char *path);

#endif
