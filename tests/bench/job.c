/* The cheapest honest version of the job: the daemon's projection, key table and RESP writer, and
 * nothing of what makes freshet right after a crash, a late event or the passing of time. */
#include "job.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "clickplan.h"
#include "expect.h"
#include "hash.h"
#include "keytable.h"
#include "pool.h"
#include "resp.h"

enum {
    BATCH_MAX = 256,
    USER_MAX = 15,
    ITEM_MAX = 15,
    SEND_BYTES = 64 << 10,
    WAITING_MAX = 8192, /* commands that Redis has not answered */
};
static const int64_t gap_ms = 30 * 60 * 1000;

struct visitor {
    char user[USER_MAX + 1]; /* terminated by zeros, as item */
    char item[ITEM_MAX + 1];
    int64_t start_ms, last_ms;
    double value;
    uint32_t events, corrections;
};

struct job {
    enum job_step step;
    struct clickplan plan;
    struct keytable table;
    struct visitor *visitors;
    uint32_t count, capacity;
    uint64_t sum; /* of what was seen, so that no step can be left out */
    struct value slots[BATCH_MAX][CLICKPLAN_SLOTS];
    const struct value *sought; /* the user that is_user compares with */
    struct text out;
    int redis; /* a socket */
    long long waiting;
};

static bool is_user(const void *context, uint32_t handle)
{
    const struct job *job = context;
    const char *user = job->visitors[handle].user;
    return memcmp(user, job->sought->s, job->sought->len) == 0 && !user[job->sought->len];
}

static void copy_text(char *to, size_t max, const struct value *value)
{
    expect(value->len <= max);
    memcpy(to, value->s, value->len);
    memset(to + value->len, 0, max + 1 - value->len);
}

static struct visitor *find(struct job *job, const struct value *slots, uint64_t hash)
{
    job->sought = &slots[CLICKPLAN_USER];
    expect(job->sought->len <= USER_MAX);
    uint32_t handle = keytable_find(&job->table, hash, is_user, job);
    if (handle != KEYTABLE_NONE)
        return &job->visitors[handle];
    if (job->count == job->capacity) {
        job->capacity = job->capacity ? 2 * job->capacity : 1 << 16;
        job->visitors =
            memory_resize(job->visitors, (size_t)job->capacity * sizeof *job->visitors);
    }
    struct visitor *visitor = &job->visitors[job->count];
    *visitor = (struct visitor){.last_ms = INT64_MIN / 2};
    copy_text(visitor->user, USER_MAX, &slots[CLICKPLAN_USER]);
    keytable_insert(&job->table, hash, job->count++);
    return visitor;
}

static void update(struct visitor *visitor, const struct value *slots)
{
    int64_t time_ms = slots[CLICKPLAN_TIME].i;
    if (time_ms - visitor->last_ms > gap_ms) {
        visitor->start_ms = time_ms;
        visitor->events = 0;
        visitor->value = 0;
        visitor->item[0] = '\0';
    }
    visitor->last_ms = time_ms > visitor->last_ms ? time_ms : visitor->last_ms;
    visitor->events++;
    if (slots[CLICKPLAN_PRICE].type == VALUE_DOUBLE)
        visitor->value += slots[CLICKPLAN_PRICE].d;
    if (slots[CLICKPLAN_ITEM].type == VALUE_STRING)
        copy_text(visitor->item, ITEM_MAX, &slots[CLICKPLAN_ITEM]);
}

/* ---- the row: the fields that freshet's has, no more and no fewer ---- */

static void put_field(struct text *out, const char *name, const char *value)
{
    resp_bulk_string(out, name);
    resp_bulk_string(out, value);
}

static void put_number(struct text *out, const char *name, int64_t number)
{
    resp_bulk_string(out, name);
    resp_bulk_long(out, number);
}

static void encode(struct job *job, const struct visitor *visitor,
                   const struct job_message *message)
{
    struct text *out = &job->out;
    char key[sizeof "features:" + USER_MAX] = "features:", value[32] = "";
    memcpy(key + strlen(key), visitor->user, sizeof visitor->user);
    int64_t cents = llround(visitor->value * 100);
    size_t len = text_format_long(value, cents / 100);
    value[len++] = '.';
    value[len++] = (char)('0' + cents % 100 / 10);
    value[len] = (char)('0' + cents % 10);
    resp_array(out, 18);
    resp_bulk_string(out, "HSET");
    resp_bulk_string(out, key);
    put_number(out, "_as_of", visitor->last_ms);
    put_number(out, "session_events", visitor->events);
    put_field(out, "session_value", value);
    put_field(out, "last_item", visitor->item);
    put_number(out, "_rev", visitor->corrections);
    put_field(out, "_v", "0123456789abcdef");
    put_number(out, "_p", message->partition);
    put_number(out, "_o", message->offset);
}

