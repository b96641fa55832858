/* The RESP writer: framing at every length that changes its shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resp.h"

static void commands(void **state)
{
    (void)state;
    struct text out = {0};
    resp_command(&out, "SET", "key", "", NULL);
    assert_string_equal(out.data, "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n");
    text_clear(&out);
    resp_array(&out, 1000000);
    resp_bulk_long(&out, INT64_MIN);
    resp_bulk_long(&out, 7);
    assert_string_equal(out.data, "*1000000\r\n$20\r\n-9223372036854775808\r\n$1\r\n7\r\n");
    text_free(&out);
}

static void bulk_strings_of_every_length(void **state)
{
    (void)state;
    enum { LONGEST = 100001 };
    char *content = malloc(LONGEST);
    memset(content, '\r', LONGEST); /* binary safe: content is never looked at */
    struct text out = {0};
    for (size_t len = 0; len <= LONGEST; len = len < 1100 ? len + 1 : len * 7) {
        char head[32];
        size_t head_len = (size_t)snprintf(head, sizeof head, "$%zu\r\n", len);
        text_clear(&out);
        resp_bulk(&out, content, len);
        assert_int_equal(out.len, head_len + len + 2);
        assert_memory_equal(out.data, head, head_len);
        assert_memory_equal(out.data + head_len, content, len);
        assert_memory_equal(out.data + head_len + len, "\r\n", 2);
    }
    text_free(&out);
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands),
        cmocka_unit_test(bulk_strings_of_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
