/* The generator: the same for the same seed, real Avro, and fates that a naive reader confirms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "avroplan.h"
#include "clickpartition.h"
#include "clickrandom.h"
#include "clickstream.h"
#include "framing.h"
#include "hash.h"
#include "jsonout.h"
#include "readfile.h"

enum { PARTITIONS = 3, USERS = 40, SESSIONS_MAX = 20000 };

static struct clickstream_options options_of(uint64_t seed)
{
    return (struct clickstream_options){
        .seed = seed,
        .users = USERS,
        .zipf = 0.99,
        .thinking_ms = 15000,
        .partitions = PARTITIONS,
        .start_ms = 1790000000000,
        .interval_ms = 4000,
        .shares = {[CLICK_KIND_OUT_OF_ORDER] = 0.1,
                   [CLICK_KIND_LATE] = 0.15,
                   [CLICK_KIND_MALFORMED] = 0.02,
                   [CLICK_KIND_FUTURE] = 0.02,
                   [CLICK_KIND_DUPLICATE] = 0.05,
                   [CLICK_KIND_BAD_TIME] = 0.01,
                   [CLICK_KIND_NO_KEY] = 0.01,
                   [CLICK_KIND_TOMBSTONE] = 0.01,
                   [CLICK_KIND_UNKNOWN_SCHEMA] = 0.01},
        .v1_share = 0.3,
        .framing = FRAMING_CONFLUENT,
        .schema_ids = {[CLICK_V2] = 1, [CLICK_V1] = 2},
        .out_of_orderness_ms = 5000,
        .max_future_skew_ms = 300000,
        .gap_ms = 1800000,
        .lateness_ms = 0,
        .window_lateness_ms = 3600000,
    };
}

/* ---- the same bytes ---- */

static uint64_t digest(const struct clickstream_options *options, int count)
{
    struct clickstream *stream = clickstream_open(options);
    struct clickstream_record record;
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        clickstream_next(stream, &record);
        sum = sum * 31 + (uint64_t)record.partition + (uint64_t)record.record_time_ms;
        if (record.payload)
            sum = sum * 31 + hash_bytes(record.payload, record.payload_len);
    }
    clickstream_close(stream);
    return sum;
}

static void test_seeds(void **state)
{
    struct clickstream_options one = options_of(1), two = options_of(2);
    (void)state;
    assert_int_equal(digest(&one, 5000), digest(&one, 5000));
    assert_int_not_equal(digest(&one, 5000), digest(&two, 5000));
}

/* ---- fates, by the rules of docs/semantics.md and nothing else ---- */

struct session {
    int64_t start, last;
};

struct reader {
    const struct clickstream_options *options;
    int64_t raw[PARTITIONS];
    struct session sessions[USERS + 1][SESSIONS_MAX];
    int count[USERS + 1];
};

static int64_t cut_of(int64_t ts)
{
    return (ts - 4 * 3600000) / 86400000; /* session.cut_at = 04:00 */
}

/* Joins what is within the gap; true when the result is not late. */
static bool join(struct reader *reader, int user, int64_t ts, int64_t watermark)
{
    const struct clickstream_options *rules = reader->options;
    struct session merged = {ts, ts}, *all = reader->sessions[user];
    int kept = 0, count = reader->count[user];
    bool joins[SESSIONS_MAX];
    for (int i = 0; i < count; i++) {
        joins[i] = all[i].last + rules->gap_ms + rules->lateness_ms >= watermark &&
                   all[i].start - rules->gap_ms <= ts && ts <= all[i].last + rules->gap_ms &&
                   cut_of(all[i].start) == cut_of(ts);
        if (joins[i] && all[i].start < merged.start)
            merged.start = all[i].start;
        if (joins[i] && all[i].last > merged.last)
            merged.last = all[i].last;
    }
    if (merged.last + rules->gap_ms + rules->lateness_ms < watermark)
        return false;
    for (int i = 0; i < count; i++)
        if (!joins[i])
            all[kept++] = all[i];
    all[kept++] = merged;
    assert_true(kept < SESSIONS_MAX);
    reader->count[user] = kept;
    return true;
}

static enum fate judge(struct reader *reader, const struct clickstream_record *record)
{
    const struct clickstream_options *rules = reader->options;
    if (!record->payload)
        return FATE_TOMBSTONE;
    if (!record->click)
        return record->kind == CLICK_KIND_UNKNOWN_SCHEMA ? FATE_UNKNOWN_SCHEMA : FATE_UNDECODABLE;
    int64_t ts = record->click->event_time_ms, rts = record->record_time_ms;
    if (ts < 0 || ts > 253402300799999)
        return FATE_BAD_TIME;
    if (!record->click->user[0])
        return FATE_NO_KEY;
    if (ts > rts + rules->max_future_skew_ms)
        ts = rts;
    int64_t *raw = &reader->raw[record->partition], seen = ts < rts ? ts : rts;
    *raw = seen > *raw ? seen : *raw;
    int64_t watermark = *raw - rules->out_of_orderness_ms;
    int user = atoi(record->click->user + 1);
    if (join(reader, user, ts, watermark))
        return FATE_APPLIED;
    return ts + rules->window_lateness_ms >= watermark ? FATE_WINDOWS_ONLY : FATE_LATE;
}

