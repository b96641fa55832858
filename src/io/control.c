/* The control sockets' server.
 *
 * Written on uv_poll and plain calls, not on uv_pipe: libuv accepts for as long as connections
 * come, so a flood of them would hold the loop; here a turn accepts ACCEPTS_PER_TURN and answers
 * a few requests of each client, and what is left waits for the next turn. A client that is
 * refused costs one accept, one send and one close. Slots are fixed: nothing grows with attacks. */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_client.h"
#include "control_listen.h"
#include "expect.h"
#include "log.h"
#include "pool.h"

enum {
    SLOTS = CONTROL_CLIENTS_MAX + CONTROL_CLIENTS_ROOT,
    ACCEPTS_PER_TURN = 16,
    SWEEP_MS = 1000,
};

struct listener {
    struct control *control;
    struct control_listen socket;
    uv_poll_t poll;
    bool is_open;
    bool write_allowed;
};

struct control {
    uv_loop_t *loop;
    struct control_options options;
    char *paths[2];
    struct listener listeners[2]; /* control and stat */
    struct control_client clients[SLOTS];
    uv_idle_t again;  /* runs while a client has requests left over from this turn */
    uv_timer_t sweep; /* ends clients that take too long, and accepts again after EMFILE */
    struct control_counts counts;
    unsigned handles; /* libuv still has */
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

const struct control_options *control_client_options(const struct control_client *client)
{
    return &client->control->options;
}

struct control_counts control_counts(const struct control *control)
{
    return control->counts;
}

struct control_counts *control_counts_of(struct control *control)
{
    return &control->counts;
}

static void on_again(uv_idle_t *idle)
{
    struct control *control = idle->data;
    uv_idle_stop(idle);
    for (int i = 0; i < SLOTS; i++)
        if (control->clients[i].state == CONTROL_CLIENT_OPEN)
            control_client_serve(&control->clients[i]);
}

void control_serve_again(struct control *control)
{
    uv_idle_start(&control->again, on_again);
}

/* Deferred replies: a ticket is the serial in the upper half, the slot and 1 in the lower. */

uint64_t control_defer(struct control_request *request)
{
    struct control_client *client = request->client;
    client->waiting = true;
    client->serial++;
    return (uint64_t)client->serial << 32 | (uint64_t)(client - client->control->clients + 1);
}

struct control_client *control_resume(struct control *control, uint64_t ticket)
{
    uint64_t slot = (ticket & UINT32_MAX) - 1;
    expect(slot < SLOTS);
    struct control_client *client = &control->clients[slot];
    if (!client->waiting || client->serial != ticket >> 32)
        return NULL;
    client->waiting = false;
    client->reply_mark = client->output.len;
    control_serve_again(control);
    return client;
}

/* Connections */

static bool has_room(const struct control *control, uid_t uid)
{
    unsigned max = uid == 0 ? SLOTS : CONTROL_CLIENTS_MAX;
    return control->counts.clients < max;
}

static void refuse_connection(struct control *control, int fd, const char *error,
                              const struct ucred *peer)
{
    char reply[CONTROL_ERROR_MAX];
    int len = snprintf(reply, sizeof reply, "-%s\r\n", error);
    log_warning("control_refused", "reason=%Q uid=%d pid=%d", error, (int)peer->uid,
                (int)peer->pid);
    control->counts.refused++;
    send(fd, reply, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static void take_connection(struct listener *listener, int fd)
{
    struct control *control = listener->control;
    struct ucred peer = {0};
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
        close(fd);
        return;
    }
    if (listener->write_allowed && peer.uid != 0 && peer.uid != geteuid()) {
        refuse_connection(control, fd, "NOPERM only the daemon's user and root", &peer);
        return;
    }
    if (!has_room(control, peer.uid)) {
        refuse_connection(control, fd, "ERR max number of clients reached", &peer);
        return;
    }
    struct control_client *client = control->clients;
    while (client->state != CONTROL_CLIENT_FREE)
        client++;
    expect(client < control->clients + SLOTS);
    client->uid = peer.uid;
    client->pid = peer.pid;
    client->write_allowed = listener->write_allowed;
    control_client_open(client, fd);
    control->handles++;
    control->counts.clients++;
    if (!uv_is_active((uv_handle_t *)&control->sweep))
        uv_timer_again(&control->sweep);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener->socket.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_connection(listener, fd);
            continue;
        }
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
            return;
        /* Out of descriptors: the connection stays in the backlog, so look again later. */
        log_warning("control_accept_failed", "reason=%Q", strerror(errno));
        uv_poll_stop(&listener->poll);
        uv_timer_again(&listener->control->sweep);
        return;
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct control *control = timer->data;
    for (int i = 0; i < SLOTS; i++)
        control_client_sweep(&control->clients[i]);
    for (int i = 0; i < 2; i++)
        if (control->listeners[i].is_open)
            uv_poll_start(&control->listeners[i].poll, UV_READABLE, on_listener);
    if (control->counts.clients == 0)
        uv_timer_stop(timer);
}

/* Opening and closing */

static void on_handle_closed(struct control *control)
{
    if (--control->handles > 0 || !control->closing)
        return;
    memory_free(control->paths[0]);
    memory_free(control->paths[1]);
    if (control->closed != NULL)
        control->closed(control->closed_context);
    memory_free(control);
}

void control_client_closed(struct control *control)
{
    control->counts.clients--;
    on_handle_closed(control);
}

static void on_own_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static void on_listener_closed(uv_handle_t *handle)
{
    on_handle_closed(((struct listener *)handle->data)->control);
}

static bool open_listener(struct control *control, int index, const char *path, mode_t mode,
                          char *error)
{
    struct listener *listener = &control->listeners[index];
    if (path == NULL || *path == '\0')
        return true;
    control->paths[index] = memory_strdup(path);
    if (!control_listen_open(&listener->socket, control->paths[index], mode, error))
        return false;
    listener->control = control;
    listener->is_open = true;
    listener->write_allowed = index == 0;
    listener->poll.data = listener;
    expect(uv_poll_init(control->loop, &listener->poll, listener->socket.fd) == 0);
    control->handles++;
    return uv_poll_start(&listener->poll, UV_READABLE, on_listener) == 0;
}

struct control *control_open(uv_loop_t *loop, const struct control_options *options, char *error)
{
    struct control *control = memory_alloc(sizeof *control);
    control->loop = loop;
    control->options = *options;
    control->handles = 2;
    for (int i = 0; i < SLOTS; i++) {
        control->clients[i].control = control;
        control->clients[i].loop = loop;
    }
    control->again.data = control->sweep.data = control;
    uv_idle_init(loop, &control->again);
    uv_timer_init(loop, &control->sweep);
    uv_timer_start(&control->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    if (open_listener(control, 0, options->control_path, 0600, error) &&
        open_listener(control, 1, options->stat_path, 0660, error))
        return control;
    control_close(control, NULL, NULL);
    return NULL;
}

void control_close(struct control *control, void (*closed)(void *context), void *context)
{
    control->closing = true;
    control->closed = closed;
    control->closed_context = context;
    for (int i = 0; i < SLOTS; i++) {
        struct control_client *client = &control->clients[i];
        if (control_client_is_open(client))
            control_client_flush(client);
        if (control_client_is_open(client))
            control_client_close(client);
    }
    for (int i = 0; i < 2; i++) {
        struct listener *listener = &control->listeners[i];
        if (!listener->is_open)
            continue;
        listener->is_open = false;
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
        control_listen_close(&listener->socket);
    }
    uv_close((uv_handle_t *)&control->again, on_own_closed);
    uv_close((uv_handle_t *)&control->sweep, on_own_closed);
}
