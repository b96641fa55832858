/* Log lines: quoting, escaping, cutting, levels, rate limits, JSON; and failed assertions. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "expect.h"
#include "log.h"

static char last[2 * LOG_LINE_MAX];
static int lines;
static int64_t clock_ms = 1769817600123;

static void catch_line(const char *line, size_t len)
{
    assert_true(len < sizeof last);
    assert_int_equal(line[len - 1], '\n');
    memcpy(last, line, len - 1);
    last[len - 1] = '\0';
    assert_null(strchr(last, '\n'));
    lines++;
}

static int64_t now_ms(void)
{
    return clock_ms;
}

static void configure(bool json, bool with_time, bool with_clock)
{
    log_configure(&(struct log_sink){with_clock ? now_ms : NULL, catch_line, json, with_time});
    log_set_level(LOG_INFO);
    lines = 0;
}

static void formatting(void **state)
{
    (void)state;
    configure(false, false, false);
    log_info("redis_connected", "host=%s port=%d", "localhost", 6379);
    assert_string_equal(last, "<6>level=info event=redis_connected host=localhost port=6379");
    log_error("x", "a=%Q b=%Q c=%.*Q", "two words", "q\"\\\n", 3, "abcdef");
    assert_string_equal(last,
                        "<3>level=error event=x a=\"two words\" b=\"q\\\"\\\\\\n\" c=\"abc\"");
    log_warning("x", "n=%Q", (const char *)NULL);
    assert_string_equal(last, "<4>level=warning event=x n=\"\"");
    log_info("empty", "%s", "");
    assert_string_equal(last, "<6>level=info event=empty");
    log_info("x", "d=%ld u=%lu z=%zu x=%x c=%c p=%% f=%.2f w=%5d s=%.*s q=%lld h=%hd o=%04o", -5L,
             18446744073709551615UL, (size_t)7, 255u, 'c', 1.005, 42, 2, "abc", INT64_C(-9), 3, 8u);
    assert_string_equal(last, "<6>level=info event=x d=-5 u=18446744073709551615 z=7 x=ff c=c p=% "
                              "f=1.00 w=   42 s=ab q=-9 h=3 o=0010");
}

static void control_bytes(void **state)
{
    (void)state;
    configure(false, false, false);
    log_info("x", "a=%s b=%Q", "1\n<3>forged\x1b[2J", "\r\x7f\xff");
    assert_string_equal(last, "<6>level=info event=x a=1\\x0a<3>forged\\x1b[2J "
                              "b=\"\\r\\u007f\xef\xbf\xbd\"");
}

static void long_lines(void **state)
{
    (void)state;
    char huge[5000];
    memset(huge, 'y', sizeof huge);
    huge[sizeof huge - 1] = '\0';
    configure(false, false, false);
    log_info("x", "a=%Q", huge);
    assert_int_equal(strlen(last) + 1, LOG_LINE_MAX);
    assert_string_equal(last + strlen(last) - 3, "...");
    configure(true, false, false);
    log_info("x", "a=1 b=%Q c=2", huge);
    assert_string_equal(last, "<6>{\"level\":\"info\",\"event\":\"x\",\"a\":1,\"cut\":true}");
}

static void json(void **state)
{
    (void)state;
    configure(true, true, true);
    log_info("x", "a=%Q b=%d c=007 d=-3 e=%s f=1.5 g= h", "say \"hi\"", 12, "w\"\\\xff");
    assert_string_equal(last,
                        "{\"ts\":\"2026-01-31T00:00:00.123Z\",\"level\":\"info\",\"event\":\"x\","
                        "\"a\":\"say \\\"hi\\\"\",\"b\":12,\"c\":\"007\",\"d\":-3,"
                        "\"e\":\"w\\\"\\\\\xef\xbf\xbd\",\"f\":\"1.5\",\"g\":\"\",\"h\":\"\"}");
    configure(false, true, true);
    log_info("x", "a=%d", 1);
    assert_string_equal(last, "ts=2026-01-31T00:00:00.123Z level=info event=x a=1");
}

static void level_filter(void **state)
{
    (void)state;
    configure(false, false, false);
    log_debug("x", "a=%d", 1);
    assert_int_equal(lines, 0);
    log_set_level(LOG_DEBUG);
    assert_int_equal(log_get_level(), LOG_DEBUG);
    log_debug("x", "a=%d", 1);
    assert_string_equal(last, "<7>level=debug event=x a=1");
    log_set_level(LOG_ERROR);
    log_warning("x", "a=%d", 1);
    assert_int_equal(lines, 1);
}

static void say(int number)
{
    log_info("often", "n=%d", number);
}

static void rate_limit(void **state)
{
    (void)state;
    configure(false, false, true);
    for (int k = 0; k < 25; k++)
        say(k);
    assert_int_equal(lines, LOG_SITE_BURST);
    assert_string_equal(last, "<6>level=info event=often n=9");
    log_info("other", "n=%d", 1); /* another site has its own share */
    assert_int_equal(lines, LOG_SITE_BURST + 1);
    clock_ms += LOG_SITE_PERIOD_S * 1000 - 1;
    say(25);
    assert_int_equal(lines, LOG_SITE_BURST + 1);
    clock_ms += 1;
    say(26);
    assert_string_equal(last, "<6>level=info event=often n=26 suppressed=16");
    say(27);
    assert_string_equal(last, "<6>level=info event=often n=27");
    for (int k = 0; k < LOG_SITE_BURST; k++)
        say(k);
    clock_ms -= 3600000; /* a clock that was set back does not silence */
    say(28);
    assert_string_equal(last, "<6>level=info event=often n=28 suppressed=2");
}

static _Atomic int whole_lines;

static void count_line(const char *line, size_t len)
{
    static const char expected[] = "<6>level=info event=thread n=";
    if (memcmp(line, expected, sizeof expected - 1) == 0 && line[len - 1] == '\n')
        whole_lines++;
}

static void *talk(void *unused)
{
    for (int k = 0; k < 1000; k++)
        log_info("thread", "n=%d text=%Q", k, "two words");
    return unused;
}

static void threads(void **state)
{
    (void)state;
    log_configure(&(struct log_sink){.write = count_line});
    pthread_t talkers[4];
    for (int k = 0; k < 4; k++)
        assert_int_equal(pthread_create(&talkers[k], NULL, talk, NULL), 0);
    for (int k = 0; k < 4; k++)
        pthread_join(talkers[k], NULL);
    assert_int_equal(whole_lines, 4000);
}

static void failed_expect(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        expect_context = (struct expect_context){"clicks", 3, 1234};
        expect(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    char out[512] = "";
    size_t len = 0;
    for (ssize_t n; (n = read(ends[0], out + len, sizeof out - 1 - len)) > 0;)
        len += (size_t)n;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(out, "condition=\"1 + 1 == 3\" place="));
    assert_non_null(strstr(out, " topic=clicks partition=3 offset=1234\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formatting), cmocka_unit_test(control_bytes), cmocka_unit_test(long_lines),
        cmocka_unit_test(json),       cmocka_unit_test(level_filter),  cmocka_unit_test(rate_limit),
        cmocka_unit_test(threads),    cmocka_unit_test(failed_expect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
