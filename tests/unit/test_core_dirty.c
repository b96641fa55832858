/* The queues of dirty keys against a list of them, under draws at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "corekit.h"
#include "shardstate.h"

enum { KEYS = 200, STEPS = 200000, CAPACITY_MAX = 1024 };

struct model {
    struct corekit kit;
    enum entity_queue of[KEYS]; /* where each handle waits */
    uint32_t counts[ENTITY_QUEUES];
    uint64_t random;
};

static uint32_t draw(struct model *self, uint32_t below)
{
    self->random = self->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((self->random >> 33) % below);
}

static void put(struct model *self, uint32_t handle, enum entity_queue queue)
{
    self->counts[self->of[handle]]--;
    self->of[handle] = queue;
    self->counts[queue]++;
}

static void start(struct model *self)
{
    *self = (struct model){.random = 7};
    corekit_start(&self->kit, "[feature c]\nop = count\nover = session\n");
    corekit_grant(&self->kit);
    for (int k = 0; k < KEYS; k++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", k);
        corekit_click(&self->kit, key, 1000000000000);
        self->of[k] = QUEUE_EVENT;
    }
    self->counts[QUEUE_EVENT] = KEYS;
}

static void test_keys_come_as_they_were_queued(void **state)
{
    (void)state;
    struct model model;
    start(&model);
    for (uint32_t handle = 0; handle < KEYS; handle++) {
        assert_int_equal(dirty_first(model.kit.shard, QUEUE_EVENT), handle);
        entity_clean(model.kit.shard, handle);
    }
    corekit_fini(&model.kit);
}

static void test_an_event_takes_a_key_from_decay(void **state)
{
    (void)state;
    struct model model;
    start(&model);
    struct shard *shard = model.kit.shard;
    for (uint32_t handle = 0; handle < KEYS; handle++)
        entity_clean(shard, handle);
    entity_dirty(shard, 1, QUEUE_DECAY);
    entity_dirty(shard, 2, QUEUE_DECAY);
    entity_dirty(shard, 1, QUEUE_EVENT);
    entity_dirty(shard, 1, QUEUE_DECAY); /* it waits as an event already */
    assert_int_equal(dirty_first(shard, QUEUE_DECAY), 2);
    assert_int_equal(dirty_first(shard, QUEUE_EVENT), 1);
    assert_int_equal(shard->queues[QUEUE_DECAY].count, 1);
    corekit_fini(&model.kit);
}

/* A queue that never runs empty, and from whose middle keys are taken again and again. */
static void test_entries_that_do_not_count_do_not_pile_up(void **state)
{
    (void)state;
    struct model model;
    start(&model);
    struct shard *shard = model.kit.shard;
    const struct dirty_queue *queue = &shard->queues[QUEUE_EVENT];
    for (uint32_t handle = 20; handle < KEYS; handle++)
        entity_clean(shard, handle);
    for (int k = 0; k < STEPS; k++) {
        uint32_t handle = 10 + (uint32_t)k % 10;
        entity_clean(shard, handle);
        entity_dirty(shard, handle, QUEUE_EVENT);
    }
    assert_int_equal(queue->count, 20);
    assert_true(queue->capacity <= CAPACITY_MAX);
    for (uint32_t left = 20; left > 0; left--) {
        assert_int_equal(queue->count, left);
        entity_clean(shard, dirty_first(shard, QUEUE_EVENT));
    }
    corekit_fini(&model.kit);
}

static void step(struct model *self)
{
    struct shard *shard = self->kit.shard;
    uint32_t handle = draw(self, KEYS);
    uint32_t what = draw(self, 8);
    enum entity_queue queue = what % 2 ? QUEUE_EVENT : QUEUE_DECAY;
    if (what < 6) {
        entity_dirty(shard, handle, queue);
        if (self->of[handle] != QUEUE_EVENT)
            put(self, handle, queue);
        return;
    }
    if (what == 7 && self->counts[queue] > 0)
        handle = dirty_first(shard, queue);
    else if (handle < 8)
        return; /* they are never taken but from the head, so that the queues do not run empty */
    entity_clean(shard, handle);
    put(self, handle, QUEUE_NONE);
}

static void test_queues_are_what_a_list_would_be(void **state)
{
    (void)state;
    struct model model;
    start(&model);
    const struct shard *shard = model.kit.shard;
    for (int k = 0; k < STEPS; k++) {
        step(&model);
        for (enum entity_queue queue = QUEUE_EVENT; queue <= QUEUE_DECAY; queue++) {
            assert_int_equal(shard->queues[queue].count, model.counts[queue]);
            if (model.counts[queue] > 0)
                assert_int_equal(model.of[dirty_first(model.kit.shard, queue)], queue);
            assert_true(shard->queues[queue].capacity <= CAPACITY_MAX); /* entries do not pile up */
        }
    }
    for (enum entity_queue queue = QUEUE_EVENT; queue <= QUEUE_DECAY; queue++)
        while (model.counts[queue] > 0) {
            uint32_t handle = dirty_first(model.kit.shard, queue);
            assert_int_equal(model.of[handle], queue);
            entity_clean(model.kit.shard, handle);
            put(&model, handle, QUEUE_NONE);
        }
    corekit_fini(&model.kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_come_as_they_were_queued),
        cmocka_unit_test(test_an_event_takes_a_key_from_decay),
        cmocka_unit_test(test_entries_that_do_not_count_do_not_pile_up),
        cmocka_unit_test(test_queues_are_what_a_list_would_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