static void check_fates(const struct clickstream_options *options, int count)
{
    struct reader *reader = calloc(1, sizeof *reader);
    struct clickstream *stream = clickstream_open(options);
    struct clickstream_record record;
    int64_t seen[FATE_COUNT_OF] = {0}, before_ms = 0;
    reader->options = options;
    for (int i = 0; i < PARTITIONS; i++)
        reader->raw[i] = INT64_MIN;
    for (int i = 0; i < count; i++) {
        clickstream_next(stream, &record);
        assert_true(record.record_time_ms >= before_ms);
        before_ms = record.record_time_ms;
        if (record.key)
            assert_int_equal(record.partition,
                             clickpartition_of(record.key, record.key_len, PARTITIONS));
        assert_int_equal(judge(reader, &record), record.fate);
        seen[record.fate]++;
    }
    assert_true(seen[FATE_APPLIED] > count / 2 && seen[FATE_LATE] > count / 100);
    assert_true(seen[FATE_WINDOWS_ONLY] > 0 && seen[FATE_UNDECODABLE] > 0 && seen[FATE_NO_KEY] > 0);
    clickstream_close(stream);
    free(reader);
}

static void test_fates(void **state)
{
    (void)state;
    struct clickstream_options sparse = options_of(3); /* three weeks */
    sparse.interval_ms = 90000;
    check_fates(&sparse, 20000);
    struct clickstream_options dense = options_of(4);
    dense.interval_ms = 700;
    check_fates(&dense, 20000);
    struct clickstream_options strict = options_of(5);
    strict.gap_ms = 60000;
    strict.lateness_ms = 30000;
    strict.window_lateness_ms = 300000;
    strict.out_of_orderness_ms = 0;
    check_fates(&strict, 20000);
}

/* ---- payloads ---- */

static struct avroschema *load(const char *path, enum avroschema_use use)
{
    struct text text = {0};
    struct avro_error err;
    assert_null(readfile(path, AVROSCHEMA_MAX_BYTES, &text));
    struct avroschema *schema = avroschema_parse(text.data, text.len, NULL, 0, use, &err);
    assert_non_null(schema);
    text_free(&text);
    return schema;
}

struct codec {
    struct avroschema *reader, *writers[2];
    struct avroplan *plans[2];
};

static int codec_setup(void **state)
{
    static struct codec codec;
    struct avro_error err;
    codec.reader = load(FRESHET_SOURCE_DIR "/schemas/click.avsc", AVROSCHEMA_READER);
    codec.writers[CLICK_V2] = load(FRESHET_SOURCE_DIR "/schemas/click.avsc", AVROSCHEMA_WRITER);
    codec.writers[CLICK_V1] = load(FRESHET_SOURCE_DIR "/schemas/click-v1.avsc", AVROSCHEMA_WRITER);
    for (int i = 0; i < 2; i++) {
        codec.plans[i] = avroplan_compile(codec.writers[i], codec.reader, NULL, true, &err);
        assert_non_null(codec.plans[i]);
    }
    *state = &codec;
    return 0;
}

static int codec_teardown(void **state)
{
    struct codec *codec = *state;
    for (int i = 0; i < 2; i++) {
        avroplan_free(codec->plans[i]);
        avroschema_free(codec->writers[i]);
    }
    avroschema_free(codec->reader);
    return 0;
}

static bool decode(const struct codec *codec, const struct clickstream_record *record,
                   struct text *json)
{
    struct avro_error err;
    struct framing_result framed;
    struct jsonout out = {.text = json};
    struct avroplan_sink sink = jsonout_sink(&out);
    text_clear(json);
    if (!framing_parse(FRAMING_CONFLUENT, NULL, 0, record->payload, record->payload_len, &framed,
                       &err))
        return false;
    const struct avroplan *plan = codec->plans[framed.id == 2 ? CLICK_V1 : CLICK_V2];
    return avroplan_walk(plan, framed.body, framed.len, &sink, &err);
}

/* The datum as the daemon's own plan reads it is what the JSON lines say; the event time of the
 * older writer is still in its unit. */
