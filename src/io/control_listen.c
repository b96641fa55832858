/* Listening Unix sockets.
 *
 * Connecting first tells a living instance from the socket file a dead one left behind. The file
 * is made under a closed umask and opened up afterwards: it is never more open than asked. */
#include "control_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"

enum { BACKLOG = 64 };

static bool fail(struct control_listen *listener, char *error, const char *what)
{
    snprintf(error, CONTROL_ERROR_MAX, "%s: %s: %s", listener->path, what, strerror(errno));
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
    return false;
}

static int open_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* True when the path is free now. */
static bool clear_path(struct control_listen *listener, const struct sockaddr_un *address,
                       char *error)
{
    struct stat found;
    if (lstat(listener->path, &found) < 0)
        return errno == ENOENT || fail(listener, error, "cannot be looked at");
    if (!S_ISSOCK(found.st_mode)) {
        errno = EEXIST;
        return fail(listener, error, "is there and is no socket");
    }
    int probe = open_socket();
    if (probe < 0)
        return fail(listener, error, "socket");
    int result = connect(probe, (const struct sockaddr *)address, sizeof *address);
    int reason = errno;
    close(probe);
    /* EAGAIN: its backlog is full, so somebody listens. */
    if (result == 0 || reason == EAGAIN) {
        errno = EADDRINUSE;
        return fail(listener, error, "another process answers there");
    }
    errno = reason;
    if (reason != ECONNREFUSED)
        return fail(listener, error, "cannot be tried");
    return unlink(listener->path) == 0 || fail(listener, error, "cannot be removed");
}

bool control_listen_open(struct control_listen *listener, const char *path, mode_t mode,
                         char *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *listener = (struct control_listen){.fd = -1, .path = path};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return fail(listener, error, "socket paths have at most 107 bytes");
    }
    memcpy(address.sun_path, path, strlen(path));
    if (!clear_path(listener, &address, error))
        return false;
    listener->fd = open_socket();
    if (listener->fd < 0)
        return fail(listener, error, "socket");
    mode_t before = umask(0777);
    int result = bind(listener->fd, (const struct sockaddr *)&address, sizeof address);
    int reason = errno;
    umask(before);
    errno = reason;
    if (result < 0)
        return fail(listener, error, "bind");
    struct stat made;
    if (lstat(path, &made) < 0 || chmod(path, mode) < 0)
        return fail(listener, error, "chmod");
    listener->device = made.st_dev;
    listener->inode = made.st_ino;
    if (listen(listener->fd, BACKLOG) < 0)
        return fail(listener, error, "listen");
    return true;
}

void control_listen_close(struct control_listen *listener)
{
    struct stat found;
    if (listener->fd < 0)
        return;
    close(listener->fd);
    listener->fd = -1;
    if (lstat(listener->path, &found) == 0 && found.st_dev == listener->device &&
        found.st_ino == listener->inode)
        unlink(listener->path);
}
