/* The configuration: a struct, its rows and its life, all made from config.def. */
#ifndef FRESHET_CONFIG_H
#define FRESHET_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "config_errors.h"
#include "feature.h"
#include "redis_address.h"
#include "text.h"

enum {
    CONFIG_PROPERTIES_MAX = 256,   /* librdkafka properties in [kafka] */
    CONFIG_VALUE_MAX = 64 * 1024,  /* bytes of a value after ${...} */
    CONFIG_EXIT = 78,              /* EX_CONFIG: exit status when the configuration is wrong */
};

/* enum config_schema_framing { CONFIG_SCHEMA_FRAMING_CONFLUENT, ... }: one for each CHOICE key. */
#define WORD(NAME, word)      CONFIG_##NAME,
#define CHOICES(field, words) enum config_##field { words };
#include "config_choices.def"
#undef CHOICES
#undef WORD

#define CONFIG_C_BOOL(field)        bool
#define CONFIG_C_INT(field)         int64_t
#define CONFIG_C_SIZE(field)        int64_t /* bytes */
#define CONFIG_C_DURATION(field)    struct duration
#define CONFIG_C_TIME_OF_DAY(field) int64_t /* ms, -1: off */
#define CONFIG_C_ZONE(field)        struct duration
#define CONFIG_C_STRING(field)      char *
#define CONFIG_C_PATH(field)        char * /* absolute, or relative to the working directory */
#define CONFIG_C_SECRET(field)      char *
#define CONFIG_C_CHOICE(field)      enum config_##field

/* CONFIG_ROW_session_gap: index into config_rows. */
enum config_row_id {
#define CONFIG(section, key, field, ...) CONFIG_ROW_##field,
#include "config.def"
#undef CONFIG
    CONFIG_ROW_COUNT
};

struct config_listen {
    char *host; /* NULL: off */
    int port;
};

/* kafka.start */
struct config_start {
    enum {
        CONFIG_START_BEGINNING,
        CONFIG_START_REBUILD,
        CONFIG_START_LATEST,
        CONFIG_START_TIME,
    } kind;
    struct event_time at;
};

/* A librdkafka property that stands in [kafka]. */
struct config_property {
    char *name;
    char *value;
    char *written; /* before ${...} was put in */
    char *place;
    int line;
};

/* Strings are never NULL; an unset one is empty. Everything belongs to the configuration. */
struct config {
#define CONFIG(section, key, field, type, ...) CONFIG_C_##type(field) field;
#include "config.def"
#undef CONFIG
    struct config_property *kafka_properties;
    int kafka_property_count;

    /* What several keys or a key's parts mean together. */
    struct redis_address redis; /* redis.url; a user in it is in redis_user, too */
    struct config_listen http;
    struct config_start start;
    char *checkpoint_topic_name; /* resolved; NULL: the store is no topic */
    char *checkpoint_path; /* of the directory, resolved; NULL: the store is no directory */
    struct duration window_lateness; /* time.window_lateness, resolved when it is 0 */

    char *path; /* of the file; NULL: defaults and environment only */
    struct config_origin {
        char *written; /* the value as it was written; NULL: the default */
        char *place;   /* file, or environment variable */
        int line, column;
        bool wrong; /* was complained about; the field has the default */
    } origins[CONFIG_ROW_COUNT];
};

enum config_type {
    CONFIG_BOOL,
    CONFIG_INT,
    CONFIG_SIZE,
    CONFIG_DURATION,
    CONFIG_TIME_OF_DAY,
    CONFIG_ZONE,
    CONFIG_STRING,
    CONFIG_PATH,
    CONFIG_SECRET,
    CONFIG_CHOICE,
};

struct config_row {
    const char *section;
    const char *key;
    const char *name; /* section.key */
    enum config_type type;
    size_t offset; /* in struct config */
    const char *fallback;
    int64_t min, max;
    bool live;
    const char *sentence;
    const char *const *words; /* of a CHOICE, ended by NULL */
};
extern const struct config_row config_rows[CONFIG_ROW_COUNT];
/* The sections in the order of config.def, ended by NULL. */
extern const char *const config_sections[];

/*
 * Reads the file (NULL: none), lets the environment override it (FRESHET_SECTION_KEY), puts in
 * ${env:NAME}, ${file:PATH} and ${cred:NAME}, and checks every value and what the values mean
 * together. Adds everything that is wrong to errors. Returns NULL when the file cannot be read,
 * else a configuration, to be used only if errors->failures is 0.
 */
struct config *config_load(const char *path, struct config_errors *errors);

/* A value from a command line, over file and environment. Paths are relative to the working
 * directory. */
struct config_setting {
    enum config_row_id row;
    const char *value;
    const char *place; /* "--gap", for errors */
};
struct config *config_load_with(const char *path, const struct config_setting *settings, int count,
                                struct config_errors *errors);
void config_free(struct config *config);

const struct config_row *config_row_find(const char *name); /* section.key; NULL: none */
/* A value as people write it; secrets are masked, ${...} is shown and not what it stands for. */
void config_append_value(const struct config *config, const struct config_row *row,
                         struct text *out);
/* The same for a librdkafka property. */
void config_append_property(const struct config_property *property, struct text *out);
/* Where a value comes from: "default", "FILE:LINE" or an environment variable's name. */
void config_append_origin(const struct config *config, const struct config_row *row,
                          struct text *out);
/* Adds an error at the place where the row's value stands. column: within the value, 0: all. */
void config_complain(const struct config *config, enum config_row_id id, int column,
                     struct config_errors *errors, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The same for what works, but not well. */
void config_warn(const struct config *config, enum config_row_id id, struct config_errors *errors,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Canonical text of [session], [time] and [event]: part of the feature set's version. */
void config_salt(const struct config *config, struct text *out);

/* What a reload would change: names of keys, separated by commas; secrets' names, never values. */
struct config_changes {
    struct text live;    /* can be taken at once */
    struct text restart; /* need a restart */
};
void config_compare(const struct config *old, const struct config *fresh,
                    struct config_changes *changes);
void config_changes_free(struct config_changes *changes);
/* Takes over the values of live keys. No pointer into config becomes invalid by it. */
void config_take_live(struct config *config, const struct config *fresh);

/* How far back events decide what a row shows (design: semantics, section 9), in ms. */
int64_t config_reach_ms(const struct config *config, const struct feature_set *set);
/* The expiry of rows: redis.ttl, or reach and a day. */
int64_t config_ttl_ms(const struct config *config, const struct feature_set *set);

#endif
