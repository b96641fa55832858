/* Reading INI files: sections, entries and syntax errors with exact lines and columns. */
#ifndef FRESHET_INIFILE_H
#define FRESHET_INIFILE_H

#include <stddef.h>

#include "config_errors.h"

/*
 * [section]
 * key = value
 *
 * One entry is one line; blanks around key and value do not count, `:` may stand for `=`. A
 * comment is a line of its own that begins with `#` or `;`: within a line both are part of the
 * value, because expressions and passwords have them. A section may stand once in a file, and a
 * key once in a section.
 */
enum {
    INIFILE_LINE_MAX = 8192,     /* bytes of a line; a longer one is an error */
    INIFILE_MAX = 1 << 20,  /* bytes of a file; a longer one is refused */
    INIFILE_ENTRIES_MAX = 8192,  /* entries of a file; a longer one is refused */
};

struct inifile_section {
    char *name;
    int line; /* of its header */
};

struct inifile_entry {
    int section; /* index into sections */
    int line;
    int column;  /* of the value's first byte, from 1 */
    char *key;   /* NULL: a section's header */
    char *value; /* NULL with key */
};

struct inifile {
    char *path;
    struct inifile_section *sections;
    int section_count;
    struct inifile_entry *entries; /* in the order of the file; duplicate keys are left out */
    int entry_count;
};

/* NULL and an error when the file cannot be read; syntax errors are added to errors and the rest
 * of the file is still read, so that all errors can be shown at once. */
struct inifile *inifile_read(const char *path, struct config_errors *errors);
/* The same from memory; path is only a name for messages. */
struct inifile *inifile_parse(const char *path, const char *text, size_t len,
                                struct config_errors *errors);
void inifile_free(struct inifile *file);

/* The line of a section's header; 1 when the file has no such section. */
int inifile_section_line(const struct inifile *file, const char *section);

#endif
