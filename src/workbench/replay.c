/* `freshet replay`: recorded events through the core, to rows.
 *
 * A chunk of the input at a time is read, decoded in slices, dealt to the lanes of its partitions,
 * and applied; then the rows of all lanes are written in the order of the records that caused them.
 * So the output is the same with any number of threads, and memory is bounded by a chunk and state.
 * When the input is damaged all rows of the records before the damage are written. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "crew.h"
#include "pool.h"
#include "replay_lane.h"
#include "replay_output.h"
#include "replay_report.h"
#include "workbench.h"

enum { LANES_MAX = 4096 };

struct replay {
    struct replay_options options;
    struct replay_setup setup;
    struct labels labels;
    struct points points;
    struct lane_terms terms;
    struct replay_source *source;
    struct replay_output output;
    struct crew *crew;
    struct replay_chunk chunk;
    struct lane *lanes[LANES_MAX];
    int lane_count;
    int newest_lane; /* where the partition of an item is looked for first */
    struct replay_report report;
    int status;
};

/* ---- a chunk ---- */

/* -1: there are too many. */
static int lane_of(struct replay *replay, int32_t partition)
{
    int newest = replay->newest_lane;
    if (newest < replay->lane_count && lane_partition(replay->lanes[newest]) == partition)
        return newest;
    int i = 0;
    while (i < replay->lane_count && lane_partition(replay->lanes[i]) != partition)
        i++;
    if (i == LANES_MAX)
        return -1;
    if (i == replay->lane_count)
        replay->lanes[replay->lane_count++] = lane_open(&replay->terms, partition);
    replay->newest_lane = i;
    return i;
}

/* False, and said: its partition or its offset cannot be. */
static bool deal(struct replay *replay, struct replay_item *item)
{
    struct replay_source *source = replay->source;
    item->lane = lane_of(replay, item->partition);
    if (item->lane < 0) {
        replay_source_fail(source, EX_DATAERR, "%s: %s %lld: more than %d partitions",
                           source->name, source->place_name, (long long)item->place, LANES_MAX);
        return false;
    }
    struct lane *lane = replay->lanes[item->lane];
    int64_t next = lane_next_offset(lane);
    if (!item->idle && item->record.offset == REPLAY_NO_OFFSET)
        item->record.offset = next;
    if (!item->idle && item->record.offset < next) {
        replay_source_fail(source, EX_DATAERR,
                           "%s: %s %lld: offset %lld of partition %d does not come after %lld "
                           "(sort the records of a partition by offset)", source->name,
                           source->place_name, (long long)item->place,
                           (long long)item->record.offset, item->partition, (long long)next - 1);
        return false;
    }
    lane_add(lane, item);
    return true;
}

static void deal_chunk(struct replay *replay)
{
    struct replay_chunk *chunk = &replay->chunk;
    int dealt = 0;
    while (dealt < chunk->count && deal(replay, &chunk->items[dealt]))
        dealt++;
    chunk->count = dealt;
}

static void run_lane(void *context, int i)
{
    struct replay *replay = context;
    if (lane_has_work(replay->lanes[i]))
        lane_run(replay->lanes[i]);
}

/* The rows of all lanes, in the order of the items that caused them. */
static void write_chunk(struct replay *replay)
{
    const struct replay_chunk *chunk = &replay->chunk;
    size_t bytes_at[LANES_MAX], rows_at[LANES_MAX];
    for (int i = 0; i < replay->lane_count; i++)
        bytes_at[i] = rows_at[i] = 0;
    for (int i = 0; i < chunk->count; i++) {
        const struct replay_item *item = &chunk->items[i];
        size_t rows;
        const struct text *out = lane_out(replay->lanes[item->lane], &rows);
        size_t *at = &bytes_at[item->lane];
        if (item->bytes_end > *at)
            replay_output_put(&replay->output, out->data + *at, item->bytes_end - *at,
                              item->rows_end - rows_at[item->lane]);
        *at = item->bytes_end;
        rows_at[item->lane] = item->rows_end;
    }
    for (int i = 0; i < replay->lane_count; i++)
        lane_clear(replay->lanes[i]);
}

static void run(struct replay *replay)
{
    struct replay_source *source = replay->source;
    while (source->read(source, &replay->chunk)) {
        replay_source_decode(source, &replay->chunk, replay->crew);
        deal_chunk(replay);
        crew_do(replay->crew, replay->lane_count, run_lane, replay);
        write_chunk(replay);
        replay->report.records += replay->chunk.count;
        replay_report_progress(&replay->report, source);
        if (source->status != 0 || replay->output.failed)
            return;
    }
}

/* ---- the end ---- */

