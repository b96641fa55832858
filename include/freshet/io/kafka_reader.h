/* One partition of a topic from its beginning to its end, read in the thread of the caller: for the
 * work pool. Every call may wait. */
#ifndef FRESHET_KAFKA_READER_H
#define FRESHET_KAFKA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kafka.h"

enum { KAFKA_READER_WAIT_MS = 30000 }; /* without any answer it is given up */

struct kafka_reader;

/* Valid until the next call. */
struct kafka_reader_record {
    const char *key; /* NULL: none */
    size_t key_len;
    const void *payload; /* NULL: a tombstone */
    size_t payload_len;
    int64_t offset;
};

/* NULL with a text in error (KAFKA_ERROR_TEXT bytes); so do all that return false or -1. */
struct kafka_reader *kafka_reader_open(const struct kafka_options *options, int32_t partition,
                                       char *error);
/* How many partitions the topic has; 0 (with a text): there is none; -1: it cannot be known. */
int32_t kafka_reader_partitions(struct kafka_reader *reader, char *error);
/* Begins at the first record that is there; the end is that of this moment or a later one. */
bool kafka_reader_rewind(struct kafka_reader *reader, char *error);
/* Begins at an offset instead. */
bool kafka_reader_seek(struct kafka_reader *reader, int64_t offset, char *error);
/* 1: a record; 0: the end was reached; -1: neither can be had. */
int kafka_reader_next(struct kafka_reader *reader, struct kafka_reader_record *record,
                      char *error);
void kafka_reader_close(struct kafka_reader *reader);

#endif
