/* Checkpoints: a shard that was saved while it worked and loaded again is the shard it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checkpoint.h"
#include "corekit.h"
#include "crc32c.h"
#include "hash.h"
#include "shardstate.h"

enum { KEYS = 40, CHAIN_MAX = 8 };
#define NAME "app:topic:0"

static const char all_features[] =
    "[feature clicks]\nop = count\nwhere = type == \"click\"\nover = session\n"
    "[feature clicks_5s]\nop = count\nwhere = type == \"click\"\nover = 5s\n"
    "[feature all_20s]\nop = count\nover = 20s\nhop = 5s\n"
    "[feature n_sum]\nop = sum(n)\nover = session\n"
    "[feature spent]\nop = sum(price)\nover = 20s\nhop = 5s\n"
    "[feature price_mean]\nop = mean(price)\nover = session\n"
    "[feature price_max]\nop = max(price)\nover = 60s\n"
    "[feature n_min]\nop = min(n)\nover = session\n"
    "[feature items]\nop = last_n(item, 3)\nover = session\n"
    "[feature kinds]\nop = last_distinct(item, 2)\nover = 60s\n"
    "[feature entry]\nop = first(item)\nover = session\n"
    "[feature newest]\nop = last(type)\nover = 10s\n"
    "[feature variety]\nop = distinct(item)\nover = session\n"
    "[feature variety_60s]\nop = distinct(item)\nover = 60s\n"
    "[feature price_var]\nop = var(price)\nover = 20s\nhop = 5s\n"
    "[feature price_dev]\nop = stddev(n)\nover = session\n"
    "[feature oldest]\nop = time_of_first\nover = 60s\n"
    "[feature youngest]\nop = time_of_last(item)\nover = session\n"
    "[feature firsts]\nop = first_n(item, 2)\nover = 20s\nhop = 5s\n"
    "[feature tops]\nop = top_k(item, 2)\nover = 60s\n"
    "[feature mess]\nop = entropy(type)\nover = session\n"
    "[feature median]\nop = quantile(price, 0.5)\nover = 60s\n"
    "[feature by_type]\nop = count\nby = type\nover = 60s\n"
    "[feature by_n]\nop = distinct(item)\nby = n\nover = session\n"
    "[feature visits]\nop = count\non = session\nover = 60s\n"
    "[feature visit_length]\nop = mean(session_duration)\non = session\nover = 20s\nhop = 5s\n"
    "[feature rate]\nop = ratio(clicks, all_20s, alpha = 1)\n"
    "[feature number]\nop = session_number\n"
    "[feature since]\nop = prev_session_gap\n";

/* With these no key is ever forgotten. */
static const char lifetime_features[] =
    "[feature clicks]\nop = count\nover = lifetime\n"
    "[feature fading]\nop = decayed_sum(n, 2s)\n"
    "[feature visits]\nop = count\non = session\nby = session_event_count\nover = lifetime\n"
    "[feature spent]\nop = sum(price)\nby = type\nover = 20s\nhop = 5s\n";

/* Whether sessions are parted (S11, S12), events deduplicated, and keys fewer. */
static bool parted;
static uint64_t random_state;

static int64_t below(int64_t bound)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (int64_t)((z ^ (z >> 31)) % (uint64_t)bound);
}

/* ---- events: the n-th of a log, always the same ---- */

static struct corekit_event event_at(uint64_t seed, int64_t n, char key[40])
{
    static const char *const types[] = {"click", "view", NULL};
    static const char *const items[] = {"a", "bb", "a longer name", "another long name", NULL};
    random_state = hash_bytes(&(uint64_t[]){seed, (uint64_t)n}, 16);
    int64_t at = 1000000 + n * 40;
    snprintf(key, 40, below(4) ? "k%d" : "a key too long for inline %d",
             (int)below(parted ? 5 : KEYS));
    return (struct corekit_event){
        .key = key,
        .ts_ms = at - (below(3) ? below(200) : below(9000)),
        .type = types[below(3)],
        .item = items[below(5)],
        .price = below(2) ? CORE_NO_PRICE : (double)(below(2000) - 200) / 100,
        .n = below(5) ? below(7) - 2 : CORE_NO_N,
        .record_ms = at,
    };
}

