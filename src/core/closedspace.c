/* The fields of a closed session, under the names of the operators that show them. */
#include "closedspace.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

enum { WORD_MAX_BYTES = 64 };

static int closedspace_resolve(void *self, const char *path, size_t path_len,
                               struct value_kind *kind, char *err, size_t err_size)
{
    static const char *const names[CLOSED_SLOTS + 1] = {
        [CLOSED_ID] = "session_id",
        [CLOSED_START] = "session_start",
        [CLOSED_LAST] = "session_last",
        [CLOSED_DURATION] = "session_duration",
        [CLOSED_EVENT_COUNT] = "session_event_count",
        [CLOSED_MEAN_GAP] = "mean_gap",
    };
    (void)self;
    char word[WORD_MAX_BYTES + 1] = "";
    if (path_len <= WORD_MAX_BYTES)
        memcpy(word, path, path_len);
    for (int k = 0; k < CLOSED_SLOTS; k++) {
        if (strcmp(word, names[k]) == 0) {
            *kind = k == CLOSED_MEAN_GAP ? (struct value_kind){VALUE_DOUBLE, true}
                                         : (struct value_kind){VALUE_LONG, false};
            return k;
        }
    }
    const char *nearest = text_nearest(word, names);
    if (nearest)
        snprintf(err, err_size, "a closed session has no `%.*s` (did you mean %s?)", (int)path_len,
                 path, nearest);
    else
        snprintf(err, err_size,
                 "a closed session has no `%.*s` (it has session_id, session_start, session_last, "
                 "session_duration, session_event_count and mean_gap)",
                 (int)path_len, path);
    return -1;
}

struct fieldspace closedspace(void)
{
    return (struct fieldspace){.resolve = closedspace_resolve};
}
