/* Questions to the brokers that block, asked in the work pool: ends of the log, the topic. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "kafka_private.h"
#include "log.h"
#include "pool.h"

enum { CONFIG_EVERY = 10 }; /* probes, while the topic's configuration is not known */

bool kafka_job_any_running(const struct kafka *kafka)
{
    return kafka->probe.running || kafka->ends.running || (kafka->lookup && kafka->lookup->running);
}

/* ---- kafka_lookup ---- */

static rd_kafka_topic_partition_list_t *list_of(const struct kafka_lookup_job *job, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)job->count);
    for (size_t i = 0; i < job->count; i++)
        rd_kafka_topic_partition_list_add(list, job->kafka->topic, job->extents[i].partition)
            ->offset = offset;
    return list;
}

/* Asks one question for all partitions; the answers stand in list->elems[i].offset. */
static bool ask(struct kafka_lookup_job *job, rd_kafka_topic_partition_list_t *list, bool committed)
{
    rd_kafka_t *rk = job->kafka->rk;
    rd_kafka_resp_err_t error =
        committed ? rd_kafka_committed(rk, list, KAFKA_REQUEST_TIMEOUT_MS)
                  : rd_kafka_offsets_for_times(rk, list, KAFKA_REQUEST_TIMEOUT_MS);
    for (int i = 0; i < list->cnt && !error; i++)
        error = list->elems[i].err;
    if (error)
        snprintf(job->text, sizeof job->text, "asking for offsets: %s", rd_kafka_err2str(error));
    return !error;
}

/* question: a record time, or -1 for the end of the log and -2 for its beginning, as in Kafka's
 * own ListOffsets request. slot is the offset of the answer's field in struct kafka_extent. */
