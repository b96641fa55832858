/* INFO is lines of name:value; we look up the few names that matter. */
#include "redis_info.h"

#include <string.h>

#include "text.h"

/* Copies the value of `name`, empty when it is absent; a longer one is cut. */
static void find(const char *text, const char *name, char word[REDIS_WORD_MAX])
{
    size_t name_len = strlen(name);
    word[0] = '\0';
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, name_len) != 0 || line[name_len] != ':')
            continue;
        const char *value = line + name_len + 1;
        size_t len = strcspn(value, "\r\n");
        if (len >= REDIS_WORD_MAX)
            len = REDIS_WORD_MAX - 1;
        memcpy(word, value, len);
        word[len] = '\0';
        return;
    }
}

static int64_t find_long(const char *text, const char *name)
{
    char word[REDIS_WORD_MAX];
    int64_t number;
    find(text, name, word);
    return text_parse_long(word, &number) ? number : 0;
}

void redis_info_parse(const char *text, struct redis_info *info)
{
    find(text, "redis_version", info->version);
    find(text, "run_id", info->run_id);
    find(text, "role", info->role);
    find(text, "redis_mode", info->mode);
    find(text, "maxmemory_policy", info->maxmemory_policy);
    info->used_memory = find_long(text, "used_memory");
    info->maxmemory = find_long(text, "maxmemory");
}

bool redis_info_evicts(const struct redis_info *info)
{
    return info->maxmemory_policy[0] && strcmp(info->maxmemory_policy, "noeviction") != 0;
}
