/* `freshet verify`: the rows in Redis, computed anew from the records they came from.
 *
 * Rows are read first, the own hashes of their shards after them: so no row is newer than what the
 * own hash says. Then the records pass, as far as that, and the states at their end are compared
 * with the rows. What seems to wait for its flush is looked at again after a moment: freshetd may
 * be at work. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "crew.h"
#include "pool.h"
#include "replay_report.h"
#include "verify_lane.h"
#include "verify_options.h"
#include "workbench.h"

enum {
    LANES_MAX = 4096,
    AGAIN_MS = 8000, /* in which an owner at work sends two batches, be they empty */
    LOOK_MS = 200,
    EXIT_DIFFERENT = 1,
};

static const char *const reason_names[VERIFY_REASON_COUNT] = {
#define X(ID, name) name,
    VERIFY_REASONS(X)
#undef X
};

struct verify {
    struct verify_options options;
    struct replay_setup setup;
    struct verify_redis *redis;
    struct verify_rows rows;
    uint64_t last_place;
    struct replay_source *source;
    struct crew *crew;
    struct replay_chunk chunk;
    struct verify_lane *lanes[LANES_MAX];
    int lane_count;
    struct replay_report report;
    /* the outcome */
    uint64_t compared, keys[VERIFY_REASON_COUNT];
    int status;
};

static bool ask_failed(struct verify *verify)
{
    fprintf(stderr, "freshet verify: %s\n", verify_redis_error(verify->redis));
    verify->status = EX_UNAVAILABLE;
    return false;
}

/* ---- what Redis shows ---- */

/* NULL, and said: Redis does not answer, or there are too many. */
static struct verify_lane *lane_of(struct verify *verify, int32_t partition)
{
    struct verify_own own;
    for (int i = 0; i < verify->lane_count; i++)
        if (verify_lane_partition(verify->lanes[i]) == partition)
            return verify->lanes[i];
    if (verify->lane_count == LANES_MAX) {
        fprintf(stderr, "freshet verify: more than %d partitions\n", LANES_MAX);
        verify->status = EX_DATAERR;
        return NULL;
    }
    if (!verify_redis_own(verify->redis, partition, &own)) {
        ask_failed(verify);
        return NULL;
    }
    struct verify_lane *lane = verify_lane_open(verify->setup.model, partition,
                                                verify->last_place, &own, &verify->rows);
    verify->lanes[verify->lane_count++] = lane;
    return lane;
}

static bool read_redis(struct verify *verify)
{
    const struct verify_options *options = &verify->options;
    verify->redis = verify_redis_open(verify->setup.config, verify->setup.model->set);
    verify->last_place =
        options->sample_share < 1 ? (uint64_t)ldexp(options->sample_share, 64) : UINT64_MAX;
    if (options->sample_keys > 0 &&
        !verify_redis_place(verify->redis, options->sample_keys, &verify->last_place))
        return ask_failed(verify);
    if (!verify_redis_rows(verify->redis, verify->last_place, &verify->rows))
        return ask_failed(verify);
    for (uint32_t i = 0; i < verify->rows.count; i++) {
        int32_t partition = verify->rows.list[i]->partition;
        if (partition >= 0 && !lane_of(verify, partition))
            return false;
    }
    return true;
}

/* ---- records ---- */

static void deal_chunk(struct verify *verify)
{
    struct replay_chunk *chunk = &verify->chunk;
    for (int i = 0; i < chunk->count && verify->status == 0; i++) {
        struct replay_item *item = &chunk->items[i];
        struct verify_lane *lane = lane_of(verify, item->partition);
        char error[REPLAY_ERROR_TEXT];
        if (!lane)
            return;
        if (verify_lane_add(lane, item, error))
            continue;
        replay_source_fail(verify->source, EX_DATAERR, "%s: %s %lld: %s", verify->source->name,
                           verify->source->place_name, (long long)item->place, error);
        return;
    }
}

static void run_lane(void *context, int i)
{
    verify_lane_run(((struct verify *)context)->lanes[i]);
}

static void compare_keys(void *context, int i)
{
    verify_lane_compare_keys(((struct verify *)context)->lanes[i]);
}

static void compare_rows(void *context, int i)
{
    verify_lane_compare_rows(((struct verify *)context)->lanes[i]);
}

