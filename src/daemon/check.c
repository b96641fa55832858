/* Checks the files, and says what they amount to. */
#include "check.h"

#include <sysexits.h>

#include "check_online.h"
#include "config.h"
#include "model.h"


static void summarize(const struct config *config, const struct model *model, struct text *out)
{
    text_printf(out, "configuration is valid: %s\n", config->path);
    text_printf(out, "topic      %s at %s, group %s\n", config->kafka_topic,
                config->kafka_bootstrap_servers, config->kafka_group_id);
    text_printf(out, "schema     %s, %d of its fields are used; framing %s\n",
                config->schema_reader, model->slot_count,
                config_rows[CONFIG_ROW_schema_framing].words[config->schema_framing]);
    text_printf(out, "event      key %s, time %s\n", config->event_key, config->event_time);
    text_printf(out, "features   %d of %s, version %016llx, reach ", model->set->count,
                config->features_file, (unsigned long long)model->set->version);
    text_append_duration(out, config_reach_ms(config, model->set));
    text_append_string(out, "\nredis      ");
    config_append_value(config, &config_rows[CONFIG_ROW_redis_url], out);
    text_printf(out, ", keys %s%s, expiry ", config->redis_prefix, config->redis_key);
    text_append_duration(out, config_ttl_ms(config, model->set));
    text_append_char(out, '\n');
}

int check_run(const struct check_options *options, struct text *out, struct text *err)
{
    text_append_string(out, ""); /* never NULL, for whoever prints them */
    text_append_string(err, "");
    struct config_errors errors = {0};
    struct config *config = config_load(options->path, &errors);
    struct model *model = config ? model_load(config, &errors) : NULL;
    int status = errors.failures > 0 ? CONFIG_EXIT : 0;
    if (status == 0)
        summarize(config, model, out);
    if (status == 0 && options->online) {
        check_online(config, model, options->sample, out, &errors);
        status = errors.failures > 0 ? EX_UNAVAILABLE : 0;
    }
    config_errors_print(&errors, err);
    model_free(model);
    config_free(config);
    config_errors_free(&errors);
    return status;
}
