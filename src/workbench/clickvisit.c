/* Visits as a heap by the time of their next click, and the funnel that they go down. */
#include "clickvisit.h"
#include "pool.h"

enum {
    ITEMS = 20000,
    PAUSE_MAX_MS = 1500000, /* a long pause within a visit */
};

static bool earlier(const struct clickvisit *a, const struct clickvisit *b)
{
    return a->next_ms < b->next_ms;
}

static void push_visit(struct clickvisits *visits, struct clickvisit visit)
{
    size_t at = visits->count++;
    for (; at > 0 && earlier(&visit, &visits->heap[(at - 1) / 2]); at = (at - 1) / 2)
        visits->heap[at] = visits->heap[(at - 1) / 2];
    visits->heap[at] = visit;
}

static struct clickvisit pop_visit(struct clickvisits *visits)
{
    struct clickvisit *heap = visits->heap;
    struct clickvisit top = heap[0], moved = heap[--visits->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < visits->count; at = child) {
        if (child + 1 < visits->count && earlier(&heap[child + 1], &heap[child]))
            child++;
        if (!earlier(&heap[child], &moved))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
    return top;
}

/* A click that stands alone: in the proportions of visits, roughly. */
static enum click_type lone_type(uint64_t bits)
{
    static const enum click_type types[] = {CLICK_CLICK, CLICK_CLICK, CLICK_CLICK,
                                            CLICK_VIEW,  CLICK_VIEW,  CLICK_VIEW,
                                            CLICK_ADD_TO_CART, CLICK_PURCHASE};
    return bits & 8 ? types[bits & 7] : CLICK_IMPRESSION;
}

static struct clickvisit new_visit(struct clickvisits *visits)
{
    uint64_t bits = clickrandom_bits(visits->random);
    return (struct clickvisit){
        .user = (uint32_t)clickrandom_zipf_rank(&visits->users, visits->random) - 1,
        .type = visits->thinking_ms == 0 ? (uint8_t)lone_type(bits >> 32) : CLICK_IMPRESSION,
        .device = (uint8_t)(1 + bits % 3),
        .country = (uint8_t)(bits >> 8),
        .agent = (uint8_t)(bits >> 16),
        .first = true,
        .from_campaign = (bits >> 24) % 10 < 3,
    };
}

struct clickvisit clickvisit_next(struct clickvisits *visits, int64_t now_ms)
{
    bool due = visits->count > 0 && visits->heap[0].next_ms <= now_ms;
    if (due || visits->count == CLICKVISITS_MAX)
        return pop_visit(visits);
    return new_visit(visits);
}

/* The funnel: in what share of cases what follows; the rest end the visit. */
static enum click_type next_type(struct clickvisits *visits, enum click_type type)
{
    static const struct {
        double share[CLICK_WISHLIST + 1];
    } funnel[] = {
        [CLICK_IMPRESSION] = {{[CLICK_IMPRESSION] = 0.60, [CLICK_CLICK] = 0.28}},
        [CLICK_CLICK] = {{[CLICK_IMPRESSION] = 0.15, [CLICK_VIEW] = 0.80}},
        [CLICK_VIEW] =
            {{[CLICK_IMPRESSION] = 0.45, [CLICK_ADD_TO_CART] = 0.22, [CLICK_WISHLIST] = 0.05}},
        [CLICK_ADD_TO_CART] = {{[CLICK_IMPRESSION] = 0.35, [CLICK_PURCHASE] = 0.45}},
        [CLICK_PURCHASE] = {{[CLICK_IMPRESSION] = 0.30}},
        [CLICK_WISHLIST] = {{[CLICK_IMPRESSION] = 0.70}},
    };
    double dice = clickrandom_unit(visits->random);
    for (int next = CLICK_IMPRESSION; next <= CLICK_WISHLIST; next++) {
        dice -= funnel[type].share[next];
        if (dice < 0)
            return (enum click_type)next;
    }
    return CLICK_OTHER;
}

void clickvisit_go_on(struct clickvisits *visits, struct clickvisit visit, int64_t now_ms)
{
    visit.type = (uint8_t)next_type(visits, visit.type);
    if (visit.type == CLICK_OTHER || visits->thinking_ms == 0)
        return;
    visit.first = false;
    visit.next_ms = now_ms + 500 + (int64_t)clickrandom_exponential(visits->random,
                                                                    (double)visits->thinking_ms);
    if (clickrandom_unit(visits->random) < 0.02)
        visit.next_ms += clickrandom_below(visits->random, PAUSE_MAX_MS);
    push_visit(visits, visit);
}

void clickvisit_click(struct clickvisits *visits, struct clickvisit *visit, double v1_share,
                      struct click *click)
{
    struct clickrandom *random = visits->random;
    if (visit->type == CLICK_IMPRESSION || visit->first)
        visit->item = (uint32_t)clickrandom_zipf_rank(&visits->items, random);
    *click = (struct click){
        .writer = clickrandom_unit(random) < v1_share ? CLICK_V1 : CLICK_V2,
        .id = clickrandom_bits(random),
        .type = visit->type,
        .item = visit->item,
        .price_cents = 199 + (int64_t)(visit->item * 7919 % 39800),
        .quantity = visit->type == CLICK_PURCHASE ? 1 + (int)clickrandom_below(random, 3) : 1,
        .first_of_visit = visit->first,
        .device = visit->device,
        .country = visit->country,
        .agent = visit->agent,
        .position = visit->type == CLICK_IMPRESSION ? (int)clickrandom_below(random, 20) : -1,
        .from_campaign = visit->from_campaign,
    };
    if (click->type == CLICK_WISHLIST && click->writer == CLICK_V2)
        click->type = CLICK_VIEW;
    if (click->type == CLICK_IMPRESSION && click->id % 8 == 0)
        click->price_cents = -1;
}

void clickvisit_init(struct clickvisits *visits, struct clickrandom *random, int64_t users,
                     double zipf, int64_t thinking_ms)
{
    *visits = (struct clickvisits){.random = random, .thinking_ms = thinking_ms};
    clickrandom_zipf_init(&visits->users, users, zipf);
    clickrandom_zipf_init(&visits->items, ITEMS, 1);
    visits->heap = memory_alloc((CLICKVISITS_MAX + 1) * sizeof *visits->heap);
}

void clickvisit_fini(struct clickvisits *visits)
{
    memory_free(visits->heap);
}
