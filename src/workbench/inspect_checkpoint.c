/* Every chain of every shard is read, the newest first, and said to be whole or where it is not.
 * The newest that can be used is what a daemon would start from: it is described, and a key in it.
 * Without the daemon's configuration no state is made of the bytes: then they are only checked. */
#include "inspect_checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#include "arena.h"
#include "checkpoint_shelf.h"
#include "pool.h"
#include "replay_setup.h"
#include "rowjson.h"
#include "shard.h"

struct inspector {
    const struct inspect_options *options;
    struct replay_setup setup; /* empty without a configuration */
    struct checkpoint_shelf *shelf;
    int64_t wall_ms;
    struct text out;
    int shards, damaged; /* segments that cannot be read */
    bool key_found;
};

/* ---- words ---- */

static void say_size(struct text *out, uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 1024 && unit < 3; unit++)
        size /= 1024;
    text_printf(out, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static void say_time(struct text *out, const char *label, int64_t ms)
{
    text_printf(out, "%-10s ", label);
    text_append_event_time(out, ms);
    text_append_char(out, '\n');
}

static void describe(struct inspector *self, const struct checkpoint_about *about)
{
    struct text *out = &self->out;
    text_printf(out, "shard      %s\n", about->name);
    text_printf(out, "offset     %" PRId64 ", the first record that is not in it\n", about->offset);
    say_time(out, "saved", about->wall_ms);
    text_append_string(out, "age        ");
    text_append_duration(out, (self->wall_ms - about->wall_ms) / 1000 * 1000);
    text_append_char(out, '\n');
    say_time(out, "newest", about->raw_ms);
    say_time(out, "as_of", about->as_of_ms);
    text_printf(out, "keys       %" PRIu64 "\n", about->keys);
    text_append_string(out, "size       ");
    say_size(out, about->bytes);
    text_printf(out, " in %" PRIu64 " records: a base of ", about->records);
    say_size(out, about->base_bytes);
    text_printf(out, " and %d deltas\n", about->segments - 1);
    text_printf(out, "features   %d, of the set %016" PRIx64 "\n", about->features,
                about->feature_version);
    text_printf(out, "format     %u\n", about->version);
}

static void explain_key(struct inspector *self, const struct shard *shard, int64_t offset)
{
    const char *key = self->options->key;
    struct arena arena = {0};
    struct row row;
    if (!shard_explain(shard, key, strlen(key), &self->out))
        return;
    self->key_found = true;
    if (shard_peek(shard, key, strlen(key), &arena, &row)) {
        text_append_string(&self->out, "shows      ");
        rowjson_point(&row, offset - 1, &self->out);
    }
    arena_free(&arena);
}

/* ---- chains ---- */

/* Reads the first count segments of a chain; returns how many of them are whole, and says of the
 * first that is not what is wrong with it. */
static size_t read_chain(struct inspector *self, struct checkpoint_loader *loader, size_t first,
                         size_t count, char why[CHECKPOINT_STORE_TEXT])
{
    checkpoint_loader_reset(loader);
    why[0] = '\0';
    for (size_t k = 0; k < count; k++) {
        if (!self->shelf->feed(self->shelf, first + k, loader, why))
            return k;
        if (checkpoint_loader_whole(loader))
            continue;
        const char *text = checkpoint_loader_text(loader);
        snprintf(why, CHECKPOINT_STORE_TEXT, "%s", text[0] ? text : "it was cut short");
        return k;
    }
    if (checkpoint_loader_settle(loader))
        return count;
    snprintf(why, CHECKPOINT_STORE_TEXT, "%s", checkpoint_loader_text(loader));
    return count - 1;
}

/* The chain in one line, and beneath it what cannot be used. Leaves in the loader what can: false
 * when that is nothing. */
static bool check_chain(struct inspector *self, struct checkpoint_loader *loader, size_t first,
                        size_t count, struct text *lines)
{
    const struct checkpoint_shelved *segments = &self->shelf->segments[first];
    char why[CHECKPOINT_STORE_TEXT], first_why[CHECKPOINT_STORE_TEXT];
    size_t good = read_chain(self, loader, first, count, first_why);
    size_t usable = good;
    for (size_t tried = count; usable > 0 && usable < tried;) {
        tried = usable; /* what the damaged one has left behind is forgotten */
        usable = read_chain(self, loader, first, tried, why);
    }
    text_printf(lines, "chain      %016" PRIx64 ": segments %zu, whole %zu\n",
                segments[0].segment.chain, count, good);
    if (good < count && first_why[0]) {
        self->damaged += (int)(count - good);
        text_printf(lines, "           %s: %s\n", segments[good].name, first_why);
    } else if (good < count) {
        text_printf(lines, "           %s: removed meanwhile\n", segments[good].name);
    }
    return usable > 0;
}

/* Segments from begin to end are those of one shard. */
static void inspect_shard(struct inspector *self, size_t begin, size_t end)
{
    const struct checkpoint_shelved *segments = self->shelf->segments;
    int32_t partition = segments[begin].segment.partition;
    struct checkpoint_loader *loader =
        checkpoint_loader_open(self->setup.model ? &self->setup.model->rules : NULL, partition,
                               NULL, self->wall_ms, 1);
    struct text lines = {0};
    bool described = false;
    text_append_string(&lines, "");
    for (size_t stop = end, at = end; at-- > begin;) {
        if (at > begin && segments[at - 1].segment.chain == segments[at].segment.chain)
            continue;
        if (check_chain(self, loader, at, stop - at, &lines) && !described) {
            described = true;
            const struct checkpoint_about *about = checkpoint_loader_about(loader);
            describe(self, about);
            struct shard *shard = self->setup.model ? checkpoint_loader_take(loader) : NULL;
            if (shard && self->options->key)
                explain_key(self, shard, about->offset);
            shard_close(shard);
        }
        stop = at;
    }
    if (!described)
        text_printf(&self->out, "shard      of partition %d: nothing that can be used\n",
                    partition);
    text_append_string(&self->out, lines.data);
    text_append_char(&self->out, '\n');
    text_free(&lines);
    checkpoint_loader_close(loader);
    self->shards++;
}

/* ---- the command ---- */

static bool open_shelf(struct inspector *self, char error[CHECKPOINT_STORE_TEXT], int *status)
{
    const struct inspect_options *options = self->options;
    struct stat found;
    bool is_path = strchr(options->checkpoint, '/') || stat(options->checkpoint, &found) == 0;
    struct checkpoint_kafka_options topic = {.bootstrap = options->brokers,
                                             .properties = options->properties,
                                             .property_count = options->property_count,
                                             .topic = options->checkpoint};
    self->shelf = is_path ? checkpoint_dir_shelf(options->checkpoint, error)
                          : checkpoint_kafka_shelf(&topic, error);
    *status = is_path ? EX_NOINPUT : EX_UNAVAILABLE;
    return self->shelf;
}

static void inspect_shelf(struct inspector *self)
{
    const struct checkpoint_shelf *shelf = self->shelf;
    for (size_t begin = 0, end; begin < shelf->count; begin = end) {
        const struct checkpoint_shelved *first = &shelf->segments[begin];
        for (end = begin; end < shelf->count && shelf->segments[end].shard == first->shard; end++)
            continue;
        int32_t only = self->options->partition;
        if (only >= 0 && only != first->segment.partition)
            continue;
        inspect_shard(self, begin, end);
        fwrite(self->out.data, 1, self->out.len, stdout);
        text_clear(&self->out);
    }
}

/* What the whole of it comes to. */
static int conclude(const struct inspector *self)
{
    if (self->shards == 0) {
        fprintf(stderr, "freshet inspect: %s: there are no checkpoints\n",
                self->options->checkpoint);
        return EX_NOINPUT;
    }
    printf("%d shards, segments that cannot be used: %d\n", self->shards, self->damaged);
    if (self->damaged > 0)
        return EX_DATAERR;
    if (!self->options->key || self->key_found)
        return EX_OK;
    fprintf(stderr, "freshet inspect: no shard has the key %s\n", self->options->key);
    return EX_NOINPUT;
}

int inspect_checkpoint(const struct inspect_options *options)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct inspector self = {.options = options,
                             .wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
    struct replay_setup_options setup = {.config = options->config};
    char error[CHECKPOINT_STORE_TEXT];
    int status = options->config ? replay_setup_open(&setup, &self.setup) : EX_OK;
    if (status != EX_OK)
        return status;
    if (open_shelf(&self, error, &status)) {
        inspect_shelf(&self);
        status = conclude(&self);
        self.shelf->close(self.shelf);
    } else {
        fprintf(stderr, "freshet inspect: %s\n", error);
    }
    text_free(&self.out);
    replay_setup_close(&self.setup);
    return status;
}
