/* The tables of --dump: each is filled from its .def file and rendered in one way. */
#include "dump.h"

#include <string.h>

#include "jsonout.h"
#include "rowavro.h"

const char *const dump_names[] = {"config",  "features", "operators", "metrics",
                                  "control", "fates",    "rebalances", NULL};
const char *const dump_formats[] = {"text", "md", "json", "man", "ini", "avsc", NULL};

enum { EXIT_USAGE = 64 };

static void set_head(struct table *table, const char *const *columns, int column_count,
                     const char *page, const char *title, const char *about)
{
    table->columns = columns;
    table->column_count = column_count;
    table->page = page;
    table->section = "7";
    table->title = title;
    table->about = about;
}

static void dump_fates(struct table *table)
{
    static const char *const columns[] = {"fate", "output", "meaning"};
    set_head(table, columns, 3, "freshet-fates", "what becomes of a record",
             "Every record that freshetd consumes ends in exactly one fate. They are tried in "
             "this order, and the first that applies wins.");
#define GOES_TO_KEPT  "features"
#define GOES_TO_QUIET "counted only"
#define GOES_TO_LATE  "late.topic"
#define GOES_TO_DEAD  "late.dead_letter_topic"
#define FATE(id, name, class, sentence)                                                            \
    table_add(table, #name), table_add(table, GOES_TO_##class), table_add(table, sentence);
#include "fates.def"
#undef FATE
}

static void dump_rebalances(struct table *table)
{
    static const char *const columns[] = {"property", "value", "mended in", "meaning"};
    set_head(table, columns, 4, "freshet-rebalances", "how a group may share partitions",
             "Which rebalance protocols may be asked for in [kafka]: what has a reason is refused "
             "while the librdkafka that is loaded is older than the version that mended it.");
#define EVER                    ""
#define IN(major, minor, patch) #major "." #minor "." #patch
#define NEVER                   "never"
#define REBALANCE(property, value, before, sentence)                                               \
    table_add(table, property), table_add(table, value), table_add(table, before),                 \
        table_add(table, sentence);
#include "rebalances.def"
#undef REBALANCE
}

static void dump_metrics(struct table *table)
{
    static const char *const columns[] = {"metric", "kind", "labels", "meaning"};
    set_head(table, columns, 4, "freshet-metrics", "metrics of freshetd",
             "What /metrics and the command METRICS show, in Prometheus' text form, and what to "
             "do about it. Times are in seconds.");
#define KIND_COUNTER   "counter"
#define KIND_GAUGE     "gauge"
#define KIND_HISTOGRAM "histogram"
#define METRIC(ID, name, kind, labels, sentence)                                                   \
    table_add(table, #name), table_add(table, KIND_##kind), table_add(table, labels),              \
        table_add(table, sentence);
#include "metrics.def"
#undef METRIC
}

static void dump_control(struct table *table)
{
    static const char *const columns[] = {"command", "arguments", "sockets", "meaning"};
    set_head(table, columns, 4, "freshet-control", "commands of freshetd's control sockets",
             "The commands of freshetctl and redis-cli -s SOCKET. Reading commands are taken on "
             "control.socket and control.stat_socket, all others on control.socket only.");
#define SOCKETS_READ  "both"
#define SOCKETS_WRITE "control.socket"
#define COMMAND(ID, name, arguments, min, max, access, handler, sentence)                          \
    table_add(table, name), table_add(table, arguments), table_add(table, SOCKETS_##access),       \
        table_add(table, sentence);
#include "control.def"
#undef COMMAND
}

static const char *const kinds[] = {
    [VALUE_NULL] = "null",     [VALUE_BOOL] = "bool",   [VALUE_LONG] = "long",
    [VALUE_DOUBLE] = "double", [VALUE_STRING] = "string", [VALUE_BYTES] = "bytes",
    [VALUE_LIST] = "list",     [VALUE_MAP] = "map",
};

/* Examples of operators: what stands behind `op =`, and what it shows. */
static const struct {
    const char *op, *value;
} examples[OPERATOR_COUNT_OF] = {
#define OPERATOR(ID, name, argument, parameter, scope, result, state, flags, example, value,       \
                 sentence)                                                                         \
    {example, value},
#include "operators.def"
#undef OPERATOR
};

static void append_flags(unsigned flags, struct text *out)
{
    static const char *const names[] = {"mergeable", "ordered", "unbounded", "approximate"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (flags & 1U << i)
            text_printf(out, "%s%s", out->len > 0 ? ", " : "", names[i]);
}

static void dump_operators(struct table *table)
{
    static const char *const columns[] = {"operator", "over",  "result", "flags",
                                          "example",  "shows", "meaning"};
    static const char *const arguments[] = {
        [NO_ARG] = "", [OPT_ARG] = "([expression])", [ANY_ARG] = "(expression",
        [NUMBER_ARG] = "(number", [RATIO_ARGS] = "(feature, feature, alpha = x, beta = y",
    };
    static const char *const overs[] = {
        [FOLDED] = "session, duration or lifetime",
        [FRAME] = "(its session)",
        [DERIVED] = "(its features)",
    };
    static const char *const results[] = {
        [LONG] = "long", [DOUBLE] = "double", [BOOL] = "bool", [SAME] = "type of the argument",
        [LIST] = "list", [SUM] = "long or double",
    };
    set_head(table, columns, 7, "freshet-operators", "what a feature can be",
             "A features file has one section [feature NAME] a feature. Its keys: op (an operator "
             "of this page), where (only events for which this expression is true), over (session, "
             "a duration or lifetime), hop (step at which old events leave the window), default "
             "(shown when there is nothing), by (an expression: the feature is a map with a value "
             "for each group of events), cap (the groups shown, those with the most events; 32 "
             "when left out), on (event, or session: folds sessions once they can no longer "
             "change).\n\n"
             "Expressions know the fields of the reader schema by path (page.url, items[0].sku, "
             "props[\"utm\"]), ts (event time in ms), numbers, texts in quotes, true, false, null, "
             "comparisons, and, or, not, in (...), is null, is not null, + - * /, "
             "hour_of_day(ts) and day_of_week(ts). With on = session they know session_id, "
             "session_start, session_last, session_duration, session_event_count, mean_gap and ts "
             "(the session's last) instead.\n\n"
             "Each example is what the operator shows after these events of one user, on 5 January "
             "2026: 09:00 view sock; 10:00 impression hat 10; 10:04 click coat 40; 10:06 click hat "
             "10; 10:07 view shoe; 10:10 purchase hat 20. That is event_time, event_type, item_id "
             "and price; the gap is 30m, so the sock is a session of its own. It is over = session "
             "(decayed_sum: lifetime); clicks and impressions are counts of such events.");
    static const char *const parameters[] = {
        [NO_PARAMETER] = "", [LENGTH] = ", n", [FRACTION] = ", fraction",
        [HALF_LIFE] = ", half-life",
    };
    struct text text = {0};
    for (int i = 0; i < OPERATOR_COUNT_OF; i++) {
        const struct operator_row *row = &operator_rows[i];
        bool closes = row->argument != NO_ARG && row->argument != OPT_ARG;
        text_clear(&text);
        text_printf(&text, "%s%s%s%s", row->name, arguments[row->argument],
                    parameters[row->parameter], closes ? ")" : "");
        table_add(table, text.data);
        table_add(table, row->parameter == HALF_LIFE ? "lifetime" : overs[row->scope]);
        table_add(table, results[row->result]);
        text_clear(&text);
        append_flags(row->flags, &text);
        table_add(table, text.len > 0 ? text.data : "");
        table_add(table, examples[i].op);
        table_add(table, examples[i].value);
        table_add(table, row->sentence);
    }
    text_free(&text);
}

/* What stands in the parentheses of `op =`. */
static void append_arguments(const struct feature_set *set, const struct feature *feature,
                             struct text *out)
{
    if (feature->argument >= 0)
        text_append_string(out, expr_canonical(set->arguments[feature->argument]));
    else if (operator_rows[feature->op].scope == DERIVED)
        text_printf(out, "%s, %s, %.15g, %.15g", set->features[feature->operands[0]].name,
                    set->features[feature->operands[1]].name, feature->alpha, feature->beta);
    feature_parameter_append(out, feature);
}

/* The columns over and hop. */
static void add_reach(struct table *table, const struct feature_set *set,
                      const struct feature *feature)
{
    struct text text = {0};
    const struct feature_window *window = &set->windows[feature->window < 0 ? 0 : feature->window];
    if (feature->window < 0 || feature_window_is_lifetime(window)) {
        bool folded = operator_rows[feature->op].scope == FOLDED;
        table_add(table, feature->window >= 0 ? "lifetime" : folded ? "session" : "");
        table_add(table, "");
        return;
    }
    text_append_duration(&text, window->length.ms);
    table_add(table, text.data);
    text_clear(&text);
    text_append_duration(&text, window->hop.ms);
    table_add(table, text.data);
    text_free(&text);
}

void dump_features(const struct feature_set *set, struct table *table)
{
    static const char *const columns[] = {"feature", "type",    "operator", "argument", "over",
                                          "hop",     "default", "by",       "on",       "where"};
    set_head(table, columns, 10, "freshet-features", "features", "The features in use.");
    struct text text = {0};
    for (int i = 0; i < set->count; i++) {
        const struct feature *feature = &set->features[i];
        table_add(table, feature->name);
        text_clear(&text);
        text_printf(&text, "%s%s",
                    feature->by >= 0   ? "map of "
                    : feature->is_list ? "list of "
                                       : "",
                    kinds[feature->kind.type]);
        table_add(table, text.data);
        table_add(table, operator_rows[feature->op].name);
        text_clear(&text);
        append_arguments(set, feature, &text);
        table_add(table, text.len > 0 ? text.data : "");
        add_reach(table, set, feature);
        text_clear(&text);
        if (feature->has_fallback)
            jsonout_value(&text, feature->fallback);
        table_add(table, feature->has_fallback ? text.data : "");
        text_clear(&text);
        if (feature->by >= 0)
            text_printf(&text, "%s cap %u", expr_canonical(set->arguments[feature->by]),
                        feature->cap);
        table_add(table, feature->by >= 0 ? text.data : "");
        table_add(table, feature->on_session ? "session" : "");
        table_add(table,
                  feature->where >= 0 ? expr_canonical(set->predicates[feature->where]) : "");
    }
    text_free(&text);
}

/* The schema of a row in layout packed. */
static void dump_avsc(const struct config *config, struct config_errors *errors, struct text *out)
{
    struct model *model = model_load(config, errors);
    if (model) {
        rowavro_schema(model->set, out);
        text_append_char(out, '\n');
    }
    model_free(model);
}

/* False when what must be read for the dump is wrong. */
static bool fill(const char *name, const struct config *config, struct config_errors *errors,
                 struct table *table)
{
    if (strcmp(name, "config") == 0) {
        dump_config(config, table);
    } else if (strcmp(name, "features") == 0) {
        struct model *model = model_load(config, errors);
        if (model)
            dump_features(model->set, table);
        model_free(model);
    } else if (strcmp(name, "operators") == 0) {
        dump_operators(table);
    } else if (strcmp(name, "metrics") == 0) {
        dump_metrics(table);
    } else if (strcmp(name, "control") == 0) {
        dump_control(table);
    } else if (strcmp(name, "rebalances") == 0) {
        dump_rebalances(table);
    } else {
        dump_fates(table);
    }
    return errors->failures == 0;
}

static int format_of(const char *format)
{
    int i = 0;
    while (strcmp(dump_formats[i], format) != 0)
        i++;
    return i;
}

int dump_run(const char *name, const char *format, const char *path, struct text *out,
             struct text *err)
{
    text_append_string(out, ""); /* never NULL, for whoever prints them */
    text_append_string(err, "");
    bool ini = strcmp(format, "ini") == 0, avsc = strcmp(format, "avsc") == 0;
    bool about_config = strcmp(name, "config") == 0, about_features = strcmp(name, "features") == 0;
    if (ini && !about_config) {
        text_append_string(err, "freshetd: only --dump config has the format ini\n");
        return EXIT_USAGE;
    }
    if (avsc && !about_features) {
        text_append_string(err, "freshetd: only --dump features has the format avsc\n");
        return EXIT_USAGE;
    }
    if (about_features && !path) {
        text_append_string(err, "freshetd: --dump features needs a configuration (-c FILE)\n");
        return EXIT_USAGE;
    }
    struct config_errors errors = {0};
    struct config *config =
        path && (about_config || about_features) ? config_load(path, &errors) : NULL;
    struct table table = {0};
    if (errors.failures == 0 && ini)
        dump_ini(config, out);
    else if (errors.failures == 0 && avsc)
        dump_avsc(config, &errors, out);
    else if (errors.failures == 0 && fill(name, config, &errors, &table))
        table_render(&table, (enum table_format)format_of(format), out);
    config_errors_print(&errors, err);
    int status = errors.failures > 0 ? CONFIG_EXIT : 0;
    table_free(&table);
    config_free(config);
    config_errors_free(&errors);
    return status;
}
