/* The life of a configuration: defaults, then the file, then the environment, then checks. */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config_parts.h"
#include "expect.h"
#include "inifile.h"
#include "pool.h"

#define WORD(NAME, word)      word,
#define CHOICES(field, words) static const char *const field##_words[] = {words NULL};
#include "config_choices.def"
#undef CHOICES
#undef WORD

#define WORDS_BOOL(field)        NULL
#define WORDS_INT(field)         NULL
#define WORDS_SIZE(field)        NULL
#define WORDS_DURATION(field)    NULL
#define WORDS_TIME_OF_DAY(field) NULL
#define WORDS_ZONE(field)        NULL
#define WORDS_STRING(field)      NULL
#define WORDS_PATH(field)        NULL
#define WORDS_SECRET(field)      NULL
#define WORDS_CHOICE(field)      field##_words
#define IS_LIVE_LIVE             true
#define IS_LIVE_RESTART          false

const struct config_row config_rows[CONFIG_ROW_COUNT] = {
#define CONFIG(section_, key_, field, type_, fallback_, min_, max_, apply, sentence_)              \
    {                                                                                              \
        .section = #section_,                                                                      \
        .key = #key_,                                                                              \
        .name = #section_ "." #key_,                                                               \
        .type = CONFIG_##type_,                                                                    \
        .offset = offsetof(struct config, field),                                                  \
        .fallback = fallback_,                                                                     \
        .min = INT64_C(min_),                                                                      \
        .max = INT64_C(max_),                                                                      \
        .live = IS_LIVE_##apply,                                                                   \
        .sentence = sentence_,                                                                     \
        .words = WORDS_##type_(field),                                                             \
    },
#include "config.def"
#undef CONFIG
};

const char *const config_sections[] = {"kafka", "schema", "event",   "time", "session", "state",
                                       "features", "redis", "checkpoint", "late", "control",
                                       "http", "log", "debug", NULL};

const struct config_row *config_row_find(const char *name)
{
    for (int i = 0; i < CONFIG_ROW_COUNT; i++)
        if (strcmp(config_rows[i].name, name) == 0)
            return &config_rows[i];
    return NULL;
}

static bool has_section(const char *name)
{
    for (const char *const *section = config_sections; *section; section++)
        if (strcmp(*section, name) == 0)
            return true;
    return false;
}

static void complain_sections(const struct inifile *file, struct config_errors *errors)
{
    for (int i = 0; i < file->section_count; i++) {
        const struct inifile_section *section = &file->sections[i];
        if (has_section(section->name))
            continue;
        const char *nearest = text_nearest(section->name, config_sections);
        if (nearest)
            config_errors_add(errors, file->path, section->line, 0,
                              "unknown section [%s] (did you mean [%s]?)", section->name, nearest);
        else
            config_errors_add(errors, file->path, section->line, 0,
                              "unknown section [%s] (see freshetd --dump config)", section->name);
    }
}

static void complain_key(const struct inifile *file, const struct inifile_entry *entry,
                         const char *section, struct config_errors *errors)
{
    const char *keys[CONFIG_ROW_COUNT + 1];
    int count = 0;
    struct text list = {0};
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (strcmp(config_rows[i].section, section) != 0)
            continue;
        text_printf(&list, "%s%s", count > 0 ? ", " : "", config_rows[i].key);
        keys[count++] = config_rows[i].key;
    }
    keys[count] = NULL;
    const char *nearest = text_nearest(entry->key, keys);
    if (nearest)
        config_errors_add(errors, file->path, entry->line, 0,
                          "unknown key %s in [%s] (did you mean %s?)", entry->key, section,
                          nearest);
    else
        config_errors_add(errors, file->path, entry->line, 0, "unknown key %s in [%s] (it has %s)",
                          entry->key, section, list.data);
    text_free(&list);
}

static void take_file(struct config *config, const struct inifile *file,
                      struct config_errors *errors)
{
    complain_sections(file, errors);
    for (int i = 0; i < file->entry_count; i++) {
        const struct inifile_entry *entry = &file->entries[i];
        const char *section = file->sections[entry->section].name;
        if (!entry->key || !has_section(section))
            continue;
        struct text name = {0};
        text_printf(&name, "%s.%s", section, entry->key);
        const struct config_row *row = config_row_find(name.data);
        text_free(&name);
        if (row)
            config->origins[row - config_rows] = (struct config_origin){
                .written = memory_strdup(entry->value),
                .place = memory_strdup(file->path),
                .line = entry->line,
                .column = entry->column,
            };
        else if (strcmp(section, "kafka") == 0)
            config_properties_put(config, entry->key, entry->value, file->path, entry->line,
                                  errors);
        else
            complain_key(file, entry, section, errors);
    }
}

