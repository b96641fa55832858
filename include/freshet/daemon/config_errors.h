/* What is wrong with configuration, features and schemas: collected, then shown all at once. */
#ifndef FRESHET_CONFIG_ERRORS_H
#define FRESHET_CONFIG_ERRORS_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

/* All zero is an empty list. */
struct config_errors {
    struct config_error *list;
    int count;    /* with warnings */
    int failures; /* without warnings: 0 means that the configuration can be used */
};

struct config_error {
    char *place; /* a file, or the name of an environment variable */
    int line;    /* 0: none */
    int column;  /* 0: the whole line */
    bool warning;
    char *message; /* ends with what to do, in parentheses */
};

void config_errors_free(struct config_errors *errors);
void config_errors_add(struct config_errors *errors, const char *place, int line, int column,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));
void config_errors_warn(struct config_errors *errors, const char *place, int line,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* One line each, `place:line: message (what to do)`, in the order of places and lines. */
void config_errors_print(const struct config_errors *errors, struct text *out);

#endif