/* Labels of keys that nobody knows: what a model knows of them is nothing. */
static void write_unknown_labels(struct replay *replay)
{
    struct shard *nobody = shard_open(&replay->setup.model->rules, 0, INT64_MIN);
    struct arena arena = {0};
    struct text out = {0};
    for (uint32_t i = 0; i < replay->labels.count; i++) {
        const struct label *label = &replay->labels.list[i];
        struct row row;
        if (atomic_load(&label->found))
            continue;
        shard_row_at(nobody, label->key, label->key_len, label->time_ms - 1, &arena, &row);
        struct replay_row shown = {
            .kind = REPLAY_LABEL,
            .key = label->key,
            .key_len = label->key_len,
            .as_of.ms = label->time_ms - 1,
            .watermark = EVENT_TIME_MIN,
            .partition = REPLAY_NONE,
            .offset = REPLAY_NONE,
            .asked.ms = label->time_ms,
            .label = label->columns,
            .final = replay->options.final_knowledge,
            .row = &row,
        };
        text_clear(&out);
        if (replay->options.avro_output)
            replay_row_avro(&shown, &out);
        else
            replay_row_json(&shown, &out);
        replay_output_put(&replay->output, out.data, out.len, 1);
        arena_reset(&arena);
    }
    text_free(&out);
    arena_free(&arena);
    shard_close(nobody);
}

/* The lines of all points, in the order in which they were asked for. */
static void write_points(struct replay *replay)
{
    const struct points *points = &replay->points;
    for (uint32_t i = 0; i < points->count; i++) {
        const struct point *point = &points->list[points->by_place[i]];
        int lane = 0;
        while (lane < replay->lane_count &&
               lane_partition(replay->lanes[lane]) != point->partition)
            lane++;
        if (lane == replay->lane_count) {
            replay_source_fail(replay->source, EX_DATAERR,
                               "%s:%u: the input has no partition %d", replay->options.at,
                               (unsigned)point->place + 1, point->partition);
            return;
        }
        const struct text *out = lane_points(replay->lanes[lane]);
        replay_output_put(&replay->output, out->data + point->begin, point->end - point->begin, 1);
    }
}

static void finish_lane(void *context, int i)
{
    lane_finish(((struct replay *)context)->lanes[i]);
}

/* What was asked for beyond the end of the log. */
static void finish(struct replay *replay)
{
    crew_do(replay->crew, replay->lane_count, finish_lane, replay);
    for (int i = 0; i < replay->lane_count; i++) {
        size_t rows;
        const struct text *out = lane_out(replay->lanes[i], &rows);
        replay_output_put(&replay->output, out->data, out->len, rows);
    }
    write_unknown_labels(replay);
    write_points(replay);
}

/* ---- life ---- */

static int by_number(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static bool read_asked(struct replay *replay)
{
    struct replay_options *options = &replay->options;
    char error[REPLAY_ERROR_TEXT];
    qsort(options->as_of, (size_t)options->as_of_count, sizeof *options->as_of, by_number);
    replay->terms = (struct lane_terms){
        .options = options,
        .model = replay->setup.model,
        .times = options->as_of,
        .time_count = options->as_of_count,
        .labels = options->labels ? &replay->labels : NULL,
        .points = options->at ? &replay->points : NULL,
    };
    bool ok = !options->labels ||
              labels_read(&replay->labels, options->labels, error, sizeof error);
    ok = ok && (!options->at || points_read(&replay->points, options->at, error, sizeof error));
    if (!ok) {
        fprintf(stderr, "freshet replay: %s\n", error);
        replay->status = EX_NOINPUT;
    }
    return ok;
}

static bool open_all(struct replay *replay)
{
    replay->status = replay_setup_open(&replay->options.setup, &replay->setup);
    if (replay->status != 0 || !read_asked(replay))
        return false;
    replay->source = replay_source_open(&replay->options, &replay->setup, &replay->status);
    if (!replay->source)
        return false;
    replay->status = 0;
    if (!replay_output_open(&replay->output, &replay->options, &replay->setup))
        replay->status = EX_CANTCREAT;
    return replay->status == 0;
}

static void close_all(struct replay *replay)
{
    for (int i = 0; i < replay->lane_count; i++)
        lane_close(replay->lanes[i]);
    if (replay->source)
        replay->source->close(replay->source);
    labels_free(&replay->labels);
    points_free(&replay->points);
    replay_setup_close(&replay->setup);
}

int replay_main(int argc, char **argv)
{
    struct replay *replay = memory_alloc(sizeof *replay);
    replay_options_parse(argc, argv, &replay->options);
    if (open_all(replay)) {
        replay->crew = crew_new(replay->options.jobs);
        replay_report_begin(&replay->report);
        run(replay);
        if (replay->source->status == 0 && !replay->output.failed)
            finish(replay);
        bool written = replay_output_close(&replay->output);
        replay_report_end(&replay->report);
        crew_free(replay->crew);
        replay->status = replay->source->status;
        if (replay->status != 0)
            fprintf(stderr, "freshet replay: %s\n", replay->source->error);
        if (!written)
            replay->status = EX_IOERR;
        if (replay->options.summary)
            replay_report_summary(replay->lanes, replay->lane_count,
                                  replay->setup.model->set->version, replay->output.rows);
    }
    close_all(replay);
    int status = replay->status;
    memory_free(replay);
    return status;
}
