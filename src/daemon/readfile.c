/* Reads small files. */
#include "readfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pool.h"

const char *readfile(const char *path, size_t max, struct text *out)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return strerror(errno);
    const char *why = NULL;
    size_t start = out->len;
    text_append(out, "", 0); /* an empty file gives an empty string, not NULL */
    char buffer[4096];
    size_t got;
    while (!why && (got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        text_append(out, buffer, got);
        if (out->len - start > max)
            why = "it is too large";
    }
    if (!why && ferror(file))
        why = strerror(errno);
    fclose(file);
    return why;
}

char *readfile_beside(const char *base, const char *path)
{
    const char *slash = base ? strrchr(base, '/') : NULL;
    if (*path == '/' || *path == '\0' || !slash)
        return memory_strdup(path);
    struct text text = {0};
    text_append(&text, base, (size_t)(slash + 1 - base));
    text_append_string(&text, path);
    char *result = memory_strdup(text.data);
    text_free(&text);
    return result;
}
