/* Any bytes as a checkpoint: refused, or a shard that works.
 *
 * The checksums, and what the last record of a segment counts, are put right first: else hardly any
 * input would come further than they. The corpus is of real checkpoints. */
#include <stdint.h>
#include <string.h>

#include "checkpoint.h"
#include "corekit.h"
#include "crc32c.h"
#include "expect.h"

static const char features[] =
    "[feature clicks]\nop = count\nwhere = type == \"click\"\nover = session\n"
    "[feature spent]\nop = sum(price)\nover = 20s\nhop = 5s\n"
    "[feature price_max]\nop = max(price)\nover = 20s\nhop = 5s\n"
    "[feature items]\nop = last_n(item, 3)\nover = session\n"
    "[feature newest]\nop = last(type)\nover = 10s\n"
    "[feature variety]\nop = distinct(item)\nover = 60s\n"
    "[feature median]\nop = quantile(price, 0.5)\nover = 60s\n"
    "[feature tops]\nop = top_k(item, 2)\nover = session\n"
    "[feature spread]\nop = stddev(n)\nover = 60s\n"
    "[feature firsts]\nop = first_n(n, 2)\nover = 20s\nhop = 5s\n"
    "[feature by_type]\nop = time_of_last\nby = type\nover = 60s\n"
    "[feature visits]\nop = count\non = session\nover = 60s\n"
    "[feature number]\nop = session_number\n";

/* The body of END: token and three numbers, then the two counts. */
static void put_end(struct text *out, struct segment_reader body, uint64_t records,
                    uint64_t bytes)
{
    size_t len;
    const char *token = segment_get_bytes(&body, &len);
    segment_put_bytes(out, token, len < 33 ? len : 32);
    segment_put_signed(out, segment_get_signed(&body));
    text_append_char(out, (char)segment_get_at_most(&body, 1));
    segment_put_number(out, records);
    segment_put_number(out, bytes);
}

/* The same records with checksums that fit. */
static void put_right(const uint8_t *data, size_t size, struct text *out)
{
    struct segment_writer writer = {.out = out};
    while (size > SEGMENT_FRAME_BYTES) {
        uint32_t len;
        memcpy(&len, data, 4);
        data += SEGMENT_FRAME_BYTES;
        size -= SEGMENT_FRAME_BYTES;
        if (len == 0 || len > size)
            len = (uint32_t)size;
        enum segment_kind kind = (enum segment_kind)data[0];
        uint64_t records = writer.records, bytes = writer.bytes;
        segment_begin_record(&writer, kind);
        if (kind == SEGMENT_END)
            put_end(out, (struct segment_reader){data + 1, data + len, false}, records, bytes);
        else
            text_append(out, data + 1, len - 1);
        segment_end_record(&writer);
        if (kind == SEGMENT_END)
            writer = (struct segment_writer){.out = out};
        data += len;
        size -= len;
    }
}

/* It can be worked with: events, rows, a checkpoint. */
static void work(struct corekit *kit, struct shard *shard)
{
    kit->shard = shard;
    kit->offset = corekit_status(kit).next_offset;
    if (kit->offset < 0 || kit->offset > INT64_MAX - 1000)
        return;
    struct lease *lease = shard_lease(shard);
    lease_acquiring(lease, "0123456789abcdef0123456789abcdef");
    struct lease_grant grant = {.had_own = true, .hw = -1, .as_of_ms = INT64_MIN};
    if (lease_granted(lease, &grant, 0, false))
        lease_step_ended(lease, LEASE_MARK, true);
    lease->hold = -1;
    shard_resync(shard);
    for (int k = 0; k < 5; k++)
        corekit_click(kit, k % 2 ? "k1" : "k2", 1010000 + k * 100000);
    corekit_flush(kit);
    checkpoint_begin(shard, &(struct checkpoint_terms){.name = "again"});
    while (!checkpoint_step(shard))
        continue;
    checkpoint_end(shard);
    checkpoint_stored(shard);
}

static void read_it(struct corekit *kit, const void *bytes, size_t len)
{
    struct checkpoint_loader *loader = checkpoint_loader_open(&kit->rules, 0, NULL, 0, 0);
    checkpoint_loader_feed(loader, bytes, len / 2);
    checkpoint_loader_feed(loader, (const char *)bytes + len / 2, len - len / 2);
    if (checkpoint_loader_whole(loader) && checkpoint_loader_settle(loader)) {
        work(kit, checkpoint_loader_take(loader));
        shard_close(kit->shard);
    }
    checkpoint_loader_close(loader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct corekit kit;
    if (!kit.set) {
        corekit_init(&kit, features);
        kit.rules.foundation = 77;
    }
    struct text right = {0};
    put_right(data, size, &right);
    read_it(&kit, data, size);
    for (int parted = 0; parted < 2; parted++) { /* sessions have more to tell then (S12) */
        kit.rules.session_slot = parted ? SLOT_TYPE : -1;
        kit.rules.id_slot = parted ? SLOT_N : -1;
        read_it(&kit, right.data ? right.data : "", right.len);
    }
    text_free(&right);
    return 0;
}
