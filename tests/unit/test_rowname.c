/* The names of rows in Redis: made, recognised, searched for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rowname.h"

static void names_of_rows(void **state)
{
    (void)state;
    struct rowname name;
    struct text out = {0};
    rowname_init(&name, "shadow*", "f:{key}:row");
    rowname_append(&name, "u1", 2, &out);
    assert_string_equal(out.data, "$15\r\nshadow*f:u1:row\r\n");
    const char *key;
    size_t len;
    assert_true(rowname_entity(&name, "shadow*f:u1:row", 15, &key, &len));
    assert_int_equal(len, 2);
    assert_memory_equal(key, "u1", 2);
    assert_false(rowname_entity(&name, "shadow*f::row", 13, &key, &len));
    assert_false(rowname_entity(&name, "shadow*f:row", 12, &key, &len));
    assert_false(rowname_entity(&name, "live*f:u1:row", 13, &key, &len));
    text_clear(&out);
    rowname_pattern(&name, &out);
    assert_string_equal(out.data, "shadow\\*f:*:row");
    text_free(&out);
    rowname_fini(&name);

    assert_true(rowname_template_ok("features:{key}"));
    assert_false(rowname_template_ok("features:"));
    assert_false(rowname_template_ok("{key}:{key}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
