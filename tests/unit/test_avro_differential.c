/* Random schemas and datums: plans against avro-c, for all that avro-c gets right.
 *
 * avro-c encodes a random datum of a random writer schema. It decodes it, through its own resolver
 * when the reader differs; we decode it whole and into the slots of random paths, and every value
 * must be the same. Readers differ by order and absence of fields and by numeric promotion; not in
 * arrays, maps, unions, defaults, aliases, enums, nor by bytes for strings, where avro-c is wrong.
 *
 * Usage: test_avro_differential [PAIRS [SEED]]; FRESHET_PAIRS, FRESHET_SEED do the same. */
#include <avro.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avroplan.h"
#include "avroschema.h"
#include "expect.h"
#include "projection.h"
#include "text.h"

enum {
    DEFAULT_PAIRS = 100000,
    DATUMS_PER_SCHEMA = 8,
    SCHEMA_DEPTH = 4,
    DATUM_DEPTH = 8, /* recursive types end here */
    PATHS = 8,
    DATUM_BYTES = 1 << 20,
    CHECK_DEPTH = 64,
};

static uint64_t seed;

static uint64_t random_bits(void)
{
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static unsigned random_below(unsigned n)
{
    return (unsigned)(random_bits() % n);
}

/* Many small numbers, and some of every size. */
static int64_t random_long(void)
{
    return (int64_t)random_bits() >> random_below(64);
}

/* ---- schemas ---- */

/* One schema, written as the writer's and as the reader's. */
struct pair {
    struct text writer, reader;
    unsigned names;
};

static void put(struct pair *pair, const char *text)
{
    text_append_string(&pair->writer, text);
    text_append_string(&pair->reader, text);
}

static void put_type(struct pair *pair, unsigned depth, bool evolve);

static void put_primitive(struct pair *pair, bool evolve)
{
    static const char *const names[] = {"\"null\"",  "\"boolean\"", "\"int\"",   "\"long\"",
                                        "\"float\"", "\"double\"",  "\"bytes\"", "\"string\""};
    unsigned kind = random_below(8);
    unsigned read_as = kind;
    if (evolve && kind >= 2 && kind <= 4)
        read_as = kind + random_below(6 - kind);
    text_append_string(&pair->writer, names[kind]);
    text_append_string(&pair->reader, names[read_as]);
}

/* Fields of the reader come in reverse when evolved, and some are left out. */
static void put_record(struct pair *pair, unsigned depth, bool evolve)
{
    unsigned name = pair->names++, fields = 1 + random_below(5); /* avro-c fails for none */
    bool recursive = !evolve && random_below(4) == 0;
    struct text reader_fields = {0};
    char text[80];
    (void)snprintf(text, sizeof text, "{\"type\":\"record\",\"name\":\"R%u\",\"fields\":[", name);
    put(pair, text);
    struct text reader = pair->reader;
    for (unsigned i = 0; i < fields; i++) {
        pair->reader = (struct text){0};
        (void)snprintf(text, sizeof text, "{\"name\":\"f%u\",\"type\":", i);
        text_append_string(&pair->writer, i ? "," : "");
        put(pair, text);
        put_type(pair, depth + 1, evolve);
        put(pair, "}");
        struct text field = pair->reader;
        if (!evolve || random_below(4) > 0) {
            struct text *first = evolve ? &field : &reader_fields;
            struct text *second = evolve ? &reader_fields : &field;
            if (reader_fields.len) {
                text_append_char(first, ',');
                text_append(first, second->data, second->len);
                if (evolve) {
                    struct text swap = reader_fields;
                    reader_fields = field;
                    field = swap;
                }
            } else {
                text_append(&reader_fields, field.data, field.len);
            }
        }
        text_free(&field);
    }
    pair->reader = reader;
    text_append(&pair->reader, reader_fields.data ? reader_fields.data : "", reader_fields.len);
    text_free(&reader_fields);
    if (recursive) {
        (void)snprintf(text, sizeof text, "%s{\"name\":\"next\",\"type\":[\"null\",\"R%u\"]}",
                       fields ? "," : "", name);
        put(pair, text);
    }
    put(pair, "]}");
}

/* In the order of promotion, so that avro-c, which takes the first that fits, takes the exact. */
static void put_union(struct pair *pair, unsigned depth)
{
    static const char *const names[] = {"\"boolean\"", "\"int\"",   "\"long\"",  "\"float\"",
                                        "\"double\"",  "\"bytes\"", "\"string\""};
    bool first = true;
    unsigned null_at = random_below(8), only = random_below(2) ? random_below(8) : 99;
    put(pair, "[");
    for (unsigned i = 0; i < 8; i++) {
        bool null = i == null_at, branch = only == 99 ? random_below(4) == 0 : only == i;
        if (null) {
            put(pair, first ? "\"null\"" : ",\"null\"");
            first = false;
        }
        if (!branch)
            continue;
        put(pair, first ? "" : ",");
        if (i < 7)
            put(pair, names[i]);
        else
            put_record(pair, depth, false);
        first = false;
    }
    put(pair, "]");
}

static void put_type(struct pair *pair, unsigned depth, bool evolve)
{
    char text[120];
    unsigned kind = depth >= SCHEMA_DEPTH ? 0 : random_below(11);
    switch (kind) {
    case 5:
        (void)snprintf(text, sizeof text, "{\"type\":\"fixed\",\"name\":\"F%u\",\"size\":%u}",
                       pair->names++, 1 + random_below(9));
        put(pair, text);
        return;
    case 6:
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"enum\",\"name\":\"E%u\",\"symbols\":[\"A\",\"Bb\",\"C_3\"]}",
                       pair->names++);
        put(pair, text);
        return;
    case 7:
    case 8:
        put(pair, kind == 7 ? "{\"type\":\"array\",\"items\":" : "{\"type\":\"map\",\"values\":");
        put_type(pair, depth + 1, false);
        put(pair, "}");
        return;
    case 9:
        put_union(pair, depth + 1);
        return;
    case 10:
        put_record(pair, depth + 1, evolve);
        return;
    default:
        put_primitive(pair, evolve);
    }
}

