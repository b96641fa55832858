/* The tokens of JSON text, pulled one by one: no tree, no memory but one buffer for escapes. */
#ifndef FRESHET_JSONSCAN_H
#define FRESHET_JSONSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

enum { JSONSCAN_MESSAGE = 256 };

/* at stands before the next token; the caller skips blanks. After an error at is where it is. */
struct jsonscan {
    const char *start, *at, *end;
    struct text unescaped; /* of the string at hand, when it has escapes */
    char message[JSONSCAN_MESSAGE];
};

struct jsonscan_number {
    const char *text;
    size_t len;
    bool whole; /* digits only: no fraction, no exponent */
};

static inline void jsonscan_blanks(struct jsonscan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

/* The byte that begins the next token, blanks skipped; 0 at the end of the text. */
static inline char jsonscan_peek(struct jsonscan *scan)
{
    jsonscan_blanks(scan);
    return scan->at < scan->end ? *scan->at : '\0';
}

/* Always false. at: where the error is. */
bool jsonscan_fail(struct jsonscan *scan, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What stands here, in words: "a string", "a number", ... */
const char *jsonscan_what(struct jsonscan *scan);
/* Skips blanks and this byte; false and an error when it is another. */
bool jsonscan_take(struct jsonscan *scan, char c);
/* Skips the word (null, true, false); false without an error when it does not stand here. */
bool jsonscan_word(struct jsonscan *scan, const char *word);
/* A string's content, valid UTF-8: of the text itself, or of `unescaped` until the next string. */
bool jsonscan_string(struct jsonscan *scan, const char **string, size_t *len);
bool jsonscan_number(struct jsonscan *scan, struct jsonscan_number *number);
/* Passes over any value, of which only the tokens are looked at. */
bool jsonscan_skip(struct jsonscan *scan);
/* A whole number that fits into 64 bits; what names it in the error. */
bool jsonscan_long(struct jsonscan *scan, const char *what, int64_t *number);

#endif
