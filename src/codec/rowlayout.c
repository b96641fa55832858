/* The choice between layouts, in one place. */
#include "rowlayout.h"

void rowlayout_init(struct rowlayout *layout, enum rowlayout_kind kind,
                    const struct feature_set *set, const char *prefix, const char *key_template,
                    size_t delta_bytes)
{
    *layout = (struct rowlayout){.kind = kind};
    rowname_init(&layout->name, prefix, key_template);
    if (kind == ROWLAYOUT_PACKED) {
        rowpack_init(&layout->pack, set);
    } else {
        rowhash_init(&layout->hash, set);
        rowdelta_init(&layout->delta, set, delta_bytes);
    }
}

void rowlayout_fini(struct rowlayout *layout)
{
    rowname_fini(&layout->name);
    rowhash_fini(&layout->hash);
    rowdelta_fini(&layout->delta);
    rowpack_fini(&layout->pack);
}

static struct rowhash_size append_hash(struct rowlayout *layout, const struct row *row,
                                       uint64_t history, struct text *out)
{
    struct rowdelta_change change;
    if (row->removed) {
        rowdelta_forget(&layout->delta, row->key, row->key_len);
        return rowhash_append(&layout->hash, row, NULL, out);
    }
    bool known = rowdelta_take(&layout->delta, row, history, &change);
    return rowhash_append(&layout->hash, row, known && !row->whole ? &change : NULL, out);
}

struct rowhash_size rowlayout_append(struct rowlayout *layout, const struct row *row,
                                     uint64_t history, struct text *out)
{
    if (layout->kind == ROWLAYOUT_HASH)
        return append_hash(layout, row, history, out);
    rowpack_append(&layout->pack, row, out);
    return (struct rowhash_size){.arguments = 2, .values = 1};
}

uint32_t rowlayout_values_max(const struct rowlayout *layout)
{
    return layout->kind == ROWLAYOUT_HASH ? rowhash_values_max(&layout->hash) : 1;
}