/* ---- datums ---- */

static void random_text(char *out, size_t *len)
{
    static const char *const pieces[] = {
        "a",         "Z", " ", "\"", "\\", "\n", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
        "0123456789"};
    unsigned count = random_below(random_below(4) ? 6 : 60);
    *len = 0;
    for (unsigned i = 0; i < count; i++) {
        const char *piece = pieces[random_below(10)];
        memcpy(out + *len, piece, strlen(piece));
        *len += strlen(piece);
    }
    out[*len] = '\0';
}

static void fill(avro_value_t *value, unsigned depth);

static void fill_union(avro_value_t *value, unsigned depth)
{
    avro_schema_t schema = avro_value_get_schema(value);
    size_t count = avro_schema_union_size(schema);
    int branch = (int)random_below((unsigned)count);
    for (size_t i = 0; depth > DATUM_DEPTH && i < count; i++)
        if (avro_typeof(avro_schema_union_branch(schema, (int)i)) == AVRO_NULL)
            branch = (int)i;
    avro_value_t inside;
    expect(avro_value_set_branch(value, branch, &inside) == 0);
    fill(&inside, depth + 1);
}

static void fill_collection(avro_value_t *value, unsigned depth)
{
    unsigned count = depth > DATUM_DEPTH ? 0 : random_below(5);
    for (unsigned i = 0; i < count; i++) {
        avro_value_t item;
        char key[16];
        (void)snprintf(key, sizeof key, "k%u", i);
        expect((avro_value_get_type(value) == AVRO_MAP
                    ? avro_value_add(value, key, &item, NULL, NULL)
                    : avro_value_append(value, &item, NULL)) == 0);
        fill(&item, depth + 1);
    }
}

