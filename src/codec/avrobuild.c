/* Compiles schemas to instructions: one pass over the writer, guided by what the reader wants.
 *
 * avroresolve_check has shown before that the pair works, so nothing here can fail but by size.
 * Records that are skipped, and all records of whole datums, become subroutines, one for each pair
 * of types: that is what keeps code finite for recursive types and small for intertwined ones. */
#include "avrobuild.h"

#include <string.h>

#include "avroemit.h"
#include "avroresolve.h"
#include "avrorun.h"
#include "expect.h"
#include "pool.h"

enum { UNPLACED = INT32_MAX };

#define EMIT(b, ...) avroemit_insn(&(b)->out, (struct avrocode_insn){__VA_ARGS__})

/* Code or constants that a pair of types has once; reader NULL: the writer's is skipped. */
struct shared {
    const struct avro_type *writer, *reader;
    uint32_t at; /* code of a record (UNPLACED: to be compiled), constants of an enum */
};

struct build {
    struct avroemit out;
    struct avroplan *plan; /* that of out */
    struct avroresolve resolve;
    struct shared *shared;
    uint32_t shared_count, shared_capacity;
};

static struct shared *share(struct build *b, const struct avro_type *writer,
                            const struct avro_type *reader)
{
    for (uint32_t i = 0; i < b->shared_count; i++)
        if (b->shared[i].writer == writer && b->shared[i].reader == reader)
            return &b->shared[i];
    b->shared = avroemit_grow(b->shared, b->shared_count, &b->shared_capacity, sizeof *b->shared);
    b->shared[b->shared_count] = (struct shared){writer, reader, UNPLACED};
    return &b->shared[b->shared_count++];
}

/* ---- skipping ---- */

/* The address is filled in when all subroutines have theirs. */
static void emit_call(struct build *b, const struct avro_type *writer,
                      const struct avro_type *reader)
{
    uint32_t index = (uint32_t)(share(b, writer, reader) - b->shared);
    EMIT(b, .op = AVROCODE_CALL, .flag = writer->min_bytes == 0, .a = index);
}

/* Arrays and maps: BLOCKS, [KEY], (what compile_element makes), NEXT. */
struct element {
    const struct avro_type *writer;
    const struct avro_type *reader;       /* NULL: skip */
    const struct projection_node *wanted; /* the array's or map's node */
};

static void compile_element(struct build *b, const struct element *element, bool is_map);

static void compile_blocks(struct build *b, const struct avro_type *writer,
                           const struct element *element)
{
    bool is_map = writer->kind == AVRO_KIND_MAP;
    uint32_t min_bytes = writer->item->min_bytes + is_map;
    uint32_t blocks = EMIT(b, .op = AVROCODE_BLOCKS, .flag = !element->reader, .b = min_bytes);
    const struct avrocode_place *outer = avroemit_enter(&b->out, NULL);
    avroemit_label(&b->out);
    if (is_map)
        EMIT(b, .op = AVROCODE_KEY, .flag = b->plan->whole && element->reader);
    compile_element(b, element, is_map);
    EMIT(b, .op = AVROCODE_NEXT, .a = blocks);
    b->plan->code[blocks].a = avroemit_label(&b->out);
    b->out.place = outer;
}

static void compile_union(struct build *b, const struct avro_type *writer,
                          const struct avro_type *reader, const struct projection_node *wanted);

