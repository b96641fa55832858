/* The HTTP pages /metrics, /healthz, /readyz and / on a thread of their own.
 *
 * The loop publishes each page about once a second; requests are answered from the newest copy, so
 * neither a slow client nor many of them are noticed by the loop. When nothing was published for
 * HTTP_STALE_MS the loop hangs, and /healthz and /readyz say so with 503. */
#ifndef FRESHET_HTTP_H
#define FRESHET_HTTP_H

#include <stddef.h>

enum {
    HTTP_CONNECTIONS_MAX = 32,  /* more are closed at once */
    HTTP_TIMEOUT_S = 10,        /* of an idle connection, or of one that sends half a request */
    HTTP_STALE_MS = 10 * 1000,
    HTTP_ERROR_MAX = 256,       /* room for any error text from here */
};

enum http_page {
    HTTP_METRICS, /* Prometheus text format 0.0.4 */
    HTTP_HEALTHZ, /* plain text */
    HTTP_READYZ,  /* plain text */
    HTTP_STATUS,  /* plain text, shown at / in a small HTML page */
    HTTP_PAGES,
};

struct http;

/* host is a name or an address; port 0 takes a free one. NULL and error when it cannot listen. */
struct http *http_open(const char *host, int port, char *error);
int http_port(const struct http *http);
/* Replaces a page; the text is copied. status is 200 or 503. From any thread. */
void http_publish(struct http *http, enum http_page page, int status, const char *text,
                  size_t len);
/* Ends the thread; open requests are cut off. */
void http_close(struct http *http);

#endif
