/* The three framings, byte by byte. */
#include "framing.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

enum {
    CONFLUENT_MAGIC = 0x00,
    CONFLUENT_PREFIX = 1 + 4,
    GUID_MAGIC = 0x01,
    GUID_HEADER = 1 + FRAMING_GUID_BYTES,
    SINGLE_OBJECT_PREFIX = 2 + 8,
};

static bool parse_header(const uint8_t *header, size_t header_len, struct framing_result *out,
                         struct avro_error *err)
{
    if (header_len != GUID_HEADER || header[0] != GUID_MAGIC) {
        avroerror_set(err, AVRO_ERROR_MALFORMED,
                      "the header " FRAMING_HEADER " is not 0x01 and a GUID of 16 bytes");
        return false;
    }
    out->ref = FRAMING_REF_GUID;
    memcpy(out->guid, header + 1, FRAMING_GUID_BYTES);
    return true;
}

static bool parse_confluent(struct framing_result *out, struct avro_error *err)
{
    if (out->len < CONFLUENT_PREFIX || out->body[0] != CONFLUENT_MAGIC) {
        avroerror_set(err, AVRO_ERROR_MALFORMED,
                      "the payload does not begin with 0x00 and a schema id of 4 bytes");
        return false;
    }
    uint32_t id;
    memcpy(&id, out->body + 1, sizeof id);
    id = be32toh(id);
    if (id > INT32_MAX) {
        avroerror_set(err, AVRO_ERROR_MALFORMED, "the schema id is negative");
        err->offset = 1;
        return false;
    }
    out->ref = FRAMING_REF_ID;
    out->id = (int32_t)id;
    out->body += CONFLUENT_PREFIX;
    out->len -= CONFLUENT_PREFIX;
    return true;
}

static bool parse_single_object(struct framing_result *out, struct avro_error *err)
{
    if (out->len < SINGLE_OBJECT_PREFIX || out->body[0] != 0xc3 || out->body[1] != 0x01) {
        avroerror_set(err, AVRO_ERROR_MALFORMED,
                      "the payload does not begin with C3 01 and a fingerprint of 8 bytes");
        return false;
    }
    memcpy(&out->fingerprint, out->body + 2, sizeof out->fingerprint);
    out->fingerprint = le64toh(out->fingerprint);
    out->ref = FRAMING_REF_FINGERPRINT;
    out->body += SINGLE_OBJECT_PREFIX;
    out->len -= SINGLE_OBJECT_PREFIX;
    return true;
}

bool framing_parse(enum framing framing, const void *header, size_t header_len, const void *payload,
                   size_t len, struct framing_result *out, struct avro_error *err)
{
    *out = (struct framing_result){.ref = FRAMING_REF_NONE, .body = payload, .len = len};
    if (framing == FRAMING_SINGLE_OBJECT)
        return parse_single_object(out, err);
    if (framing == FRAMING_RAW)
        return true;
    return header ? parse_header(header, header_len, out, err) : parse_confluent(out, err);
}

void framing_guid_text(const uint8_t guid[FRAMING_GUID_BYTES], char out[FRAMING_GUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < FRAMING_GUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[guid[i] >> 4];
        *out++ = digits[guid[i] & 15];
    }
    *out = '\0';
}
