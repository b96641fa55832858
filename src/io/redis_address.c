/* Parses redis.url by hand: it is short, and its errors should say what to write instead. */
#include "redis_address.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

enum { DEFAULT_PORT = 6379, DB_MAX = 65535 };

static bool fail(char *error, size_t error_size, const char *message)
{
    snprintf(error, error_size, "%s", message);
    return false;
}

/* Copies [start, end) when it is not empty and fits. */
static bool take(char *out, size_t out_size, const char *start, const char *end)
{
    size_t len = (size_t)(end - start);
    if (len == 0 || len >= out_size)
        return false;
    memcpy(out, start, len);
    out[len] = '\0';
    return true;
}

static bool parse_number(const char *start, const char *end, int max, int *number)
{
    char digits[8];
    int64_t parsed;
    if (!take(digits, sizeof digits, start, end) || !text_parse_long(digits, &parsed) ||
        parsed < 0 || parsed > max)
        return false;
    *number = (int)parsed;
    return true;
}

static bool parse_unix(const char *rest, struct redis_address *address, char *error, size_t size)
{
    const char *end = rest + strlen(rest);
    const char *query = strchr(rest, '?');
    if (*rest != '/' || !take(address->path, sizeof address->path, rest, query ? query : end))
        return fail(error, size, "the socket's path must be absolute and shorter than 108 bytes: "
                                 "unix:///run/redis/redis.sock?db=0");
    if (query && (strncmp(query, "?db=", 4) != 0 ||
                  !parse_number(query + 4, end, DB_MAX, &address->db)))
        return fail(error, size, "only ?db=NUMBER may follow the socket's path");
    return true;
}

/* host, host:port or [IPv6]:port in [start, end). */
static bool parse_host(const char *start, const char *end, struct redis_address *address)
{
    const char *host_end = memchr(start, ':', (size_t)(end - start));
    const char *after = host_end ? host_end : end;
    if (*start == '[') {
        start++;
        host_end = memchr(start, ']', (size_t)(end - start));
        if (!host_end)
            return false;
        after = host_end + 1;
    }
    if (!take(address->host, sizeof address->host, start, host_end ? host_end : end))
        return false;
    if (after == end)
        return true;
    return *after == ':' && parse_number(after + 1, end, 65535, &address->port) &&
           address->port > 0;
}

static bool parse_tcp(const char *rest, struct redis_address *address, char *error, size_t size)
{
    const char *end = rest + strlen(rest);
    const char *slash = strchr(rest, '/');
    const char *host_end = slash ? slash : end;
    const char *at = memrchr(rest, '@', (size_t)(host_end - rest));
    if (at) {
        if (memchr(rest, ':', (size_t)(at - rest)))
            return fail(error, size, "no password in the URL: give it as redis.password");
        if (!take(address->user, sizeof address->user, rest, at))
            return fail(error, size, "the user before @ is empty or too long");
        rest = at + 1;
    }
    if (!parse_host(rest, host_end, address))
        return fail(error, size, "host or port is wrong: write redis://host:6379/0");
    if (slash && slash + 1 < end && !parse_number(slash + 1, end, DB_MAX, &address->db))
        return fail(error, size, "the database after / must be a number");
    return true;
}

bool redis_address_parse(const char *url, struct redis_address *address, char *error,
                         size_t error_size)
{
    *address = (struct redis_address){.port = DEFAULT_PORT};
    if (strncmp(url, "redis://", 8) == 0)
        return parse_tcp(url + 8, address, error, error_size);
    if (strncmp(url, "unix://", 7) == 0)
        return parse_unix(url + 7, address, error, error_size);
    if (strncmp(url, "rediss://", 9) == 0)
        return fail(error, error_size, "TLS is not supported yet: use redis:// or unix://");
    return fail(error, error_size, "write redis://host:port/db or unix:///path?db=0");
}
