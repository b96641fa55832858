/* Compiles schemas to instructions: one pass over the writer, guided by what the reader wants.
 *
 * avroresolve_check has shown before that the pair works, so nothing here can fail but by size.
 * Records that are skipped, and all records of whole datums, become subroutines, one for each pair
 * of types: that is what keeps code finite for recursive types and small for intertwined ones. */
#include "avrobuild.h"

#include <stdio.h>
#include <string.h>

#include "avroresolve.h"
#include "avrorun.h"
#include "expect.h"
#include "pool.h"

enum { BUILD_MAX_CONSTS = 1 << 18, BUILD_UNPLACED = INT32_MAX };

/* Code or constants that a pair of types has once; reader NULL: the writer's is skipped. */
struct shared {
    const struct avro_type *writer, *reader;
    uint32_t at; /* code of a record (BUILD_UNPLACED: to be compiled), constants of an enum */
};

struct build {
    struct avroplan *plan;
    struct avroresolve resolve;
    const struct avrocode_place *place;
    struct shared *shared;
    uint32_t shared_count, shared_capacity;
    uint32_t code_capacity, const_capacity, target_capacity;
    uint32_t label;       /* code before this must not be changed: something jumps here */
    uint32_t needed_len;  /* code after this only skips what nobody needs */
    uint32_t loops;       /* open ones; they need all of their code */
    bool full;            /* a bound was reached; what is compiled from here on is not used */
};

static void *grow(void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 64;
    return memory_resize(items, *capacity * size);
}

/* ---- pieces of a plan ---- */

/* Appends an instruction and returns where it is. */
static uint32_t emit(struct build *b, struct avrocode_insn insn)
{
    struct avroplan *plan = b->plan;
    if (plan->code_len == AVROPLAN_MAX_CODE) {
        b->full = true;
        return plan->code_len - 1;
    }
    uint32_t capacity = b->code_capacity;
    plan->places = grow(plan->places, plan->code_len, &capacity, sizeof *plan->places);
    plan->code = grow(plan->code, plan->code_len, &b->code_capacity, sizeof *plan->code);
    plan->places[plan->code_len] = b->place;
    plan->code[plan->code_len] = insn;
    return plan->code_len++;
}

/* The next instruction as something to jump to. */
static uint32_t label(struct build *b)
{
    b->label = b->plan->code_len;
    return b->label;
}

static uint32_t add_const(struct build *b, struct value value)
{
    struct avroplan *plan = b->plan;
    if (plan->const_count == BUILD_MAX_CONSTS) {
        b->full = true;
        return 0;
    }
    plan->consts = grow(plan->consts, plan->const_count, &b->const_capacity, sizeof *plan->consts);
    plan->consts[plan->const_count] = value;
    return plan->const_count++;
}

static uint32_t add_targets(struct build *b, uint32_t count)
{
    struct avroplan *plan = b->plan;
    uint32_t first = plan->target_count;
    if (first + count > BUILD_MAX_CONSTS) {
        b->full = true;
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        plan->targets =
            grow(plan->targets, plan->target_count, &b->target_capacity, sizeof *plan->targets);
        plan->targets[plan->target_count++] = 0;
    }
    return first;
}

static const char *copy_text(struct build *b, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(arena_alloc(&b->plan->arena, size), text, size);
}

/* Enters a field (or an element: name NULL); the caller puts the result back when it leaves. */
static const struct avrocode_place *enter(struct build *b, const char *name)
{
    const struct avrocode_place *outer = b->place;
    struct avrocode_place *place = arena_alloc(&b->plan->arena, sizeof *place);
    *place = (struct avrocode_place){outer, name ? copy_text(b, name) : NULL};
    b->place = place;
    return outer;
}

static struct shared *share(struct build *b, const struct avro_type *writer,
                            const struct avro_type *reader)
{
    for (uint32_t i = 0; i < b->shared_count; i++)
        if (b->shared[i].writer == writer && b->shared[i].reader == reader)
            return &b->shared[i];
    b->shared = grow(b->shared, b->shared_count, &b->shared_capacity, sizeof *b->shared);
    b->shared[b->shared_count] = (struct shared){writer, reader, BUILD_UNPLACED};
    return &b->shared[b->shared_count++];
}