static void compile_skip(struct build *b, const struct avro_type *writer)
{
    if (writer->is_fixed_width) {
        if (writer->min_bytes)
            avroemit_skip(&b->out, AVROCODE_SKIP, writer->min_bytes);
        return;
    }
    switch ((enum avro_kind)writer->kind) {
    case AVRO_KIND_INT:
        avroemit_skip(&b->out, AVROCODE_SKIP_INTS, 1);
        return;
    case AVRO_KIND_LONG:
        avroemit_skip(&b->out, AVROCODE_SKIP_LONGS, 1);
        return;
    case AVRO_KIND_BYTES:
    case AVRO_KIND_STRING:
        avroemit_skip(&b->out, AVROCODE_SKIP_STRINGS, 1);
        return;
    case AVRO_KIND_ENUM:
        EMIT(b, .op = AVROCODE_SKIP_ENUM, .b = writer->count);
        return;
    case AVRO_KIND_RECORD:
        emit_call(b, writer, NULL);
        return;
    case AVRO_KIND_UNION:
        compile_union(b, writer, NULL, NULL);
        return;
    case AVRO_KIND_ARRAY:
        if (writer->item->is_fixed_width) {
            EMIT(b, .op = AVROCODE_SKIP_ITEMS, .a = writer->item->min_bytes);
            return;
        }
        compile_blocks(b, writer, &(struct element){writer->item, NULL, NULL});
        return;
    case AVRO_KIND_MAP:
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
    if (shared->at != UNPLACED)
        return shared->at;
    shared->at = b->plan->const_count;
    for (uint32_t w = 0; w < writer->count; w++) {
        int32_t found = reader->default_symbol;
        for (uint32_t r = 0; r < reader->count; r++)
            if (strcmp(writer->symbols[w], reader->symbols[r]) == 0)
                found = (int32_t)r;
        if (found < 0) {
            size_t len = strlen(writer->symbols[w]);
            const char *symbol = avroemit_copy(&b->out, writer->symbols[w], len);
            avroemit_const(&b->out, value_text(VALUE_NULL, symbol, (uint32_t)len));
        } else {
            avroemit_string(&b->out, reader->symbols[found]);
        }
    }
    return shared->at;
}

static struct avrocode_insn integer_insn(const struct avro_type *writer,
                                         const struct avro_type *reader,
                                         const struct projection_node *wanted)
{
    uint8_t is_int = writer->kind == AVRO_KIND_INT ? INSN_INT : 0;
    if (reader->kind == AVRO_KIND_FLOAT || reader->kind == AVRO_KIND_DOUBLE)
        return (struct avrocode_insn){
            .op = AVROCODE_REAL,
            .flag = (uint8_t)(is_int | (reader->kind == AVRO_KIND_FLOAT ? INSN_FLOAT : 0))};
    if (wanted && wanted->time)
        return (struct avrocode_insn){
            .op = AVROCODE_TIME, .flag = is_int, .a = writer->unit ? writer->unit : wanted->time};
    return (struct avrocode_insn){.op = is_int ? AVROCODE_INT : AVROCODE_LONG};
}

static void compile_scalar(struct build *b, const struct avro_type *writer,
                           const struct avro_type *reader, const struct projection_node *wanted)
{
    struct avrocode_insn insn = {.op = AVROCODE_CLEAR};
    switch ((enum avro_kind)writer->kind) {
    case AVRO_KIND_BOOLEAN:
        insn.op = AVROCODE_BOOL;
        break;
    case AVRO_KIND_INT:
    case AVRO_KIND_LONG:
        insn = integer_insn(writer, reader, wanted);
        break;
    case AVRO_KIND_FLOAT:
        insn.op = AVROCODE_FLOAT;
        break;
    case AVRO_KIND_DOUBLE:
        insn.op = AVROCODE_DOUBLE;
        break;
    case AVRO_KIND_BYTES:
    case AVRO_KIND_STRING:
        insn.op = reader->kind == AVRO_KIND_STRING ? AVROCODE_STRING : AVROCODE_BYTES;
        break;
    case AVRO_KIND_FIXED:
        insn.op = AVROCODE_FIXED;
        insn.a = writer->count;
        break;
    case AVRO_KIND_ENUM:
        insn.op = AVROCODE_ENUM;
        insn.a = enum_consts(b, writer, reader);
        insn.b = writer->count;
        break;
    default:
        break;
    }
    insn.slot = wanted ? (uint16_t)wanted->slot : 0;
    avroemit_insn(&b->out, insn);
    avroemit_needed(&b->out);
    if (b->plan->whole)
        avroemit_event(&b->out, AVRO_EVENT_VALUE, NULL);
}

static void compile(struct build *b, const struct avro_type *writer, const struct avro_type *reader,
                    const struct projection_node *wanted);

/* The last of several equal map keys counts, also with what it does not have. */
static void clear_slots(struct build *b, const struct projection_node *node)
{
    if (node->slot >= 0)
        EMIT(b, .op = AVROCODE_CLEAR, .slot = (uint16_t)node->slot);
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
            const char *key = avroemit_copy(&b->out, n->name, n->name_len);
            test.op = AVROCODE_AT_KEY;
            test.a = avroemit_const(&b->out, value_text(VALUE_STRING, key, (uint32_t)n->name_len));
        }
        avroemit_insn(&b->out, test);
    }
    compile_skip(b, element->writer);
    uint32_t link = avroemit_jump(&b->out, AVROEMIT_NO_LINK);
    for (const struct projection_node *n = element->wanted->first; n && !b->out.full; n = n->next) {
        b->plan->code[first++].b = avroemit_label(&b->out);
        if (is_map)
            clear_slots(b, n);
        compile(b, element->writer, element->reader, n);
        link = avroemit_jump(&b->out, link);
    }
    avroemit_join(&b->out, link);
}