static void apply_to(struct corekit *kit, uint64_t seed, int64_t end)
{
    char key[40];
    while (kit->offset < end) {
        struct corekit_event event = event_at(seed, kit->offset, key);
        corekit_event(kit, &event);
    }
}

static void start(struct corekit *kit, const char *features)
{
    corekit_init(kit, features);
    kit->rules.gap.ms = 500;
    kit->rules.lateness.ms = 300;
    kit->rules.out_of_orderness.ms = 300;
    kit->rules.keep.ms = 4000;
    kit->rules.window_lateness.ms = 2000;
    kit->rules.foundation = 77;
    if (parted) {
        kit->rules.session_slot = SLOT_TYPE;
        kit->rules.id_slot = SLOT_N;
        kit->rules.dedup_window.ms = 900;
        corekit_end_when(kit, "item == \"bb\"");
    }
    corekit_open(kit);
}

/* ---- saving ---- */

struct chain {
    struct text segments[CHAIN_MAX];
    int count;
    uint32_t crc;
    int64_t offset; /* of the newest */
};

static void chain_free(struct chain *chain)
{
    for (int k = 0; k < CHAIN_MAX; k++)
        text_free(&chain->segments[k]);
    *chain = (struct chain){0};
}

static void begin(struct corekit *kit, const struct chain *chain)
{
    struct checkpoint_terms terms = {
        .name = NAME,
        .link = {7, (uint32_t)chain->count, chain->crc},
        .wall_ms = 1000000000,
        .now_s = 5000,
    };
    checkpoint_begin(kit->shard, &terms);
}

static void take_bytes(struct corekit *kit, struct chain *chain)
{
    struct text *bytes = checkpoint_bytes(kit->shard);
    if (bytes->len)
        text_append(&chain->segments[chain->count], bytes->data, bytes->len);
    text_clear(bytes);
}

static void finish(struct corekit *kit, struct chain *chain)
{
    while (!checkpoint_step(kit->shard))
        take_bytes(kit, chain);
    chain->crc = checkpoint_end(kit->shard);
    take_bytes(kit, chain);
    chain->offset = checkpoint_offset(kit->shard);
    chain->count++;
    checkpoint_stored(kit->shard);
}

static void save(struct corekit *kit, struct chain *chain)
{
    begin(kit, chain);
    finish(kit, chain);
}

/* ---- loading ---- */

static struct checkpoint_loader *feed(const struct rules *rules, const struct chain *chain,
                                      size_t piece)
{
    struct checkpoint_loader *loader =
        checkpoint_loader_open(rules, 0, NAME, 1000060000, 6000);
    for (int k = 0; k < chain->count; k++)
        for (size_t at = 0; at < chain->segments[k].len; at += piece) {
            size_t rest = chain->segments[k].len - at;
            if (!checkpoint_loader_feed(loader, chain->segments[k].data + at,
                                        rest < piece ? rest : piece))
                return loader;
        }
    return loader;
}

static void load(struct corekit *kit, const struct chain *chain, size_t piece)
{
    struct checkpoint_loader *loader = feed(&kit->rules, chain, piece);
    assert_string_equal(checkpoint_loader_text(loader), "");
    assert_true(checkpoint_loader_whole(loader));
    assert_true(checkpoint_loader_settle(loader));
    struct shard *shard = checkpoint_loader_take(loader);
    assert_non_null(shard);
    assert_int_equal(checkpoint_loader_about(loader)->offset, chain->offset);
    checkpoint_loader_close(loader);
    shard_close(kit->shard);
    kit->shard = shard;
    kit->offset = chain->offset;
}

/* ---- comparing ---- */

