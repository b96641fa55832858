/* The log of rows: gathered while batches are made, written once after them. */
#include "rowlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "pool.h"
#include "rowjson.h"

enum { MODE = 0640 }; /* rows are about people */

struct rowlog {
    char *path;
    int fd; /* -1: given up */
    struct text pending;
};

struct rowlog *rowlog_open(const char *path, char *error, size_t error_size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, MODE);
    if (fd < 0) {
        (void)snprintf(error, error_size, "debug.rows: %s: %s", path, strerror(errno));
        return NULL;
    }
    struct rowlog *log = memory_alloc(sizeof *log);
    log->path = memory_strdup(path);
    log->fd = fd;
    return log;
}

void rowlog_add(struct rowlog *log, const struct row *row, int64_t last_offset)
{
    if (log && log->fd >= 0)
        rowjson_point(row, last_offset, &log->pending);
}

void rowlog_flush(struct rowlog *log)
{
    if (!log || log->pending.len == 0)
        return;
    size_t done = 0;
    while (done < log->pending.len) {
        ssize_t wrote = write(log->fd, log->pending.data + done, log->pending.len - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            log_error("rowlog_failed", "file=%Q reason=%Q", log->path, strerror(errno));
            close(log->fd);
            log->fd = -1;
            break;
        }
        done += (size_t)wrote;
    }
    text_clear(&log->pending);
}

void rowlog_close(struct rowlog *log)
{
    if (!log)
        return;
    rowlog_flush(log);
    if (log->fd >= 0)
        close(log->fd);
    text_free(&log->pending);
    memory_free(log->path);
    memory_free(log);
}
