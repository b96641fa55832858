/* Operators without any cleverness: each as it is written, quadratic where that is plainest. */
#include "naive_fold.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 wide;

/* "%.12g" read back: what passes through libm is stated to 12 digits. */
static double digits12(double number)
{
    char text[40];
    snprintf(text, sizeof text, "%.12g", number);
    return strtod(text, NULL);
}

static double as_double(const struct value *value)
{
    return value->type == VALUE_DOUBLE ? value->d : (double)value->i;
}

bool naive_same(const struct value *a, const struct value *b)
{
    if (a->type != VALUE_STRING)
        return a->type == VALUE_DOUBLE ? a->d == b->d : a->i == b->i;
    return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

static bool smaller(const struct value *a, const struct value *b)
{
    if (a->type == VALUE_DOUBLE)
        return a->d < b->d;
    if (a->type != VALUE_STRING)
        return a->i < b->i;
    for (uint32_t k = 0; k < a->len && k < b->len; k++)
        if (a->s[k] != b->s[k])
            return (unsigned char)a->s[k] < (unsigned char)b->s[k];
    return a->len < b->len;
}

/* ---- sums ---- */

static wide units(double addend)
{
    addend = fmin(fmax(addend, -0x1p62), 0x1p62);
    return (wide)rint(addend * 0x1p40);
}

static struct value fold_sum(const struct feature *feature, const struct naive_counted *c, int n)
{
    wide total = 0;
    for (int k = 0; k < n; k++)
        total += feature->of_long ? (wide)c[k].value.i : units(c[k].value.d);
    double shown = feature->of_long ? (double)total : (double)total * 0x1p-40;
    if (feature->op == OPERATOR_MEAN)
        return n ? value_double(shown / n) : value_null();
    if (!feature->of_long)
        return value_double(shown);
    return value_long(total > INT64_MAX   ? INT64_MAX
                      : total < INT64_MIN ? INT64_MIN
                                          : (int64_t)total);
}

/* Exact as long as 128 bits hold n * squares and values^2: for values below 2^10. */
static struct value fold_moments(const struct feature *feature, const struct naive_counted *c,
                                 int n)
{
    wide values = 0;
    wide squares = 0;
    for (int k = 0; k < n; k++) {
        double x = as_double(&c[k].value);
        values += units(x);
        squares += units(x * x);
    }
    if (n == 0)
        return value_null();
    wide spread = n * squares * ((wide)1 << 40) - values * values;
    double var = spread < 0 ? 0 : (double)((long double)spread / n / n * 0x1p-80L);
    return value_double(digits12(feature->op == OPERATOR_VAR ? var : sqrt(var)));
}

static struct value fold_decay(const struct feature *feature, const struct naive_counted *c, int n)
{
    if (n == 0)
        return value_null();
    int64_t half_life = feature->half_life.ms;
    int64_t newest = c[n - 1].ts;
    double sum = 0;
    for (int64_t epoch = newest / half_life - 63; epoch <= newest / half_life; epoch++) {
        wide total = 0;
        for (int k = 0; k < n; k++)
            if (c[k].ts / half_life == epoch && c[k].ts >= 0)
                total += units(as_double(&c[k].value) *
                               exp2((double)(c[k].ts % half_life) / (double)half_life));
        sum += (double)total * 0x1p-40 * exp2((double)(epoch - newest / half_life));
    }
    return value_double(
        digits12(sum * exp2(-(double)(newest % half_life) / (double)half_life)));
}

/* ---- order ---- */

static struct value fold_extreme(const struct feature *feature, const struct naive_counted *c,
                                 int n)
{
    struct value best = n ? c[0].value : value_null();
    for (int k = 1; k < n; k++)
        if (feature->op == OPERATOR_MIN ? smaller(&c[k].value, &best)
                                        : smaller(&best, &c[k].value))
            best = c[k].value;
    return best;
}

static struct value fold_list(const struct feature *feature, const struct naive_counted *c, int n,
                              struct arena *arena)
{
    struct value *items = arena_alloc(arena, (feature->count + 1) * sizeof *items);
    uint32_t taken = 0;
    bool oldest_first = feature->op == OPERATOR_FIRST_N;
    for (int k = 0; k < n && taken < feature->count; k++) {
        const struct value *value = &c[oldest_first ? k : n - 1 - k].value;
        bool seen = false;
        for (uint32_t i = 0; i < taken; i++)
            seen |= naive_same(&items[i], value);
        if (feature->op == OPERATOR_LAST_DISTINCT && seen)
            continue;
        items[taken++] = *value;
    }
    if (taken == 0)
        return value_null();
    return (struct value){.items = items, .len = taken, .type = VALUE_LIST};
}

/* ---- frequencies ---- */

struct frequency {
    struct value value;
    int n;
};

/* How often each value came, ascending. */
static int frequencies(const struct naive_counted *c, int n, struct frequency *list)
{
    int count = 0;
    for (int k = 0; k < n; k++) {
        int at = 0;
        while (at < count && smaller(&list[at].value, &c[k].value))
            at++;
        if (at == count || !naive_same(&list[at].value, &c[k].value)) {
            memmove(&list[at + 1], &list[at], (size_t)(count - at) * sizeof *list);
            list[at] = (struct frequency){c[k].value, 0};
            count++;
        }
        list[at].n++;
    }
    return count;
}

static struct value fold_frequencies(const struct feature *feature, const struct naive_counted *c,
                                     int n, struct arena *arena)
{
    struct frequency *list = arena_alloc(arena, (size_t)(n + 1) * sizeof *list);
    int count = frequencies(c, n, list);
    if (feature->op == OPERATOR_DISTINCT)
        return value_long(count);
    if (n == 0)
        return value_null();
    double bits = 0;
    for (int k = 0; k < count; k++)
        bits += (double)list[k].n / n * log2((double)list[k].n / n);
    if (feature->op == OPERATOR_ENTROPY)
        return value_double(digits12(0 - bits));
    struct value *items = arena_alloc(arena, feature->count * sizeof *items);
    uint32_t taken = 0;
    while (taken < feature->count && taken < (uint32_t)count) {
        int best = 0;
        for (int k = 1; k < count; k++)
            best = list[k].n > list[best].n ? k : best; /* of equal ones the first is smallest */
        items[taken++] = list[best].value;
        list[best].n = 0;
    }
    return (struct value){.items = items, .len = taken, .type = VALUE_LIST};
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

double naive_quantile(const struct feature *feature, const struct naive_counted *c, int n)
{
    static double sorted[NAIVE_COUNTED_MAX];
    for (int k = 0; k < n; k++)
        sorted[k] = as_double(&c[k].value);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_doubles);
    return sorted[(int)floor(feature->fraction * (n - 1))];
}

static struct value fold_quantile(const struct feature *feature, const struct naive_counted *c,
                                  int n)
{
    if (n == 0)
        return value_null();
    const double gamma = 1.01 / 0.99;
    double exact = naive_quantile(feature, c, n);
    double size = fmin(fabs(exact), 0x1p62);
    if (size < 0x1p-40)
        return value_double(0);
    double estimate = 2 * pow(gamma, ceil(log(size) / log(gamma))) / (gamma + 1);
    return value_double(digits12(copysign(estimate, exact)));
}

/* ---- all of them ---- */

static struct value fold_one(const struct feature *feature, const struct naive_counted *c, int n,
                             struct arena *arena)
{
    switch (feature->op) {
    case OPERATOR_COUNT:
        return value_long(n);
    case OPERATOR_SUM:
    case OPERATOR_MEAN:
        return fold_sum(feature, c, n);
    case OPERATOR_VAR:
    case OPERATOR_STDDEV:
        return fold_moments(feature, c, n);
    case OPERATOR_MIN:
    case OPERATOR_MAX:
        return fold_extreme(feature, c, n);
    case OPERATOR_FIRST:
        return n ? c[0].value : value_null();
    case OPERATOR_LAST:
        return n ? c[n - 1].value : value_null();
    case OPERATOR_TIME_OF_FIRST:
        return n ? value_long(c[0].ts) : value_null();
    case OPERATOR_TIME_OF_LAST:
        return n ? value_long(c[n - 1].ts) : value_null();
    case OPERATOR_FIRST_N:
    case OPERATOR_LAST_N:
    case OPERATOR_LAST_DISTINCT:
        return fold_list(feature, c, n, arena);
    case OPERATOR_DISTINCT:
    case OPERATOR_TOP_K:
    case OPERATOR_ENTROPY:
        return fold_frequencies(feature, c, n, arena);
    case OPERATOR_QUANTILE:
        return fold_quantile(feature, c, n);
    case OPERATOR_DECAYED_SUM:
        return fold_decay(feature, c, n);
    default:
        abort();
    }
}

/* The `cap` groups with the most events, smaller groups first among equals; shown ascending. */
static struct value fold_groups(const struct feature *feature, const struct naive_counted *c, int n,
                                struct arena *arena)
{
    struct naive_counted *of_group = arena_alloc(arena, (size_t)(n + 1) * sizeof *of_group);
    struct frequency *groups = arena_alloc(arena, (size_t)(n + 1) * sizeof *groups);
    for (int k = 0; k < n; k++)
        of_group[k].value = c[k].group;
    int count = frequencies(of_group, n, groups);
    struct value *items = arena_alloc(arena, (size_t)(2 * count + 1) * sizeof *items);
    uint32_t shown = 0;
    for (int k = 0; k < count; k++) {
        int before = 0; /* groups that come first in the choice */
        for (int i = 0; i < count; i++)
            before += groups[i].n > groups[k].n || (groups[i].n == groups[k].n && i < k);
        if (before >= (int)feature->cap)
            continue;
        int own = 0;
        for (int i = 0; i < n; i++)
            if (naive_same(&c[i].group, &groups[k].value))
                of_group[own++] = c[i];
        items[2 * shown] = groups[k].value;
        items[2 * shown + 1] = fold_one(feature, of_group, own, arena);
        shown++;
    }
    if (shown == 0)
        return value_null();
    return (struct value){.items = items, .len = shown, .type = VALUE_MAP};
}

struct value naive_fold(const struct feature *feature, const struct naive_counted *counted,
                        int count, struct arena *arena)
{
    return feature->by >= 0 ? fold_groups(feature, counted, count, arena)
                            : fold_one(feature, counted, count, arena);
}
