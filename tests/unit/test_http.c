/* The HTTP pages: content, status, limits, hostile clients; also publishing while they are read. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "http.h"
#include "notify.h"

enum { ANSWER_MAX = 256 * 1024 };

static int start(void **state)
{
    char error[HTTP_ERROR_MAX];
    struct http *http = http_open("127.0.0.1", 0, error);
    assert_non_null(http);
    *state = http;
    return 0;
}

static int stop(void **state)
{
    http_close(*state);
    return 0;
}

static int dial(struct http *http)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_port(http)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* The whole answer; to be freed. */
static char *ask(struct http *http, const char *method, const char *path)
{
    char request[256], *answer = malloc(ANSWER_MAX + 1);
    int fd = dial(http);
    int len = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\n"
                       "Connection: close\r\n\r\n", method, path);
    assert_int_equal(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
    size_t got = 0;
    for (;;) {
        ssize_t more = recv(fd, answer + got, ANSWER_MAX - got, 0);
        if (more <= 0)
            break;
        got += (size_t)more;
    }
    close(fd);
    answer[got] = '\0';
    return answer;
}

static void expect_answer(struct http *http, const char *method, const char *path, int status,
                          const char *part)
{
    char first[32];
    char *answer = ask(http, method, path);
    snprintf(first, sizeof first, "HTTP/1.1 %d ", status);
    assert_memory_equal(answer, first, strlen(first));
    assert_non_null(strstr(answer, part));
    free(answer);
}

static void serves_pages(void **state)
{
    struct http *http = *state;
    expect_answer(http, "GET", "/metrics", 503, "starting");
    expect_answer(http, "GET", "/readyz", 503, "starting");
    http_publish(http, HTTP_METRICS, 200, "up 1\n", 5);
    http_publish(http, HTTP_HEALTHZ, 200, "alive\n", 6);
    http_publish(http, HTTP_READYZ, 503, "lag 5\n", 6);
    http_publish(http, HTTP_STATUS, 200, "a < b & c", 9);
    expect_answer(http, "GET", "/metrics", 200, "\r\n\r\nup 1\n");
    expect_answer(http, "GET", "/metrics", 200, "text/plain; version=0.0.4");
    expect_answer(http, "HEAD", "/metrics", 200, "Content-Length: 5");
    expect_answer(http, "GET", "/healthz", 200, "alive");
    expect_answer(http, "GET", "/readyz", 503, "lag 5");
    expect_answer(http, "GET", "/", 200, "<pre>a &lt; b &amp; c</pre>");
    expect_answer(http, "GET", "/other", 404, "/healthz");
    expect_answer(http, "POST", "/metrics", 405, "Allow: GET");
    http_publish(http, HTTP_READYZ, 200, "ready\n", 6);
    expect_answer(http, "GET", "/readyz?verbose", 200, "ready");
}

static void says_when_it_cannot_listen(void **state)
{
    char error[HTTP_ERROR_MAX] = "";
    assert_null(http_open("127.0.0.1", http_port(*state), error));
    assert_non_null(strstr(error, "cannot listen"));
    assert_null(http_open("no such host", 1, error));
    struct http *six = http_open("::1", 0, error);
    if (six != NULL) /* a machine may have no IPv6 */
        http_close(six);
}

/* Connections that only hang are closed beyond the bound, and the others are still served. */
static void survives_idle_connections(void **state)
{
    struct http *http = *state;
    int fds[HTTP_CONNECTIONS_MAX * 3];
    http_publish(http, HTTP_HEALTHZ, 200, "alive\n", 6);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        fds[i] = dial(http);
        assert_true(send(fds[i], "GET /heal", 9, MSG_NOSIGNAL) > 0);
    }
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        close(fds[i]);
    usleep(100 * 1000);
    expect_answer(http, "GET", "/healthz", 200, "alive");
}

struct race {
    struct http *http;
    atomic_bool over;
};

static void *publish_all_the_time(void *data)
{
    struct race *race = data;
    char page[100000];
    for (char letter = 'a'; !atomic_load(&race->over); letter = letter == 'z' ? 'a' : letter + 1) {
        memset(page, letter, sizeof page);
        http_publish(race->http, HTTP_METRICS, 200, page, sizeof page);
        usleep(100);
    }
    return NULL;
}

/* Every answer is one whole page. */
static void pages_are_whole(void **state)
{
    struct race race = {.http = *state};
    pthread_t thread;
    http_publish(race.http, HTTP_METRICS, 200, "", 0);
    pthread_create(&thread, NULL, publish_all_the_time, &race);
    for (int i = 0; i < 200; i++) {
        char *answer = ask(race.http, "GET", "/metrics");
        char *body = strstr(answer, "\r\n\r\n");
        assert_non_null(body);
        body += 4;
        size_t len = strlen(body);
        assert_true(len == 0 || len == 100000);
        for (size_t at = 1; at < len; at++)
            if (body[at] != body[0])
                fail_msg("two pages in one");
        free(answer);
    }
    atomic_store(&race.over, true);
    pthread_join(thread, NULL);
}

/* The other door to the outside: what the service manager is told. */
static void notifies_the_service_manager(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char got[512];
    (void)state;
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/freshet-notify-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(notify_watchdog_interval_ms(), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    setenv("WATCHDOG_USEC", "20000000", 1);
    notify_ready();
    notify_status("one");
    notify_status("one");
    notify_watchdog();
    notify_reloading();
    notify_stopping();
    notify_extend_ms(5);
    int64_t interval_ms = notify_watchdog_interval_ms();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unlink(address.sun_path);
    if (interval_ms == 0) {
        close(fd);
        print_message("built without libsystemd: nothing is sent\n");
        skip();
    }
    static const char *const expected[] = {"READY=1",     "STATUS=one", "WATCHDOG=1",
                                           "RELOADING=1", "STOPPING=1", "EXTEND_TIMEOUT_USEC=5000"};
    assert_int_equal(interval_ms, 10000);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        ssize_t len = recv(fd, got, sizeof got - 1, 0);
        assert_true(len > 0);
        got[len] = '\0';
        assert_memory_equal(got, expected[i], strlen(expected[i]));
    }
    assert_int_equal(recv(fd, got, sizeof got, 0), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(serves_pages, start, stop),
        cmocka_unit_test_setup_teardown(says_when_it_cannot_listen, start, stop),
        cmocka_unit_test_setup_teardown(survives_idle_connections, start, stop),
        cmocka_unit_test_setup_teardown(pages_are_whole, start, stop),
        cmocka_unit_test(notifies_the_service_manager),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
