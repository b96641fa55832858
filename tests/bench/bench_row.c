/* Nanoseconds to encode a row of 20 fields for layout hash: prints them beside a digest. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "flush_batch.h"
#include "hash.h"

enum { FEATURES = 20, ROWS = 64, ROUNDS = 7, BATCHES = 2000 };

/* Every third value is a double with a fraction, one a name, the rest counts and times. */
static void fill(struct value values[ROWS][FEATURES])
{
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < FEATURES; i++) {
            if (i == 1)
                values[r][i] = value_text(VALUE_STRING, "product-12345", 13);
            else if (i % 3 == 0)
                values[r][i] = value_double((double)(r * 7919 + i * 104729) / 97.0);
            else if (i == 2)
                values[r][i] = value_long(1700000000000 + r);
            else
                values[r][i] = value_long(r * i);
        }
    }
}

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(void)
{
    static struct feature features[FEATURES];
    static struct value values[ROWS][FEATURES];
    struct feature_set set = {.features = features, .count = FEATURES, .version = 0xfeed};
    for (int i = 0; i < FEATURES; i++)
        snprintf(features[i].name, sizeof features[i].name, "feature_number_%d", i);
    fill(values);

    struct rowhash rowhash;
    struct flush_batch batch;
    rowhash_init(&rowhash, &set, "", "features:{key}");
    flush_batch_init(&batch);
    struct flush_terms terms = {.own_key = "freshet:{bench:clicks:0}:own", .token = "t",
                                .ttl_ms = 1000};
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (int b = 0; b < BATCHES; b++) {
            flush_batch_begin(&batch, &terms);
            for (int r = 0; r < ROWS; r++) {
                struct row row = {.key = "user-1234567", .key_len = 12, .partition = 1,
                                  .offset = 123456789 + r, .as_of = {1700000000000 + b},
                                  .set = &set, .values = values[r]};
                flush_batch_add(&batch, &rowhash, &row);
            }
        }
        double took = (now_ns() - start) / ((double)BATCHES * ROWS);
        best = took < best ? took : best;
    }
    printf("row of %d fields: %.0f ns, %zu bytes, digest %016llx\n", FEATURES, best,
           (batch.args.len + batch.keys.len) / ROWS,
           (unsigned long long)hash_bytes(batch.args.data, batch.args.len));
    flush_batch_fini(&batch);
    rowhash_fini(&rowhash);
    return 0;
}
