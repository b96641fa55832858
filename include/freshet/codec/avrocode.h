/* The instructions of plans: between the plan compiler (avrobuild) and its machine (avrorun). */
#ifndef FRESHET_AVROCODE_H
#define FRESHET_AVROCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "avroplan.h"
#include "value.h"

/*
 * Instructions run in the order of the writer's bytes. Those above the line store a value in a
 * slot; those below it skip or steer. A whole datum is decoded by the same instructions, all into
 * slot 0, with an EVENT after each.
 *
 *   CLEAR      slot := null
 *   CONST      slot := constant a
 *   BOOL LONG FLOAT DOUBLE STRING BYTES   slot := the next value; BYTES also reads strings
 *   INT        a long that must fit into 32 bits
 *   REAL       slot := an int (flag & INSN_INT) or long as a double (flag & INSN_FLOAT: as a float)
 *   TIME       slot := an int (flag & INSN_INT) or long of unit a, in ms
 *   FIXED      slot := the next a bytes
 *   ENUM       slot := constant a + index, of b symbols
 *   ---
 *   SKIP       a bytes
 *   SKIP_INTS SKIP_LONGS SKIP_STRINGS     a of them; bytes count as strings
 *   SKIP_ENUM  of b symbols
 *   SKIP_ITEMS an array whose elements have a bytes each
 *   UNION      of b branches, to targets a + index
 *   OPTIONAL   a union of two; on to the next unless the branch is flag (null), then to a
 *   JUMP       to a
 *   CALL, RET  the code of a record at a; flag: it may have no bytes
 *   BLOCKS     begin an array or map of elements of at least b bytes; to a when there is no more;
 *              flag: nothing in it is wanted, so that blocks with a size are jumped over
 *   NEXT       end of an element; a is its BLOCKS
 *   KEY        the key of a map entry; flag: it is used and must be UTF-8
 *   AT_INDEX   to b when the element has index a
 *   AT_KEY     to b when the entry has the key in constant a
 *   DEFAULT    go on in the bytes of constant a; END_DEFAULT goes back to the datum
 *   FAIL       this datum does not resolve: message in constant a
 *   EVENT      flag (enum avro_event); a: constant with the name of a field
 *   STOP       done; flag: nothing may be left
 */
#define AVROCODE_OPS(OP)                                                                           \
    OP(CLEAR) OP(CONST) OP(BOOL) OP(INT) OP(LONG) OP(REAL) OP(TIME) OP(FLOAT) OP(DOUBLE)           \
    OP(STRING) OP(BYTES) OP(FIXED) OP(ENUM)                                                        \
    OP(SKIP) OP(SKIP_INTS) OP(SKIP_LONGS) OP(SKIP_STRINGS) OP(SKIP_ENUM) OP(SKIP_ITEMS)            \
    OP(UNION) OP(OPTIONAL) OP(JUMP) OP(CALL) OP(RET) OP(BLOCKS) OP(NEXT) OP(KEY) OP(AT_INDEX)      \
    OP(AT_KEY) OP(DEFAULT) OP(END_DEFAULT) OP(FAIL) OP(EVENT) OP(STOP)

enum avrocode_op {
#define OP(name) AVROCODE_##name,
    AVROCODE_OPS(OP)
#undef OP
};

enum { INSN_INT = 1, INSN_FLOAT = 2 };

struct avrocode_insn {
    uint8_t op;
    uint8_t flag;
    uint16_t slot;
    uint32_t a;
    uint32_t b;
};

/* Where in the record an instruction works, for messages: a list from the inside outwards. */
struct avrocode_place {
    const struct avrocode_place *outer; /* NULL: the datum or record that the code is for */
    const char *name;                   /* of a field; NULL: an element of an array or map */
};

struct avroplan {
    struct avrocode_insn *code;
    const struct avrocode_place **places; /* of each instruction */
    struct value *consts;
    uint32_t *targets;
    uint32_t code_len, const_count, target_count;
    uint32_t slot_count;
    bool whole;          /* tells events */
    struct arena arena; /* places, names, messages */
};

#endif
