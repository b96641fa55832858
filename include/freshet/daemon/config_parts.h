/* How the files that make up the configuration call each other; others include config.h. */
#ifndef FRESHET_CONFIG_PARTS_H
#define FRESHET_CONFIG_PARTS_H

#include "config.h"
#include "inifile.h"

/* config_environment.c: values from FRESHET_SECTION_KEY take the place of the file's. */
void config_environment_override(struct config *config, struct config_errors *errors);

/* config_expand.c: written with ${...} put in, which the caller frees; NULL and a reason in err.
 * base: the configuration file, beside which ${file:} looks. */
char *config_expand(const char *written, const char *base, char *err, size_t err_size);

/* config_value.c: sets a row's field from value; false and what is wrong and to do in err, which
 * shows written in its place. */
bool config_value_set(struct config *config, const struct config_row *row, const char *value,
                      const char *written, char *err, size_t err_size);
/* The field's number; not for strings. */
int64_t config_value_number(const struct config *config, const struct config_row *row);
/* The field's text; NULL for anything but strings. */
const char *config_value_string(const struct config *config, const struct config_row *row);
/* Takes over another configuration's value; not for strings. */
void config_value_copy(struct config *to, const struct config *from, const struct config_row *row);
/* Appends text with the password of every URL in it masked. */
void config_value_mask_urls(const char *value, struct text *out);

/* config_properties.c: those keys of [kafka] that are librdkafka's. Takes the place of an earlier
 * value of the same name. */
void config_properties_put(struct config *config, const char *name, const char *written,
                           const char *place, int line, struct config_errors *errors);
/* Puts in ${...} and asks librdkafka about each. */
void config_properties_check(struct config *config, struct config_errors *errors);
void config_properties_free(struct config *config);

/* config_check.c: what parts of a value and several keys mean together. */
void config_check(struct config *config, struct config_errors *errors);

#endif
