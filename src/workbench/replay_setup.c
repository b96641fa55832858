/* A file of one's own can be replayed without a configuration: what matters has a short option. */
#include "replay_setup.h"

#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "pool.h"

enum { FIRST_SETTING = 512 };

/* One option each, in the order of `settings`. */
static const struct argp_option known[] = {
    {"config", 'c', "FILE", 0, "Configuration of the daemon; the options below go before it", 0},
    {"schema", FIRST_SETTING, "FILE", 0, "Reader schema (.avsc): the fields of an event", 0},
    {"features", FIRST_SETTING + 1, "FILE", 0, "Features file", 0},
    {"key", FIRST_SETTING + 2, "FIELD", 0, "Field that names the entity [user_id]", 0},
    {"time", FIRST_SETTING + 3, "FIELD", 0, "Field with the event time [event_time]", 0},
    {"gap", FIRST_SETTING + 4, "TIME", 0, "Inactivity that ends a session [30m]", 0},
    {"lateness", FIRST_SETTING + 5, "TIME", 0, "How long a closed session can be corrected [0]", 0},
    {"out-of-orderness", FIRST_SETTING + 6, "TIME", 0,
     "How far the watermark stays behind the newest event [5s]", 0},
    {"cut", FIRST_SETTING + 7, "WHEN", 0, "Time of day at which sessions are cut, or off [04:00]",
     0},
    {0},
};

static const enum config_row_id rows[] = {
    CONFIG_ROW_schema_reader, CONFIG_ROW_features_file,    CONFIG_ROW_event_key,
    CONFIG_ROW_event_time,    CONFIG_ROW_session_gap,      CONFIG_ROW_session_lateness,
    CONFIG_ROW_time_out_of_orderness, CONFIG_ROW_session_cut_at,
};
static const char *const places[] = {"--schema", "--features", "--key", "--time", "--gap",
                                     "--lateness", "--out-of-orderness", "--cut"};

void replay_setup_put(struct replay_setup_options *options, enum config_row_id row,
                      const char *value, const char *place)
{
    for (int i = 0; i < options->setting_count; i++) {
        if (options->settings[i].row != row)
            continue;
        options->settings[i].value = value;
        return;
    }
    expect(options->setting_count < REPLAY_SETTINGS_MAX);
    options->settings[options->setting_count++] = (struct config_setting){row, value, place};
}

bool replay_setup_default(struct replay_setup_options *options, const char *option,
                          const char *value)
{
    size_t index = 0;
    while (index < sizeof rows / sizeof *rows && strcmp(places[index], option) != 0)
        index++;
    if (index == sizeof rows / sizeof *rows)
        return false;
    for (int i = 0; i < options->setting_count; i++)
        if (options->settings[i].row == rows[index])
            return true;
    char *copy = memory_strdup(value);
    options->copies[options->copy_count++] = copy;
    replay_setup_put(options, rows[index], copy, places[index]);
    return true;
}

void replay_setup_fini(struct replay_setup_options *options)
{
    for (int i = 0; i < options->copy_count; i++)
        memory_free(options->copies[i]);
    options->copy_count = 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct replay_setup_options *options = state->input;
    if (key == 'c') {
        options->config = argument;
        return 0;
    }
    int index = key - FIRST_SETTING;
    if (index < 0 || index >= (int)(sizeof rows / sizeof *rows))
        return ARGP_ERR_UNKNOWN;
    replay_setup_put(options, rows[index], argument, places[index]);
    return 0;
}

const struct argp replay_setup_argp = {.options = known, .parser = parse};

int replay_setup_open(struct replay_setup_options *options, struct replay_setup *setup)
{
    struct config_errors errors = {0};
    struct text out = {0};
    *setup = (struct replay_setup){0};
    if (!options->config) /* the default needs a registry, and no file names its schema by id */
        replay_setup_put(options, CONFIG_ROW_schema_framing, "raw", "schema.framing");
    setup->config = config_load_with(options->config, options->settings, options->setting_count,
                                     &errors);
    if (setup->config)
        setup->model = model_load(setup->config, &errors);
    config_errors_print(&errors, &out);
    if (out.len > 0)
        fwrite(out.data, 1, out.len, stderr);
    int status = errors.failures > 0 || !setup->model ? CONFIG_EXIT : 0;
    text_free(&out);
    config_errors_free(&errors);
    if (status != 0)
        replay_setup_close(setup);
    return status;
}

void replay_setup_close(struct replay_setup *setup)
{
    model_free(setup->model);
    config_free(setup->config);
    *setup = (struct replay_setup){0};
}
