/* Configurations compared: for the feature set's version, for reload, and against the features. */
#include <string.h>

#include "config_parts.h"
#include "pool.h"

enum { DAY_MS = 86400000 };

void config_salt(const struct config *config, struct text *out)
{
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        if (strcmp(row->section, "session") != 0 && strcmp(row->section, "time") != 0 &&
            strcmp(row->section, "event") != 0)
            continue;
        const char *string = config_value_string(config, row);
        text_printf(out, "%s=", row->name);
        if (string)
            text_append_string(out, string);
        else
            text_append_long(out, config_value_number(config, row));
        text_append_char(out, '\n');
    }
}

static bool is_equal(const struct config *a, const struct config *b, const struct config_row *row)
{
    const char *string = config_value_string(a, row);
    if (string)
        return strcmp(string, config_value_string(b, row)) == 0;
    return config_value_number(a, row) == config_value_number(b, row);
}

static void append_name(struct text *list, const char *section, const char *key)
{
    text_printf(list, "%s%s.%s", list->len > 0 ? ", " : "", section, key);
}

static const char *property_value(const struct config *config, const char *name)
{
    for (int i = 0; i < config->kafka_property_count; i++)
        if (strcmp(config->kafka_properties[i].name, name) == 0)
            return config->kafka_properties[i].value;
    return NULL;
}

void config_compare(const struct config *old, const struct config *fresh,
                    struct config_changes *changes)
{
    text_append_string(&changes->live, "");
    text_append_string(&changes->restart, "");
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        if (!is_equal(old, fresh, row))
            append_name(row->live ? &changes->live : &changes->restart, row->section, row->key);
    }
    for (int i = 0; i < fresh->kafka_property_count; i++) {
        const struct config_property *property = &fresh->kafka_properties[i];
        const char *before = property_value(old, property->name);
        if (!before || strcmp(before, property->value) != 0)
            append_name(&changes->restart, "kafka", property->name);
    }
    for (int i = 0; i < old->kafka_property_count; i++)
        if (!property_value(fresh, old->kafka_properties[i].name))
            append_name(&changes->restart, "kafka", old->kafka_properties[i].name);
}

void config_changes_free(struct config_changes *changes)
{
    text_free(&changes->live);
    text_free(&changes->restart);
}

static char *copy(const char *string)
{
    return string ? memory_strdup(string) : NULL;
}

void config_take_live(struct config *config, const struct config *fresh)
{
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        if (!row->live)
            continue;
        config_value_copy(config, fresh, row);
        struct config_origin *to = &config->origins[i];
        const struct config_origin *from = &fresh->origins[i];
        memory_free(to->written);
        memory_free(to->place);
        *to = *from;
        to->written = copy(from->written);
        to->place = copy(from->place);
    }
}

/* Whether a feature needs the shown session back to its start, and no further. */
static bool needs_session(const struct feature *feature)
{
    const struct operator_row *op = &operator_rows[feature->op];
    return feature->window < 0 && op->scope != DERIVED && !(op->flags & UNBOUNDED);
}

/* How much further back an event can lie whose id decides about one within reach. */
static int64_t dedup_reach_ms(const struct config *config)
{
    if (*config->event_id == '\0')
        return 0;
    int64_t reach_ms =
        clock_add_ms(config->event_dedup_window.ms, config->time_out_of_orderness.ms);
    return clock_add_ms(reach_ms, config->time_max_future_skew.ms);
}

/* W + hop, and a cut period more for what is fed by closed sessions; 0 when it has no end. */
static int64_t window_reach_ms(const struct config *config, const struct feature_set *set,
                               const struct feature *feature)
{
    if (feature->window < 0 || feature_window_is_lifetime(&set->windows[feature->window]) ||
        (feature->on_session && config->session_cut_at < 0))
        return 0;
    const struct feature_window *window = &set->windows[feature->window];
    int64_t window_ms = clock_add_ms(window->length.ms, window->hop.ms);
    return feature->on_session ? clock_add_ms(window_ms, config->session_cut_every.ms) : window_ms;
}

int64_t config_reach_ms(const struct config *config, const struct feature_set *set)
{
    int64_t reach_ms = config->window_lateness.ms;
    for (int i = 0; i < set->count; i++) {
        int64_t window_ms = window_reach_ms(config, set, &set->features[i]);
        reach_ms = window_ms > reach_ms ? window_ms : reach_ms;
    }
    int64_t session_ms = config->state_keep.ms;
    session_ms = clock_add_ms(session_ms, config->session_gap.ms);
    session_ms = clock_add_ms(session_ms, config->session_lateness.ms);
    session_ms = clock_add_ms(session_ms, config->time_out_of_orderness.ms);
    session_ms = clock_add_ms(session_ms, config->session_cut_every.ms);
    for (int i = 0; i < set->count; i++)
        if (needs_session(&set->features[i]) && config->session_cut_at >= 0 &&
            session_ms > reach_ms)
            reach_ms = session_ms;
    return clock_add_ms(reach_ms, dedup_reach_ms(config));
}

int64_t config_ttl_ms(const struct config *config, const struct feature_set *set)
{
    if (config->redis_ttl.ms > 0)
        return config->redis_ttl.ms;
    return clock_add_ms(config_reach_ms(config, set), DAY_MS);
}
