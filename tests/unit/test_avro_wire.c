/* Numbers and UTF-8 on the wire, against slow and obvious versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "avrowire.h"

/* Writes n with exactly len bytes (len >= what it needs): Avro allows longer forms. */
static size_t put_varint(uint8_t *out, uint64_t n, size_t len)
{
    size_t i = 0;
    for (; n > 0x7f || i + 1 < len; n >>= 7)
        out[i++] = (uint8_t)(n | 0x80);
    out[i++] = (uint8_t)n;
    return i;
}

static uint64_t random_bits(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t high = *seed;
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return high ^ *seed >> 32;
}

static void assert_reads(uint64_t n, size_t len)
{
    uint8_t bytes[AVROWIRE_MAX_VARINT + 8];
    size_t used = put_varint(bytes, n, len);
    for (size_t after = 0; after <= 8; after++) {
        /* An allocation of exactly this size: reading beyond it is seen by the sanitizer. */
        uint8_t *exact = malloc(used + after);
        assert_non_null(exact);
        memcpy(exact, bytes, used);
        memset(exact + used, 0xff, after);
        uint64_t got = 0;
        assert_ptr_equal(avrowire_varint(exact, exact + used + after, &got), exact + used);
        assert_true(got == n);
        for (size_t cut = 0; cut < used && after == 0; cut++)
            assert_null(avrowire_varint(exact, exact + cut, &got));
        free(exact);
    }
}

static void test_varints(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (unsigned bits = 0; bits <= 64; bits++) {
        for (int i = 0; i < 50; i++) {
            uint64_t n = random_bits(&seed);
            n = bits == 0 ? 0 : n >> (64 - bits);
            assert_reads(n, 1);
            if (bits <= 63 - 7)
                assert_reads(n, 1 + (size_t)(i % 9));
        }
    }
    assert_reads(UINT64_MAX, 1);
}

static void test_varints_that_are_too_large(void **state)
{
    (void)state;
    uint8_t bytes[12];
    uint64_t n;
    memset(bytes, 0xff, sizeof bytes);
    assert_null(avrowire_varint(bytes, bytes + 12, &n));
    bytes[9] = 0x02; /* a 65th bit */
    assert_null(avrowire_varint(bytes, bytes + 12, &n));
    bytes[9] = 0x81; /* an eleventh byte */
    bytes[10] = 0x00;
    assert_null(avrowire_varint(bytes, bytes + 12, &n));
    bytes[9] = 0x01;
    assert_ptr_equal(avrowire_varint(bytes, bytes + 12, &n), bytes + 10);
    assert_true(n == UINT64_MAX);
}

static void test_zigzag(void **state)
{
    (void)state;
    assert_true(avrowire_unzigzag(0) == 0 && avrowire_unzigzag(1) == -1);
    assert_true(avrowire_unzigzag(2) == 1 && avrowire_unzigzag(3) == -2);
    assert_true(avrowire_unzigzag(UINT64_MAX) == INT64_MIN);
    assert_true(avrowire_unzigzag(UINT64_MAX - 1) == INT64_MAX);
}

static size_t put_utf8(uint8_t *out, uint32_t c)
{
    if (c < 0x80)
        return out[0] = (uint8_t)c, 1;
    if (c < 0x800)
        return out[0] = (uint8_t)(0xc0 | c >> 6), out[1] = (uint8_t)(0x80 | (c & 63)), 2;
    size_t n = c < 0x10000 ? 3 : 4;
    out[0] = (uint8_t)((n == 3 ? 0xe0 : 0xf0) | c >> (6 * (n - 1)));
    for (size_t i = 1; i < n; i++)
        out[i] = (uint8_t)(0x80 | (c >> (6 * (n - 1 - i)) & 63));
    return n;
}

static void test_every_code_point(void **state)
{
    (void)state;
    uint8_t bytes[4];
    for (uint32_t c = 0; c < 0x200000; c++) {
        size_t len = put_utf8(bytes, c);
        bool valid = c < 0x110000 && (c < 0xd800 || c > 0xdfff);
        if (avrowire_is_utf8(bytes, len) != valid)
            fail_msg("U+%X", c);
        for (size_t cut = 1; cut < len; cut++)
            assert_false(avrowire_is_utf8(bytes, cut));
        if (avrowire_is_ascii(bytes, len) != (c < 0x80))
            fail_msg("ascii U+%X", c);
    }
}

static void test_overlong_and_stray_bytes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\x80",
        "\xbf",
        "\xff",
        "a\xfe",
        "\xc3(",
        "\xe2\x82(",
        "\xe2(\xa1",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf0\x9f\x98(",
        "ok \xc3\xa9 \xc3",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (avrowire_is_utf8((const uint8_t *)bad[i], strlen(bad[i])))
            fail_msg("%zu", i);
    assert_true(avrowire_is_utf8((const uint8_t *)"", 0));
}

static void test_ascii_of_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len < 40; len++) {
        uint8_t *text = malloc(len + !len);
        assert_non_null(text);
        memset(text, 'x', len);
        assert_true(avrowire_is_ascii(text, len));
        for (size_t i = 0; i < len; i++) {
            text[i] = 0x80;
            assert_false(avrowire_is_ascii(text, len));
            text[i] = 'x';
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varints),
        cmocka_unit_test(test_varints_that_are_too_large),
        cmocka_unit_test(test_zigzag),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_overlong_and_stray_bytes),
        cmocka_unit_test(test_ascii_of_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
