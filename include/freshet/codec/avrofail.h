/* The state of the machine that runs plans, and how it fails. Used by avrorun only. */
#ifndef FRESHET_AVROFAIL_H
#define FRESHET_AVROFAIL_H

#include "avrocode.h"

/* What is open: a called record, an array or map, or a default. */
struct frame {
    const struct avrocode_insn *opener; /* CALL, BLOCKS or DEFAULT */
    const uint8_t *end;                 /* BLOCKS: of a block with a size; DEFAULT: of the datum */
    const uint8_t *text;                /* BLOCKS: the map key; DEFAULT: where the datum goes on */
    size_t text_len;
    uint64_t left;  /* elements of the block, this one included */
    uint32_t index; /* of the element */
};

struct machine {
    const uint8_t *end;
    const struct avroplan *plan;
    struct value *slots;
    const struct avroplan_sink *sink;
    struct avro_error *err;
    const uint8_t *start;
    uint64_t free_work;
    uint32_t depth;
    bool done;
    size_t *used; /* of the bytes; NULL: all of them are the datum */
    struct frame frames[AVROPLAN_MAX_DEPTH];
};

/* Where the machine is; cur becomes NULL when it stops. Two registers. */
struct at {
    const struct avrocode_insn *in;
    const uint8_t *cur;
};

/*
 * Each fills in the machine's error with what is wrong where the machine is, and returns that it
 * has stopped. The less special ones find out by themselves what is wrong with the bytes there.
 */
struct at avrofail_with(struct machine *m, struct at at, enum avro_error_code code,
                        const char *why);
struct at avrofail_end(struct machine *m, struct at at);    /* the datum ends too early */
struct at avrofail_number(struct machine *m, struct at at); /* a number is cut or too large */
struct at avrofail_bytes(struct machine *m, struct at at);  /* a string, or its length */
struct at avrofail_int(struct machine *m, struct at at);    /* more than 32 bits */
struct at avrofail_index(struct machine *m, struct at at);  /* of a branch or symbol */
struct at avrofail_symbol(struct machine *m, struct at at, const char *symbol);
struct at avrofail_depth(struct machine *m, struct at at); /* too much is open */

#endif
