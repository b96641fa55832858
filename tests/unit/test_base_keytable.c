/* The key table and the deadlines against plain models, with random operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deadlines.h"
#include "hash.h"
#include "keytable.h"

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 20) % below;
}

static void hash_is_xxh64(void **state)
{
    (void)state;
    assert_true(hash_bytes("", 0) == 0xEF46DB3751D8E999u);
    assert_true(hash_bytes("a", 1) == 0xD24EC4F1A98C6E5Bu);
    assert_true(hash_bytes("abc", 3) == 0x44BC2CF5AD770999u);
}

enum { KEYS = 3000 };

/* Handles are indexes into keys; few different hashes make long clusters. */
struct model {
    uint64_t hashes[KEYS];
    bool present[KEYS];
    uint32_t wanted;
    int asked;
};

static bool is_wanted(const void *context, uint32_t handle)
{
    const struct model *model = context;
    ((struct model *)(uintptr_t)context)->asked++;
    assert_true(model->present[handle]);
    return handle == model->wanted;
}

static uint32_t find(struct model *model, const struct keytable *table, uint32_t handle)
{
    model->wanted = handle;
    return keytable_find(table, model->hashes[handle], is_wanted, model);
}

static void keytable_model(uint64_t hash_mask)
{
    struct keytable table = {0};
    struct model *model = calloc(1, sizeof *model);
    uint32_t count = 0;
    for (uint32_t k = 0; k < KEYS; k++)
        model->hashes[k] = hash_bytes(&k, sizeof k) & hash_mask;
    assert_int_equal(find(model, &table, 0), KEYTABLE_NONE);
    for (int step = 0; step < 40000; step++) {
        uint32_t handle = (uint32_t)draw(step < 20000 ? KEYS : KEYS / 10);
        keytable_prefetch(&table, model->hashes[handle]);
        uint32_t found = find(model, &table, handle);
        assert_int_equal(found, model->present[handle] ? handle : KEYTABLE_NONE);
        if (model->present[handle]) {
            keytable_remove(&table, model->hashes[handle], handle);
            count--;
        } else {
            keytable_insert(&table, model->hashes[handle], handle);
            count++;
        }
        model->present[handle] = !model->present[handle];
        assert_int_equal(table.count, count);
        assert_true(10 * (uint64_t)count <= 7 * ((uint64_t)table.mask + 1));
    }
    for (uint32_t k = 0; k < KEYS; k++)
        assert_int_equal(find(model, &table, k), model->present[k] ? k : KEYTABLE_NONE);
    assert_int_equal(keytable_bytes(&table), ((size_t)table.mask + 1) * 8);
    keytable_free(&table);
    assert_int_equal(keytable_bytes(&table), 0);
    free(model);
}

static void keytable_random(void **state)
{
    (void)state;
    seed = 1;
    keytable_model(UINT64_MAX);
}

static void keytable_clusters(void **state)
{
    (void)state;
    seed = 2;
    keytable_model(0xFFFFFFF0000000FFu); /* 256 homes, at the end of the table too */
    keytable_model(7);
}

static void keytable_asks_seldom(void **state)
{
    (void)state;
    struct keytable table = {0};
    struct model *model = calloc(1, sizeof *model);
    for (uint32_t k = 0; k < KEYS; k++) {
        model->hashes[k] = hash_bytes(&k, sizeof k);
        model->present[k] = true;
        keytable_insert(&table, model->hashes[k], k);
    }
    for (uint32_t k = 0; k < KEYS; k++)
        assert_int_equal(find(model, &table, k), k);
    assert_true(model->asked <= KEYS + 2); /* the tag tells nearly all others apart */
    keytable_free(&table);
    free(model);
}

/* ---- deadlines ---- */

enum { DEADLINES = 5000 };

