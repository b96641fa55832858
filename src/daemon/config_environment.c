/* FRESHET_REDIS_URL and its like: environment variables that take the place of a file's values. */
#include "config_parts.h"

#include <ctype.h>
#include <string.h>

#include "pool.h"

extern char **environ;

enum { NAME_MAX_BYTES = 128 };

/* FRESHET_KAFKA_BOOTSTRAP_SERVERS for kafka and bootstrap.servers. */
static void variable_name(const char *section, const char *key, struct text *out)
{
    text_printf(out, "FRESHET_%s_%s", section, key);
    for (size_t i = 0; i < out->len; i++)
        out->data[i] = out->data[i] == '.' ? '_' : (char)toupper((unsigned char)out->data[i]);
}

static const struct config_row *row_of(const char *name)
{
    const struct config_row *found = NULL;
    struct text variable = {0};
    for (int i = 0; i < CONFIG_ROW_COUNT && !found; i++) {
        text_clear(&variable);
        variable_name(config_rows[i].section, config_rows[i].key, &variable);
        if (strcmp(variable.data, name) == 0)
            found = &config_rows[i];
    }
    text_free(&variable);
    return found;
}

/* What follows FRESHET_SECTION_, for a section that exists; else NULL: somebody else's variable. */
static const char *key_part(const char *name, const char **section)
{
    for (const char *const *s = config_sections; *s; s++) {
        struct text prefix = {0};
        variable_name(*s, "", &prefix);
        bool fits = strncmp(name, prefix.data, prefix.len) == 0;
        const char *rest = name + prefix.len;
        text_free(&prefix);
        if (fits) {
            *section = *s;
            return rest;
        }
    }
    return NULL;
}

static void complain(const char *name, struct config_errors *errors)
{
    struct text names[CONFIG_ROW_COUNT] = {{0}};
    const char *words[CONFIG_ROW_COUNT + 1] = {NULL};
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        variable_name(config_rows[i].section, config_rows[i].key, &names[i]);
        words[i] = names[i].data;
    }
    const char *nearest = text_nearest(name, words);
    config_errors_add(errors, name, 0, 0, "there is no such key (%s%s)",
                      nearest ? "did you mean " : "see --dump config, or unset it",
                      nearest ? nearest : "");
    for (int i = 0; i < CONFIG_ROW_COUNT; i++)
        text_free(&names[i]);
}

static void take(struct config *config, const char *name, const char *value,
                 struct config_errors *errors)
{
    const char *section = NULL;
    const char *rest = key_part(name, &section);
    if (!rest)
        return;
    const struct config_row *row = row_of(name);
    if (row) {
        struct config_origin *origin = &config->origins[row - config_rows];
        memory_free(origin->written);
        memory_free(origin->place);
        *origin = (struct config_origin){
            .written = memory_strdup(value),
            .place = memory_strdup(name),
        };
    } else if (strcmp(section, "kafka") == 0) {
        char property[NAME_MAX_BYTES];
        size_t len = 0;
        for (; rest[len] && len + 1 < sizeof property; len++)
            property[len] = rest[len] == '_' ? '.' : (char)tolower((unsigned char)rest[len]);
        property[len] = '\0';
        config_properties_put(config, property, value, name, 0, errors);
    } else {
        complain(name, errors);
    }
}

void config_environment_override(struct config *config, struct config_errors *errors)
{
    for (char **variable = environ; *variable; variable++) {
        const char *equals = strchr(*variable, '=');
        if (!equals || strncmp(*variable, "FRESHET_", 8) != 0)
            continue;
        struct text name = {0};
        text_append(&name, *variable, (size_t)(equals - *variable));
        take(config, name.data, equals + 1, errors);
        text_free(&name);
    }
}