static bool ask_into(struct kafka_lookup_job *job, int64_t question, bool committed, size_t slot)
{
    rd_kafka_topic_partition_list_t *list = list_of(job, question);
    bool ok = ask(job, list, committed);
    for (size_t i = 0; ok && i < job->count; i++) {
        int64_t offset = list->elems[i].offset;
        int64_t *answer = (int64_t *)((char *)&job->extents[i] + slot);
        *answer = offset >= 0 ? offset : -1;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return ok;
}

static void lookup_work(uv_work_t *work)
{
    struct kafka_lookup_job *job = work->data;
    job->ok = ask_into(job, RD_KAFKA_OFFSET_END, false, offsetof(struct kafka_extent, end)) &&
              ask_into(job, RD_KAFKA_OFFSET_BEGINNING, false, offsetof(struct kafka_extent, low)) &&
              (job->time_ms < 0 ||
               ask_into(job, job->time_ms, false, offsetof(struct kafka_extent, at_time))) &&
              (!job->kafka->in_group || ask_into(job, RD_KAFKA_OFFSET_INVALID, true,
                                                 offsetof(struct kafka_extent, committed)));
}

static void lookup_after(uv_work_t *work, int status)
{
    struct kafka_lookup_job *job = work->data;
    struct kafka *kafka = job->kafka;
    (void)status;
    job->running = false;
    if (!job->is_void && !job->ok) {
        kafka_event_tell_trouble(kafka, KAFKA_TROUBLE_BROKERS, -1, job->text);
        return; /* the next tick asks again */
    }
    if (kafka->lookup == job)
        kafka->lookup = NULL;
    if (!job->is_void)
        job->done(job->data, job->extents, job->count);
    memory_free(job);
}

static void lookup_start(struct kafka_lookup_job *job)
{
    job->running = true;
    expect(uv_queue_work(job->kafka->loop, &job->work, lookup_work, lookup_after) == 0);
}

void kafka_lookup(struct kafka *kafka, const int32_t *partitions, size_t count, int64_t time_ms,
                  kafka_lookup_done *done, void *data)
{
    expect(!kafka->lookup && !kafka->closing);
    struct kafka_lookup_job *job = memory_alloc(sizeof *job + count * sizeof *job->extents);
    job->work.data = job;
    job->kafka = kafka;
    job->time_ms = time_ms;
    job->done = done;
    job->data = data;
    job->count = count;
    for (size_t i = 0; i < count; i++)
        job->extents[i] = (struct kafka_extent){partitions[i], -1, -1, -1, -1};
    kafka->lookup = job;
    lookup_start(job);
}

void kafka_job_lookup_tick(struct kafka *kafka)
{
    if (kafka->lookup && !kafka->lookup->running)
        lookup_start(kafka->lookup);
}

void kafka_job_lookup_void(struct kafka *kafka)
{
    struct kafka_lookup_job *job = kafka->lookup;
    if (!job || job->is_void)
        return;
    job->is_void = true;
    kafka_lookup_done *done = job->done;
    void *data = job->data;
    if (!job->running) {
        kafka->lookup = NULL;
        memory_free(job);
    }
    done(data, NULL, 0);
}

/* ---- ends of partitions that hand nothing out ---- */

static bool is_asked_for(const struct kafka *kafka, int32_t partition)
{
    return kafka->paused[partition] || kafka->ends.watched[partition];
}

static void ends_work(uv_work_t *work)
{
    struct kafka *kafka = work->data;
    rd_kafka_topic_partition_list_t *list = kafka->ends.list;
    if (!rd_kafka_offsets_for_times(kafka->rk, list, KAFKA_REQUEST_TIMEOUT_MS))
        return;
    for (int i = 0; i < list->cnt; i++) /* the brokers' trouble is told by others */
        list->elems[i].offset = -1;
}

static void ends_after(uv_work_t *work, int status)
{
    struct kafka *kafka = work->data;
    struct kafka_ends_job *ends = &kafka->ends;
    (void)status;
    for (int i = 0; i < ends->list->cnt; i++) {
        const rd_kafka_topic_partition_t *found = &ends->list->elems[i];
        if (!found->err && found->offset >= 0 && is_asked_for(kafka, found->partition))
            ends->known[found->partition] = found->offset;
    }
    rd_kafka_topic_partition_list_destroy(ends->list);
    ends->running = false;
}

void kafka_job_ends(struct kafka *kafka)
{
    struct kafka_ends_job *ends = &kafka->ends;
    uint64_t now = uv_now(kafka->loop);
    if (ends->running || now < ends->due_ms)
        return;
    ends->due_ms = now + KAFKA_ENDS_MS;
    ends->list = rd_kafka_topic_partition_list_new(1);
    for (int32_t k = 0; k < KAFKA_MAX_PARTITIONS; k++)
        if (is_asked_for(kafka, k))
            rd_kafka_topic_partition_list_add(ends->list, kafka->topic, k)->offset =
                RD_KAFKA_OFFSET_END;
    if (ends->list->cnt == 0) {
        rd_kafka_topic_partition_list_destroy(ends->list);
        return;
    }
    ends->running = true;
    ends->work.data = kafka;
    expect(uv_queue_work(kafka->loop, &ends->work, ends_work, ends_after) == 0);
}

/* ---- what the topic is like ---- */

static void take_config(struct kafka_topic_info *info, const rd_kafka_event_t *event)
{
    size_t resources, entries = 0;
    const rd_kafka_ConfigResource_t **resource = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result((rd_kafka_event_t *)(uintptr_t)event), &resources);
    if (resources != 1 || rd_kafka_ConfigResource_error(resource[0]))
        return;
    const rd_kafka_ConfigEntry_t **entry = rd_kafka_ConfigResource_configs(resource[0], &entries);
    for (size_t i = 0; i < entries; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entry[i]);
        const char *value = rd_kafka_ConfigEntry_value(entry[i]);
        if (!value)
            continue;
        if (!strcmp(name, "message.timestamp.type"))
            snprintf(info->timestamp_type, sizeof info->timestamp_type, "%s", value);
        else if (!strcmp(name, "message.timestamp.after.max.ms"))
            info->timestamp_after_max_ms = strtoll(value, NULL, 10);
    }
}

