/* Binds features and configuration to the reader schema. */
#include "model.h"

#include <stdio.h>
#include <string.h>

#include "avroplan.h"
#include "config_parts.h"
#include "hash.h"
#include "inifile.h"
#include "pool.h"
#include "readfile.h"

/* Errors of a schema text are told by byte; people count lines. */
static void complain_schema(const char *path, const struct text *text,
                            const struct avro_error *err, struct config_errors *errors)
{
    int line = 1, column = 1;
    for (size_t i = 0; i < err->offset && i < text->len; i++) {
        column = text->data[i] == '\n' ? 1 : column + 1;
        line += text->data[i] == '\n';
    }
    char message[AVROERROR_MESSAGE_MAX + AVROERROR_PATH_MAX + 64];
    struct avro_error shown = *err;
    shown.offset = 0; /* as line and column */
    avroerror_text(&shown, message, sizeof message);
    config_errors_add(errors, path, line, err->offset > 0 ? column : 0, "%s (correct the schema)",
                      message);
}

static struct avroschema *read_schema(const struct config *config, enum config_row_id row,
                                      const char *path, enum avroschema_use use,
                                      struct config_errors *errors)
{
    struct text text = {0};
    struct avro_error err;
    struct avroschema *schema = NULL;
    const char *why = readfile(path, AVROSCHEMA_MAX_BYTES, &text);
    if (why) {
        config_complain(config, row, 0, errors, "%s cannot be read: %s (name a file that can)",
                        path, why);
    } else {
        schema = avroschema_parse(text.data, text.len, NULL, 0, use, &err);
        if (!schema)
            complain_schema(path, &text, &err, errors);
    }
    text_free(&text);
    return schema;
}

/* Writer schemas that are files are tried against the reader schema now, not at the first event. */
static void check_writer(const struct model *model, const struct config *config,
                         enum config_row_id row, const char *path, struct config_errors *errors)
{
    struct avro_error err;
    struct avroschema *writer = read_schema(config, row, path, AVROSCHEMA_WRITER, errors);
    if (!writer)
        return;
    struct avroplan *plan = avroplan_compile(writer, model->reader, model->projection,
                                             config->schema_strict, &err);
    if (!plan) {
        char message[AVROERROR_MESSAGE_MAX + AVROERROR_PATH_MAX + 64];
        avroerror_text(&err, message, sizeof message);
        config_complain(config, row, 0, errors, "%s does not fit schema.reader: %s (see the rules "
                        "of evolution in schemas/README.md)", path, message);
    }
    avroplan_free(plan);
    avroschema_free(writer);
}

static void check_writers(const struct model *model, const struct config *config,
                          struct config_errors *errors)
{
    if (config->schema_framing == CONFIG_SCHEMA_FRAMING_RAW && *config->schema_writer)
        check_writer(model, config, CONFIG_ROW_schema_writer, config->schema_writer, errors);
    if (config->schema_framing != CONFIG_SCHEMA_FRAMING_SINGLE_OBJECT)
        return;
    char *list = memory_strdup(config->schema_writers), *rest = NULL;
    for (char *path = strtok_r(list, ",", &rest); path; path = strtok_r(NULL, ",", &rest))
        check_writer(model, config, CONFIG_ROW_schema_writers, path, errors);
    memory_free(list);
}

/* The slot of a field; -1 when the schema has no such field. */
static int resolve(const struct config *config, enum config_row_id row, const char *path,
                   const struct fieldspace *fields, struct value_kind *kind,
                   struct config_errors *errors)
{
    char err[512];
    int slot = fields->resolve(fields->self, path, strlen(path), kind, err, sizeof err);
    if (slot < 0)
        config_complain(config, row, 0, errors, "%s", err);
    return slot;
}

/* The slot of a field that names something; -1 when there is none, or path is empty. */
static int resolve_name(const struct config *config, enum config_row_id row, const char *path,
                        const struct fieldspace *fields, const char *what, struct value_kind *kind,
                        struct config_errors *errors)
{
    if (*path == '\0')
        return -1;
    int slot = resolve(config, row, path, fields, kind, errors);
    if (slot >= 0 && kind->type != VALUE_STRING && kind->type != VALUE_BYTES &&
        kind->type != VALUE_LONG)
        config_complain(config, row, 0, errors,
                        "\"%s\" cannot name %s (choose a field that is a string, bytes, an int or "
                        "a long)", path, what);
    return slot;
}

