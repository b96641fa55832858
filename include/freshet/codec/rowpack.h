/* Layout `packed`: a row as one Redis string, in the single-object encoding of Avro.
 *
 *     C3 01   fingerprint of the schema (CRC-64-AVRO, little endian)   the record (rowavro.h)
 *
 * In the script's arguments a row is
 *     flag, record      two bulk strings; flag is one of enum rowpack_flag, as a digit
 * Whatever stood under the key is replaced: each row is whole. */
#ifndef FRESHET_ROWPACK_H
#define FRESHET_ROWPACK_H

#include <stddef.h>
#include <stdint.h>

#include "avroplan.h"
#include "feature.h"
#include "row.h"
#include "text.h"

enum rowpack_flag {
    ROWPACK_KEEP,   /* the row's TTL stays as it is */
    ROWPACK_EXPIRE, /* it begins anew */
    ROWPACK_REMOVE, /* the row is deleted; its record is empty */
};

enum { ROWPACK_HEAD = 10 }; /* bytes before the record */

/* How rows of one feature set are packed; the set must outlive it. */
struct rowpack {
    const struct feature_set *set;
    uint8_t head[ROWPACK_HEAD];
    struct text row; /* being written */
};

void rowpack_init(struct rowpack *pack, const struct feature_set *set);
void rowpack_fini(struct rowpack *pack);
/* Appends the row's two arguments. */
void rowpack_append(struct rowpack *pack, const struct row *row, struct text *out);

/* ---- reading ---- */

/* Reads rows of one feature set; of rows with another schema, what all rows have. */
struct rowpack_reader {
    struct avroschema *schema, *common_schema;
    struct avroplan *plan, *common;
    uint64_t fingerprint;
    struct text value; /* of the field at hand */
};

void rowpack_reader_init(struct rowpack_reader *reader, const struct feature_set *set);
void rowpack_reader_fini(struct rowpack_reader *reader);

/* Is told each field that is not null, as layout `hash` would show it. */
typedef void rowpack_field(void *context, const char *name, const char *text, size_t len);

enum rowpack_result {
    ROWPACK_READ,
    ROWPACK_OTHER, /* it has another schema: only its first six fields were told */
    ROWPACK_NO_ROW, /* the bytes are none of our rows; some fields may have been told */
};
enum rowpack_result rowpack_read(struct rowpack_reader *reader, const char *bytes, size_t len,
                                 rowpack_field *field, void *context);

#endif
