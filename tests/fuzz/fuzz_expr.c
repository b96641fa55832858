/* Any bytes as an expression: refused with a message, or compiled, evaluated and spelt again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "expr.h"
#include "fieldspace.h"

/* A field's first letter says its type, so that the fuzzer finds all of them. */
static int resolve(void *self, const char *path, size_t path_len, struct value_kind *kind,
                   char *err, size_t err_size)
{
    static const char letters[] = "blds";
    (void)self;
    const char *letter = path_len > 0 ? memchr(letters, path[0], 4) : NULL;
    if (!letter) {
        strncpy(err, "no such field", err_size - 1);
        err[err_size - 1] = '\0';
        return -1;
    }
    *kind = (struct value_kind){(enum value_type)(VALUE_BOOL + (letter - letters)), true};
    return (int)(letter - letters);
}

static void evaluate(const struct expr *expr, struct value *result)
{
    static const struct value events[][4] = {
        {{.i = 1, .type = VALUE_BOOL},
         {.i = INT64_MIN, .type = VALUE_LONG},
         {.d = -1e308, .type = VALUE_DOUBLE},
         {.s = "abc", .len = 3, .type = VALUE_STRING}},
        {{.type = VALUE_NULL}, {.type = VALUE_NULL}, {.type = VALUE_NULL}, {.type = VALUE_NULL}},
    };
    for (int k = 0; k < 2; k++)
        result[k] = expr_eval(expr, &(struct expr_input){events[k], {1769817600000}, {7200000}});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fieldspace fields = {NULL, resolve};
    struct expr_error error = {0};
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct expr *expr = expr_compile(text, &fields, &error);
    if (!expr) {
        expect(error.column >= 1 && (size_t)error.column <= size + 1 && error.message[0]);
    } else {
        struct value first[2];
        struct value second[2];
        evaluate(expr, first);
        struct expr *again = expr_compile(expr_canonical(expr), &fields, &error);
        /* The canonical text may be longer than what was written, hence beyond the bound. */
        expect(again || strlen(expr_canonical(expr)) > EXPR_TEXT_MAX);
        if (again) {
            expect(strcmp(expr_canonical(again), expr_canonical(expr)) == 0);
            evaluate(again, second);
            for (int k = 0; k < 2; k++)
                expect(first[k].type == second[k].type && first[k].len == second[k].len);
        }
        expr_free(again);
    }
    expr_free(expr);
    free(text);
    return 0;
}
