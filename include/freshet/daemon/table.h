/* Tables of text, shown in any of the formats of --dump. */
#ifndef FRESHET_TABLE_H
#define FRESHET_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum table_format { TABLE_TEXT, TABLE_MD, TABLE_JSON, TABLE_MAN };

/* Story: fill in the head, add the cells row by row, render, free. The last column is a sentence:
 * in text and man it stands below the others. */
struct table {
    const char *const *columns;
    int column_count;
    unsigned right; /* for text: bit k is set when column k is aligned to the right */
    bool is_flat;   /* for text: the last column stands beside the others */
    /* for man: the page */
    const char *page;    /* freshet.ini */
    const char *section; /* 5 */
    const char *title;   /* what stands behind the page's name */
    const char *about;   /* paragraphs, separated by empty lines */
    /* private */
    char **cells;
    int cell_count;
};

/* Copies text; NULL is an empty cell. */
void table_add(struct table *table, const char *text);
void table_add_long(struct table *table, int64_t number);
void table_render(const struct table *table, enum table_format format, struct text *out);
void table_free(struct table *table);

#endif
