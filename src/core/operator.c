/* Adding, merging and reading accumulators; one small family of functions an accumulator type. */
#include "operator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "expr.h"
#include "hash.h"
#include "held.h"

__extension__ typedef __int128 wide; /* totals of sums */
__extension__ typedef unsigned __int128 wide_bits;

#define SUM_UNIT      0x1p-40 /* doubles are summed as multiples of this */
#define SUM_ADDEND_MAX 0x1p62 /* so that 2^25 of the greatest fit */

enum { LIST_FIRST_CAPACITY = 2, DISTINCT_FIRST_CAPACITY = 4 };

static bool order_before(struct event_order a, struct event_order b)
{
    return a.ts_ms != b.ts_ms ? a.ts_ms < b.ts_ms : a.offset < b.offset;
}

static struct event_order entry_order(const struct entry *entry)
{
    return (struct event_order){entry->ts_ms, entry->offset};
}

double operator_round12(double number)
{
    if (!isfinite(number) || number == 0)
        return number;
    char text[32];
    snprintf(text, sizeof text, "%.11e", number);
    return strtod(text, NULL);
}

/* ---- sums ---- */

static wide sum_total(const struct acc_sum *sum)
{
    return (wide)(((wide_bits)(uint64_t)sum->high << 64) | sum->low);
}

static void sum_set(struct acc_sum *sum, wide total)
{
    sum->low = (uint64_t)total;
    sum->high = (int64_t)(total >> 64);
}

static bool sum_add(struct acc_sum *sum, const struct value *value)
{
    bool within = true;
    wide addend = value->i;
    if (value->type == VALUE_DOUBLE) {
        double d = value->d;
        within = fabs(d) <= SUM_ADDEND_MAX;
        if (!within)
            d = copysign(SUM_ADDEND_MAX, d);
        addend = (wide)rint(d / SUM_UNIT);
    }
    sum_set(sum, sum_total(sum) + addend);
    sum->n++;
    return within;
}

static struct value sum_result(const struct feature *feature, const char *const *bases, int count)
{
    wide total = 0;
    uint64_t n = 0;
    for (int k = 0; k < count; k++) {
        const struct acc_sum *sum = (const void *)(bases[k] + feature->acc_offset);
        total += sum_total(sum);
        n += sum->n;
    }
    if (n == 0)
        return value_null();
    double shown = (double)total * (feature->of_long ? 1 : SUM_UNIT);
    if (feature->op == OPERATOR_MEAN)
        return value_double(shown / (double)n);
    if (!feature->of_long)
        return value_double(shown);
    if (total > INT64_MAX)
        return value_long(INT64_MAX);
    return value_long(total < INT64_MIN ? INT64_MIN : (int64_t)total);
}

/* ---- extremes ---- */

static bool extreme_beats(const struct feature *feature, const struct acc_extreme *held,
                          const struct acc_extreme *other)
{
    bool less = feature->of_long ? other->i < held->i : other->d < held->d;
    bool greater = feature->of_long ? other->i > held->i : other->d > held->d;
    return feature->op == OPERATOR_MIN ? less : greater;
}

static void extreme_absorb(const struct feature *feature, struct acc_extreme *held,
                           const struct acc_extreme *other)
{
    if (other->n == 0)
        return;
    if (held->n == 0 || extreme_beats(feature, held, other))
        held->i = other->i;
    held->n += other->n;
}

/* ---- first and last ---- */

static bool edge_wanted(const struct feature *feature, const struct acc_edge *edge,
                        struct event_order order)
{
    if (edge->entry.value.type == VALUE_NULL)
        return true;
    return feature->op == OPERATOR_FIRST ? order_before(order, entry_order(&edge->entry))
                                         : order_before(entry_order(&edge->entry), order);
}

static void edge_add(struct pool *pool, const struct feature *feature, struct acc_edge *edge,
                     const struct value *value, struct event_order order)
{
    if (!edge_wanted(feature, edge, order))
        return;
    held_release(pool, &edge->entry.value);
    edge->entry = (struct entry){order.ts_ms, order.offset, held_copy(pool, value)};
}

static void edge_merge(struct pool *pool, const struct feature *feature, struct acc_edge *dst,
                       struct acc_edge *src)
{
    if (src->entry.value.type == VALUE_NULL || !edge_wanted(feature, dst, entry_order(&src->entry)))
        return;
    held_release(pool, &dst->entry.value);
    *dst = *src;
    *src = (struct acc_edge){0};
}

static struct value edge_result(const struct feature *feature, const char *const *bases, int count)
{
    const struct acc_edge *best = NULL;
    for (int k = 0; k < count; k++) {
        const struct acc_edge *edge = (const void *)(bases[k] + feature->acc_offset);
        if (edge->entry.value.type == VALUE_NULL)
            continue;
        if (!best || edge_wanted(feature, best, entry_order(&edge->entry)))
            best = edge;
    }
    return best ? held_view(&best->entry.value) : value_null();
}

