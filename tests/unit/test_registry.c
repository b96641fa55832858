/* The registry client against a scripted server: answers, references, outages, limits, cache. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "registry.h"

enum { ANSWERS_MAX = 64 };

struct route {
    const char *path;
    int status;
    const char *body;
    int times; /* how often it answers so before the next route of that path; 0: for ever */
};

struct answer {
    struct registry_key key;
    bool found;
    bool from_cache;
    char text[256]; /* of the schema and its references, or why not */
};

struct fixture {
    uv_loop_t loop;
    uv_tcp_t server;
    int port;
    struct route *routes; /* ended by a NULL path */
    int requests;
    char last_request[4096];
    struct registry *registry;
    char directory[64];
    struct answer answers[ANSWERS_MAX];
    int answered;
    int closed;
};

/* The server: one request a connection. */

struct peer {
    uv_tcp_t tcp;
    uv_write_t write;
    struct fixture *fixture;
    char request[4096];
    size_t len;
    char *response;
};

static void on_peer_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;
    free(peer->response);
    free(peer);
}

static void peer_close(struct peer *peer)
{
    if (!uv_is_closing((uv_handle_t *)&peer->tcp))
        uv_close((uv_handle_t *)&peer->tcp, on_peer_closed);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    peer_close(write->data);
}

static void respond(struct peer *peer)
{
    struct fixture *fixture = peer->fixture;
    static const struct route none = {NULL, 404, "{\"error_code\":40403}", 0};
    const struct route *found = &none;
    char path[1024] = "";
    sscanf(peer->request, "GET %1000s", path);
    fixture->requests++;
    memcpy(fixture->last_request, peer->request, sizeof peer->request);
    for (struct route *route = fixture->routes; route->path != NULL && found == &none; route++) {
        if (strcmp(route->path, path) != 0 || route->times < 0)
            continue;
        found = route;
        if (route->times > 0 && --route->times == 0)
            route->times = -1;
    }
    if (found->status == 0) /* hangs */
        return;
    size_t size = strlen(found->body) + 256;
    peer->response = malloc(size);
    int len = snprintf(peer->response, size, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s"
                       "Connection: close\r\n\r\n%s", found->status, strlen(found->body),
                       found->status == 302 ? "Location: /subjects\r\n" : "", found->body);
    uv_buf_t buffer = uv_buf_init(peer->response, (unsigned)len);
    peer->write.data = peer;
    uv_write(&peer->write, (uv_stream_t *)&peer->tcp, &buffer, 1, on_written);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    struct peer *peer = handle->data;
    (void)size;
    size_t room = sizeof peer->request - 1 - peer->len;
    *buffer = uv_buf_init(peer->request + peer->len, (unsigned)room);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct peer *peer = stream->data;
    (void)buffer;
    if (got < 0) {
        peer_close(peer);
        return;
    }
    peer->len += (size_t)got;
    if (strstr(peer->request, "\r\n\r\n") != NULL)
        respond(peer);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct peer *peer = calloc(1, sizeof *peer);
    assert_int_equal(status, 0);
    peer->fixture = server->data;
    peer->tcp.data = peer;
    uv_tcp_init(server->loop, &peer->tcp);
    assert_int_equal(uv_accept(server, (uv_stream_t *)&peer->tcp), 0);
    uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_read);
}

/* The client's side */

static void on_done(void *context, const struct registry_key *key,
                    const struct registry_schema *schema, const char *why)
{
    struct fixture *fixture = context;
    struct answer *answer = &fixture->answers[fixture->answered++];
    assert_true(fixture->answered < ANSWERS_MAX);
    answer->key = *key;
    answer->found = schema != NULL;
    if (schema == NULL) {
        snprintf(answer->text, sizeof answer->text, "%s", why);
        return;
    }
    answer->from_cache = schema->from_cache;
    size_t len = 0;
    for (size_t i = 0; i < schema->reference_count; i++)
        len += (size_t)snprintf(answer->text + len, sizeof answer->text - len, "%s=%s ",
                                schema->references[i].name, schema->references[i].text);
    snprintf(answer->text + len, sizeof answer->text - len, "%s", schema->text);
}