/* What was compiled up to here is needed, unless it is in a loop that is not closed yet. */
static void mark_needed(struct build *b)
{
    if (!b->loops)
        b->needed_len = b->plan->code_len;
}

static void emit_event(struct build *b, enum avro_event event, const char *name)
{
    struct avrocode_insn insn = {.op = AVROCODE_EVENT, .flag = (uint8_t)event};
    if (name)
        insn.a = add_const(b, value_text(VALUE_STRING, name, (uint32_t)strlen(name)));
    emit(b, insn);
}

/* ---- skipping ---- */

/* Adjacent skips of one kind are one instruction, unless something jumps between them. */
static void emit_skip(struct build *b, enum avrocode_op op, uint32_t amount)
{
    struct avroplan *plan = b->plan;
    if (plan->code_len > b->label) {
        struct avrocode_insn *last = &plan->code[plan->code_len - 1];
        if (last->op == op && last->a <= INT32_MAX - amount) {
            last->a += amount;
            return;
        }
    }
    emit(b, (struct avrocode_insn){.op = (uint8_t)op, .a = amount});
}

/* The address is filled in when all subroutines have theirs. */
static void emit_call(struct build *b, const struct avro_type *writer,
                      const struct avro_type *reader)
{
    uint32_t index = (uint32_t)(share(b, writer, reader) - b->shared);
    emit(b, (struct avrocode_insn){
                .op = AVROCODE_CALL, .flag = writer->min_bytes == 0, .a = index});
}

/* Arrays and maps: BLOCKS, [KEY], (what compile_element makes), NEXT. */
struct element {
    const struct avro_type *writer;
    const struct avro_type *reader;      /* NULL: skip */
    const struct projection_node *wanted; /* the array's or map's node */
};

static void compile_element(struct build *b, const struct element *element, bool is_map);

static void compile_blocks(struct build *b, const struct avro_type *writer,
                           const struct element *element)
{
    bool is_map = writer->kind == AVRO_MAP;
    uint32_t min_bytes = writer->item->min_bytes + is_map;
    uint32_t blocks = emit(b, (struct avrocode_insn){.op = AVROCODE_BLOCKS,
                                                     .flag = !element->reader,
                                                     .b = min_bytes});
    const struct avrocode_place *outer = enter(b, NULL);
    b->loops++;
    label(b);
    if (is_map)
        emit(b, (struct avrocode_insn){.op = AVROCODE_KEY,
                                       .flag = b->plan->whole && element->reader});
    compile_element(b, element, is_map);
    emit(b, (struct avrocode_insn){.op = AVROCODE_NEXT, .a = blocks});
    b->plan->code[blocks].a = label(b);
    b->loops--;
    b->place = outer;
}

static void compile_union(struct build *b, const struct avro_type *writer,
                          const struct avro_type *reader, const struct projection_node *wanted);

static void compile_skip(struct build *b, const struct avro_type *writer)
{
    if (writer->is_fixed_width) {
        if (writer->min_bytes)
            emit_skip(b, AVROCODE_SKIP, writer->min_bytes);
        return;
    }
    switch ((enum avro_kind)writer->kind) {
    case AVRO_INT:
        emit_skip(b, AVROCODE_SKIP_INTS, 1);
        return;
    case AVRO_LONG:
        emit_skip(b, AVROCODE_SKIP_LONGS, 1);
        return;
    case AVRO_BYTES:
    case AVRO_STRING:
        emit_skip(b, AVROCODE_SKIP_STRINGS, 1);
        return;
    case AVRO_ENUM:
        emit(b, (struct avrocode_insn){.op = AVROCODE_SKIP_ENUM, .b = writer->count});
        return;
    case AVRO_RECORD:
        emit_call(b, writer, NULL);
        return;
    case AVRO_UNION:
        compile_union(b, writer, NULL, NULL);
        return;
    case AVRO_ARRAY:
        if (writer->item->is_fixed_width) {
            emit(b, (struct avrocode_insn){.op = AVROCODE_SKIP_ITEMS,
                                           .a = writer->item->min_bytes});
            return;
        }
        compile_blocks(b, writer, &(struct element){writer->item, NULL, NULL});
        return;
    case AVRO_MAP:
        compile_blocks(b, writer, &(struct element){writer->item, NULL, NULL});
        return;
    default:
        unreachable("the other kinds have a fixed width");
    }
}

/* ---- reading ---- */

