/* Checkpoints: the walk, the copy at first touch, and what each record has. */
#include <string.h>

#include "accumulatorsave.h"
#include "checkpoint.h"
#include "checkpointlayout.h"
#include "expect.h"
#include "shardstate.h"

/* ---- HEAD ---- */

static void put_clocks(struct text *out, const struct shard *shard)
{
    segment_put_signed(out, shard->start_ms);
    segment_put_signed(out, shard->next_offset);
    segment_put_signed(out, shard->raw_ms);
    segment_put_signed(out, shard->as_of_ms);
    segment_put_signed(out, shard->due_ms);
    segment_put_signed(out, shard->newest_record_ms);
    segment_put_signed(out, shard->greatest_record_ms);
}

static void put_features(struct text *out, const struct shard *shard)
{
    const struct feature_set *set = shard->rules->set;
    segment_put_number(out, (uint64_t)set->window_count);
    for (int w = 0; w < set->window_count; w++) {
        segment_put_signed(out, set->windows[w].length.ms);
        segment_put_signed(out, set->windows[w].hop.ms);
    }
    segment_put_number(out, (uint64_t)set->count);
    for (int k = 0; k < set->count; k++) {
        const struct feature *feature = &set->features[k];
        segment_put_bytes(out, feature->name, strlen(feature->name));
        segment_put_bytes(out, feature->definition, strlen(feature->definition));
        text_append_char(out, (char)checkpoint_shape(set, feature));
        segment_put_number(out, (uint64_t)checkpoint_place(feature));
        segment_put_signed(out, shard->starts_ms[k]);
    }
    segment_put_bytes(out, shard->warming, strlen(shard->warming));
}

static void write_head(struct shard *shard, const struct checkpoint_terms *terms)
{
    struct segment_writer *writer = &shard->checkpointing.writer;
    struct text *out = writer->out;
    segment_begin_record(writer, SEGMENT_HEAD);
    text_append_string(out, SEGMENT_MAGIC);
    text_append_char(out, (char)SEGMENT_VERSION);
    text_append_char(out, (char)(SEGMENT_VERSION >> 8));
    segment_put_bytes(out, terms->name, strlen(terms->name));
    segment_put_u64(out, terms->link.chain);
    segment_put_number(out, terms->link.index);
    segment_put_u32(out, terms->link.previous);
    segment_put_signed(out, terms->wall_ms);
    segment_put_signed(out, terms->last_flush_ms);
    put_clocks(out, shard);
    segment_put_number(out, shard->live_keys);
    segment_put_number(out, shard->forgotten_keys);
    segment_put_u64(out, shard->rules->foundation);
    segment_put_u64(out, shard->rules->set->version);
    put_features(out, shard);
    segment_end_record(writer);
}

/* ---- KEY ---- */

_Static_assert(sizeof(struct session) == 40, "saved field by field: put_session, get_session");
_Static_assert(sizeof(struct session_part) == 40, "saved field by field: put_session, get_session");
_Static_assert(sizeof(struct sessions) == 32, "saved field by field: put_sessions, get_sessions");
_Static_assert(sizeof(struct entity) == 128, "what of it is state: put_key, get_key");

static void put_accumulators(struct shard *shard, int place, const char *accs)
{
    const struct checkpointing *self = &shard->checkpointing;
    for (int k = self->first[place]; k < self->first[place + 1]; k++) {
        const struct feature *feature = &shard->rules->set->features[self->features[k]];
        accumulator_save(self->writer.out, feature, accs + feature->acc_offset);
    }
}

static void put_session(struct shard *shard, struct session *session)
{
    struct text *out = shard->checkpointing.writer.out;
    segment_put_signed(out, session->start_ms);
    segment_put_signed(out, session->last_ms - session->start_ms);
    segment_put_signed(out, session->id);
    segment_put_number(out, session->events);
    segment_put_number(out, session->rev);
    put_accumulators(shard, PLACE_SESSION, session->acc);
    if (!rules_part_sessions(shard->rules))
        return;
    const struct session_part *part = session_part(shard->rules, session);
    segment_put_signed(out, part->start_offset);
    segment_put_signed(out, part->end_ms);
    segment_put_signed(out, part->end_offset);
    held_save(out, &part->tracker);
}

