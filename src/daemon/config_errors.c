/* Collects what is wrong and prints it as compilers do. */
#include "config_errors.h"

#include <stdlib.h>
#include <string.h>

#include "pool.h"

static struct config_error *grow(struct config_errors *errors)
{
    size_t size = (size_t)(errors->count + 1) * sizeof *errors->list;
    errors->list = memory_resize(errors->list, size);
    return &errors->list[errors->count++];
}

static void append(struct config_errors *errors, struct config_error error, const char *place,
                   const char *format, va_list arguments)
{
    struct text message = {0};
    text_vprintf(&message, format, arguments);
    error.place = memory_strdup(place);
    error.message = memory_strdup(message.data);
    text_free(&message);
    *grow(errors) = error;
}

void config_errors_add(struct config_errors *errors, const char *place, int line, int column,
                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append(errors, (struct config_error){.line = line, .column = column}, place, format,
           arguments);
    va_end(arguments);
    errors->failures++;
}

void config_errors_warn(struct config_errors *errors, const char *place, int line,
                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append(errors, (struct config_error){.line = line, .warning = true}, place, format, arguments);
    va_end(arguments);
}

void config_errors_free(struct config_errors *errors)
{
    for (int i = 0; i < errors->count; i++) {
        memory_free(errors->list[i].place);
        memory_free(errors->list[i].message);
    }
    memory_free(errors->list);
    *errors = (struct config_errors){0};
}

/* Files stay in the order in which they were first complained about. */
static int first_of_place(const struct config_errors *errors, const struct config_error *error)
{
    int i = 0;
    while (strcmp(errors->list[i].place, error->place) != 0)
        i++;
    return i;
}

static bool stands_before(const struct config_errors *errors, const struct config_error *a,
                          const struct config_error *b)
{
    int place_a = first_of_place(errors, a), place_b = first_of_place(errors, b);
    if (place_a != place_b)
        return place_a < place_b;
    if (a->line != b->line)
        return a->line < b->line;
    return a->column != b->column ? a->column < b->column : a < b;
}

static void print_one(const struct config_error *error, struct text *out)
{
    text_append_string(out, error->place);
    if (error->line > 0)
        text_printf(out, ":%d", error->line);
    if (error->column > 0)
        text_printf(out, ":%d", error->column);
    text_printf(out, ": %s%s\n", error->warning ? "warning: " : "", error->message);
}

void config_errors_print(const struct config_errors *errors, struct text *out)
{
    const struct config_error *last = NULL;
    for (int printed = 0; printed < errors->count; printed++) {
        const struct config_error *next = NULL;
        for (int i = 0; i < errors->count; i++) {
            const struct config_error *error = &errors->list[i];
            if (last && (error == last || !stands_before(errors, last, error)))
                continue;
            if (!next || stands_before(errors, error, next))
                next = error;
        }
        print_one(next, out);
        last = next;
    }
}