static void quiet(const char *line, size_t len)
{
    (void)line;
    (void)len;
}

static void open_registry(struct fixture *fixture, const char *prefix, const char *cache)
{
    char url[128], error[REGISTRY_ERROR_MAX];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", fixture->port, prefix);
    struct registry_options options = {
        .url = url, .user = "me", .password = "secret", .cache = cache, .timeout_ms = 300};
    fixture->registry = registry_open(&fixture->loop, &options, error);
    assert_non_null(fixture->registry);
}

static int start(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    static struct route nothing[] = {{NULL, 0, NULL, 0}};
    struct sockaddr_in address;
    int len = sizeof address;
    log_configure(&(struct log_sink){.write = quiet});
    snprintf(fixture->directory, sizeof fixture->directory, "/tmp/freshet-registry-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->routes = nothing;
    uv_loop_init(&fixture->loop);
    uv_tcp_init(&fixture->loop, &fixture->server);
    fixture->server.data = fixture;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&fixture->server, (struct sockaddr *)&address, 0);
    assert_int_equal(uv_listen((uv_stream_t *)&fixture->server, 128, on_connection), 0);
    uv_tcp_getsockname(&fixture->server, (struct sockaddr *)&address, &len);
    fixture->port = ntohs(address.sin_port);
    open_registry(fixture, "/api/v7/", NULL);
    *state = fixture;
    return 0;
}

static void on_closed(void *context)
{
    ((struct fixture *)context)->closed++;
}

static void close_registry(struct fixture *fixture)
{
    int before = fixture->closed;
    registry_close(fixture->registry, on_closed, fixture);
    while (fixture->closed == before)
        uv_run(&fixture->loop, UV_RUN_ONCE);
}

/* Files of the cache; removes them too. */
static int count_files(struct fixture *fixture, bool remove)
{
    DIR *directory = opendir(fixture->directory);
    struct dirent *entry;
    int count = 0;
    while ((entry = readdir(directory)) != NULL) {
        char path[400];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", fixture->directory, entry->d_name);
        count++;
        if (remove)
            unlink(path);
    }
    closedir(directory);
    return count;
}

