/* The visits that are going on in the made-up shop: who clicks next, on what, and what follows. */
#ifndef FRESHET_CLICKVISIT_H
#define FRESHET_CLICKVISIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clickencode.h"
#include "clickrandom.h"

enum { CLICKVISITS_MAX = 1 << 16 };

struct clickvisit {
    int64_t next_ms;
    uint32_t user; /* from 0 */
    uint32_t item;
    enum click_type type; /* of the next click */
    uint8_t device, country, agent;
    bool first, from_campaign;
};

struct clickvisits {
    struct clickrandom *random; /* borrowed */
    struct clickrandom_zipf users, items;
    int64_t thinking_ms;     /* mean time between two clicks of a visit; 0: of one click */
    struct clickvisit *heap; /* by next_ms */
    size_t count;
};

void clickvisit_init(struct clickvisits *visits, struct clickrandom *random, int64_t users,
                     double zipf, int64_t thinking_ms);
void clickvisit_fini(struct clickvisits *visits);
/* Takes the visit whose click is due at now_ms; a new one when none is. */
struct clickvisit clickvisit_next(struct clickvisits *visits, int64_t now_ms);
/* The visit's click, still without user name and event time. */
void clickvisit_click(struct clickvisits *visits, struct clickvisit *visit, double v1_share,
                      struct click *click);
/* Gives the visit back: it goes on later, or has ended. */
void clickvisit_go_on(struct clickvisits *visits, struct clickvisit visit, int64_t now_ms);

#endif
