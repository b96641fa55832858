/* The number of different values: their hashes, then a HyperLogLog sketch. */
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "operator_private.h"

enum { DISTINCT_FIRST_CAPACITY = 4 };

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

static void distinct_add_hash(struct pool *pool, struct acc_distinct *set, uint64_t hash)
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

void distinct_add(struct pool *pool, struct acc_distinct *set, const struct value *value)
{
    char scratch[8];
    size_t len;
    const void *bytes = value_canonical(value, scratch, &len);
    distinct_add_hash(pool, set, hash_bytes(bytes, len));
}

void distinct_release(struct pool *pool, struct acc_distinct *set)
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

void distinct_merge(struct pool *pool, struct acc_distinct *dst, struct acc_distinct *src)
{
    if (distinct_is_sketch(src)) {
        if (!distinct_is_sketch(dst))
            distinct_to_sketch(pool, dst);
        sketch_union(dst->registers, src);
    } else {
        for (uint32_t k = 0; k < src->count; k++)
            distinct_add_hash(pool, dst, src->members[k]);
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
        const struct acc_distinct *set = source_at(feature, bases, k);
        if (distinct_is_sketch(set))
            return OPERATOR_DISTINCT_EXACT_MAX + 1;
        total += set->count;
    }
    uint64_t *all = arena_alloc(arena, (total + 1) * sizeof *all);
    size_t n = 0;
    for (int k = 0; k < count; k++) {
        const struct acc_distinct *set = source_at(feature, bases, k);
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

int64_t distinct_result(const struct feature *feature, const char *const *bases, int count,
                        struct arena *arena)
{
    if (count == 1) {
        const struct acc_distinct *set = source_at(feature, bases, 0);
        return distinct_is_sketch(set) ? sketch_estimate(set->registers) : set->count;
    }
    uint32_t exact = distinct_exact(feature, bases, count, arena);
    if (exact <= OPERATOR_DISTINCT_EXACT_MAX)
        return exact;
    uint8_t *registers = arena_alloc(arena, OPERATOR_HLL_REGISTERS);
    memset(registers, 0, OPERATOR_HLL_REGISTERS);
    for (int k = 0; k < count; k++)
        sketch_union(registers, source_at(feature, bases, k));
    return sketch_estimate(registers);
}