static int stop(void **state)
{
    struct fixture *fixture = *state;
    close_registry(fixture);
    uv_close((uv_handle_t *)&fixture->server, NULL);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    count_files(fixture, true);
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

static void get(struct fixture *fixture, int32_t id)
{
    struct registry_key key = {.id = id};
    registry_get(fixture->registry, &key, on_done, fixture);
}

/* Also wakes the loop: one turn may wait although a timer's call has just answered. */
static void on_tick(uv_timer_t *timer)
{
    if (++*(int *)timer->data > 2000)
        fail_msg("no answer in time");
}

static void wait_for(struct fixture *fixture, int answers)
{
    uv_timer_t timer;
    int ticks = 0;
    uv_timer_init(&fixture->loop, &timer);
    timer.data = &ticks;
    uv_timer_start(&timer, on_tick, 10, 10);
    while (fixture->answered < answers)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    assert_int_equal(fixture->answered, answers);
}

static void on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void run_for(struct fixture *fixture, uint64_t ms)
{
    uv_timer_t timer;
    bool over = false;
    uv_timer_init(&fixture->loop, &timer);
    timer.data = &over;
    uv_timer_start(&timer, on_time, ms, 0);
    while (!over)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static void finds_a_schema_once(void **state)
{
    struct fixture *fixture = *state;
    struct route routes[] = {{"/api/v7/schemas/ids/7", 200, "{\"schema\":\"\\\"int\\\"\"}", 0},
                             {NULL, 0, NULL, 0}};
    fixture->routes = routes;
    for (int i = 0; i < 3; i++)
        get(fixture, 7);
    assert_int_equal(fixture->answered, 0);
    wait_for(fixture, 3);
    assert_int_equal(fixture->requests, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(fixture->answers[i].found);
        assert_string_equal(fixture->answers[i].text, "\"int\"");
    }
    assert_non_null(strstr(fixture->last_request, "Authorization: Basic bWU6c2VjcmV0\r\n"));
    assert_int_equal(registry_health(fixture->registry)->ok, 1);
    assert_int_equal(registry_health(fixture->registry)->waiting, 0);
}

static void asks_by_guid(void **state)
{
    struct fixture *fixture = *state;
    struct registry_key key = {.is_guid = true,
                               .guid = {0x89, 0x79, 0x17, 0x62, 0x23, 0x36, 0x41, 0x86, 0x96, 0x74,
                                        0x29, 0x9b, 0x90, 0xa8, 0x02, 0xe2}};
    struct route routes[] = {
        {"/api/v7/schemas/guids/89791762-2336-4186-9674-299b90a802e2", 200,
         "{\"schema\":\"\\\"long\\\"\",\"schemaType\":\"AVRO\",\"references\":[]}", 0},
        {NULL, 0, NULL, 0}};
    fixture->routes = routes;
    registry_get(fixture->registry, &key, on_done, fixture);
    wait_for(fixture, 1);
    assert_string_equal(fixture->answers[0].text, "\"long\"");
}

#define REFERENCE(name, subject) "{\"name\":\"" name "\",\"subject\":\"" subject "\",\"version\":3}"

static void resolves_references(void **state)
{
    struct fixture *fixture = *state;
    struct route routes[] = {
        {"/api/v7/schemas/ids/1", 200,
         "{\"schema\":\"R\",\"references\":[" REFERENCE("A", "a/1 x") "," REFERENCE("B", "b")
         "]}", 0},
        {"/api/v7/subjects/a%2F1%20x/versions/3", 200,
         "{\"schema\":\"a\",\"references\":[" REFERENCE("C", "c") "]}", 0},
        {"/api/v7/subjects/b/versions/3", 200,
         "{\"schema\":\"b\",\"references\":[" REFERENCE("C", "c") "]}", 0},
        {"/api/v7/subjects/c/versions/3", 200, "{\"schema\":\"c\"}", 0},
        {"/api/v7/schemas/ids/2", 200,
         "{\"schema\":\"R\",\"references\":[" REFERENCE("L", "loop") "]}", 0},
        {"/api/v7/subjects/loop/versions/3", 200,
         "{\"schema\":\"l\",\"references\":[" REFERENCE("L", "loop") "]}", 0},
        {"/api/v7/schemas/ids/3", 200,
         "{\"schema\":\"R\",\"references\":[" REFERENCE("X", "gone") "]}", 0},
        {NULL, 0, NULL, 0}};
    fixture->routes = routes;
    get(fixture, 1);
    wait_for(fixture, 1);
    assert_string_equal(fixture->answers[0].text, "C=c A=a B=b R");
    assert_int_equal(fixture->requests, 4);
    get(fixture, 2);
    wait_for(fixture, 2);
    assert_string_equal(fixture->answers[1].text, "L=l R");
    get(fixture, 3);
    wait_for(fixture, 3);
    assert_false(fixture->answers[2].found);
    assert_non_null(strstr(fixture->answers[2].text, "does not know gone version 3"));
}

static void believes_in_missing_after_some_tries(void **state)
{
    struct fixture *fixture = *state;
    struct route routes[] = {
        {"/api/v7/schemas/ids/2", 404, "{\"error_code\":40403}", 2},
        {"/api/v7/schemas/ids/2", 200, "{\"schema\":\"late\"}", 0},
        {NULL, 0, NULL, 0}};
    fixture->routes = routes;
    get(fixture, 1);
    get(fixture, 2);
    wait_for(fixture, 2);
    assert_int_equal(fixture->requests, 2 * REGISTRY_UNKNOWN_TRIES);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fixture->answers[i].found, fixture->answers[i].key.id == 2);
    get(fixture, 1); /* remembered */
    wait_for(fixture, 3);
    assert_false(fixture->answers[2].found);
    assert_int_equal(fixture->requests, 2 * REGISTRY_UNKNOWN_TRIES);
    assert_true(registry_health(fixture->registry)->reachable);

    for (int id = 100; id < 120; id++) { /* garbage in numbers: one try each in the end */
        get(fixture, id);
        wait_for(fixture, fixture->answered + 1);
    }
    int before = fixture->requests;
    get(fixture, 200);
    wait_for(fixture, fixture->answered + 1);
    assert_int_equal(fixture->requests, before + 1);
}

static char *large_text(void)
{
    size_t len = REGISTRY_RESPONSE_MAX + 100;
    char *large = malloc(len + 1);
    memset(large, ' ', len);
    large[len] = '\0';
    return large;
}

static void outages_are_no_answer(void **state)
{
    struct fixture *fixture = *state;
    char *large = large_text();
    struct route routes[] = {
        {"/api/v7/schemas/ids/1", 503, "down", 1},
        {"/api/v7/schemas/ids/1", 502, large, 1}, /* however much is said about it */
        {"/api/v7/schemas/ids/1", 0, "", 1}, /* hangs: time-out */
        {"/api/v7/schemas/ids/1", 200, "<html>proxy</html>", 1},
        {"/api/v7/schemas/ids/1", 401, "", 1},
        {"/api/v7/schemas/ids/1", 200, "{\"schema\":\"x\"}", 0},
        {NULL, 0, NULL, 0}};
    fixture->routes = routes;
    get(fixture, 1);
    for (int i = 0; i < 500 && fixture->requests < 5; i++)
        run_for(fixture, 20);
    assert_int_equal(fixture->requests, 5);
    run_for(fixture, 30);
    free(large);
    const struct registry_health *health = registry_health(fixture->registry);
    assert_false(health->reachable);
    assert_non_null(strstr(health->error, "registry_password"));
    assert_int_equal(health->waiting, 1);
    wait_for(fixture, 1);
    assert_true(fixture->answers[0].found);
    assert_true(health->reachable);
    assert_int_equal(health->errors, 5);
}

/* More 404 than are believed otherwise. */
static void back_from_an_outage_it_may_be_empty(void **state)
{
    struct fixture *fixture = *state;
    struct route routes[] = {
        {"/api/v7/schemas/ids/1", 503, "", 1},
        {"/api/v7/schemas/ids/1", 404, "{\"error_code\":40403}", REGISTRY_UNKNOWN_TRIES + 1},
        {"/api/v7/schemas/ids/1", 200, "{\"schema\":\"x\"}", 0},
        {NULL, 0, NULL, 0}};
    fixture->routes = routes;
    get(fixture, 1);
    wait_for(fixture, 1);
    assert_true(fixture->answers[0].found);
}

static void refuses_what_is_no_avro_schema(void **state)
{
    struct fixture *fixture = *state;
    char *large = large_text();
    struct route routes[] = {
        {"/api/v7/schemas/ids/1", 200, "{\"schema\":\"x\",\"schemaType\":\"PROTOBUF\"}", 0},
        {"/api/v7/schemas/ids/2", 200, large, 0},
        {NULL, 0, NULL, 0}};
    fixture->routes = routes;
    get(fixture, 1);
    get(fixture, 2);
    wait_for(fixture, 2);
    for (int i = 0; i < 2; i++) {
        assert_false(fixture->answers[i].found);
        assert_non_null(strstr(fixture->answers[i].text,
                               fixture->answers[i].key.id == 1 ? "PROTOBUF" : "larger"));
    }
    free(large);
}

static void keeps_schemas_on_disk(void **state)
{
    struct fixture *fixture = *state;
    struct route routes[] = {
        {"/r/schemas/ids/1", 200, "{\"schema\":\"\\\"R\\\"\",\"references\":["
         REFERENCE("A", "a") "]}", 0},
        {"/r/subjects/a/versions/3", 200, "{\"schema\":\"a\"}", 0},
        {"/other/schemas/ids/1", 200, "{\"schema\":\"other\"}", 0},
        {NULL, 0, NULL, 0}};
    char path[128], byte;
    fixture->routes = routes;
    close_registry(fixture);
    open_registry(fixture, "/r", fixture->directory);
    get(fixture, 1);
    wait_for(fixture, 1);
    close_registry(fixture);
    assert_int_equal(count_files(fixture, false), 1);

    open_registry(fixture, "/r", fixture->directory);
    get(fixture, 1);
    wait_for(fixture, 2);
    close_registry(fixture);
    assert_true(fixture->answers[1].from_cache);
    assert_string_equal(fixture->answers[1].text, "A=a \"R\"");
    assert_int_equal(fixture->requests, 2);

    open_registry(fixture, "/other", fixture->directory); /* ids mean other schemas there */
    get(fixture, 1);
    wait_for(fixture, 3);
    close_registry(fixture);
    assert_string_equal(fixture->answers[2].text, "other");

    snprintf(path, sizeof path, "%s/id-1.json", fixture->directory);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, -8, SEEK_END);
    byte = (char)getc(file);
    fseek(file, -8, SEEK_END);
    putc(byte ^ 1, file);
    fclose(file);
    open_registry(fixture, "/other", fixture->directory);
    get(fixture, 1);
    wait_for(fixture, 4);
    assert_false(fixture->answers[3].from_cache);
    assert_string_equal(fixture->answers[3].text, "other");
}

