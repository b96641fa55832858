/* The rules that rows of the .def files keep, beyond what the compiler sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "config.h"

/* A row's name, and its sentence for the operator. */
struct row {
    const char *name;
    const char *sentence;
};

static const struct row fates[] = {
#define FATE(id, name, class, sentence) {#name, sentence},
#include "fates.def"
#undef FATE
};

static const struct row operators[] = {
#define OPERATOR(ID, name, argument, parameter, scope, result, state, flags, example, value,       \
                 sentence)                                                                         \
    {#name, sentence},
#include "operators.def"
#undef OPERATOR
};

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const struct metric {
    struct row row;
    enum kind kind;
    const char *labels;
} metrics[] = {
#define METRIC(ID, name, kind, labels, sentence) {{#name, sentence}, kind, labels},
#include "metrics.def"
#undef METRIC
};

static const struct command {
    struct row row;
    const char *arguments;
    int min, max;
} commands[] = {
#define COMMAND(ID, name, arguments, min, max, access, handler, sentence)                          \
    {{name, sentence}, arguments, min, max},
#include "control.def"
#undef COMMAND
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void expect_sentence(const struct row *row)
{
    size_t len = strlen(row->sentence);
    if (len < 15 || row->sentence[len - 1] != '.' || strchr(row->sentence, '\n'))
        fail_msg("%s: no sentence: %s", row->name, row->sentence);
}

static void expect_name(const char *name, const char *letters)
{
    if (name[0] == '\0' || name[strspn(name, letters)] != '\0')
        fail_msg("%s is no name", name);
}

static void expect_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        expect_sentence(&rows[i]);
        expect_name(rows[i].name, "abcdefghijklmnopqrstuvwxyz_");
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[i].name, rows[j].name);
    }
}

static void fates_and_operators(void **state)
{
    (void)state;
    expect_rows(fates, COUNT(fates));
    expect_rows(operators, COUNT(operators));
}

static bool ends_with(const char *name, const char *end)
{
    return strlen(name) > strlen(end) && !strcmp(name + strlen(name) - strlen(end), end);
}

/* Prometheus' conventions: counters end with _total, and what is not one does not. */
static void metric_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(metrics); i++) {
        const struct metric *metric = &metrics[i];
        expect_sentence(&metric->row);
        expect_name(metric->row.name, "abcdefghijklmnopqrstuvwxyz_");
        assert_memory_equal(metric->row.name, "freshet_", 8);
        assert_int_equal(ends_with(metric->row.name, "_total"), metric->kind == COUNTER);
        if (metric->kind == HISTOGRAM)
            assert_true(ends_with(metric->row.name, "_seconds"));
        if (*metric->labels)
            expect_name(metric->labels, "abcdefghijklmnopqrstuvwxyz_,");
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(metric->row.name, metrics[j].row.name);
    }
}

static void command_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(commands); i++) {
        const struct command *command = &commands[i];
        expect_sentence(&command->row);
        expect_name(command->row.name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ");
        assert_true(command->min >= 0 && command->min <= command->max && command->max <= 32);
        assert_int_equal(command->max > 0, *command->arguments != '\0');
        assert_int_equal(command->min == 0,
                         *command->arguments == '\0' || *command->arguments == '[');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(command->row.name, commands[j].row.name);
    }
}

static void configuration_rows(void **state)
{
    (void)state;
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        struct row named = {row->name, row->sentence};
        expect_sentence(&named);
        expect_name(row->key, "abcdefghijklmnopqrstuvwxyz_.");
        expect_name(row->section, "abcdefghijklmnopqrstuvwxyz");
        assert_true(row->min <= row->max);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(row->name, config_rows[j].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fates_and_operators),
        cmocka_unit_test(metric_rows),
        cmocka_unit_test(command_rows),
        cmocka_unit_test(configuration_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