static void connect_redis(struct job *job, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    job->redis = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect(connect(job->redis, (struct sockaddr *)&address, sizeof address) == 0);
}

/* Each answer is one line. */
static void read_answers(struct job *job, long long most)
{
    char bytes[1 << 16];
    while (job->waiting > most) {
        ssize_t got = read(job->redis, bytes, sizeof bytes);
        expect(got > 0);
        for (ssize_t i = 0; i < got; i++) {
            expect(bytes[i] != '-');
            job->waiting -= bytes[i] == '\n';
        }
    }
}

static void send_rows(struct job *job)
{
    if (job->step == JOB_REDIS) {
        for (size_t sent = 0; sent < job->out.len;) {
            ssize_t put = write(job->redis, job->out.data + sent, job->out.len - sent);
            expect(put > 0);
            sent += (size_t)put;
        }
        read_answers(job, WAITING_MAX);
    }
    text_clear(&job->out);
}

/* ---- steps ---- */

static void touch(struct job *job, const struct job_message *message)
{
    const unsigned char *bytes = message->payload;
    for (size_t i = 0; i < message->len; i++)
        job->sum += bytes[i];
}

static void decode(struct job *job, const struct job_message *message, struct value *slots)
{
    struct avro_error err;
    expect(avroplan_decode(job->plan.plan, message->payload, message->len, slots, &err));
    job->sum += clickplan_digest(0, slots);
}

static void fold(struct job *job, const struct job_message *messages, size_t count)
{
    uint64_t hashes[BATCH_MAX];
    for (size_t k = 0; k < count; k++) {
        const struct value *user = &job->slots[k][CLICKPLAN_USER];
        hashes[k] = hash_bytes(user->s, user->len);
        keytable_prefetch(&job->table, hashes[k]);
    }
    for (size_t k = 0; k < count; k++) {
        uint32_t guess = keytable_guess(&job->table, hashes[k]);
        if (guess != KEYTABLE_NONE) {
            __builtin_prefetch(&job->visitors[guess]);
            __builtin_prefetch((char *)&job->visitors[guess] + 64);
        }
    }
    for (size_t k = 0; k < count; k++) {
        struct visitor *visitor = find(job, job->slots[k], hashes[k]);
        update(visitor, job->slots[k]);
        if (job->step < JOB_ENCODE)
            continue;
        encode(job, visitor, &messages[k]);
        job->waiting += job->step == JOB_REDIS;
        if (job->out.len >= SEND_BYTES)
            send_rows(job);
    }
}

void job_take(struct job *job, const struct job_message *messages, size_t count)
{
    expect(count <= BATCH_MAX);
    for (size_t k = 0; k < count && job->step >= JOB_TOUCH; k++) {
        if (job->step == JOB_TOUCH)
            touch(job, &messages[k]);
        else
            decode(job, &messages[k], job->slots[k]);
    }
    if (job->step >= JOB_TABLE)
        fold(job, messages, count);
}

void job_flush(struct job *job)
{
    send_rows(job);
    if (job->step == JOB_REDIS)
        read_answers(job, 0);
}

struct job_result job_result(const struct job *job)
{
    struct job_result result = {.keys = job->count, .digest = job->step < JOB_TABLE ? job->sum : 0};
    for (uint32_t k = 0; k < job->count; k++) {
        const struct visitor *visitor = &job->visitors[k];
        char line[128];
        int len = snprintf(line, sizeof line, "%s,%u,%lld,%s", visitor->user, visitor->events,
                           llround(visitor->value * 100), visitor->item);
        result.digest += crc32(0, (const unsigned char *)line, (unsigned)len);
    }
    return result;
}

struct job *job_open(enum job_step step, int redis_port)
{
    struct job *job = memory_alloc(sizeof *job);
    job->step = step;
    job->redis = -1;
    clickplan_open(&job->plan);
    if (step == JOB_REDIS)
        connect_redis(job, redis_port);
    return job;
}

void job_close(struct job *job)
{
    if (job->redis >= 0)
        close(job->redis);
    clickplan_close(&job->plan);
    keytable_free(&job->table);
    memory_free(job->visitors);
    text_free(&job->out);
    memory_free(job);
}