static void same(const struct click *click, const struct text *decoded)
{
    struct text said = {0};
    text_append_char(&said, '{');
    clickencode_json(&said, click);
    text_append_char(&said, '}');
    json_t *a = json_loadb(said.data, said.len, JSON_DECODE_INT_AS_REAL, NULL);
    json_t *b = json_loadb(decoded->data, decoded->len, JSON_DECODE_INT_AS_REAL, NULL);
    assert_non_null(a);
    assert_non_null(b);
    if (click->writer == CLICK_V1)
        json_object_set_new(a, "event_time", json_real((double)click->event_time_ms * 1000));
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    text_free(&said);
}

static void test_payloads(void **state)
{
    struct clickstream_options options = options_of(6);
    options.shares[CLICK_KIND_BAD_TIME] = 0; /* beyond 2^53 JSON has its own form */
    struct clickstream *stream = clickstream_open(&options);
    struct clickstream_record record;
    struct text json = {0};
    int by_writer[2] = {0}, malformed = 0, bytes = 0, count = 10000;
    for (int i = 0; i < count; i++) {
        clickstream_next(stream, &record);
        bytes += (int)record.payload_len;
        if (record.kind == CLICK_KIND_MALFORMED) {
            assert_false(decode(*state, &record, &json));
            malformed++;
        } else if (record.click) {
            assert_true(decode(*state, &record, &json));
            same(record.click, &json);
            by_writer[record.click->writer]++;
        }
    }
    assert_true(malformed > 100 && by_writer[CLICK_V2] > 5000 && by_writer[CLICK_V1] > 2000);
    assert_in_range(bytes / count, 180, 200);
    text_free(&json);
    clickstream_close(stream);
}

/* ---- how fast visits go down the funnel ---- */

static int purchases(int64_t thinking_ms)
{
    struct clickstream_options options = options_of(3);
    options.interval_ms = 10; /* 30 s of the shop */
    options.thinking_ms = thinking_ms;
    struct clickstream *stream = clickstream_open(&options);
    struct clickstream_record record;
    int count = 0;
    for (int i = 0; i < 3000; i++) {
        clickstream_next(stream, &record);
        count += record.click && record.click->type == CLICK_PURCHASE;
    }
    clickstream_close(stream);
    return count;
}

static void test_thinking(void **state)
{
    (void)state;
    assert_true(purchases(1500) > 3 * purchases(15000) + 10);
}

/* Without visits users are drawn alike, record for record, and all kinds of clicks are there. */
static void test_no_visits(void **state)
{
    (void)state;
    struct clickstream_options options = options_of(3);
    options.users = 1000;
    options.zipf = 0;
    options.thinking_ms = 0;
    options.interval_ms = 1;
    memset(options.shares, 0, sizeof options.shares);
    struct clickstream *stream = clickstream_open(&options);
    struct clickstream_record record;
    int of_type[CLICK_WISHLIST + 1] = {0};
    for (int i = 0; i < 8000; i++) {
        clickstream_next(stream, &record);
        of_type[record.click->type]++;
        if (i == 999) /* 1 - 1/e of all; with visits these are by far fewer */
            assert_in_range(clickstream_keys(stream), 590, 675);
    }
    for (int type = CLICK_IMPRESSION; type <= CLICK_PURCHASE; type++)
        assert_in_range(of_type[type], 400, 5000);
    clickstream_close(stream);
}

/* ---- parts ---- */

static void test_partitions(void **state)
{
    static const struct {
        const char *key;
        int32_t hash; /* of the Java client */
    } known[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(clickpartition_of(known[i].key, strlen(known[i].key), INT32_MAX),
                         (known[i].hash & INT32_MAX) % INT32_MAX);
}

static void test_zipf(void **state)
{
    struct clickrandom random = {7};
    struct clickrandom_zipf zipf;
    (void)state;
    for (double exponent = 0; exponent <= 1.5; exponent += 0.5) {
        int64_t counts[101] = {0}, draws = 200000;
        double expected[101] = {0}, sum = 0;
        clickrandom_zipf_init(&zipf, 100, exponent);
        for (int64_t i = 0; i < draws; i++)
            counts[clickrandom_zipf_rank(&zipf, &random)]++;
        for (int rank = 1; rank <= 100; rank++) {
            expected[rank] = __builtin_pow(rank, -exponent);
            sum += expected[rank];
        }
        for (int rank = 1; rank <= 10; rank++) {
            double share = (double)counts[rank] / (double)draws;
            assert_true(__builtin_fabs(share - expected[rank] / sum) < 0.005);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds),    cmocka_unit_test(test_fates),
        cmocka_unit_test(test_payloads), cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_zipf),     cmocka_unit_test(test_thinking),
        cmocka_unit_test(test_no_visits),
    };
    return cmocka_run_group_tests(tests, codec_setup, codec_teardown);
}
