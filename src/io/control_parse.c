/* One request out of a buffer.
 *
 * Parsing starts anew with each read: a request has at most 32 arguments and 16 KiB, so a client
 * that sends single bytes costs no more than one that sends noise, and there is no state to get
 * wrong. Sizes are judged when they are announced, not when the bytes have come. */
#include "control_parse.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { HEADER_MAX = 16 }; /* "*32" or "$16384" and the end of the line */

static enum control_parse_result broken(struct control_parse *out, const char *why)
{
    out->why = why;
    return CONTROL_PARSE_BROKEN;
}

/* "<kind>NUMBER\r\n" at *at; moves behind it. */
static enum control_parse_result header(const char *data, size_t len, size_t *at, long *number)
{
    size_t rest = len - *at;
    const char *start = data + *at + 1;
    const char *end = memchr(data + *at, '\n', rest < HEADER_MAX ? rest : HEADER_MAX);
    if (end == NULL)
        return rest < HEADER_MAX ? CONTROL_PARSE_MORE : CONTROL_PARSE_BROKEN;
    if (end - start < 2 || end[-1] != '\r')
        return CONTROL_PARSE_BROKEN;
    bool negative = *start == '-';
    *number = 0;
    for (const char *digit = start + negative; digit < end - 1; digit++) {
        if (*digit < '0' || *digit > '9' || *number > 100000000000000)
            return CONTROL_PARSE_BROKEN;
        *number = *number * 10 + (*digit - '0');
    }
    if (negative)
        *number = -*number;
    *at = (size_t)(end - data) + 1;
    return CONTROL_PARSE_REQUEST;
}

static enum control_parse_result parse_array(char *data, size_t len, struct control_parse *out)
{
    size_t at = 0;
    long count;
    enum control_parse_result result = header(data, len, &at, &count);
    if (result != CONTROL_PARSE_REQUEST)
        return result == CONTROL_PARSE_MORE ? result : broken(out, "invalid multibulk length");
    if (count > CONTROL_ARGUMENTS_MAX)
        return broken(out, "too many arguments (32 at the most)");
    out->used = at;
    if (count <= 0)
        return CONTROL_PARSE_NOTHING;
    for (out->count = 0; out->count < count; out->count++) {
        long bytes;
        if (at == len)
            return CONTROL_PARSE_MORE;
        if (data[at] != '$')
            return broken(out, "expected '$'");
        result = header(data, len, &at, &bytes);
        if (result == CONTROL_PARSE_MORE)
            return result;
        if (result == CONTROL_PARSE_BROKEN || bytes < 0)
            return broken(out, "invalid bulk length");
        if ((unsigned long)bytes + 2 > CONTROL_REQUEST_MAX - at)
            return broken(out, "request too large (16 KiB at the most)");
        if ((size_t)bytes + 2 > len - at)
            return CONTROL_PARSE_MORE;
        if (data[at + (size_t)bytes] != '\r' || data[at + (size_t)bytes + 1] != '\n')
            return broken(out, "bulk string without its end");
        out->arguments[out->count] = data + at;
        out->lengths[out->count] = (size_t)bytes;
        at += (size_t)bytes + 2;
    }
    for (int i = 0; i < out->count; i++)
        data[(size_t)(out->arguments[i] - data) + out->lengths[i]] = '\0';
    out->used = at;
    return CONTROL_PARSE_REQUEST;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte a backslash sequence stands for, as redis-cli writes it; *from ends on its last byte. */
static char unescape(const char **from, const char *end)
{
    const char *at = ++*from;
    if (*at == 'x' && end - at > 2 && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
        *from = at + 2;
        return (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
    }
    static const char letters[] = "nrtba", bytes[] = "\n\r\t\b\a";
    const char *letter = *at == '\0' ? NULL : strchr(letters, *at);
    return letter == NULL ? *at : bytes[letter - letters];
}

/* One word, quotes resolved in place; NULL when a quote is not closed. */
static const char *inline_word(const char *from, const char *end, char *to, size_t *len)
{
    char *start = to;
    char quote = '\0';
    for (; from < end; from++) {
        if (quote == '\0' && (*from == ' ' || *from == '\t'))
            break;
        if (quote == '\0' && (*from == '"' || *from == '\''))
            quote = *from;
        else if (quote != '\0' && *from == quote)
            quote = '\0';
        else if (quote == '"' && *from == '\\' && from + 1 < end)
            *to++ = unescape(&from, end);
        else
            *to++ = *from;
    }
    *len = (size_t)(to - start);
    return quote == '\0' ? from : NULL;
}

/* A web page may make its visitor's browser send anything, but always as HTTP. */
static bool is_http(const char *line, size_t len)
{
    static const char *const starts[] = {"POST ", "Host:"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (len >= strlen(starts[i]) && strncasecmp(line, starts[i], strlen(starts[i])) == 0)
            return true;
    return memmem(line, len, " HTTP/", 6) != NULL;
}

static enum control_parse_result parse_inline(char *data, size_t len, struct control_parse *out)
{
    if ((unsigned char)data[0] < ' ' && memchr("\r\n\t", data[0], 3) == NULL)
        return broken(out, "neither a RESP array nor an inline command");
    char *end = memchr(data, '\n', len);
    if (end == NULL)
        return CONTROL_PARSE_MORE;
    out->used = (size_t)(end - data) + 1;
    if (end > data && end[-1] == '\r')
        end--;
    if (is_http(data, (size_t)(end - data)))
        return broken(out, "this is no HTTP server");
    const char *from = data;
    for (out->count = 0;; out->count++) {
        while (from < end && (*from == ' ' || *from == '\t'))
            from++;
        if (from == end)
            break;
        if (out->count == CONTROL_ARGUMENTS_MAX)
            return broken(out, "too many arguments (32 at the most)");
        size_t at = (size_t)(from - data);
        from = inline_word(from, end, data + at, &out->lengths[out->count]);
        if (from == NULL)
            return broken(out, "unbalanced quotes");
        out->arguments[out->count] = data + at;
    }
    for (int i = 0; i < out->count; i++)
        data[(size_t)(out->arguments[i] - data) + out->lengths[i]] = '\0';
    return out->count == 0 ? CONTROL_PARSE_NOTHING : CONTROL_PARSE_REQUEST;
}

enum control_parse_result control_parse(char *data, size_t len, struct control_parse *out)
{
    *out = (struct control_parse){0};
    if (len == 0)
        return CONTROL_PARSE_MORE;
    enum control_parse_result result =
        data[0] == '*' ? parse_array(data, len, out) : parse_inline(data, len, out);
    if (result == CONTROL_PARSE_MORE && len >= CONTROL_REQUEST_MAX)
        return broken(out, "request too large (16 KiB at the most)");
    return result;
}
