/* Checkpoints in a directory: a disk of this machine, a volume, systemd's StateDirectory.
 *
 *   PARTITION-CHAIN-INDEX.checkpoint   a segment: chain in hexadecimal, index 0 is the base
 *   PARTITION-CHAIN-INDEX.tmp          one that is being written
 *   lock                               held as long as a process uses the directory */
#ifndef FRESHET_CHECKPOINT_DIR_H
#define FRESHET_CHECKPOINT_DIR_H

#include "checkpoint_store.h"

/* Makes the directory (0700) and locks it. NULL with a text when it cannot be used. */
struct checkpoint_store *checkpoint_dir_open(uv_loop_t *loop, const char *path,
                                             char error[CHECKPOINT_STORE_TEXT]);

#endif
