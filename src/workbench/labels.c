/* Reading labels. The columns are kept as the JSON text that rows show. */
#include "labels.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "hash.h"
#include "jsonscan.h"
#include "pool.h"
#include "text.h"

enum { FIELDS_MAX = 256 };

struct reader {
    struct labels *labels;
    uint32_t capacity;
    const char *path;
    int64_t line;
    char *error;
    size_t error_size;
    /* CSV */
    char *names[FIELDS_MAX];
    int name_count;
    /* of the label at hand */
    struct text key, columns;
    bool has_key, has_time;
    int64_t time_ms;
};

static bool fail(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct reader *r, const char *format, ...)
{
    int used = snprintf(r->error, r->error_size, "%s:%lld: ", r->path, (long long)r->line);
    va_list arguments;
    va_start(arguments, format);
    if (used > 0 && (size_t)used < r->error_size)
        (void)vsnprintf(r->error + used, r->error_size - (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- one label ---- */

static char *keep(struct reader *r, const char *text, size_t len)
{
    char *copy = arena_alloc(&r->labels->arena, len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static bool add(struct reader *r)
{
    struct labels *labels = r->labels;
    if (!r->has_key || r->key.len == 0)
        return fail(r, "the label has no key");
    if (!r->has_time)
        return fail(r, "the label has no time");
    if (labels->count == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 1024;
        labels->list = memory_resize(labels->list, r->capacity * sizeof *labels->list);
    }
    text_append_char(&r->columns, '}');
    labels->list[labels->count] = (struct label){
        .key = keep(r, r->key.data, r->key.len),
        .key_len = (uint32_t)r->key.len,
        .time_ms = r->time_ms,
        .columns = keep(r, r->columns.data, r->columns.len),
        .place = labels->count,
    };
    labels->count++;
    return true;
}

static void begin(struct reader *r)
{
    text_clear(&r->key);
    text_clear(&r->columns);
    text_append_char(&r->columns, '{');
    r->has_key = r->has_time = false;
}

static void begin_column(struct reader *r, const char *name, size_t len)
{
    if (r->columns.len > 1)
        text_append_char(&r->columns, ',');
    text_append_json_string(&r->columns, name, len);
    text_append_char(&r->columns, ':');
}

static bool take_time(struct reader *r, const char *text)
{
    r->has_time = text_parse_event_time(text, &r->time_ms);
    return r->has_time || fail(r, "\"%.40s\" is no time (write ms since the epoch, or a time such "
                               "as 2026-01-31T00:00:00Z)", text);
}

/* ---- JSON lines ---- */

/* The value that stands here as the text of a key or a time. */
static bool scalar_text(struct jsonscan *scan, struct text *out)
{
    const char *string;
    size_t len;
    struct jsonscan_number number;
    text_clear(out);
    if (jsonscan_peek(scan) == '"') {
        if (!jsonscan_string(scan, &string, &len))
            return false;
        text_append(out, string, len);
        return true;
    }
    if (!jsonscan_number(scan, &number))
        return false;
    text_append(out, number.text, number.len);
    return true;
}

static bool take_member(struct reader *r, struct jsonscan *scan)
{
    const char *name;
    size_t len;
    struct text time = {0};
    if (!jsonscan_string(scan, &name, &len))
        return false;
    bool key = len == 3 && memcmp(name, "key", len) == 0;
    bool at = len == 4 && memcmp(name, "time", len) == 0;
    if (!key && !at)
        begin_column(r, name, len);
    if (!jsonscan_take(scan, ':'))
        return false;
    if (key) {
        r->has_key = true;
        return scalar_text(scan, &r->key);
    }
    if (at) {
        bool ok = scalar_text(scan, &time) && take_time(r, time.data ? time.data : "");
        text_free(&time);
        return ok;
    }
    jsonscan_blanks(scan);
    const char *from = scan->at;
    if (!jsonscan_skip(scan))
        return false;
    text_append(&r->columns, from, (size_t)(scan->at - from));
    return true;
}

static bool read_json(struct reader *r, const char *line, size_t len)
{
    struct jsonscan scan = {.start = line, .at = line, .end = line + len};
    begin(r);
    r->error[0] = '\0';
    bool ok = jsonscan_take(&scan, '{');
    for (bool more = ok && jsonscan_peek(&scan) != '}'; ok && more;) {
        ok = take_member(r, &scan);
        more = ok && jsonscan_peek(&scan) == ',';
        scan.at += more;
    }
    ok = ok && jsonscan_take(&scan, '}');
    if (ok && jsonscan_peek(&scan) != '\0')
        ok = jsonscan_fail(&scan, scan.at, "something stands behind the object");
    if (!ok && r->error[0] == '\0')
        fail(r, "column %zu: %s", (size_t)(scan.at - scan.start) + 1, scan.message);
    text_free(&scan.unescaped);
    return ok && add(r);
}

/* ---- CSV (RFC 4180, without line breaks in fields) ---- */

/* The next field, without its quotes; false when a quote does not end. */
static bool csv_field(const char **at, const char *end, struct text *field, bool *quoted)
{
    const char *from = *at;
    text_clear(field);
    text_append(field, "", 0);
    *quoted = from < end && *from == '"';
    if (!*quoted) {
        while (*at < end && **at != ',')
            (*at)++;
        text_append(field, from, (size_t)(*at - from));
        return true;
    }
    for (const char *c = from + 1; c < end; c++) {
        if (*c == '"' && c + 1 < end && c[1] == '"')
            c++;
        else if (*c == '"') {
            *at = c + 1;
            return *at == end || **at == ',';
        }
        text_append_char(field, *c);
    }
    return false;
}

/* Numbers, true, false and nothing are what they look like; all else is text. */
static void csv_column(struct reader *r, const char *name, const struct text *field, bool quoted)
{
    struct jsonscan scan = {.start = field->data, .at = field->data,
                            .end = field->data + field->len};
    struct jsonscan_number number;
    begin_column(r, name, strlen(name));
    bool plain = !quoted && field->len > 0 &&
                 (jsonscan_word(&scan, "true") || jsonscan_word(&scan, "false") ||
                  jsonscan_number(&scan, &number)) &&
                 scan.at == scan.end;
    if (plain)
        text_append(&r->columns, field->data, field->len);
    else if (field->len == 0 && !quoted)
        text_append_string(&r->columns, "null");
    else
        text_append_json_string(&r->columns, field->data, field->len);
}

static bool read_header(struct reader *r, const char *line, const char *end)
{
    struct text field = {0};
    bool quoted, key = false, time = false, ok = true;
    for (const char *at = line; ok; at++) {
        ok = csv_field(&at, end, &field, &quoted);
        if (!ok)
            fail(r, "a quote in the header does not end");
        else if (r->name_count == FIELDS_MAX)
            ok = fail(r, "more than %d columns", FIELDS_MAX);
        else
            r->names[r->name_count++] = keep(r, field.data, field.len);
        key |= ok && strcmp(field.data, "key") == 0;
        time |= ok && strcmp(field.data, "time") == 0;
        if (at == end)
            break;
    }
    text_free(&field);
    if (ok && (!key || !time))
        return fail(r, "the header has no column %s", key ? "time" : "key");
    return ok;
}

static bool read_csv(struct reader *r, const char *line, const char *end)
{
    struct text field = {0};
    const char *at = line;
    bool quoted, ok = true;
    int column = 0;
    begin(r);
    for (; ok && column < r->name_count; column++) {
        ok = csv_field(&at, end, &field, &quoted);
        if (!ok) {
            fail(r, "a quote does not end");
        } else if (strcmp(r->names[column], "key") == 0) {
            text_append(&r->key, field.data, field.len);
            r->has_key = true;
        } else if (strcmp(r->names[column], "time") == 0) {
            ok = take_time(r, field.data);
        } else {
            csv_column(r, r->names[column], &field, quoted);
        }
        if (at == end)
            break;
        at++;
    }
    text_free(&field);
    if (ok && (at < end || column + 1 != r->name_count))
        return fail(r, "there are %s columns than in the header (%d)", at < end ? "more" : "fewer",
                    r->name_count);
    return ok && add(r);
}

/* ---- files ---- */

static bool read_lines(struct reader *r, FILE *stream)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;
    bool ok = true, csv = false;
    while (ok && (len = getline(&line, &capacity, stream)) >= 0) {
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            len--;
        r->line++;
        if (len == 0)
            continue;
        if (r->line == 1 && *line != '{')
            csv = true, ok = read_header(r, line, line + len);
        else
            ok = csv ? read_csv(r, line, line + len) : read_json(r, line, (size_t)len);
    }
    if (ok && ferror(stream))
        ok = fail(r, "%s", strerror(errno));
    free(line);
    return ok;
}

static int by_time(const void *left, const void *right)
{
    const struct label *a = left, *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

struct wanted {
    const struct labels *labels;
    const char *key;
    size_t len;
};

static bool is_key(const void *context, uint32_t handle)
{
    const struct wanted *wanted = context;
    const struct label *label = &wanted->labels->list[wanted->labels->first_of_key[handle]];
    return label->key_len == wanted->len && memcmp(label->key, wanted->key, wanted->len) == 0;
}

uint32_t labels_find(const struct labels *labels, const char *key, size_t len)
{
    struct wanted wanted = {labels, key, len};
    if (labels->key_count == 0)
        return LABELS_NONE;
    uint32_t handle = keytable_find(&labels->keys, hash_bytes(key, len), is_key, &wanted);
    return handle == KEYTABLE_NONE ? LABELS_NONE : handle;
}

/* Chains the labels of each key, backwards, so that each chain is in the order of time. */
static void index_keys(struct labels *labels)
{
    labels->first_of_key = memory_alloc((labels->count + 1) * sizeof *labels->first_of_key);
    for (uint32_t i = labels->count; i-- > 0;) {
        struct label *label = &labels->list[i];
        uint32_t key = labels_find(labels, label->key, label->key_len);
        label->next_of_key = key == LABELS_NONE ? LABELS_NONE : labels->first_of_key[key];
        label->key_index = key == LABELS_NONE ? labels->key_count : key;
        labels->first_of_key[label->key_index] = i;
        if (key == LABELS_NONE) {
            labels->key_count++;
            keytable_insert(&labels->keys, hash_bytes(label->key, label->key_len),
                            label->key_index);
        }
    }
}

bool labels_read(struct labels *labels, const char *path, char *error, size_t error_size)
{
    struct reader r = {.labels = labels, .path = path, .error = error, .error_size = error_size};
    *labels = (struct labels){0};
    FILE *stream = fopen(path, "r");
    if (!stream) {
        (void)snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return false;
    }
    bool ok = read_lines(&r, stream);
    fclose(stream);
    text_free(&r.key);
    text_free(&r.columns);
    if (ok && labels->count > 1)
        qsort(labels->list, labels->count, sizeof *labels->list, by_time);
    if (ok)
        index_keys(labels);
    return ok;
}

void labels_free(struct labels *labels)
{
    memory_free(labels->list);
    memory_free(labels->first_of_key);
    keytable_free(&labels->keys);
    arena_free(&labels->arena);
    *labels = (struct labels){0};
}
