/* What is wrong with a schema, a pair of schemas or a datum, and where. */
#ifndef FRESHET_AVROERROR_H
#define FRESHET_AVROERROR_H

#include <stddef.h>

enum avro_error_code {
    AVRO_ERROR_NONE,
    AVRO_ERROR_SCHEMA,    /* a schema text that is not a schema */
    AVRO_ERROR_RESOLVE,   /* data of the writer can never become data of the reader */
    AVRO_ERROR_DATA,      /* the pair is usable, but the reader has no place for this datum */
    AVRO_ERROR_MALFORMED, /* the bytes are not what the writer's schema says */
    AVRO_ERROR_LIMIT,     /* a bound was reached */
};

enum { AVROERROR_PATH_MAX = 192, AVROERROR_MESSAGE_MAX = 256 };

/* Valid when the call that was given it has failed. Longer texts are cut. */
struct avro_error {
    enum avro_error_code code;
    size_t offset;                       /* byte of the datum or of the schema text */
    char path[AVROERROR_PATH_MAX];       /* of the field, `page.url`; empty at the root */
    char message[AVROERROR_MESSAGE_MAX]; /* without path and offset */
};

/* The name of the class: schema, resolve, data, malformed, limit. */
const char *avroerror_name(enum avro_error_code code);
/* Sets code and message; path becomes empty and offset 0. */
void avroerror_set(struct avro_error *err, enum avro_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One line for people: "message, at field page.url, at byte 17". */
void avroerror_text(const struct avro_error *err, char *out, size_t out_size);

#endif
