/* Appends instructions and what belongs to them to a plan. Used by avrobuild only. */
#ifndef FRESHET_AVROEMIT_H
#define FRESHET_AVROEMIT_H

#include "avrocode.h"

enum { AVROEMIT_MAX_CONSTS = 1 << 18, AVROEMIT_NO_LINK = INT32_MAX };

/* All zero but the plan at the beginning. Nothing fails: what is beyond a bound sets full. */
struct avroemit {
    struct avroplan *plan;
    const struct avrocode_place *place; /* of what is emitted next */
    uint32_t code_capacity, place_capacity, const_capacity, target_capacity;
    uint32_t label;      /* code before this must not be changed: something jumps here */
    uint32_t needed_len; /* code after this only skips what nobody needs */
    bool full;           /* a bound was reached: the plan is not to be used */
};

/* *items has room for count + 1 elements afterwards. */
void *avroemit_grow(void *items, uint32_t count, uint32_t *capacity, size_t size);

/* Each of these returns where it put what it was given. */
uint32_t avroemit_insn(struct avroemit *e, struct avrocode_insn insn);
uint32_t avroemit_const(struct avroemit *e, struct value value);
uint32_t avroemit_string(struct avroemit *e, const char *string); /* not copied */
uint32_t avroemit_targets(struct avroemit *e, uint32_t count);    /* to be filled in */
/* The next instruction as something to jump to. */
uint32_t avroemit_label(struct avroemit *e);

/* Jumps to a place that is not known yet: a list of them, NO_LINK when empty; join ends it here. */
uint32_t avroemit_jump(struct avroemit *e, uint32_t link);
void avroemit_join(struct avroemit *e, uint32_t link);

/* Adjacent skips of one kind become one instruction, unless something jumps between them. */
void avroemit_skip(struct avroemit *e, enum avrocode_op op, uint32_t amount);
/* name: of a field. */
void avroemit_event(struct avroemit *e, enum avro_event event, const char *name);

/* A copy that lives as long as the plan. */
const char *avroemit_copy(struct avroemit *e, const char *text, size_t len);
/* Enters a field (or an element: name NULL); the caller sets place to the result when it leaves. */
const struct avrocode_place *avroemit_enter(struct avroemit *e, const char *name);

/* What was emitted up to here is needed; a loop with something needed is so as a whole. */
void avroemit_needed(struct avroemit *e);
/* Cuts what is not needed; what would jump into it goes to the end instead. */
void avroemit_cut(struct avroemit *e);

#endif