/* NULL when the text is empty or wrong. */
static struct expr *compile_condition(const struct config *config, enum config_row_id row,
                                      const char *text, const struct fieldspace *fields,
                                      struct config_errors *errors)
{
    if (*text == '\0')
        return NULL;
    struct expr_error err;
    struct expr *condition = expr_compile(text, fields, &err);
    if (!condition)
        config_complain(config, row, err.column, errors, "%s", err.message);
    else if (expr_kind(condition).type != VALUE_BOOL)
        config_complain(config, row, 0, errors,
                        "is not true or false (write a condition such as event_type == \"click\")");
    return condition;
}

static void bind_event(struct model *model, const struct config *config,
                       const struct fieldspace *fields, struct config_errors *errors)
{
    struct value_kind kind;
    struct rules *rules = &model->rules;
    rules->key_slot = resolve_name(config, CONFIG_ROW_event_key, config->event_key, fields,
                                   "an entity", &model->key_kind, errors);
    rules->time_slot =
        resolve(config, CONFIG_ROW_event_time, config->event_time, fields, &kind, errors);
    if (rules->time_slot >= 0 && kind.type != VALUE_LONG)
        config_complain(config, CONFIG_ROW_event_time, 0, errors,
                        "\"%s\" is no time (choose a field that is a long; see event.time_unit)",
                        config->event_time);
    if (rules->time_slot >= 0)
        projection_mark_time(model->projection, rules->time_slot,
                             (enum avro_time_unit)(AVRO_TIME_S + (int)config->event_time_unit));
    rules->id_slot = resolve_name(config, CONFIG_ROW_event_id, config->event_id, fields,
                                  "an event", &kind, errors);
    rules->session_slot = resolve_name(config, CONFIG_ROW_session_id, config->session_id, fields,
                                       "a session", &kind, errors);
    model->where =
        compile_condition(config, CONFIG_ROW_event_where, config->event_where, fields, errors);
    model->end_when = compile_condition(config, CONFIG_ROW_session_end_when,
                                        config->session_end_when, fields, errors);
}

static struct feature_set *load_features(const struct inifile *file,
                                         const struct fieldspace *fields, const char *salt,
                                         struct config_errors *errors)
{
    struct feature_errors found = {0};
    int count = 0;
    struct feature_entry *entries =
        memory_alloc((size_t)(file->section_count + file->entry_count + 1) * sizeof *entries);
    for (int i = 0; i < file->section_count; i++) /* headers first, so that empty ones are seen */
        entries[count++] = (struct feature_entry){.section = file->sections[i].name,
                                                  .line = file->sections[i].line};
    for (int i = 0; i < file->entry_count; i++)
        entries[count++] = (struct feature_entry){
            .section = file->sections[file->entries[i].section].name,
            .key = file->entries[i].key,
            .value = file->entries[i].value,
            .line = file->entries[i].line,
            .column = file->entries[i].column,
        };
    struct feature_set *set = feature_set_load(entries, count, fields, salt, &found);
    for (int i = 0; errors && i < found.count; i++)
        config_errors_add(errors, file->path, found.list[i].line, found.list[i].column, "%s",
                          found.list[i].message);
    feature_errors_free(&found);
    memory_free(entries);
    return set;
}

/* The version covers the reader's fields that are used, and these are known only once the features
 * were compiled: so they are compiled twice. */
