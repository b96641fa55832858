/* `freshet inspect --checkpoint`: what is kept of each shard, and whether all of it can be read. */
#ifndef FRESHET_INSPECT_CHECKPOINT_H
#define FRESHET_INSPECT_CHECKPOINT_H

#include "inspect_options.h"

/* Returns the exit status. */
int inspect_checkpoint(const struct inspect_options *options);

#endif
