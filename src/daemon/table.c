/* One renderer for every table that freshet shows. */
#include "table.h"

#include <string.h>

#include "expect.h"
#include "pool.h"

enum { COLUMNS_MAX = 12 };

void table_add(struct table *table, const char *text)
{
    size_t count = (size_t)table->cell_count + 1;
    table->cells = memory_resize(table->cells, count * sizeof *table->cells);
    table->cells[table->cell_count++] = memory_strdup(text ? text : "");
}

void table_add_long(struct table *table, int64_t number)
{
    char digits[21];
    digits[text_format_long(digits, number)] = '\0';
    table_add(table, digits);
}

void table_free(struct table *table)
{
    for (int i = 0; i < table->cell_count; i++)
        memory_free(table->cells[i]);
    memory_free(table->cells);
}

static int row_count(const struct table *table)
{
    expect(table->cell_count % table->column_count == 0);
    return table->cell_count / table->column_count;
}

static const char *cell(const struct table *table, int row, int column)
{
    return table->cells[row * table->column_count + column];
}

/* Columns of characters, not bytes: continuation bytes of UTF-8 do not count. */
static int width(const char *text)
{
    int columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

static void text_pad(struct text *out, int columns)
{
    for (int i = 0; i < columns; i++)
        text_append_char(out, ' ');
}

static void text_line(const struct table *table, const char *const *cells, const int *widths,
                      struct text *out)
{
    int columns = table->column_count - !table->is_flat;
    for (int column = 0; column < columns; column++) {
        int missing = widths[column] - width(cells[column]);
        bool is_right = table->right >> column & 1U;
        text_pad(out, is_right ? missing : 0);
        text_append_string(out, cells[column]);
        text_pad(out, is_right ? 2 : missing + 2);
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
    text_append_char(out, '\n');
}

static void render_text(const struct table *table, struct text *out)
{
    int widths[COLUMNS_MAX] = {0};
    int last = table->column_count - 1;
    for (int column = 0; column <= last; column++) {
        widths[column] = width(table->columns[column]);
        for (int row = 0; row < row_count(table); row++) {
            int w = width(cell(table, row, column));
            widths[column] = w > widths[column] ? w : widths[column];
        }
    }
    text_line(table, table->columns, widths, out);
    for (int row = 0; row < row_count(table); row++) {
        const char *cells[COLUMNS_MAX];
        for (int column = 0; column <= last; column++)
            cells[column] = cell(table, row, column);
        text_line(table, cells, widths, out);
        if (*cells[last] && !table->is_flat)
            text_printf(out, "    %s\n", cells[last]);
    }
}

static void md_cell(const char *text, bool code, struct text *out)
{
    bool empty = *text == '\0';
    text_append_string(out, code && !empty ? " `" : " ");
    for (; *text; text++) {
        if (*text == '|')
            text_append_char(out, '\\');
        text_append_char(out, *text);
    }
    text_append_string(out, code && !empty ? "` |" : " |");
}

static void render_md(const struct table *table, struct text *out)
{
    text_append_char(out, '|');
    for (int column = 0; column < table->column_count; column++)
        md_cell(table->columns[column], false, out);
    text_append_string(out, "\n|");
    for (int column = 0; column < table->column_count; column++)
        text_append_string(out, "---|");
    text_append_char(out, '\n');
    for (int row = 0; row < row_count(table); row++) {
        text_append_char(out, '|');
        for (int column = 0; column < table->column_count; column++)
            md_cell(cell(table, row, column), column + 1 < table->column_count, out);
        text_append_char(out, '\n');
    }
}

static void render_json(const struct table *table, struct text *out)
{
    text_append_char(out, '[');
    for (int row = 0; row < row_count(table); row++) {
        text_append_string(out, row > 0 ? ",\n {" : "\n {");
        for (int column = 0; column < table->column_count; column++) {
            const char *name = table->columns[column], *value = cell(table, row, column);
            text_append_string(out, column > 0 ? ", " : "");
            text_append_json_string(out, name, strlen(name));
            text_append_string(out, ": ");
            text_append_json_string(out, value, strlen(value));
        }
        text_append_char(out, '}');
    }
    text_append_string(out, "\n]\n");
}

/* Text that roff must not read as a request, nor make typographic. */
static void roff(const char *text, struct text *out)
{
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            text_append_string(out, "\\&");
        if (*text == '\\')
            text_append_string(out, "\\e");
        else if (*text == '-')
            text_append_string(out, "\\-");
        else
            text_append_char(out, *text);
        line_start = *text == '\n';
    }
}

static void man_row(const struct table *table, int row, struct text *out)
{
    int last = table->column_count - 1;
    text_append_string(out, ".TP\n\\fB");
    roff(cell(table, row, 0), out);
    text_append_string(out, "\\fR\n");
    roff(cell(table, row, last), out);
    const char *separator = "\n.br\n";
    for (int column = 1; column < last; column++) {
        if (*cell(table, row, column) == '\0')
            continue;
        text_append_string(out, separator);
        roff(table->columns[column], out);
        text_append_string(out, ": ");
        roff(cell(table, row, column), out);
        separator = "; ";
    }
    text_append_char(out, '\n');
}

static void render_man(const struct table *table, struct text *out)
{
    text_append_string(out, ".\\\" Printed by freshetd --format man: do not edit.\n");
    text_printf(out, ".TH %s %s \"\" freshet\n.SH NAME\n", table->page, table->section);
    roff(table->page, out);
    text_append_string(out, " \\- ");
    roff(table->title, out);
    text_append_string(out, "\n.SH DESCRIPTION\n");
    for (const char *rest = table->about; *rest;) {
        const char *end = strstr(rest, "\n\n");
        size_t len = end ? (size_t)(end - rest) : strlen(rest);
        struct text paragraph = {0};
        text_append(&paragraph, rest, len);
        text_append_string(out, ".PP\n");
        roff(paragraph.data, out);
        text_append_char(out, '\n');
        text_free(&paragraph);
        rest += end ? len + 2 : len;
    }
    for (int row = 0; row < row_count(table); row++)
        man_row(table, row, out);
}

void table_render(const struct table *table, enum table_format format, struct text *out)
{
    expect(table->column_count >= 2 && table->column_count <= COLUMNS_MAX);
    switch (format) {
    case TABLE_TEXT:
        render_text(table, out);
        break;
    case TABLE_MD:
        render_md(table, out);
        break;
    case TABLE_JSON:
        render_json(table, out);
        break;
    case TABLE_MAN:
        render_man(table, out);
        break;
    }
}
