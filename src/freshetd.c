/* The daemon: options, configuration, the loop, signals, and the order of starting and stopping. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "check.h"
#include "commands.h"
#include "dump.h"
#include "failpoint.h"
#include "http.h"
#include "log.h"
#include "notify.h"
#include "options.h"
#include "pool.h"
#include "status.h"

enum { PUBLISH_MS = 1000, HOUSEKEEPING_MS = 20, EXIT_UNAVAILABLE = 69, EXIT_FATAL = 70,
       EXIT_IO = 74 };

struct daemon {
    uv_loop_t loop;
    struct engine *engine;
    struct commands commands;
    struct http *http;
    uv_signal_t term, interrupt, hangup;
    uv_timer_t housekeeping, watchdog;
    int64_t last_publish_ms;
    int exit_status;
    bool stopping;
};

/* ---- stop ---- */

static void on_control_closed(void *context)
{
    (void)context;
}

static void stop(void *context)
{
    struct daemon *daemon = context;
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    uv_handle_t *handles[] = {
        (uv_handle_t *)&daemon->term,         (uv_handle_t *)&daemon->interrupt,
        (uv_handle_t *)&daemon->hangup,       (uv_handle_t *)&daemon->housekeeping,
        (uv_handle_t *)&daemon->watchdog,
    };
    for (size_t k = 0; k < sizeof handles / sizeof handles[0]; k++)
        uv_close(handles[k], NULL);
    if (daemon->engine->control)
        control_close(daemon->engine->control, on_control_closed, daemon);
    if (daemon->http)
        http_close(daemon->http);
    engine_close(daemon->engine, NULL, NULL);
}

static void on_terminate(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    log_info("signal", "name=%s", strsignal(number));
    if (daemon->commands.stopping) {
        stop(daemon); /* asked twice: now */
        return;
    }
    notify_stopping();
    notify_extend_ms(daemon->engine->config->control_drain_timeout.ms + 10000);
    commands_shutdown(&daemon->commands);
}

static void on_fatal(void *context)
{
    struct daemon *daemon = context;
    daemon->exit_status = daemon->engine->restart_helps ? EXIT_UNAVAILABLE : EXIT_FATAL;
    commands_shutdown(&daemon->commands);
}

/* ---- reload ---- */

static void set_up_log(const struct config *config)
{
    static struct log_sink sink;
    sink = (struct log_sink){
        .now_ms = present_wall_ms,
        .json = config->log_format == CONFIG_LOG_FORMAT_JSON,
        .with_time = getenv("JOURNAL_STREAM") == NULL,
    };
    log_configure(&sink);
    log_set_level((enum log_level)config->log_level);
}

static bool reload(void *context, struct text *said)
{
    struct daemon *daemon = context;
    struct engine *engine = daemon->engine;
    struct config_errors errors = {0};
    struct config *fresh = config_load(engine->config->path, &errors);
    struct model *model = fresh && errors.failures == 0 ? model_load(fresh, &errors) : NULL;
    if (!model || errors.failures > 0) {
        config_errors_print(&errors, said);
        model_free(model);
        config_free(fresh);
        config_errors_free(&errors);
        return false;
    }
    struct config_changes changes = {0};
    config_compare(engine->config, fresh, &changes);
    config_take_live(engine->config, fresh);
    set_up_log(engine->config);
    engine_take_live(engine);
    text_printf(said, "applied: %s\nneed a restart: %s\n",
                changes.live.len ? changes.live.data : "nothing changed",
                changes.restart.len ? changes.restart.data : "none");
    if (model->set->version != engine->model->set->version)
        text_append_string(said, "the feature set has changed: it needs a restart\n");
    config_changes_free(&changes);
    model_free(model);
    config_free(fresh);
    config_errors_free(&errors);
    return true;
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    (void)number;
    notify_reloading();
    struct text said = {0};
    bool ok = reload(daemon, &said);
    if (ok)
        log_info("reloaded", "said=%Q", said.data);
    else
        log_error("reload_refused", "reason=%Q", said.len ? said.data : "cannot be read");
    text_free(&said);
    notify_ready();
}

/* ---- housekeeping ---- */

static void publish(struct daemon *daemon)
{
    struct engine *engine = daemon->engine;
    struct text out = {0};
    status_line(engine, &out);
    notify_status(out.data);
    if (daemon->http) {
        text_clear(&out);
        metrics_append(engine, &out);
        http_publish(daemon->http, HTTP_METRICS, 200, out.data, out.len);
        http_publish(daemon->http, HTTP_HEALTHZ, 200, "alive\n", 6);
        text_clear(&out);
        bool ready = status_ready(engine, &out);
        text_append_string(&out, ready ? "ready\n" : "\n");
        http_publish(daemon->http, HTTP_READYZ, ready ? 200 : 503, out.data, out.len);
        text_clear(&out);
        status_screen(engine, &out);
        text_append_char(&out, '\n');
        status_shards(engine, &out);
        http_publish(daemon->http, HTTP_STATUS, 200, out.data, out.len);
    }
    text_free(&out);
}