static void put_sessions(struct shard *shard, const struct sessions *sessions)
{
    struct text *out = shard->checkpointing.writer.out;
    segment_put_number(out, sessions->live_count);
    for (struct session *session = sessions->live; session; session = session->next)
        put_session(shard, session);
    segment_put_number(out, sessions->settled_count);
    text_append_char(out, sessions->settled != NULL);
    if (sessions->settled)
        put_session(shard, sessions->settled);
    const struct session_past *past = sessions->past;
    segment_put_number(out, past ? past->count : 0);
    if (!past)
        return;
    segment_put_signed(out, past->older.start_ms);
    segment_put_signed(out, past->older.last_ms);
    for (uint32_t k = 0; k < past->count; k++) {
        segment_put_signed(out, past->spans[k].start_ms);
        segment_put_signed(out, past->spans[k].last_ms - past->spans[k].start_ms);
    }
}

static void put_panes(struct shard *shard, int window, struct panes *panes)
{
    struct text *out = shard->checkpointing.writer.out;
    const struct feature_window *shape = &shard->rules->set->windows[window];
    int count = panes ? panes->count : 0;
    segment_put_number(out, (uint64_t)count);
    int64_t before = 0;
    for (int k = 0; k < count; k++) {
        int64_t *pane = pane_at(shape, panes, k);
        segment_put_signed(out, *pane - before);
        before = *pane;
        put_accumulators(shard, PLACE_WINDOWS + window, pane_acc(pane));
    }
}

/* The queue that the key's row waits in, in whatever way it waits. */
static enum entity_queue dirty_queue(const struct shard *shard, const struct entity *entity)
{
    if (entity->queue != QUEUE_NONE)
        return (enum entity_queue)entity->queue;
    if (entity->inflight > 0)
        return QUEUE_EVENT;
    if (closed_row_due(shard, entity))
        return QUEUE_DECAY; /* it is about to be told that a session was folded */
    /* Of a resync of all keys END tells; without one the key alone was never written. */
    bool alone = shard->lease.resync == LEASE_SYNCED && !shard->lease.refused;
    return alone && entity->epoch != shard->epoch ? QUEUE_DECAY : QUEUE_NONE;
}

static void write_key(struct shard *shard, const struct entity *entity)
{
    struct segment_writer *writer = &shard->checkpointing.writer;
    struct text *out = writer->out;
    segment_begin_record(writer, SEGMENT_KEY);
    segment_put_bytes(out, entity_key(entity), entity->key_len);
    unsigned flags = entity->flags & KEY_FLAGS;
    text_append_char(out, (char)(flags | (unsigned)dirty_queue(shard, entity) << KEY_QUEUE_SHIFT));
    segment_put_signed(out, entity->offset);
    /* Zero is no expiry; a row that was written since the beginning counts as written then. */
    uint32_t age = shard->checkpointing.now_s - entity->expire_s;
    segment_put_number(out, entity->expire_s == 0 ? 0 : age > INT32_MAX ? 1 : (uint64_t)age + 1);
    put_sessions(shard, &entity->sessions);
    for (int w = 0; w < shard->rules->set->window_count; w++)
        put_panes(shard, w, entity->windows[w]);
    segment_end_record(writer);
}

static void write_dirty(struct shard *shard, const struct entity *entity)
{
    struct segment_writer *writer = &shard->checkpointing.writer;
    enum entity_queue queue = dirty_queue(shard, entity);
    if (queue == QUEUE_NONE)
        return;
    segment_begin_record(writer, SEGMENT_DIRTY);
    text_append_char(writer->out, (char)queue);
    segment_put_bytes(writer->out, entity_key(entity), entity->key_len);
    segment_end_record(writer);
}

/* ---- the walk ---- */

