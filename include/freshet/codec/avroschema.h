/* Avro schemas: the parsed tree that plans are compiled from. */
#ifndef FRESHET_AVROSCHEMA_H
#define FRESHET_AVROSCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "avroerror.h"

enum {
    AVROSCHEMA_MAX_BYTES = 1 << 20,         /* of the text */
    AVROSCHEMA_MAX_DEPTH = 64,              /* types within types, and of default values */
    AVROSCHEMA_MAX_TYPES = 16384,           /* in one text */
    AVROSCHEMA_MAX_NAMES = 4096,            /* fields, symbols, branches; named types */
    AVROSCHEMA_MAX_DEFAULT_VALUES = 65536,  /* scalars and containers in all defaults together */
    AVROSCHEMA_MAX_DEFAULT_BYTES = 1 << 20, /* all defaults together, as Avro binary */
    AVROSCHEMA_MAX_FIXED = INT32_MAX,       /* bytes, as in the Java reference */
};

enum avro_kind {
    AVRO_KIND_NULL,
    AVRO_KIND_BOOLEAN,
    AVRO_KIND_INT,
    AVRO_KIND_LONG,
    AVRO_KIND_FLOAT,
    AVRO_KIND_DOUBLE,
    AVRO_KIND_BYTES,
    AVRO_KIND_STRING,
    AVRO_KIND_RECORD,
    AVRO_KIND_ENUM,
    AVRO_KIND_FIXED,
    AVRO_KIND_ARRAY,
    AVRO_KIND_MAP,
    AVRO_KIND_UNION,
};

/* What a number means as a time. */
enum avro_time_unit { AVRO_TIME_NONE, AVRO_TIME_S, AVRO_TIME_MS, AVRO_TIME_US, AVRO_TIME_NS };

struct json_node;

struct avro_field {
    const char *name;
    const struct avro_type *type;
    const char *const *aliases;
    uint32_t alias_count;
    /* The default as Avro binary of the field's own type: decoding it is resolving the type with
     * itself. NULL when there is none (or when the schema was parsed as a writer's). */
    const uint8_t *default_bytes;
    uint32_t default_len;
    const struct json_node *default_json; /* as written, or NULL */
};

struct avro_type {
    uint8_t kind; /* enum avro_kind */
    uint8_t unit; /* enum avro_time_unit, from the logicalType of a long */
    /* Every datum has at least min_bytes; if is_fixed_width, exactly that many. */
    bool is_fixed_width;
    uint32_t min_bytes;
    /* record, enum, fixed */
    const char *full_name;
    const char *name;           /* the last part of full_name */
    const char *const *aliases; /* full names */
    uint32_t alias_count;
    uint32_t count; /* of fields, symbols or branches; the size of a fixed */
    union {
        struct avro_field *fields;
        const char *const *symbols;
        const struct avro_type *const *branches;
        const struct avro_type *item; /* array and map */
    };
    int32_t default_symbol; /* of an enum; -1: none */
};

/* Immutable after parsing. Types point into it and, for references, into the known schemas. */
struct avroschema {
    struct arena arena;
    const struct avro_type *root;
    struct avro_type **named; /* that this text defines */
    size_t named_count;
};

/*
 * A writer's defaults are never used, and registries let wrong ones through: they are not looked
 * at. A reader's are checked and kept.
 */
enum avroschema_use { AVROSCHEMA_WRITER, AVROSCHEMA_READER };

/*
 * known: schemas whose named types the text may refer to (all of them: also those that references
 * refer to); they must live as long as the result. Returns NULL and fills in err with
 * AVRO_ERROR_SCHEMA or AVRO_ERROR_LIMIT. Free with avroschema_free.
 */
struct avroschema *avroschema_parse(const char *text, size_t len,
                                    const struct avroschema *const *known, size_t known_count,
                                    enum avroschema_use use, struct avro_error *err);
void avroschema_free(struct avroschema *schema);

/* The name of a kind as schemas spell it. */
const char *avroschema_kind_name(enum avro_kind kind);

#endif
