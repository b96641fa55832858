/* debug.rows: every row sent to Redis, appended to a file with its place in the log.
 *
 * It is there to show that the rows which were served are those that `freshet replay --at` computes
 * from the same records. A row that has to be sent again is logged again, with its place then. */
#ifndef FRESHET_ROWLOG_H
#define FRESHET_ROWLOG_H

#include <stddef.h>
#include <stdint.h>

#include "row.h"

struct rowlog;

/* NULL with a text in error when the file cannot be opened. */
struct rowlog *rowlog_open(const char *path, char *error, size_t error_size);
/* last_offset: of the newest record that the row's shard has applied. */
void rowlog_add(struct rowlog *log, const struct row *row, int64_t last_offset);
/* Writes what was added, in whole lines. On the first failure the file is given up, and the log
 * says so. */
void rowlog_flush(struct rowlog *log);
void rowlog_close(struct rowlog *log);

#endif
