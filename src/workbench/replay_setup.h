/* Configuration and model for commands that need no daemon: of -c FILE, or of a few options. */
#ifndef FRESHET_REPLAY_SETUP_H
#define FRESHET_REPLAY_SETUP_H

#include <argp.h>

#include "config.h"
#include "model.h"

enum { REPLAY_SETTINGS_MAX = 16 };

struct replay_setup_options {
    const char *config; /* -c; NULL: none */
    struct config_setting settings[REPLAY_SETTINGS_MAX];
    int setting_count;
    char *copies[REPLAY_SETTINGS_MAX]; /* of defaults */
    int copy_count;
};

/* The options -c, --schema, --features, --key, --time, --gap, --lateness, --out-of-orderness and
 * --cut, as a child of a command's parser whose input is a struct replay_setup_options. */
extern const struct argp replay_setup_argp;

void replay_setup_put(struct replay_setup_options *options, enum config_row_id row,
                      const char *value, const char *place);

/* The option's value unless it was given already; copied. False: there is no such option. */
bool replay_setup_default(struct replay_setup_options *options, const char *option,
                          const char *value);
void replay_setup_fini(struct replay_setup_options *options);

struct replay_setup {
    struct config *config;
    struct model *model;
};

/* 0, or CONFIG_EXIT after everything that is wrong was written to standard error. */
int replay_setup_open(struct replay_setup_options *options, struct replay_setup *setup);
void replay_setup_close(struct replay_setup *setup);

#endif