static void on_housekeeping(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    commands_tick(&daemon->commands);
    int64_t now = (int64_t)uv_now(&daemon->loop);
    if (now - daemon->last_publish_ms < PUBLISH_MS)
        return;
    daemon->last_publish_ms = now;
    publish(daemon);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    notify_watchdog();
}

/* ---- start ---- */

static bool open_control(struct daemon *daemon)
{
    const struct config *config = daemon->engine->config;
    if (!config->control_socket[0] && !config->control_stat_socket[0])
        return true;
    struct control_options options = {
        .control_path = config->control_socket,
        .stat_path = config->control_stat_socket,
        .commands = commands_table,
        .command_count = commands_count,
        .context = &daemon->commands,
    };
    char error[CONTROL_ERROR_MAX];
    daemon->engine->control = control_open(&daemon->loop, &options, error);
    if (!daemon->engine->control)
        log_error("control_socket", "reason=%Q", error);
    return daemon->engine->control != NULL;
}

static bool open_http(struct daemon *daemon)
{
    const struct config *config = daemon->engine->config;
    if (!config->http.host)
        return true;
    char error[HTTP_ERROR_MAX];
    daemon->http = http_open(config->http.host, config->http.port, error);
    if (!daemon->http)
        log_error("http", "reason=%Q", error);
    return daemon->http != NULL;
}

static void watch_signal(struct daemon *daemon, uv_signal_t *handle, int number,
                         uv_signal_cb callback)
{
    uv_signal_init(&daemon->loop, handle);
    handle->data = daemon;
    uv_signal_start(handle, callback, number);
}

static void watch_timer(struct daemon *daemon, uv_timer_t *timer, uv_timer_cb callback,
                        int64_t period_ms)
{
    uv_timer_init(&daemon->loop, timer);
    timer->data = daemon;
    if (period_ms > 0)
        uv_timer_start(timer, callback, (uint64_t)period_ms, (uint64_t)period_ms);
}

/* Takes over config and model. */
static int run(struct config *config, struct model *model)
{
    static struct daemon daemon;
    signal(SIGPIPE, SIG_IGN);
    set_up_log(config);
    uv_loop_init(&daemon.loop);
    char error[KAFKA_ERROR_TEXT];
    daemon.engine = engine_open(&daemon.loop, config, model, error);
    if (!daemon.engine) {
        log_error("start_failed", "reason=%Q", error);
        uv_run(&daemon.loop, UV_RUN_DEFAULT);
        return EXIT_UNAVAILABLE;
    }
    daemon.engine->on_fatal = on_fatal;
    daemon.engine->on_fatal_context = &daemon;
    daemon.commands = (struct commands){
        .engine = daemon.engine, .reload = reload, .stop = stop, .context = &daemon};
    watch_signal(&daemon, &daemon.term, SIGTERM, on_terminate);
    watch_signal(&daemon, &daemon.interrupt, SIGINT, on_terminate);
    watch_signal(&daemon, &daemon.hangup, SIGHUP, on_hangup);
    watch_timer(&daemon, &daemon.housekeeping, on_housekeeping, HOUSEKEEPING_MS);
    watch_timer(&daemon, &daemon.watchdog, on_watchdog, notify_watchdog_interval_ms());
    if (!open_control(&daemon) || !open_http(&daemon)) {
        daemon.exit_status = EXIT_UNAVAILABLE;
        stop(&daemon);
    } else {
        log_info("started", "version=%s topic=%Q group=%Q", FRESHET_VERSION,
                 daemon.engine->config->kafka_topic, daemon.engine->config->kafka_group_id);
        publish(&daemon);
        notify_ready();
    }
    uv_run(&daemon.loop, UV_RUN_DEFAULT);
    uv_loop_close(&daemon.loop);
    log_info("stopped", "exit_status=%d", daemon.exit_status);
    return daemon.exit_status;
}

static int print(int status, struct text *out, struct text *err)
{
    fwrite(out->data ? out->data : "", 1, out->len, stdout);
    fwrite(err->data ? err->data : "", 1, err->len, stderr);
    text_free(out);
    text_free(err);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
        fputs("freshetd: standard output cannot be written\n", stderr);
        return EXIT_IO;
    }
    return status;
}

int main(int argc, char **argv)
{
#ifdef FRESHET_FAILPOINTS
    if (!failpoint_arm(getenv("FRESHET_FAILPOINT"))) {
        fputs("freshetd: FRESHET_FAILPOINT: see failpoint.h\n", stderr);
        return CONFIG_EXIT;
    }
#endif
    struct options options = options_parse(argc, argv);
    struct text out = {0};
    struct text err = {0};
    if (options.dump)
        return print(dump_run(options.dump, options.format, options.config, &out, &err), &out,
                     &err);
    if (options.check) {
        struct check_options check = {options_config(&options), options.online, options.sample};
        return print(check_run(&check, &out, &err), &out, &err);
    }
    struct config_errors errors = {0};
    struct config *config = config_load(options_config(&options), &errors);
    struct model *model = config ? model_load(config, &errors) : NULL;
    config_errors_print(&errors, &err);
    bool usable = model && errors.failures == 0;
    config_errors_free(&errors);
    print(0, &out, &err);
    if (usable)
        return run(config, model);
    model_free(model);
    config_free(config);
    return CONFIG_EXIT;
}