static void assert_value_equal(const struct value *a, const struct value *b)
{
    assert_int_equal(a->type, b->type);
    if (a->type == VALUE_LIST || a->type == VALUE_MAP) {
        assert_int_equal(a->len, b->len);
        for (uint32_t k = 0; k < (a->type == VALUE_MAP ? 2 * a->len : a->len); k++)
            assert_value_equal(&a->items[k], &b->items[k]);
    } else if (a->type == VALUE_STRING) {
        assert_int_equal(a->len, b->len);
        if (a->len)
            assert_memory_equal(a->s, b->s, a->len);
    } else if (a->type != VALUE_NULL) {
        assert_true(a->i == b->i);
    }
}

static bool peek(struct corekit *kit, const char *key, struct row *row)
{
    return shard_peek(kit->shard, key, strlen(key), &kit->arena, row);
}

static void assert_key_equal(struct corekit *a, struct corekit *b, const char *key)
{
    struct row left, right;
    arena_reset(&a->arena);
    arena_reset(&b->arena);
    bool known = peek(a, key, &left);
    if (!known && peek(b, key, &right))
        fail_msg("%s should not be there", key);
    if (known && !peek(b, key, &right))
        fail_msg("%s is missing", key);
    if (!known)
        return;
    assert_int_equal(left.offset, right.offset);
    assert_int_equal(left.rev, right.rev);
    for (int k = 0; k < a->set->count; k++)
        assert_value_equal(&left.values[k], &right.values[k]);
}

static void assert_equal(struct corekit *a, struct corekit *b)
{
    struct shard_status left = corekit_status(a), right = corekit_status(b);
    assert_int_equal(left.next_offset, right.next_offset);
    assert_true(left.raw.ms == right.raw.ms);
    assert_int_equal(left.keys, right.keys);
    assert_int_equal(left.ids_remembered, right.ids_remembered);
    assert_int_equal(left.sessions_live, right.sessions_live);
    char key[40];
    for (int k = 0; k < KEYS; k++) {
        snprintf(key, sizeof key, "k%d", k);
        assert_key_equal(a, b, key);
        snprintf(key, sizeof key, "a key too long for inline %d", k);
        assert_key_equal(a, b, key);
    }
}

/* A shard that read the log and nothing else. Both are flushed: forgotten keys go. */
static void assert_as_from_log(struct corekit *kit, uint64_t seed, const char *features)
{
    struct corekit fresh;
    start(&fresh, features);
    corekit_grant(&fresh);
    corekit_advance(&fresh, INT64_MIN);
    apply_to(&fresh, seed, kit->offset);
    corekit_flush(&fresh);
    if (shard_lease(kit->shard)->state == LEASE_NONE)
        corekit_grant(kit);
    corekit_flush(kit);
    assert_equal(&fresh, kit);
    struct shard_status before = corekit_status(&fresh), loaded = corekit_status(kit);
    apply_to(&fresh, seed, kit->offset + 300);
    apply_to(kit, seed, kit->offset + 300);
    corekit_flush(&fresh);
    corekit_flush(kit);
    assert_equal(&fresh, kit);
    struct shard_status after = corekit_status(&fresh), worked = corekit_status(kit);
    for (int k = 0; k < FATE_COUNT_OF; k++)
        assert_int_equal(after.fates[k] - before.fates[k], worked.fates[k] - loaded.fates[k]);
    corekit_fini(&fresh);
}

/* ---- tests ---- */

