/* Names of rows: the template is cut once, so that a name is three copies. */
#include "rowname.h"

#include <string.h>

#include "expect.h"
#include "pool.h"
#include "resp.h"

static const char placeholder[] = "{key}";

bool rowname_template_ok(const char *key_template)
{
    const char *found = strstr(key_template, placeholder);
    return found && !strstr(found + 1, placeholder);
}

void rowname_init(struct rowname *name, const char *prefix, const char *key_template)
{
    expect(rowname_template_ok(key_template));
    const char *mark = strstr(key_template, placeholder);
    struct text head = {0};
    text_append_string(&head, prefix);
    text_append(&head, key_template, (size_t)(mark - key_template));
    name->head = memory_strdup(head.data ? head.data : "");
    name->head_len = head.len;
    text_free(&head);
    name->tail = memory_strdup(mark + strlen(placeholder));
    name->tail_len = strlen(name->tail);
}

void rowname_fini(struct rowname *name)
{
    memory_free(name->head);
    memory_free(name->tail);
    *name = (struct rowname){0};
}

void rowname_append(const struct rowname *name, const char *key, size_t len, struct text *out)
{
    size_t total = name->head_len + len + name->tail_len;
    char *p = resp_put_len(text_reserve(out, total + RESP_BULK_OVERHEAD), total);
    p = mempcpy(p, name->head, name->head_len);
    p = mempcpy(p, key, len);
    p = mempcpy(p, name->tail, name->tail_len);
    resp_finish(out, mempcpy(p, "\r\n", 2));
}

bool rowname_entity(const struct rowname *name, const char *redis_key, size_t redis_key_len,
                    const char **key, size_t *len)
{
    if (redis_key_len <= name->head_len + name->tail_len ||
        memcmp(redis_key, name->head, name->head_len) != 0 ||
        memcmp(redis_key + redis_key_len - name->tail_len, name->tail, name->tail_len) != 0)
        return false;
    *key = redis_key + name->head_len;
    *len = redis_key_len - name->head_len - name->tail_len;
    return true;
}

static void append_glob(struct text *out, const char *literal)
{
    for (; *literal; literal++) {
        if (strchr("*?[]^-\\", *literal))
            text_append_char(out, '\\');
        text_append_char(out, *literal);
    }
}

void rowname_pattern(const struct rowname *name, struct text *out)
{
    append_glob(out, name->head);
    text_append_char(out, '*');
    append_glob(out, name->tail);
}
