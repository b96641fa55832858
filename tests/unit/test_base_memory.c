/* Arena and pool: alignment, zeroing, reuse and counting. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"
#include "pool.h"

static uint64_t seed = 42;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void arena_keeps_blocks_apart(void **state)
{
    (void)state;
    struct arena arena = {0};
    char *blocks[500];
    for (int turn = 0; turn < 3; turn++) {
        for (int k = 0; k < 500; k++) {
            size_t size = draw(400);
            blocks[k] = arena_alloc(&arena, size);
            assert_int_equal((uintptr_t)blocks[k] % alignof(max_align_t), 0);
            memset(blocks[k], k & 0xFF, size);
            if (k > 0 && size > 0)
                assert_int_equal((unsigned char)blocks[k][0], k & 0xFF);
        }
        arena_reset(&arena);
        assert_int_equal(arena.used, 0);
    }
    void *large = arena_alloc(&arena, 1 << 20);
    memset(large, 1, 1 << 20);
    arena_reset(&arena);
    struct arena_chunk *kept = arena.chunks;
    assert_ptr_equal(arena_alloc(&arena, 1 << 20), large); /* the largest chunk was kept */
    assert_ptr_equal(arena.chunks, kept);
    arena_free(&arena);
    assert_null(arena.chunks);
    arena_reset(&arena); /* an empty one is fine */
    arena_free(&arena);
}

static void pool_rounds_little(void **state)
{
    (void)state;
    for (size_t size = 1; size <= POOL_BLOCK_MAX; size++) {
        struct pool pool;
        static size_t before;
        pool_init(&pool);
        char *block = pool_alloc(&pool, size);
        size_t eights = (size + 7) / 8 * 8;
        assert_true(pool.used_bytes >= size && pool.used_bytes * 4 <= eights * 5);
        assert_true(size == 1 || pool.used_bytes >= before); /* classes grow with the size */
        before = pool.used_bytes;
        block[size - 1] = 1;
        pool_free(&pool, block, size);
        assert_int_equal(pool.used_bytes, 0);
        pool_fini(&pool);
        if (size > 300)
            size += draw(40);
    }
}

enum { LIVE = 400 };

struct live {
    unsigned char *block;
    size_t size;
    unsigned char mark;
};

static void check_live(const struct live *live)
{
    for (size_t k = 0; k < live->size; k++)
        if (live->block[k] != live->mark)
            fail_msg("byte %zu of a block of %zu was overwritten", k, live->size);
}

static size_t random_size(void)
{
    switch (draw(10)) {
    case 0:
        return draw(40000);
    case 1:
        return draw(POOL_BLOCK_MAX + 2);
    default:
        return draw(200);
    }
}

static void pool_slabs_begin_cache_lines(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool);
    char *slabs[40];
    for (size_t k = 0; k < sizeof slabs / sizeof *slabs; k++) {
        size_t size = k % 2 ? POOL_SLAB_MAX : 1 + k * 100;
        slabs[k] = pool_slab(&pool, size);
        assert_int_equal((uintptr_t)slabs[k] % 64, 0);
        memset(slabs[k], 1 + (int)k, size);
        memset(pool_alloc(&pool, 24), 0xff, 24);
    }
    for (size_t k = 0; k < sizeof slabs / sizeof *slabs; k++)
        assert_int_equal(slabs[k][0], 1 + k); /* no block lies in another */
    assert_int_equal(pool.used_bytes, sizeof slabs / sizeof *slabs * 24); /* slabs do not count */
    pool_fini(&pool);
}

static void pool_model(void **state)
{
    (void)state;
    struct pool pool;
    struct live live[LIVE] = {0};
    pool_init(&pool);
    for (int step = 0; step < 30000; step++) {
        struct live *it = &live[draw(LIVE)];
        check_live(it);
        size_t size = random_size();
        size_t kept = it->size < size ? it->size : size;
        if (!it->block) {
            it->block = pool_alloc(&pool, size);
            kept = 0;
        } else if (draw(2)) {
            it->block = pool_resize(&pool, it->block, it->size, size);
        } else {
            pool_free(&pool, it->block, it->size);
            it->block = NULL;
            size = kept = 0;
        }
        assert_true(size == 0 || (uintptr_t)it->block % 8 == 0);
        for (size_t k = 0; k < kept; k++)
            assert_int_equal(it->block[k], it->mark);
        for (size_t k = kept; k < size; k++)
            assert_int_equal(it->block[k], 0);
        it->mark = (unsigned char)(1 + draw(255));
        it->size = it->block ? size : 0;
        if (it->block)
            memset(it->block, it->mark, size);
        assert_true(pool.used_bytes <= pool.system_bytes);
    }
    for (int k = 0; k < LIVE; k++)
        pool_free(&pool, live[k].block, live[k].size);
    assert_int_equal(pool.used_bytes, 0);
    assert_null(pool.large);
    size_t kept = pool.system_bytes;
    for (int k = 0; k < LIVE; k++)
        live[k].block = pool_alloc(&pool, 64);
    assert_int_equal(pool.system_bytes, kept); /* freed blocks are used again */
    pool_fini(&pool);
    assert_int_equal(pool.system_bytes, 0);
}

static void pool_corners(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool);
    assert_null(pool_alloc(&pool, 0));
    pool_free(&pool, NULL, 0);
    pool_free(&pool, NULL, 100);
    char *block = pool_resize(&pool, NULL, 0, 20);
    memcpy(block, "0123456789012345678", 20);
    block = pool_resize(&pool, block, 20, 20000);
    assert_string_equal(block, "0123456789012345678");
    block = pool_resize(&pool, block, 20000, 5);
    assert_memory_equal(block, "01234", 5);
    assert_null(pool_resize(&pool, block, 5, 0));
    assert_int_equal(pool.used_bytes, 0);
    for (int k = 0; k < 3; k++)
        memset(pool_alloc(&pool, 100000), 7, 100000);
    pool_alloc(&pool, 10);
    pool_fini(&pool); /* frees what was not */
    assert_null(pool.large);
    memory_free(memory_resize(memory_alloc(0), 0));
    char *copy = memory_strdup("copy");
    assert_string_equal(copy, "copy");
    memory_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_keeps_blocks_apart),
        cmocka_unit_test(pool_rounds_little),
        cmocka_unit_test(pool_slabs_begin_cache_lines),
        cmocka_unit_test(pool_model),
        cmocka_unit_test(pool_corners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
