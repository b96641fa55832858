/* A small reader schema for tests of expressions and features, without a codec. */
#ifndef FAKE_FIELDS_H
#define FAKE_FIELDS_H

#include <stdio.h>
#include <string.h>

#include "fieldspace.h"

enum {
    FAKE_EVENT_TYPE,
    FAKE_ITEM_ID,
    FAKE_PRICE,
    FAKE_QUANTITY,
    FAKE_URL,
    FAKE_FLAG,
    FAKE_MAYBE,
    FAKE_RAW,
    FAKE_UTM,
    FAKE_SKU,
    FAKE_COUNT_OF
};

static const struct {
    const char *path;
    struct value_kind kind;
} fake_fields[FAKE_COUNT_OF] = {
    [FAKE_EVENT_TYPE] = {"event_type", {VALUE_STRING, false}},
    [FAKE_ITEM_ID] = {"item_id", {VALUE_STRING, true}},
    [FAKE_PRICE] = {"price", {VALUE_DOUBLE, true}},
    [FAKE_QUANTITY] = {"quantity", {VALUE_LONG, false}},
    [FAKE_URL] = {"page.url", {VALUE_STRING, false}},
    [FAKE_FLAG] = {"flag", {VALUE_BOOL, false}},
    [FAKE_MAYBE] = {"maybe", {VALUE_BOOL, true}},
    [FAKE_RAW] = {"raw", {VALUE_BYTES, false}},
    [FAKE_UTM] = {"props[\"a \\\"b\"]", {VALUE_STRING, true}},
    [FAKE_SKU] = {"items[0].sku", {VALUE_STRING, true}},
};

static inline int fake_resolve(void *self, const char *path, size_t path_len,
                               struct value_kind *kind, char *err, size_t err_size)
{
    (void)self;
    for (int k = 0; k < FAKE_COUNT_OF; k++) {
        if (strlen(fake_fields[k].path) == path_len &&
            memcmp(fake_fields[k].path, path, path_len) == 0) {
            *kind = fake_fields[k].kind;
            return k;
        }
    }
    snprintf(err, err_size, "no field `%.*s` in the reader schema", (int)path_len, path);
    return -1;
}

static inline struct fieldspace fake_fieldspace(void)
{
    return (struct fieldspace){NULL, fake_resolve};
}

#endif
