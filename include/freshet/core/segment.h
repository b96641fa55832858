/* Segments: checkpoints as bytes, and what protects them.
 *
 * A checkpoint of a shard is a chain of segments: a base, which has every key, and deltas, which
 * have the keys that changed since the segment before. A segment is a sequence of records
 *
 *     length   u32   of the body
 *     crc      u32   CRC-32C of the length and the body, going on from the crc of the record before
 *     body     the kind (enum segment_kind), then what belongs to it
 *
 * that begins with HEAD and ends with END, which counts them. Because each crc goes on from the one
 * before, a record that is changed, lost, doubled or out of place breaks all that follow, and a
 * segment that was cut short has no END. HEAD names the last crc of the segment before, so that
 * a delta fits only the chain it was made for.
 *
 * Numbers of fixed size are little endian. All others are LEB128, signed ones folded (zigzag).
 * Every version of the format begins with the same HEAD: its kind, "freshet", u16 version. */
#ifndef FRESHET_SEGMENT_H
#define FRESHET_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "text.h"

#ifndef SEGMENT_VERSION_AHEAD
#define SEGMENT_VERSION_AHEAD 0 /* a test's build is of a later version */
#endif

enum {
    SEGMENT_VERSION = 1 + SEGMENT_VERSION_AHEAD, /* written */
    SEGMENT_VERSION_OLDEST = 1,  /* still read */
    SEGMENT_FRAME_BYTES = 8,     /* length and crc */
};
#define SEGMENT_MAGIC "freshet"

enum segment_kind {
    SEGMENT_HEAD = 1,
    SEGMENT_REMOVED, /* a key that is no more */
    SEGMENT_KEY,     /* a key with all of its state */
    SEGMENT_DIRTY,   /* a key that did not change, but whose row is not acknowledged */
    SEGMENT_IDS,     /* ids of events that dedup remembers */
    SEGMENT_END,
};

/* ---- writing ---- */

struct segment_writer {
    struct text *out;
    size_t frame; /* where the record under way begins */
    uint32_t crc;
    uint64_t records, bytes;
};

void segment_begin_record(struct segment_writer *writer, enum segment_kind kind);
void segment_end_record(struct segment_writer *writer);

void segment_put_u32(struct text *out, uint32_t number);
void segment_put_u64(struct text *out, uint64_t number);
void segment_put_number(struct text *out, uint64_t number);
void segment_put_signed(struct text *out, int64_t number);
void segment_put_bytes(struct text *out, const void *bytes, size_t len); /* with their length */

/* ---- reading ---- */

/* What is left of a body. Once broken it stays so and gives zeros. */
struct segment_reader {
    const uint8_t *at, *end;
    bool broken;
};

uint32_t segment_get_u32(struct segment_reader *reader);
uint64_t segment_get_u64(struct segment_reader *reader);
uint64_t segment_get_number(struct segment_reader *reader);
int64_t segment_get_signed(struct segment_reader *reader);
uint64_t segment_get_at_most(struct segment_reader *reader, uint64_t bound); /* else broken */
const char *segment_get_bytes(struct segment_reader *reader, size_t *len);
bool segment_fail(struct segment_reader *reader); /* makes it broken; returns false */
static inline size_t segment_left(const struct segment_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* Takes a record from the front of bytes: 1 with its kind and body, 0 when more bytes are needed,
 * -1 when it is damaged. *crc is that of the record before and becomes this one's; *used says how
 * many bytes it took. */
int segment_take_record(const void *bytes, size_t len, uint32_t *crc, size_t *used,
                        enum segment_kind *kind, struct segment_reader *body);

#endif