static void test_crc32c_is_castagnolis(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c_by_table(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
    char bytes[300];
    for (size_t k = 0; k < sizeof bytes; k++)
        bytes[k] = (char)below(256);
    for (size_t len = 0; len <= sizeof bytes; len++)
        assert_int_equal(crc32c(0, bytes, len), crc32c_by_table(0, bytes, len));
}

static void test_empty_shard(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    save(&kit, &chain);
    load(&kit, &chain, 1 << 20);
    assert_as_from_log(&kit, 1, all_features);
    chain_free(&chain);
    corekit_fini(&kit);
}

static void test_state_is_that_of_the_beginning(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct corekit kit;
        const char *features = seed < 30 ? all_features : lifetime_features;
        parted = seed >= 20;
        struct chain chain = {0};
        start(&kit, features);
        corekit_grant(&kit);
        apply_to(&kit, seed, 200 + (int64_t)seed * 97);
        begin(&kit, &chain);
        apply_to(&kit, seed, kit.offset + 150); /* all of these were not there at the beginning */
        corekit_flush(&kit);
        take_bytes(&kit, &chain);
        apply_to(&kit, seed, kit.offset + 150);
        finish(&kit, &chain);
        load(&kit, &chain, 1 + seed * 100);
        assert_as_from_log(&kit, seed, features);
        chain_free(&chain);
        corekit_fini(&kit);
    }
    parted = false;
}

/* Keys that come while the walk goes on, or after it, are not in the checkpoint. */
static void test_new_keys_do_not_hold_it_up(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    corekit_grant(&kit);
    corekit_click(&kit, "old", 1000);
    begin(&kit, &chain);
    assert_true(checkpoint_step(kit.shard));
    corekit_click(&kit, "new", 1001);
    finish(&kit, &chain);
    load(&kit, &chain, 4096);
    assert_true(corekit_known(&kit, "old"));
    assert_false(corekit_known(&kit, "new"));
    chain_free(&chain);
    corekit_fini(&kit);
}

static void test_deltas_follow_a_base(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 160; seed++) {
        struct corekit kit;
        parted = seed >= 140;
        const char *features = seed < 150 ? all_features : lifetime_features;
        struct chain chain = {0};
        start(&kit, features);
        corekit_grant(&kit);
        for (int k = 0; k < CHAIN_MAX; k++) {
            random_state = seed * 1000 + (uint64_t)k;
            int64_t before = below(200), during = below(100);
            bool fails = k > 0 && below(4) == 0;
            apply_to(&kit, seed, kit.offset + before);
            corekit_flush(&kit);
            begin(&kit, &chain);
            apply_to(&kit, seed, kit.offset + during);
            if (during % 2)
                corekit_flush(&kit);
            take_bytes(&kit, &chain);
            if (fails) { /* it is not stored: the next has what this one has */
                checkpoint_abort(kit.shard);
                text_clear(&chain.segments[chain.count]);
                continue;
            }
            finish(&kit, &chain);
        }
        load(&kit, &chain, 4096);
        assert_as_from_log(&kit, seed, features);
        chain_free(&chain);
        corekit_fini(&kit);
    }
    parted = false;
}

static void test_chain_goes_on_after_a_restart(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    corekit_grant(&kit);
    for (int k = 0; k < CHAIN_MAX; k++) {
        apply_to(&kit, 5, kit.offset + 60);
        corekit_flush(&kit);
        save(&kit, &chain);
        load(&kit, &chain, 4096);
        corekit_grant(&kit);
    }
    assert_as_from_log(&kit, 5, all_features);
    chain_free(&chain);
    corekit_fini(&kit);
}

/* A key went and came back between two checkpoints, and the first touch is before the news of its
 * going are written. */
static void test_key_that_came_back(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    corekit_grant(&kit);
    corekit_click(&kit, "k", 1000);
    corekit_flush(&kit);
    save(&kit, &chain);
    corekit_click(&kit, "other", 200000);
    corekit_flush(&kit);
    assert_false(corekit_known(&kit, "k"));
    corekit_click(&kit, "k", 200100);
    begin(&kit, &chain);
    corekit_click(&kit, "k", 200200);
    finish(&kit, &chain);
    load(&kit, &chain, 4096);
    assert_int_equal(corekit_long(&kit, "k", "clicks_5s"), 1);
    assert_int_equal(corekit_long(&kit, "k", "number"), 1);
    chain_free(&chain);
    corekit_fini(&kit);
}

