/* Error texts of the Avro part. */
#include "avroerror.h"

#include <stdarg.h>
#include <stdio.h>

const char *avroerror_name(enum avro_error_code code)
{
    static const char *const names[] = {
        [AVRO_ERROR_NONE] = "ok",
        [AVRO_ERROR_SCHEMA] = "schema",
        [AVRO_ERROR_RESOLVE] = "resolve",
        [AVRO_ERROR_DATA] = "data",
        [AVRO_ERROR_MALFORMED] = "malformed",
        [AVRO_ERROR_LIMIT] = "limit",
    };
    return names[code];
}

void avroerror_set(struct avro_error *err, enum avro_error_code code, const char *format, ...)
{
    err->code = code;
    err->offset = 0;
    err->path[0] = '\0';
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
}

void avroerror_text(const struct avro_error *err, char *out, size_t out_size)
{
    char offset[40] = "";
    if (err->offset)
        (void)snprintf(offset, sizeof offset, ", at byte %zu", err->offset);
    (void)snprintf(out, out_size, "%s%s%s%s", err->message, err->path[0] ? ", at field " : "",
                   err->path, offset);
}
