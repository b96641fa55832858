/* Which rebalance protocols may be asked for, by the version of librdkafka that is loaded. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kafka_private.h"

#define EVER                    0
#define IN(major, minor, patch) ((major) << 24 | (minor) << 16 | (patch) << 8)
#define NEVER                   INT_MAX

static const struct {
    const char *property, *value;
    int before; /* as rd_kafka_version() has it */
    const char *sentence;
} rows[] = {
#define REBALANCE(property, value, before, sentence) {property, value, before, sentence},
#include "rebalances.def"
#undef REBALANCE
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static void refuse(size_t row, int version, char *error)
{
    char end[32] = "";
    int mended = rows[row].before;
    if (mended != NEVER)
        snprintf(end, sizeof end, " Mended in %d.%d.%d.", mended >> 24, mended >> 16 & 0xff,
                 mended >> 8 & 0xff);
    snprintf(error, KAFKA_ERROR_TEXT, "%s = %s cannot be used with librdkafka %d.%d.%d: %s%s",
             rows[row].property, rows[row].value, version >> 24, version >> 16 & 0xff,
             version >> 8 & 0xff, rows[row].sentence, end);
}

static bool value_fits(const char *property, const char *value, size_t len, int version,
                       char *error)
{
    bool known = false;
    for (size_t k = 0; k < ROW_COUNT; k++) {
        if (strcmp(rows[k].property, property) != 0 || strlen(rows[k].value) != len ||
            strncmp(rows[k].value, value, len) != 0)
            continue;
        known = true;
        if (version < rows[k].before) {
            refuse(k, version, error);
            return false;
        }
    }
    if (!known)
        snprintf(error, KAFKA_ERROR_TEXT, "%s = %.*s is not known to freshet", property, (int)len,
                 value);
    return known;
}

bool kafka_rebalance_fits(const char *property, const char *value, int version, char *error)
{
    bool concerned = false;
    for (size_t k = 0; k < ROW_COUNT; k++)
        concerned |= strcmp(rows[k].property, property) == 0;
    for (const char *at = value; concerned; at++) { /* a list, separated by commas */
        size_t len = strcspn(at, ",");
        if (!value_fits(property, at, len, version, error))
            return false;
        at += len;
        if (*at == '\0')
            break;
    }
    return true;
}
