/* Memory of a live session: growth of the resident set from empty, by number of keys.
 *
 *     bench_memory FEATURES-FILE KEYS...
 *
 * Keys come one after the other with a click each, and their rows count as written, as in a shard
 * that keeps up. Prints one line of JSON: for each number of keys what is resident, the most that
 * ever was, and what the shard says of itself, all by the key and without what was there before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clickshard.h"
#include "expect.h"

enum { PORTION = 4096, FLUSH_PORTIONS = 16 };
static const double interval_ms = 0.5; /* all sessions stay open */

/* A line of /proc/self/status, in bytes. */
static double status_bytes(const char *name)
{
    char line[256];
    double bytes = -1;
    FILE *file = fopen("/proc/self/status", "re");
    expect(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            bytes = strtod(line + strlen(name) + 1, NULL) * 1024;
    fclose(file);
    expect(bytes >= 0);
    return bytes;
}

static void grow(struct clickshard *self, int64_t *keys, int64_t wanted)
{
    for (int portions = 0; *keys < wanted; portions++) {
        struct clickbatch batch;
        int count = wanted - *keys < PORTION ? (int)(wanted - *keys) : PORTION;
        clickshard_make_users(self, &batch, *keys, count);
        clickshard_apply(self, batch.records, count);
        clickbatch_free(&batch);
        *keys += count;
        if (portions % FLUSH_PORTIONS == 0)
            clickshard_flush(self);
    }
    clickshard_flush(self);
}

int main(int argc, char **argv)
{
    struct clickshard self;
    int64_t keys = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: bench_memory FEATURES-FILE KEYS...\n");
        return 64;
    }
    clickshard_open(&self, argv[1], 1, interval_ms);
    double empty = status_bytes("VmRSS:");
    printf("{\"sizes\": [");
    for (int k = 2; k < argc; k++) {
        struct shard_status status;
        grow(&self, &keys, atoll(argv[k]));
        shard_status(self.shard, &status);
        expect(status.keys == (uint64_t)keys && status.sessions_live == (uint64_t)keys);
        printf("%s{\"keys\": %lld, \"bytes\": %.1f, \"peak\": %.1f, \"state\": %.1f}",
               k > 2 ? ", " : "", (long long)keys, (status_bytes("VmRSS:") - empty) / (double)keys,
               (status_bytes("VmHWM:") - empty) / (double)keys,
               (double)status.state_bytes / (double)keys);
    }
    printf("]}\n");
    clickshard_close(&self);
    return 0;
}
