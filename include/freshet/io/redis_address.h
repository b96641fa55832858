/* The address of a Redis server as redis.url gives it. */
#ifndef FRESHET_REDIS_ADDRESS_H
#define FRESHET_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

enum { REDIS_HOST_MAX = 256, REDIS_PATH_MAX = 108, REDIS_USER_MAX = 257 };

struct redis_address {
    char path[REDIS_PATH_MAX]; /* Unix socket; empty: TCP */
    char host[REDIS_HOST_MAX]; /* name, IPv4 or IPv6 address without brackets */
    int port;
    int db;
    char user[REDIS_USER_MAX]; /* empty: none was given */
};

/*
 * redis://[user@]host[:port][/db] or unix:///path[?db=n]. On failure writes what is wrong, and
 * what to do, to error.
 */
bool redis_address_parse(const char *url, struct redis_address *address, char *error,
                         size_t error_size);

#endif
