/* Those keys of [kafka] that are librdkafka's: carried, checked and masked, never understood. */
#include "config_parts.h"

#include <string.h>

#include "kafka.h"
#include "pool.h"

static struct config_property *find(struct config *config, const char *name)
{
    for (int i = 0; i < config->kafka_property_count; i++)
        if (strcmp(config->kafka_properties[i].name, name) == 0)
            return &config->kafka_properties[i];
    return NULL;
}

static struct config_property *add(struct config *config)
{
    size_t count = (size_t)config->kafka_property_count + 1;
    config->kafka_properties =
        memory_resize(config->kafka_properties, count * sizeof *config->kafka_properties);
    config->kafka_property_count++;
    return &config->kafka_properties[count - 1];
}

static void free_property(struct config_property *property)
{
    memory_free(property->name);
    memory_free(property->value);
    memory_free(property->written);
    memory_free(property->place);
}

void config_properties_put(struct config *config, const char *name, const char *written,
                           const char *place, int line, struct config_errors *errors)
{
    struct config_property *property = find(config, name);
    if (property) {
        free_property(property);
    } else if (config->kafka_property_count < CONFIG_PROPERTIES_MAX) {
        property = add(config);
    } else {
        config_errors_add(errors, place, line, 0, "kafka.%s: more than %d properties (remove some)",
                          name, CONFIG_PROPERTIES_MAX);
        return;
    }
    *property = (struct config_property){
        .name = memory_strdup(name),
        .value = memory_strdup(""),
        .written = memory_strdup(written),
        .place = memory_strdup(place),
        .line = line,
    };
}

/* Our own keys of [kafka], and not the hundreds of librdkafka, are what a typo is looked up in. */
static const char *nearest_key(const char *name)
{
    const char *keys[CONFIG_ROW_COUNT + 1];
    int count = 0;
    for (int i = 0; i < CONFIG_ROW_COUNT; i++)
        if (strcmp(config_rows[i].section, "kafka") == 0)
            keys[count++] = config_rows[i].key;
    keys[count] = NULL;
    return text_nearest(name, keys);
}

void config_properties_check(struct config *config, struct config_errors *errors)
{
    for (int i = 0; i < config->kafka_property_count; i++) {
        struct config_property *property = &config->kafka_properties[i];
        char err[KAFKA_ERROR_TEXT];
        char *value = config_expand(property->written, config->path, err, sizeof err);
        if (value) {
            memory_free(property->value);
            property->value = value;
        }
        if (value && kafka_check_property(property->name, value, err))
            continue;
        const char *nearest = nearest_key(property->name);
        config_errors_add(errors, property->place, property->line, 0, "kafka.%s: %s%s%s%s",
                          property->name, err, nearest ? " (did you mean " : "",
                          nearest ? nearest : "", nearest ? "?)" : "");
    }
}

void config_properties_free(struct config *config)
{
    for (int i = 0; i < config->kafka_property_count; i++)
        free_property(&config->kafka_properties[i]);
    memory_free(config->kafka_properties);
}

static bool is_secret(const char *name)
{
    return strstr(name, "password") || strstr(name, "secret") || strstr(name, ".pem") ||
           strcmp(name, "sasl.oauthbearer.config") == 0;
}

void config_append_property(const struct config_property *property, struct text *out)
{
    if (is_secret(property->name) && *property->written)
        text_append_string(out, "********");
    else
        config_value_mask_urls(property->written, out);
}
