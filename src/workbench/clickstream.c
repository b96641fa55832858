/* Visits of made-up users turned into records with a known fate.
 *
 * Why a fate is certain. The watermark is known exactly, record for record. An event not older than
 * watermark - gap - lateness is accepted whatever sessions there are. For one to be refused by
 * sessions it must also join no live one: for each user the beginning and end of a chain are kept,
 * which takes in every event since the last pause so long that whatever was before it cannot be
 * live any more; an event older than the chain's beginning by more than the gap joins nothing. */
#include <stdio.h>
#include <string.h>

#include "clickpartition.h"
#include "clickstream.h"
#include "clickvisit.h"
#include "clock.h"
#include "expect.h"
#include "pool.h"

enum {
    TRANSPORT_MS = 20, /* from a click to its record */
    LATE_MEAN_MS = 6 * 3600 * 1000,
    FUTURE_MEAN_MS = 24 * 3600 * 1000,
    UNKNOWN_ID = 999999, /* a schema id that no registry of a test gives */
};

static const int64_t max_event_time_ms = 253402300799999;

struct chain {
    int64_t begin_ms, end_ms; /* begin > end: none */
};

struct clickstream {
    struct clickstream_options options;
    struct clickrandom random;
    struct clickvisits visits;
    int64_t number;       /* of records made */
    struct chain *chains; /* by user */
    bool *in_state;       /* by user */
    int64_t keys;
    int64_t *raw_ms; /* by partition; INT64_MIN: silent so far */

    struct click click;
    char user_name[16];
    struct text payload;
    /* The newest applied event, to be sent twice. */
    struct click last_click;
    char last_user_name[16];
    struct text last_payload;
    uint32_t last_user;
    int64_t last_ts_ms; /* INT64_MIN: none */
};

/* ---- event times with a known fate ---- */

static int64_t watermark(const struct clickstream *stream, int32_t partition)
{
    return clock_sub_ms(stream->raw_ms[partition], stream->options.out_of_orderness_ms);
}

/* Events at or after it are accepted, whatever sessions there are. */
static int64_t accepted_from(const struct clickstream *stream, int32_t partition)
{
    return watermark(stream, partition) - stream->options.gap_ms - stream->options.lateness_ms;
}

/* Events before it join no live session of the user. */
static int64_t joins_from(const struct clickstream *stream, int32_t partition, uint32_t user)
{
    const struct chain *chain = &stream->chains[user];
    if (chain->begin_ms > chain->end_ms || chain->end_ms < accepted_from(stream, partition))
        return INT64_MAX;
    return chain->begin_ms - stream->options.gap_ms;
}

static int64_t between(struct clickstream *stream, int64_t low, int64_t high)
{
    return low + clickrandom_below(&stream->random, high - low + 1);
}

static bool place_out_of_order(struct clickstream *stream, int32_t partition, int64_t *ts_ms)
{
    int64_t high = stream->raw_ms[partition] - 1, low = watermark(stream, partition);
    if (clickrandom_unit(&stream->random) < 0.3) { /* further back, but accepted */
        high = low;
        low = accepted_from(stream, partition);
    }
    if (high < low || low < 0)
        return false;
    *ts_ms = between(stream, low, high);
    return true;
}

static bool place_late(struct clickstream *stream, int32_t partition, uint32_t user, int64_t *ts_ms,
                       enum fate *fate)
{
    int64_t windows_from = watermark(stream, partition) - stream->options.window_lateness_ms;
    int64_t joins = joins_from(stream, partition, user);
    int64_t accepted = accepted_from(stream, partition);
    int64_t refused_to = (joins < accepted ? joins : accepted) - 1;
    if (refused_to >= windows_from && clickrandom_unit(&stream->random) < 0.3) {
        *fate = FATE_WINDOWS_ONLY;
        *ts_ms = between(stream, windows_from, refused_to);
    } else {
        int64_t latest = (refused_to < windows_from ? refused_to : windows_from) - 1;
        *fate = FATE_LATE;
        *ts_ms = latest - (int64_t)clickrandom_exponential(&stream->random, LATE_MEAN_MS);
    }
    return *ts_ms >= 0;
}

/* What the event does to the watermark and to what is known of its user. */
static void account(struct clickstream *stream, int32_t partition, uint32_t user, int64_t ts_ms,
                    enum fate fate)
{
    const struct clickstream_options *options = &stream->options;
    if (ts_ms > stream->raw_ms[partition])
        stream->raw_ms[partition] = ts_ms;
    if (fate == FATE_LATE)
        return;
    stream->keys += !stream->in_state[user];
    stream->in_state[user] = true;
    if (fate == FATE_WINDOWS_ONLY)
        return;
    expect(ts_ms >= accepted_from(stream, partition));
    struct chain *chain = &stream->chains[user];
    int64_t pause_ms = 2 * options->gap_ms + options->lateness_ms + options->out_of_orderness_ms;
    if (chain->begin_ms > chain->end_ms || ts_ms > chain->end_ms + pause_ms)
        *chain = (struct chain){ts_ms, ts_ms};
    chain->begin_ms = ts_ms < chain->begin_ms ? ts_ms : chain->begin_ms;
    chain->end_ms = ts_ms > chain->end_ms ? ts_ms : chain->end_ms;
}

