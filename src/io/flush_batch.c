/* Keys stand before arguments in the command, and its length stands before both: so three buffers
 * are written side by side and sent with one gathering write, nothing is copied. */
#include "flush_batch.h"

#include "expect.h"
#include "resp.h"

enum { TERMS = 6 }; /* arguments before the first row's */

void flush_batch_init(struct flush_batch *batch)
{
    *batch = (struct flush_batch){0};
}

void flush_batch_fini(struct flush_batch *batch)
{
    text_free(&batch->head);
    text_free(&batch->keys);
    text_free(&batch->args);
}

void flush_batch_begin(struct flush_batch *batch, const struct flush_terms *terms)
{
    text_clear(&batch->keys);
    text_clear(&batch->args);
    batch->rows = batch->values = 0;
    batch->arguments = TERMS;
    batch->layout = terms->layout;
    batch->history = terms->history;
    resp_bulk_string(&batch->keys, terms->own_key);
    resp_bulk_string(&batch->args, terms->token);
    resp_bulk_long(&batch->args, terms->expected_seq);
    resp_bulk_long(&batch->args, terms->high_offset);
    resp_bulk_long(&batch->args, terms->as_of.ms);
    resp_bulk_long(&batch->args, terms->ttl_ms);
    if (terms->check)
        resp_bulk_long(&batch->args, terms->partition);
    else
        resp_bulk_string(&batch->args, "");
}

bool flush_batch_full(const struct flush_batch *batch, const struct rowlayout *layout)
{
    return batch->rows == FLUSH_BATCH_ROWS ||
           batch->values + rowlayout_values_max(layout) > FLUSH_BATCH_VALUES ||
           batch->keys.len + batch->args.len >= FLUSH_BATCH_BYTES;
}

void flush_batch_add(struct flush_batch *batch, struct rowlayout *layout, const struct row *row)
{
    expect(!flush_batch_full(batch, layout));
    rowname_append(&layout->name, row->key, row->key_len, &batch->keys);
    struct rowhash_size size = rowlayout_append(layout, row, batch->history, &batch->args);
    batch->rows++;
    batch->values += size.values;
    batch->arguments += size.arguments;
}

void flush_batch_finish(struct flush_batch *batch, const char *sha)
{
    uint32_t keys = batch->rows + 1;
    text_clear(&batch->head);
    resp_array(&batch->head, 3 + (size_t)keys + batch->arguments);
    resp_bulk_string(&batch->head, "EVALSHA");
    resp_bulk_string(&batch->head, sha);
    resp_bulk_long(&batch->head, keys);
    batch->request.parts[0] = uv_buf_init(batch->head.data, (unsigned)batch->head.len);
    batch->request.parts[1] = uv_buf_init(batch->keys.data, (unsigned)batch->keys.len);
    batch->request.parts[2] = uv_buf_init(batch->args.data, (unsigned)batch->args.len);
    batch->request.part_count = 3;
}