/* A key of which the walk, or the first touch, has come along. */
static void copy_key(struct shard *shard, const struct entity *entity)
{
    const struct checkpointing *self = &shard->checkpointing;
    if (self->base || entity->touched >= self->since)
        write_key(shard, entity);
    else
        write_dirty(shard, entity);
}

void checkpoint_first_touch(struct shard *shard, uint32_t handle)
{
    struct checkpointing *self = &shard->checkpointing;
    struct entity *entity = entity_at(shard, handle);
    if (self->under_way && handle >= self->cursor)
        copy_key(shard, entity);
    entity->touched = self->epoch;
}

void checkpoint_key_removed(struct shard *shard, const struct entity *entity)
{
    struct checkpointing *self = &shard->checkpointing;
    if (self->epoch == 0 || self->removed_overflow)
        return;
    segment_put_bytes(&self->removed, entity_key(entity), entity->key_len);
    self->removed_overflow = self->removed.len > CHECKPOINT_REMOVED_MAX;
}

/* An id never changes: only those that came since the last checkpoint are in a delta. Those that
 * went need no record, because what makes them go, the watermark, is in HEAD. */
static void put_id(struct checkpointing *self, const struct dedup_id *id)
{
    if (!self->base && id->touched < self->since)
        return;
    segment_put_u64(&self->out, id->fingerprint.low);
    segment_put_u64(&self->out, id->fingerprint.high);
    segment_put_signed(&self->out, id->until_ms);
}

/* It was remembered at the beginning: an event that a successor reads again may ask for it. */
void checkpoint_id_leaves(void *context, uint32_t handle)
{
    const struct shard *shard = context;
    struct checkpointing *self = &((struct shard *)context)->checkpointing;
    const struct dedup_id *id = dedup_at(&shard->dedup, handle);
    if (!self->under_way || handle < self->id_cursor || id->touched == self->epoch ||
        (!self->base && id->touched < self->since))
        return;
    segment_begin_record(&self->writer, SEGMENT_IDS);
    put_id(self, id);
    segment_end_record(&self->writer);
}

static void walk_removed(struct checkpointing *self, size_t enough)
{
    while (self->removed_cursor < self->removed_mark && self->out.len < enough) {
        const uint8_t *list = (const uint8_t *)self->removed.data;
        struct segment_reader in = {list + self->removed_cursor, list + self->removed_mark, false};
        size_t len;
        const char *key = segment_get_bytes(&in, &len);
        segment_begin_record(&self->writer, SEGMENT_REMOVED);
        segment_put_bytes(&self->out, key, len);
        segment_end_record(&self->writer);
        self->removed_cursor = (size_t)(in.at - list);
    }
}

static bool walk_is_over(const struct checkpointing *self)
{
    return self->removed_cursor == self->removed_mark && self->cursor == self->end &&
           self->id_cursor == self->id_end;
}

static void walk_keys(struct shard *shard, size_t enough)
{
    struct checkpointing *self = &shard->checkpointing;
    for (int looked = 0; looked < CHECKPOINT_STEP_KEYS && self->out.len < enough; looked++) {
        if (self->cursor == self->end)
            break;
        const struct entity *entity = entity_at(shard, self->cursor);
        /* Those of this epoch were copied when they were touched, or are new. */
        if (entity->flags & ENTITY_USED && entity->touched != self->epoch)
            copy_key(shard, entity);
        self->cursor++;
    }
}

static void walk_ids(struct shard *shard, size_t enough)
{
    struct checkpointing *self = &shard->checkpointing;
    if (self->id_cursor == self->id_end || self->out.len >= enough)
        return;
    size_t frame = self->out.len;
    segment_begin_record(&self->writer, SEGMENT_IDS);
    size_t empty = self->out.len;
    for (int looked = 0; looked < CHECKPOINT_STEP_KEYS; looked++) {
        if (self->id_cursor == self->id_end)
            break;
        const struct dedup_id *id = dedup_at(&shard->dedup, self->id_cursor++);
        if (id->until_ms != INT64_MIN && id->touched != self->epoch)
            put_id(self, id);
    }
    if (self->out.len == empty)
        self->out.len = frame; /* nothing to tell */
    else
        segment_end_record(&self->writer);
}

