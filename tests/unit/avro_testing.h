/* Short ways to schemas and datums for the tests of the Avro part. */
#ifndef FRESHET_AVRO_TESTING_H
#define FRESHET_AVRO_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "avroplan.h"
#include "avroschema.h"
#include "jsonout.h"
#include "text.h"

enum { TESTING_TEXT = 8192 };

/* A schema that must parse; with quotes as ' for legibility. */
static inline struct avroschema *testing_schema(const char *quoted, enum avroschema_use use)
{
    char text[TESTING_TEXT];
    size_t len = strlen(quoted);
    assert_true(len < sizeof text);
    for (size_t i = 0; i <= len; i++)
        text[i] = quoted[i] == '\'' ? '"' : quoted[i];
    struct avro_error err;
    struct avroschema *schema = avroschema_parse(text, len, NULL, 0, use, &err);
    if (!schema)
        fail_msg("%s: %s (%s)", quoted, err.message, err.path);
    return schema;
}

/* The error of a schema that must not parse, as "class: message". */
static inline const char *testing_schema_error(const char *quoted)
{
    static char line[1024];
    char text[TESTING_TEXT];
    size_t len = strlen(quoted);
    assert_true(len < sizeof text);
    for (size_t i = 0; i <= len; i++)
        text[i] = quoted[i] == '\'' ? '"' : quoted[i];
    struct avro_error err;
    struct avroschema *schema = avroschema_parse(text, len, NULL, 0, AVROSCHEMA_READER, &err);
    if (schema) {
        avroschema_free(schema);
        return "it parses";
    }
    char message[512];
    avroerror_text(&err, message, sizeof message);
    (void)snprintf(line, sizeof line, "%s: %s", avroerror_name(err.code), message);
    return line;
}

/* Bytes of hexadecimal text; blanks are for the reader. */
static inline size_t testing_hex(const char *hex, uint8_t *out, size_t max)
{
    size_t digits = 0;
    for (; *hex; hex++) {
        const char *found = strchr("0123456789abcdef", *hex);
        if (*hex == ' ')
            continue;
        assert_non_null(found);
        uint8_t value = (uint8_t)(found - "0123456789abcdef");
        assert_true(digits / 2 < max);
        out[digits / 2] = (uint8_t)(digits % 2 ? out[digits / 2] | value : value << 4);
        digits++;
    }
    assert_int_equal(digits % 2, 0);
    return digits / 2;
}

static inline void testing_report(const struct avro_error *err, char *out, size_t size)
{
    char message[512];
    avroerror_text(err, message, sizeof message);
    (void)snprintf(out, size, "%s: %s", avroerror_name(err->code), message);
}

/* A datum decoded whole: its JSON, or "class: message, at field f, at byte n". */
static inline const char *testing_walk(const char *writer, const char *reader, const void *bytes,
                                       size_t len, bool strict)
{
    static char result[1 << 16];
    struct avroschema *w = testing_schema(writer, AVROSCHEMA_WRITER);
    struct avroschema *r = testing_schema(reader, AVROSCHEMA_READER);
    struct avro_error err = {0};
    struct text json = {0};
    struct jsonout out = {.text = &json};
    struct avroplan_sink sink = jsonout_sink(&out);
    struct avroplan *plan = avroplan_compile(w, r, NULL, strict, &err);
    avroschema_free(w);
    if (plan && avroplan_walk(plan, bytes, len, &sink, &err)) {
        assert_true(json.len < sizeof result);
        memcpy(result, json.data, json.len + 1);
    } else {
        testing_report(&err, result, sizeof result);
    }
    avroplan_free(plan);
    avroschema_free(r);
    text_free(&json);
    return result;
}

static inline const char *testing_decode(const char *writer, const char *reader, const char *hex)
{
    static uint8_t bytes[TESTING_TEXT];
    /* Exactly as much memory as the datum has, so that the sanitizer sees every byte too far. */
    size_t len = testing_hex(hex, bytes, sizeof bytes);
    uint8_t *exact = test_malloc(len + !len);
    memcpy(exact, bytes, len);
    const char *result = testing_walk(writer, reader, exact, len, false);
    test_free(exact);
    return result;
}

#endif
