/* HEAD: what a segment says of itself, its clocks, and the features it has state of.
 *
 * Features are known again by their definition, so that those that did not change keep theirs. */
#include <stdio.h>
#include <string.h>

#include "checkpointreading.h"

static bool read_version(struct checkpoint_loader *loader, struct segment_reader *in)
{
    size_t magic = strlen(SEGMENT_MAGIC);
    if (segment_left(in) < magic + 2 || memcmp(in->at, SEGMENT_MAGIC, magic) != 0)
        return checkpoint_damaged(loader, "does not begin as a checkpoint");
    in->at += magic;
    loader->about.version = (uint16_t)(in->at[0] | in->at[1] << 8);
    in->at += 2;
    if (loader->about.version > SEGMENT_VERSION)
        return checkpoint_fail(loader, CHECKPOINT_NEWER,
                               "it was written in format %u by a later version of freshet; this "
                               "one reads up to %d (run that version, or take the checkpoint away "
                               "to start without it)",
                               loader->about.version, SEGMENT_VERSION);
    if (loader->about.version < SEGMENT_VERSION_OLDEST)
        return checkpoint_fail(loader, CHECKPOINT_UNUSABLE,
                               "it is of format %u; this version reads from %d on",
                               loader->about.version, SEGMENT_VERSION_OLDEST);
    return true;
}

static bool read_link(struct checkpoint_loader *loader, struct segment_reader *in)
{
    struct checkpoint_about *about = &loader->about;
    size_t len;
    const char *name = segment_get_bytes(in, &len);
    if (len >= sizeof about->name)
        return checkpoint_damaged(loader, "its name is too long");
    snprintf(about->name, sizeof about->name, "%.*s", (int)len, name);
    if (loader->name && strcmp(loader->name, about->name) != 0)
        return checkpoint_fail(loader, CHECKPOINT_FOREIGN,
                               "it belongs to %s and not to %s (give each application a directory, "
                               "or a topic, of its own)", about->name, loader->name);
    struct checkpoint_link link;
    link.chain = segment_get_u64(in);
    link.index = (uint32_t)segment_get_at_most(in, UINT32_MAX);
    link.previous = segment_get_u32(in);
    bool first = about->segments == 0;
    if (first ? link.index != 0
              : link.chain != about->link.chain || link.index != about->link.index + 1 ||
                    link.previous != about->link.previous)
        return checkpoint_damaged(loader, "does not follow the segment before");
    about->link = link;
    return true;
}

static void read_clocks(struct checkpoint_loader *loader, struct segment_reader *in)
{
    struct checkpoint_about *about = &loader->about;
    about->wall_ms = segment_get_signed(in);
    about->last_flush_ms = segment_get_signed(in);
    int64_t start = segment_get_signed(in);
    about->offset = segment_get_signed(in);
    about->raw_ms = segment_get_signed(in);
    about->as_of_ms = segment_get_signed(in);
    about->due_ms = segment_get_signed(in);
    int64_t newest = segment_get_signed(in);
    int64_t greatest = segment_get_signed(in);
    about->keys = segment_get_number(in);
    loader->forgotten = segment_get_number(in);
    int64_t age = clock_sub_ms(loader->wall_ms, about->wall_ms) / 1000;
    loader->age_s = age < 0 ? 0 : age > INT32_MAX ? INT32_MAX : age;
    struct shard *shard = loader->shard;
    if (!shard)
        return;
    shard->start_ms = start;
    shard->next_offset = about->offset;
    shard->raw_ms = about->raw_ms;
    shard->as_of_ms = about->as_of_ms;
    shard->due_ms = about->due_ms;
    shard->newest_record_ms = newest;
    shard->greatest_record_ms = greatest;
}

static int find_window(const struct feature_set *set, int64_t length_ms, int64_t hop_ms)
{
    for (int w = 0; w < set->window_count; w++)
        if (set->windows[w].length.ms == length_ms && set->windows[w].hop.ms == hop_ms)
            return w;
    return NOT_KEPT;
}

/* A feature of the checkpoint, as its HEAD has it. */
struct described {
    const char *name, *definition;
    size_t name_len, definition_len;
    uint8_t shape;
    int place;
    int64_t start_ms;
    int kept; /* index in the present set, or NOT_KEPT */
};

static bool text_is(const char *text, const char *bytes, size_t len)
{
    return strlen(text) == len && memcmp(text, bytes, len) == 0;
}

/* A feature is what its definition says; of several with the same, names tell which is which. */
static void keep_feature(struct checkpoint_layout *layout, const struct feature_set *set,
                         struct described *old, bool by_name)
{
    for (int k = 0; old->kept == NOT_KEPT && k < set->count; k++) {
        const struct feature *feature = &set->features[k];
        if (layout->starts_ms[k] != INT64_MAX || checkpoint_shape(set, feature) != old->shape ||
            !text_is(feature->definition, old->definition, old->definition_len) ||
            (by_name && !text_is(feature->name, old->name, old->name_len)))
            continue;
        old->kept = k;
        layout->starts_ms[k] = old->start_ms;
    }
}

static void keep_features(struct checkpoint_layout *layout, const struct feature_set *set,
                          struct described *features)
{
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < layout->feature_count; k++)
            keep_feature(layout, set, &features[k], pass == 0);
}