/* Its last row was not acknowledged at one checkpoint, and was at the next. */
static void test_forgotten_key(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    corekit_grant(&kit);
    corekit_click(&kit, "k", 1000);
    corekit_flush(&kit);
    begin(&kit, &chain);
    corekit_click(&kit, "other", 200000);
    finish(&kit, &chain);
    save(&kit, &chain);
    load(&kit, &chain, 4096);
    assert_true(corekit_known(&kit, "k")); /* for its last row */
    assert_int_equal(corekit_status(&kit).keys_forgotten_waiting, 1);
    corekit_grant(&kit);
    assert_int_equal(corekit_flush(&kit), 2);
    save(&kit, &chain);
    load(&kit, &chain, 4096);
    assert_false(corekit_known(&kit, "k"));
    chain.count = 1; /* where it began it lived */
    chain.offset = 1;
    load(&kit, &chain, 4096);
    assert_int_equal(corekit_long(&kit, "k", "clicks_5s"), 1);
    chain_free(&chain);
    corekit_fini(&kit);
}

/* It lived at the base, was forgotten before the delta began, and went while that was under way. */
static void test_key_that_goes_meanwhile(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    corekit_grant(&kit);
    corekit_click(&kit, "k", 1000);
    corekit_flush(&kit);
    save(&kit, &chain);
    corekit_click(&kit, "other", 200000);
    begin(&kit, &chain);
    corekit_flush(&kit);
    finish(&kit, &chain);
    load(&kit, &chain, 4096);
    assert_false(corekit_known(&kit, "k"));
    chain_free(&chain);
    corekit_fini(&kit);
}

/* Only what changed is in a delta. */
static void test_delta_is_small(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    corekit_grant(&kit);
    apply_to(&kit, 5, 400);
    corekit_flush(&kit);
    save(&kit, &chain);
    save(&kit, &chain);
    struct segment_reader body;
    enum segment_kind kinds[8];
    size_t used = 0, at = 0, records = 0;
    uint32_t crc = 0;
    const struct text *delta = &chain.segments[1];
    while (segment_take_record(delta->data + at, delta->len - at, &crc, &used, &kinds[records],
                               &body) == 1) {
        at += used;
        assert_true(++records < 8);
    }
    assert_int_equal(records, 2);
    assert_int_equal(kinds[0], SEGMENT_HEAD);
    assert_int_equal(kinds[1], SEGMENT_END);
    chain_free(&chain);
    corekit_fini(&kit);
}

/* ---- rows that were not acknowledged ---- */

static int rows_waiting(struct corekit *kit)
{
    struct shard_status status = corekit_status(kit);
    return (int)(status.dirty + status.inflight);
}

static void test_unacknowledged_rows_are_dirty_again(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    corekit_grant(&kit);
    corekit_click(&kit, "acked", 100);
    corekit_flush(&kit);
    save(&kit, &chain);
    corekit_click(&kit, "waits", 101);
    corekit_click(&kit, "flies", 102);
    struct shard_batch batch;
    char keys[SHARD_BATCH_KEYS][16];
    corekit_batch(&kit, &batch, 1, keys);
    assert_string_equal(keys[0], "waits"); /* taken in the order of events: now it flies */
    save(&kit, &chain);
    load(&kit, &chain, 4096);
    assert_int_equal(rows_waiting(&kit), 2);
    /* A dirty key that did not change since is named, and only that. */
    corekit_grant(&kit);
    save(&kit, &chain);
    assert_true(chain.segments[2].len < chain.segments[1].len);
    load(&kit, &chain, 4096);
    assert_int_equal(rows_waiting(&kit), 2);
    corekit_grant(&kit);
    assert_int_equal(corekit_flush(&kit), 2);
    save(&kit, &chain);
    load(&kit, &chain, 4096);
    assert_int_equal(rows_waiting(&kit), 0);
    chain_free(&chain);
    corekit_fini(&kit);
}

