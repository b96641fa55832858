/* The fields of the reader schema that features use: paths, their types and their slots. */
#ifndef FRESHET_PROJECTION_H
#define FRESHET_PROJECTION_H

#include <stddef.h>

#include "avroschema.h"
#include "fieldspace.h"

enum {
    PROJECTION_MAX_DEPTH = 64,     /* steps of a path */
    PROJECTION_MAX_PATH = 512,     /* bytes of a path */
    PROJECTION_MAX_INDEX = 100000, /* of an array */
};

/*
 * Story: projection_new; the expression compiler asks for paths through projection_fieldspace and
 * gets slots 0, 1, 2, ...; the slot of the event time is marked; then one plan is compiled for
 * each writer schema (avroplan.h) and the projection no longer changes.
 *
 * Types: boolean is bool; int and long are long; float and double are double; string and enum are
 * string; bytes and fixed are bytes. A union is what its only branch beside null is, or what all
 * its branches beside null are alike; it is nullable when it has null.
 */
struct projection;

/* The reader schema must outlive the projection. */
struct projection *projection_new(const struct avroschema *reader);
void projection_free(struct projection *projection);

/* Valid as long as the projection. */
struct fieldspace projection_fieldspace(struct projection *projection);
size_t projection_slot_count(const struct projection *projection);
/* The path by which the slot was first asked for. */
const char *projection_slot_path(const struct projection *projection, int slot);

/*
 * The slot holds the event time: plans deliver it in ms (floor division; saturated at the bounds
 * of int64), from the unit that the writer's logicalType says, or default_unit where it says none.
 * A value that is not an int or long is delivered as it is.
 */
void projection_mark_time(struct projection *projection, int slot,
                          enum avro_time_unit default_unit);

/* For the plan compiler: the tree of wanted paths. */
enum projection_step { PROJECTION_FIELD, PROJECTION_INDEX, PROJECTION_KEY };

struct projection_node {
    enum projection_step step; /* how the parent leads here */
    const char *name;          /* of the reader's field, or the map key */
    size_t name_len;
    uint32_t index;               /* array index; for a field its index in the record */
    const struct avro_type *type; /* of the reader; may be a union */
    int slot;                     /* of a leaf; -1 for inner nodes */
    enum avro_time_unit time;     /* default_unit of the event time's slot, else none */
    struct projection_node *first, *next;
};

const struct projection_node *projection_root(const struct projection *projection);

#endif