static void compile_element(struct build *b, const struct element *element, bool is_map)
{
    if (b->plan->whole && element->reader) {
        if (is_map)
            avroemit_event(&b->out, AVRO_EVENT_KEY, NULL);
        compile(b, element->writer, element->reader, NULL);
    } else if (element->wanted) {
        compile_wanted_elements(b, element, is_map);
    } else {
        compile_skip(b, element->writer);
    }
}

static void compile_collection(struct build *b, const struct avro_type *writer,
                               const struct avro_type *reader, const struct projection_node *wanted)
{
    bool is_map = reader->kind == AVRO_KIND_MAP;
    if (b->plan->whole)
        avroemit_event(&b->out, is_map ? AVRO_EVENT_MAP : AVRO_EVENT_ARRAY, NULL);
    compile_blocks(b, writer, &(struct element){writer->item, reader->item, wanted});
    if (b->plan->whole)
        avroemit_event(&b->out, is_map ? AVRO_EVENT_END : AVRO_EVENT_END_ARRAY, NULL);
    avroemit_needed(&b->out);
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
    const char *message = avroemit_copy(&b->out, why.message, strlen(why.message));
    uint32_t at = avroemit_string(&b->out, message);
    const struct avrocode_place *outer = b->out.place;
    if (*why.path)
        avroemit_enter(&b->out, why.path);
    EMIT(b, .op = AVROCODE_FAIL, .a = at);
    b->out.place = outer;
    avroemit_needed(&b->out);
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
        if (branch->kind == AVRO_KIND_NULL &&
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
        uint32_t at = EMIT(b, .op = AVROCODE_OPTIONAL, .flag = (uint8_t)null);
        compile_branch(b, writer->branches[1 - null], reader, wanted);
        b->plan->code[at].a = avroemit_label(&b->out);
        return;
    }
    uint32_t targets = avroemit_targets(&b->out, writer->count);
    EMIT(b, .op = AVROCODE_UNION, .a = targets, .b = writer->count);
    uint32_t link = AVROEMIT_NO_LINK;
    for (uint32_t i = 0; i < writer->count && !b->out.full; i++) {
        b->plan->targets[targets + i] = avroemit_label(&b->out);
        compile_branch(b, writer->branches[i], reader, wanted);
        if (i + 1 < writer->count)
            link = avroemit_jump(&b->out, link);
    }
    avroemit_join(&b->out, link);
}

/* ---- records ---- */

/* Values that a default gives to wanted slots are found out now, by decoding it. */
static void compile_default_slots(struct build *b, const struct projection_node *node,
                                  const struct value *slots)
{
    if (node->slot >= 0 && slots[node->slot].type != VALUE_NULL) {
        uint32_t at = avroemit_const(&b->out, slots[node->slot]);
        EMIT(b, .op = AVROCODE_CONST, .slot = (uint16_t)node->slot, .a = at);
        avroemit_needed(&b->out);
    }
    for (const struct projection_node *child = node->first; child; child = child->next)
        compile_default_slots(b, child, slots);
}

static bool finish(struct build *b, bool strict, struct avro_error *err);

static void compile_default(struct build *b, const struct avro_field *field,
                            const struct projection_node *wanted)
{
    struct avroplan plan = {.slot_count = FIELDSPACE_MAX_SLOTS};
    struct build inner = {.out = {.plan = &plan}, .plan = &plan};
    struct value slots[FIELDSPACE_MAX_SLOTS];
    struct avro_error err;
    compile(&inner, field->type, field->type, wanted);
    if (finish(&inner, false, &err) &&
        avrorun_datum(&plan, field->default_bytes, field->default_len, slots, NULL, NULL, &err))
        compile_default_slots(b, wanted, slots);
    else
        b->out.full = true; /* nested too deep, or too large, for any datum */
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
    for (uint32_t i = 0; i < writer->count && !b->out.full; i++) {
        const struct avrocode_place *outer = avroemit_enter(&b->out, writer->fields[i].name);
        const struct projection_node *field = wanted_field(wanted, reader_field[i]);
        if (field)
            compile(b, writer->fields[i].type, reader->fields[field->index].type, field);
        else
            compile_skip(b, writer->fields[i].type);
        b->out.place = outer;
    }
}

