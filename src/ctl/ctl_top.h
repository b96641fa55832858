/* The live view: what the daemon does now, refreshed. */
#ifndef FRESHET_CTL_TOP_H
#define FRESHET_CTL_TOP_H

#include <stdint.h>

struct ctl_top_options {
    const char *path;
    int64_t frames;      /* 0: until q or Ctrl-C */
    int64_t interval_ms;
};

/* Returns freshetctl's exit status. */
int ctl_top(const struct ctl_top_options *options);

#endif
