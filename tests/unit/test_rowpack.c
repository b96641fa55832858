/* Layout packed: the bytes of every type of value; reading gives what layout hash shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "avrofingerprint.h"
#include "rowavro.h"
#include "rowhash.h"
#include "rowpack.h"

enum { FEATURES = 12 };

static const struct value strings[] = {
    {.s = "a\"b", .len = 3, .type = VALUE_STRING},
    {.s = "\xc3\xa9\n", .len = 3, .type = VALUE_STRING},
};
static const struct value blobs[] = {{.s = "\xff" "A", .len = 2, .type = VALUE_BYTES}};
static const struct value by_text[] = {
    {.s = "a\"b", .len = 3, .type = VALUE_STRING}, {.d = 0.25, .type = VALUE_DOUBLE},
    {.s = "x", .len = 1, .type = VALUE_STRING},    {.i = 3, .type = VALUE_LONG},
};
static const struct value by_bool[] = {
    {.i = 0, .type = VALUE_BOOL}, {.i = 1, .type = VALUE_BOOL},
    {.i = 1, .type = VALUE_BOOL}, {.i = 0, .type = VALUE_BOOL},
};
static const struct value by_bytes[] = {
    {.s = "\xfe", .len = 1, .type = VALUE_BYTES}, {.s = "s", .len = 1, .type = VALUE_STRING},
};

static struct feature features[FEATURES] = {
    {.name = "count", .kind.type = VALUE_LONG, .by = -1},
    {.name = "mean", .kind.type = VALUE_DOUBLE, .by = -1},
    {.name = "whole", .kind.type = VALUE_DOUBLE, .by = -1},
    {.name = "open", .kind.type = VALUE_BOOL, .by = -1},
    {.name = "last", .kind.type = VALUE_STRING, .by = -1},
    {.name = "blob", .kind.type = VALUE_BYTES, .by = -1},
    {.name = "recent", .kind.type = VALUE_STRING, .is_list = true, .by = -1},
    {.name = "blobs", .kind.type = VALUE_BYTES, .is_list = true, .by = -1},
    {.name = "none", .kind.type = VALUE_LONG, .is_list = true, .by = -1},
    {.name = "sums", .kind.type = VALUE_DOUBLE, .by = 0},
    {.name = "flags", .kind.type = VALUE_BOOL, .by = 0},
    {.name = "labels", .kind.type = VALUE_STRING, .by = 0},
};
static const struct feature_set set = {
    .features = features, .count = FEATURES, .version = 0x0123456789abcdefu};
static const struct value values[FEATURES] = {
    {.i = -42, .type = VALUE_LONG},
    {.d = 19.99, .type = VALUE_DOUBLE},
    {.i = 25, .type = VALUE_LONG}, /* where the schema has a double */
    {.i = 1, .type = VALUE_BOOL},
    {.s = "caf\xc3\xa9", .len = 5, .type = VALUE_STRING},
    {.s = "\0\r\n", .len = 3, .type = VALUE_BYTES},
    {.items = strings, .len = 2, .type = VALUE_LIST},
    {.items = blobs, .len = 1, .type = VALUE_LIST},
    {.items = NULL, .len = 0, .type = VALUE_LIST},
    {.items = by_text, .len = 2, .type = VALUE_MAP},
    {.items = by_bool, .len = 2, .type = VALUE_MAP},
    {.items = by_bytes, .len = 1, .type = VALUE_MAP},
};

static struct row sample(void)
{
    return (struct row){.key = "u1", .key_len = 2, .partition = 3, .offset = 1234567,
                        .as_of = {1700000000000}, .rev = 2, .set = &set, .values = values};
}

/* The row's record within its arguments; checks flag and framing. */
static const char *record_of(const struct row *row, char flag, struct text *out, size_t *len)
{
    struct rowpack pack;
    text_clear(out);
    rowpack_init(&pack, row->set);
    rowpack_append(&pack, row, out);
    rowpack_fini(&pack);
    char *end;
    assert_memory_equal(out->data, "$1\r\n", 4);
    assert_int_equal(out->data[4], flag);
    assert_memory_equal(out->data + 5, "\r\n$", 3);
    *len = strtoul(out->data + 8, &end, 10);
    assert_memory_equal(end, "\r\n", 2);
    assert_int_equal(out->len, (size_t)(end + 2 - out->data) + *len + 2);
    return end + 2;
}

static void bytes_of_a_record(void **state)
{
    (void)state;
    static struct feature few[] = {
        {.name = "n", .kind.type = VALUE_LONG, .by = -1},
        {.name = "x", .kind.type = VALUE_DOUBLE, .by = -1},
        {.name = "m", .kind.type = VALUE_LONG, .by = 0},
    };
    static const struct value pair[] = {{.s = "k", .len = 1, .type = VALUE_STRING},
                                        {.i = 300, .type = VALUE_LONG}};
    static const struct value some[] = {
        {.i = -2, .type = VALUE_LONG},
        {.type = VALUE_NULL},
        {.items = pair, .len = 1, .type = VALUE_MAP},
    };
    struct feature_set three = {.features = few, .count = 3, .version = 0xfeed};
    struct row row = {.partition = 5, .offset = 64, .as_of = {-1}, .rev = 1, .set = &three,
                      .values = some, .warming = "n"};
    struct text out = {0};
    rowavro_record(&row, &out);
    static const char expected[] = "\x01\x0a\x02\x80\x01\x20" "000000000000feed" "\x02\x02n"
                                   "\x02\x03" "\x00" "\x02\x02\x02k\xd8\x04\x00";
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.len);
    text_free(&out);
}