static void fill(avro_value_t *value, unsigned depth)
{
    char text[1024];
    size_t len;
    uint64_t bits = random_bits();
    float real;
    double wide;
    memcpy(&real, &bits, sizeof real);
    memcpy(&wide, &bits, sizeof wide);
    switch (avro_value_get_type(value)) {
    case AVRO_NULL:
        avro_value_set_null(value);
        return;
    case AVRO_BOOLEAN:
        avro_value_set_boolean(value, (int)(bits & 1));
        return;
    case AVRO_INT32:
        avro_value_set_int(value, (int32_t)random_long());
        return;
    case AVRO_INT64:
        avro_value_set_long(value, random_long());
        return;
    case AVRO_FLOAT:
        avro_value_set_float(value, real);
        return;
    case AVRO_DOUBLE:
        avro_value_set_double(value, wide);
        return;
    case AVRO_BYTES:
        random_text(text, &len);
        text[len / 2] = '\xff';
        avro_value_set_bytes(value, text, len);
        return;
    case AVRO_STRING:
        random_text(text, &len);
        avro_value_set_string_len(value, text, len + 1);
        return;
    case AVRO_FIXED:
        memcpy(text, &bits, sizeof bits);
        text[8] = 'x';
        len = (size_t)avro_schema_fixed_size(avro_value_get_schema(value));
        avro_value_set_fixed(value, text, len);
        return;
    case AVRO_ENUM:
        avro_value_set_enum(value, (int)random_below(3));
        return;
    case AVRO_ARRAY:
    case AVRO_MAP:
        fill_collection(value, depth);
        return;
    case AVRO_UNION:
        fill_union(value, depth);
        return;
    default:
        break;
    }
    size_t fields = 0;
    avro_value_get_size(value, &fields);
    for (size_t i = 0; i < fields; i++) {
        avro_value_t field;
        expect(avro_value_get_by_index(value, i, &field, NULL) == 0);
        fill(&field, depth + 1);
    }
}

/* ---- comparison ---- */

static avro_value_t unwrap(avro_value_t value)
{
    while (avro_value_get_type(&value) == AVRO_UNION) {
        avro_value_t inside;
        expect(avro_value_get_current_branch(&value, &inside) == 0);
        value = inside;
    }
    return value;
}

/* A scalar of avro-c as ours; false for a container. */
static bool to_value(avro_value_t from, struct value *to)
{
    int i = 0;
    int32_t int32 = 0;
    float real = 0;
    const void *bytes = NULL;
    const char *text = NULL;
    size_t len = 0;
    *to = value_null();
    switch (avro_value_get_type(&from)) {
    case AVRO_NULL:
        return true;
    case AVRO_BOOLEAN:
        avro_value_get_boolean(&from, &i);
        *to = value_bool(i != 0);
        return true;
    case AVRO_INT32:
        avro_value_get_int(&from, &int32);
        *to = value_long(int32);
        return true;
    case AVRO_INT64:
        *to = value_long(0);
        avro_value_get_long(&from, &to->i);
        return true;
    case AVRO_FLOAT:
        avro_value_get_float(&from, &real);
        *to = value_double((double)real);
        return true;
    case AVRO_DOUBLE:
        *to = value_double(0);
        avro_value_get_double(&from, &to->d);
        return true;
    case AVRO_BYTES:
        avro_value_get_bytes(&from, &bytes, &len);
        *to = value_text(VALUE_BYTES, bytes, (uint32_t)len);
        return true;
    case AVRO_FIXED:
        avro_value_get_fixed(&from, &bytes, &len);
        *to = value_text(VALUE_BYTES, bytes, (uint32_t)len);
        return true;
    case AVRO_STRING:
        avro_value_get_string(&from, &text, &len);
        *to = value_text(VALUE_STRING, text, (uint32_t)len - 1);
        return true;
    case AVRO_ENUM:
        avro_value_get_enum(&from, &i);
        text = avro_schema_enum_get(avro_value_get_schema(&from), i);
        *to = value_text(VALUE_STRING, text, (uint32_t)strlen(text));
        return true;
    default:
        return false;
    }
}

static bool same(struct value a, struct value b)
{
    if (a.type != b.type)
        return false;
    if (a.type == VALUE_STRING || a.type == VALUE_BYTES)
        return a.len == b.len && (!a.len || memcmp(a.s, b.s, a.len) == 0);
    bool both_nan = a.type == VALUE_DOUBLE && a.d != a.d && b.d != b.d;
    return a.type == VALUE_NULL || a.i == b.i || both_nan;
}

/* Follows the events through avro-c's value; each container must be told to its last part. */
struct checker {
    avro_value_t next; /* what the next value must be, where name or index say */
    struct {
        avro_value_t value;
        size_t told;
    } open[CHECK_DEPTH];
    unsigned depth;
    bool wrong;
};