/*
 * The constants of an enum: for each symbol of the writer the reader's. Where it has none, a null
 * that carries the writer's symbol for the message.
 */
static uint32_t enum_consts(struct build *b, const struct avro_type *writer,
                            const struct avro_type *reader)
{
    struct shared *shared = share(b, writer, reader);
    if (shared->at != BUILD_UNPLACED)
        return shared->at;
    shared->at = b->plan->const_count;
    for (uint32_t w = 0; w < writer->count; w++) {
        int32_t found = reader->default_symbol;
        for (uint32_t r = 0; r < reader->count; r++)
            if (strcmp(writer->symbols[w], reader->symbols[r]) == 0)
                found = (int32_t)r;
        const char *symbol =
            found < 0 ? copy_text(b, writer->symbols[w]) : reader->symbols[found];
        add_const(b, value_text(found < 0 ? VALUE_NULL : VALUE_STRING, symbol,
                                (uint32_t)strlen(symbol)));
    }
    return shared->at;
}

static struct avrocode_insn integer_insn(const struct avro_type *writer,
                                         const struct avro_type *reader,
                                         const struct projection_node *wanted)
{
    uint8_t is_int = writer->kind == AVRO_INT ? INSN_INT : 0;
    if (reader->kind == AVRO_FLOAT || reader->kind == AVRO_DOUBLE)
        return (struct avrocode_insn){
            .op = AVROCODE_REAL,
            .flag = (uint8_t)(is_int | (reader->kind == AVRO_FLOAT ? INSN_FLOAT : 0))};
    if (wanted && wanted->time)
        return (struct avrocode_insn){.op = AVROCODE_TIME,
                                      .flag = is_int,
                                      .a = writer->unit ? writer->unit : wanted->time};
    return (struct avrocode_insn){.op = is_int ? AVROCODE_INT : AVROCODE_LONG};
}

static void compile_scalar(struct build *b, const struct avro_type *writer,
                           const struct avro_type *reader, const struct projection_node *wanted)
{
    struct avrocode_insn insn = {.op = AVROCODE_CLEAR};
    switch ((enum avro_kind)writer->kind) {
    case AVRO_BOOLEAN:
        insn.op = AVROCODE_BOOL;
        break;
    case AVRO_INT:
    case AVRO_LONG:
        insn = integer_insn(writer, reader, wanted);
        break;
    case AVRO_FLOAT:
        insn.op = AVROCODE_FLOAT;
        break;
    case AVRO_DOUBLE:
        insn.op = AVROCODE_DOUBLE;
        break;
    case AVRO_BYTES:
    case AVRO_STRING:
        insn.op = reader->kind == AVRO_STRING ? AVROCODE_STRING : AVROCODE_BYTES;
        break;
    case AVRO_FIXED:
        insn.op = AVROCODE_FIXED;
        insn.a = writer->count;
        break;
    case AVRO_ENUM:
        insn.op = AVROCODE_ENUM;
        insn.a = enum_consts(b, writer, reader);
        insn.b = writer->count;
        break;
    default:
        break;
    }
    insn.slot = wanted ? (uint16_t)wanted->slot : 0;
    emit(b, insn);
    mark_needed(b);
    if (b->plan->whole)
        emit_event(b, AVRO_EVENT_VALUE, NULL);
}

static void compile(struct build *b, const struct avro_type *writer,
                    const struct avro_type *reader, const struct projection_node *wanted);

/* The last of several equal map keys counts, also with what it does not have. */
static void clear_slots(struct build *b, const struct projection_node *node)
{
    if (node->slot >= 0)
        emit(b, (struct avrocode_insn){.op = AVROCODE_CLEAR, .slot = (uint16_t)node->slot});
    for (const struct projection_node *child = node->first; child; child = child->next)
        clear_slots(b, child);
}

