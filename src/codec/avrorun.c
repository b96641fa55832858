/* The machine: a small function for each instruction, inlined into one loop. */
#include "avrorun.h"

#include "avrofail.h"
#include "avrowire.h"
#include "clock.h"

#define HOT static inline __attribute__((always_inline))

HOT struct at next(struct at at, const uint8_t *cur)
{
    return (struct at){at.in + 1, cur};
}

HOT bool is_int(int64_t number)
{
    return number == (int32_t)number;
}

/* ---- values ---- */

HOT struct at op_CLEAR(struct machine *m, struct at at)
{
    m->slots[at.in->slot] = value_null();
    return next(at, at.cur);
}

HOT struct at op_CONST(struct machine *m, struct at at)
{
    m->slots[at.in->slot] = m->plan->consts[at.in->a];
    return next(at, at.cur);
}

HOT struct at op_BOOL(struct machine *m, struct at at)
{
    if (at.cur == m->end)
        return avrofail_end(m, at);
    if (*at.cur > 1)
        return avrofail_with(m, at, AVRO_ERROR_MALFORMED, "a boolean is neither 0 nor 1");
    m->slots[at.in->slot] = value_bool(*at.cur);
    return next(at, at.cur + 1);
}

HOT struct at op_INT(struct machine *m, struct at at)
{
    int64_t number;
    const uint8_t *cur = avrowire_long(at.cur, m->end, &number);
    if (!cur)
        return avrofail_number(m, at);
    if (!is_int(number))
        return avrofail_int(m, at);
    m->slots[at.in->slot] = value_long(number);
    return next(at, cur);
}

HOT struct at op_LONG(struct machine *m, struct at at)
{
    int64_t number;
    const uint8_t *cur = avrowire_long(at.cur, m->end, &number);
    if (!cur)
        return avrofail_number(m, at);
    m->slots[at.in->slot] = value_long(number);
    return next(at, cur);
}

HOT struct at op_REAL(struct machine *m, struct at at)
{
    int64_t number;
    const uint8_t *cur = avrowire_long(at.cur, m->end, &number);
    if (!cur)
        return avrofail_number(m, at);
    if ((at.in->flag & INSN_INT) && !is_int(number))
        return avrofail_int(m, at);
    double real = at.in->flag & INSN_FLOAT ? (double)(float)number : (double)number;
    m->slots[at.in->slot] = value_double(real);
    return next(at, cur);
}

static int64_t to_ms(int64_t time, enum avro_time_unit unit)
{
    int64_t ms;
    switch (unit) {
    case AVRO_TIME_S:
        if (__builtin_mul_overflow(time, INT64_C(1000), &ms))
            return time < 0 ? INT64_MIN : INT64_MAX;
        return ms;
    case AVRO_TIME_US:
        return clock_floor_div(time, 1000);
    case AVRO_TIME_NS:
        return clock_floor_div(time, 1000000);
    default:
        return time;
    }
}

HOT struct at op_TIME(struct machine *m, struct at at)
{
    int64_t number;
    const uint8_t *cur = avrowire_long(at.cur, m->end, &number);
    if (!cur)
        return avrofail_number(m, at);
    if ((at.in->flag & INSN_INT) && !is_int(number))
        return avrofail_int(m, at);
    m->slots[at.in->slot] = value_long(to_ms(number, at.in->a));
    return next(at, cur);
}

HOT struct at op_FLOAT(struct machine *m, struct at at)
{
    if (m->end - at.cur < 4)
        return avrofail_end(m, at);
    uint32_t bits = le32toh(avrowire_load32(at.cur));
    float real;
    memcpy(&real, &bits, sizeof real);
    m->slots[at.in->slot] = value_double((double)real);
    return next(at, at.cur + 4);
}

HOT struct at op_DOUBLE(struct machine *m, struct at at)
{
    if (m->end - at.cur < 8)
        return avrofail_end(m, at);
    uint64_t bits = le64toh(avrowire_load64(at.cur));
    double real;
    memcpy(&real, &bits, sizeof real);
    m->slots[at.in->slot] = value_double(real);
    return next(at, at.cur + 8);
}

HOT struct value text_value(enum value_type type, const uint8_t *text, size_t len)
{
    return value_text(type, (const char *)text, (uint32_t)len);
}

