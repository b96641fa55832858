/* The HTTP pages, by libmicrohttpd on its own thread; libmicrohttpd is confined to this file.
 *
 * A page is an immutable, counted copy: publishing swaps a pointer under a mutex, a response holds
 * its copy for as long as the client takes to read it. Nobody ever waits for a client. */
#include "http.h"

#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "expect.h"
#include "pool.h"
#include "text.h"

enum { CONNECTION_MEMORY = 16 * 1024 };

struct page {
    atomic_uint users;
    int status;
    struct text text;
};

struct http {
    struct MHD_Daemon *daemon;
    int port;
    pthread_mutex_t lock;
    struct page *pages[HTTP_PAGES]; /* under lock, as is */
    int64_t published_ms;           /* monotonic, of the newest publication */
};

static const struct route {
    const char *path;
    const char *content_type;
    bool tells_liveness;
} routes[HTTP_PAGES] = {
    [HTTP_METRICS] = {"/metrics", "text/plain; version=0.0.4; charset=utf-8", false},
    [HTTP_HEALTHZ] = {"/healthz", "text/plain; charset=utf-8", true},
    [HTTP_READYZ] = {"/readyz", "text/plain; charset=utf-8", true},
    [HTTP_STATUS] = {"/", "text/html; charset=utf-8", false},
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Pages */

static struct page *page_new(int status)
{
    struct page *page = memory_alloc(sizeof *page);
    atomic_init(&page->users, 1);
    page->status = status;
    return page;
}

static void page_release(void *data)
{
    struct page *page = data;
    if (page == NULL || atomic_fetch_sub(&page->users, 1) > 1)
        return;
    text_free(&page->text);
    memory_free(page);
}

static void append_html(struct text *out, const char *text, size_t len)
{
    text_append_string(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta http-equiv=\"refresh\" content=\"5\"><title>freshet</title><style>"
        "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;"
        "color:#222;background:#fff}pre{font:13px/1.5 ui-monospace,monospace;overflow-x:auto;"
        "background:#f4f6f8;padding:1em;border-radius:6px}a{margin-right:1em}"
        "@media(prefers-color-scheme:dark){body{color:#ddd;background:#161a1d}"
        "pre{background:#20262b}a{color:#8ab4f8}}</style></head><body><h1>freshet</h1>\n<pre>");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '<')
            text_append_string(out, "&lt;");
        else if (text[i] == '>')
            text_append_string(out, "&gt;");
        else if (text[i] == '&')
            text_append_string(out, "&amp;");
        else
            text_append_char(out, text[i]);
    }
    text_append_string(out, "</pre>\n<p><a href=\"/metrics\">metrics</a>"
                            "<a href=\"/healthz\">healthz</a><a href=\"/readyz\">readyz</a></p>"
                            "</body></html>\n");
}

void http_publish(struct http *http, enum http_page id, int status, const char *text, size_t len)
{
    struct page *page = page_new(status);
    if (id == HTTP_STATUS)
        append_html(&page->text, text, len);
    else
        text_append(&page->text, text, len);
    pthread_mutex_lock(&http->lock);
    struct page *old = http->pages[id];
    http->pages[id] = page;
    http->published_ms = now_ms();
    pthread_mutex_unlock(&http->lock);
    page_release(old);
}

/* A counted reference to the page, or to one that says why there is none. */
static struct page *take_page(struct http *http, enum http_page id)
{
    pthread_mutex_lock(&http->lock);
    struct page *page = http->pages[id];
    int64_t silent_ms = now_ms() - http->published_ms;
    if (page != NULL)
        atomic_fetch_add(&page->users, 1);
    pthread_mutex_unlock(&http->lock);
    bool is_stale = page != NULL && routes[id].tells_liveness && silent_ms > HTTP_STALE_MS;
    if (page != NULL && !is_stale)
        return page;
    page_release(page);
    page = page_new(MHD_HTTP_SERVICE_UNAVAILABLE);
    if (is_stale)
        text_printf(&page->text, "the loop has been silent for %lld s\n",
                    (long long)(silent_ms / 1000));
    else
        text_append_string(&page->text, "starting\n");
    return page;
}

/* Requests, on libmicrohttpd's thread */

static enum MHD_Result respond(struct MHD_Connection *connection, struct page *page,
                               const char *content_type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        page->text.len, page->text.data, page_release, page);
    if (response == NULL) {
        page_release(page);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", content_type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (page->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    enum MHD_Result result =
        MHD_queue_response(connection, (unsigned)page->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **per_request)
{
    struct http *http = data;
    (void)version;
    (void)upload;
    (void)per_request;
    bool is_read = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    *upload_size = 0;
    for (int id = 0; is_read && id < HTTP_PAGES; id++)
        if (strcmp(url, routes[id].path) == 0)
            return respond(connection, take_page(http, (enum http_page)id),
                           routes[id].content_type);
    struct page *page = page_new(is_read ? MHD_HTTP_NOT_FOUND : MHD_HTTP_METHOD_NOT_ALLOWED);
    text_append_string(&page->text, is_read ? "there are /, /metrics, /healthz and /readyz\n"
                                            : "only GET and HEAD\n");
    return respond(connection, page, "text/plain; charset=utf-8");
}

/* libmicrohttpd's complaints concern single clients, who see them as closed connections. */
static void on_log(void *data, const char *format, va_list arguments)
{
    (void)data;
    (void)format;
    (void)arguments;
}

/* Opening and closing */

static struct MHD_Daemon *start(struct http *http, const struct addrinfo *address)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG;
    if (address->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, http,
                            MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                            MHD_OPTION_SOCK_ADDR, address->ai_addr,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                            MHD_OPTION_END);
}

static int bound_port(struct MHD_Daemon *daemon)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_LISTEN_FD);
    expect(info != NULL);
    expect(getsockname(info->listen_fd, (struct sockaddr *)&address, &len) == 0);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

struct http *http_open(const char *host, int port, char *error)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int failure = getaddrinfo(host, service, &hints, &addresses);
    if (failure != 0) {
        snprintf(error, HTTP_ERROR_MAX, "%.128s: %s", host, gai_strerror(failure));
        return NULL;
    }
    struct http *http = memory_alloc(sizeof *http);
    pthread_mutex_init(&http->lock, NULL);
    for (struct addrinfo *at = addresses; at != NULL && http->daemon == NULL; at = at->ai_next)
        http->daemon = start(http, at);
    freeaddrinfo(addresses);
    if (http->daemon == NULL) {
        snprintf(error, HTTP_ERROR_MAX,
                 "cannot listen on %.128s port %d: is it in use, or not this machine's?", host,
                 port);
        http_close(http);
        return NULL;
    }
    http->port = bound_port(http->daemon);
    return http;
}

int http_port(const struct http *http)
{
    return http->port;
}

void http_close(struct http *http)
{
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    for (int id = 0; id < HTTP_PAGES; id++)
        page_release(http->pages[id]);
    pthread_mutex_destroy(&http->lock);
    memory_free(http);
}
