/* Errors of datums: off the hot path, so that they may look closely at what is wrong and where. */
#include "avrofail.h"

#include <stdio.h>
#include <string.h>

#include "avrowire.h"

/* A field path, written from its end: what has no room is the outer part. */
struct path {
    size_t start;
    bool full;
    char text[AVROERROR_PATH_MAX - 4]; /* beside "..." and the terminator */
};

static void prepend(struct path *path, const char *text, size_t len)
{
    path->full = path->full || len > path->start;
    if (path->full)
        return;
    path->start -= len;
    memcpy(path->text + path->start, text, len);
}

/* [3] or ["key"], with only the harmless characters of the key. */
static void prepend_element(struct path *path, const struct frame *frame)
{
    char text[48];
    int len;
    if (!frame->text) {
        len = snprintf(text, sizeof text, "[%u]", (unsigned)frame->index);
    } else {
        char key[33];
        size_t n = frame->text_len < sizeof key - 1 ? frame->text_len : sizeof key - 1;
        for (size_t i = 0; i < n; i++) {
            uint8_t c = frame->text[i];
            key[i] = (char)(c >= ' ' && c < 0x7f && c != '"' && c != '\\' ? c : '?');
        }
        len = snprintf(text, sizeof text, "[\"%.*s\"]", (int)n, key);
    }
    prepend(path, text, (size_t)len);
}

/* From the inside outwards: places of the code, elements and calls of the stack. */
static void describe_place(const struct machine *m, const struct avrocode_insn *in)
{
    struct path path = {.start = sizeof path.text};
    uint32_t depth = m->depth;
    for (;;) {
        const struct avrocode_place *place = m->plan->places[in - m->plan->code];
        for (; place; place = place->outer) {
            if (place->name) {
                prepend(&path, place->name, strlen(place->name));
                prepend(&path, ".", 1);
                continue;
            }
            while (m->frames[--depth].opener->op != AVROCODE_BLOCKS)
                ;
            prepend_element(&path, &m->frames[depth]);
        }
        while (depth && m->frames[depth - 1].opener->op != AVROCODE_CALL)
            depth--;
        if (!depth)
            break;
        in = m->frames[--depth].opener;
    }
    size_t dot = path.start < sizeof path.text && path.text[path.start] == '.' && !path.full;
    (void)snprintf(m->err->path, sizeof m->err->path, "%s%.*s", path.full ? "..." : "",
                   (int)(sizeof path.text - path.start - dot), path.text + path.start + dot);
}

__attribute__((cold)) struct at avrofail_with(struct machine *m, struct at at,
                                              enum avro_error_code code, const char *why)
{
    avroerror_set(m->err, code, "%s", why);
    for (uint32_t i = 0; i < m->depth; i++) {
        if (m->frames[i].opener->op == AVROCODE_DEFAULT) {
            at.cur = m->frames[i].text;
            break;
        }
    }
    m->err->offset = (size_t)(at.cur - m->start);
    describe_place(m, at.in);
    return (struct at){at.in, NULL};
}

__attribute__((cold)) struct at avrofail_end(struct machine *m, struct at at)
{
    return avrofail_with(m, at, AVRO_ERROR_MALFORMED, "the datum ends too early");
}

__attribute__((cold)) struct at avrofail_number(struct machine *m, struct at at)
{
    for (int i = 0; i < AVROWIRE_MAX_VARINT; i++)
        if (at.cur + i >= m->end)
            return avrofail_end(m, at);
    return avrofail_with(m, at, AVRO_ERROR_MALFORMED, "a number has more than 64 bits");
}

__attribute__((cold)) struct at avrofail_bytes(struct machine *m, struct at at)
{
    int64_t len = 0;
    if (!avrowire_long(at.cur, m->end, &len))
        return avrofail_number(m, at);
    return avrofail_with(m, at, AVRO_ERROR_MALFORMED,
                         len < 0 ? "a length is negative"
                                 : "a length goes beyond the end of the datum");
}

__attribute__((cold)) struct at avrofail_int(struct machine *m, struct at at)
{
    return avrofail_with(m, at, AVRO_ERROR_MALFORMED, "an int has more than 32 bits");
}

__attribute__((cold)) struct at avrofail_index(struct machine *m, struct at at)
{
    uint64_t number;
    if (!avrowire_varint(at.cur, m->end, &number))
        return avrofail_number(m, at);
    return avrofail_with(m, at, AVRO_ERROR_MALFORMED,
                         "the index of a branch or symbol is out of range");
}

__attribute__((cold)) struct at avrofail_symbol(struct machine *m, struct at at, const char *symbol)
{
    char why[AVROERROR_MESSAGE_MAX];
    (void)snprintf(why, sizeof why, "the reader's enum has no symbol %.80s and no default", symbol);
    return avrofail_with(m, at, AVRO_ERROR_DATA, why);
}

__attribute__((cold)) struct at avrofail_depth(struct machine *m, struct at at)
{
    return avrofail_with(m, at, AVRO_ERROR_LIMIT, "the datum is nested too deep");
}
