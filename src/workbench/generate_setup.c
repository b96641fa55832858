/* The options of `freshet generate` as those of the clickstream, and what is wrong with them. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "avrofingerprint.h"
#include "generate_options.h"
#include "readfile.h"

int generate_complain(int status, const char *what, const char *why)
{
    fprintf(stderr, "freshet generate: %s: %s\n", what, why);
    return status;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int read_fingerprint(const char *path, uint64_t *fingerprint)
{
    struct text text = {0};
    struct avro_error err;
    const char *why = readfile(path, AVROSCHEMA_MAX_BYTES, &text);
    if (why) {
        text_free(&text);
        return generate_complain(EX_NOINPUT, path, why);
    }
    struct avroschema *schema =
        avroschema_parse(text.data, text.len, NULL, 0, AVROSCHEMA_WRITER, &err);
    text_free(&text);
    if (!schema)
        return generate_complain(EX_DATAERR, path, err.message);
    *fingerprint = avrofingerprint_of(schema);
    avroschema_free(schema);
    return EX_OK;
}

static int read_framing(const struct generate_options *options, struct clickstream_options *out)
{
    static const char *const names[] = {"confluent", "single_object", "raw"};
    size_t framing = 0;
    while (framing < 3 && strcmp(options->framing, names[framing]) != 0)
        framing++;
    if (framing == 3)
        return generate_complain(EX_USAGE, "--framing", "confluent, single_object or raw");
    out->framing = (enum framing)framing;
    if (out->framing == FRAMING_RAW && out->v1_share < 1)
        out->v1_share = 0;
    if (sscanf(options->schema_id, "v2=%d,v1=%d", &out->schema_ids[CLICK_V2],
               &out->schema_ids[CLICK_V1]) != 2)
        return generate_complain(EX_USAGE, "--schema-id", "v2=ID,v1=ID");
    if (out->framing != FRAMING_SINGLE_OBJECT)
        return EX_OK;
    int status = read_fingerprint(options->reader, &out->fingerprints[CLICK_V2]);
    return status ? status : read_fingerprint(options->older, &out->fingerprints[CLICK_V1]);
}

static int read_rules(const struct generate_options *options, struct clickstream_options *out)
{
    int64_t hour_ms = 3600000, sum_ms = options->lateness + options->gap;
    if (options->gap < 1000)
        return generate_complain(EX_USAGE, "--gap", "at least 1s");
    if (options->users < 1 || options->users > UINT32_MAX)
        return generate_complain(EX_USAGE, "--users", "1 to 4294967295");
    if (options->forever && options->rate == 0)
        return generate_complain(EX_USAGE, "--forever", "needs --rate");
    if (options->partitions > CLICKSTREAM_PARTITIONS_MAX)
        return generate_complain(EX_USAGE, "--partitions", "at most 4096");
    if (options->output[0] && strcmp(options->output, "-") != 0)
        return generate_complain(EX_USAGE, "--output", "only -, which is standard output");
    out->seed = (uint64_t)options->seed;
    out->users = options->users;
    out->zipf = options->zipf;
    out->thinking_ms = options->thinking;
    out->v1_share = options->v1_share;
    out->out_of_orderness_ms = options->out_of_orderness;
    out->max_future_skew_ms = options->max_future_skew;
    out->gap_ms = options->gap;
    out->lateness_ms = options->lateness;
    out->window_lateness_ms = options->window_lateness ? options->window_lateness
                              : sum_ms > hour_ms       ? sum_ms
                                                       : hour_ms;
    if (out->window_lateness_ms < sum_ms)
        return generate_complain(EX_USAGE, "--window-lateness", "at least lateness + gap");
    return EX_OK;
}

static int read_time(const struct generate_options *options, struct clickstream_options *out)
{
    int64_t end_ms = wall_ms();
    if (options->forever) {
        out->start_ms = end_ms;
        out->interval_ms = 1000 / options->rate;
        return EX_OK;
    }
    if (strcmp(options->end, "now") != 0 && !text_parse_event_time(options->end, &end_ms))
        return generate_complain(EX_USAGE, "--end",
                                 "now, 2026-01-31T00:00:00Z or ms since the epoch");
    out->start_ms = end_ms - options->span;
    out->interval_ms =
        (double)options->span / (double)(options->events > 1 ? options->events - 1 : 1);
    return EX_OK;
}

int generate_stream_options(const struct generate_options *options, struct clickstream_options *out)
{
    int status = read_rules(options, out);
    status = status ? status : read_framing(options, out);
    status = status ? status : read_time(options, out);
    double shares[CLICK_KINDS] = {
        [CLICK_KIND_OUT_OF_ORDER] = options->out_of_order,
        [CLICK_KIND_LATE] = options->late,
        [CLICK_KIND_MALFORMED] = options->malformed,
        [CLICK_KIND_FUTURE] = options->future,
        [CLICK_KIND_DUPLICATE] = options->duplicate,
        [CLICK_KIND_BAD_TIME] = options->bad_time,
        [CLICK_KIND_NO_KEY] = options->no_key,
        [CLICK_KIND_TOMBSTONE] = options->tombstone,
        [CLICK_KIND_UNKNOWN_SCHEMA] = options->unknown_schema,
    };
    if (out->framing == FRAMING_RAW && options->unknown_schema > 0)
        status = generate_complain(EX_USAGE, "--unknown-schema", "framing raw names no schema");
    double sum = 0;
    for (int kind = 0; kind < CLICK_KINDS; kind++)
        sum += shares[kind];
    if (status == EX_OK && sum > 1)
        status = generate_complain(EX_USAGE, "--out-of-order, --late, --malformed and the like",
                                   "the shares add up to more than 1");
    memcpy(out->shares, shares, sizeof shares);
    return status;
}