/* Decay between the as_of of the checkpoint and that in Redis is not lost. */
static void test_deadlines_are_armed_from_due(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, "[feature c]\nop = count\nover = 5s\nhop = 1s\n");
    corekit_grant(&kit);
    corekit_click(&kit, "k", 100000);
    corekit_flush(&kit);
    save(&kit, &chain);
    /* The owner states a much later as_of and writes nothing any more. */
    load(&kit, &chain, 4096);
    struct lease *lease = shard_lease(kit.shard);
    lease_acquiring(lease, "0123456789abcdef0123456789abcdef");
    struct lease_grant grant = {.had_own = true, .hw = 0, .as_of_ms = 150000, .seq = 0};
    assert_false(lease_granted(lease, &grant, 0, false));
    assert_int_equal(corekit_flush(&kit), 1);
    assert_int_equal(corekit_long(&kit, "k", "c"), 0);
    chain_free(&chain);
    corekit_fini(&kit);
}

static void test_lease_goes_on(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    corekit_grant(&kit);
    shard_lease(kit.shard)->acknowledged = 41;
    corekit_click(&kit, "k", 100);
    save(&kit, &chain);
    load(&kit, &chain, 4096);
    struct lease *lease = shard_lease(kit.shard);
    assert_int_equal(lease->acknowledged, 41);
    assert_string_equal(lease->previous, "0123456789abcdef0123456789abcdef");
    assert_int_equal(lease->state, LEASE_NONE);
    assert_int_equal(lease->resync, LEASE_SYNCED);
    /* What Redis has seen is held back until it is passed. */
    lease_acquiring(lease, "fedcba9876543210fedcba9876543210");
    struct lease_grant grant = {.had_own = true, .hw = 5, .as_of_ms = INT64_MIN, .seq = 50};
    assert_false(lease_granted(lease, &grant, 0, false));
    assert_int_equal(lease->hold, 5);
    /* A resync that was under way begins anew. */
    lease_want_resync(lease);
    save(&kit, &chain);
    load(&kit, &chain, 4096);
    assert_int_equal(shard_lease(kit.shard)->resync, LEASE_RESYNCING);
    chain_free(&chain);
    corekit_fini(&kit);
}

static void test_expiry_ages(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    corekit_grant(&kit);
    corekit_click(&kit, "k", 100);
    corekit_advance(&kit, INT64_MIN);
    struct shard_batch batch;
    struct row row;
    shard_batch_begin(kit.shard, &batch);
    assert_true(shard_batch_next(kit.shard, &batch, &kit.arena, 4000, 3000, &row));
    shard_batch_end(kit.shard, &batch, true);
    save(&kit, &chain); /* at 5000 s; loaded 60 s later by the wall clock, at 6000 s */
    load(&kit, &chain, 4096);
    uint32_t handle = entity_find(kit.shard, "k", 1, hash_bytes("k", 1));
    assert_int_equal(entity_at(kit.shard, handle)->expire_s, 6000 - 1060);
    chain_free(&chain);
    corekit_fini(&kit);
}

/* A delta has no record of a key whose row was written, and nothing else: when the row expires is
 * not known then, so it is written again in time. */
static void test_expiry_after_a_delta(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    corekit_grant(&kit);
    corekit_click(&kit, "k", 100);
    save(&kit, &chain);
    corekit_advance(&kit, INT64_MIN);
    struct shard_batch batch;
    struct row row;
    shard_batch_begin(kit.shard, &batch);
    assert_true(shard_batch_next(kit.shard, &batch, &kit.arena, 4990, 3000, &row));
    assert_true(row.expire);
    shard_refresh_ttl(kit.shard, 4990, 3000, 1);
    assert_int_equal(corekit_status(&kit).dirty, 0);
    shard_batch_end(kit.shard, &batch, true);
    save(&kit, &chain);
    load(&kit, &chain, 4096);
    assert_int_equal(corekit_status(&kit).dirty, 0);
    shard_refresh_ttl(kit.shard, 6000, 3000, 1);
    assert_int_equal(corekit_status(&kit).dirty, 1);
    chain_free(&chain);
    corekit_fini(&kit);
}