static bool read_records(struct verify *verify)
{
    struct replay_source *source =
        replay_source_open(&verify->options.input, &verify->setup, &verify->status);
    if (!source)
        return false;
    verify->source = source;
    verify->status = 0;
    replay_report_begin(&verify->report);
    while (source->status == 0 && verify->status == 0 && source->read(source, &verify->chunk)) {
        replay_source_decode(source, &verify->chunk, verify->crew);
        deal_chunk(verify);
        crew_do(verify->crew, verify->lane_count, run_lane, verify);
        verify->report.records += verify->chunk.count;
        replay_report_progress(&verify->report, source);
    }
    replay_report_end(&verify->report);
    if (source->status != 0) {
        fprintf(stderr, "freshet verify: %s\n", source->error);
        verify->status = source->status;
    }
    return verify->status == 0;
}

/* ---- the second look ---- */

static bool is_open_question(const struct verify_difference *difference)
{
    return difference->reason == VERIFY_UNFLUSHED || difference->reason == VERIFY_MISSING;
}

static bool any_open_question(const struct verify *verify)
{
    for (int i = 0; i < verify->lane_count; i++) {
        size_t count;
        uint64_t compared;
        const struct verify_difference *list =
            verify_lane_differences(verify->lanes[i], &count, &compared);
        for (size_t k = 0; k < count; k++)
            if (is_open_question(&list[k]))
                return true;
    }
    return false;
}

/* Until every shard has written two batches since its rows were read; the owns as they are then. */
static bool wait_for_owners(struct verify *verify, struct verify_own *owns)
{
    const struct timespec moment = {.tv_nsec = LOOK_MS * 1000000L};
    for (int waited = 0;; waited += LOOK_MS) {
        bool all = true;
        for (int i = 0; i < verify->lane_count; i++) {
            const struct verify_own *first = verify_lane_own(verify->lanes[i]);
            if (!verify_redis_own(verify->redis, verify_lane_partition(verify->lanes[i]),
                                  &owns[i]))
                return ask_failed(verify);
            all &= owns[i].seq >= first->seq + 2;
        }
        if (all || waited >= AGAIN_MS)
            return true;
        nanosleep(&moment, NULL);
    }
}

struct second_look {
    const struct verify_own *now;
    const struct verify_rows *rows;
    int64_t expired, evicted, ttl_ms;
};

static enum verify_reason settle(const struct verify_difference *difference,
                                 const struct second_look *look)
{
    const struct verify_own *own = verify_lane_own(difference->lane);
    const struct verify_row *was = difference->row;
    const struct verify_row *row =
        verify_rows_find(look->rows, difference->key, difference->key_len);
    bool moved = row && (!was || row->offset != was->offset || row->as_of_ms != was->as_of_ms);
    bool at_work = look->now->seq >= own->seq + 2;
    if (moved || !own->known || look->now->resync)
        return VERIFY_UNFLUSHED;
    if (was && row)
        return at_work ? VERIFY_STALE : VERIFY_UNFLUSHED;
    if (look->evicted > 0)
        return VERIFY_EVICTED;
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    if (look->expired > 0 && now_ms - difference->newest_ms > look->ttl_ms / 2)
        return VERIFY_EXPIRED;
    return VERIFY_MISSING;
}

/* Settles what is open; all differences are counted. */
static bool settle_all(struct verify *verify, const struct verify_own *owns,
                       const struct verify_rows *again)
{
    struct second_look look = {
        .rows = again,
        .ttl_ms = config_ttl_ms(verify->setup.config, verify->setup.model->set),
    };
    /* A user may lack the right to ask; then nothing is known of it. */
    (void)verify_redis_dropped(verify->redis, &look.expired, &look.evicted);
    for (int i = 0; i < verify->lane_count; i++) {
        size_t count;
        uint64_t compared;
        struct verify_difference *list =
            verify_lane_differences(verify->lanes[i], &count, &compared);
        look.now = &owns[i];
        for (size_t k = 0; k < count; k++)
            if (is_open_question(&list[k]))
                list[k].reason = settle(&list[k], &look);
    }
    return true;
}

