// Decimals by std::to_chars and std::from_chars: shortest, fast, and the same in every locale.
#include "decimal.h"

#include <charconv>
#include <cmath>

extern "C" size_t decimal_format_long(char out[DECIMAL_MAX], int64_t number)
{
    return size_t(std::to_chars(out, out + DECIMAL_MAX, number).ptr - out);
}

extern "C" size_t decimal_format(char out[DECIMAL_MAX], double d)
{
    // Feature values are mostly counts: integers are faster through the integer path, and 1e+05
    // would be a poor way to write 100000.
    if (std::fabs(d) < 1e15 && d == std::trunc(d))
        return decimal_format_long(out, int64_t(d));
    return size_t(std::to_chars(out, out + DECIMAL_MAX, d).ptr - out);
}

extern "C" bool decimal_parse(const char *text, size_t len, double *number)
{
    std::from_chars_result result = std::from_chars(text, text + len, *number);
    return result.ec == std::errc() && result.ptr == text + len;
}
