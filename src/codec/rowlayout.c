/* The choice between layouts, in one place. */
#include "rowlayout.h"

void rowlayout_init(struct rowlayout *layout, enum rowlayout_kind kind,
                    const struct feature_set *set, const char *prefix, const char *key_template)
{
    *layout = (struct rowlayout){.kind = kind};
    rowname_init(&layout->name, prefix, key_template);
    if (kind == ROWLAYOUT_PACKED)
        rowpack_init(&layout->pack, set);
    else
        rowhash_init(&layout->hash, set);
}

void rowlayout_fini(struct rowlayout *layout)
{
    rowname_fini(&layout->name);
    rowhash_fini(&layout->hash);
    rowpack_fini(&layout->pack);
}

struct rowhash_size rowlayout_append(struct rowlayout *layout, const struct row *row,
                                     struct text *out)
{
    if (layout->kind == ROWLAYOUT_HASH)
        return rowhash_append(&layout->hash, row, out);
    rowpack_append(&layout->pack, row, out);
    return (struct rowhash_size){.arguments = 2, .values = 1};
}

uint32_t rowlayout_values_max(const struct rowlayout *layout)
{
    return layout->kind == ROWLAYOUT_HASH ? rowhash_values_max(&layout->hash) : 1;
}
