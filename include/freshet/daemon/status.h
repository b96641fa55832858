/* What people and machines see of the running daemon; everything is appended as text. */
#ifndef FRESHET_STATUS_H
#define FRESHET_STATUS_H

#include <stdbool.h>

#include "engine.h"
#include "text.h"

/* Sums over the shards we have and those that are gone; gauges of those we have. */
void status_total(const struct engine *engine, struct shard_status *total);
int64_t status_lag(const struct engine *engine); /* -1: not known yet */
/* The smallest watermark of shards that are not idle (W3); EVENT_TIME_MIN: none. */
struct event_time status_watermark(const struct engine *engine);

/* Calls alarm for each that stands: a name, and a sentence on what it means and what to do. */
typedef void status_alarm(void *context, const char *name, const char *sentence);
void status_alarms(const struct engine *engine, status_alarm *alarm, void *context);
/* Whether /readyz says yes; appends what is missing. */
bool status_ready(const struct engine *engine, struct text *why_not);

void status_screen(const struct engine *engine, struct text *out);
void status_line(const struct engine *engine, struct text *out);
/* False: there is no such section; NULL is all. */
bool status_info(const struct engine *engine, const char *section, struct text *out);
void status_shards(const struct engine *engine, struct text *out);
void status_lags(const struct engine *engine, struct text *out);
void status_fates(const struct engine *engine, struct text *out);
void status_features(const struct engine *engine, struct text *out);
void status_schemas(const struct engine *engine, struct text *out);
/* False: no shard of ours has the key. */
bool status_row(struct engine *engine, const char *key, size_t len, struct text *out);
bool status_explain(struct engine *engine, const char *key, size_t len, struct text *out);

/* status_work.c: what is under way and how far it is, on one line; nothing when nothing is. */
void status_work(const struct engine *engine, struct text *out);

/* metrics.c: every row of metrics.def, in Prometheus' text form. */
void metrics_append(const struct engine *engine, struct text *out);

/* How old the newest durable checkpoint is; while there is none, how long it has been wanted. */
int64_t status_checkpoint_age_ms(const struct partition *partition);

#endif
