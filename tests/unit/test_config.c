/* The configuration: INI lines, values of every key, environment, references, checks, reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_parts.h"
#include "log.h"
#include "pool.h"

static char directory[] = "/tmp/freshet-test-config-XXXXXX";

static char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static char *write_file(const char *name, const char *text)
{
    char *path = path_of(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path;
}

/* The keys that every configuration needs come from the environment, so that tests write only what
 * they are about. */
static void require(bool wanted)
{
    static const char *const names[][2] = {{"FRESHET_SCHEMA_READER", "click.avsc"},
                                           {"FRESHET_SCHEMA_FRAMING", "raw"},
                                           {"FRESHET_FEATURES_FILE", "features.ini"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(wanted ? setenv(names[i][0], names[i][1], 1) : unsetenv(names[i][0]), 0);
}

/* Loads a file of this text; what is wrong goes to said without the directory's name. */
static struct config *load(const char *text, struct text *said)
{
    struct config_errors errors = {0};
    struct config *config = config_load(write_file("freshet.ini", text), &errors);
    assert_non_null(config);
    struct text printed = {0};
    config_errors_print(&errors, &printed);
    text_append_string(said, "");
    for (const char *rest = printed.data; rest && *rest;) {
        size_t skip = strlen(directory) + 1;
        const char *found = strstr(rest, directory);
        text_append(said, rest, found ? (size_t)(found - rest) : strlen(rest));
        rest = found ? found + skip : NULL;
    }
    text_free(&printed);
    config_errors_free(&errors);
    return config;
}

static void expect_said(const char *text, const char *expected)
{
    struct text said = {0};
    config_free(load(text, &said));
    assert_string_equal(said.data, expected);
    text_free(&said);
}

/* ---- INI ---- */

static void parse(const char *text, size_t len, const char *expected)
{
    struct config_errors errors = {0};
    struct text out = {0};
    struct inifile *file = inifile_parse("f", text, len, &errors);
    for (int i = 0; i < file->entry_count; i++) {
        const struct inifile_entry *entry = &file->entries[i];
        if (entry->key)
            text_printf(&out, "%s/%s=%s@%d:%d\n", file->sections[entry->section].name, entry->key,
                        entry->value, entry->line, entry->column);
        else
            text_printf(&out, "[%s]@%d\n", file->sections[entry->section].name, entry->line);
    }
    config_errors_print(&errors, &out);
    assert_string_equal(out.data ? out.data : "", expected);
    text_free(&out);
    inifile_free(file);
    config_errors_free(&errors);
}

static void ini_lines(void **state)
{
    (void)state;
#define PARSE(text, expected) parse(text, sizeof text - 1, expected)
    PARSE("", "");
    PARSE("[a]\nx=1\n\n  y : two words  \r\n# c\n; c\n[ b c ]\nx = = ; # :",
          "[a]@1\na/x=1@2:3\na/y=two words@4:7\n[b c]@7\nb c/x== ; # :@8:5\n");
    PARSE("\xef\xbb\xbf[a]\nx=1", "[a]@1\na/x=1@2:3\n");
    PARSE("x=1\n", "f:1: an entry before the first section (put a [section] above it)\n");
    PARSE("[a\nx=1\n[a] # c\ny=1\n[]\nz=1\n[a]\nok=",
          "[a]@7\na/ok=@8:4\n"
          "f:1: section header without ] (write [section])\n"
          "f:3: text after a section header (put it, or the comment, on its own line)\n"
          "f:5: section without a name (write [section])\n");
    PARSE("[a]\nnothing\n= 1\nx=1\nx=2\n[b]\nx=1\n[a]\ny=2\n",
          "[a]@1\na/x=1@4:3\n[b]@6\nb/x=1@7:3\n"
          "f:2: neither a [section] nor an entry (write key = value)\n"
          "f:3: an entry without a key (write key = value)\n"
          "f:5: x stands twice in [a] (first in line 4; remove one)\n"
          "f:8: [a] stands twice (first in line 1; rename this one, or put its keys there)\n");
    PARSE("[a]\nx=1\0002\ny=1", "[a]@1\na/y=1@3:3\nf:2: a zero byte (this is not a text file)\n");
}

static void ini_limits(void **state)
{
    (void)state;
    struct text text = {0}, expected = {0};
    const char *name = "feature a_name_of_sixty_four_characters_that_is_as_long_as_one_can_be_";
    text_printf(&text, "[%s]\nx=", name);
    text_printf(&expected, "[%s]@1\n%s/x=", name, name);
    for (int i = 0; i < INIFILE_LINE_MAX - 2; i++) {
        text_append_char(&text, 'v');
        text_append_char(&expected, 'v');
    }
    text_append_string(&text, "\ny=");
    for (int i = 0; i < INIFILE_LINE_MAX - 1; i++)
        text_append_char(&text, 'v');
    text_append_string(&text, "\nz=1\n");
    text_printf(&expected, "@2:3\n%s/z=1@4:3\nf:3: line of more than 8192 bytes (shorten it)\n",
                name);
    parse(text.data, text.len, expected.data);
    text_clear(&text);
    text_append_string(&text, "[a]\n");
    for (int i = 0; i < INIFILE_ENTRIES_MAX + 10; i++)
        text_printf(&text, "x%d=1\n", i);
    struct config_errors errors = {0};
    struct inifile *file = inifile_parse("f", text.data, text.len, &errors);
    assert_int_equal(file->entry_count, INIFILE_ENTRIES_MAX);
    assert_int_equal(errors.failures, 1);
    assert_int_equal(errors.list[0].line, INIFILE_ENTRIES_MAX + 1);
    inifile_free(file);
    config_errors_free(&errors);
    text_free(&text);
    text_free(&expected);
}

static void unreadable_file(void **state)
{
    (void)state;
    struct config_errors errors = {0};
    assert_null(config_load("/nowhere/freshet.ini", &errors));
    assert_null(config_load(directory, &errors));
    struct text out = {0}, expected = {0};
    config_errors_print(&errors, &out);
    text_printf(&expected,
                "/nowhere/freshet.ini: cannot be read: No such file or directory (give a file "
                "that can)\n%s: cannot be read: Is a directory (give a file that can)\n",
                directory);
    assert_string_equal(out.data, expected.data);
    text_free(&out);
    text_free(&expected);
    config_errors_free(&errors);
}

/* ---- keys and values ---- */

static void every_row(void **state)
{
    (void)state;
    const char *section = "";
    int sections = 0;
    struct text said = {0};
    struct config *config = load("", &said);
    assert_string_equal(said.data, "");
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        size_t len = strlen(row->sentence);
        assert_true(len > 10 && row->sentence[len - 1] == '.');
        assert_ptr_equal(config_row_find(row->name), row);
        if (strcmp(section, row->section) != 0)
            assert_string_equal(config_sections[sections++], row->section);
        section = row->section;
        if (row->type == CONFIG_CHOICE)
            assert_non_null(row->words);
        if (config_value_string(config, row))
            assert_false(row->live); /* others point into strings */
        else
            assert_true(row->type == CONFIG_CHOICE || config_value_number(config, row) >= row->min);
        struct text value = {0};
        config_append_value(config, row, &value);
        if (!config->origins[i].written)
            assert_string_equal(value.data, row->fallback);
        text_free(&value);
    }
    assert_null(config_sections[sections]);
    config_free(config);
    text_free(&said);
}

/* Sets one key to value and expects it to be complained about in its line. */
static void expect_refused(const struct config_row *row, const char *value)
{
    struct text text = {0}, said = {0}, expected = {0};
    text_printf(&text, "\n[%s]\n%s = %s\n", row->section, row->key, value);
    config_free(load(text.data, &said));
    text_printf(&expected, "freshet.ini:3: %s: ", row->name);
    if (!strstr(said.data, expected.data))
        fail_msg("%s = %s gave %s", row->name, value, said.data);
    text_free(&text);
    text_free(&said);
    text_free(&expected);
}

static void every_limit(void **state)
{
    (void)state;
    for (int i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        if (i == CONFIG_ROW_schema_reader || i == CONFIG_ROW_schema_framing ||
            i == CONFIG_ROW_features_file)
            continue; /* the environment has the last word, see require */
        char number[64];
        if (row->type == CONFIG_STRING || row->type == CONFIG_PATH || row->type == CONFIG_SECRET) {
            char *longer = memory_alloc((size_t)row->max + 2);
            memset(longer, 'x', (size_t)row->max + 1);
            expect_refused(row, longer);
            if (row->min > 0)
                expect_refused(row, "");
            memory_free(longer);
            continue;
        }
        expect_refused(row, "nonsense");
        expect_refused(row, "");
        if (row->type != CONFIG_INT && row->type != CONFIG_SIZE && row->type != CONFIG_DURATION)
            continue;
        const char *unit = row->type == CONFIG_DURATION ? "ms" : "";
        snprintf(number, sizeof number, "%lld%s", (long long)row->max + 1, unit);
        expect_refused(row, number);
        snprintf(number, sizeof number, "%lld%s", (long long)row->min - 1, unit);
        expect_refused(row, number);
    }
}

static void values(void **state)
{
    (void)state;
    struct text said = {0};
    struct config *config = load(
        "[schema]\nstrict = yes\nmax_bytes = 2MiB\n"
        "[session]\ngap = 1h30m\ncut_at = off\n[time]\nzone_offset = -05:30\nfuture = reject\n"
        "[kafka]\nstart = 1970-01-01T00:00:01Z\nclient.id = me\n[http]\nlisten = [::1]:80\n"
        "[redis]\nurl = redis://me@cache:7000/2\n[log]\nlevel = debug\n"
        "[control]\nsocket = c.sock\nstat_socket =\n", &said);
    assert_string_equal(said.data, "");
    assert_true(config->schema_strict);
    assert_int_equal(config->schema_max_bytes, 2 << 20);
    assert_int_equal(config->session_gap.ms, 5400000);
    assert_int_equal(config->session_cut_at, -1);
    assert_int_equal(config->time_zone_offset.ms, -19800000);
    assert_int_equal(config->time_future, CONFIG_TIME_FUTURE_REJECT);
    assert_int_equal(config->start.kind, CONFIG_START_TIME);
    assert_int_equal(config->start.at.ms, 1000);
    assert_int_equal(config->kafka_property_count, 1);
    assert_string_equal(config->kafka_properties[0].name, "client.id");
    assert_string_equal(config->kafka_properties[0].value, "me");
    assert_string_equal(config->http.host, "::1");
    assert_int_equal(config->http.port, 80);
    assert_string_equal(config->redis.host, "cache");
    assert_int_equal(config->redis.db, 2);
    assert_string_equal(config->redis_user, "me");
    assert_int_equal(config->log_level, LOG_DEBUG);
    assert_string_equal(config->control_socket, path_of("c.sock"));
    assert_string_equal(config->control_stat_socket, "");
    assert_string_equal(config->schema_reader, path_of("click.avsc"));
    assert_int_equal(config->window_lateness.ms, 5400000);
    config_free(config);
    text_clear(&said);
    config = load("[schema]\nwriters = a.avsc , /b.avsc,\n", &said);
    struct text writers = {0};
    text_printf(&writers, "%s,/b.avsc", path_of("a.avsc"));
    assert_string_equal(config->schema_writers, writers.data);
    config_free(config);
    text_free(&writers);
    text_free(&said);
}

static void checks_of_values(void **state)
{
    (void)state;
    expect_said("[kafak]\n[elsewhere]\nx = 1\n[session]\ngpa = 1\nnothing_like_it = 2\n",
                "freshet.ini:1: unknown section [kafak] (did you mean [kafka]?)\n"
                "freshet.ini:2: unknown section [elsewhere] (see freshetd --dump config)\n"
                "freshet.ini:5: unknown key gpa in [session] (did you mean gap?)\n"
                "freshet.ini:6: unknown key nothing_like_it in [session] (it has gap, lateness, "
                "cut_at, cut_every, end_when, id)\n");
    expect_said("[session]\ngap = 0\nlateness = -1s\n",
                "freshet.ini:2: session.gap: 0 is too small (at least 1ms, at most 365d)\n"
                "freshet.ini:3: session.lateness: \"-1s\" is not a duration such as 250ms, 30s, "
                "1h30m or 7d (write one)\n");
    expect_said("[log]\nlevel = loud\n",
                "freshet.ini:2: log.level: \"loud\" is none of its words (error, warning, info, "
                "debug)\n");
    expect_said("[kafka]\nstart = soon\ntopic = a b\ngroup.id = a{b\n",
                "freshet.ini:2: kafka.start: \"soon\" is no start (write beginning, rebuild, "
                "latest, or a time such as 2026-01-31T00:00:00Z)\n"
                "freshet.ini:3: kafka.topic: \"a b\" is no topic name (letters, digits, `.`, `_` "
                "and `-` only)\n"
                "freshet.ini:4: kafka.group.id: has { or }, which mean something in names of Redis "
                "keys (leave them out)\n");
    expect_said("[late]\ntopic = clicks\ndead_letter_topic = clicks\n",
                "freshet.ini:2: late.topic: is the input topic, so late records would come back "
                "(name another)\n"
                "freshet.ini:3: late.dead_letter_topic: is the input topic, so bad records would "
                "come back (name another)\n");
    expect_said("[redis]\nkey = features\n[http]\nlisten = 9464\n[control]\nsocket = a\n"
                "stat_socket = a\n",
                "freshet.ini:2: redis.key: \"features\" must have {key} once (write for example "
                "features:{key})\n"
                "freshet.ini:4: http.listen: \"9464\" is no address (write HOST:PORT such as "
                "127.0.0.1:9464 or [::1]:9464, or nothing)\n"
                "freshet.ini:7: control.stat_socket: is control.socket, too (name another, or "
                "leave one empty)\n");
    expect_said("[redis]\nkey = {key}{key}\nurl = redis://a@h\nuser = b\n",
                "freshet.ini:2: redis.key: \"{key}{key}\" must have {key} once (write for example "
                "features:{key})\n"
                "freshet.ini:4: redis.user: is not the user in redis.url (write it in one "
                "place)\n");
}

static void checks_of_times(void **state)
{
    (void)state;
    expect_said("[session]\ngap = 1h\nlateness = 30m\ncut_every = 7h\n"
                "[time]\nwindow_lateness = 1h29m\n",
                "freshet.ini:4: session.cut_every: would cut at other times every day (write a "
                "part of a day such as 1h, 6h or 12h, or whole days)\n"
                "freshet.ini:6: time.window_lateness: is less than session.lateness + "
                "session.gap (write at least 1h30m, or 0)\n");
    expect_said("[session]\ncut_every = 7h\ncut_at = off\n[time]\nwindow_lateness = 30m\n", "");
}

static void checks_of_schemas(void **state)
{
    (void)state;
    expect_said("[schema]\nregistry = localhost:8081\nregistry_password = x\n",
                "freshet.ini:2: schema.registry: is no address (write http://HOST:PORT or "
                "https://HOST:PORT, with a path if the registry has one)\n"
                "freshet.ini:3: schema.registry_password: has no user (set "
                "schema.registry_user)\n");
    expect_said("[schema]\nregistry = http://a:b@h/ccompat/v7\n",
                "freshet.ini:2: schema.registry: has a user in it (use schema.registry_user and "
                "schema.registry_password)\n");
    setenv("FRESHET_SCHEMA_FRAMING", "confluent", 1);
    expect_said("", "FRESHET_SCHEMA_FRAMING: schema.framing: confluent needs a registry (set "
                    "schema.registry, or another framing)\n");
    setenv("FRESHET_SCHEMA_FRAMING", "single_object", 1);
    expect_said("", "FRESHET_SCHEMA_FRAMING: schema.framing: single_object needs schemas (set "
                    "schema.writers to their files)\n");
    require(true);
}

static void missing_keys(void **state)
{
    (void)state;
    struct config_errors errors = {0};
    struct text out = {0};
    require(false);
    struct config *config = config_load(
        write_file("empty.ini", "# nothing\n\n[schema]\nframing = raw\n"), &errors);
    config_errors_print(&errors, &out);
    assert_non_null(strstr(out.data, "empty.ini:3: schema.reader is not set (set it: The Avro"));
    assert_non_null(strstr(out.data, "empty.ini:1: features.file is not set (set it: The"));
    assert_int_equal(errors.count, 2);
    require(true);
    config_free(config);
    config_errors_free(&errors);
    text_free(&out);
}

/* ---- references, environment, secrets ---- */

static void references(void **state)
{
    (void)state;
    struct text said = {0};
    write_file("secret", "s3cret\r\n");
    setenv("TEST_USER", "me", 1);
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    struct config *config = load("[redis]\npassword = ${cred:secret}\nuser = <${env:TEST_USER}>\n"
                                 "prefix = ${file:secret}:\n[late]\ntopic = $a\n", &said);
    assert_string_equal(config->redis_password, "s3cret");
    assert_string_equal(config->redis_user, "<me>");
    assert_string_equal(config->redis_prefix, "s3cret:");
    config_free(config);
    unsetenv("TEST_USER");
    text_free(&said);
    expect_said("[redis]\npassword = ${cred:../x}\nuser = ${env:TEST_USER}\nprefix = ${fiel:a}\n"
                "key = ${oops\n[log]\nlevel = ${file:secret}\n",
                "freshet.ini:2: redis.password: credential \"../x\" has a / (give its name only)\n"
                "freshet.ini:3: redis.user: environment variable TEST_USER is not set (set it)\n"
                "freshet.ini:4: redis.prefix: ${fiel:a} means nothing (write ${env:NAME}, "
                "${file:/path} or ${cred:name})\n"
                "freshet.ini:5: redis.key: ${ without } (write ${env:NAME}, ${file:/path} or "
                "${cred:name}; a text with ${ in it can come from a file)\n"
                "freshet.ini:7: log.level: \"${file:secret}\" is none of its words (error, "
                "warning, info, debug)\n");
    unsetenv("CREDENTIALS_DIRECTORY");
    expect_said("[redis]\npassword = ${cred:a}\nuser = ${file:/nowhere/x}\n",
                "freshet.ini:2: redis.password: credential \"a\", but CREDENTIALS_DIRECTORY is not "
                "set (have systemd start it with LoadCredential=a:..., or use ${file:})\n"
                "freshet.ini:3: redis.user: /nowhere/x cannot be read: No such file or directory "
                "(look at its name and rights)\n");
}

static void environment(void **state)
{
    (void)state;
    struct text said = {0};
    setenv("FRESHET_REDIS_FLUSH_KEYS", "7", 1);
    setenv("FRESHET_KAFKA_BOOTSTRAP_SERVERS", "k:1", 1);
    setenv("FRESHET_KAFKA_SECURITY_PROTOCOL", "SSL", 1);
    setenv("FRESHET_UNRELATED", "1", 1);
    struct config *config = load("[redis]\nflush_keys = wrong\n", &said);
    assert_string_equal(said.data, "");
    assert_int_equal(config->redis_flush_keys, 7);
    assert_string_equal(config->kafka_bootstrap_servers, "k:1");
    assert_string_equal(config->kafka_properties[0].name, "security.protocol");
    assert_string_equal(config->kafka_properties[0].value, "SSL");
    struct text origin = {0};
    config_append_origin(config, &config_rows[CONFIG_ROW_redis_flush_keys], &origin);
    assert_string_equal(origin.data, "FRESHET_REDIS_FLUSH_KEYS");
    text_free(&origin);
    config_free(config);
    setenv("FRESHET_REDIS_FLUSH_KEYS", "0", 1);
    setenv("FRESHET_REDIS_URI", "0", 1);
    unsetenv("FRESHET_KAFKA_SECURITY_PROTOCOL");
    text_clear(&said);
    config_free(load("", &said));
    assert_non_null(strstr(said.data, "FRESHET_REDIS_URI: there is no such key (did you mean "
                                      "FRESHET_REDIS_URL)\n"));
    assert_non_null(strstr(said.data, "FRESHET_REDIS_FLUSH_KEYS: redis.flush_keys: 0 is too small "
                                      "(at least 1, at most 1000000)\n"));
    unsetenv("FRESHET_REDIS_FLUSH_KEYS");
    unsetenv("FRESHET_REDIS_URI");
    unsetenv("FRESHET_KAFKA_BOOTSTRAP_SERVERS");
    unsetenv("FRESHET_UNRELATED");
    text_free(&said);
}

static void kafka_properties(void **state)
{
    (void)state;
    struct text said = {0};
    config_free(load("[kafka]\nsession.timeout.ms = soon\nbootstrap.server = a\n"
                     "enable.auto.commit = true\n", &said));
    assert_non_null(strstr(said.data, "freshet.ini:2: kafka.session.timeout.ms: "));
    assert_non_null(strstr(said.data, "freshet.ini:3: kafka.bootstrap.server: "));
    assert_non_null(strstr(said.data, "(did you mean bootstrap.servers?)"));
    assert_non_null(strstr(said.data, "freshet.ini:4: kafka.enable.auto.commit: "));
    text_free(&said);
}

static void secrets(void **state)
{
    (void)state;
    struct text said = {0}, out = {0};
    struct config *config =
        load("[redis]\npassword = s3cret\n[kafka]\nsasl.password = s3cret\n"
             "ssl.key.pem = s3cret\n[schema]\nregistry_user = u\nregistry_password = s3cret\n",
             &said);
    for (int i = 0; i < CONFIG_ROW_COUNT; i++)
        config_append_value(config, &config_rows[i], &out);
    for (int i = 0; i < config->kafka_property_count; i++)
        config_append_property(&config->kafka_properties[i], &out);
    assert_null(strstr(out.data, "s3cret"));
    assert_non_null(strstr(out.data, "********"));
    config_free(config);
    text_clear(&out);
    config_value_mask_urls("a http://u:p@ss@h:1/x, redis://h:1 redis://u@h unix:///a:b@c", &out);
    assert_string_equal(out.data,
                        "a http://u:********@h:1/x, redis://h:1 redis://u@h unix:///a:b@c");
    text_free(&said);
    text_free(&out);
}

/* ---- reload, salt, reach ---- */

static void reload(void **state)
{
    (void)state;
    struct text said = {0};
    struct config *old = load("[redis]\npassword = a\n[kafka]\nclient.id = x\nretries = 5\n",
                              &said);
    struct config *fresh = load("[redis]\npassword = b\nflush_interval = 1s\n[log]\nlevel = debug\n"
                                "[kafka]\nclient.id = y\ntopic = other\n[schema]\nstrict = yes\n",
                                &said);
    struct config_changes changes = {0};
    config_compare(old, fresh, &changes);
    assert_string_equal(changes.live.data, "redis.flush_interval, log.level");
    assert_string_equal(changes.restart.data, "kafka.topic, schema.strict, redis.password, "
                                              "kafka.client.id, kafka.retries");
    config_changes_free(&changes);
    const char *topic = old->kafka_topic;
    config_take_live(old, fresh);
    assert_int_equal(old->redis_flush_interval.ms, 1000);
    assert_int_equal(old->log_level, CONFIG_LOG_LEVEL_DEBUG);
    assert_ptr_equal(old->kafka_topic, topic);
    config_free(fresh);
    text_clear(&said);
    config_append_origin(old, &config_rows[CONFIG_ROW_log_level], &said);
    assert_non_null(strstr(said.data, "freshet.ini:5"));
    config_free(old);
    text_free(&said);
}

static void salt(void **state)
{
    (void)state;
    struct text said = {0}, a = {0}, b = {0}, c = {0};
    struct config *config = load("[session]\ngap = 30m\n[redis]\nprefix = x\n", &said);
    config_salt(config, &a);
    config_free(config);
    config = load("[session]\ngap = 1800s\n[log]\nlevel = debug\n", &said);
    config_salt(config, &b);
    config_free(config);
    config = load("[session]\ngap = 31m\n", &said);
    config_salt(config, &c);
    config_free(config);
    assert_string_equal(a.data, b.data);
    assert_string_not_equal(a.data, c.data);
    assert_non_null(strstr(a.data, "session.gap=1800000\n"));
    text_free(&said);
    text_free(&a);
    text_free(&b);
    text_free(&c);
}

static void reach(void **state)
{
    (void)state;
    enum { HOUR = 3600000, DAY = 24 * HOUR };
    struct text said = {0};
    struct config *config = load("", &said);
    struct feature features[] = {{.op = OPERATOR_COUNT, .window = 0},
                                 {.op = OPERATOR_SESSION_NUMBER, .window = -1},
                                 {.op = OPERATOR_RATIO, .window = -1}};
    struct feature_window window = {.length = {2 * HOUR}, .hop = {60000}};
    struct feature_set set = {
        .windows = &window, .window_count = 1, .features = features, .count = 1};
    assert_int_equal(config_reach_ms(config, &set), 2 * HOUR + 60000);
    features[0].on_session = true;
    assert_int_equal(config_reach_ms(config, &set), 2 * HOUR + 60000 + DAY);
    features[0].on_session = false;
    window.length.ms = window.hop.ms = FEATURE_LIFETIME_MS;
    assert_int_equal(config_reach_ms(config, &set), HOUR); /* window_lateness */
    window.length.ms = 1000;
    window.hop.ms = 1000;
    assert_int_equal(config_reach_ms(config, &set), HOUR);
    set.count = 3; /* unbounded and derived features add nothing */
    assert_int_equal(config_reach_ms(config, &set), HOUR);
    features[1].op = OPERATOR_SESSION_START;
    assert_int_equal(config_reach_ms(config, &set), DAY + 1800000 + 5000 + DAY);
    assert_int_equal(config_ttl_ms(config, &set), DAY + 1800000 + 5000 + DAY + DAY);
    config->session_cut_at = -1;
    assert_int_equal(config_reach_ms(config, &set), HOUR);
    window.length.ms = 2 * HOUR;
    features[0].on_session = true; /* its sessions have no end either */
    assert_int_equal(config_reach_ms(config, &set), HOUR);
    config->redis_ttl.ms = 5 * HOUR;
    assert_int_equal(config_ttl_ms(config, &set), 5 * HOUR);
    config_free(config);
    text_free(&said);
}

static int set_up(void **state)
{
    (void)state;
    require(true);
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path_of("freshet.ini"));
    unlink(path_of("empty.ini"));
    unlink(path_of("secret"));
    return rmdir(directory);
}