HOT struct at op_STRING(struct machine *m, struct at at)
{
    const uint8_t *text;
    size_t len;
    const uint8_t *cur = avrowire_bytes(at.cur, m->end, &text, &len);
    if (!cur)
        return avrofail_bytes(m, at);
    if (!avrowire_is_ascii(text, len) && !avrowire_is_utf8(text, len))
        return avrofail_with(m, at, AVRO_ERROR_MALFORMED, "a string is not UTF-8");
    m->slots[at.in->slot] = text_value(VALUE_STRING, text, len);
    return next(at, cur);
}

HOT struct at op_BYTES(struct machine *m, struct at at)
{
    const uint8_t *text;
    size_t len;
    const uint8_t *cur = avrowire_bytes(at.cur, m->end, &text, &len);
    if (!cur)
        return avrofail_bytes(m, at);
    m->slots[at.in->slot] = text_value(VALUE_BYTES, text, len);
    return next(at, cur);
}

HOT struct at op_FIXED(struct machine *m, struct at at)
{
    if ((size_t)(m->end - at.cur) < at.in->a)
        return avrofail_end(m, at);
    m->slots[at.in->slot] = text_value(VALUE_BYTES, at.cur, at.in->a);
    return next(at, at.cur + at.in->a);
}

/* An index below count, of a union's branch or an enum's symbol; NULL: none. */
HOT const uint8_t *read_index(struct machine *m, struct at at, uint32_t count, uint32_t *index)
{
    uint64_t number = 0;
    const uint8_t *cur = avrowire_varint(at.cur, m->end, &number);
    *index = (uint32_t)(number >> 1);
    return (number & 1) || number >> 1 >= count ? NULL : cur;
}

HOT struct at op_ENUM(struct machine *m, struct at at)
{
    uint32_t index;
    const uint8_t *cur = read_index(m, at, at.in->b, &index);
    if (!cur)
        return avrofail_index(m, at);
    struct value symbol = m->plan->consts[at.in->a + index];
    if (symbol.type == VALUE_NULL)
        return avrofail_symbol(m, at, symbol.s);
    m->slots[at.in->slot] = symbol;
    return next(at, cur);
}

/* ---- skips ---- */

HOT struct at op_SKIP(struct machine *m, struct at at)
{
    if ((size_t)(m->end - at.cur) < at.in->a)
        return avrofail_end(m, at);
    return next(at, at.cur + at.in->a);
}

HOT struct at op_SKIP_INTS(struct machine *m, struct at at)
{
    for (uint32_t i = at.in->a; i > 0; i--) {
        int64_t number;
        const uint8_t *cur = avrowire_long(at.cur, m->end, &number);
        if (!cur)
            return avrofail_number(m, at);
        if (!is_int(number))
            return avrofail_int(m, at);
        at.cur = cur;
    }
    return next(at, at.cur);
}

HOT struct at op_SKIP_LONGS(struct machine *m, struct at at)
{
    for (uint32_t i = at.in->a; i > 0; i--) {
        uint64_t number;
        const uint8_t *cur = avrowire_varint(at.cur, m->end, &number);
        if (!cur)
            return avrofail_number(m, at);
        at.cur = cur;
    }
    return next(at, at.cur);
}

HOT struct at op_SKIP_STRINGS(struct machine *m, struct at at)
{
    for (uint32_t i = at.in->a; i > 0; i--) {
        const uint8_t *text;
        size_t len;
        const uint8_t *cur = avrowire_bytes(at.cur, m->end, &text, &len);
        if (!cur)
            return avrofail_bytes(m, at);
        at.cur = cur;
    }
    return next(at, at.cur);
}

HOT struct at op_SKIP_ENUM(struct machine *m, struct at at)
{
    uint32_t index;
    const uint8_t *cur = read_index(m, at, at.in->b, &index);
    return cur ? next(at, cur) : avrofail_index(m, at);
}

/* Work that no byte of the datum pays for. */
static bool charge(struct machine *m, uint64_t work)
{
    if (work > m->free_work)
        return false;
    m->free_work -= work;
    return true;
}

/*
 * The header of a block: how many elements, and where it ends if it says so. A count that the rest
 * of the datum cannot hold is refused before the first element. cur is NULL after an error.
 */