/* ---- another feature set ---- */

static void test_changed_features(void **state)
{
    (void)state;
    struct corekit kit, changed;
    struct chain chain = {0};
    start(&kit, all_features);
    apply_to(&kit, 9, 500);
    save(&kit, &chain);
    start(&changed, "[feature fresh]\nop = count\nover = 60s\n"
                    "[feature renamed]\nop = last_distinct(item, 2)\nover = 60s\n"
                    "[feature spent]\nop = sum(price)\nover = 20s\nhop = 5s\n"
                    "[feature items]\nop = last_n(item, 3)\nover = session\n"
                    "[feature number]\nop = session_number\n"
                    "[feature twin]\nop = sum(price)\nover = 20s\nhop = 5s\n");
    load(&changed, &chain, 4096);
    static const struct {
        const char *was, *is;
    } kept[] = {{"kinds", "renamed"}, {"spent", "spent"}, {"items", "items"}, {"number", "number"}};
    char key[40];
    int rows = 0;
    for (int k = 0; k < KEYS; k++) {
        snprintf(key, sizeof key, "k%d", k);
        if (!corekit_known(&kit, key))
            continue;
        rows++;
        for (size_t f = 0; f < sizeof kept / sizeof kept[0]; f++) {
            struct value was = corekit_value(&kit, key, kept[f].was);
            struct value is = corekit_value(&changed, key, kept[f].is);
            assert_value_equal(&was, &is);
        }
        assert_int_equal(corekit_long(&changed, key, "fresh"), 0);
    }
    assert_true(rows > 10);
    assert_int_equal(shard_lease(changed.shard)->resync, LEASE_RESYNCING);
    assert_true(checkpoint_needs_base(changed.shard));
    corekit_advance(&changed, INT64_MIN);
    struct shard_status status = corekit_status(&changed);
    assert_string_equal(status.warming, "fresh,twin");
    corekit_advance(&changed, 1000000 + 500 * 40 + 60000 * 3 + 3600000);
    chain_free(&chain);
    corekit_fini(&kit);
    corekit_fini(&changed);
}

static void assert_refused(struct corekit *kit, const struct chain *chain,
                           enum checkpoint_result result, const char *text)
{
    struct checkpoint_loader *loader = feed(&kit->rules, chain, 4096);
    assert_int_equal(checkpoint_loader_result(loader), result);
    assert_non_null(strstr(checkpoint_loader_text(loader), text));
    assert_false(checkpoint_loader_whole(loader));
    checkpoint_loader_close(loader);
}

static void test_other_rules_and_names(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    apply_to(&kit, 9, 50);
    save(&kit, &chain);
    kit.rules.foundation++;
    assert_refused(&kit, &chain, CHECKPOINT_UNUSABLE, "other rules");
    kit.rules.foundation--;
    struct checkpoint_loader *loader = checkpoint_loader_open(&kit.rules, 0, "b:topic:0", 0, 0);
    assert_false(checkpoint_loader_feed(loader, chain.segments[0].data, chain.segments[0].len));
    assert_int_equal(checkpoint_loader_result(loader), CHECKPOINT_FOREIGN);
    checkpoint_loader_close(loader);
    chain_free(&chain);
    corekit_fini(&kit);
}

/* Gives the first record, HEAD, another version, with the checksums that go with it. */
static void test_newer_format_is_refused(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    start(&kit, all_features);
    save(&kit, &chain);
    char *head = chain.segments[0].data;
    size_t at = SEGMENT_FRAME_BYTES + 1 + strlen(SEGMENT_MAGIC);
    assert_int_equal(head[at], SEGMENT_VERSION);
    head[at]++;
    uint32_t len;
    memcpy(&len, head, 4);
    uint32_t crc = crc32c(crc32c(0, head, 4), head + SEGMENT_FRAME_BYTES, len);
    memcpy(head + 4, &crc, 4);
    assert_refused(&kit, &chain, CHECKPOINT_NEWER, "later version");
    chain_free(&chain);
    corekit_fini(&kit);
}

