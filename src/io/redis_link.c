/* We own the socket because hiredis' adapters lose errors (design: redis). Everything that takes
 * the link down goes through link_close, and everything that follows happens in the socket's close
 * callback, when libuv no longer touches socket or buffers. */
#include "redis_link.h"

#include <stdio.h>
#include <string.h>

#include "expect.h"

enum { KEEPALIVE_S = 60, PORT_DIGITS = 8 };

static void try_next_address(struct redis_link *link);
static void on_timer(uv_timer_t *timer);

/* ---- going down ---- */

/* The request leaves the link; buffers and reply are free afterwards. */
static void answer(struct redis_link *link, struct redis_request *request)
{
    struct redis_reply *reply = request->reply;
    request->reply = NULL;
    link->events.answer(link->events.context, request, reply);
    if (reply)
        redis_reply_free(reply);
}

static struct redis_request *take_oldest(struct redis_link *link)
{
    struct redis_request *request = link->oldest;
    link->oldest = request->next;
    if (!link->oldest)
        link->newest = NULL;
    link->inflight_bytes -= request->bytes;
    return request;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct redis_link *link = handle->data;
    link->finished(link->events.context);
}

static void went_down(struct redis_link *link)
{
    uv_timer_stop(&link->timer);
    uv_freeaddrinfo(link->addresses);
    link->addresses = link->untried = NULL;
    link->state = REDIS_LINK_CLOSING;
    while (link->oldest)
        answer(link, take_oldest(link));
    link->state = REDIS_LINK_DOWN;
    if (link->finished)
        uv_close((uv_handle_t *)&link->timer, on_timer_closed);
    link->events.down(link->events.context, link->why, link->timed_out);
}

static void on_closed(uv_handle_t *handle)
{
    struct redis_link *link = handle->data;
    redis_reply_reader_close(link->reader);
    link->reader = NULL;
    if (link->untried && !link->finished)
        try_next_address(link);
    else
        went_down(link);
}

/* With requests unanswered, a TCP connection is reset: otherwise the kernel would go on delivering
 * what we wrote, and an old batch could arrive after those of the next connection. What already
 * lies in the server's buffer is beyond us: that takes a new token. */
static void close_socket(struct redis_link *link)
{
    if (!link->oldest || link->socket.handle.type != UV_TCP ||
        uv_tcp_close_reset(&link->socket.tcp, on_closed) < 0)
        uv_close(&link->socket.handle, on_closed);
}

static void link_close(struct redis_link *link, const char *why, bool timed_out)
{
    if (link->state != REDIS_LINK_CONNECTING && link->state != REDIS_LINK_UP)
        return;
    if (link->state == REDIS_LINK_UP)
        link->untried = NULL; /* this address was good; begin with the first next time */
    link->state = REDIS_LINK_CLOSING;
    link->timed_out = timed_out;
    snprintf(link->why, sizeof link->why, "%s", why);
    uv_timer_stop(&link->timer);
    close_socket(link);
}

void redis_link_drop(struct redis_link *link, const char *why)
{
    link_close(link, why, false);
}

/* ---- replies ---- */

static void take_reply(struct redis_link *link, struct redis_reply *reply)
{
    if (!link->oldest) {
        link_close(link, "a reply that nobody asked for", false);
        redis_reply_free(reply);
        return;
    }
    struct redis_request *request = take_oldest(link);
    request->reply = reply;
    if (!request->writing) /* else on_written answers */
        answer(link, request);
}

static void on_input(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct redis_link *link = stream->data;
    if (len < 0) {
        link_close(link, len == UV_EOF ? "Redis closed the connection" : uv_strerror((int)len),
                   false);
        return;
    }
    redis_reply_feed(link->reader, buffer->base, (size_t)len);
    link->unfinished += (size_t)len;
    /* An answer may drop the link, but the reader lives until the close callback. */
    while (link->state == REDIS_LINK_UP) {
        bool broken;
        struct redis_reply *reply = redis_reply_next(link->reader, &broken);
        if (broken)
            link_close(link, "protocol error in a reply", false);
        if (!broken && !reply && link->unfinished > REDIS_REPLY_MAX)
            link_close(link, "a reply of more than 16 MiB", false);
        if (!reply)
            return;
        link->unfinished = 0;
        link->heard_ms = uv_now(link->loop);
        link->overdue = false;
        take_reply(link, reply);
    }
}

static void on_need_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct redis_link *link = handle->data;
    *buffer = uv_buf_init(link->input, sizeof link->input);
}

/* ---- requests ---- */

static void on_written(uv_write_t *write, int status)
{
    struct redis_request *request = write->data;
    struct redis_link *link = request->link;
    request->writing = false;
    if (status < 0)
        link_close(link, uv_strerror(status), false);
    if (request->reply)
        answer(link, request);
}

void redis_link_send(struct redis_link *link, struct redis_request *request)
{
    expect(link->state == REDIS_LINK_UP);
    request->link = link;
    request->next = NULL;
    request->reply = NULL;
    request->bytes = 0;
    for (unsigned i = 0; i < request->part_count; i++)
        request->bytes += request->parts[i].len;
    request->sent_ms = uv_now(link->loop);
    request->write.data = request;
    if (link->newest)
        link->newest->next = request;
    else {
        link->oldest = request;
        link->overdue = false;
        uv_timer_start(&link->timer, on_timer, link->reply_timeout_ms, 0);
    }
    link->newest = request;
    link->inflight_bytes += request->bytes;
    int status = uv_write(&request->write, &link->socket.stream, request->parts,
                          request->part_count, on_written);
    request->writing = status == 0;
    if (status < 0)
        link_close(link, uv_strerror(status), false);
}

