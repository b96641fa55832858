/* One section of the features file on its way to becoming a feature. */
#ifndef FRESHET_FEATUREDRAFT_H
#define FRESHET_FEATUREDRAFT_H

#include <stdbool.h>

#include "arena.h"
#include "feature.h"
#include "featurecall.h"

enum featuredraft_key {
    KEY_OP,
    KEY_WHERE,
    KEY_ON,
    KEY_BY,
    KEY_CAP,
    KEY_OVER,
    KEY_HOP,
    KEY_DEFAULT,
    KEY_COUNT
};

struct featuredraft {
    struct feature feature; /* name, line, op, count, alpha, beta, fallback, kind, ... */
    const char *section;    /* of the entries that belong here */
    const struct feature_entry *keys[KEY_COUNT]; /* NULL: not given */
    struct featurecall call;
    struct expr *where;
    struct expr *argument;
    struct expr *by;
    struct duration length; /* 0: no window; FEATURE_LIFETIME_MS, also of hop */
    struct duration hop;
    bool broken; /* an error was added */
};

struct featuredraft_context {
    const struct fieldspace *events;   /* what expressions see ... */
    const struct fieldspace *sessions; /* ... with `on = session` */
    struct arena *arena; /* for texts that the set keeps */
    struct feature_errors *errors;
};

/* Checks the keys and fills in the rest, but for the operands of DERIVED operators. */
void featuredraft_check(struct featuredraft *draft, const struct featuredraft_context *context);
/* Adds an error about a key's value, at a 1-based column in it; 0 means all of it. */
void featuredraft_fail(struct featuredraft *draft, struct feature_errors *errors,
                       enum featuredraft_key key, int column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Compiles a part of a key's value that begins at a column in it; NULL with an error added. */
struct expr *featuredraft_compile(struct featuredraft *draft,
                                  const struct featuredraft_context *context,
                                  enum featuredraft_key key, const char *text, int column);
/* A number that may have a minus, and nothing after it. */
bool featuredraft_number(const char *start, size_t len, struct value *number);
void featuredraft_free(struct featuredraft *draft);

/* The op key (featureop.c). False when nothing is known of the operator, so that the other keys
 * cannot be judged by it. */
bool featureop_check(struct featuredraft *draft, const struct featuredraft_context *context);

#endif