/* Wanted elements: tests that jump to their code, which stands behind that of all the others. */
static void compile_wanted_elements(struct build *b, const struct element *element, bool is_map)
{
    uint32_t first = b->plan->code_len;
    for (const struct projection_node *n = element->wanted->first; n; n = n->next) {
        struct avrocode_insn test = {.op = AVROCODE_AT_INDEX, .a = n->index};
        if (is_map) {
            const char *key = memcpy(arena_alloc(&b->plan->arena, n->name_len + 1), n->name,
                                     n->name_len + 1);
            test.op = AVROCODE_AT_KEY;
            test.a = add_const(b, value_text(VALUE_STRING, key, (uint32_t)n->name_len));
        }
        emit(b, test);
    }
    compile_skip(b, element->writer);
    uint32_t link = emit(b, (struct avrocode_insn){.op = AVROCODE_JUMP, .a = BUILD_UNPLACED});
    for (const struct projection_node *n = element->wanted->first; n && !b->full; n = n->next) {
        b->plan->code[first++].b = label(b);
        if (is_map)
            clear_slots(b, n);
        compile(b, element->writer, element->reader, n);
        link = emit(b, (struct avrocode_insn){.op = AVROCODE_JUMP, .a = link});
    }
    uint32_t end = label(b);
    while (link != BUILD_UNPLACED && !b->full) {
        uint32_t before = b->plan->code[link].a;
        b->plan->code[link].a = end;
        link = before;
    }
}

static void compile_element(struct build *b, const struct element *element, bool is_map)
{
    if (b->plan->whole && element->reader) {
        if (is_map)
            emit_event(b, AVRO_EVENT_KEY, NULL);
        compile(b, element->writer, element->reader, NULL);
    } else if (element->wanted) {
        compile_wanted_elements(b, element, is_map);
    } else {
        compile_skip(b, element->writer);
    }
}

static void compile_collection(struct build *b, const struct avro_type *writer,
                               const struct avro_type *reader,
                               const struct projection_node *wanted)
{
    bool is_map = reader->kind == AVRO_MAP;
    if (b->plan->whole)
        emit_event(b, is_map ? AVRO_EVENT_MAP : AVRO_EVENT_ARRAY, NULL);
    compile_blocks(b, writer, &(struct element){writer->item, reader->item, wanted});
    if (b->plan->whole)
        emit_event(b, is_map ? AVRO_EVENT_END : AVRO_EVENT_END_ARRAY, NULL);
    mark_needed(b);
}

/* What cannot be resolved fails when a datum has it. */
static void compile_branch(struct build *b, const struct avro_type *writer,
                           const struct avro_type *reader, const struct projection_node *wanted)
{
    struct avro_error why;
    if (!reader || avroresolve_check(&b->resolve, writer, reader, &why)) {
        compile(b, writer, reader, wanted);
        return;
    }
    const char *message = copy_text(b, why.message);
    uint32_t at = add_const(b, value_text(VALUE_STRING, message, (uint32_t)strlen(message)));
    const struct avrocode_place *outer = b->place;
    if (*why.path)
        enter(b, why.path);
    emit(b, (struct avrocode_insn){.op = AVROCODE_FAIL, .a = at});
    b->place = outer;
    mark_needed(b);
}

/* A union with null, whose null needs no code: by far the commonest. Returns null's index or -1. */
static int optional_null(struct build *b, const struct avro_type *writer,
                         const struct avro_type *reader)
{
    struct avro_error why;
    if (b->plan->whole || writer->count != 2)
        return -1;
    for (int i = 0; i < 2; i++) {
        const struct avro_type *branch = writer->branches[i];
        if (branch->kind == AVRO_NULL &&
            (!reader || avroresolve_check(&b->resolve, branch, reader, &why)))
            return i;
    }
    return -1;
}

static void compile_union(struct build *b, const struct avro_type *writer,
                          const struct avro_type *reader, const struct projection_node *wanted)
{
    int null = optional_null(b, writer, reader);
    if (null >= 0) {
        uint32_t at = emit(
            b, (struct avrocode_insn){.op = AVROCODE_OPTIONAL, .flag = (uint8_t)null});
        compile_branch(b, writer->branches[1 - null], reader, wanted);
        b->plan->code[at].a = label(b);
        return;
    }
    uint32_t targets = add_targets(b, writer->count);
    emit(b, (struct avrocode_insn){.op = AVROCODE_UNION, .a = targets, .b = writer->count});
    uint32_t link = BUILD_UNPLACED;
    for (uint32_t i = 0; i < writer->count && !b->full; i++) {
        b->plan->targets[targets + i] = label(b);
        compile_branch(b, writer->branches[i], reader, wanted);
        if (i + 1 < writer->count)
            link = emit(b, (struct avrocode_insn){.op = AVROCODE_JUMP, .a = link});
    }
    uint32_t end = label(b);
    while (link != BUILD_UNPLACED && !b->full) {
        uint32_t before = b->plan->code[link].a;
        b->plan->code[link].a = end;
        link = before;
    }
}

