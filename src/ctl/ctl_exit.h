/* freshetctl's exit statuses. */
#ifndef FRESHET_CTL_EXIT_H
#define FRESHET_CTL_EXIT_H

enum {
    CTL_EXIT_OK = 0,
    CTL_EXIT_REFUSED = 1,     /* the daemon answered with an error, or is not ready */
    CTL_EXIT_USAGE = 2,
    CTL_EXIT_UNREACHABLE = 3, /* no daemon at the socket, or it went away */
};

#endif
