/* Listening Unix sockets: bound where nobody else answers, with the mode they shall have. */
#ifndef FRESHET_CONTROL_LISTEN_H
#define FRESHET_CONTROL_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

/* A file of ours, recognised again when it is to be removed. */
struct control_listen {
    int fd;
    const char *path; /* borrowed */
    dev_t device;
    ino_t inode;
};

/* False and error (CONTROL_ERROR_MAX bytes) when another process answers at path or it cannot be
 * bound. A socket that nobody answers at is replaced; any other file is left alone. */
bool control_listen_open(struct control_listen *listener, const char *path, mode_t mode,
                          char *error);
/* Closes, and removes the file if it is still ours. */
void control_listen_close(struct control_listen *listener);

#endif