static bool look_again(struct verify *verify)
{
    struct verify_own *owns = memory_alloc((size_t)(verify->lane_count + 1) * sizeof *owns);
    struct verify_rows again = {0};
    struct verify_key *keys = NULL;
    size_t asked = 0, capacity = 0;
    bool ok = wait_for_owners(verify, owns);
    for (int i = 0; ok && i < verify->lane_count; i++) {
        size_t count;
        uint64_t compared;
        const struct verify_difference *list =
            verify_lane_differences(verify->lanes[i], &count, &compared);
        for (size_t k = 0; k < count; k++) {
            if (!is_open_question(&list[k]))
                continue;
            if (asked == capacity) {
                capacity = capacity ? 2 * capacity : 256;
                keys = memory_resize(keys, capacity * sizeof *keys);
            }
            keys[asked++] = (struct verify_key){list[k].key, list[k].key_len};
        }
    }
    ok = ok && (verify_redis_again(verify->redis, keys, asked, &again) || ask_failed(verify));
    ok = ok && settle_all(verify, owns, &again);
    verify_rows_free(&again);
    memory_free(keys);
    memory_free(owns);
    return ok;
}

/* ---- the outcome ---- */

static void print_difference(const struct verify_difference *difference)
{
    const char *lines = verify_lane_lines(difference->lane);
    const char *at = lines + difference->lines_begin, *end = lines + difference->lines_end;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        printf("%.*s\t%s\n", (int)(newline - at), at, reason_names[difference->reason]);
        at = newline + 1;
    }
}

static void print_summary(struct verify *verify)
{
    uint64_t applied = 0, beyond = 0, differ = 0, unexplained = 0;
    for (int i = 0; i < verify->lane_count; i++) {
        uint64_t one, other;
        verify_lane_counts(verify->lanes[i], &one, &other);
        applied += one;
        beyond += other;
    }
    for (int r = 0; r < VERIFY_REASON_COUNT; r++) {
        differ += verify->keys[r];
        unexplained += r >= VERIFY_STALE ? verify->keys[r] : 0;
    }
    printf("%llu keys compared, %llu equal, %llu differ", (unsigned long long)verify->compared,
           (unsigned long long)(verify->compared - differ), (unsigned long long)differ);
    for (int r = 0, listed = 0; r < VERIFY_REASON_COUNT; r++)
        if (verify->keys[r] > 0)
            printf("%s%llu %s", listed++ ? ", " : " (", (unsigned long long)verify->keys[r],
                   reason_names[r]);
    printf("%s; %llu records applied, %llu beyond what Redis shows\n", differ > 0 ? ")" : "",
           (unsigned long long)applied, (unsigned long long)beyond);
    if (unexplained > 0)
        verify->status = EXIT_DIFFERENT;
}

/* Rows without a partition are nobody's. */
static void print_strangers(struct verify *verify)
{
    for (uint32_t i = 0; i < verify->rows.count; i++) {
        const struct verify_row *row = verify->rows.list[i];
        if (row->partition >= 0)
            continue;
        verify->compared++;
        verify->keys[VERIFY_UNKNOWN]++;
        printf("%s\t_p\t(none)\t(a partition)\t%s\n", row->key, reason_names[VERIFY_UNKNOWN]);
    }
}

static void print_all(struct verify *verify)
{
    for (int i = 0; i < verify->lane_count; i++) {
        size_t count;
        uint64_t compared;
        const struct verify_difference *list =
            verify_lane_differences(verify->lanes[i], &count, &compared);
        verify->compared += compared;
        for (size_t k = 0; k < count; k++) {
            print_difference(&list[k]);
            verify->keys[list[k].reason]++;
        }
    }
    print_strangers(verify);
    print_summary(verify);
}

static void close_all(struct verify *verify)
{
    for (int i = 0; i < verify->lane_count; i++)
        verify_lane_close(verify->lanes[i]);
    if (verify->source)
        verify->source->close(verify->source);
    if (verify->redis)
        verify_redis_close(verify->redis);
    verify_rows_free(&verify->rows);
    replay_setup_close(&verify->setup);
}

int verify_main(int argc, char **argv)
{
    struct verify *verify = memory_alloc(sizeof *verify);
    verify_options_parse(argc, argv, &verify->options);
    verify->status = replay_setup_open(&verify->options.input.setup, &verify->setup);
    if (verify->status == 0 && read_redis(verify)) {
        verify->crew = crew_new(verify->options.input.jobs);
        bool ok = read_records(verify);
        if (ok) {
            crew_do(verify->crew, verify->lane_count, compare_keys, verify);
            crew_do(verify->crew, verify->lane_count, compare_rows, verify);
        }
        crew_free(verify->crew);
        if (ok && (!any_open_question(verify) || look_again(verify)))
            print_all(verify);
    }
    close_all(verify);
    int status = verify->status;
    memory_free(verify);
    return status;
}
