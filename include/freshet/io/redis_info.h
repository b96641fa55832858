/* What the INFO command tells about a Redis server. */
#ifndef FRESHET_REDIS_INFO_H
#define FRESHET_REDIS_INFO_H

#include <stdbool.h>
#include <stdint.h>

enum { REDIS_WORD_MAX = 48 };

/* Empty or 0 when unknown: the user may lack the right to ask. */
struct redis_info {
    char version[REDIS_WORD_MAX];
    char run_id[REDIS_WORD_MAX];
    char role[REDIS_WORD_MAX];
    char mode[REDIS_WORD_MAX]; /* standalone, sentinel, cluster */
    char maxmemory_policy[REDIS_WORD_MAX];
    int64_t used_memory;
    int64_t maxmemory;
};

void redis_info_parse(const char *text, struct redis_info *info);
/* Redis may drop rows that are alive: its maxmemory-policy is not noeviction. */
bool redis_info_evicts(const struct redis_info *info);

#endif
