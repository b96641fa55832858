/* The feature set: what is computed for each key, compiled from the features file.
 *
 * Where state lives: each folded feature has an accumulator (operator_state.h) at acc_offset in
 * the memory of its session, or in that of each pane of its window. Features with the same window
 * and hop share a window, hence its panes. */
#ifndef FRESHET_FEATURE_H
#define FRESHET_FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "clock.h"
#include "expr.h"
#include "fieldspace.h"
#include "value.h"

enum operator_id {
#define OPERATOR(ID, ...) OPERATOR_##ID,
#include "operators.def"
#undef OPERATOR
    OPERATOR_COUNT_OF
};

/* The words of operators.def. */
enum operator_argument { NO_ARG, OPT_ARG, ANY_ARG, NUMBER_ARG, RATIO_ARGS };
/* A number after the argument. */
enum operator_parameter { NO_PARAMETER, LENGTH, FRACTION, HALF_LIFE };
enum operator_scope { FOLDED, FRAME, DERIVED };
enum operator_result { LONG, DOUBLE, BOOL, SAME, LIST, SUM };
enum operator_flag {
    MERGEABLE = 1,
    ORDERED = 2,
    UNBOUNDED = 4,
    APPROXIMATE = 8,
};

struct operator_row {
    const char *name;
    enum operator_argument argument;
    enum operator_parameter parameter;
    enum operator_scope scope;
    enum operator_result result;
    unsigned acc_bytes;
    unsigned flags;
    const char *sentence;
};
extern const struct operator_row operator_rows[OPERATOR_COUNT_OF];

enum {
    FEATURES_MAX = 256,       /* features in a set */
    FEATURE_NAME_MAX = 64,    /* letters, digits, _; the first a letter */
    FEATURE_LIST_MAX = 1024,  /* n of last_n, first_n, last_distinct, top_k */
    FEATURE_WINDOWS_MAX = 64, /* different (window, hop) pairs */
    FEATURE_PANES_MAX = 4096, /* window / hop: a smaller hop is refused */
    FEATURE_CAP_DEFAULT = 32, /* groups of a feature with `by` in a row ... */
    FEATURE_CAP_MAX = 1024,   /* ... and at the most */
};

struct feature {
    char name[FEATURE_NAME_MAX + 1];
    int line; /* in the features file, of its section */
    enum operator_id op;
    int where;    /* index into predicates, -1: every event */
    int argument; /* index into arguments, -1: none */
    int window;   /* index into windows; -1: over the session (or FRAME, DERIVED) */
    uint32_t acc_offset;
    int by;       /* index into arguments: the group an event counts for; -1: one value for all */
    uint32_t cap; /* groups shown */
    bool on_session;           /* folds closed sessions, not events */
    uint32_t count;            /* LENGTH */
    double fraction;           /* FRACTION */
    struct duration half_life; /* HALF_LIFE */
    int operands[2]; /* DERIVED: indexes of earlier or later features that are not DERIVED */
    double alpha, beta;
    bool has_fallback;      /* `default =` was given */
    struct value fallback;  /* shown when there is nothing; text belongs to the set */
    struct value_kind kind; /* of the value shown; for a list or map, of its items */
    bool is_list;
    bool of_long;           /* the argument is a long: sums and extremes are of integers */
    const char *definition; /* canonical text without the name; belongs to the set */
};

/* Panes of length hop; the row sees the panes from the one that holds as_of - length. A lifetime
 * is one pane that never leaves: both are FEATURE_LIFETIME_MS. */
struct feature_window {
    struct duration length;
    struct duration hop;
    uint32_t acc_bytes; /* all accumulators of a pane */
};

#define FEATURE_LIFETIME_MS INT64_MAX

static inline bool feature_window_is_lifetime(const struct feature_window *window)
{
    return window->hop.ms == FEATURE_LIFETIME_MS;
}

/* Indexes of features, in the order of the file. */
struct feature_list {
    int *at;
    int count;
};

struct feature_set {
    struct feature *features;
    int count;
    /* Each distinct expression once; those that see events come before those that see closed
     * sessions. */
    struct expr **predicates; /* of `where` */
    int predicate_count;
    int event_predicates;
    struct expr **arguments; /* of `op` and `by` */
    int argument_count;
    int event_arguments;
    /* Who is fed by what. */
    struct feature_list plain;   /* by events, one value */
    struct feature_list grouped; /* by events, with `by` */
    struct feature_list closed;  /* by closed sessions */
    struct feature_window *windows;
    int window_count;
    bool has_lifetime; /* some window is a lifetime: keys are never forgotten */
    uint32_t session_acc_bytes;
    uint64_t version; /* hash of the canonical text and of what else decides values; row field _v */
    const char *canonical; /* the text that was hashed */
    struct arena arena;    /* of everything but the expressions */
};

/* Collects every error of a file; the printer adds the file's name. All zero is empty. */
struct feature_errors {
    struct feature_error {
        int line;
        int column; /* 0: the whole line */
        char message[320];
    } * list;
    int count;
};

/* One line of the features file, as the INI reader of the daemon layer gives it. */
struct feature_entry {
    const char *section; /* "feature clicks_5m" */
    const char *key;     /* NULL: the section's header line, so that an empty section is seen */
    const char *value;   /* NULL with key */
    int line;
    int column; /* of the value's first byte, from 1; 0 when unknown */
};

/*
 * Compiles the features file: one section "feature NAME" a feature; keys op, where, on, by, cap,
 * over, hop, default. A section's header comes before its entries. salt is the canonical text of
 * [session], [time] and [event] and of the reader fields in use, which takes part in the version.
 * Returns NULL and fills errors (all of them, in the order of lines) when anything is wrong; the
 * caller frees both. Entries and salt need not outlive the call.
 */
struct feature_set *feature_set_load(const struct feature_entry *entries, int count,
                                     const struct fieldspace *fields, const char *salt,
                                     struct feature_errors *errors);
void feature_set_free(struct feature_set *set);
void feature_errors_free(struct feature_errors *errors);
void feature_errors_add(struct feature_errors *errors, int line, int column, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));
int feature_set_find(const struct feature_set *set, const char *name); /* -1: none */

struct text;
/* "over 5m hop 5s" or "over lifetime". */
void feature_window_append(struct text *out, const struct feature_window *window);
/* The operator's parameter after a comma: ", 20", ", 0.9", ", 1h"; nothing when it has none. */
void feature_parameter_append(struct text *out, const struct feature *feature);

/* The ladder step that a window gets by default: the largest that divides length and is at most
 * length / 48, else 1 s (design: semantics, section 4). */
struct duration feature_default_hop(struct duration length);
/* Whether hop can be set: one of 1s 5s 10s 30s 1m 5m 10m 30m 1h 3h 6h 12h 1d. */
bool feature_is_ladder_step(struct duration hop);

#endif
