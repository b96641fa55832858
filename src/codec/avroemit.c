/* The bookkeeping of growing plans. */
#include "avroemit.h"

#include <string.h>

#include "pool.h"

enum { FIRST_CAPACITY = 64 };

void *avroemit_grow(void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : FIRST_CAPACITY;
    return memory_resize(items, *capacity * size);
}

uint32_t avroemit_insn(struct avroemit *e, struct avrocode_insn insn)
{
    struct avroplan *plan = e->plan;
    if (plan->code_len == AVROPLAN_MAX_CODE) {
        e->full = true;
        return plan->code_len - 1;
    }
    plan->places =
        avroemit_grow(plan->places, plan->code_len, &e->place_capacity, sizeof *plan->places);
    plan->code = avroemit_grow(plan->code, plan->code_len, &e->code_capacity, sizeof *plan->code);
    plan->places[plan->code_len] = e->place;
    plan->code[plan->code_len] = insn;
    return plan->code_len++;
}

uint32_t avroemit_const(struct avroemit *e, struct value value)
{
    struct avroplan *plan = e->plan;
    if (plan->const_count == AVROEMIT_MAX_CONSTS) {
        e->full = true;
        return 0;
    }
    plan->consts =
        avroemit_grow(plan->consts, plan->const_count, &e->const_capacity, sizeof *plan->consts);
    plan->consts[plan->const_count] = value;
    return plan->const_count++;
}

uint32_t avroemit_string(struct avroemit *e, const char *string)
{
    return avroemit_const(e, value_text(VALUE_STRING, string, (uint32_t)strlen(string)));
}

uint32_t avroemit_targets(struct avroemit *e, uint32_t count)
{
    struct avroplan *plan = e->plan;
    uint32_t first = plan->target_count;
    if (first + count > AVROEMIT_MAX_CONSTS) {
        e->full = true;
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        plan->targets = avroemit_grow(plan->targets, plan->target_count, &e->target_capacity,
                                      sizeof *plan->targets);
        plan->targets[plan->target_count++] = 0;
    }
    return first;
}

uint32_t avroemit_label(struct avroemit *e)
{
    e->label = e->plan->code_len;
    return e->label;
}

/* The list goes through the targets of its own jumps. */
uint32_t avroemit_jump(struct avroemit *e, uint32_t link)
{
    return avroemit_insn(e, (struct avrocode_insn){.op = AVROCODE_JUMP, .a = link});
}

void avroemit_join(struct avroemit *e, uint32_t link)
{
    uint32_t here = avroemit_label(e);
    while (link != AVROEMIT_NO_LINK && !e->full) {
        uint32_t next = e->plan->code[link].a;
        e->plan->code[link].a = here;
        link = next;
    }
}

void avroemit_skip(struct avroemit *e, enum avrocode_op op, uint32_t amount)
{
    struct avroplan *plan = e->plan;
    if (plan->code_len > e->label) {
        struct avrocode_insn *last = &plan->code[plan->code_len - 1];
        if (last->op == op && last->a <= INT32_MAX - amount) {
            last->a += amount;
            return;
        }
    }
    avroemit_insn(e, (struct avrocode_insn){.op = (uint8_t)op, .a = amount});
}

void avroemit_event(struct avroemit *e, enum avro_event event, const char *name)
{
    struct avrocode_insn insn = {.op = AVROCODE_EVENT, .flag = (uint8_t)event};
    if (name)
        insn.a = avroemit_string(e, name);
    avroemit_insn(e, insn);
}

const char *avroemit_copy(struct avroemit *e, const char *text, size_t len)
{
    char *copy = arena_alloc(&e->plan->arena, len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

const struct avrocode_place *avroemit_enter(struct avroemit *e, const char *name)
{
    const struct avrocode_place *outer = e->place;
    struct avrocode_place *place = arena_alloc(&e->plan->arena, sizeof *place);
    *place = (struct avrocode_place){outer, name ? avroemit_copy(e, name, strlen(name)) : NULL};
    e->place = place;
    return outer;
}

void avroemit_needed(struct avroemit *e)
{
    e->needed_len = e->plan->code_len;
}

void avroemit_cut(struct avroemit *e)
{
    struct avroplan *plan = e->plan;
    plan->code_len = e->needed_len;
    for (uint32_t i = 0; i < plan->code_len; i++) {
        struct avrocode_insn *insn = &plan->code[i];
        bool jumps = insn->op == AVROCODE_JUMP || insn->op == AVROCODE_OPTIONAL ||
                     insn->op == AVROCODE_BLOCKS;
        if (jumps && insn->a > plan->code_len)
            insn->a = plan->code_len;
    }
    for (uint32_t i = 0; i < plan->target_count; i++)
        if (plan->targets[i] > plan->code_len)
            plan->targets[i] = plan->code_len;
}
