/* Rows are gathered into large pieces; an Avro file gets a block for each. */
#include "replay_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "replay_row.h"

enum { PIECE = 1 << 18, MODE = 0666 };

bool replay_output_open(struct replay_output *output, const struct replay_options *options,
                        const struct replay_setup *setup)
{
    bool standard = strcmp(options->output, "-") == 0;
    *output = (struct replay_output){
        .fd = STDOUT_FILENO,
        .name = standard ? "standard output" : options->output,
        .avro = options->avro_output,
    };
    if (!standard)
        output->fd = open(options->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, MODE);
    if (output->fd < 0) {
        fprintf(stderr, "freshet replay: %s: %s\n", output->name, strerror(errno));
        return false;
    }
    if (output->avro) {
        struct text schema = {0};
        replay_row_schema(setup->model->set, setup->model->key_kind.type, &schema);
        avrofile_begin(&output->writer, schema.data, &output->packed);
        text_free(&schema);
    }
    return true;
}

static void write_all(struct replay_output *output, const char *bytes, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t wrote = write(output->fd, bytes + done, len - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            fprintf(stderr, "freshet replay: %s: %s\n", output->name, strerror(errno));
            output->failed = true;
            /* Half a row is none: a file ends with the last whole piece. */
            if (done > 0 && ftruncate(output->fd, output->written) != 0)
                fprintf(stderr, "freshet replay: %s: the last row is not whole\n", output->name);
            return;
        }
        done += (size_t)wrote;
    }
    output->written += (int64_t)len;
}

bool replay_output_flush(struct replay_output *output)
{
    struct text *pending = &output->pending;
    if (output->avro && output->pending_rows > 0)
        avrofile_append(&output->writer, (int64_t)output->pending_rows, pending->data,
                        pending->len, &output->packed);
    struct text *ready = output->avro ? &output->packed : pending;
    if (!output->failed && ready->len > 0)
        write_all(output, ready->data, ready->len);
    text_clear(pending);
    text_clear(&output->packed);
    output->pending_rows = 0;
    return !output->failed;
}

void replay_output_put(struct replay_output *output, const char *bytes, size_t len, size_t rows)
{
    if (len == 0 || output->failed)
        return;
    text_append(&output->pending, bytes, len);
    output->pending_rows += rows;
    output->rows += rows;
    if (output->pending.len >= PIECE)
        replay_output_flush(output);
}

bool replay_output_close(struct replay_output *output)
{
    replay_output_flush(output);
    if (output->fd != STDOUT_FILENO && close(output->fd) != 0 && !output->failed) {
        fprintf(stderr, "freshet replay: %s: %s\n", output->name, strerror(errno));
        output->failed = true;
    }
    avrofile_end(&output->writer);
    text_free(&output->pending);
    text_free(&output->packed);
    return !output->failed;
}