static void framing_names_the_schema(void **state)
{
    (void)state;
    struct row row = sample();
    struct text out = {0}, json = {0};
    struct avro_error err;
    size_t len;
    const char *record = record_of(&row, '0', &out, &len);
    rowavro_schema(&set, &json);
    struct avroschema *schema =
        avroschema_parse(json.data, json.len, NULL, 0, AVROSCHEMA_WRITER, &err);
    assert_non_null(schema);
    uint64_t fingerprint = avrofingerprint_of(schema);
    assert_memory_equal(record, "\xc3\x01", 2);
    for (int i = 0; i < 8; i++)
        assert_int_equal((uint8_t)record[2 + i], fingerprint >> 8 * i & 0xff);
    avroschema_free(schema);

    row.expire = true;
    record_of(&row, '1', &out, &len);
    row.removed = true;
    row.values = NULL;
    record_of(&row, '2', &out, &len);
    assert_int_equal(len, 0);
    text_free(&out);
    text_free(&json);
}

/* ---- read again ---- */

struct told {
    struct text text; /* name=value; of each field */
};

static void put_field(void *context, const char *name, const char *value, size_t len)
{
    struct told *told = context;
    text_printf(&told->text, "%s=", name);
    text_append(&told->text, value, len);
    text_append_char(&told->text, ';');
}

#define COMMON "_as_of=1700000000000;_p=3;_rev=2;_o=1234567;_v=0123456789abcdef;"

static void reads_what_hash_shows(void **state)
{
    (void)state;
    struct row row = sample();
    struct text out = {0};
    struct told told = {0}, wanted = {0};
    struct rowpack_reader reader;
    size_t len;
    const char *record = record_of(&row, '0', &out, &len);
    rowpack_reader_init(&reader, &set);
    assert_int_equal(rowpack_read(&reader, record, len, put_field, &told), ROWPACK_READ);
    text_append_string(&wanted.text, COMMON);
    struct text shown = {0};
    for (int i = 0; i < FEATURES; i++) {
        text_clear(&shown);
        rowhash_append_value(&values[i], &shown);
        put_field(&wanted, features[i].name, shown.data, shown.len);
    }
    assert_int_equal(told.text.len, wanted.text.len);
    assert_memory_equal(told.text.data, wanted.text.data, wanted.text.len);

    /* Null features are not told; _w is, when it is there. */
    static const struct value nothing[FEATURES];
    row.values = nothing;
    row.warming = "count,mean";
    record = record_of(&row, '0', &out, &len);
    text_clear(&told.text);
    assert_int_equal(rowpack_read(&reader, record, len, put_field, &told), ROWPACK_READ);
    assert_string_equal(told.text.data, COMMON "_w=count,mean;");
    rowpack_reader_fini(&reader);
    text_free(&out);
    text_free(&shown);
    text_free(&told.text);
    text_free(&wanted.text);
}

static void another_schema_and_no_row(void **state)
{
    (void)state;
    struct row row = sample();
    struct text out = {0};
    struct told told = {0};
    struct rowpack_reader reader;
    struct feature_set fewer = set;
    size_t len;
    fewer.count = 3;
    const char *record = record_of(&row, '0', &out, &len);
    rowpack_reader_init(&reader, &fewer);
    assert_int_equal(rowpack_read(&reader, record, len, put_field, &told), ROWPACK_OTHER);
    assert_string_equal(told.text.data, COMMON);
    assert_int_equal(rowpack_read(&reader, record, 12, put_field, &told), ROWPACK_NO_ROW);
    assert_int_equal(rowpack_read(&reader, "a string", 8, put_field, &told), ROWPACK_NO_ROW);
    assert_int_equal(rowpack_read(&reader, "", 0, put_field, &told), ROWPACK_NO_ROW);
    rowpack_reader_fini(&reader);

    /* A byte too many or too few is no row of ours either. */
    rowpack_reader_init(&reader, &set);
    assert_int_equal(rowpack_read(&reader, record, len - 1, put_field, &told), ROWPACK_NO_ROW);
    assert_int_equal(rowpack_read(&reader, record, len + 1, put_field, &told), ROWPACK_NO_ROW);
    rowpack_reader_fini(&reader);
    text_free(&out);
    text_free(&told.text);
}

static void long_texts_have_room(void **state)
{
    (void)state;
    enum { LEN = 50000 };
    char *bytes = malloc(LEN);
    memset(bytes, 0xff, LEN);
    struct value items[] = {{.s = bytes, .len = LEN, .type = VALUE_BYTES},
                            {.s = bytes, .len = LEN, .type = VALUE_BYTES}};
    struct value many[FEATURES];
    for (int i = 0; i < FEATURES; i++)
        many[i] = i < 9 ? items[0]
                        : (struct value){.items = items, .len = 1, .type = VALUE_MAP};
    struct row row = sample();
    row.values = many;
    struct text out = {0};
    rowavro_record(&row, &out); /* under ASan: writes stay in the reserved room */
    assert_true(out.len > 9 * LEN + 3 * 3 * LEN);
    text_free(&out);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_a_record),
        cmocka_unit_test(framing_names_the_schema),
        cmocka_unit_test(reads_what_hash_shows),
        cmocka_unit_test(another_schema_and_no_row),
        cmocka_unit_test(long_texts_have_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
