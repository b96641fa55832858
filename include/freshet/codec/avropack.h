/* The ways in which blocks of container files are packed. Used by avrofile only. */
#ifndef FRESHET_AVROPACK_H
#define FRESHET_AVROPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

struct avropack {
    const char *name; /* avro.codec */
    bool plain;       /* bytes are as they are; unpack does nothing */
    /* Appends what the bytes stand for, at most max bytes; returns NULL, or what is wrong. */
    const char *(*unpack)(const char *bytes, size_t len, size_t max, struct text *out);
};

/* NULL: there is none of that name. */
const struct avropack *avropack_find(const char *name);
const char *avropack_names(void); /* for people */

void avropack_deflate(const char *bytes, size_t len, struct text *out);

#endif
