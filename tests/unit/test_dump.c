/* Tables in every format, and the dumps made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_errors.h"
#include "dump.h"
#include "jsontree.h"
#include "pool.h"

static void expect_rendered(enum table_format format, const char *expected)
{
    static const char *const columns[] = {"name", "range", "meaning"};
    struct table table = {.columns = columns, .column_count = 3, .page = "p", .section = "7",
                          .title = "a title", .about = "One.\n\nTwo -x."};
    static const char *const cells[] = {"a|b", "1 .. 2", "A \"sentence\".",
                                        "gr\xc3\xb6\xc3\x9fte", "", ".so it is \\ done."};
    struct text out = {0};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        table_add(&table, cells[i]);
    table_render(&table, format, &out);
    assert_string_equal(out.data, expected);
    text_free(&out);
    table_free(&table);
}

static void formats(void **state)
{
    (void)state;
    expect_rendered(TABLE_TEXT, "name    range\n"
                                "a|b     1 .. 2\n"
                                "    A \"sentence\".\n"
                                "gr\xc3\xb6\xc3\x9fte\n"
                                "    .so it is \\ done.\n");
    expect_rendered(TABLE_MD, "| name | range | meaning |\n"
                              "|---|---|---|\n"
                              "| `a\\|b` | `1 .. 2` | A \"sentence\". |\n"
                              "| `gr\xc3\xb6\xc3\x9fte` |  | .so it is \\ done. |\n");
    expect_rendered(TABLE_JSON,
                    "[\n {\"name\": \"a|b\", \"range\": \"1 .. 2\", "
                    "\"meaning\": \"A \\\"sentence\\\".\"},\n"
                    " {\"name\": \"gr\xc3\xb6\xc3\x9fte\", \"range\": \"\", "
                    "\"meaning\": \".so it is \\\\ done.\"}\n]\n");
    expect_rendered(TABLE_MAN, ".\\\" Printed by freshetd --format man: do not edit.\n"
                               ".TH p 7 \"\" freshet\n"
                               ".SH NAME\n"
                               "p \\- a title\n"
                               ".SH DESCRIPTION\n"
                               ".PP\nOne.\n.PP\nTwo \\-x.\n"
                               ".TP\n\\fBa|b\\fR\nA \"sentence\".\n.br\nrange: 1 .. 2\n"
                               ".TP\n\\fBgr\xc3\xb6\xc3\x9fte\\fR\n\\&.so it is \\e done.\n");
}

static void aligned_tables(void **state)
{
    (void)state;
    static const char *const columns[] = {"name", "count", "state"};
    struct table table = {.columns = columns, .column_count = 3, .right = 1U << 1, .is_flat = true};
    struct text out = {0};
    table_add(&table, "a");
    table_add_long(&table, -7);
    table_add(&table, "");
    table_add(&table, "longer");
    table_add_long(&table, 1234567);
    table_add(&table, "fine");
    table_render(&table, TABLE_TEXT, &out);
    assert_string_equal(out.data, "name      count  state\n"
                                  "a            -7\n"
                                  "longer  1234567  fine\n");
    text_free(&out);
    table_free(&table);
}

static void empty_tables(void **state)
{
    (void)state;
    static const char *const columns[] = {"name", "meaning"};
    struct table table = {.columns = columns, .column_count = 2};
    struct text out = {0};
    table_render(&table, TABLE_JSON, &out);
    table_render(&table, TABLE_TEXT, &out);
    assert_string_equal(out.data, "[\n]\nname\n");
    text_free(&out);
    table_free(&table);
}

/* Every dump in every format; the JSON must be an array of objects that are alike. */
static void every_dump(void **state)
{
    (void)state;
    for (const char *const *name = dump_names; *name; name++) {
        for (const char *const *format = dump_formats; *format; format++) {
            struct text out = {0}, err = {0};
            bool refused = strcmp(*name, "features") == 0 || strcmp(*format, "avsc") == 0 ||
                           (strcmp(*format, "ini") == 0 && strcmp(*name, "config") != 0);
            assert_int_equal(dump_run(*name, *format, NULL, &out, &err), refused ? 64 : 0);
            assert_int_equal(err.len > 0, refused);
            assert_int_equal(out.len > 0, !refused);
            if (!refused && strcmp(*format, "json") == 0) {
                struct arena arena = {0};
                struct json_error error;
                const struct json_node *root = jsontree_parse(&arena, out.data, out.len, &error);
                assert_non_null(root);
                assert_int_equal(root->type, JSON_TREE_ARRAY);
                assert_true(root->count > 5);
                for (const struct json_node *row = root->first; row; row = row->next)
                    assert_int_equal(row->count, root->first->count);
                arena_free(&arena);
            }
            text_free(&out);
            text_free(&err);
        }
    }
}

/* The sample is a configuration, and all it says is the default. */
static void sample(void **state)
{
    (void)state;
    char path[] = "/tmp/freshet-test-dump-XXXXXX";
    struct text out = {0}, err = {0};
    struct config_errors errors = {0};
    assert_int_equal(dump_run("config", "ini", NULL, &out, &err), 0);
    FILE *file = fdopen(mkstemp(path), "w");
    assert_non_null(file);
    for (size_t i = 0; i < out.len; i++) /* what is commented out, too: `#key = value` */
        if (out.data[i] != '#' || out.data[i + 1] == ' ')
            assert_int_not_equal(fputc(out.data[i], file), EOF);
    assert_int_equal(fclose(file), 0);
    struct config *config = config_load(path, &errors);
    assert_int_equal(errors.count, 0);
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        assert_non_null(config->origins[i].written);
        if (i != CONFIG_ROW_schema_reader && i != CONFIG_ROW_schema_registry &&
            i != CONFIG_ROW_features_file)
            assert_string_equal(config->origins[i].written, config_rows[i].fallback);
    }
    for (const char *line = out.data; *line; line = strchr(line, '\n') + 1)
        assert_true(strchr(line, '\n') - line <= 100);
    unlink(path);
    config_free(config);
    config_errors_free(&errors);
    text_free(&out);
    text_free(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(aligned_tables), cmocka_unit_test(empty_tables),
        cmocka_unit_test(every_dump),
        cmocka_unit_test(sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