/* Gives the click its event time; a wish that cannot be had now becomes an ordinary event. */
static void place(struct clickstream *stream, struct clickstream_record *record, uint32_t user)
{
    int64_t now_ms = record->record_time_ms;
    int64_t ts_ms = now_ms - TRANSPORT_MS, counted_ms;
    bool spoken = stream->raw_ms[record->partition] != INT64_MIN;
    record->fate = FATE_APPLIED;
    bool placed = false;
    if (record->kind == CLICK_KIND_FUTURE) {
        ts_ms = now_ms + stream->options.max_future_skew_ms + 1 +
                (int64_t)clickrandom_exponential(&stream->random, FUTURE_MEAN_MS);
        placed = true;
    } else if (record->kind == CLICK_KIND_OUT_OF_ORDER && spoken) {
        placed = place_out_of_order(stream, record->partition, &ts_ms);
    } else if (record->kind == CLICK_KIND_LATE && spoken) {
        placed = place_late(stream, record->partition, user, &ts_ms, &record->fate);
    }
    if (!placed) {
        ts_ms = now_ms - TRANSPORT_MS;
        record->fate = FATE_APPLIED;
        record->kind = CLICK_KIND_ORDINARY;
    }
    stream->click.event_time_ms = ts_ms;
    counted_ms = ts_ms < now_ms ? ts_ms : now_ms; /* the policy clamp */
    account(stream, record->partition, user, counted_ms, record->fate);
}

/* ---- payloads ---- */

static void frame(struct clickstream *stream, int32_t id)
{
    const struct clickstream_options *options = &stream->options;
    struct text *out = &stream->payload;
    text_clear(out);
    if (options->framing == FRAMING_CONFLUENT) {
        unsigned char header[5] = {0, (unsigned char)(id >> 24), (unsigned char)(id >> 16),
                                   (unsigned char)(id >> 8), (unsigned char)id};
        text_append(out, header, sizeof header);
    } else if (options->framing == FRAMING_SINGLE_OBJECT) {
        uint64_t fingerprint =
            id == UNKNOWN_ID ? UNKNOWN_ID : options->fingerprints[stream->click.writer];
        text_append(out, "\xc3\x01", 2);
        text_append(out, &fingerprint, sizeof fingerprint);
    }
    clickencode_avro(out, &stream->click);
}

/* All of it before the event time, so that no plan can do without the damaged part. */
static void damage(struct clickstream *stream)
{
    struct clickencode_places places = clickencode_places(&stream->click);
    struct text datum = {0};
    clickencode_avro(&datum, &stream->click);
    size_t start = stream->payload.len - datum.len;
    text_free(&datum);
    switch (clickrandom_below(&stream->random, start > 0 ? 4 : 3)) {
    case 0: /* cut off */
        stream->payload.len =
            start + 1 + (size_t)clickrandom_below(&stream->random, (int64_t)places.event_time);
        break;
    case 1: /* an event id of negative length */
        stream->payload.data[start] = 0x01;
        break;
    case 2: /* a user id that is longer than the datum */
        memset(stream->payload.data + start + places.user, 0x7e, 1);
        stream->payload.len = start + places.event_time;
        break;
    default: /* not the framing's first byte */
        stream->payload.data[0] = (char)0xff;
        break;
    }
}

static void encode(struct clickstream *stream, struct clickstream_record *record)
{
    bool unknown = record->kind == CLICK_KIND_UNKNOWN_SCHEMA;
    frame(stream, unknown ? UNKNOWN_ID : stream->options.schema_ids[stream->click.writer]);
    if (record->kind == CLICK_KIND_MALFORMED)
        damage(stream);
    record->payload = stream->payload.data;
    record->payload_len = stream->payload.len;
    record->click = unknown || record->kind == CLICK_KIND_MALFORMED ? NULL : &stream->click;
}

/* ---- records ---- */

static enum click_kind draw_kind(struct clickstream *stream)
{
    double dice = clickrandom_unit(&stream->random);
    for (int kind = CLICK_KIND_OUT_OF_ORDER; kind < CLICK_KINDS; kind++) {
        dice -= stream->options.shares[kind];
        if (dice < 0)
            return (enum click_kind)kind;
    }
    return CLICK_KIND_ORDINARY;
}

static void remember(struct clickstream *stream, uint32_t user)
{
    memcpy(stream->last_user_name, stream->user_name, sizeof stream->user_name);
    stream->last_click = stream->click;
    stream->last_click.user = stream->last_user_name;
    text_clear(&stream->last_payload);
    text_append(&stream->last_payload, stream->payload.data, stream->payload.len);
    stream->last_user = user;
    stream->last_ts_ms = stream->click.event_time_ms;
}

