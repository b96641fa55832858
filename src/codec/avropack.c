/* Blocks packed by zlib, snappy or zstd. */
#include "avropack.h"

#include <limits.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "expect.h"

enum {
    PIECE = 64 << 10,  /* room asked for at a time */
    RAW_DEFLATE = -15, /* window bits: no header, no checksum */
    LEVEL = 1,         /* of what we pack: fast, and most of what is to be won */
    CHECKSUM = 4,      /* bytes of CRC-32 behind a snappy block */
};

static const char too_long[] = "it is longer than a block may be";

static const char *unpack_null(const char *bytes, size_t len, size_t max, struct text *out)
{
    (void)bytes;
    (void)len;
    (void)max;
    (void)out;
    return NULL;
}

static const char *unpack_deflate(const char *bytes, size_t len, size_t max, struct text *out)
{
    z_stream stream = {0};
    if (inflateInit2(&stream, RAW_DEFLATE) != Z_OK)
        return "out of memory";
    stream.next_in = (Bytef *)(uintptr_t)bytes;
    stream.avail_in = (uInt)len;
    const char *why = NULL;
    int status = Z_OK;
    while (status == Z_OK && !why) {
        stream.next_out = (Bytef *)text_reserve(out, PIECE);
        stream.avail_out = PIECE;
        status = inflate(&stream, Z_NO_FLUSH);
        out->len += PIECE - stream.avail_out;
        if (out->len > max)
            why = too_long;
    }
    if (!why && status != Z_STREAM_END)
        why = stream.msg ? stream.msg : "it ends too early";
    inflateEnd(&stream);
    return why;
}

static const char *unpack_snappy(const char *bytes, size_t len, size_t max, struct text *out)
{
    size_t size;
    if (len < CHECKSUM ||
        snappy_uncompressed_length(bytes, len - CHECKSUM, &size) != SNAPPY_OK)
        return "its length is missing";
    if (size > max)
        return too_long;
    char *room = text_reserve(out, size + 1);
    if (snappy_uncompress(bytes, len - CHECKSUM, room, &size) != SNAPPY_OK)
        return "it is damaged";
    const unsigned char *sum = (const unsigned char *)bytes + len - CHECKSUM;
    uint32_t wanted = (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 |
                      (uint32_t)sum[3];
    if (crc32(0, (const Bytef *)room, (uInt)size) != wanted)
        return "its checksum is wrong";
    out->len += size;
    return NULL;
}

static const char *unpack_zstd(const char *bytes, size_t len, size_t max, struct text *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {bytes, len, 0};
    const char *why = NULL;
    size_t status = 1;
    while (status != 0 && !why) {
        ZSTD_outBuffer piece = {text_reserve(out, PIECE), PIECE, 0};
        status = ZSTD_decompressStream(stream, &piece, &in);
        out->len += ZSTD_isError(status) ? 0 : piece.pos;
        if (ZSTD_isError(status))
            why = ZSTD_getErrorName(status);
        else if (out->len > max)
            why = too_long;
        else if (status != 0 && in.pos == in.size && piece.pos < PIECE)
            why = "it ends too early";
    }
    ZSTD_freeDStream(stream);
    return why;
}

static const struct avropack packs[] = {
    {"null", true, unpack_null},
    {"deflate", false, unpack_deflate},
    {"snappy", false, unpack_snappy},
    {"zstandard", false, unpack_zstd},
};

const struct avropack *avropack_find(const char *name)
{
    for (size_t i = 0; i < sizeof packs / sizeof *packs; i++)
        if (strcmp(packs[i].name, name) == 0)
            return &packs[i];
    return NULL;
}

const char *avropack_names(void)
{
    return "null, deflate, snappy and zstandard";
}

void avropack_deflate(const char *bytes, size_t len, struct text *out)
{
    z_stream stream = {0};
    expect(len <= UINT_MAX);
    int status = deflateInit2(&stream, LEVEL, Z_DEFLATED, RAW_DEFLATE, 8, Z_DEFAULT_STRATEGY);
    expect(status == Z_OK);
    size_t bound = deflateBound(&stream, len);
    stream.next_in = (Bytef *)(uintptr_t)bytes;
    stream.avail_in = (uInt)len;
    stream.next_out = (Bytef *)text_reserve(out, bound);
    stream.avail_out = (uInt)bound;
    status = deflate(&stream, Z_FINISH);
    expect(status == Z_STREAM_END);
    out->len += bound - stream.avail_out;
    deflateEnd(&stream);
}
