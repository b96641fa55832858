/* The lexer: its errors name the spelling that was meant, where that can be guessed. */
#include "exprlex.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool exprlex_fail(struct expr_error *error, int column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    error->column = column;
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static const char *skip_digits(const char *at)
{
    while (is_digit(*at))
        at++;
    return at;
}

static bool lex_long(struct exprlex *lex, struct exprlex_token *token)
{
    for (size_t k = 0; k < token->len; k++)
        if (__builtin_mul_overflow(token->magnitude, 10, &token->magnitude) ||
            __builtin_add_overflow(token->magnitude, (unsigned)(token->start[k] - '0'),
                                   &token->magnitude))
            token->magnitude = UINT64_MAX;
    if (token->magnitude > (uint64_t)1 << 63)
        return exprlex_fail(lex->error, token->column,
                            "the number is too large for a long (write it as a double: %.20s.0)",
                            token->start);
    return true;
}

static bool lex_number(struct exprlex *lex, struct exprlex_token *token)
{
    token->kind = EXPRLEX_LONG;
    const char *end = skip_digits(lex->at);
    if (*end == '.' && is_digit(end[1])) {
        end = skip_digits(end + 1);
        token->kind = EXPRLEX_DOUBLE;
    }
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1 + (end[1] == '+' || end[1] == '-');
        if (is_digit(*exponent)) {
            end = skip_digits(exponent);
            token->kind = EXPRLEX_DOUBLE;
        }
    }
    token->len = (size_t)(end - lex->at);
    if (lex->durations && token->kind == EXPRLEX_LONG && is_letter(*end)) {
        token->kind = EXPRLEX_DURATION;
        while (is_letter(*lex->at) || is_digit(*lex->at))
            lex->at++;
        token->len = (size_t)(lex->at - token->start);
        return true;
    }
    if (is_letter(*end) || *end == '.')
        return exprlex_fail(lex->error, token->column,
                            "`%.*s` is not a number (durations stand only at over and hop)",
                            (int)token->len + 1, lex->at);
    lex->at = end;
    if (token->kind == EXPRLEX_LONG)
        return lex_long(lex, token);
    token->number = strtod(token->start, NULL); /* the program keeps to the C locale */
    return isfinite(token->number) ||
           exprlex_fail(lex->error, token->column, "the number is too large for a double");
}

static bool lex_text(struct exprlex *lex, struct exprlex_token *token)
{
    token->kind = EXPRLEX_TEXT;
    char quote = *lex->at;
    const char *end = lex->at + 1;
    for (; *end && *end != quote; end++) {
        if (*end != '\\')
            continue;
        if (!*++end)
            break;
        if (!strchr("\"'\\nt", *end))
            return exprlex_fail(lex->error, token->column + (int)(end - 1 - token->start),
                                "unknown escape `\\%c` (there are \\\" \\' \\\\ \\n \\t)", *end);
    }
    if (!*end)
        return exprlex_fail(lex->error, token->column, "the text has no closing %c", quote);
    token->len = (size_t)(end + 1 - lex->at);
    lex->at = end + 1;
    return true;
}

static bool lex_sign(struct exprlex *lex, struct exprlex_token *token)
{
    static const struct {
        const char *spelling;
        char sign;
    } pairs[] = {
        {"==", SIGN_EQUAL}, {"!=", SIGN_DIFFERENT}, {"<=", SIGN_AT_MOST}, {">=", SIGN_AT_LEAST}};
    static const struct {
        const char *spelling;
        const char *meant;
    } slips[] = {{"&&", "and"}, {"||", "or"}, {"<>", "!="}};
    for (size_t k = 0; k < sizeof slips / sizeof slips[0]; k++)
        if (strncmp(lex->at, slips[k].spelling, 2) == 0)
            return exprlex_fail(lex->error, token->column, "unknown sign `%s` (write `%s`)",
                                slips[k].spelling, slips[k].meant);
    token->kind = EXPRLEX_SIGN;
    token->len = 1;
    token->sign = *lex->at;
    for (size_t k = 0; k < sizeof pairs / sizeof pairs[0]; k++) {
        if (strncmp(lex->at, pairs[k].spelling, 2) == 0) {
            token->len = 2;
            token->sign = pairs[k].sign;
        }
    }
    if (token->len == 1 && token->sign == '!')
        return exprlex_fail(lex->error, token->column, "unknown sign `!` (write `not`)");
    unsigned char c = (unsigned char)token->sign;
    if (token->len == 1 && !strchr("()[],.+-*/<>=", c))
        return c > 0x20 && c < 0x7F
                   ? exprlex_fail(lex->error, token->column, "unexpected character `%c`", c)
                   : exprlex_fail(lex->error, token->column, "unexpected byte 0x%02x", c);
    lex->at += token->len;
    return true;
}

bool exprlex_next(struct exprlex *lex, struct exprlex_token *token)
{
    lex->at += strspn(lex->at, " \t");
    *token = (struct exprlex_token){.start = lex->at, .column = (int)(lex->at - lex->text) + 1};
    if (!*lex->at)
        return true;
    if (is_digit(*lex->at))
        return lex_number(lex, token);
    if (*lex->at == '"' || *lex->at == '\'')
        return lex_text(lex, token);
    if (!is_letter(*lex->at))
        return lex_sign(lex, token);
    token->kind = EXPRLEX_WORD;
    while (is_letter(*lex->at) || is_digit(*lex->at))
        lex->at++;
    token->len = (size_t)(lex->at - token->start);
    return true;
}

bool exprlex_is_word(const struct exprlex_token *token, const char *word)
{
    return token->kind == EXPRLEX_WORD && token->len == strlen(word) &&
           memcmp(token->start, word, token->len) == 0;
}

size_t exprlex_unescape(const struct exprlex_token *token, char *out)
{
    size_t len = 0;
    for (size_t k = 1; k < token->len - 1; k++) {
        char c = token->start[k];
        if (c == '\\') {
            c = token->start[++k];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        out[len++] = c;
    }
    return len;
}
