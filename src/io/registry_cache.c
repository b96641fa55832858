/* A cache file is one line "freshet-schema 1 CHECKSUM" and a JSON object with url, key, schema and
 * references; CHECKSUM is the XXH64 of the JSON in hexadecimal. */
#include "registry_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "jsontree.h"
#include "pool.h"
#include "text.h"

enum {
    FILE_MAX = JSONTREE_MAX_BYTES,
    HEADER_LEN = sizeof "freshet-schema 1 0123456789abcdef\n" - 1,
};

static void header(const char *json, size_t len, char out[HEADER_LEN + 1])
{
    snprintf(out, HEADER_LEN + 1, "freshet-schema 1 %016" PRIx64 "\n", hash_bytes(json, len));
}

static void append_path(struct text *path, const char *directory, const struct registry_key *key)
{
    char key_text[REGISTRY_KEY_TEXT];
    registry_key_text(key, key_text);
    text_printf(path, "%s/%s%s.json", directory, key->is_guid ? "guid-" : "id-", key_text);
}

static bool read_file(const char *path, struct text *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    struct stat found;
    bool is_good = fstat(fd, &found) == 0 && S_ISREG(found.st_mode) &&
                   found.st_size > HEADER_LEN && found.st_size < FILE_MAX;
    while (is_good && out->len < (size_t)found.st_size) {
        size_t rest = (size_t)found.st_size - out->len;
        ssize_t got = read(fd, text_reserve(out, rest), rest);
        if (got > 0)
            out->len += (size_t)got;
        is_good = got > 0 || (got < 0 && errno == EINTR);
    }
    close(fd);
    return is_good;
}

static bool same_string(const struct json_node *node, const char *string)
{
    return node != NULL && node->type == JSON_TREE_STRING && strcmp(node->text, string) == 0;
}

static bool read_references(const struct json_node *list, struct arena *arena,
                            struct registry_schema *schema)
{
    if (list == NULL || list->count > REGISTRY_REFERENCES_MAX)
        return false;
    struct registry_reference *references =
        arena_alloc(arena, (list->count + 1) * sizeof *references);
    for (const struct json_node *at = list->first; at != NULL; at = at->next) {
        const struct json_node *name = jsontree_get(at, "name");
        const struct json_node *text = jsontree_get(at, "schema");
        if (name == NULL || text == NULL || name->type != JSON_TREE_STRING ||
            text->type != JSON_TREE_STRING)
            return false;
        references[schema->reference_count++] =
            (struct registry_reference){name->text, text->text, text->len};
    }
    schema->references = references;
    return true;
}

bool registry_cache_read(const char *directory, const char *base_url,
                         const struct registry_key *key, struct arena *arena,
                         struct registry_schema *schema)
{
    struct text path = {0}, file = {0};
    char expected[HEADER_LEN + 1], key_text[REGISTRY_KEY_TEXT];
    struct json_error error;
    const struct json_node *root = NULL;
    append_path(&path, directory, key);
    registry_key_text(key, key_text);
    *schema = (struct registry_schema){.from_cache = true};
    if (read_file(path.data, &file)) {
        const char *json = file.data + HEADER_LEN;
        header(json, file.len - HEADER_LEN, expected);
        if (memcmp(file.data, expected, HEADER_LEN) == 0)
            root = jsontree_parse(arena, json, file.len - HEADER_LEN, &error);
    }
    text_free(&path);
    text_free(&file);
    const struct json_node *text = jsontree_get(root, "schema");
    if (!same_string(jsontree_get(root, "url"), base_url) ||
        !same_string(jsontree_get(root, "key"), key_text) || text == NULL ||
        text->type != JSON_TREE_STRING)
        return false;
    schema->text = text->text;
    schema->len = text->len;
    return read_references(jsontree_get(root, "references"), arena, schema);
}

static void append_json(struct text *out, const char *base_url, const struct registry_key *key,
                        const struct registry_schema *schema)
{
    char key_text[REGISTRY_KEY_TEXT];
    registry_key_text(key, key_text);
    text_append_string(out, "{\"url\": ");
    text_append_json_string(out, base_url, strlen(base_url));
    text_printf(out, ", \"key\": \"%s\", \"schema\": ", key_text);
    text_append_json_string(out, schema->text, schema->len);
    text_append_string(out, ", \"references\": [");
    for (size_t i = 0; i < schema->reference_count; i++) {
        const struct registry_reference *reference = &schema->references[i];
        text_append_string(out, i == 0 ? "{\"name\": " : ", {\"name\": ");
        text_append_json_string(out, reference->name, strlen(reference->name));
        text_append_string(out, ", \"schema\": ");
        text_append_json_string(out, reference->text, reference->len);
        text_append_char(out, '}');
    }
    text_append_string(out, "]}\n");
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, bytes, len);
        if (wrote < 0 && errno != EINTR)
            return false;
        bytes += wrote > 0 ? wrote : 0;
        len -= wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

bool registry_cache_write(const char *directory, const char *base_url,
                          const struct registry_key *key, const struct registry_schema *schema)
{
    struct text path = {0}, aside = {0}, json = {0};
    char first_line[HEADER_LEN + 1];
    append_path(&path, directory, key);
    /* The name is ours alone even when several daemons share the directory. */
    text_printf(&aside, "%s.%ld.%lx", path.data, (long)getpid(), (unsigned long)(uintptr_t)&json);
    append_json(&json, base_url, key, schema);
    header(json.data, json.len, first_line);
    int fd = open(aside.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_good = fd >= 0 && write_all(fd, first_line, HEADER_LEN) &&
                   write_all(fd, json.data, json.len);
    if (fd >= 0)
        is_good = close(fd) == 0 && is_good;
    is_good = is_good && rename(aside.data, path.data) == 0;
    if (fd >= 0 && !is_good)
        unlink(aside.data);
    text_free(&path);
    text_free(&aside);
    text_free(&json);
    return is_good;
}
