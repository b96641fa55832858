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
enum operator_scope { FOLDED, FRAME, DERIVED };
enum operator_result { LONG, DOUBLE, BOOL, SAME, LIST, SUM };
enum operator_flag {
    MERGEABLE = 1,
    INVERTIBLE = 2,
    ORDERED = 4,
    UNBOUNDED = 8,
    APPROXIMATE = 16,
};

struct operator_row {
    const char *name;
    enum operator_argument argument;
    bool takes_count;
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
    FEATURE_LIST_MAX = 1024,  /* n of last_n and last_distinct */
    FEATURE_WINDOWS_MAX = 64, /* different (window, hop) pairs */
    FEATURE_PANES_MAX = 4096, /* window / hop: a smaller hop is refused */
};

struct feature {
    char name[FEATURE_NAME_MAX + 1];
    int line; /* in the features file, of its section */
    enum operator_id op;
    int where;    /* index into predicates, -1: every event */
    int argument; /* index into arguments, -1: none */
    int window;   /* index into windows; -1: over the session (or FRAME, DERIVED) */
    uint32_t acc_offset;
    uint32_t count;  /* n of last_n, last_distinct */
    int operands[2]; /* DERIVED: indexes of earlier or later features that are not DERIVED */
    double alpha, beta;
    bool has_fallback;      /* `default =` was given */
    struct value fallback;  /* shown when there is nothing; text belongs to the set */
    struct value_kind kind; /* of the value shown; for a list, of its items */
    bool is_list;
    bool of_long;           /* the argument is a long: sums and extremes are of integers */
    const char *definition; /* canonical text without the name; belongs to the set */
};

/* Panes of length hop; the row sees the panes from the one that holds as_of - length. */
struct feature_window {
    struct duration length;
    struct duration hop;
    uint32_t acc_bytes; /* all accumulators of a pane */
};

struct feature_set {
    struct feature *features;
    int count;
    struct expr **predicates; /* each distinct `where` once */
    int predicate_count;
    struct expr **arguments; /* each distinct argument once */
    int argument_count;
    struct feature_window *windows;
    int window_count;
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
 * Compiles the features file: one section "feature NAME" a feature; keys op, where, over, hop,
 * default. A section's header comes before its entries. salt is the canonical text of [session],
 * [time] and [event] and of the reader fields in use, which takes part in the version. Returns
 * NULL and fills errors (all of them, in the order of lines) when anything is wrong; the caller
 * frees both. Entries and salt need not outlive the call.
 */
struct feature_set *feature_set_load(const struct feature_entry *entries, int count,
                                     const struct fieldspace *fields, const char *salt,
                                     struct feature_errors *errors);
void feature_set_free(struct feature_set *set);
void feature_errors_free(struct feature_errors *errors);
void feature_errors_add(struct feature_errors *errors, int line, int column, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));
int feature_set_find(const struct feature_set *set, const char *name); /* -1: none */

/* The ladder step that a window gets by default: the largest that divides length and is at most
 * length / 48, else 1 s (design: semantics, section 4). */
struct duration feature_default_hop(struct duration length);
/* Whether hop can be set: one of 1s 5s 10s 30s 1m 5m 10m 30m 1h 3h 6h 12h 1d. */
bool feature_is_ladder_step(struct duration hop);

#endif