/* ---- records ---- */

/* Values that a default gives to wanted slots are found out now, by decoding it. */
static void compile_default_slots(struct build *b, const struct projection_node *node,
                                  const struct value *slots)
{
    if (node->slot >= 0 && slots[node->slot].type != VALUE_NULL) {
        uint32_t at = add_const(b, slots[node->slot]);
        emit(b, (struct avrocode_insn){
                    .op = AVROCODE_CONST, .slot = (uint16_t)node->slot, .a = at});
        mark_needed(b);
    }
    for (const struct projection_node *child = node->first; child; child = child->next)
        compile_default_slots(b, child, slots);
}

static bool finish(struct build *b, bool strict, struct avro_error *err);

static void compile_default(struct build *b, const struct avro_field *field,
                            const struct projection_node *wanted)
{
    struct avroplan plan = {.slot_count = FIELDSPACE_MAX_SLOTS};
    struct build inner = {.plan = &plan};
    struct value slots[FIELDSPACE_MAX_SLOTS];
    struct avro_error err;
    compile(&inner, field->type, field->type, wanted);
    if (finish(&inner, false, &err) &&
        avrorun_datum(&plan, field->default_bytes, field->default_len, slots, NULL, &err))
        compile_default_slots(b, wanted, slots);
    else
        b->full = true; /* nested too deep, or too large, for any datum */
    avrobuild_fini(&plan);
}

static int32_t *map_fields(struct build *b, const struct avro_type *writer,
                           const struct avro_type *reader)
{
    int32_t *reader_field =
        arena_alloc(&b->resolve.arena, (writer->count + 1) * sizeof *reader_field);
    avroresolve_fields(writer, reader, reader_field);
    return reader_field;
}

static bool is_written(const struct avro_type *writer, const int32_t *reader_field, uint32_t r)
{
    for (uint32_t i = 0; i < writer->count; i++)
        if (reader_field[i] == (int32_t)r)
            return true;
    return false;
}

static const struct projection_node *wanted_field(const struct projection_node *record,
                                                  int32_t index)
{
    for (const struct projection_node *n = record->first; n; n = n->next)
        if (index >= 0 && n->index == (uint32_t)index)
            return n;
    return NULL;
}

/* A record on the way to slots: defaults first, because what follows the last field may be cut. */
static void compile_record_slots(struct build *b, const struct avro_type *writer,
                                 const struct avro_type *reader,
                                 const struct projection_node *wanted)
{
    const int32_t *reader_field = map_fields(b, writer, reader);
    for (const struct projection_node *n = wanted->first; n; n = n->next)
        if (!is_written(writer, reader_field, n->index))
            compile_default(b, &reader->fields[n->index], n);
    for (uint32_t i = 0; i < writer->count && !b->full; i++) {
        const struct avrocode_place *outer = enter(b, writer->fields[i].name);
        const struct projection_node *field = wanted_field(wanted, reader_field[i]);
        if (field)
            compile(b, writer->fields[i].type, reader->fields[field->index].type, field);
        else
            compile_skip(b, writer->fields[i].type);
        b->place = outer;
    }
}

/* A record of a whole datum, as a subroutine. */
static void compile_record_whole(struct build *b, const struct avro_type *writer,
                                 const struct avro_type *reader)
{
    const int32_t *reader_field = map_fields(b, writer, reader);
    emit_event(b, AVRO_EVENT_RECORD, NULL);
    for (uint32_t i = 0; i < writer->count && !b->full; i++) {
        const struct avrocode_place *outer = enter(b, writer->fields[i].name);
        if (reader_field[i] >= 0) {
            const struct avro_field *field = &reader->fields[reader_field[i]];
            emit_event(b, AVRO_EVENT_FIELD, field->name);
            compile(b, writer->fields[i].type, field->type, NULL);
        } else {
            compile_skip(b, writer->fields[i].type);
        }
        b->place = outer;
    }
    for (uint32_t r = 0; r < reader->count && !b->full; r++) {
        if (is_written(writer, reader_field, r))
            continue;
        const struct avro_field *field = &reader->fields[r];
        emit_event(b, AVRO_EVENT_FIELD, field->name);
        uint32_t bytes = add_const(b, value_text(VALUE_BYTES, (const char *)field->default_bytes,
                                                 field->default_len));
        emit(b, (struct avrocode_insn){.op = AVROCODE_DEFAULT, .a = bytes});
        compile(b, field->type, field->type, NULL);
        emit(b, (struct avrocode_insn){.op = AVROCODE_END_DEFAULT});
    }
    emit_event(b, AVRO_EVENT_END, NULL);
}

