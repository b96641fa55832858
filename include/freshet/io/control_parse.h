/* One request of Redis' protocol out of a buffer: an array of bulk strings, or an inline line. */
#ifndef FRESHET_CONTROL_PARSE_H
#define FRESHET_CONTROL_PARSE_H

#include <stddef.h>

#include "control.h"

enum control_parse_result {
    CONTROL_PARSE_MORE,    /* the request is not complete yet */
    CONTROL_PARSE_REQUEST, /* with at least one argument */
    CONTROL_PARSE_NOTHING, /* an empty line or array: go on behind it */
    CONTROL_PARSE_BROKEN,  /* close the connection; why says the reason */
};

struct control_parse {
    int count;
    const char *arguments[CONTROL_ARGUMENTS_MAX]; /* in the buffer, terminated */
    size_t lengths[CONTROL_ARGUMENTS_MAX];
    size_t used; /* bytes of the buffer that the request or nothing took */
    const char *why;
};

/* Changes the buffer only when a request is complete. len is at most CONTROL_REQUEST_MAX. */
enum control_parse_result control_parse(char *data, size_t len, struct control_parse *out);

#endif
