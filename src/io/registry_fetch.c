/* HTTP GET by libcurl's multi interface: libcurl says which sockets and which time it waits for,
 * libuv waits for them. libcurl is confined to this file. */
#include "registry_fetch.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "pool.h"
#include "registry.h"
#include "text.h"

enum { REDIRECTS_MAX = 5, CONNECTIONS_MAX = 8 };

struct request {
    struct registry_fetch *fetch;
    struct request *next;
    CURL *easy;
    struct text body;
    bool too_large;
    char error[CURL_ERROR_SIZE];
    registry_fetched *done;
    void *context;
};

struct registry_fetch {
    uv_loop_t *loop;
    CURLM *multi;
    struct curl_slist *headers;
    char *user, *password;
    int64_t timeout_ms;
    uv_timer_t timer;
    struct request *requests;
    unsigned handles; /* libuv still has */
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

/* A socket of libcurl's. */
struct watch {
    struct registry_fetch *fetch;
    uv_poll_t poll;
    curl_socket_t socket;
};

static void request_free(struct request *request)
{
    struct request **at = &request->fetch->requests;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    curl_multi_remove_handle(request->fetch->multi, request->easy);
    curl_easy_cleanup(request->easy);
    text_free(&request->body);
    memory_free(request);
}

static void finish(struct request *request, CURLcode code)
{
    long status = 0;
    const char *error = request->error[0] != '\0' ? request->error : curl_easy_strerror(code);
    if (code == CURLE_OK || request->too_large)
        curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    if (request->too_large && status == 200) /* else the status says enough */
        status = REGISTRY_FETCH_TOO_LARGE;
    request->done(request->context, (int)status,
                  request->body.len > 0 ? request->body.data : "", request->body.len,
                  code == CURLE_OK ? NULL : error);
    request_free(request);
}

static void finish_all(struct registry_fetch *fetch)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetch->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct request *request;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        finish(request, code);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct registry_fetch *fetch = timer->data;
    int running;
    curl_multi_socket_action(fetch->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_all(fetch);
}

static int on_wants_timer(CURLM *multi, long timeout_ms, void *data)
{
    struct registry_fetch *fetch = data;
    (void)multi;
    if (timeout_ms < 0 || fetch->closing)
        uv_timer_stop(&fetch->timer);
    else
        uv_timer_start(&fetch->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct registry_fetch *fetch = watch->fetch;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    int running;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(fetch->multi, watch->socket, flags, &running);
    finish_all(fetch);
}

static void on_handle_closed(struct registry_fetch *fetch)
{
    if (--fetch->handles > 0)
        return;
    if (fetch->closed != NULL)
        fetch->closed(fetch->closed_context);
    memory_free(fetch);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct registry_fetch *fetch = watch->fetch;
    memory_free(watch);
    on_handle_closed(fetch);
}

static struct watch *watch_open(struct registry_fetch *fetch, curl_socket_t socket)
{
    struct watch *watch = memory_alloc(sizeof *watch);
    watch->fetch = fetch;
    watch->socket = socket;
    watch->poll.data = watch;
    if (uv_poll_init_socket(fetch->loop, &watch->poll, socket) != 0) {
        memory_free(watch);
        return NULL;
    }
    fetch->handles++;
    curl_multi_assign(fetch->multi, socket, watch);
    return watch;
}

static int on_wants_socket(CURL *easy, curl_socket_t socket, int what, void *data, void *assigned)
{
    struct registry_fetch *fetch = data;
    struct watch *watch = assigned;
    int events = 0;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL)
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        curl_multi_assign(fetch->multi, socket, NULL);
        return 0;
    }
    if (watch == NULL)
        watch = watch_open(fetch, socket);
    if (watch == NULL)
        return -1;
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    return uv_poll_start(&watch->poll, events, on_socket) == 0 ? 0 : -1;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    struct request *request = data;
    size_t len = size * count;
    request->too_large = request->body.len + len > REGISTRY_RESPONSE_MAX;
    if (request->too_large)
        return 0; /* ends the transfer */
    text_append(&request->body, bytes, len);
    return len;
}

static void set_options(struct registry_fetch *fetch, struct request *request, const char *url)
{
    CURL *easy = request->easy;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "freshet/" FRESHET_VERSION);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)fetch->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* closing does not wait for a name server */
    if (fetch->user[0] != '\0') {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, fetch->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, fetch->password);
    }
}

void registry_fetch_get(struct registry_fetch *fetch, const char *url, registry_fetched *done,
                        void *context)
{
    struct request *request = memory_alloc(sizeof *request);
    request->fetch = fetch;
    request->done = done;
    request->context = context;
    request->easy = curl_easy_init();
    expect(request->easy != NULL);
    set_options(fetch, request, url);
    request->next = fetch->requests;
    fetch->requests = request;
    expect(curl_multi_add_handle(fetch->multi, request->easy) == CURLM_OK);
}

void registry_fetch_set_timeout(struct registry_fetch *fetch, int64_t timeout_ms)
{
    fetch->timeout_ms = timeout_ms;
}

struct registry_fetch *registry_fetch_open(uv_loop_t *loop, const char *user,
                                           const char *password, int64_t timeout_ms)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return NULL;
    struct registry_fetch *fetch = memory_alloc(sizeof *fetch);
    fetch->loop = loop;
    fetch->multi = curl_multi_init();
    expect(fetch->multi != NULL);
    fetch->headers = curl_slist_append(
        NULL, "Accept: application/vnd.schemaregistry.v1+json, application/json");
    fetch->user = memory_strdup(user == NULL ? "" : user);
    fetch->password = memory_strdup(password == NULL ? "" : password);
    fetch->timeout_ms = timeout_ms;
    fetch->handles = 1;
    fetch->timer.data = fetch;
    uv_timer_init(loop, &fetch->timer);
    curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, on_wants_socket);
    curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch);
    curl_multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, on_wants_timer);
    curl_multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch);
    curl_multi_setopt(fetch->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
    return fetch;
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

void registry_fetch_close(struct registry_fetch *fetch, void (*closed)(void *context),
                          void *context)
{
    fetch->closing = true;
    fetch->closed = closed;
    fetch->closed_context = context;
    while (fetch->requests != NULL)
        request_free(fetch->requests);
    curl_multi_cleanup(fetch->multi); /* takes its sockets back by on_wants_socket */
    curl_slist_free_all(fetch->headers);
    curl_global_cleanup();
    memory_free(fetch->user);
    memory_free(fetch->password);
    uv_close((uv_handle_t *)&fetch->timer, on_timer_closed);
}
