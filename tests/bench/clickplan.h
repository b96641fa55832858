/* The daemon's decode plan for 8 of the 15 fields of schemas/click.avsc. */
#ifndef FRESHET_BENCH_CLICKPLAN_H
#define FRESHET_BENCH_CLICKPLAN_H

#include <stddef.h>
#include <stdint.h>

#include "avroplan.h"
#include "avroschema.h"
#include "projection.h"
#include "value.h"

/* Slots, in the order of the paths in clickplan.c. */
enum clickplan_slot {
    CLICKPLAN_ID,
    CLICKPLAN_USER,
    CLICKPLAN_TIME,
    CLICKPLAN_TYPE,
    CLICKPLAN_ITEM,
    CLICKPLAN_PRICE,
    CLICKPLAN_QUANTITY,
    CLICKPLAN_URL,
    CLICKPLAN_SLOTS,
};

struct clickplan {
    struct avroschema *schema;
    struct projection *projection;
    struct avroplan *plan;
};

void clickplan_open(struct clickplan *self);
void clickplan_close(struct clickplan *self);

/* What the decoded values amount to: a fast wrong answer must not look good. */
static inline uint64_t clickplan_digest(uint64_t sum, const struct value *slots)
{
    for (int i = 0; i < CLICKPLAN_SLOTS; i++) {
        bool is_text = slots[i].type == VALUE_STRING;
        sum = sum * 31 + (is_text ? (uint64_t)slots[i].len + (uint8_t)slots[i].s[slots[i].len - 1]
                                  : (uint64_t)slots[i].i);
    }
    return sum;
}

#endif
