/* An expected row against the one that there is. */
#ifndef FRESHET_FEATURE_COMPARE_H
#define FRESHET_FEATURE_COMPARE_H

#include "jsontree.h"
#include "row.h"
#include "text.h"

/* Appends a line for each feature of expected, an object of values by feature, that the row shows
 * otherwise. Numbers are equal when they differ by a billionth at most. Returns how many differ; -1
 * when expected names something that is no feature, with the reason in out. */
int feature_compare(const struct json_node *expected, const struct row *row, struct text *out);

#endif