static void forgets_lookups_when_closed(void **state)
{
    struct fixture *fixture = *state;
    struct route routes[] = {{"/api/v7/schemas/ids/1", 0, "", 0}, {NULL, 0, NULL, 0}};
    fixture->routes = routes;
    get(fixture, 1);
    for (int id = 100; id < 100 + 2 * REGISTRY_LOOKUPS_MAX; id++)
        get(fixture, id);
    run_for(fixture, 20);
    close_registry(fixture);
    int before = fixture->answered;
    open_registry(fixture, "/r", fixture->directory);
    get(fixture, 1); /* closed while the disk is read */
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    close_registry(fixture);
    open_registry(fixture, "/r", NULL);
    run_for(fixture, 20);
    assert_int_equal(fixture->answered, before);
}

static void on_probed(void *context, const char *error)
{
    struct fixture *fixture = context;
    snprintf(fixture->answers[fixture->answered++].text, 256, "%s", error == NULL ? "" : error);
}

static void probes(void **state)
{
    struct fixture *fixture = *state;
    struct route routes[] = {{"/api/v7/subjects", 200, "[]", 1},
                             {"/api/v7/subjects", 302, "", 1},
                             {"/subjects", 200, "[]", 0},
                             {NULL, 0, NULL, 0}};
    fixture->routes = routes;
    for (int i = 0; i < 3; i++) {
        registry_probe(fixture->registry, on_probed, fixture);
        wait_for(fixture, i + 1);
    }
    assert_string_equal(fixture->answers[0].text, "");
    assert_string_equal(fixture->answers[1].text, "");
    assert_string_equal(fixture->answers[2].text, "GET /subjects answers HTTP 404");
}