/* ---- time-outs ---- */

/* A loop that was busy or stopped sees its timers before its sockets: the first time a reply is
 * overdue, replies that wait in the socket are read before we judge. */
static void watch_replies(struct redis_link *link)
{
    if (!link->oldest)
        return;
    uint64_t now = uv_now(link->loop);
    uint64_t since = link->oldest->sent_ms > link->heard_ms ? link->oldest->sent_ms
                                                            : link->heard_ms;
    uint64_t due = since + link->reply_timeout_ms;
    if (now < due) {
        uv_timer_start(&link->timer, on_timer, due - now, 0);
    } else if (!link->overdue) {
        link->overdue = true;
        uv_timer_start(&link->timer, on_timer, 1, 0);
    } else {
        link_close(link, "no reply in time", true);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct redis_link *link = timer->data;
    if (link->state == REDIS_LINK_UP) {
        watch_replies(link);
    } else if (link->state == REDIS_LINK_CONNECTING) {
        link_close(link, "no connection in time", true);
    } else if (link->state == REDIS_LINK_RESOLVING) {
        /* A look-up that runs cannot be stopped: on_resolved comes when it is over. */
        link->timed_out = true;
        uv_cancel((uv_req_t *)&link->resolve);
    }
}

/* ---- connecting ---- */

static void on_connected(uv_connect_t *connect, int status)
{
    struct redis_link *link = connect->data;
    if (link->state != REDIS_LINK_CONNECTING)
        return; /* timed out or dropped: on_closed follows */
    if (status == 0)
        status = uv_read_start(&link->socket.stream, on_need_buffer, on_input);
    if (status < 0) {
        link_close(link, uv_strerror(status), false);
        return;
    }
    if (link->socket.handle.type == UV_TCP) {
        uv_tcp_nodelay(&link->socket.tcp, 1);
        uv_tcp_keepalive(&link->socket.tcp, 1, KEEPALIVE_S);
    }
    uv_timer_stop(&link->timer);
    link->state = REDIS_LINK_UP;
    link->heard_ms = uv_now(link->loop);
    link->events.up(link->events.context);
}

static void begin_attempt(struct redis_link *link)
{
    link->state = REDIS_LINK_CONNECTING;
    link->timed_out = false;
    link->reader = redis_reply_reader_open();
    link->unfinished = 0;
    link->socket.handle.data = link;
    link->connect.data = link;
    uv_timer_start(&link->timer, on_timer, link->connect_timeout_ms, 0);
}

static void try_next_address(struct redis_link *link)
{
    const struct sockaddr *address = link->untried->ai_addr;
    link->untried = link->untried->ai_next;
    uv_tcp_init(link->loop, &link->socket.tcp);
    begin_attempt(link);
    int status = uv_tcp_connect(&link->connect, &link->socket.tcp, address, on_connected);
    if (status < 0)
        link_close(link, uv_strerror(status), false);
}

static void on_resolved(uv_getaddrinfo_t *resolve, int status, struct addrinfo *addresses)
{
    struct redis_link *link = resolve->data;
    link->addresses = link->untried = addresses;
    if (status == 0 && !link->timed_out && !link->finished) {
        try_next_address(link);
        return;
    }
    const char *why = link->timed_out ? "no answer in time" : "not needed any more";
    if (status < 0 && !link->timed_out)
        why = uv_strerror(status);
    snprintf(link->why, sizeof link->why, "the host's address was not found: %s", why);
    went_down(link);
}

static void connect_tcp(struct redis_link *link, const struct redis_address *address)
{
    char port[PORT_DIGITS];
    snprintf(port, sizeof port, "%d", address->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    link->state = REDIS_LINK_RESOLVING;
    link->timed_out = false;
    link->resolve.data = link;
    uv_timer_start(&link->timer, on_timer, link->connect_timeout_ms, 0);
    int status = uv_getaddrinfo(link->loop, &link->resolve, on_resolved, address->host, port,
                                &hints);
    if (status < 0)
        on_resolved(&link->resolve, status, NULL);
}

void redis_link_connect(struct redis_link *link, const struct redis_address *address)
{
    expect(link->state == REDIS_LINK_DOWN && !link->finished);
    if (!address->path[0]) {
        connect_tcp(link, address);
        return;
    }
    uv_pipe_init(link->loop, &link->socket.pipe, 0);
    begin_attempt(link);
    uv_pipe_connect(&link->connect, &link->socket.pipe, address->path, on_connected);
}

/* ---- life ---- */

void redis_link_init(struct redis_link *link, uv_loop_t *loop,
                     const struct redis_link_events *events)
{
    *link = (struct redis_link){.loop = loop, .events = *events};
    uv_timer_init(loop, &link->timer);
    link->timer.data = link;
}

void redis_link_fini(struct redis_link *link, void (*finished)(void *context))
{
    link->finished = finished;
    if (link->state == REDIS_LINK_DOWN)
        uv_close((uv_handle_t *)&link->timer, on_timer_closed);
    else if (link->state == REDIS_LINK_RESOLVING)
        uv_cancel((uv_req_t *)&link->resolve);
    else
        link_close(link, "shutting down", false);
}
