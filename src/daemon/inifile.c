/* The only file that knows inih. inih calls no handler for sections, cuts their names at 49 bytes
 * and counts no lines for us, so the function that feeds it lines keeps track of both; inih sees
 * entries and comments only. */
#include "inifile.h"

#include <ini.h>
#include <string.h>

#include "expect.h"
#include "pool.h"
#include "readfile.h"

struct reading {
    struct inifile *file;
    struct config_errors *errors;
    const char *next, *end; /* what was not read yet */
    const char *line_text;  /* the line that inih works on */
    size_t line_len;
    int line;
    int section;
    bool skip; /* entries below a header that is wrong */
};

/* In reading->section between sections that have an index. */
enum { SECTION_NONE = -1 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void complain(struct reading *reading, const char *message)
{
    config_errors_add(reading->errors, reading->file->path, reading->line, 0, "%s", message);
}

/* The index of the new section; -1 when the file has it already. */
static int add_section(struct reading *reading, const char *name, size_t len)
{
    struct inifile *file = reading->file;
    for (int i = 0; i < file->section_count; i++) {
        const struct inifile_section *other = &file->sections[i];
        if (strlen(other->name) != len || memcmp(other->name, name, len) != 0)
            continue;
        config_errors_add(reading->errors, file->path, reading->line, 0,
                          "[%s] stands twice (first in line %d; rename this one, or put its keys "
                          "there)", other->name, other->line);
        return -1;
    }
    size_t size = (size_t)(file->section_count + 1) * sizeof *file->sections;
    file->sections = memory_resize(file->sections, size);
    char *copy = memory_alloc(len + 1);
    memcpy(copy, name, len);
    file->sections[file->section_count] =
        (struct inifile_section){.name = copy, .line = reading->line};
    return file->section_count++;
}

static void add_entry(struct reading *reading, struct inifile_entry entry)
{
    struct inifile *file = reading->file;
    if (file->entry_count == INIFILE_ENTRIES_MAX) {
        complain(reading, "more than 8192 entries (split the file)");
        reading->next = reading->end;
        memory_free(entry.key);
        memory_free(entry.value);
        return;
    }
    size_t size = (size_t)(file->entry_count + 1) * sizeof *file->entries;
    file->entries = memory_resize(file->entries, size);
    entry.section = reading->section;
    entry.line = reading->line;
    file->entries[file->entry_count++] = entry;
}

/* header begins with [. */
static void read_section(struct reading *reading, const char *header, const char *end)
{
    const char *close = memchr(header, ']', (size_t)(end - header));
    const char *name = header + 1;
    const char *name_end = close;
    reading->skip = true;
    if (!close) {
        complain(reading, "section header without ] (write [section])");
        return;
    }
    if (close + 1 != end) {
        complain(reading, "text after a section header (put it, or the comment, on its own line)");
        return;
    }
    while (name < close && is_blank(*name))
        name++;
    while (name_end > name && is_blank(name_end[-1]))
        name_end--;
    if (name == name_end) {
        complain(reading, "section without a name (write [section])");
        return;
    }
    reading->section = add_section(reading, name, (size_t)(name_end - name));
    reading->skip = reading->section < 0;
    if (!reading->skip)
        add_entry(reading, (struct inifile_entry){0});
}

/* inih's fgets: gives it one line, or an empty one where there is nothing for it. */
static char *read_line(char *out, int size, void *stream)
{
    struct reading *reading = stream;
    if (reading->next == reading->end)
        return NULL;
    const char *start = reading->next;
    const char *end = memchr(start, '\n', (size_t)(reading->end - start));
    reading->next = end ? end + 1 : reading->end;
    if (!end)
        end = reading->end;
    reading->line++;
    while (start < end && is_blank(*start))
        start++;
    while (end > start && is_blank(end[-1]))
        end--;
    size_t len = (size_t)(end - start);
    /* The column counts from the physical line's first byte. */
    reading->line_text = start;
    reading->line_len = len;
    if (len > INIFILE_LINE_MAX || len + 2 > (size_t)size) {
        complain(reading, "line of more than 8192 bytes (shorten it)");
        len = 0;
    } else if (memchr(start, 0, len)) {
        complain(reading, "a zero byte (this is not a text file)");
        len = 0;
    } else if (len > 0 && *start == '[') {
        read_section(reading, start, end);
        len = 0;
    }
    memcpy(out, start, len);
    memcpy(out + len, "\n", 2);
    return out;
}

/* inih separates at the first = or :, so does this. */
static int value_column(const struct reading *reading)
{
    const char *start = reading->line_text;
    const char *physical = start;
    size_t at = 0;
    while (at < reading->line_len && start[at] != '=' && start[at] != ':')
        at++;
    at++;
    while (at < reading->line_len && is_blank(start[at]))
        at++;
    while (physical[-1] != '\n')
        physical--;
    return (int)(start - physical + (ptrdiff_t)at) + 1;
}

static bool is_duplicate(struct reading *reading, const char *key)
{
    const struct inifile *file = reading->file;
    for (int i = 0; i < file->entry_count; i++) {
        const struct inifile_entry *entry = &file->entries[i];
        if (entry->section != reading->section || !entry->key || strcmp(entry->key, key) != 0)
            continue;
        config_errors_add(reading->errors, file->path, reading->line, 0,
                          "%s stands twice in [%s] (first in line %d; remove one)", key,
                          file->sections[entry->section].name, entry->line);
        return true;
    }
    return false;
}

static int on_entry(void *user, const char *section, const char *key, const char *value)
{
    (void)section;
    struct reading *reading = user;
    if (!value) {
        complain(reading, "neither a [section] nor an entry (write key = value)");
        return 1;
    }
    if (!*key) {
        complain(reading, "an entry without a key (write key = value)");
        return 1;
    }
    if (reading->skip)
        return 1;
    if (reading->section == SECTION_NONE) {
        complain(reading, "an entry before the first section (put a [section] above it)");
        return 1;
    }
    if (is_duplicate(reading, key))
        return 1;
    add_entry(reading, (struct inifile_entry){
        .column = value_column(reading),
        .key = memory_strdup(key),
        .value = memory_strdup(value),
    });
    return 1;
}

/* Debian's inih has its options as variables. */
static void configure_inih(void)
{
    ini_max_line = INIFILE_LINE_MAX + 3;
    ini_initial_alloc = INIFILE_LINE_MAX + 3;
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
    ini_allow_no_value = true; /* so that every such line reaches on_entry, which complains */
    ini_stop_on_first_error = false;
}

struct inifile *inifile_parse(const char *path, const char *text, size_t len,
                                struct config_errors *errors)
{
    struct inifile *file = memory_alloc(sizeof *file);
    file->path = memory_strdup(path);
    /* A copy with an end of line in front, at which value_column stops. */
    char *copy = memory_alloc(len + 1);
    copy[0] = '\n';
    if (len > 0)
        memcpy(copy + 1, text, len);
    struct reading reading = {
        .file = file,
        .errors = errors,
        .next = copy + 1,
        .end = copy + 1 + len,
        .section = SECTION_NONE,
    };
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        reading.next += 3;
    configure_inih();
    int result = ini_parse_stream(read_line, &reading, on_entry, &reading);
    expect(result == 0); /* every error is ours, and inih has the memory it asks for */
    memory_free(copy);
    return file;
}

struct inifile *inifile_read(const char *path, struct config_errors *errors)
{
    struct text content = {0};
    const char *why = readfile(path, INIFILE_MAX, &content);
    if (why)
        config_errors_add(errors, path, 0, 0, "cannot be read: %s (give a file that can)", why);
    struct inifile *file =
        why ? NULL : inifile_parse(path, content.data, content.len, errors);
    text_free(&content);
    return file;
}

void inifile_free(struct inifile *file)
{
    if (!file)
        return;
    for (int i = 0; i < file->section_count; i++)
        memory_free(file->sections[i].name);
    for (int i = 0; i < file->entry_count; i++) {
        memory_free(file->entries[i].key);
        memory_free(file->entries[i].value);
    }
    memory_free(file->sections);
    memory_free(file->entries);
    memory_free(file->path);
    memory_free(file);
}

int inifile_section_line(const struct inifile *file, const char *section)
{
    for (int i = 0; i < file->section_count; i++)
        if (strcmp(file->sections[i].name, section) == 0)
            return file->sections[i].line;
    return 1;
}