static void refuses_wrong_options(void **state)
{
    static const char *const wrong[] = {"", "ftp://x", "127.0.0.1:8081", "http://", "http:///x",
                                        "http://me:pw@host", "https://host/x?y"};
    char error[REGISTRY_ERROR_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_null(registry_open(NULL, &(struct registry_options){.url = wrong[i]}, error));
    assert_null(registry_open(
        NULL, &(struct registry_options){.url = "http://x", .cache = "/proc/none/x"}, error));
    assert_non_null(strstr(error, "/proc/none/x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_a_schema_once, start, stop),
        cmocka_unit_test_setup_teardown(asks_by_guid, start, stop),
        cmocka_unit_test_setup_teardown(resolves_references, start, stop),
        cmocka_unit_test_setup_teardown(believes_in_missing_after_some_tries, start, stop),
        cmocka_unit_test_setup_teardown(outages_are_no_answer, start, stop),
        cmocka_unit_test_setup_teardown(back_from_an_outage_it_may_be_empty, start, stop),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_avro_schema, start, stop),
        cmocka_unit_test_setup_teardown(keeps_schemas_on_disk, start, stop),
        cmocka_unit_test_setup_teardown(forgets_lookups_when_closed, start, stop),
        cmocka_unit_test_setup_teardown(probes, start, stop),
        cmocka_unit_test(refuses_wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
