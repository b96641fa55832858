/* Scanning JSON (RFC 8259): strings without escapes are found by one pass and not copied. */
#include "jsonscan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "avrowire.h"

bool jsonscan_fail(struct jsonscan *scan, const char *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(scan->message, sizeof scan->message, format, arguments);
    va_end(arguments);
    scan->at = at;
    return false;
}

const char *jsonscan_what(struct jsonscan *scan)
{
    switch (jsonscan_peek(scan)) {
    case '\0':
        return scan->at < scan->end ? "a zero byte" : "the end of the line";
    case '"':
        return "a string";
    case '{':
        return "an object";
    case '[':
        return "an array";
    case 'n':
        return "null";
    case 't':
    case 'f':
        return "a boolean";
    default:
        return *scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9') ? "a number"
                                                                          : "no JSON value";
    }
}

bool jsonscan_take(struct jsonscan *scan, char c)
{
    if (jsonscan_peek(scan) != c || scan->at == scan->end)
        return jsonscan_fail(scan, scan->at, "expected `%c`, found %s", c,
                             scan->at < scan->end ? "something else" : "the end of the line");
    scan->at++;
    return true;
}

bool jsonscan_word(struct jsonscan *scan, const char *word)
{
    size_t len = strlen(word);
    jsonscan_blanks(scan);
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return false;
    scan->at += len;
    return true;
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits after \u; -1: they are none. */
static int32_t hex4(const struct jsonscan *scan, const char *at)
{
    int32_t code = 0;
    if (scan->end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

static void append_code(struct text *out, int32_t code)
{
    if (code < 0x80) {
        text_append_char(out, (char)code);
        return;
    }
    if (code < 0x800) {
        text_append_char(out, (char)(0xc0 | code >> 6));
    } else {
        if (code < 0x10000) {
            text_append_char(out, (char)(0xe0 | code >> 12));
        } else {
            text_append_char(out, (char)(0xf0 | code >> 18));
            text_append_char(out, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        text_append_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
    }
    text_append_char(out, (char)(0x80 | (code & 0x3f)));
}

/* at stands behind the backslash; returns where the string goes on, NULL after an error. */
static const char *unescape(struct jsonscan *scan, const char *at)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    const char *name = at < scan->end && *at ? strchr(names, *at) : NULL;
    if (name) {
        text_append_char(&scan->unescaped, bytes[name - names]);
        return at + 1;
    }
    int32_t code = at < scan->end && *at == 'u' ? hex4(scan, at + 1) : -1;
    if (code < 0) {
        jsonscan_fail(scan, at - 1, "no escape of JSON");
        return NULL;
    }
    const char *next = at + 5;
    if (code >= 0xd800 && code < 0xdc00 && scan->end - next >= 6 && next[0] == '\\' &&
        next[1] == 'u') {
        int32_t low = hex4(scan, next + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            append_code(&scan->unescaped, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
            return next + 6;
        }
    }
    if (code >= 0xd800 && code < 0xe000) {
        jsonscan_fail(scan, at - 1, "half a pair of surrogates");
        return NULL;
    }
    append_code(&scan->unescaped, code);
    return next;
}

/* The rest of a string in which a backslash was found, at. */
static bool string_with_escapes(struct jsonscan *scan, const char *from, const char *at)
{
    text_clear(&scan->unescaped);
    text_append(&scan->unescaped, from, (size_t)(at - from));
    while (at < scan->end && *at != '"') {
        if ((unsigned char)*at < 0x20)
            return jsonscan_fail(scan, at, "a control character within a string");
        if (*at != '\\') {
            text_append_char(&scan->unescaped, *at++);
            continue;
        }
        at = unescape(scan, at + 1);
        if (!at)
            return false;
    }
    scan->at = at;
    return true;
}

/* A bit at each byte of the eight that is `"`, `\\` or a control character (or, seldom, at one
 * behind such a byte): bytes that are zero after an exclusive or, or that borrow from 0x20. */
static uint64_t marks(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
    return ((quote - ones) & ~quote & high) | ((backslash - ones) & ~backslash & high) |
           ((eight - ones * 0x20) & ~eight & high);
}

/* The first byte from here that ends the plain part of a string. */
static const char *plain_end(const char *at, const char *end)
{
    while (end - at >= 8 && !marks(avrowire_load64((const uint8_t *)at)))
        at += 8;
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

bool jsonscan_string(struct jsonscan *scan, const char **string, size_t *len)
{
    if (jsonscan_peek(scan) != '"')
        return jsonscan_fail(scan, scan->at, "expected a string, found %s", jsonscan_what(scan));
    const char *from = scan->at + 1;
    const char *at = plain_end(from, scan->end);
    *string = from;
    *len = (size_t)(at - from);
    scan->at = at;
    if (at < scan->end && *at == '\\') {
        if (!string_with_escapes(scan, from, at))
            return false;
        *string = scan->unescaped.data;
        *len = scan->unescaped.len;
    }
    if (scan->at == scan->end)
        return jsonscan_fail(scan, scan->at, "a string without its closing quote");
    if (*scan->at != '"')
        return jsonscan_fail(scan, scan->at, "a control character within a string");
    const uint8_t *bytes = (const uint8_t *)*string;
    if (!avrowire_is_ascii(bytes, *len) && !avrowire_is_utf8(bytes, *len))
        return jsonscan_fail(scan, from - 1, "a string that is not UTF-8");
    scan->at++;
    return true;
}

/* ---- numbers ---- */

static const char *digits(const struct jsonscan *scan, const char *at)
{
    while (at < scan->end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

bool jsonscan_number(struct jsonscan *scan, struct jsonscan_number *number)
{
    jsonscan_blanks(scan);
    const char *from = scan->at, *at = from;
    if (at < scan->end && *at == '-')
        at++;
    const char *first = at;
    at = digits(scan, at);
    bool ok = at > first && (*first != '0' || at == first + 1);
    number->whole = true;
    if (ok && at < scan->end && *at == '.') {
        const char *fraction = at + 1;
        at = digits(scan, fraction);
        ok = at > fraction;
        number->whole = false;
    }
    if (ok && at < scan->end && (*at | 0x20) == 'e') {
        at++;
        if (at < scan->end && (*at == '-' || *at == '+'))
            at++;
        const char *exponent = at;
        at = digits(scan, exponent);
        ok = at > exponent;
        number->whole = false;
    }
    if (!ok)
        return jsonscan_fail(scan, from, "expected a number, found %s",
                             first == from && at == from ? jsonscan_what(scan)
                                                         : "a malformed number");
    number->text = from;
    number->len = (size_t)(at - from);
    scan->at = at;
    return true;
}

bool jsonscan_long(struct jsonscan *scan, const char *what, int64_t *number)
{
    struct jsonscan_number token;
    jsonscan_blanks(scan);
    const char *from = scan->at;
    if (!jsonscan_number(scan, &token))
        return false;
    if (!token.whole)
        return jsonscan_fail(scan, from, "%s is a whole number", what);
    bool negative = *token.text == '-';
    int64_t sum = 0;
    for (size_t i = negative; i < token.len; i++) {
        int digit = token.text[i] - '0';
        if (__builtin_mul_overflow(sum, INT64_C(10), &sum) ||
            (negative ? __builtin_sub_overflow(sum, digit, &sum)
                      : __builtin_add_overflow(sum, digit, &sum)))
            return jsonscan_fail(scan, from, "%s is a number of at most 64 bits", what);
    }
    *number = sum;
    return true;
}

bool jsonscan_skip(struct jsonscan *scan)
{
    int depth = 0;
    do {
        const char *string;
        size_t len;
        struct jsonscan_number number;
        char c = jsonscan_peek(scan);
        if (c == '{' || c == '[') {
            depth++;
            scan->at++;
        } else if (c == '}' || c == ']' || ((c == ',' || c == ':') && depth > 0)) {
            depth -= c == '}' || c == ']';
            scan->at++;
        } else if (c == '"') {
            if (!jsonscan_string(scan, &string, &len))
                return false;
        } else if (!jsonscan_word(scan, "null") && !jsonscan_word(scan, "true") &&
                   !jsonscan_word(scan, "false") && !jsonscan_number(scan, &number)) {
            return jsonscan_fail(scan, scan->at, "expected a JSON value");
        }
    } while (depth > 0);
    return true;
}
