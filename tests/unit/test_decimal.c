/* Decimals: fixed examples, and that random doubles read back as themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decimal.h"

static void examples(void **state)
{
    (void)state;
    static const struct {
        double d;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {12, "12"},
        {-12, "-12"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {1.0 / 3, "0.3333333333333333"},
        {100000, "100000"},
        {999999999999999, "999999999999999"},
        {1e15, "1e+15"},
        {1e22, "1e+22"},
        {1.5e-7, "1.5e-07"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {123456789.125, "123456789.125"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[DECIMAL_MAX + 1];
        out[decimal_format(out, cases[i].d)] = '\0';
        assert_string_equal(out, cases[i].text);
    }
}

static void random_doubles_read_back(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        double d;
        memcpy(&d, &random, sizeof d);
        if (d != d || d - d != 0)
            continue; /* NaN and infinities never come here */
        char out[DECIMAL_MAX + 1];
        size_t len = decimal_format(out, d);
        assert_true(len < DECIMAL_MAX);
        out[len] = '\0';
        double back = strtod(out, NULL);
        assert_memory_equal(&back, &d, sizeof d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(random_doubles_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
