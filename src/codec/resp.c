/* The RESP writer: lengths are known, so bytes are only copied. */
#include "resp.h"

#include <stdarg.h>

void resp_array(struct text *out, size_t count)
{
    char *p = text_reserve(out, RESP_BULK_OVERHEAD);
    *p++ = '*';
    p += text_format_long(p, (int64_t)count);
    *p++ = '\r';
    *p++ = '\n';
    resp_finish(out, p);
}

void resp_bulk(struct text *out, const void *bytes, size_t len)
{
    resp_finish(out, resp_put_bulk(text_reserve(out, len + RESP_BULK_OVERHEAD), bytes, len));
}

void resp_bulk_string(struct text *out, const char *string)
{
    resp_bulk(out, string, strlen(string));
}

void resp_bulk_long(struct text *out, int64_t number)
{
    char digits[24];
    resp_bulk(out, digits, text_format_long(digits, number));
}

void resp_command(struct text *out, const char *first, ...)
{
    size_t count = 0;
    va_list arguments;
    va_start(arguments, first);
    for (const char *a = first; a; a = va_arg(arguments, const char *))
        count++;
    va_end(arguments);

    resp_array(out, count);
    va_start(arguments, first);
    for (const char *a = first; a; a = va_arg(arguments, const char *))
        resp_bulk_string(out, a);
    va_end(arguments);
}
