/* Where the rows of a replay go. Whole rows only: what cannot be written whole is taken back. */
#ifndef FRESHET_REPLAY_OUTPUT_H
#define FRESHET_REPLAY_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avrofile.h"
#include "replay_options.h"
#include "replay_setup.h"

struct replay_output {
    int fd;
    const char *name;
    bool failed;         /* said already; nothing more is written */
    int64_t written;     /* bytes that are whole rows */
    uint64_t rows;
    struct text pending; /* rows that are not written yet */
    size_t pending_rows;
    bool avro;
    struct avrofile_writer writer;
    struct text packed; /* the file's header, then each block */
};

/* False, and said, when the file cannot be opened. */
bool replay_output_open(struct replay_output *output, const struct replay_options *options,
                        const struct replay_setup *setup);
void replay_output_put(struct replay_output *output, const char *bytes, size_t len, size_t rows);
/* Writes what is pending; false when something could not be written, now or before. */
bool replay_output_flush(struct replay_output *output);
bool replay_output_close(struct replay_output *output);

#endif