/* ---- damage ---- */

static void small_chain(struct corekit *kit, struct chain *chain)
{
    start(kit, all_features);
    corekit_grant(kit);
    apply_to(kit, 3, 12);
    corekit_flush(kit);
    save(kit, chain);
    apply_to(kit, 3, 15);
    save(kit, chain);
}

static bool loads(struct corekit *kit, const struct chain *chain)
{
    struct checkpoint_loader *loader = feed(&kit->rules, chain, 1 << 20);
    bool ok = checkpoint_loader_whole(loader) && checkpoint_loader_settle(loader);
    checkpoint_loader_close(loader);
    return ok;
}

static void test_truncation_at_every_byte(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    small_chain(&kit, &chain);
    assert_true(loads(&kit, &chain));
    for (int k = 0; k < chain.count; k++) {
        size_t whole = chain.segments[k].len;
        for (size_t len = k == 0 ? 0 : 1; len < whole; len++) {
            chain.segments[k].len = len;
            assert_false(loads(&kit, &chain));
        }
        chain.segments[k].len = whole;
    }
    chain_free(&chain);
    corekit_fini(&kit);
}

static void test_a_flipped_bit_at_every_byte(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    small_chain(&kit, &chain);
    for (int k = 0; k < chain.count; k++)
        for (size_t at = 0; at < chain.segments[k].len; at++) {
            char bit = (char)(1 << at % 8);
            chain.segments[k].data[at] ^= bit;
            assert_false(loads(&kit, &chain));
            chain.segments[k].data[at] ^= bit;
        }
    assert_true(loads(&kit, &chain));
    chain_free(&chain);
    corekit_fini(&kit);
}

static void test_segments_out_of_order(void **state)
{
    (void)state;
    struct corekit kit;
    struct chain chain = {0};
    small_chain(&kit, &chain);
    apply_to(&kit, 3, 60);
    save(&kit, &chain);
    struct text second = chain.segments[1];
    chain.segments[1] = chain.segments[2];
    assert_refused(&kit, &chain, CHECKPOINT_DAMAGED, "does not follow");
    chain.segments[2] = chain.segments[1];
    chain.segments[1] = second;
    chain.count = 2; /* an older checkpoint */
    assert_true(loads(&kit, &chain));
    chain.count = 3;
    chain_free(&chain);
    corekit_fini(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_is_castagnolis),
        cmocka_unit_test(test_empty_shard),
        cmocka_unit_test(test_state_is_that_of_the_beginning),
        cmocka_unit_test(test_new_keys_do_not_hold_it_up),
        cmocka_unit_test(test_deltas_follow_a_base),
        cmocka_unit_test(test_chain_goes_on_after_a_restart),
        cmocka_unit_test(test_key_that_came_back),
        cmocka_unit_test(test_forgotten_key),
        cmocka_unit_test(test_key_that_goes_meanwhile),
        cmocka_unit_test(test_delta_is_small),
        cmocka_unit_test(test_unacknowledged_rows_are_dirty_again),
        cmocka_unit_test(test_deadlines_are_armed_from_due),
        cmocka_unit_test(test_lease_goes_on),
        cmocka_unit_test(test_expiry_ages),
        cmocka_unit_test(test_expiry_after_a_delta),
        cmocka_unit_test(test_changed_features),
        cmocka_unit_test(test_other_rules_and_names),
        cmocka_unit_test(test_newer_format_is_refused),
        cmocka_unit_test(test_truncation_at_every_byte),
        cmocka_unit_test(test_a_flipped_bit_at_every_byte),
        cmocka_unit_test(test_segments_out_of_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