/* ---- lists ---- */

static void list_remove(struct pool *pool, struct acc_list *list, uint32_t at)
{
    held_release(pool, &list->entries[at].value);
    list->count--;
    memmove(&list->entries[at], &list->entries[at + 1],
            (list->count - at) * sizeof list->entries[0]);
}

static void list_make_room(struct pool *pool, const struct feature *feature, struct acc_list *list)
{
    if (list->count < list->capacity)
        return;
    if (list->capacity == feature->count) {
        list_remove(pool, list, list->count - 1);
        return;
    }
    uint32_t capacity = list->capacity ? 2 * list->capacity : LIST_FIRST_CAPACITY;
    if (capacity > feature->count)
        capacity = feature->count;
    list->entries = pool_resize(pool, list->entries, list->capacity * sizeof list->entries[0],
                                capacity * sizeof list->entries[0]);
    list->capacity = capacity;
}

/* Entries stand newest first. An entry that is pushed out never comes back: those before it only
 * get newer. */
static void list_add(struct pool *pool, const struct feature *feature, struct acc_list *list,
                     const struct value *value, struct event_order order)
{
    if (feature->op == OPERATOR_LAST_DISTINCT) {
        for (uint32_t k = 0; k < list->count; k++) {
            if (!held_equals(&list->entries[k].value, value))
                continue;
            if (!order_before(entry_order(&list->entries[k]), order))
                return;
            list_remove(pool, list, k);
            break;
        }
    }
    uint32_t at = 0;
    while (at < list->count && order_before(order, entry_order(&list->entries[at])))
        at++;
    if (at == feature->count)
        return;
    list_make_room(pool, feature, list);
    memmove(&list->entries[at + 1], &list->entries[at],
            (list->count - at) * sizeof list->entries[0]);
    list->entries[at] = (struct entry){order.ts_ms, order.offset, held_copy(pool, value)};
    list->count++;
}

static void list_release(struct pool *pool, struct acc_list *list)
{
    while (list->count)
        list_remove(pool, list, list->count - 1);
    pool_free(pool, list->entries, list->capacity * sizeof list->entries[0]);
    *list = (struct acc_list){0};
}

static void list_merge(struct pool *pool, const struct feature *feature, struct acc_list *dst,
                       struct acc_list *src)
{
    for (uint32_t k = 0; k < src->count; k++) {
        struct value value = held_view(&src->entries[k].value);
        list_add(pool, feature, dst, &value, entry_order(&src->entries[k]));
    }
    list_release(pool, src);
}

static bool list_shows(const struct value *items, uint32_t count, const struct held_value *held)
{
    for (uint32_t k = 0; k < count; k++)
        if (held_equals(held, &items[k]))
            return true;
    return false;
}

static struct value list_result(const struct feature *feature, const char *const *bases, int count,
                                struct arena *arena)
{
    uint32_t *next = arena_alloc(arena, (size_t)count * sizeof *next);
    memset(next, 0, (size_t)count * sizeof *next);
    struct value *items = arena_alloc(arena, feature->count * sizeof *items);
    uint32_t taken = 0;
    while (taken < feature->count) {
        const struct entry *newest = NULL;
        int from = 0;
        for (int k = 0; k < count; k++) {
            const struct acc_list *list = (const void *)(bases[k] + feature->acc_offset);
            if (next[k] == list->count)
                continue;
            const struct entry *entry = &list->entries[next[k]];
            if (!newest || order_before(entry_order(newest), entry_order(entry))) {
                newest = entry;
                from = k;
            }
        }
        if (!newest)
            break;
        next[from]++;
        if (feature->op == OPERATOR_LAST_DISTINCT && list_shows(items, taken, &newest->value))
            continue;
        items[taken++] = held_view(&newest->value);
    }
    if (taken == 0)
        return value_null();
    return (struct value){.items = items, .len = taken, .type = VALUE_LIST};
}

/* ---- distinct ---- */

static bool distinct_is_sketch(const struct acc_distinct *set)
{
    return set->capacity == 0 && set->registers;
}

static void sketch_add(uint8_t *registers, uint64_t hash)
{
    uint64_t rest = hash << OPERATOR_HLL_BITS;
    uint8_t rank = rest ? (uint8_t)(1 + __builtin_clzll(rest)) : 64 - OPERATOR_HLL_BITS + 1;
    uint8_t *held = &registers[hash >> (64 - OPERATOR_HLL_BITS)];
    if (rank > *held)
        *held = rank;
}

