/* The model: configuration, reader schema and features bound together, and what they refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "model.h"

static const struct setting {
    const char *name, *value;
} standard[] = {
    {"FRESHET_SCHEMA_READER", FRESHET_SOURCE_DIR "/schemas/click.avsc"},
    {"FRESHET_SCHEMA_FRAMING", "raw"},
    {"FRESHET_FEATURES_FILE", FRESHET_SOURCE_DIR "/schemas/features.ini"},
};

static void set_all(const struct setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(setenv(settings[i].name, settings[i].value, 1), 0);
}

/* The version of the model that the standard settings and one more give; 0 and what is wrong when
 * there is none. */
static uint64_t version_with(const char *name, const char *value, struct text *said)
{
    struct config_errors errors = {0};
    set_all(standard, sizeof standard / sizeof *standard);
    if (name)
        assert_int_equal(setenv(name, value, 1), 0);
    struct config *config = config_load(NULL, &errors);
    struct model *model = model_load(config, &errors);
    uint64_t version = model ? model->set->version : 0;
    config_errors_print(&errors, said);
    assert_int_equal(model == NULL, errors.failures > 0);
    model_free(model);
    config_free(config);
    config_errors_free(&errors);
    if (name)
        unsetenv(name);
    return version;
}

static void the_shop(void **state)
{
    (void)state;
    struct config_errors errors = {0};
    set_all(standard, sizeof standard / sizeof *standard);
    setenv("FRESHET_EVENT_WHERE", "quantity > 0", 1);
    setenv("FRESHET_EVENT_ID", "event_id", 1);
    setenv("FRESHET_SESSION_END_WHEN", "event_type == \"purchase\"", 1);
    struct config *config = config_load(NULL, &errors);
    struct model *model = model_load(config, &errors);
    unsetenv("FRESHET_EVENT_WHERE");
    unsetenv("FRESHET_EVENT_ID");
    unsetenv("FRESHET_SESSION_END_WHEN");
    assert_int_equal(errors.count, 0);
    assert_non_null(model);
    assert_string_equal(projection_slot_path(model->projection, model->rules.id_slot),
                        "event_id");
    assert_int_equal(model->rules.session_slot, -1);
    assert_ptr_equal(model->rules.end_when, model->end_when);
    assert_non_null(model->end_when);
    assert_int_equal(model->rules.dedup_window.ms, 86400000);
    assert_int_equal(model->rules.dedup_max, 10000000);
    assert_int_equal(model->key_kind.type, VALUE_STRING);
    assert_int_equal(model->slot_count, 8);
    assert_string_equal(projection_slot_path(model->projection, model->rules.key_slot),
                        "user_id");
    assert_string_equal(projection_slot_path(model->projection, model->rules.time_slot),
                        "event_time");
    assert_ptr_equal(model->rules.where, model->where);
    assert_non_null(model->where);
    assert_ptr_equal(model->rules.set, model->set);
    assert_true(feature_set_find(model->set, "ctr_24h") >= 0);
    assert_int_equal(model->rules.gap.ms, 1800000);
    assert_int_equal(model->rules.window_lateness.ms, 3600000);
    assert_int_equal(model->rules.cut_at_ms, 4 * 3600000);
    assert_int_equal(model->rules.max_keys, 10000000);
    assert_false(model->rules.reject_future || model->rules.delete_forgotten);
    model_free(model);
    config_free(config);
}

static void versions(void **state)
{
    (void)state;
    struct text said = {0};
    uint64_t plain = version_with(NULL, NULL, &said);
    assert_int_not_equal(plain, 0);
    assert_int_equal(version_with(NULL, NULL, &said), plain);
    assert_int_equal(version_with("FRESHET_REDIS_PREFIX", "x", &said), plain);
    assert_int_equal(version_with("FRESHET_SESSION_GAP", "1800s", &said), plain);
    assert_int_not_equal(version_with("FRESHET_SESSION_GAP", "31m", &said), plain);
    assert_int_not_equal(version_with("FRESHET_TIME_MAX_AGE", "1d", &said), plain);
    assert_int_not_equal(version_with("FRESHET_EVENT_WHERE", "quantity > 0", &said), plain);
    assert_int_not_equal(version_with("FRESHET_EVENT_KEY", "event_id", &said), plain);
    assert_int_not_equal(version_with("FRESHET_EVENT_ID", "event_id", &said), plain);
    assert_int_not_equal(version_with("FRESHET_SESSION_ID", "country", &said), plain);
    assert_int_not_equal(version_with("FRESHET_SESSION_END_WHEN", "quantity > 9", &said), plain);
    assert_int_equal(said.len, 0);
    text_free(&said);
}

static void expect_refused(const char *name, const char *value, const char *words)
{
    struct text said = {0};
    assert_int_equal(version_with(name, value, &said), 0);
    if (!said.data || !strstr(said.data, words))
        fail_msg("%s = %s: %s", name, value, said.data ? said.data : "nothing was said");
    text_free(&said);
}

static void refused(void **state)
{
    (void)state;
    expect_refused("FRESHET_EVENT_KEY", "userid", "event.key: ");
    expect_refused("FRESHET_EVENT_KEY", "price", "cannot name an entity");
    expect_refused("FRESHET_EVENT_TIME", "country", "is no time");
    expect_refused("FRESHET_EVENT_WHERE", "quantity", "is not true or false");
    expect_refused("FRESHET_EVENT_WHERE", "quantity >", "event.where: ");
    expect_refused("FRESHET_SESSION_END_WHEN", "quantity", "is not true or false");
    expect_refused("FRESHET_SESSION_END_WHEN", "nothing == 1", "session.end_when: ");
    expect_refused("FRESHET_SESSION_ID", "price", "cannot name a session");
    expect_refused("FRESHET_EVENT_ID", "price", "cannot name an event");
    expect_refused("FRESHET_EVENT_ID", "nothing", "event.id: ");
    expect_refused("FRESHET_REDIS_TTL", "1d", "is less than the reach of the features");
    expect_refused("FRESHET_SCHEMA_READER", "/nowhere", "No such file");
    expect_refused("FRESHET_SCHEMA_READER", FRESHET_SOURCE_DIR "/LICENSE", "/LICENSE:");
    expect_refused("FRESHET_FEATURES_FILE", "/nowhere", "/nowhere: cannot be read");
    expect_refused("FRESHET_SCHEMA_WRITER", "/nowhere", "schema.writer: /nowhere cannot be read");
}

static void writers(void **state)
{
    (void)state;
    setenv("FRESHET_SCHEMA_WRITERS",
           FRESHET_SOURCE_DIR "/schemas/click.avsc, " FRESHET_SOURCE_DIR
                              "/schemas/click-v1.avsc", 1);
    struct config_errors errors = {0};
    set_all(standard, sizeof standard / sizeof *standard);
    setenv("FRESHET_SCHEMA_FRAMING", "single_object", 1);
    struct config *config = config_load(NULL, &errors);
    struct model *model = model_load(config, &errors);
    assert_int_equal(errors.count, 0);
    assert_non_null(model);
    model_free(model);
    config_free(config);
    unsetenv("FRESHET_SCHEMA_WRITERS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shop),
        cmocka_unit_test(versions),
        cmocka_unit_test(refused),
        cmocka_unit_test(writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
