/* Tokens of the expression language; the reader of the features file splits `op =` with them. */
#ifndef FRESHET_EXPRLEX_H
#define FRESHET_EXPRLEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expr.h"

enum exprlex_kind {
    EXPRLEX_END,
    EXPRLEX_LONG,   /* digits only */
    EXPRLEX_DOUBLE, /* with a fraction or an exponent */
    EXPRLEX_DURATION, /* digits with units, where durations are allowed */
    EXPRLEX_TEXT,   /* with its quotes and escapes */
    EXPRLEX_WORD,
    EXPRLEX_SIGN,
};

/* Signs of one character are that character. */
enum exprlex_sign {
    SIGN_EQUAL = 'e',     /* == */
    SIGN_DIFFERENT = 'd', /* != */
    SIGN_AT_MOST = 'm',   /* <= */
    SIGN_AT_LEAST = 'l',  /* >= */
};

struct exprlex_token {
    enum exprlex_kind kind;
    int column; /* 1-based */
    const char *start;
    size_t len;
    char sign;          /* EXPRLEX_SIGN */
    uint64_t magnitude; /* EXPRLEX_LONG: at most 2^63, which only a minus before it allows */
    double number;      /* EXPRLEX_DOUBLE */
};

/* Start with at = text = the beginning. */
struct exprlex {
    const char *text;
    const char *at;
    struct expr_error *error;
    bool durations; /* 1h30m is a token, not an error */
};

/* Reads the next token; false with the error filled in. */
bool exprlex_next(struct exprlex *lex, struct exprlex_token *token);
bool exprlex_is_word(const struct exprlex_token *token, const char *word);
/* The text of an EXPRLEX_TEXT token to out, which has room for token->len bytes; its length. */
size_t exprlex_unescape(const struct exprlex_token *token, char *out);
/* Fills in the error; returns false for the caller to return. */
bool exprlex_fail(struct expr_error *error, int column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
