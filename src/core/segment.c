/* Records with their checks, and the numbers in them. */
#include "segment.h"

#include "crc32c.h"
#include "expect.h"

/* ---- writing ---- */

static void store_u32(char *to, uint32_t number)
{
    for (int k = 0; k < 4; k++)
        to[k] = (char)(number >> 8 * k);
}

static uint32_t fetch_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

void segment_begin_record(struct segment_writer *writer, enum segment_kind kind)
{
    writer->frame = writer->out->len;
    memset(text_reserve(writer->out, SEGMENT_FRAME_BYTES), 0, SEGMENT_FRAME_BYTES);
    writer->out->len += SEGMENT_FRAME_BYTES;
    text_append_char(writer->out, (char)kind);
}

void segment_end_record(struct segment_writer *writer)
{
    char *frame = writer->out->data + writer->frame;
    size_t len = writer->out->len - writer->frame - SEGMENT_FRAME_BYTES;
    expect(len <= UINT32_MAX);
    store_u32(frame, (uint32_t)len);
    writer->crc = crc32c(writer->crc, frame, 4);
    writer->crc = crc32c(writer->crc, frame + SEGMENT_FRAME_BYTES, len);
    store_u32(frame + 4, writer->crc);
    writer->records++;
    writer->bytes += len + SEGMENT_FRAME_BYTES;
}

void segment_put_u32(struct text *out, uint32_t number)
{
    store_u32(text_reserve(out, 4), number);
    out->len += 4;
}

void segment_put_u64(struct text *out, uint64_t number)
{
    segment_put_u32(out, (uint32_t)number);
    segment_put_u32(out, (uint32_t)(number >> 32));
}

void segment_put_number(struct text *out, uint64_t number)
{
    char *to = text_reserve(out, 10);
    size_t len = 0;
    for (; number >= 0x80; number >>= 7)
        to[len++] = (char)(number | 0x80);
    to[len++] = (char)number;
    out->len += len;
}

void segment_put_signed(struct text *out, int64_t number)
{
    segment_put_number(out, ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0));
}

void segment_put_bytes(struct text *out, const void *bytes, size_t len)
{
    segment_put_number(out, len);
    if (len)
        text_append(out, bytes, len);
}

/* ---- reading ---- */

bool segment_fail(struct segment_reader *reader)
{
    reader->broken = true;
    reader->at = reader->end;
    return false;
}

uint32_t segment_get_u32(struct segment_reader *reader)
{
    if (segment_left(reader) < 4) {
        segment_fail(reader);
        return 0;
    }
    reader->at += 4;
    return fetch_u32(reader->at - 4);
}

uint64_t segment_get_u64(struct segment_reader *reader)
{
    uint64_t low = segment_get_u32(reader);
    return low | (uint64_t)segment_get_u32(reader) << 32;
}

uint64_t segment_get_number(struct segment_reader *reader)
{
    uint64_t number = 0;
    for (int shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        if (shift == 63 && byte > 1)
            break;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return number;
    }
    segment_fail(reader);
    return 0;
}

int64_t segment_get_signed(struct segment_reader *reader)
{
    uint64_t folded = segment_get_number(reader);
    return (int64_t)((folded >> 1) ^ (folded & 1 ? UINT64_MAX : 0));
}

uint64_t segment_get_at_most(struct segment_reader *reader, uint64_t bound)
{
    uint64_t number = segment_get_number(reader);
    if (number <= bound)
        return number;
    segment_fail(reader);
    return 0;
}

const char *segment_get_bytes(struct segment_reader *reader, size_t *len)
{
    *len = (size_t)segment_get_at_most(reader, segment_left(reader));
    if (*len > segment_left(reader)) { /* the length itself took some */
        segment_fail(reader);
        *len = 0;
    }
    const char *bytes = (const char *)reader->at;
    reader->at += *len;
    return bytes;
}

int segment_take_record(const void *bytes, size_t len, uint32_t *crc, size_t *used,
                        enum segment_kind *kind, struct segment_reader *body)
{
    const uint8_t *at = bytes;
    if (len < SEGMENT_FRAME_BYTES)
        return 0;
    size_t body_len = fetch_u32(at);
    if (body_len == 0)
        return -1;
    if (len - SEGMENT_FRAME_BYTES < body_len)
        return 0;
    uint32_t wanted = crc32c(crc32c(*crc, at, 4), at + SEGMENT_FRAME_BYTES, body_len);
    if (wanted != fetch_u32(at + 4))
        return -1;
    *crc = wanted;
    *used = SEGMENT_FRAME_BYTES + body_len;
    *kind = (enum segment_kind)at[SEGMENT_FRAME_BYTES];
    *body = (struct segment_reader){at + SEGMENT_FRAME_BYTES + 1, at + *used, false};
    return 1;
}
