/* Where the records of a replay come from: chunks of them, in the order of the input.
 *
 *   read     fills a chunk with what must be read in order; false when nothing is left
 *   decode   decodes one slice of it; slices may be decoded by several threads at once
 *
 * An input that is damaged ends with an error: what stands before it was given in chunks, and is
 * replayed. */
#ifndef FRESHET_REPLAY_SOURCE_H
#define FRESHET_REPLAY_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "replay_options.h"
#include "replay_setup.h"

enum {
    REPLAY_CHUNK = 2048, /* records read, decoded and applied together */
    REPLAY_SLICES = 8,   /* parts of a chunk that are decoded by themselves */
    REPLAY_ERROR_TEXT = 1024,
    REPLAY_NO_OFFSET = -1,
};

struct replay_item {
    struct record record; /* offset: REPLAY_NO_OFFSET takes the next one of the partition */
    int32_t partition;
    bool idle; /* no record: the partition is idle and emits at as_of_ms */
    int64_t as_of_ms;
    int64_t place; /* line, or number of the record, for messages */
    const char *text; /* that read found, for decode */
    size_t len;
    int lane;                  /* set by the replay */
    size_t bytes_end, rows_end; /* where its rows end in the lane's output */
};

struct replay_chunk {
    struct replay_item items[REPLAY_CHUNK];
    int count;
    struct replay_slice {
        int bad; /* index of the first item that cannot be decoded; REPLAY_CHUNK: none */
        char error[REPLAY_ERROR_TEXT];
    } slices[REPLAY_SLICES];
};

struct replay_source {
    bool (*read)(struct replay_source *source, struct replay_chunk *chunk);
    void (*decode)(struct replay_source *source, struct replay_chunk *chunk, int slice);
    void (*close)(struct replay_source *source);
    const struct replay_setup *setup;
    const char *name;       /* of the input, for messages */
    const char *place_name; /* "line" or "record" */
    int status;             /* exit status once something is wrong; 0: all is well */
    char error[REPLAY_ERROR_TEXT];
    int64_t read_bytes, all_bytes; /* for progress; all_bytes is 0 when it is not known */
};

/* NULL and a message on standard error, with the exit status, when it cannot be opened. */
struct replay_source *replay_source_open(const struct replay_options *options,
                                         const struct replay_setup *setup, int *status);

/* Decodes the chunk's slices; what comes behind the first bad item is left out. */
struct crew;
void replay_source_decode(struct replay_source *source, struct replay_chunk *chunk,
                          struct crew *crew);

/* The first item of a slice; that of slice REPLAY_SLICES is the end. */
static inline int replay_slice_begin(const struct replay_chunk *chunk, int slice)
{
    return (int)((int64_t)chunk->count * slice / REPLAY_SLICES);
}

/* For the kinds of sources. */
struct replay_source *replay_source_json(FILE *stream, const struct replay_setup *setup);
struct replay_source *replay_source_avro(FILE *stream, const char *name,
                                         const struct replay_setup *setup, char *error);
struct replay_source *replay_source_kafka(const struct replay_options *options,
                                          const struct replay_setup *setup, char *error);
void replay_source_fail(struct replay_source *source, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A record without a record time of its own has its event time. */
void replay_item_timed(struct replay_item *item, const struct replay_setup *setup);

#endif
