/* Nanoseconds for decoding 8 of the 15 fields of a 186-byte click: bench_decode [RECORDS].
 *
 * For instruction counts: valgrind --tool=callgrind --toggle-collect=bench_run bench_decode 10000
 * and the same with 20000; the difference is free of what happens once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "avroplan.h"
#include "avroschema.h"
#include "expect.h"
#include "projection.h"
#include "text.h"

enum { BENCH_MESSAGES = 1024, BENCH_RECORDS = 5000000, BENCH_BYTES = 186 };

static const char *const wanted[] = {
    "event_id", "user_id", "event_time", "event_type", "item_id", "price", "quantity", "page.url",
};
enum { BENCH_WANTED = sizeof wanted / sizeof *wanted };

static void put_long(struct text *out, int64_t number)
{
    uint64_t rest = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    for (; rest > 0x7f; rest >>= 7)
        text_append_char(out, (char)(rest | 0x80));
    text_append_char(out, (char)rest);
}

static void put_string(struct text *out, const char *string)
{
    put_long(out, (int64_t)strlen(string));
    text_append_string(out, string);
}

static void put_optional(struct text *out, const char *string)
{
    put_long(out, string ? 1 : 0);
    if (string)
        put_string(out, string);
}

/* A click of schemas/click.avsc; n varies what varies, the agent fills up to the wanted length. */
static void put_click(struct text *out, unsigned n)
{
    char word[64];
    double price = 10.0 + n % 90;
    (void)snprintf(word, sizeof word, "e%015u", n);
    put_string(out, word);
    (void)snprintf(word, sizeof word, "user-%06u", n * 7919 % 1000000);
    put_string(out, word);
    put_long(out, INT64_C(1760000000000) + n * 137);
    put_long(out, n % 6);
    (void)snprintf(word, sizeof word, "item-%05u", n * 31 % 100000);
    put_optional(out, n % 4 ? word : NULL);
    put_optional(out, n % 3 ? "garden" : NULL);
    put_long(out, n % 4 == 1);
    if (n % 4 == 1)
        text_append(out, &price, sizeof price);
    put_long(out, 1 + n % 3);
    put_string(out, "EUR");
    (void)snprintf(word, sizeof word, "/shop/item/%05u", n * 31 % 100000);
    put_string(out, word);
    put_optional(out, n % 2 ? "/shop" : NULL);
    put_long(out, n % 4);
    put_string(out, "DE");
    put_long(out, n % 20);
    /* What is left for the agent: the map takes 11 bytes, its own length two or (below 64) one. */
    size_t rest = BENCH_BYTES - 11 - out->len - 1;
    rest -= rest > 64;
    char agent[BENCH_BYTES + 1] = "Mozilla/5.0 (X11; Linux x86_64)";
    memset(agent + strlen(agent), '.', sizeof agent - strlen(agent));
    agent[rest] = '\0';
    put_string(out, agent);
    put_long(out, 1);
    put_string(out, "utm");
    put_string(out, "news");
    put_long(out, 0);
    expect(out->len == BENCH_BYTES);
}

static struct avroschema *load(void)
{
    static char text[65536];
    FILE *file = fopen(FRESHET_SOURCE_DIR "/schemas/click.avsc", "re");
    expect(file);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    struct avro_error err;
    struct avroschema *schema = avroschema_parse(text, len, NULL, 0, AVROSCHEMA_READER, &err);
    expect(schema);
    return schema;
}

/* What the decoded values amount to: a fast wrong answer must not look good. */
static uint64_t digest(uint64_t sum, const struct value *slots)
{
    for (int i = 0; i < BENCH_WANTED; i++) {
        bool is_text = slots[i].type == VALUE_STRING;
        sum = sum * 31 + (is_text ? (uint64_t)slots[i].len + (uint8_t)slots[i].s[slots[i].len - 1]
                                  : (uint64_t)slots[i].i);
    }
    return sum;
}

uint64_t bench_run(const struct avroplan *plan, const struct text *messages, long records);

__attribute__((noinline)) uint64_t bench_run(const struct avroplan *plan,
                                             const struct text *messages, long records)
{
    struct value slots[FIELDSPACE_MAX_SLOTS];
    struct avro_error err;
    uint64_t sum = 0;
    for (long i = 0; i < records; i++) {
        const struct text *message = &messages[i % BENCH_MESSAGES];
        expect(avroplan_decode(plan, message->data, message->len, slots, &err));
        sum += (uint64_t)slots[2].i + slots[7].len;
    }
    return sum;
}

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    long records = argc > 1 ? atol(argv[1]) : BENCH_RECORDS;
    static struct text messages[BENCH_MESSAGES];
    for (unsigned i = 0; i < BENCH_MESSAGES; i++)
        put_click(&messages[i], i);
    struct avroschema *schema = load();
    struct projection *projection = projection_new(schema);
    struct fieldspace space = projection_fieldspace(projection);
    for (int i = 0; i < BENCH_WANTED; i++) {
        struct value_kind kind;
        char why[256];
        expect(space.resolve(space.self, wanted[i], strlen(wanted[i]), &kind, why, sizeof why) ==
               i);
    }
    projection_mark_time(projection, 2, AVRO_TIME_MS);
    struct avro_error err;
    struct avroplan *plan = avroplan_compile(schema, schema, projection, false, &err);
    expect(plan);
    struct value slots[FIELDSPACE_MAX_SLOTS];
    uint64_t sum = 0;
    for (int i = 0; i < BENCH_MESSAGES; i++) {
        expect(avroplan_decode(plan, messages[i].data, messages[i].len, slots, &err));
        sum = digest(sum, slots);
    }
    double start = cpu_ns();
    uint64_t check = bench_run(plan, messages, records);
    double ns = (cpu_ns() - start) / (double)records;
    printf("decode %.1f ns/record, %d of 15 fields of %d bytes, digest %016" PRIx64
           ", check %016" PRIx64 "\n",
           ns, BENCH_WANTED, BENCH_BYTES, sum, check);
    avroplan_free(plan);
    projection_free(projection);
    avroschema_free(schema);
    for (int i = 0; i < BENCH_MESSAGES; i++)
        text_free(&messages[i]);
    return 0;
}
