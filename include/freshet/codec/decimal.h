/* Decimal text of numbers: of doubles, the shortest that reads back as the same double. */
#ifndef FRESHET_DECIMAL_H
#define FRESHET_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DECIMAL_MAX = 32 }; /* more than any number needs */

/*
 * Writes d to out (no terminator) and returns the length. Integral numbers below 1e15 print as
 * integers (12, and 0 for minus zero), all others as C++ prints them (0.1, 1e+22, 1.5e-07).
 */
size_t decimal_format(char out[DECIMAL_MAX], double d);
size_t decimal_format_long(char out[DECIMAL_MAX], int64_t number);

/* The nearest double of a decimal number without blanks and without a sign `+`. False when the text
 * is anything else, or beyond what a double can hold. */
bool decimal_parse(const char *text, size_t len, double *number);

#ifdef __cplusplus
}
#endif

#endif