static struct at block(struct machine *m, struct at at, uint32_t min_bytes, uint64_t *count,
                       const uint8_t **end)
{
    int64_t number;
    const uint8_t *cur = avrowire_long(at.cur, m->end, &number);
    if (!cur)
        return avrofail_number(m, at);
    *end = NULL;
    if (number < 0) {
        int64_t size;
        const uint8_t *after = avrowire_long(cur, m->end, &size);
        if (!after)
            return avrofail_number(m, (struct at){at.in, cur});
        if (size < 0 || size > m->end - after)
            return avrofail_with(m, at, AVRO_ERROR_MALFORMED,
                                 "a block goes beyond the end of the datum");
        cur = after;
        *end = after + size;
    }
    *count = number < 0 ? ~(uint64_t)number + 1 : (uint64_t)number;
    if (!min_bytes && !charge(m, *count))
        return avrofail_with(m, at, AVRO_ERROR_LIMIT, "too many elements of no bytes");
    if (min_bytes && *count > (uint64_t)((*end ? *end : m->end) - cur) / min_bytes)
        return avrofail_with(m, at, AVRO_ERROR_MALFORMED,
                             "a block has more elements than bytes for them");
    return (struct at){at.in, cur};
}

static struct at op_SKIP_ITEMS(struct machine *m, struct at at)
{
    for (;;) {
        uint64_t count;
        const uint8_t *end;
        at = block(m, at, at.in->a, &count, &end);
        if (!at.cur)
            return at;
        if (!count)
            return next(at, at.cur);
        at.cur = end ? end : at.cur + count * at.in->a;
    }
}

/* ---- steering ---- */

HOT struct at jump(struct machine *m, uint32_t pc, const uint8_t *cur)
{
    return (struct at){m->plan->code + pc, cur};
}

HOT struct at op_UNION(struct machine *m, struct at at)
{
    uint32_t index;
    const uint8_t *cur = read_index(m, at, at.in->b, &index);
    return cur ? jump(m, m->plan->targets[at.in->a + index], cur) : avrofail_index(m, at);
}

HOT struct at op_OPTIONAL(struct machine *m, struct at at)
{
    uint32_t index;
    const uint8_t *cur = read_index(m, at, 2, &index);
    if (!cur)
        return avrofail_index(m, at);
    return index == at.in->flag ? jump(m, at.in->a, cur) : next(at, cur);
}

HOT struct at op_JUMP(struct machine *m, struct at at)
{
    return jump(m, at.in->a, at.cur);
}

/* NULL when too much is open. */
HOT struct frame *push(struct machine *m, const struct avrocode_insn *opener)
{
    if (m->depth == AVROPLAN_MAX_DEPTH)
        return NULL;
    struct frame *frame = &m->frames[m->depth++];
    frame->opener = opener;
    return frame;
}

HOT struct at op_CALL(struct machine *m, struct at at)
{
    if (at.in->flag && !charge(m, 1))
        return avrofail_with(m, at, AVRO_ERROR_LIMIT, "too many records of no bytes");
    if (!push(m, at.in))
        return avrofail_depth(m, at);
    return jump(m, at.in->a, at.cur);
}

HOT struct at op_RET(struct machine *m, struct at at)
{
    return (struct at){m->frames[--m->depth].opener + 1, at.cur};
}

/* The first block of blocks' array that is not empty or jumped over; count 0: there is none. */
static struct at find_block(struct machine *m, struct at at, const struct avrocode_insn *blocks,
                            uint64_t *count, const uint8_t **end)
{
    for (;;) {
        at = block(m, at, blocks->b, count, end);
        if (!at.cur || !*count || !*end || !blocks->flag)
            return at;
        at.cur = *end;
    }
}

static struct at op_BLOCKS(struct machine *m, struct at at)
{
    uint64_t count;
    const uint8_t *end;
    at = find_block(m, at, at.in, &count, &end);
    if (!at.cur)
        return at;
    if (!count)
        return jump(m, at.in->a, at.cur);
    struct frame *frame = push(m, at.in);
    if (!frame)
        return avrofail_depth(m, at);
    frame->left = count;
    frame->end = end;
    frame->index = 0;
    frame->text = NULL;
    return next(at, at.cur);
}

static struct at op_NEXT(struct machine *m, struct at at)
{
    struct frame *frame = &m->frames[m->depth - 1];
    frame->index++;
    frame->text = NULL;
    if (!--frame->left) {
        if (frame->end && frame->end != at.cur)
            return avrofail_with(m, at, AVRO_ERROR_MALFORMED, "a block is not as long as it says");
        at = find_block(m, at, frame->opener, &frame->left, &frame->end);
        if (!at.cur)
            return at;
        if (!frame->left) {
            m->depth--;
            return next(at, at.cur);
        }
    }
    return (struct at){frame->opener + 1, at.cur};
}

