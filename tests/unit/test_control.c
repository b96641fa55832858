/* The control sockets: parser, commands, limits, deferred replies, hostile clients. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control.h"
#include "control_parse.h"
#include "log.h"

/* The parser */

static enum control_parse_result parse(const char *bytes, size_t len, struct control_parse *out)
{
    static char buffer[CONTROL_REQUEST_MAX];
    memcpy(buffer, bytes, len);
    return control_parse(buffer, len, out);
}

static void parses_requests(void **state)
{
    (void)state;
    struct control_parse out;
    assert_int_equal(parse("GET a\r\nX", 8, &out), CONTROL_PARSE_REQUEST);
    assert_int_equal(out.count, 2);
    assert_int_equal(out.used, 7);
    assert_string_equal(out.arguments[1], "a");
    const char array[] = "*2\r\n$3\r\nGET\r\n$3\r\na\0b\r\n";
    assert_int_equal(parse(array, sizeof array - 1, &out), CONTROL_PARSE_REQUEST);
    assert_int_equal(out.lengths[1], 3);
    assert_memory_equal(out.arguments[1], "a\0b", 4);
    assert_int_equal(out.used, sizeof array - 1);
    for (size_t len = 0; len < sizeof array - 1; len++)
        assert_int_equal(parse(array, len, &out), CONTROL_PARSE_MORE);
    const char quoted[] = "GET \"a \\x41\\n\\\"\" 'b c' d'e'\n";
    assert_int_equal(parse(quoted, sizeof quoted - 1, &out), CONTROL_PARSE_REQUEST);
    assert_int_equal(out.count, 4);
    assert_string_equal(out.arguments[1], "a A\n\"");
    assert_string_equal(out.arguments[2], "b c");
    assert_string_equal(out.arguments[3], "de");
    assert_int_equal(parse("\r\n", 2, &out), CONTROL_PARSE_NOTHING);
    assert_int_equal(parse("*0\r\n", 4, &out), CONTROL_PARSE_NOTHING);
    assert_int_equal(parse("*-1\r\n", 5, &out), CONTROL_PARSE_NOTHING);
    assert_int_equal(out.used, 5);
}

static void refuses_broken_requests(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "*33\r\n",
        "*x\r\n",
        "*1\n",
        "*12345678901234567",
        "*99999999999999\r\n",
        "*1\r\nGET\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$1073741824\r\n",
        "*1\r\n$99999999999999999\r\n",
        "*1\r\n$3\r\nGETxx",
        "*1\r\n$\r\n",
        "GET / HTTP/1.1\r\n",
        "POST /metrics\r\n",
        "Host: localhost\r\n",
        "\x16\x03\x01",
        "GET \"abc\r\n",
        ("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 "
         "32 33\n"),
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct control_parse out;
        assert_int_equal(parse(broken[i], strlen(broken[i]), &out), CONTROL_PARSE_BROKEN);
        assert_non_null(out.why);
    }
    struct control_parse zero;
    assert_int_equal(parse("\0PING\r\n", 7, &zero), CONTROL_PARSE_BROKEN);
    char endless[CONTROL_REQUEST_MAX];
    struct control_parse out;
    memset(endless, 'a', sizeof endless);
    assert_int_equal(parse(endless, sizeof endless - 1, &out), CONTROL_PARSE_MORE);
    assert_int_equal(parse(endless, sizeof endless, &out), CONTROL_PARSE_BROKEN);
}