static bool repeat(struct clickstream *stream, struct clickstream_record *record)
{
    int32_t partition = clickpartition_of(stream->last_user_name, strlen(stream->last_user_name),
                                          stream->options.partitions);
    if (stream->last_ts_ms == INT64_MIN || stream->last_ts_ms < accepted_from(stream, partition))
        return false;
    record->partition = partition;
    record->key = stream->last_user_name;
    record->key_len = strlen(stream->last_user_name);
    record->payload = stream->last_payload.data;
    record->payload_len = stream->last_payload.len;
    record->click = &stream->last_click;
    record->fate = FATE_APPLIED;
    account(stream, partition, stream->last_user, stream->last_ts_ms, FATE_APPLIED);
    return true;
}

/* An event that never gets as far as sessions. */
static void spoil(struct clickstream *stream, struct clickstream_record *record)
{
    static const enum fate fates[CLICK_KINDS] = {
        [CLICK_KIND_MALFORMED] = FATE_UNDECODABLE,
        [CLICK_KIND_BAD_TIME] = FATE_BAD_TIME,
        [CLICK_KIND_NO_KEY] = FATE_NO_KEY,
        [CLICK_KIND_TOMBSTONE] = FATE_TOMBSTONE,
        [CLICK_KIND_UNKNOWN_SCHEMA] = FATE_UNKNOWN_SCHEMA,
    };
    struct clickrandom *random = &stream->random;
    record->fate = fates[record->kind];
    stream->click.event_time_ms = record->record_time_ms - TRANSPORT_MS;
    if (record->kind == CLICK_KIND_BAD_TIME)
        stream->click.event_time_ms = clickrandom_below(random, 2)
                                          ? -1 - clickrandom_below(random, 1000000000)
                                          : max_event_time_ms + 1 + clickrandom_below(random, 1000);
    if (record->kind == CLICK_KIND_NO_KEY) {
        stream->user_name[0] = 0;
        record->key = NULL;
        record->key_len = 0;
        record->partition = (int32_t)clickrandom_below(random, stream->options.partitions);
    }
}

void clickstream_next(struct clickstream *stream, struct clickstream_record *record)
{
    int64_t now_ms = stream->options.start_ms +
                     (int64_t)((double)stream->number++ * stream->options.interval_ms);
    *record = (struct clickstream_record){.record_time_ms = now_ms, .kind = draw_kind(stream)};
    if (record->kind == CLICK_KIND_DUPLICATE && repeat(stream, record))
        return;
    struct clickvisit visit = clickvisit_next(&stream->visits, now_ms);
    clickvisit_click(&stream->visits, &visit, stream->options.v1_share, &stream->click);
    stream->click.user = stream->user_name;
    snprintf(stream->user_name, sizeof stream->user_name, "u%08u", (unsigned)visit.user + 1);
    record->key = stream->user_name;
    record->key_len = strlen(stream->user_name);
    record->partition = clickpartition_of(record->key, record->key_len, stream->options.partitions);
    if (record->kind < CLICK_KIND_MALFORMED || record->kind == CLICK_KIND_FUTURE ||
        record->kind == CLICK_KIND_DUPLICATE)
        place(stream, record, visit.user);
    else
        spoil(stream, record);
    if (record->kind != CLICK_KIND_TOMBSTONE)
        encode(stream, record);
    if (record->fate == FATE_APPLIED && record->kind != CLICK_KIND_FUTURE)
        remember(stream, visit.user);
    clickvisit_go_on(&stream->visits, visit, now_ms);
}

int64_t clickstream_keys(const struct clickstream *stream)
{
    return stream->keys;
}

struct clickstream *clickstream_open(const struct clickstream_options *options)
{
    enum { SHORTEST_GAP_MS = 1000 };
    expect(options->users > 0 && options->users <= UINT32_MAX);
    expect(options->partitions > 0 && options->partitions <= CLICKSTREAM_PARTITIONS_MAX);
    expect(options->gap_ms >= SHORTEST_GAP_MS);
    struct clickstream *stream = memory_alloc(sizeof *stream);
    stream->options = *options;
    stream->random.state = options->seed;
    clickvisit_init(&stream->visits, &stream->random, options->users, options->zipf,
                    options->thinking_ms);
    stream->chains = memory_alloc((size_t)options->users * sizeof *stream->chains);
    stream->in_state = memory_alloc((size_t)options->users);
    stream->raw_ms = memory_alloc((size_t)options->partitions * sizeof *stream->raw_ms);
    for (int64_t i = 0; i < options->users; i++)
        stream->chains[i] = (struct chain){1, 0};
    for (int32_t i = 0; i < options->partitions; i++)
        stream->raw_ms[i] = INT64_MIN;
    stream->last_ts_ms = INT64_MIN;
    return stream;
}

void clickstream_close(struct clickstream *stream)
{
    text_free(&stream->payload);
    text_free(&stream->last_payload);
    clickvisit_fini(&stream->visits);
    memory_free(stream->chains);
    memory_free(stream->in_state);
    memory_free(stream->raw_ms);
    memory_free(stream);
}
