/* What freshet says about itself: freshetd --dump. */
#ifndef FRESHET_DUMP_H
#define FRESHET_DUMP_H

#include "config.h"
#include "model.h"
#include "table.h"
#include "text.h"

/* Ended by NULL: config, features, operators, metrics, control, fates; text, md, json, man, ini. */
extern const char *const dump_names[];
extern const char *const dump_formats[];

/*
 * name and format are words of the lists above. path is the configuration file; NULL shows keys
 * and their defaults (--dump features needs one). Returns the exit status: 0, 64 when name and
 * format do not go together, or CONFIG_EXIT with all errors in err.
 */
int dump_run(const char *name, const char *format, const char *path, struct text *out,
             struct text *err);

/* dump_config.c: the keys, with the configuration's values unless it is NULL. */
void dump_config(const struct config *config, struct table *table);
/* The same as a file that can be used: the sample, or the values in use with secrets masked. */
void dump_ini(const struct config *config, struct text *out);

/* One row a feature. */
void dump_features(const struct feature_set *set, struct table *table);

#endif