/* Any bytes: no crash, and nothing is used beyond the buffer. */
static void survives_noise(void **state)
{
    (void)state;
    static const char alphabet[] = "*$\r\n0123-\"'\\x ab";
    uint32_t seed = 1;
    for (int round = 0; round < 200000; round++) {
        char noise[64];
        size_t len = 1 + (size_t)round % sizeof noise;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            noise[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        struct control_parse out;
        char *exact = malloc(len);
        memcpy(exact, noise, len);
        enum control_parse_result result = control_parse(exact, len, &out);
        assert_true(out.used <= len);
        if (result == CONTROL_PARSE_REQUEST)
            for (int i = 0; i < out.count; i++)
                assert_int_equal(out.arguments[i][out.lengths[i]], '\0');
        free(exact);
    }
}

/* The server */

struct server {
    uv_loop_t loop;
    struct control *control;
    char directory[64], control_path[96], stat_path[96];
    uint64_t ticket;
    int closed;
};

static void cmd_echo(struct control_request *request)
{
    control_reply_array(request->client, (size_t)request->count);
    for (int i = 0; i < request->count; i++)
        control_reply_text(request->client, request->arguments[i], request->lengths[i]);
}

static void cmd_wait(struct control_request *request)
{
    ((struct server *)request->context)->ticket = control_defer(request);
}

static void cmd_lines(struct control_request *request)
{
    const char text[] = "one\ntwo\x1b[31m\n\nfour";
    control_reply_lines(request->client, text, sizeof text - 1);
}

static void cmd_large(struct control_request *request)
{
    size_t len = strtoul(request->arguments[0], NULL, 10);
    char *bytes = calloc(1, len);
    control_reply_text(request->client, bytes, len);
    free(bytes);
}

static void on_closed(void *context)
{
    ((struct server *)context)->closed++;
}

static void cmd_end(struct control_request *request)
{
    struct server *server = request->context;
    control_reply_status(request->client, "OK");
    control_close(server->control, on_closed, server);
    server->control = NULL;
}

static const struct control_command commands[] = {
    {"END", "", 0, 0, CONTROL_WRITE, cmd_end, "Closes the server."},
    {"PING", "[message]", 0, 1, CONTROL_READ, control_ping, "Answers."},
    {"HELP", "[command]", 0, 2, CONTROL_READ, control_help, "Helps."},
    {"COMMAND", "", 0, 0, CONTROL_READ, control_command, "Commands."},
    {"COMMAND DOCS", "[command ...]", 0, 30, CONTROL_READ, control_command_docs, "Documents."},
    {"HELLO", "[2]", 0, 5, CONTROL_READ, control_hello, "Greets."},
    {"ECHO", "words ...", 0, 31, CONTROL_READ, cmd_echo, "Says it again."},
    {"LINES", "", 0, 0, CONTROL_READ, cmd_lines, "Text."},
    {"LARGE", "bytes", 1, 1, CONTROL_READ, cmd_large, "Much."},
    {"WAIT", "", 0, 0, CONTROL_WRITE, cmd_wait, "Answers later."},
    {"LOG LEVEL", "[level]", 0, 1, CONTROL_WRITE, cmd_echo, "Two words."},
};

static void quiet(const char *line, size_t len)
{
    (void)line;
    (void)len;
}

static struct control *open_control(struct server *server, char *error)
{
    struct control_options options = {.control_path = server->control_path,
                                      .stat_path = server->stat_path,
                                      .commands = commands,
                                      .command_count = sizeof commands / sizeof commands[0],
                                      .context = server};
    return control_open(&server->loop, &options, error);
}

static int start(void **state)
{
    struct server *server = calloc(1, sizeof *server);
    char error[CONTROL_ERROR_MAX] = "";
    log_configure(&(struct log_sink){.write = quiet});
    snprintf(server->directory, sizeof server->directory, "/tmp/freshet-control-XXXXXX");
    assert_non_null(mkdtemp(server->directory));
    snprintf(server->control_path, sizeof server->control_path, "%s/c", server->directory);
    snprintf(server->stat_path, sizeof server->stat_path, "%s/s", server->directory);
    uv_loop_init(&server->loop);
    server->control = open_control(server, error);
    assert_string_equal(error, "");
    assert_non_null(server->control);
    *state = server;
    return 0;
}

static int stop(void **state)
{
    struct server *server = *state;
    if (server->control != NULL)
        control_close(server->control, on_closed, server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    assert_int_equal(server->closed, 1);
    assert_int_equal(uv_loop_close(&server->loop), 0);
    assert_int_equal(access(server->control_path, F_OK), -1);
    assert_int_equal(rmdir(server->directory), 0);
    free(server);
    return 0;
}

static void turn(struct server *server)
{
    for (int i = 0; i < 8; i++)
        uv_run(&server->loop, UV_RUN_NOWAIT);
}

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    assert_int_equal(errno, EAGAIN);
    close(fd);
    return -1;
}

/* What the server has answered by now; "EOF" at the end when it has closed. */
static const char *answer(struct server *server, int fd)
{
    static char bytes[64 * 1024];
    size_t len = 0;
    turn(server);
    for (;;) {
        ssize_t got = recv(fd, bytes + len, sizeof bytes - 8 - len, MSG_DONTWAIT);
        if (got > 0)
            len += (size_t)got;
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            len += (size_t)snprintf(bytes + len, 8, "EOF");
        if (got <= 0)
            break;
        turn(server);
    }
    bytes[len] = '\0';
    return bytes;
}

static const char *ask(struct server *server, int fd, const char *request)
{
    size_t len = strlen(request);
    assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), len);
    return answer(server, fd);
}

