/* How a message names its writer schema, and where its Avro body begins. */
#ifndef FRESHET_FRAMING_H
#define FRESHET_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avroerror.h"

/* In the order of the choices of `schema.framing`. */
enum framing { FRAMING_CONFLUENT, FRAMING_SINGLE_OBJECT, FRAMING_RAW };

/* The Kafka header that carries 0x01 and a GUID, with confluent framing. */
#define FRAMING_HEADER "__value_schema_id"

enum { FRAMING_GUID_BYTES = 16, FRAMING_GUID_TEXT = 37 /* with the terminator */ };

enum framing_ref {
    FRAMING_REF_NONE,        /* raw: the configured writer schema */
    FRAMING_REF_ID,          /* of the registry */
    FRAMING_REF_GUID,        /* of the registry */
    FRAMING_REF_FINGERPRINT, /* CRC-64-AVRO of the writer schema */
};

struct framing_result {
    enum framing_ref ref;
    int32_t id;
    uint8_t guid[FRAMING_GUID_BYTES];
    uint64_t fingerprint;
    const uint8_t *body; /* within the payload */
    size_t len;
};

/*
 * header: the bytes of FRAMING_HEADER, or NULL when the message has none (looked at for confluent
 * only, and before the payload). False and err (AVRO_ERROR_MALFORMED) when the framing is wrong.
 */
bool framing_parse(enum framing framing, const void *header, size_t header_len, const void *payload,
                   size_t len, struct framing_result *out, struct avro_error *err);

/* The usual text of a GUID, 89791762-2336-4186-9674-299b90a802e2. */
void framing_guid_text(const uint8_t guid[FRAMING_GUID_BYTES], char out[FRAMING_GUID_TEXT]);

#endif