static void compile(struct build *b, const struct avro_type *writer,
                    const struct avro_type *reader, const struct projection_node *wanted)
{
    if (b->full)
        return;
    if (!reader || (!wanted && !b->plan->whole)) {
        compile_skip(b, writer);
        return;
    }
    if (writer->kind == AVRO_UNION) {
        compile_union(b, writer, reader, wanted);
        return;
    }
    if (reader->kind == AVRO_UNION)
        reader = avroresolve_branch(writer, reader);
    bool is_inner = wanted && wanted->slot < 0;
    if (reader->kind == AVRO_RECORD && b->plan->whole)
        emit_call(b, writer, reader);
    else if (reader->kind == AVRO_RECORD)
        compile_record_slots(b, writer, reader, wanted);
    else if (reader->kind == AVRO_ARRAY || reader->kind == AVRO_MAP)
        compile_collection(b, writer, reader, wanted);
    else if (is_inner)
        compile_skip(b, writer); /* null where a record may be */
    else
        compile_scalar(b, writer, reader, wanted);
}

/* ---- the whole ---- */

static void compile_subroutine(struct build *b, const struct avro_type *writer,
                               const struct avro_type *reader)
{
    b->place = NULL;
    if (reader) {
        compile_record_whole(b, writer, reader);
    } else {
        for (uint32_t i = 0; i < writer->count && !b->full; i++) {
            const struct avrocode_place *outer = enter(b, writer->fields[i].name);
            compile_skip(b, writer->fields[i].type);
            b->place = outer;
        }
    }
    emit(b, (struct avrocode_insn){.op = AVROCODE_RET});
}

/* Cuts what is not needed; what would jump into it stops there instead. */
static void cut(struct build *b)
{
    struct avroplan *plan = b->plan;
    plan->code_len = b->needed_len;
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

/* Ends the main code, compiles the subroutines and fills in their addresses. */
static bool finish(struct build *b, bool strict, struct avro_error *err)
{
    struct avroplan *plan = b->plan;
    if (!plan->whole && !strict)
        cut(b);
    b->place = NULL;
    emit(b, (struct avrocode_insn){.op = AVROCODE_STOP, .flag = strict});
    for (uint32_t i = 0; i < b->shared_count && !b->full; i++) {
        if (b->shared[i].at != BUILD_UNPLACED)
            continue;
        b->shared[i].at = label(b);
        compile_subroutine(b, b->shared[i].writer, b->shared[i].reader);
    }
    for (uint32_t i = 0; i < plan->code_len; i++)
        if (plan->code[i].op == AVROCODE_CALL && !b->full)
            plan->code[i].a = b->shared[plan->code[i].a].at;
    avroresolve_free(&b->resolve);
    memory_free(b->shared);
    if (b->full)
        avroerror_set(err, AVRO_LIMIT, "the plan for these schemas is too large");
    return !b->full;
}

bool avrobuild_plan(struct avroplan *plan, const struct avroschema *writer,
                    const struct avroschema *reader, const struct projection *projection,
                    bool strict, struct avro_error *err)
{
    plan->whole = !projection;
    plan->slot_count = projection ? (uint32_t)projection_slot_count(projection) : 1;
    struct build *b = memory_alloc(sizeof *b);
    b->plan = plan;
    bool ok = avroresolve_check(&b->resolve, writer->root, reader->root, err);
    if (ok) {
        compile(b, writer->root, reader->root, projection ? projection_root(projection) : NULL);
        ok = finish(b, strict, err);
    } else {
        avroresolve_free(&b->resolve);
    }
    memory_free(b);
    return ok;
}

void avrobuild_fini(struct avroplan *plan)
{
    memory_free(plan->code);
    memory_free(plan->places);
    memory_free(plan->consts);
    memory_free(plan->targets);
    arena_free(&plan->arena);
}