bool checkpoint_step(struct shard *shard)
{
    struct checkpointing *self = &shard->checkpointing;
    expect(self->under_way);
    size_t enough = self->out.len + CHECKPOINT_STEP_BYTES;
    walk_removed(self, enough);
    walk_keys(shard, enough);
    walk_ids(shard, enough);
    return walk_is_over(self);
}

/* ---- begin and end ---- */

bool checkpoint_needs_base(const struct shard *shard)
{
    return shard->checkpointing.since == 0 || shard->checkpointing.removed_overflow;
}

static void order_features(struct checkpointing *self, const struct feature_set *set)
{
    uint16_t count = 0;
    for (int place = 0; place < PLACE_WINDOWS + set->window_count; place++) {
        self->first[place] = count;
        for (int k = 0; place != PLACE_NONE && k < set->count; k++)
            if (checkpoint_place(&set->features[k]) == place)
                self->features[count++] = (uint16_t)k;
    }
    self->first[PLACE_WINDOWS + set->window_count] = count;
}

void checkpoint_begin(struct shard *shard, const struct checkpoint_terms *terms)
{
    struct checkpointing *self = &shard->checkpointing;
    expect(!self->under_way);
    expect(terms->link.index == 0 || !checkpoint_needs_base(shard));
    self->under_way = true;
    self->base = terms->link.index == 0;
    self->epoch++;
    self->offset = shard->next_offset;
    self->now_s = terms->now_s;
    self->cursor = 0;
    self->end = shard->handle_count; /* what comes later was not there at the beginning */
    self->id_cursor = 0;
    self->id_end = shard->dedup.handle_count;
    if (self->base && self->removed_overflow) {
        /* What was removed is not known any more: a delta may follow only a base that is stored. */
        text_clear(&self->removed);
        self->removed_overflow = false;
        self->since = 0;
    }
    self->removed_mark = self->removed.len;
    self->removed_cursor = self->base ? self->removed_mark : 0;
    self->writer = (struct segment_writer){.out = &self->out};
    text_clear(&self->out);
    order_features(self, shard->rules->set);
    write_head(shard, terms);
}

uint32_t checkpoint_end(struct shard *shard)
{
    struct checkpointing *self = &shard->checkpointing;
    struct segment_writer *writer = &self->writer;
    const struct lease *lease = &shard->lease;
    expect(self->under_way && walk_is_over(self));
    uint64_t records = writer->records;
    uint64_t bytes = writer->bytes;
    segment_begin_record(writer, SEGMENT_END);
    /* The token that was granted last, and the batches acknowledged under it. */
    segment_put_bytes(writer->out, lease->previous, strlen(lease->previous));
    segment_put_signed(writer->out, lease->acknowledged);
    text_append_char(writer->out, lease->resync != LEASE_SYNCED || lease->refused);
    segment_put_number(writer->out, records);
    segment_put_number(writer->out, bytes);
    segment_end_record(writer);
    return writer->crc;
}

void checkpoint_stored(struct shard *shard)
{
    struct checkpointing *self = &shard->checkpointing;
    expect(self->under_way);
    self->since = self->epoch;
    size_t rest = self->removed.len - self->removed_mark;
    if (rest)
        memmove(self->removed.data, self->removed.data + self->removed_mark, rest);
    self->removed.len = rest;
    checkpoint_abort(shard);
}

void checkpoint_abort(struct shard *shard)
{
    struct checkpointing *self = &shard->checkpointing;
    self->under_way = false;
    text_free(&self->out);
}

bool checkpoint_under_way(const struct shard *shard)
{
    return shard->checkpointing.under_way;
}

struct text *checkpoint_bytes(struct shard *shard)
{
    return shard->checkpointing.under_way ? &shard->checkpointing.out : NULL;
}

int64_t checkpoint_offset(const struct shard *shard)
{
    return shard->checkpointing.offset;
}
