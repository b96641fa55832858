/* Text that people can read with any Kafka tool. */
#include "checkpoint_manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pool.h"

#define MANIFEST_HEAD "freshet checkpoint 1\n"
enum { LINE_MAX_BYTES = 64 };

void checkpoint_manifest_free(struct checkpoint_manifest *manifest)
{
    memory_free(manifest->parts);
    *manifest = (struct checkpoint_manifest){0};
}

void checkpoint_manifest_add(struct checkpoint_manifest *manifest,
                             const struct checkpoint_part *part)
{
    size_t count = manifest->count + 1;
    if ((count & (count - 1)) == 0)
        manifest->parts = memory_resize(manifest->parts, 2 * count * sizeof *part);
    manifest->parts[manifest->count++] = *part;
}

void checkpoint_manifest_copy(struct checkpoint_manifest *to,
                              const struct checkpoint_manifest *from)
{
    for (size_t k = 0; k < from->count; k++)
        checkpoint_manifest_add(to, &from->parts[k]);
}

size_t checkpoint_manifest_newest(const struct checkpoint_manifest *manifest)
{
    size_t at = manifest->count;
    while (at > 0 && manifest->parts[at - 1].index != 0)
        at--;
    return at > 0 ? at - 1 : manifest->count;
}

size_t checkpoint_manifest_old(const struct checkpoint_manifest *manifest)
{
    size_t at = manifest->count;
    for (int chains = 0; at > 0 && chains < CHECKPOINT_CHAINS_KEPT; at--)
        chains += manifest->parts[at - 1].index == 0;
    return at;
}

bool checkpoint_manifest_has(const struct checkpoint_manifest *manifest,
                             const struct checkpoint_part *part)
{
    for (size_t k = 0; k < manifest->count; k++)
        if (manifest->parts[k].chain == part->chain && manifest->parts[k].index == part->index &&
            manifest->parts[k].nonce == part->nonce)
            return true;
    return false;
}

void checkpoint_manifest_write(const struct checkpoint_manifest *manifest, struct text *out)
{
    text_append_string(out, MANIFEST_HEAD);
    for (size_t k = 0; k < manifest->count; k++) {
        const struct checkpoint_part *part = &manifest->parts[k];
        text_printf(out, "%016" PRIx64 " %" PRIu32 " %08" PRIx32 " %" PRIu32 "\n", part->chain,
                    part->index, part->nonce, part->chunks);
    }
}

bool checkpoint_manifest_read(struct checkpoint_manifest *manifest, const char *bytes, size_t len)
{
    const char *end = bytes + len;
    size_t head = strlen(MANIFEST_HEAD);
    if (len < head || memcmp(bytes, MANIFEST_HEAD, head) != 0)
        return false;
    for (const char *line = bytes + head; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        char copy[LINE_MAX_BYTES];
        struct checkpoint_part part;
        if (!stop || (size_t)(stop - line) >= sizeof copy)
            return false;
        snprintf(copy, sizeof copy, "%.*s", (int)(stop - line), line);
        if (sscanf(copy, "%16" SCNx64 " %" SCNu32 " %8" SCNx32 " %" SCNu32, &part.chain,
                   &part.index, &part.nonce, &part.chunks) != 4)
            return false;
        checkpoint_manifest_add(manifest, &part);
        line = stop + 1;
    }
    return true;
}

void checkpoint_chunk_key(char key[CHECKPOINT_KEY_MAX], const char *name,
                          const struct checkpoint_part *part, uint32_t chunk)
{
    snprintf(key, CHECKPOINT_KEY_MAX, "%s/%016" PRIx64 "-%06" PRIu32 "-%08" PRIx32 "/%06" PRIu32,
             name, part->chain, part->index, part->nonce, chunk);
}

int checkpoint_read_key_of(const char *name, const char *key, size_t len,
                           struct checkpoint_part *part, uint32_t *chunk)
{
    size_t name_len = strlen(name);
    char rest[LINE_MAX_BYTES];
    if (len < name_len || memcmp(key, name, name_len) != 0)
        return -1;
    if (len == name_len)
        return 0;
    if (len - name_len >= sizeof rest)
        return -1;
    snprintf(rest, sizeof rest, "%.*s", (int)(len - name_len), key + name_len);
    *part = (struct checkpoint_part){0};
    return sscanf(rest, "/%16" SCNx64 "-%" SCNu32 "-%8" SCNx32 "/%" SCNu32, &part->chain,
                  &part->index, &part->nonce, chunk) == 4
               ? 1
               : -1;
}