/* Whether it stands where the definition says. */
static bool in_place(const struct checkpoint_layout *layout, const struct feature_set *set,
                     const struct described *old)
{
    if (old->kept == NOT_KEPT)
        return true;
    int window = old->place < PLACE_WINDOWS ? -1 : layout->windows[old->place - PLACE_WINDOWS];
    const struct feature *feature = &set->features[old->kept];
    return feature->window == window &&
           (checkpoint_place(feature) == PLACE_NONE) == (old->place == PLACE_NONE);
}

static bool read_feature(struct segment_reader *in, int window_count, struct described *feature)
{
    feature->name = segment_get_bytes(in, &feature->name_len);
    feature->definition = segment_get_bytes(in, &feature->definition_len);
    feature->shape = (uint8_t)segment_get_at_most(in, UINT8_MAX);
    int places = PLACE_WINDOWS + window_count;
    feature->place = (int)segment_get_at_most(in, (uint64_t)places - 1);
    feature->start_ms = segment_get_signed(in);
    feature->kept = NOT_KEPT;
    return !in->broken;
}

static void order_by_place(struct checkpoint_layout *layout, const struct described *features)
{
    uint16_t count = 0;
    int places = PLACE_WINDOWS + layout->window_count;
    for (int place = 0; place < places; place++) {
        layout->first[place] = count;
        for (int k = 0; place != PLACE_NONE && k < layout->feature_count; k++)
            if (features[k].place == place)
                layout->features[count++] = (int16_t)features[k].kept;
    }
    layout->first[places] = count;
}

static bool read_features(struct checkpoint_loader *loader, struct segment_reader *in)
{
    struct checkpoint_layout *layout = &loader->layout;
    const struct feature_set *set = loader->rules ? loader->rules->set : NULL;
    struct described features[FEATURES_MAX];
    layout->window_count = (int)segment_get_at_most(in, FEATURE_WINDOWS_MAX);
    for (int w = 0; w < layout->window_count; w++) {
        int64_t length_ms = segment_get_signed(in);
        int64_t hop_ms = segment_get_signed(in);
        layout->windows[w] = set ? find_window(set, length_ms, hop_ms) : NOT_KEPT;
    }
    layout->feature_count = (int)segment_get_at_most(in, FEATURES_MAX);
    loader->about.features = layout->feature_count;
    for (int k = 0; k < layout->feature_count; k++)
        if (!read_feature(in, layout->window_count, &features[k]))
            return checkpoint_damaged(loader, "its features make no sense");
    if (set)
        keep_features(layout, set, features);
    for (int k = 0; set && k < layout->feature_count; k++)
        if (!in_place(layout, set, &features[k]))
            return checkpoint_damaged(loader, "its features are out of place");
    order_by_place(layout, features);
    return true;
}

/* What the present set has and the checkpoint has not begins where the checkpoint ends. */
static void begin_new_features(struct checkpoint_loader *loader)
{
    const struct feature_set *set = loader->rules->set;
    struct shard *shard = loader->shard;
    int64_t now = shard->greatest_record_ms == RECORD_NO_TIME
                      ? shard->raw_ms
                      : clock_add_ms(shard->greatest_record_ms, 1);
    loader->about.features_new = 0;
    for (int k = 0; k < set->count; k++) {
        if (loader->layout.starts_ms[k] != INT64_MAX) {
            shard->starts_ms[k] = loader->layout.starts_ms[k];
            continue;
        }
        bool folded = operator_rows[set->features[k].op].scope == FOLDED;
        loader->about.features_new += folded;
        shard->starts_ms[k] = folded ? now : shard->start_ms;
    }
}

bool checkpoint_read_head(struct checkpoint_loader *loader, struct segment_reader *in)
{
    if (!read_version(loader, in) || !read_link(loader, in))
        return false;
    if (loader->rules && !loader->shard)
        loader->shard = shard_open(loader->rules, loader->partition, INT64_MIN);
    struct shard *shard = loader->shard;
    read_clocks(loader, in);
    uint64_t foundation = segment_get_u64(in);
    loader->about.feature_version = segment_get_u64(in);
    if (shard && !in->broken && foundation != loader->rules->foundation)
        return checkpoint_fail(loader, CHECKPOINT_UNUSABLE,
                               "it follows other rules: [event], [time] or [session], or the type "
                               "of the key, have changed since, so state begins anew");
    for (int k = 0; k < FEATURES_MAX; k++)
        loader->layout.starts_ms[k] = INT64_MAX;
    if (!read_features(loader, in))
        return false;
    size_t len;
    const char *warming = segment_get_bytes(in, &len);
    if (in->broken || segment_left(in) > 0 || len >= SHARD_WARMING_MAX)
        return checkpoint_damaged(loader, "its head makes no sense");
    if (!shard)
        return true;
    memcpy(shard->warming, warming, len);
    shard->warming[len] = '\0';
    begin_new_features(loader);
    /* Each segment names every key whose row is not acknowledged: older news do not count. */
    for (int queue = QUEUE_EVENT; queue <= QUEUE_DECAY; queue++)
        while (shard->queues[queue].count > 0)
            entity_clean(shard, dirty_first(shard, (enum entity_queue)queue));
    return true;
}