/* A record of a whole datum, as a subroutine. */
static void compile_record_whole(struct build *b, const struct avro_type *writer,
                                 const struct avro_type *reader)
{
    const int32_t *reader_field = map_fields(b, writer, reader);
    avroemit_event(&b->out, AVRO_EVENT_RECORD, NULL);
    for (uint32_t i = 0; i < writer->count && !b->out.full; i++) {
        const struct avrocode_place *outer = avroemit_enter(&b->out, writer->fields[i].name);
        if (reader_field[i] >= 0) {
            const struct avro_field *field = &reader->fields[reader_field[i]];
            avroemit_event(&b->out, AVRO_EVENT_FIELD, field->name);
            compile(b, writer->fields[i].type, field->type, NULL);
        } else {
            compile_skip(b, writer->fields[i].type);
        }
        b->out.place = outer;
    }
    for (uint32_t r = 0; r < reader->count && !b->out.full; r++) {
        if (is_written(writer, reader_field, r))
            continue;
        const struct avro_field *field = &reader->fields[r];
        avroemit_event(&b->out, AVRO_EVENT_FIELD, field->name);
        uint32_t bytes =
            avroemit_const(&b->out, value_text(VALUE_BYTES, (const char *)field->default_bytes,
                                               field->default_len));
        EMIT(b, .op = AVROCODE_DEFAULT, .a = bytes);
        compile(b, field->type, field->type, NULL);
        EMIT(b, .op = AVROCODE_END_DEFAULT);
    }
    avroemit_event(&b->out, AVRO_EVENT_END, NULL);
}

static void compile(struct build *b, const struct avro_type *writer, const struct avro_type *reader,
                    const struct projection_node *wanted)
{
    if (b->out.full)
        return;
    if (!reader || (!wanted && !b->plan->whole)) {
        compile_skip(b, writer);
        return;
    }
    if (writer->kind == AVRO_KIND_UNION) {
        compile_union(b, writer, reader, wanted);
        return;
    }
    if (reader->kind == AVRO_KIND_UNION)
        reader = avroresolve_branch(writer, reader);
    bool is_inner = wanted && wanted->slot < 0;
    if (reader->kind == AVRO_KIND_RECORD && b->plan->whole)
        emit_call(b, writer, reader);
    else if (reader->kind == AVRO_KIND_RECORD)
        compile_record_slots(b, writer, reader, wanted);
    else if (reader->kind == AVRO_KIND_ARRAY || reader->kind == AVRO_KIND_MAP)
        compile_collection(b, writer, reader, wanted);
    else if (is_inner)
        compile_skip(b, writer); /* null where a record may be, or a path that was refused */
    else
        compile_scalar(b, writer, reader, wanted);
}

/* ---- the whole ---- */

static void compile_subroutine(struct build *b, const struct avro_type *writer,
                               const struct avro_type *reader)
{
    b->out.place = NULL;
    if (reader) {
        compile_record_whole(b, writer, reader);
    } else {
        for (uint32_t i = 0; i < writer->count && !b->out.full; i++) {
            const struct avrocode_place *outer = avroemit_enter(&b->out, writer->fields[i].name);
            compile_skip(b, writer->fields[i].type);
            b->out.place = outer;
        }
    }
    EMIT(b, .op = AVROCODE_RET);
}

/* Ends the main code, compiles the subroutines and fills in their addresses. */
static bool finish(struct build *b, bool strict, struct avro_error *err)
{
    struct avroplan *plan = b->plan;
    if (!plan->whole && !strict)
        avroemit_cut(&b->out);
    b->out.place = NULL;
    EMIT(b, .op = AVROCODE_STOP, .flag = strict);
    for (uint32_t i = 0; i < b->shared_count && !b->out.full; i++) {
        if (b->shared[i].at != UNPLACED)
            continue;
        b->shared[i].at = avroemit_label(&b->out);
        compile_subroutine(b, b->shared[i].writer, b->shared[i].reader);
    }
    for (uint32_t i = 0; i < plan->code_len; i++)
        if (plan->code[i].op == AVROCODE_CALL && !b->out.full)
            plan->code[i].a = b->shared[plan->code[i].a].at;
    avroresolve_free(&b->resolve);
    memory_free(b->shared);
    if (b->out.full)
        avroerror_set(err, AVRO_ERROR_LIMIT, "the plan for these schemas is too large");
    return !b->out.full;
}

bool avrobuild_plan(struct avroplan *plan, const struct avroschema *writer,
                    const struct avroschema *reader, const struct projection *projection,
                    bool strict, struct avro_error *err)
{
    plan->whole = !projection;
    plan->slot_count = projection ? (uint32_t)projection_slot_count(projection) : 1;
    struct build *b = memory_alloc(sizeof *b);
    b->out.plan = b->plan = plan;
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