static void choose_next(struct checker *checker, struct value name)
{
    char text[128];
    expect(name.len < sizeof text);
    memcpy(text, name.s, name.len);
    text[name.len] = '\0';
    checker->open[checker->depth - 1].told++;
    checker->wrong =
        checker->wrong || avro_value_get_by_name(&checker->open[checker->depth - 1].value, text,
                                                 &checker->next, NULL) != 0;
}

static void check_event(void *self, enum avro_event event, struct value value)
{
    struct checker *checker = self;
    if (checker->wrong)
        return;
    if (event == AVRO_EVENT_FIELD || event == AVRO_EVENT_KEY) {
        choose_next(checker, value);
        return;
    }
    if (event == AVRO_EVENT_END || event == AVRO_EVENT_END_ARRAY) {
        size_t size = 0;
        checker->depth--;
        avro_value_get_size(&checker->open[checker->depth].value, &size);
        checker->wrong = size != checker->open[checker->depth].told;
        return;
    }
    if (checker->depth &&
        avro_value_get_type(&checker->open[checker->depth - 1].value) == AVRO_ARRAY) {
        checker->wrong = avro_value_get_by_index(&checker->open[checker->depth - 1].value,
                                                 checker->open[checker->depth - 1].told++,
                                                 &checker->next, NULL) != 0;
        if (checker->wrong)
            return;
    }
    avro_value_t wanted = unwrap(checker->next);
    struct value scalar;
    bool is_scalar = to_value(wanted, &scalar);
    if (event == AVRO_EVENT_VALUE) {
        checker->wrong = !is_scalar || !same(scalar, value);
        return;
    }
    static const avro_type_t containers[] = {[AVRO_EVENT_RECORD] = AVRO_RECORD,
                                             [AVRO_EVENT_ARRAY] = AVRO_ARRAY,
                                             [AVRO_EVENT_MAP] = (avro_type_t)AVRO_MAP};
    expect(checker->depth < CHECK_DEPTH);
    checker->wrong = avro_value_get_type(&wanted) != containers[event];
    checker->open[checker->depth].value = wanted;
    checker->open[checker->depth++].told = 0;
}

/* ---- one pair ---- */

struct subject {
    avro_schema_t writer, reader; /* avro-c's */
    avro_value_iface_t *writer_class, *reader_class, *resolver;
    struct avroschema *our_writer, *our_reader;
    struct avroplan *whole;
};

static char encoded[DATUM_BYTES];
static unsigned long slots_compared;

/* A random path through the reader's value and what is there; false when it ends in a container. */
static bool random_path(avro_value_t value, struct text *path, struct value *wanted)
{
    for (;;) {
        value = unwrap(value);
        if (to_value(value, wanted))
            return path->len > 0;
        size_t size = 0;
        const char *name;
        avro_value_t inside = value;
        avro_value_get_size(&value, &size);
        if (!size)
            return false;
        size_t index = random_below((unsigned)size);
        avro_value_get_by_index(&value, index, &inside, &name);
        if (avro_value_get_type(&value) == AVRO_RECORD)
            text_printf(path, "%s%s", path->len ? "." : "", name);
        else if (avro_value_get_type(&value) == AVRO_MAP)
            text_printf(path, "[\"%s\"]", name);
        else
            text_printf(path, "[%zu]", index);
        value = inside;
    }
}

static void compare_slots(const struct subject *subject, avro_value_t value, size_t len)
{
    struct projection *projection = projection_new(subject->our_reader);
    struct fieldspace space = projection_fieldspace(projection);
    struct value wanted[PATHS], slots[PATHS];
    struct avro_error err;
    for (int i = 0; i < PATHS; i++) {
        struct text path = {0};
        struct value there;
        struct value_kind kind;
        char why[256];
        if (random_path(value, &path, &there)) {
            int slot = space.resolve(space.self, path.data, path.len, &kind, why, sizeof why);
            if (slot >= 0)
                wanted[slot] = there; /* else it leads through a union of several types */
        }
        text_free(&path);
    }
    struct avroplan *plan = avroplan_compile(subject->our_writer, subject->our_reader, projection,
                                             random_below(2), &err);
    expect(plan);
    expect(avroplan_decode(plan, encoded, len, slots, &err));
    for (size_t i = 0; i < projection_slot_count(projection); i++, slots_compared++)
        expect(same(slots[i], wanted[i]));
    avroplan_free(plan);
    projection_free(projection);
}