static void answers_commands(void **state)
{
    struct server *server = *state;
    int fd = dial(server->control_path);
    assert_string_equal(ask(server, fd, "ping\r\n"), "+PONG\r\n");
    assert_string_equal(ask(server, fd, "*2\r\n$4\r\nPING\r\n$2\r\nhi\r\n"), "$2\r\nhi\r\n");
    assert_string_equal(ask(server, fd, "PING\nPING\n\nPING\n"), "+PONG\r\n+PONG\r\n+PONG\r\n");
    assert_string_equal(ask(server, fd, "ECHO a b\n"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assert_string_equal(ask(server, fd, "log level debug\n"), "*1\r\n$5\r\ndebug\r\n");
    assert_string_equal(ask(server, fd, "LINES\n"),
                        "*4\r\n+one\r\n+two\\x1b[31m\r\n+\r\n+four\r\n");
    assert_non_null(strstr(ask(server, fd, "LOG\n"), "-ERR wrong arguments: LOG LEVEL"));
    assert_non_null(strstr(ask(server, fd, "LOG COLOUR\n"), "-ERR wrong arguments: LOG LEVEL"));
    assert_non_null(strstr(ask(server, fd, "LO\n"),
                           "-ERR unknown command 'LO': COMMAND HELP lists all"));
    assert_non_null(strstr(ask(server, fd, "COMMAND HELP\n"), "+PING [message]\r\n"));
    assert_non_null(strstr(ask(server, fd, "LARGE\n"), "-ERR wrong number of arguments: LARGE b"));
    assert_string_equal(ask(server, fd, "LARGE 0\n"), "$0\r\n\r\n");
    assert_non_null(strstr(ask(server, fd, "QUIT\nPING\n"), "+OK\r\nEOF"));
    close(fd);
}

static void is_what_redis_clients_expect(void **state)
{
    struct server *server = *state;
    int fd = dial(server->stat_path);
    assert_non_null(strstr(ask(server, fd, "HELLO 2\n"), "freshetd"));
    assert_non_null(strstr(ask(server, fd, "HELLO 3\n"), "-NOPROTO"));
    assert_string_equal(ask(server, fd, "CLIENT SETINFO LIB-NAME x\n"), "+OK\r\n");
    assert_string_equal(ask(server, fd, "CLIENT SETNAME x\n"), "+OK\r\n");
    assert_string_equal(ask(server, fd, "SELECT 0\n"), "+OK\r\n");
    assert_non_null(strstr(ask(server, fd, "SELECT 1\n"), "-ERR"));
    assert_string_equal(ask(server, fd, "RESET\n"), "+RESET\r\n");
    assert_string_equal(ask(server, fd, "COMMAND COUNT\n"), ":10\r\n");
    assert_non_null(strstr(ask(server, fd, "COMMAND LIST\n"), "*10\r\n$3\r\nend"));
    assert_non_null(
        strstr(ask(server, fd, "COMMAND INFO large\n"), "*1\r\n*6\r\n$5\r\nlarge\r\n:2"));
    assert_non_null(strstr(ask(server, fd, "COMMAND\n"), "*10\r\n*6\r\n$3\r\nend\r\n:1"));
    assert_non_null(strstr(ask(server, fd, "COMMAND DOCS log\n"), "$9\r\nlog|level\r\n"));
    assert_non_null(strstr(ask(server, fd, "COMMAND DOCS\n"), "*20\r\n$3\r\nend"));
    assert_non_null(strstr(ask(server, fd, "HELP\n"), "+LOG LEVEL [level]\r\n+    Two words."));
    assert_string_equal(ask(server, fd, "HELP echo\n"),
                        "*2\r\n+ECHO words ...\r\n+    Says it again.\r\n");
    assert_non_null(strstr(ask(server, fd, "HELP LOG LEVEL\n"), "LOG LEVEL"));
    assert_non_null(strstr(ask(server, fd, "HELP nothing\n"), "-ERR no such command"));
    close(fd);
}

static void stat_socket_is_read_only(void **state)
{
    struct server *server = *state;
    struct stat found;
    int fd = dial(server->stat_path);
    assert_non_null(strstr(ask(server, fd, "LOG LEVEL debug\n"), "-NOPERM"));
    assert_non_null(strstr(ask(server, fd, "WAIT\n"), "-NOPERM"));
    close(fd);
    assert_int_equal(stat(server->control_path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(stat(server->stat_path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0660);
}

static void deferred_replies(void **state)
{
    struct server *server = *state;
    int fd = dial(server->control_path);
    assert_string_equal(ask(server, fd, "WAIT\nPING\n"), "");
    struct control_client *client = control_resume(server->control, server->ticket);
    assert_non_null(client);
    control_reply_status(client, "DONE");
    assert_string_equal(answer(server, fd), "+DONE\r\n+PONG\r\n");
    assert_null(control_resume(server->control, server->ticket));

    assert_string_equal(ask(server, fd, "WAIT\n"), "");
    shutdown(fd, SHUT_WR); /* as `echo WAIT | nc -N -U` does: it still wants the reply */
    usleep(1100 * 1000);
    turn(server);
    client = control_resume(server->control, server->ticket);
    assert_non_null(client);
    control_reply_status(client, "DONE");
    assert_string_equal(answer(server, fd), "+DONE\r\nEOF");
    close(fd);

    fd = dial(server->control_path);
    assert_string_equal(ask(server, fd, "WAIT\n"), "");
    close(fd);
    usleep(1100 * 1000);
    turn(server);
    assert_null(control_resume(server->control, server->ticket));
    assert_int_equal(control_counts(server->control).clients, 0);
}

static void broken_clients_are_closed(void **state)
{
    struct server *server = *state;
    static const char *const requests[] = {"*1\r\n$1073741824\r\n", "POST / HTTP/1.1\r\n",
                                           "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "*100\r\n"};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int fd = dial(server->stat_path);
        const char *got = ask(server, fd, requests[i]);
        assert_memory_equal(got, "-ERR ", 5);
        assert_non_null(strstr(got, "\r\nEOF"));
        close(fd);
    }
    int fd = dial(server->stat_path);
    const char *got = ask(server, fd, "LARGE 1048600\n");
    assert_non_null(strstr(got, "larger than 1 MiB\r\nEOF"));
    close(fd);
    turn(server);
    assert_int_equal(control_counts(server->control).refused, 5);
    assert_int_equal(control_counts(server->control).clients, 0);
}

/* As SHUTDOWN does. */
static void a_handler_may_close_the_server(void **state)
{
    struct server *server = *state;
    int fd = dial(server->control_path), other = dial(server->stat_path);
    assert_string_equal(ask(server, other, "PING\n"), "+PONG\r\n");
    assert_string_equal(ask(server, fd, "END\nPING\n"), "+OK\r\nEOF");
    assert_string_equal(answer(server, other), "EOF");
    close(fd);
    close(other);
}

/* A client that asks for much and reads nothing is held at a bound and closed after a while. */
static void slow_reader_is_bounded(void **state)
{
    struct server *server = *state;
    int fd = dial(server->stat_path);
    size_t sent = 0;
    for (int i = 0; i < 2000; i++) {
        ssize_t wrote = send(fd, "LARGE 100000\n", 13, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += wrote > 0 ? (size_t)wrote : 0;
        uv_run(&server->loop, UV_RUN_NOWAIT);
    }
    assert_true(control_counts(server->control).requests < 50);
    const char *got = answer(server, fd);
    assert_non_null(got);
    assert_true(sent > 0);
    close(fd);
    turn(server);
}

static void too_many_clients(void **state)
{
    struct server *server = *state;
    unsigned max = CONTROL_CLIENTS_MAX + (geteuid() == 0 ? CONTROL_CLIENTS_ROOT : 0);
    int fds[CONTROL_CLIENTS_MAX + CONTROL_CLIENTS_ROOT];
    for (unsigned i = 0; i < max; i++) {
        fds[i] = dial(server->stat_path);
        turn(server);
    }
    assert_int_equal(control_counts(server->control).clients, max);
    for (int i = 0; i < 500; i++) {
        int fd = dial(server->stat_path);
        assert_true(fd >= 0);
        assert_string_equal(answer(server, fd), "-ERR max number of clients reached\r\nEOF");
        close(fd);
    }
    assert_string_equal(ask(server, fds[0], "PING\n"), "+PONG\r\n");
    for (unsigned i = 0; i < max; i++)
        close(fds[i]);
    turn(server);
    assert_int_equal(control_counts(server->control).clients, 0);
    int fd = dial(server->stat_path);
    assert_string_equal(ask(server, fd, "PING\n"), "+PONG\r\n");
    close(fd);
}

static void only_one_instance(void **state)
{
    struct server *server = *state;
    char error[CONTROL_ERROR_MAX] = "";
    assert_null(open_control(server, error));
    assert_non_null(strstr(error, "another process answers there"));
    turn(server);

    /* A socket file nobody listens at is replaced, another kind of file is not. */
    struct server second = {.loop = {0}};
    uv_loop_init(&second.loop);
    snprintf(second.control_path, sizeof second.control_path, "%s/old", server->directory);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", second.control_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    second.control = open_control(&second, error);
    assert_non_null(second.control);
    control_close(second.control, on_closed, &second);
    uv_run(&second.loop, UV_RUN_DEFAULT);
    assert_int_equal(access(second.control_path, F_OK), -1);

    fd = open(second.control_path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    assert_null(open_control(&second, error));
    assert_non_null(strstr(error, "no socket"));
    uv_run(&second.loop, UV_RUN_DEFAULT);
    assert_int_equal(unlink(second.control_path), 0);
    assert_int_equal(uv_loop_close(&second.loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_requests),
        cmocka_unit_test(refuses_broken_requests),
        cmocka_unit_test(survives_noise),
        cmocka_unit_test_setup_teardown(answers_commands, start, stop),
        cmocka_unit_test_setup_teardown(is_what_redis_clients_expect, start, stop),
        cmocka_unit_test_setup_teardown(stat_socket_is_read_only, start, stop),
        cmocka_unit_test_setup_teardown(deferred_replies, start, stop),
        cmocka_unit_test_setup_teardown(broken_clients_are_closed, start, stop),
        cmocka_unit_test_setup_teardown(a_handler_may_close_the_server, start, stop),
        cmocka_unit_test_setup_teardown(slow_reader_is_bounded, start, stop),
        cmocka_unit_test_setup_teardown(too_many_clients, start, stop),
        cmocka_unit_test_setup_teardown(only_one_instance, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