static void bind_features(struct model *model, const struct config *config,
                          const struct inifile *file, const struct fieldspace *fields,
                          struct config_errors *errors)
{
    struct feature_set *first = load_features(file, fields, "", errors);
    if (first) {
        struct text salt = {0};
        config_salt(config, &salt);
        model->slot_count = (int)projection_slot_count(model->projection);
        for (int slot = 0; slot < model->slot_count; slot++) {
            const char *path = projection_slot_path(model->projection, slot);
            struct value_kind kind = {0};
            char err[512];
            fields->resolve(fields->self, path, strlen(path), &kind, err, sizeof err);
            text_printf(&salt, "field %s=%d%s\n", path, (int)kind.type,
                        kind.nullable ? " or null" : "");
        }
        model->set = load_features(file, fields, salt.data, NULL);
        text_free(&salt);
    }
    feature_set_free(first);
}

static void check_ttl(const struct model *model, const struct config *config,
                      struct config_errors *errors)
{
    int64_t reach_ms = config_reach_ms(config, model->set);
    if (config->redis_ttl.ms == 0 || config->redis_ttl.ms >= reach_ms)
        return;
    struct text reach = {0};
    text_append_duration(&reach, reach_ms);
    config_complain(config, CONFIG_ROW_redis_ttl, 0, errors,
                    "is less than the reach of the features, so rows would be gone while they "
                    "still matter (write at least %s, or 0)", reach.data);
    text_free(&reach);
}

/* What state follows beside the features: a checkpoint with another foundation is of no use. */
static uint64_t foundation(const struct model *model, const struct config *config)
{
    struct text text = {0};
    config_salt(config, &text);
    text_printf(&text, "key=%d\n", (int)model->key_kind.type);
    uint64_t hash = hash_bytes(text.data, text.len);
    text_free(&text);
    return hash;
}

static void fill_rules(struct model *model, const struct config *config)
{
    struct rules *rules = &model->rules;
    rules->foundation = foundation(model, config);
    rules->where = model->where;
    rules->end_when = model->end_when;
    rules->set = model->set;
    rules->out_of_orderness = config->time_out_of_orderness;
    rules->max_future_skew = config->time_max_future_skew;
    rules->reject_future = config->time_future == CONFIG_TIME_FUTURE_REJECT;
    rules->max_age = config->time_max_age;
    rules->record_time_max_ms = config->time_rts_max;
    rules->window_lateness = config->window_lateness;
    rules->gap = config->session_gap;
    rules->lateness = config->session_lateness;
    rules->zone = config->time_zone_offset;
    rules->cut_at_ms = config->session_cut_at;
    rules->cut_every = config->session_cut_every;
    rules->dedup_window = config->event_dedup_window;
    rules->dedup_max = (uint64_t)config->event_dedup_max;
    rules->keep = config->state_keep;
    rules->max_keys = (uint64_t)config->state_max_keys;
    rules->delete_forgotten = config->state_on_forget == CONFIG_STATE_ON_FORGET_DELETE;
}

struct model *model_load(const struct config *config, struct config_errors *errors)
{
    int before = errors->failures;
    struct model *model = memory_alloc(sizeof *model);
    /* Without a path, that it is missing was said already. */
    struct inifile *features =
        *config->features_file ? inifile_read(config->features_file, errors) : NULL;
    if (*config->schema_reader)
        model->reader = read_schema(config, CONFIG_ROW_schema_reader, config->schema_reader,
                                    AVROSCHEMA_READER, errors);
    if (model->reader && model->reader->root->kind != AVRO_KIND_RECORD)
        config_complain(config, CONFIG_ROW_schema_reader, 0, errors,
                        "%s is not the schema of a record (an event is a record)",
                        config->schema_reader);
    else if (model->reader) {
        model->projection = projection_new(model->reader);
        struct fieldspace fields = projection_fieldspace(model->projection);
        bind_event(model, config, &fields, errors);
        if (features)
            bind_features(model, config, features, &fields, errors);
        check_writers(model, config, errors);
    }
    inifile_free(features);
    if (model->set)
        check_ttl(model, config, errors);
    if (errors->failures > before || !model->set) {
        model_free(model);
        return NULL;
    }
    fill_rules(model, config);
    return model;
}

void model_free(struct model *model)
{
    if (!model)
        return;
    feature_set_free(model->set);
    expr_free(model->where);
    expr_free(model->end_when);
    projection_free(model->projection);
    avroschema_free(model->reader);
    memory_free(model);
}
