/* Framings: the published vectors, and everything that is one byte wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "framing.h"

static struct framing_result result;
static struct avro_error err;

static bool parse(enum framing framing, const void *header, size_t header_len, const char *bytes,
                  size_t len)
{
    return framing_parse(framing, header, header_len, bytes, len, &result, &err);
}

static void test_guid_header(void **state)
{
    (void)state;
    static const char header[] =
        "\x01\x89\x79\x17\x62\x23\x36\x41\x86\x96\x74\x29\x9b\x90\xa8\x02\xe2";
    /* The body is bare, even when it looks like the other framing. */
    assert_true(parse(FRAMING_CONFLUENT, header, 17, "\x00\x00\x00\x00\x05x", 6));
    assert_int_equal(result.ref, FRAMING_REF_GUID);
    assert_int_equal(result.len, 6);
    char text[FRAMING_GUID_TEXT];
    framing_guid_text(result.guid, text);
    assert_string_equal(text, "89791762-2336-4186-9674-299b90a802e2");
    assert_false(parse(FRAMING_CONFLUENT, header, 16, "x", 1));
    assert_int_equal(err.code, AVRO_ERROR_MALFORMED);
    assert_false(parse(FRAMING_CONFLUENT, header, 18, "x", 1));
    assert_false(parse(FRAMING_CONFLUENT, header, 0, "x", 1));
    assert_false(parse(FRAMING_CONFLUENT,
                       "\x00\x89\x79\x17\x62\x23\x36\x41\x86\x96\x74\x29\x9b"
                       "\x90\xa8\x02\xe2",
                       17, "x", 1));
}

static void test_confluent(void **state)
{
    (void)state;
    assert_true(parse(FRAMING_CONFLUENT, NULL, 0, "\x00\x00\x01\x02\x03xyz", 8));
    assert_int_equal(result.ref, FRAMING_REF_ID);
    assert_int_equal(result.id, 0x010203);
    assert_int_equal(result.len, 3);
    assert_memory_equal(result.body, "xyz", 3);
    assert_true(parse(FRAMING_CONFLUENT, NULL, 0, "\x00\x7f\xff\xff\xff", 5));
    assert_int_equal(result.id, INT32_MAX);
    assert_int_equal(result.len, 0);
    for (size_t len = 0; len < 5; len++)
        assert_false(parse(FRAMING_CONFLUENT, NULL, 0, "\x00\x00\x00\x00\x01", len));
    assert_false(parse(FRAMING_CONFLUENT, NULL, 0, "\x01\x00\x00\x00\x01x", 6));
    assert_false(parse(FRAMING_CONFLUENT, NULL, 0, "\x00\x80\x00\x00\x01x", 6));
    assert_int_equal(err.code, AVRO_ERROR_MALFORMED);
}

static void test_single_object(void **state)
{
    (void)state;
    static const char message[] = "\xc3\x01\xa9\x2d\xe1\xf8\xa2\x42\xf5\x3d\x54";
    assert_true(parse(FRAMING_SINGLE_OBJECT, NULL, 0, message, 11));
    assert_int_equal(result.ref, FRAMING_REF_FINGERPRINT);
    assert_true(result.fingerprint == UINT64_C(0x3df542a2f8e12da9));
    assert_int_equal(result.len, 1);
    for (size_t len = 0; len < 10; len++)
        assert_false(parse(FRAMING_SINGLE_OBJECT, NULL, 0, message, len));
    assert_false(
        parse(FRAMING_SINGLE_OBJECT, NULL, 0, "\xc3\x02\xa9\x2d\xe1\xf8\xa2\x42\xf5\x3d", 10));
    assert_false(
        parse(FRAMING_SINGLE_OBJECT, NULL, 0, "\xc4\x01\xa9\x2d\xe1\xf8\xa2\x42\xf5\x3d", 10));
}

static void test_raw(void **state)
{
    (void)state;
    assert_true(parse(FRAMING_RAW, NULL, 0, "\x00\x01", 2));
    assert_int_equal(result.ref, FRAMING_REF_NONE);
    assert_int_equal(result.len, 2);
    assert_true(parse(FRAMING_RAW, NULL, 0, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guid_header),
        cmocka_unit_test(test_confluent),
        cmocka_unit_test(test_single_object),
        cmocka_unit_test(test_raw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