/* A default is shown to be right by the tests; a required key has one that is too short. */
static void set_default(struct config *config, const struct config_row *row)
{
    char err[256];
    if (config_value_string(config, row) && *row->fallback == '\0')
        return;
    bool ok = config_value_set(config, row, row->fallback, row->fallback, err, sizeof err);
    expect(ok);
}

static void complain_missing(struct config *config, const struct config_row *row,
                             const struct inifile *file, struct config_errors *errors)
{
    bool required = row->min > 0 && config_value_string(config, row) && *row->fallback == '\0';
    if (!required)
        return;
    config->origins[row - config_rows].wrong = true;
    config_errors_add(errors, file ? file->path : "configuration",
                      file ? inifile_section_line(file, row->section) : 0, 0,
                      "%s is not set (set it: %s)", row->name, row->sentence);
}

static void set_value(struct config *config, const struct config_row *row,
                      struct config_errors *errors)
{
    struct config_origin *origin = &config->origins[row - config_rows];
    char err[1024];
    char *value = config_expand(origin->written, config->path, err, sizeof err);
    if (!value || !config_value_set(config, row, value, origin->written, err, sizeof err)) {
        origin->wrong = true;
        config_errors_add(errors, origin->place, origin->line, 0, "%s: %s", row->name, err);
    }
    memory_free(value);
}

/* A path beside the configuration file would be another one than the user sees. */
static char *setting_value(const struct config_setting *setting)
{
    char here[PATH_MAX];
    struct text path = {0};
    if (config_rows[setting->row].type != CONFIG_PATH || *setting->value == '/' ||
        *setting->value == '\0' || !getcwd(here, sizeof here))
        return memory_strdup(setting->value);
    text_printf(&path, "%s/%s", here, setting->value);
    char *value = memory_strdup(path.data);
    text_free(&path);
    return value;
}

static void take_settings(struct config *config, const struct config_setting *settings, int count)
{
    for (int i = 0; i < count; i++) {
        struct config_origin *origin = &config->origins[settings[i].row];
        memory_free(origin->written);
        memory_free(origin->place);
        *origin = (struct config_origin){
            .written = setting_value(&settings[i]),
            .place = memory_strdup(settings[i].place),
        };
    }
}

struct config *config_load(const char *path, struct config_errors *errors)
{
    return config_load_with(path, NULL, 0, errors);
}

struct config *config_load_with(const char *path, const struct config_setting *settings, int count,
                                struct config_errors *errors)
{
    struct inifile *file = path ? inifile_read(path, errors) : NULL;
    if (path && !file)
        return NULL;
    struct config *config = memory_alloc(sizeof *config);
    config->path = path ? memory_strdup(path) : NULL;
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_rows[i].type == CONFIG_STRING || config_rows[i].type == CONFIG_PATH ||
            config_rows[i].type == CONFIG_SECRET)
            *(char **)((char *)config + config_rows[i].offset) = memory_strdup("");
        set_default(config, &config_rows[i]);
    }
    if (file)
        take_file(config, file, errors);
    config_environment_override(config, errors);
    take_settings(config, settings, count);
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config->origins[i].written)
            set_value(config, &config_rows[i], errors);
        else
            complain_missing(config, &config_rows[i], file, errors);
    }
    config_properties_check(config, errors);
    config_check(config, errors);
    inifile_free(file);
    return config;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        memory_free((char *)(uintptr_t)config_value_string(config, &config_rows[i]));
        memory_free(config->origins[i].written);
        memory_free(config->origins[i].place);
    }
    config_properties_free(config);
    memory_free(config->http.host);
    memory_free(config->checkpoint_path);
    memory_free(config->checkpoint_topic_name);
    memory_free(config->path);
    memory_free(config);
}

static const char *place_of(const struct config *config, enum config_row_id id)
{
    const char *place = config->origins[id].place;
    if (!place)
        place = config->path;
    return place ? place : "configuration";
}

void config_complain(const struct config *config, enum config_row_id id, int column,
                     struct config_errors *errors, const char *format, ...)
{
    const struct config_origin *origin = &config->origins[id];
    struct text message = {0};
    text_printf(&message, "%s: ", config_rows[id].name);
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&message, format, arguments);
    va_end(arguments);
    /* A column within the value is one of the line only if the value stands there as it is. */
    bool verbatim = column > 0 && origin->column > 0 && !strstr(origin->written, "${");
    config_errors_add(errors, place_of(config, id), origin->line,
                      verbatim ? origin->column + column - 1 : 0, "%s", message.data);
    text_free(&message);
}

void config_warn(const struct config *config, enum config_row_id id, struct config_errors *errors,
                 const char *format, ...)
{
    struct text message = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&message, format, arguments);
    va_end(arguments);
    config_errors_warn(errors, place_of(config, id), config->origins[id].line, "%s: %s",
                       config_rows[id].name, message.data);
    text_free(&message);
}