/* Best effort: a broker may not answer it, and rights may be missing. Closing does not wait for it.
 */
static void ask_config(struct kafka *kafka, struct kafka_topic_info *info)
{
    enum { SLICE_MS = 50 };
    rd_kafka_t *rk = kafka->rk;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, kafka->topic);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    char error[KAFKA_ERROR_TEXT];
    rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_REQUEST_TIMEOUT_MS, error,
                                              sizeof error);
    rd_kafka_DescribeConfigs(rk, &resource, 1, options, queue);
    rd_kafka_event_t *event = NULL;
    for (int waited = 0; !event && waited < KAFKA_REQUEST_TIMEOUT_MS; waited += SLICE_MS) {
        if (atomic_load(&kafka->probe.stop))
            break;
        event = rd_kafka_queue_poll(queue, SLICE_MS);
    }
    if (event && !rd_kafka_event_error(event))
        take_config(info, event);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_queue_destroy(queue);
}

static void probe_work(uv_work_t *work)
{
    struct kafka *kafka = work->data;
    struct kafka_probe_job *probe = &kafka->probe;
    const struct rd_kafka_metadata *metadata;
    probe->error =
        rd_kafka_metadata(kafka->rk, 0, kafka->topic_handle, &metadata, KAFKA_REQUEST_TIMEOUT_MS);
    if (probe->error)
        return;
    if (metadata->topic_cnt == 1)
        probe->error = metadata->topics[0].err;
    if (!probe->error && metadata->topic_cnt == 1)
        probe->found.partition_count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    if (!probe->error && probe->ask_config)
        ask_config(kafka, &probe->found);
}

static void probe_failed(struct kafka *kafka, rd_kafka_resp_err_t error)
{
    char text[KAFKA_ERROR_TEXT];
    kafka->probe_due_ms = 0; /* again at the next tick */
    snprintf(text, sizeof text, "topic %s: %s", kafka->topic, rd_kafka_err2str(error));
    kafka_event_tell_trouble(kafka, kafka_event_classify(error), -1, text);
}

static void probe_after(uv_work_t *work, int status)
{
    struct kafka *kafka = work->data;
    const struct kafka_topic_info *found = &kafka->probe.found;
    (void)status;
    kafka->probe.running = false;
    if (kafka->closing)
        return;
    if (kafka->probe.error) {
        probe_failed(kafka, kafka->probe.error);
        return;
    }
    if (found->partition_count > KAFKA_MAX_PARTITIONS) {
        kafka_event_tell_trouble(kafka, KAFKA_TROUBLE_TOPIC, -1, "more than 4096 partitions");
        return;
    }
    /* What concerns all partitions is over; a partition's own trouble needs its own answer. */
    if (kafka->trouble_partition < 0)
        kafka_event_trouble_over(kafka);
    if (kafka->info.partition_count == 0)
        kafka->probe_due_ms = 0; /* for the configuration */
    if (memcmp(found, &kafka->info, sizeof *found) != 0) {
        kafka->info = *found;
        kafka->handlers->on_topic(kafka->data, &kafka->info);
    }
}

void kafka_job_probe(struct kafka *kafka)
{
    uint64_t now = uv_now(kafka->loop);
    if (kafka->probe.running || now < kafka->probe_due_ms)
        return;
    kafka->probe_due_ms = now + KAFKA_PROBE_MS;
    kafka->probe.running = true;
    kafka->probe.found = kafka->info;
    /* The first answer is wanted soon, so it does without the configuration; a cluster that does
     * not tell it is asked again now and then only. */
    kafka->probe.ask_config =
        kafka->info.partition_count > 0 &&
        (kafka->info.timestamp_type[0] || kafka->probe.count++ % CONFIG_EVERY == 0);
    kafka->probe.work.data = kafka;
    expect(uv_queue_work(kafka->loop, &kafka->probe.work, probe_work, probe_after) == 0);
}