static int compare_times(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* Pushes in rounds at or after the clock; the popped times must be those of a sorted array. */
static void deadlines_model(int64_t start_ms, uint64_t spread)
{
    struct deadlines deadlines;
    static int64_t times[DEADLINES];
    size_t count = 0;
    int64_t now_ms = start_ms;
    deadlines_init(&deadlines);
    for (int round = 0; round < 300; round++) {
        for (uint64_t k = draw(50); k > 0 && count < DEADLINES; k--) {
            int64_t at_ms = now_ms + 1 + (int64_t)draw(draw(2) ? spread : 100);
            deadlines_push(&deadlines, (struct deadline){at_ms, (uint32_t)count, 9});
            times[count++] = at_ms;
        }
        now_ms += (int64_t)draw(draw(10) ? spread / 20 + 1 : 2);
        qsort(times, count, sizeof times[0], compare_times);
        size_t due = 0;
        struct deadline out;
        while (deadlines_pop(&deadlines, now_ms, &out)) {
            assert_true(due < count && out.at_ms == times[due]);
            assert_int_equal(out.serial, 9);
            due++;
        }
        assert_true(due == count || times[due] > now_ms);
        memmove(times, times + due, (count - due) * sizeof times[0]);
        count -= due;
        assert_int_equal(deadlines.count, count);
    }
    assert_true(deadlines_bytes(&deadlines) >= count * sizeof(struct deadline));
    deadlines_free(&deadlines);
    assert_int_equal(deadlines_bytes(&deadlines), 0);
}

static void deadlines_random(void **state)
{
    (void)state;
    seed = 3;
    deadlines_model(1700000000000, 3600000);
    deadlines_model(0, 100000000000);
    deadlines_model(-500000, 1000000); /* over the epoch, where the sign changes */
    deadlines_model(1700000000000, 30);
    deadlines_model(INT64_MIN + 5, 1000);
}

static void deadlines_late_and_never(void **state)
{
    (void)state;
    struct deadlines deadlines;
    struct deadline out;
    deadlines_init(&deadlines);
    assert_false(deadlines_pop(&deadlines, INT64_MAX, &out));
    deadlines_push(&deadlines, (struct deadline){1000, 1, 0});
    deadlines_push(&deadlines, (struct deadline){INT64_MAX, 2, 0});
    assert_false(deadlines_pop(&deadlines, 999, &out));
    assert_true(deadlines_pop(&deadlines, 1000, &out));
    assert_int_equal(out.handle, 1);
    deadlines_push(&deadlines, (struct deadline){10, 3, 0}); /* long past: due at once */
    assert_true(deadlines_pop(&deadlines, 1000, &out));
    assert_int_equal(out.handle, 3);
    assert_int_equal(out.at_ms, 10);
    deadlines_push(&deadlines, (struct deadline){10, 4, 0});
    assert_false(deadlines_pop(&deadlines, 999, &out)); /* a clock that went back gives nothing */
    assert_true(deadlines_pop(&deadlines, 1001, &out));
    assert_false(deadlines_pop(&deadlines, INT64_MAX - 1, &out));
    assert_true(deadlines_pop(&deadlines, INT64_MAX, &out));
    assert_int_equal(out.handle, 2);
    assert_int_equal(deadlines.count, 0);
    deadlines_free(&deadlines);
}

static void deadlines_before_the_epoch(void **state)
{
    (void)state;
    struct deadlines deadlines;
    struct deadline out;
    deadlines_init(&deadlines);
    deadlines_push(&deadlines, (struct deadline){-9, 1, 0});
    deadlines_push(&deadlines, (struct deadline){10, 2, 0});
    assert_true(deadlines_pop(&deadlines, -5, &out));
    assert_int_equal(out.handle, 1);
    assert_false(deadlines_pop(&deadlines, -4, &out));
    assert_false(deadlines_pop(&deadlines, 9, &out));
    assert_true(deadlines_pop(&deadlines, 10, &out));
    assert_int_equal(out.handle, 2);
    deadlines_free(&deadlines);
}

/* Entries that are far from due must not be looked at by every call. */
static void deadlines_idle_calls_are_cheap(void **state)
{
    (void)state;
    struct deadlines deadlines;
    struct deadline out;
    deadlines_init(&deadlines);
    for (uint32_t k = 0; k < 200000; k++)
        deadlines_push(&deadlines, (struct deadline){1700000000000 + k, k, 0});
    for (int64_t now_ms = 1600000000000; now_ms < 1600000000000 + 300000; now_ms++)
        assert_false(deadlines_pop(&deadlines, now_ms, &out));
    deadlines_free(&deadlines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_xxh64),
        cmocka_unit_test(keytable_random),
        cmocka_unit_test(keytable_clusters),
        cmocka_unit_test(keytable_asks_seldom),
        cmocka_unit_test(deadlines_random),
        cmocka_unit_test(deadlines_late_and_never),
        cmocka_unit_test(deadlines_before_the_epoch),
        cmocka_unit_test(deadlines_idle_calls_are_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
