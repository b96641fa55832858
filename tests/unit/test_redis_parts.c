/* Redis addresses, the table of errors, INFO: what needs no server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "redis_address.h"
#include "redis_error.h"
#include "redis_info.h"

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        struct redis_address address;
    } good[] = {
        {"redis://127.0.0.1:6379/0", {.host = "127.0.0.1", .port = 6379}},
        {"redis://cache", {.host = "cache", .port = 6379}},
        {"redis://cache/", {.host = "cache", .port = 6379}},
        {"redis://app@cache:1/15", {.host = "cache", .port = 1, .db = 15, .user = "app"}},
        {"redis://[::1]:7000/2", {.host = "::1", .port = 7000, .db = 2}},
        {"redis://[fe80::1]", {.host = "fe80::1", .port = 6379}},
        {"unix:///run/redis.sock", {.path = "/run/redis.sock", .port = 6379}},
        {"unix:///a?db=3", {.path = "/a", .port = 6379, .db = 3}},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct redis_address address;
        char error[256] = "";
        if (!redis_address_parse(good[i].url, &address, error, sizeof error))
            fail_msg("%s: %s", good[i].url, error);
        assert_string_equal(address.host, good[i].address.host);
        assert_string_equal(address.path, good[i].address.path);
        assert_string_equal(address.user, good[i].address.user);
        assert_int_equal(address.port, good[i].address.port);
        assert_int_equal(address.db, good[i].address.db);
    }
}

static void wrong_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *hint;
    } bad[] = {
        {"", "redis://host"},          {"localhost:6379", "redis://host"},
        {"rediss://h", "TLS"},         {"redis://", "host or port"},
        {"redis://:6379", "host"},     {"redis://h:", "host or port"},
        {"redis://h:0", "port"},       {"redis://h:65536", "port"},
        {"redis://h:12x", "port"},     {"redis://h/x", "database"},
        {"redis://h/-1", "database"},  {"redis://u:p@h", "redis.password"},
        {"redis://@h", "user"},        {"redis://[::1", "host"},
        {"redis://[::1]x", "port"},    {"unix://relative", "absolute"},
        {"unix:///a?x=1", "?db="},     {"unix:///a?db=", "?db="},
        {"redis://h/0/1", "database"}, {"redis://h:1/0?x", "database"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct redis_address address;
        char error[256] = "";
        if (redis_address_parse(bad[i].url, &address, error, sizeof error))
            fail_msg("%s was taken", bad[i].url);
        if (!strstr(error, bad[i].hint))
            fail_msg("%s: %s", bad[i].url, error);
    }
    char url[600], error[256];
    struct redis_address address;
    snprintf(url, sizeof url, "redis://%0500d", 1);
    assert_false(redis_address_parse(url, &address, error, sizeof error));
    snprintf(url, sizeof url, "unix:///%0108d", 1);
    assert_false(redis_address_parse(url, &address, error, sizeof error));
}

static void errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum redis_trouble trouble;
        enum redis_remedy remedy;
    } cases[] = {
        {"LOADING Redis is loading the dataset in memory", REDIS_TROUBLE_BUSY, REDIS_REMEDY_WAIT},
        {"MASTERDOWN Link with MASTER is down", REDIS_TROUBLE_BUSY, REDIS_REMEDY_WAIT},
        {"READONLY x", REDIS_TROUBLE_REPLICA, REDIS_REMEDY_RECONNECT},
        {"MISCONF x", REDIS_TROUBLE_FULL, REDIS_REMEDY_WAIT_LONG},
        {"MOVED 1 host:1", REDIS_TROUBLE_CLUSTER, REDIS_REMEDY_WAIT_LONG},
        {"ASK 1 host:1", REDIS_TROUBLE_CLUSTER, REDIS_REMEDY_WAIT_LONG},
        {"NOSCRIPT No matching script", REDIS_TROUBLE_ODD, REDIS_REMEDY_LOAD},
        {"FENCED x", REDIS_TROUBLE_NONE, REDIS_REMEDY_NONE},
        {"ROLLBACK", REDIS_TROUBLE_NONE, REDIS_REMEDY_NONE},
        {"BUSYKEY x", REDIS_TROUBLE_ODD, REDIS_REMEDY_WAIT_LONG}, /* not BUSY */
        {"ERR max number of clients reached", REDIS_TROUBLE_ODD, REDIS_REMEDY_WAIT_LONG},
        {"", REDIS_TROUBLE_ODD, REDIS_REMEDY_WAIT_LONG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct redis_error *error = redis_error_find(cases[i].text);
        assert_int_equal(error->trouble, cases[i].trouble);
        assert_int_equal(error->remedy, cases[i].remedy);
    }
    assert_string_equal(redis_error_trouble_name(REDIS_TROUBLE_FULL), "full");
    assert_non_null(strstr(redis_error_trouble_sentence(REDIS_TROUBLE_DENIED), "redis.password"));
}

static void info(void **state)
{
    (void)state;
    struct redis_info info;
    redis_info_parse("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"
                     "run_id:0123456789012345678901234567890123456789\r\n# Memory\r\n"
                     "used_memory:1234\r\nused_memory_rss:99\r\nmaxmemory:5000\r\n"
                     "maxmemory_policy:volatile-ttl\r\n\r\n# Replication\r\nrole:master",
                     &info);
    assert_string_equal(info.version, "7.0.15");
    assert_string_equal(info.mode, "standalone");
    assert_string_equal(info.role, "master");
    assert_int_equal(strlen(info.run_id), 40);
    assert_int_equal(info.used_memory, 1234);
    assert_int_equal(info.maxmemory, 5000);
    assert_true(redis_info_evicts(&info));

    redis_info_parse("maxmemory_policy:noeviction\n"
                     "run_id:a line that is longer than anything that Redis would ever send here\n",
                     &info);
    assert_false(redis_info_evicts(&info));
    assert_int_equal(strlen(info.run_id), REDIS_WORD_MAX - 1);
    redis_info_parse("", &info);
    assert_string_equal(info.version, "");
    assert_int_equal(info.maxmemory, 0);
    assert_false(redis_info_evicts(&info)); /* unknown is not an alarm */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(wrong_addresses),
        cmocka_unit_test(errors),
        cmocka_unit_test(info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