/* checkpoint.store: auto is a directory when there is one, systemd's is used by itself. */
static void where_state_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *text, *state_directory, *path;
    } cases[] = {
        {"", NULL, NULL},
        {"", "/var/lib/a:/var/lib/b", "/var/lib/a/checkpoints"},
        {"[checkpoint]\ndir = /kept\n", "/var/lib/a", "/kept"},
        {"[checkpoint]\nstore = none\ndir = /kept\n", "/var/lib/a", NULL},
        {"[checkpoint]\nstore = dir\n", "/var/lib/a", "/var/lib/a/checkpoints"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        if (cases[k].state_directory)
            setenv("STATE_DIRECTORY", cases[k].state_directory, 1);
        struct text said = {0};
        struct config *config = load(cases[k].text, &said);
        assert_string_equal(said.data, "");
        text_free(&said);
        if (cases[k].path)
            assert_string_equal(config->checkpoint_path, cases[k].path);
        else
            assert_null(config->checkpoint_path);
        config_free(config);
        unsetenv("STATE_DIRECTORY");
    }
    expect_said("[checkpoint]\nstore = dir\n",
                "freshet.ini:2: checkpoint.store: needs a directory (set checkpoint.dir, or "
                "StateDirectory= in the unit)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ini_lines),         cmocka_unit_test(ini_limits),
        cmocka_unit_test(unreadable_file),   cmocka_unit_test(every_row),
        cmocka_unit_test(every_limit),       cmocka_unit_test(values),
        cmocka_unit_test(checks_of_values),  cmocka_unit_test(checks_of_times),
        cmocka_unit_test(checks_of_schemas), cmocka_unit_test(missing_keys),
        cmocka_unit_test(references),        cmocka_unit_test(environment),
        cmocka_unit_test(kafka_properties),  cmocka_unit_test(secrets),
        cmocka_unit_test(reload),            cmocka_unit_test(salt),
        cmocka_unit_test(reach),             cmocka_unit_test(where_state_is_kept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
