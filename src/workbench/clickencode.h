/* One click of the made-up shop, as Avro of either writer schema and as JSON. */
#ifndef FRESHET_CLICKENCODE_H
#define FRESHET_CLICKENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

/* schemas/click.avsc and schemas/click-v1.avsc. */
enum click_writer { CLICK_V2, CLICK_V1 };

/* Numbered as in click.avsc; a wishlist click is known to the older writer only. */
enum click_type {
    CLICK_OTHER,
    CLICK_IMPRESSION,
    CLICK_CLICK,
    CLICK_VIEW,
    CLICK_ADD_TO_CART,
    CLICK_PURCHASE,
    CLICK_WISHLIST,
};

struct click {
    enum click_writer writer;
    uint64_t id;
    const char *user; /* "" for a click without a user; at most 63 bytes */
    int64_t event_time_ms;
    enum click_type type;
    uint32_t item;       /* 0: none */
    int64_t price_cents; /* -1: none */
    int32_t quantity;
    bool first_of_visit;
    uint8_t device; /* 1..3 */
    uint8_t country;
    uint8_t agent;
    int32_t position; /* -1: none */
    bool from_campaign;
};

/* The datum without framing. */
void clickencode_avro(struct text *out, const struct click *click);
/* As the reader schema sees it: the members of an object, without braces. */
void clickencode_json(struct text *out, const struct click *click);

/* Where in the datum the user id and the event time begin, for damaging it. */
struct clickencode_places {
    size_t user;
    size_t event_time;
};
struct clickencode_places clickencode_places(const struct click *click);

#endif
