/* Writes Redis commands (RESP2): an array header with the argument count, then bulk strings. */
#ifndef FRESHET_RESP_H
#define FRESHET_RESP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "text.h"

enum { RESP_BULK_OVERHEAD = 24 }; /* bytes a bulk string needs beside its content, at the most */

void resp_array(struct text *out, size_t count);
void resp_bulk(struct text *out, const void *bytes, size_t len);
void resp_bulk_string(struct text *out, const char *string);
void resp_bulk_long(struct text *out, int64_t number);

/* A whole command from strings: resp_command(out, "SCRIPT", "LOAD", source, NULL). */
void resp_command(struct text *out, const char *first, ...) __attribute__((sentinel));

/* For hot paths: text_reserve the room, write at p with the functions below, which return the end,
 * and finish with it. */
static inline void resp_finish(struct text *out, char *end)
{
    *end = '\0';
    out->len = (size_t)(end - out->data);
}

static inline char *resp_put_len(char *p, size_t len)
{
    *p++ = '$';
    if (len < 10)
        *p++ = (char)('0' + len);
    else if (len < 100) {
        *p++ = (char)('0' + len / 10);
        *p++ = (char)('0' + len % 10);
    } else
        p += text_format_long(p, (int64_t)len);
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

static inline char *resp_put_bulk(char *p, const void *bytes, size_t len)
{
    p = resp_put_len(p, len);
    memcpy(p, bytes, len);
    p += len;
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

#endif
