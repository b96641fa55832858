/* INFO's answer as a table of names and values. */
#ifndef FRESHET_CTL_INFO_H
#define FRESHET_CTL_INFO_H

#include <stddef.h>
#include <stdint.h>

#include "ctl_link.h"
#include "text.h"

struct ctl_info_field {
    const char *section; /* as it stands after "# " */
    const char *name;
    const char *value;
};

struct ctl_info {
    char *text; /* everything points into it */
    struct ctl_info_field *fields;
    size_t count;
    int64_t at_ms; /* monotonic, when it was asked for */
};

/* False when the daemon does not answer (link->error) or answers with an error (printed). */
bool ctl_info_ask(struct ctl_link *link, struct ctl_info *info);
void ctl_info_free(struct ctl_info *info);
/* The value of a name, "" when there is none. */
const char *ctl_info_string(const struct ctl_info *info, const char *name);
int64_t ctl_info_number(const struct ctl_info *info, const char *name);
/* A part of a value like "partition=0,offset=12"; fallback when there is none. */
int64_t ctl_info_part(const char *value, const char *name, int64_t fallback);
/* Appends the whole, or one section, as a JSON object; shards become a list of objects. */
void ctl_info_json(const struct ctl_info *info, const char *section, struct text *out);

#endif