static void distinct_to_sketch(struct pool *pool, struct acc_distinct *set)
{
    uint8_t *registers = pool_alloc(pool, OPERATOR_HLL_REGISTERS);
    for (uint32_t k = 0; k < set->count; k++)
        sketch_add(registers, set->members[k]);
    pool_free(pool, set->members, set->capacity * sizeof set->members[0]);
    *set = (struct acc_distinct){.registers = registers};
}

static void distinct_add(struct pool *pool, struct acc_distinct *set, uint64_t hash)
{
    if (distinct_is_sketch(set)) {
        sketch_add(set->registers, hash);
        return;
    }
    uint32_t low = 0;
    uint32_t high = set->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (set->members[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < set->count && set->members[low] == hash)
        return;
    if (set->count == OPERATOR_DISTINCT_EXACT_MAX) {
        distinct_to_sketch(pool, set);
        sketch_add(set->registers, hash);
        return;
    }
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity ? 2 * set->capacity : DISTINCT_FIRST_CAPACITY;
        set->members = pool_resize(pool, set->members, set->capacity * sizeof set->members[0],
                                   capacity * sizeof set->members[0]);
        set->capacity = capacity;
    }
    memmove(&set->members[low + 1], &set->members[low],
            (set->count - low) * sizeof set->members[0]);
    set->members[low] = hash;
    set->count++;
}

static void distinct_release(struct pool *pool, struct acc_distinct *set)
{
    if (distinct_is_sketch(set))
        pool_free(pool, set->registers, OPERATOR_HLL_REGISTERS);
    else
        pool_free(pool, set->members, set->capacity * sizeof set->members[0]);
    *set = (struct acc_distinct){0};
}

static void sketch_union(uint8_t *into, const struct acc_distinct *set)
{
    if (!distinct_is_sketch(set)) {
        for (uint32_t k = 0; k < set->count; k++)
            sketch_add(into, set->members[k]);
        return;
    }
    for (int k = 0; k < OPERATOR_HLL_REGISTERS; k++)
        if (set->registers[k] > into[k])
            into[k] = set->registers[k];
}

static void distinct_merge(struct pool *pool, struct acc_distinct *dst, struct acc_distinct *src)
{
    if (distinct_is_sketch(src)) {
        if (!distinct_is_sketch(dst))
            distinct_to_sketch(pool, dst);
        sketch_union(dst->registers, src);
    } else {
        for (uint32_t k = 0; k < src->count; k++)
            distinct_add(pool, dst, src->members[k]);
    }
    distinct_release(pool, src);
}

/* Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog", 2007, with linear counting for few. */
static int64_t sketch_estimate(const uint8_t *registers)
{
    const double m = OPERATOR_HLL_REGISTERS;
    double inverse = 0;
    int zeros = 0;
    for (int k = 0; k < OPERATOR_HLL_REGISTERS; k++) {
        inverse += ldexp(1, -registers[k]);
        zeros += registers[k] == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / inverse;
    if (estimate <= 2.5 * m && zeros > 0)
        estimate = m * log(m / zeros);
    return (int64_t)rint(operator_round12(estimate));
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* How many members the exact sets hold together, or a number beyond the exact maximum. */
static uint32_t distinct_exact(const struct feature *feature, const char *const *bases, int count,
                               struct arena *arena)
{
    size_t total = 0;
    for (int k = 0; k < count; k++) {
        const struct acc_distinct *set = (const void *)(bases[k] + feature->acc_offset);
        if (distinct_is_sketch(set))
            return OPERATOR_DISTINCT_EXACT_MAX + 1;
        total += set->count;
    }
    uint64_t *all = arena_alloc(arena, (total + 1) * sizeof *all);
    size_t n = 0;
    for (int k = 0; k < count; k++) {
        const struct acc_distinct *set = (const void *)(bases[k] + feature->acc_offset);
        if (set->count)
            memcpy(all + n, set->members, set->count * sizeof *all);
        n += set->count;
    }
    qsort(all, n, sizeof *all, compare_hashes);
    uint32_t different = 0;
    for (size_t k = 0; k < n; k++)
        different += k == 0 || all[k] != all[k - 1];
    return different;
}

static int64_t distinct_result(const struct feature *feature, const char *const *bases, int count,
                               struct arena *arena)
{
    if (count == 1) {
        const struct acc_distinct *set = (const void *)(bases[0] + feature->acc_offset);
        return distinct_is_sketch(set) ? sketch_estimate(set->registers) : set->count;
    }
    uint32_t exact = distinct_exact(feature, bases, count, arena);
    if (exact <= OPERATOR_DISTINCT_EXACT_MAX)
        return exact;
    uint8_t *registers = arena_alloc(arena, OPERATOR_HLL_REGISTERS);
    memset(registers, 0, OPERATOR_HLL_REGISTERS);
    for (int k = 0; k < count; k++)
        sketch_union(registers, (const void *)(bases[k] + feature->acc_offset));
    return sketch_estimate(registers);
}

/* ---- by operator ---- */

bool operator_add(struct pool *pool, const struct feature *feature, void *acc,
                  const struct value *value, struct event_order order)
{
    switch (feature->op) {
    case OPERATOR_COUNT:
        ((struct acc_count *)acc)->n++;
        return true;
    case OPERATOR_SUM:
    case OPERATOR_MEAN:
        return sum_add(acc, value);
    case OPERATOR_MIN:
    case OPERATOR_MAX:
        extreme_absorb(feature, acc, &(struct acc_extreme){.i = value->i, .n = 1});
        return true;
    case OPERATOR_FIRST:
    case OPERATOR_LAST:
        edge_add(pool, feature, acc, value, order);
        return true;
    case OPERATOR_LAST_N:
    case OPERATOR_LAST_DISTINCT:
        list_add(pool, feature, acc, value, order);
        return true;
    case OPERATOR_DISTINCT: {
        char scratch[8];
        size_t len;
        const void *bytes = value_canonical(value, scratch, &len);
        distinct_add(pool, acc, hash_bytes(bytes, len));
        return true;
    }
    default:
        unreachable("operator folds nothing");
    }
}

void operator_merge(struct pool *pool, const struct feature *feature, void *dst, void *src)
{
    switch (feature->op) {
    case OPERATOR_COUNT:
        ((struct acc_count *)dst)->n += ((struct acc_count *)src)->n;
        break;
    case OPERATOR_SUM:
    case OPERATOR_MEAN:
        sum_set(dst, sum_total(dst) + sum_total(src));
        ((struct acc_sum *)dst)->n += ((struct acc_sum *)src)->n;
        break;
    case OPERATOR_MIN:
    case OPERATOR_MAX:
        extreme_absorb(feature, dst, src);
        break;
    case OPERATOR_FIRST:
    case OPERATOR_LAST:
        edge_merge(pool, feature, dst, src);
        break;
    case OPERATOR_LAST_N:
    case OPERATOR_LAST_DISTINCT:
        list_merge(pool, feature, dst, src);
        break;
    case OPERATOR_DISTINCT:
        distinct_merge(pool, dst, src);
        break;
    default:
        unreachable("operator folds nothing");
    }
    operator_release(pool, feature, src);
}

void operator_release(struct pool *pool, const struct feature *feature, void *acc)
{
    switch (feature->op) {
    case OPERATOR_FIRST:
    case OPERATOR_LAST:
        held_release(pool, &((struct acc_edge *)acc)->entry.value);
        break;
    case OPERATOR_LAST_N:
    case OPERATOR_LAST_DISTINCT:
        list_release(pool, acc);
        break;
    case OPERATOR_DISTINCT:
        distinct_release(pool, acc);
        break;
    default:
        break;
    }
    memset(acc, 0, operator_rows[feature->op].acc_bytes);
}

struct value operator_result(const struct feature *feature, const char *const *bases, int count,
                             struct arena *arena, bool *nothing)
{
    struct value value = value_null();
    switch (feature->op) {
    case OPERATOR_COUNT: {
        uint64_t n = 0;
        for (int k = 0; k < count; k++)
            n += ((const struct acc_count *)(const void *)(bases[k] + feature->acc_offset))->n;
        value = value_long((int64_t)n);
        *nothing = n == 0;
        return value;
    }
    case OPERATOR_SUM:
    case OPERATOR_MEAN:
        value = sum_result(feature, bases, count);
        break;
    case OPERATOR_MIN:
    case OPERATOR_MAX: {
        struct acc_extreme all = {0};
        for (int k = 0; k < count; k++)
            extreme_absorb(feature, &all, (const void *)(bases[k] + feature->acc_offset));
        if (all.n)
            value = feature->of_long ? value_long(all.i) : value_double(all.d);
        break;
    }
    case OPERATOR_FIRST:
    case OPERATOR_LAST:
        value = edge_result(feature, bases, count);
        break;
    case OPERATOR_LAST_N:
    case OPERATOR_LAST_DISTINCT:
        value = list_result(feature, bases, count, arena);
        break;
    case OPERATOR_DISTINCT:
        value = value_long(distinct_result(feature, bases, count, arena));
        *nothing = value.i == 0;
        return value;
    default:
        unreachable("operator folds nothing");
    }
    *nothing = value.type == VALUE_NULL;
    if (*nothing && feature->op == OPERATOR_SUM)
        value = feature->of_long ? value_long(0) : value_double(0);
    return value;
}