static struct at op_KEY(struct machine *m, struct at at)
{
    struct frame *frame = &m->frames[m->depth - 1];
    const uint8_t *cur = avrowire_bytes(at.cur, m->end, &frame->text, &frame->text_len);
    if (!cur)
        return avrofail_bytes(m, at);
    if (at.in->flag && !avrowire_is_utf8(frame->text, frame->text_len))
        return avrofail_with(m, at, AVRO_ERROR_MALFORMED, "a map key is not UTF-8");
    return next(at, cur);
}

HOT struct at op_AT_INDEX(struct machine *m, struct at at)
{
    bool here = m->frames[m->depth - 1].index == at.in->a;
    return here ? jump(m, at.in->b, at.cur) : next(at, at.cur);
}

HOT struct at op_AT_KEY(struct machine *m, struct at at)
{
    const struct frame *frame = &m->frames[m->depth - 1];
    struct value key = m->plan->consts[at.in->a];
    bool here = key.len == frame->text_len && memcmp(key.s, frame->text, key.len) == 0;
    return here ? jump(m, at.in->b, at.cur) : next(at, at.cur);
}

static struct at op_DEFAULT(struct machine *m, struct at at)
{
    struct value bytes = m->plan->consts[at.in->a];
    if (!charge(m, 1 + (uint64_t)bytes.len))
        return avrofail_with(m, at, AVRO_ERROR_LIMIT, "too many defaults");
    struct frame *frame = push(m, at.in);
    if (!frame)
        return avrofail_depth(m, at);
    frame->text = at.cur;
    frame->end = m->end;
    m->end = (const uint8_t *)bytes.s + bytes.len;
    return next(at, (const uint8_t *)bytes.s);
}

HOT struct at op_END_DEFAULT(struct machine *m, struct at at)
{
    const struct frame *frame = &m->frames[--m->depth];
    m->end = frame->end;
    return next(at, frame->text);
}

static struct at op_FAIL(struct machine *m, struct at at)
{
    return avrofail_with(m, at, AVRO_ERROR_DATA, m->plan->consts[at.in->a].s);
}

static struct at op_EVENT(struct machine *m, struct at at)
{
    enum avro_event event = at.in->flag;
    struct value value = value_null();
    if (event == AVRO_EVENT_VALUE) {
        value = m->slots[0];
    } else if (event == AVRO_EVENT_FIELD) {
        value = m->plan->consts[at.in->a];
    } else if (event == AVRO_EVENT_KEY) {
        const struct frame *frame = &m->frames[m->depth - 1];
        value = text_value(VALUE_STRING, frame->text, frame->text_len);
    }
    m->sink->event(m->sink->self, event, value);
    return next(at, at.cur);
}

HOT struct at op_STOP(struct machine *m, struct at at)
{
    if (m->used)
        *m->used = (size_t)(at.cur - m->start);
    else if (at.in->flag && at.cur != m->end)
        return avrofail_with(m, at, AVRO_ERROR_MALFORMED, "bytes are left over after the datum");
    m->done = true;
    return (struct at){at.in, NULL};
}

bool avrorun_datum(const struct avroplan *plan, const void *bytes, size_t len, struct value *slots,
                   const struct avroplan_sink *sink, size_t *used, struct avro_error *err)
{
    static const uint8_t nothing[1];
    const uint8_t *start = bytes ? bytes : nothing; /* a null pointer means that we stopped */
    struct machine machine;                         /* the frames are left as they are */
    machine.end = start + len;
    machine.plan = plan;
    machine.slots = slots;
    machine.sink = sink;
    machine.used = used;
    machine.err = err;
    machine.start = start;
    machine.free_work = AVROPLAN_MAX_FREE_WORK;
    machine.depth = 0;
    machine.done = false;
    struct machine *m = &machine;
    memset(slots, 0, plan->slot_count * sizeof *slots);
    struct at at = {plan->code, start};
    if (len > INT32_MAX) {
        avrofail_with(m, at, AVRO_ERROR_LIMIT, "the datum is longer than 2 GiB");
        return false;
    }
    do {
        switch ((enum avrocode_op)at.in->op) {
#define OP(name)                                                                                   \
    case AVROCODE_##name:                                                                          \
        at = op_##name(m, at);                                                                     \
        break;
            AVROCODE_OPS(OP)
#undef OP
        }
    } while (at.cur);
    return machine.done;
}