static void compare_datum(const struct subject *subject)
{
    avro_value_t written, read, source;
    expect(avro_generic_value_new(subject->writer_class, &written) == 0);
    fill(&written, 0);
    avro_writer_t out = avro_writer_memory(encoded, sizeof encoded);
    expect(avro_value_write(out, &written) == 0);
    size_t len = (size_t)avro_writer_tell(out);
    avro_writer_free(out);
    expect(avro_generic_value_new(subject->reader_class, &read) == 0);
    expect(avro_resolved_writer_new_value(subject->resolver, &source) == 0);
    avro_resolved_writer_set_dest(&source, &read);
    avro_reader_t in = avro_reader_memory(encoded, (int64_t)len);
    expect(avro_value_read(in, &source) == 0);
    avro_reader_free(in);
    struct checker checker = {.next = read};
    struct avroplan_sink sink = {&checker, check_event};
    struct avro_error err;
    expect(avroplan_walk(subject->whole, encoded, len, &sink, &err));
    expect(!checker.wrong && checker.depth == 0);
    if (avro_value_get_type(&read) == AVRO_RECORD)
        compare_slots(subject, read, len);
    avro_value_decref(&source);
    avro_value_decref(&read);
    avro_value_decref(&written);
}

static struct avroschema *parse(const struct text *text, enum avroschema_use use)
{
    struct avro_error err;
    struct avroschema *schema = avroschema_parse(text->data, text->len, NULL, 0, use, &err);
    expect(schema);
    return schema;
}

static void compare_schema(unsigned datums)
{
    struct pair pair = {0};
    bool evolve = random_below(2);
    if (random_below(4))
        put_record(&pair, 0, evolve);
    else
        put_type(&pair, 0, evolve);
    struct subject s;
    struct avro_error err;
    expect(avro_schema_from_json_length(pair.writer.data, pair.writer.len, &s.writer) == 0);
    expect(avro_schema_from_json_length(pair.reader.data, pair.reader.len, &s.reader) == 0);
    s.writer_class = avro_generic_class_from_schema(s.writer);
    s.reader_class = avro_generic_class_from_schema(s.reader);
    s.resolver = avro_resolved_writer_new(s.writer, s.reader);
    expect(s.resolver);
    s.our_writer = parse(&pair.writer, AVROSCHEMA_WRITER);
    s.our_reader = parse(&pair.reader, AVROSCHEMA_READER);
    s.whole = avroplan_compile(s.our_writer, s.our_reader, NULL, true, &err);
    expect(s.whole);
    for (unsigned i = 0; i < datums; i++)
        compare_datum(&s);
    avroplan_free(s.whole);
    avroschema_free(s.our_writer);
    avroschema_free(s.our_reader);
    avro_value_iface_decref(s.resolver);
    avro_value_iface_decref(s.writer_class);
    avro_value_iface_decref(s.reader_class);
    avro_schema_decref(s.writer);
    avro_schema_decref(s.reader);
    text_free(&pair.writer);
    text_free(&pair.reader);
}

static uint64_t setting(int argc, char **argv, int index, const char *variable, uint64_t otherwise)
{
    const char *text = argc > index ? argv[index] : getenv(variable);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
    uint64_t pairs = setting(argc, argv, 1, "FRESHET_PAIRS", DEFAULT_PAIRS);
    seed = setting(argc, argv, 2, "FRESHET_SEED", 1);
    printf("seed %" PRIu64 "\n", seed);
    for (uint64_t done = 0; done < pairs; done += DATUMS_PER_SCHEMA) {
        uint64_t left = pairs - done;
        uint64_t start = seed;
        expect_context.topic = "differential";
        expect_context.offset = (long long)start; /* the seed that begins with this schema */
        compare_schema(left < DATUMS_PER_SCHEMA ? (unsigned)left : DATUMS_PER_SCHEMA);
    }
    printf("%" PRIu64 " pairs of schema and datum equal to avro-c, %lu slots\n", pairs,
           slots_compared);
    return 0;
}
