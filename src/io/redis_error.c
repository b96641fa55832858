/* One row an error: adding one needs nothing else. */
#include "redis_error.h"

#include <stddef.h>
#include <string.h>

static const struct redis_error errors[] = {
    {"FENCED", REDIS_TROUBLE_NONE, REDIS_REMEDY_NONE},
    {"ROLLBACK", REDIS_TROUBLE_NONE, REDIS_REMEDY_NONE},
    {"NOSCRIPT", REDIS_TROUBLE_ODD, REDIS_REMEDY_LOAD},
    {"LOADING", REDIS_TROUBLE_BUSY, REDIS_REMEDY_WAIT},
    {"MASTERDOWN", REDIS_TROUBLE_BUSY, REDIS_REMEDY_WAIT},
    {"TRYAGAIN", REDIS_TROUBLE_BUSY, REDIS_REMEDY_WAIT},
    {"BUSY", REDIS_TROUBLE_BUSY, REDIS_REMEDY_WAIT},
    {"READONLY", REDIS_TROUBLE_REPLICA, REDIS_REMEDY_RECONNECT},
    {"OOM", REDIS_TROUBLE_FULL, REDIS_REMEDY_WAIT_LONG},
    {"MISCONF", REDIS_TROUBLE_FULL, REDIS_REMEDY_WAIT_LONG},
    {"NOREPLICAS", REDIS_TROUBLE_FULL, REDIS_REMEDY_WAIT_LONG},
    {"NOAUTH", REDIS_TROUBLE_DENIED, REDIS_REMEDY_WAIT_LONG},
    {"WRONGPASS", REDIS_TROUBLE_DENIED, REDIS_REMEDY_WAIT_LONG},
    {"NOPERM", REDIS_TROUBLE_DENIED, REDIS_REMEDY_WAIT_LONG},
    {"MOVED", REDIS_TROUBLE_CLUSTER, REDIS_REMEDY_WAIT_LONG},
    {"ASK", REDIS_TROUBLE_CLUSTER, REDIS_REMEDY_WAIT_LONG},
    {"CROSSSLOT", REDIS_TROUBLE_CLUSTER, REDIS_REMEDY_WAIT_LONG},
    {"CLUSTERDOWN", REDIS_TROUBLE_CLUSTER, REDIS_REMEDY_WAIT_LONG},
};
static const struct redis_error unknown = {"", REDIS_TROUBLE_ODD, REDIS_REMEDY_WAIT_LONG};

const struct redis_error *redis_error_find(const char *text)
{
    size_t len = strcspn(text, " ");
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strlen(errors[i].word) == len && memcmp(errors[i].word, text, len) == 0)
            return &errors[i];
    return &unknown;
}

const char *redis_error_trouble_name(enum redis_trouble trouble)
{
    static const char *const names[] = {
#define X(ID, name, sentence) #name,
        REDIS_TROUBLES(X)
#undef X
    };
    return names[trouble];
}

const char *redis_error_trouble_sentence(enum redis_trouble trouble)
{
    static const char *const sentences[] = {
#define X(ID, name, sentence) sentence,
        REDIS_TROUBLES(X)
#undef X
    };
    return sentences[trouble];
}
