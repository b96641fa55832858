/* The configuration's keys as a table, and as the sample file. */
#include <string.h>

#include "dump.h"

static const char *const key_columns[] = {"key", "default", "type", "range", "change", "meaning"};
static const char *const value_columns[] = {"key", "value", "from", "change", "meaning"};

static const char *const type_names[] = {
    [CONFIG_BOOL] = "yes or no",          [CONFIG_INT] = "number",
    [CONFIG_SIZE] = "size",               [CONFIG_DURATION] = "duration",
    [CONFIG_TIME_OF_DAY] = "time of day", [CONFIG_ZONE] = "offset to UTC",
    [CONFIG_STRING] = "text",             [CONFIG_PATH] = "path",
    [CONFIG_SECRET] = "secret",           [CONFIG_CHOICE] = "word",
};

static const char about[] =
    "The configuration of freshetd, by default /etc/freshet/freshet.ini: sections in brackets, and "
    "below them one key = value a line. A line that begins with # or ; is a comment; within a line "
    "both are part of the value. Durations are written 250ms, 30s, 5m, 1h30m, 7d; sizes 4096, "
    "64KiB, 16MiB. Relative paths start at the directory of the configuration file.\n\n"
    "In [kafka] any property of librdkafka may stand under its own name, such as "
    "security.protocol = SASL_SSL.\n\n"
    "A value may hold ${env:NAME} (an environment variable), ${file:/path} (a file's content "
    "without its last end of line) and ${cred:name} (a credential of systemd). Secrets are masked "
    "wherever freshet shows them.\n\n"
    "The environment has the last word: FRESHET_REDIS_URL takes the place of url in [redis], "
    "FRESHET_KAFKA_SECURITY_PROTOCOL that of security.protocol in [kafka].\n\n"
    "freshetd --check -c FILE says everything that is wrong with a file. SIGHUP has freshetd read "
    "it again: keys whose change is live apply at once, the others need a restart and are named "
    "in the log.\n\n"
    "The keys:";

static void append_range_end(const struct config_row *row, int64_t number, struct text *out)
{
    if (row->type == CONFIG_DURATION)
        text_append_duration(out, number);
    else
        text_append_long(out, number);
}

static void append_range(const struct config_row *row, struct text *out)
{
    text_clear(out);
    text_append_string(out, "");
    if (row->words) {
        for (int i = 0; row->words[i]; i++)
            text_printf(out, "%s%s", i > 0 ? ", " : "", row->words[i]);
    } else if (row->type == CONFIG_INT || row->type == CONFIG_SIZE ||
               row->type == CONFIG_DURATION) {
        append_range_end(row, row->min, out);
        text_append_string(out, " .. ");
        append_range_end(row, row->max, out);
    } else if (row->type == CONFIG_STRING || row->type == CONFIG_PATH ||
               row->type == CONFIG_SECRET) {
        text_printf(out, "%s%lld bytes", row->min > 0 ? "1 .. " : "up to ", (long long)row->max);
    }
}

static void add_properties(const struct config *config, struct table *table)
{
    struct text text = {0};
    for (int i = 0; i < config->kafka_property_count; i++) {
        const struct config_property *property = &config->kafka_properties[i];
        text_clear(&text);
        text_printf(&text, "kafka.%s", property->name);
        table_add(table, text.data);
        text_clear(&text);
        text_append_string(&text, "");
        config_append_property(property, &text);
        table_add(table, text.data);
        text_clear(&text);
        text_append_string(&text, property->place);
        if (property->line > 0)
            text_printf(&text, ":%d", property->line);
        table_add(table, text.data);
        table_add(table, "restart");
        table_add(table, "A property of librdkafka.");
    }
    text_free(&text);
}

void dump_config(const struct config *config, struct table *table)
{
    struct text text = {0};
    table->columns = config ? value_columns : key_columns;
    table->column_count = config ? 5 : 6;
    table->page = "freshet.ini";
    table->section = "5";
    table->title = "configuration of freshetd";
    table->about = about;
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        table_add(table, row->name);
        text_clear(&text);
        text_append_string(&text, "");
        if (config) {
            config_append_value(config, row, &text);
            table_add(table, text.data);
            text_clear(&text);
            config_append_origin(config, row, &text);
            table_add(table, text.data);
        } else {
            table_add(table, row->fallback);
            table_add(table, type_names[row->type]);
            append_range(row, &text);
            table_add(table, text.data);
        }
        table_add(table, row->live ? "live" : "restart");
        table_add(table, row->sentence);
    }
    if (config)
        add_properties(config, table);
    text_free(&text);
}

/* What stands in the sample for keys that have no useful default. */
static const char *sample_value(enum config_row_id id)
{
    switch (id) {
    case CONFIG_ROW_schema_reader:
        return "click.avsc";
    case CONFIG_ROW_schema_registry:
        return "http://127.0.0.1:8081";
    case CONFIG_ROW_features_file:
        return "features.ini";
    default:
        return NULL;
    }
}

enum { COMMENT_COLUMNS = 96 };

static void append_comment(const char *sentence, struct text *out)
{
    size_t column = 1;
    text_append_char(out, '#');
    while (*sentence) {
        size_t len = strcspn(sentence, " ");
        if (column > 1 && column + 1 + len > COMMENT_COLUMNS) {
            text_append_string(out, "\n#");
            column = 1;
        }
        text_append_char(out, ' ');
        text_append(out, sentence, len);
        column += 1 + len;
        sentence += len;
        sentence += *sentence == ' ';
    }
    text_append_char(out, '\n');
}

static void append_row(const struct config *config, const struct config_row *row, struct text *out)
{
    enum config_row_id id = (enum config_row_id)(row - config_rows);
    const char *sample = sample_value(id);
    append_comment(row->sentence, out);
    if (config && config->origins[id].written) {
        text_printf(out, "%s = ", row->key);
        config_append_value(config, row, out);
    } else if (!config && sample) {
        text_printf(out, "%s = %s", row->key, sample);
    } else {
        text_printf(out, "#%s =%s%s", row->key, *row->fallback ? " " : "", row->fallback);
    }
    text_append_char(out, '\n');
}

void dump_ini(const struct config *config, struct text *out)
{
    text_append_string(out, config ? "# The configuration in use; secrets are masked.\n"
                                   : "# The configuration of freshetd (freshet.ini(5)). What is "
                                     "commented out is the default.\n");
    for (const char *const *section = config_sections; *section; section++) {
        text_printf(out, "\n[%s]\n", *section);
        const char *separator = "";
        for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
            if (strcmp(config_rows[i].section, *section) != 0)
                continue;
            text_append_string(out, separator);
            append_row(config, &config_rows[i], out);
            separator = "\n";
        }
        if (!config || strcmp(*section, "kafka") != 0)
            continue;
        for (int i = 0; i < config->kafka_property_count; i++) {
            text_printf(out, "%s = ", config->kafka_properties[i].name);
            config_append_property(&config->kafka_properties[i], out);
            text_append_char(out, '\n');
        }
    }
}
