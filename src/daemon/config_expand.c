/* ${env:NAME}, ${file:PATH} and ${cred:NAME} within values. What is put in is not read again. */
#include "config_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "readfile.h"

/* A file made with an editor ends with an end of line that is not part of the secret. */
static void append_file(const char *path, struct text *out, char *err, size_t err_size)
{
    struct text content = {0};
    const char *why = readfile(path, CONFIG_VALUE_MAX, &content);
    if (!why && memchr(content.data, 0, content.len))
        why = "it has a zero byte";
    while (content.len > 0 && strchr("\r\n", content.data[content.len - 1]))
        content.len--;
    if (why)
        snprintf(err, err_size, "%s cannot be read: %s (look at its name and rights)", path, why);
    else
        text_append(out, content.data, content.len);
    text_free(&content);
}

static void append_credential(const char *name, struct text *out, char *err, size_t err_size)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (strchr(name, '/')) {
        snprintf(err, err_size, "credential \"%s\" has a / (give its name only)", name);
        return;
    }
    if (!directory) {
        snprintf(err, err_size, "credential \"%s\", but CREDENTIALS_DIRECTORY is not set "
                 "(have systemd start it with LoadCredential=%s:..., or use ${file:})", name, name);
        return;
    }
    struct text path = {0};
    text_printf(&path, "%s/%s", directory, name);
    append_file(path.data, out, err, err_size);
    text_free(&path);
}

static void append_reference(const char *reference, const char *base, struct text *out, char *err,
                             size_t err_size)
{
    if (strncmp(reference, "env:", 4) == 0) {
        const char *value = getenv(reference + 4);
        if (value)
            text_append_string(out, value);
        else
            snprintf(err, err_size, "environment variable %s is not set (set it)", reference + 4);
    } else if (strncmp(reference, "file:", 5) == 0) {
        char *path = readfile_beside(base, reference + 5);
        append_file(path, out, err, err_size);
        memory_free(path);
    } else if (strncmp(reference, "cred:", 5) == 0) {
        append_credential(reference + 5, out, err, err_size);
    } else {
        snprintf(err, err_size, "${%s} means nothing (write ${env:NAME}, ${file:/path} or "
                 "${cred:name})", reference);
    }
}

char *config_expand(const char *written, const char *base, char *err, size_t err_size)
{
    struct text out = {0};
    text_append_string(&out, "");
    *err = '\0';
    while (*written && !*err) {
        const char *start = strstr(written, "${");
        size_t plain = start ? (size_t)(start - written) : strlen(written);
        text_append(&out, written, plain);
        written += plain;
        if (!start)
            break;
        const char *end = strchr(start, '}');
        if (!end) {
            snprintf(err, err_size, "${ without } (write ${env:NAME}, ${file:/path} or "
                     "${cred:name}; a text with ${ in it can come from a file)");
            break;
        }
        struct text reference = {0};
        text_append(&reference, start + 2, (size_t)(end - start - 2));
        append_reference(reference.data, base, &out, err, err_size);
        text_free(&reference);
        written = end + 1;
    }
    if (!*err && out.len > CONFIG_VALUE_MAX)
        snprintf(err, err_size, "longer than 64 KiB (shorten it)");
    char *value = *err ? NULL : memory_strdup(out.data);
    text_free(&out);
    return value;
}
