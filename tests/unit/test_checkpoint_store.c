/* The stores of checkpoints: segments appear whole or not at all, old ones go, strangers stay. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint_dir.h"
#include "checkpoint_manifest.h"
#include "corekit.h"

static char directory[64];
static uv_loop_t loop;
static struct checkpoint_store *store;
static struct corekit kit;
static int answers;
static bool answered_ok;
static char answer[CHECKPOINT_STORE_TEXT];

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/freshet-test-store-XXXXXX");
    assert_non_null(mkdtemp(directory));
    uv_loop_init(&loop);
    char error[CHECKPOINT_STORE_TEXT];
    store = checkpoint_dir_open(&loop, directory, error);
    assert_non_null(store);
    corekit_start(&kit, "[feature n]\nop = count\nover = 1h\n");
    corekit_click(&kit, "k", 1000);
    answers = 0;
    return 0;
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

static int tear_down(void **state)
{
    (void)state;
    bool closed = false;
    checkpoint_store_close(store, on_closed, &closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(closed);
    assert_int_equal(uv_loop_close(&loop), 0);
    corekit_fini(&kit);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
    return 0;
}

/* The names in the directory but the lock, sorted, each with a blank behind. */
static void expect_files(const char *expected)
{
    struct dirent **entries;
    struct text names = {0};
    int count = scandir(directory, &entries, NULL, alphasort);
    text_append_string(&names, "");
    for (int k = 0; k < count; k++) {
        if (entries[k]->d_name[0] != '.' && strcmp(entries[k]->d_name, "lock") != 0)
            text_printf(&names, "%s ", entries[k]->d_name);
        free(entries[k]);
    }
    free(entries);
    assert_string_equal(names.data, expected);
    text_free(&names);
}

static void on_written(void *context, bool ok, const char *text)
{
    (void)context;
    answers++;
    answered_ok = ok;
    snprintf(answer, sizeof answer, "%s", text);
}

static void write_bytes(uint64_t chain, uint32_t index, const char *bytes, size_t len, bool last)
{
    struct text text = {0};
    text_append(&text, bytes, len);
    struct checkpoint_segment segment = {3, chain, index};
    checkpoint_store_write(store, &segment, &text, last, on_written, NULL);
    assert_null(text.data); /* it was taken */
    int before = answers;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answers, before + 1);
}

/* A whole checkpoint of the kit's shard, the base of its chain. */
static void save(uint64_t chain)
{
    struct checkpoint_terms terms = {.name = "a:b:3", .link = {chain, 0, 0}};
    checkpoint_begin(kit.shard, &terms);
    while (!checkpoint_step(kit.shard))
        continue;
    checkpoint_end(kit.shard);
    const struct text *bytes = checkpoint_bytes(kit.shard);
    write_bytes(chain, 0, bytes->data, bytes->len, true);
    assert_true(answered_ok);
    checkpoint_stored(kit.shard);
}

static void on_loaded(void *context, const struct checkpoint_found *found)
{
    *(struct checkpoint_found *)context = *found;
}

/* The chain that is found; 0: none. */
static uint64_t load(char text[CHECKPOINT_STORE_TEXT])
{
    struct checkpoint_loader *loader =
        checkpoint_loader_open(&kit.rules, 3, "a:b:3", 0, 1);
    struct checkpoint_found found = {0};
    checkpoint_store_load(store, 3, loader, on_loaded, &found);
    uv_run(&loop, UV_RUN_DEFAULT);
    snprintf(text, CHECKPOINT_STORE_TEXT, "%s", found.text);
    uint64_t chain = found.found ? checkpoint_loader_about(loader)->link.chain : 0;
    if (found.found) {
        struct shard *shard = checkpoint_loader_take(loader);
        assert_true(shard_holds_key(shard, "k", 1));
        shard_close(shard);
    }
    checkpoint_loader_close(loader);
    return chain;
}

static void test_a_segment_appears_when_it_is_whole(void **state)
{
    (void)state;
    char text[CHECKPOINT_STORE_TEXT];
    assert_int_equal(load(text), 0);
    assert_string_equal(text, "");
    save(5);
    write_bytes(6, 0, "half", 4, false);
    expect_files("3-0000000000000005-000000.checkpoint 3-0000000000000006-000000.tmp ");
    assert_int_equal(load(text), 5);
    checkpoint_store_abandon(store);
    expect_files("3-0000000000000005-000000.checkpoint ");
}

static void test_two_chains_are_kept(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/3-0000000000000001-000000.tmp", directory);
    assert_int_equal(fclose(fopen(path, "w")), 0); /* of a process that died */
    snprintf(path, sizeof path, "%s/4-0000000000000001-000000.checkpoint", directory);
    assert_int_equal(fclose(fopen(path, "w")), 0); /* of another partition */
    snprintf(path, sizeof path, "%s/notes", directory);
    assert_int_equal(fclose(fopen(path, "w")), 0); /* of a person */
    for (uint64_t chain = 5; chain < 9; chain++)
        save(chain);
    expect_files("3-0000000000000007-000000.checkpoint 3-0000000000000008-000000.checkpoint "
                 "4-0000000000000001-000000.checkpoint notes ");
}

static void test_damage_falls_back(void **state)
{
    (void)state;
    char text[CHECKPOINT_STORE_TEXT];
    save(5);
    save(6);
    write_bytes(6, 1, "no delta", 8, true);
    assert_int_equal(load(text), 6);
    assert_non_null(strstr(text, "3-0000000000000006-000001.checkpoint: "));
    char path[128];
    snprintf(path, sizeof path, "%s/3-0000000000000006-000000.checkpoint", directory);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(load(text), 5);
    assert_non_null(strstr(text, "it was cut short"));
}

static void overwrite(const char *path, const char *bytes, size_t len)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, len, stream), len);
    assert_int_equal(fclose(stream), 0);
}

/* How many clicks the shard that is loaded has counted; 0: none is found. */
static int64_t load_count(void)
{
    struct checkpoint_loader *loader = checkpoint_loader_open(&kit.rules, 3, "a:b:3", 0, 1);
    struct checkpoint_found found = {0};
    int64_t count = 0;
    checkpoint_store_load(store, 3, loader, on_loaded, &found);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (found.found) {
        struct shard *own = kit.shard;
        kit.shard = checkpoint_loader_take(loader);
        count = corekit_long(&kit, "k", "n");
        shard_close(kit.shard);
        kit.shard = own;
    }
    checkpoint_loader_close(loader);
    return count;
}

/* Whatever byte is wrong, and wherever the file ends: the one before is used, and without it
 * nothing, and never a value that was not there. */
static void test_damage_at_every_byte(void **state)
{
    (void)state;
    char newest[128], older[128];
    save(5);
    corekit_click(&kit, "k", 2000);
    save(6);
    assert_int_equal(load_count(), 2);
    snprintf(newest, sizeof newest, "%s/3-0000000000000006-000000.checkpoint", directory);
    snprintf(older, sizeof older, "%s/3-0000000000000005-000000.checkpoint", directory);
    char bytes[4096];
    FILE *stream = fopen(newest, "rb");
    size_t len = fread(bytes, 1, sizeof bytes, stream);
    assert_int_equal(fclose(stream), 0);
    assert_in_range(len, 100, sizeof bytes - 1);
    for (size_t at = 0; at < len; at++) {
        overwrite(newest, bytes, at);
        assert_int_equal(load_count(), 1);
        bytes[at] ^= (char)(1 << at % 8);
        overwrite(newest, bytes, len);
        assert_int_equal(load_count(), 1);
        bytes[at] ^= (char)(1 << at % 8);
    }
    overwrite(newest, bytes, len);
    assert_int_equal(load_count(), 2);
    assert_int_equal(truncate(newest, (off_t)len - 1), 0);
    assert_int_equal(truncate(older, 1), 0);
    assert_int_equal(load_count(), 0);
}

static void test_links_are_not_followed(void **state)
{
    (void)state;
    char text[CHECKPOINT_STORE_TEXT], path[128];
    snprintf(path, sizeof path, "%s/3-0000000000000009-000000.tmp", directory);
    assert_int_equal(symlink("/dev/null", path), 0);
    write_bytes(9, 0, "bytes", 5, true);
    assert_false(answered_ok);
    assert_non_null(strstr(answer, "3-0000000000000009-000000.tmp: "));
    snprintf(path, sizeof path, "%s/3-0000000000000009-000000.checkpoint", directory);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(load(text), 0);
    assert_non_null(strstr(text, "opening"));
    snprintf(path, sizeof path, "%s-link", directory);
    assert_int_equal(symlink(directory, path), 0);
    assert_null(checkpoint_dir_open(&loop, path, text));
    assert_int_equal(unlink(path), 0);
}

static void test_one_process_at_a_time(void **state)
{
    (void)state;
    char text[CHECKPOINT_STORE_TEXT];
    struct stat status;
    assert_null(checkpoint_dir_open(&loop, directory, text));
    assert_non_null(strstr(text, "another process"));
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

/* ---- pointers of the topic ---- */

static void test_manifest(void **state)
{
    (void)state;
    struct checkpoint_manifest manifest = {0}, again = {0};
    for (uint64_t chain = 1; chain < 4; chain++)
        for (uint32_t index = 0; index < 3; index++)
            checkpoint_manifest_add(&manifest, &(struct checkpoint_part){
                                                   chain << 40, index, 0xabcd0000 + index, 7});
    assert_int_equal(checkpoint_manifest_newest(&manifest), 6);
    assert_int_equal(checkpoint_manifest_old(&manifest), 3);
    struct text text = {0};
    checkpoint_manifest_write(&manifest, &text);
    assert_true(checkpoint_manifest_read(&again, text.data, text.len));
    assert_int_equal(again.count, manifest.count);
    for (size_t k = 0; k < again.count; k++)
        assert_true(checkpoint_manifest_has(&manifest, &again.parts[k]));
    assert_int_equal(again.parts[4].chunks, 7);
    for (size_t len = 0; len < text.len; len++) {
        struct checkpoint_manifest cut = {0};
        bool whole_lines = text.data[len ? len - 1 : 0] == '\n';
        assert_int_equal(checkpoint_manifest_read(&cut, text.data, len), len > 0 && whole_lines);
        checkpoint_manifest_free(&cut);
    }
    text.data[8] ^= 1;
    assert_false(checkpoint_manifest_read(&again, text.data, text.len));
    text_free(&text);
    checkpoint_manifest_free(&manifest);
    checkpoint_manifest_free(&again);
}

static void test_chunk_keys(void **state)
{
    (void)state;
    char key[CHECKPOINT_KEY_MAX];
    struct checkpoint_part part = {0x123456789abcdef0, 17, 0xfeedbeef, 0}, read;
    uint32_t chunk;
    checkpoint_chunk_key(key, "app:topic:1", &part, 42);
    assert_string_equal(key, "app:topic:1/123456789abcdef0-000017-feedbeef/000042");
    assert_int_equal(checkpoint_read_key_of("app:topic:1", key, strlen(key), &read, &chunk), 1);
    assert_true(checkpoint_manifest_has(&(struct checkpoint_manifest){&part, 1}, &read));
    assert_int_equal(chunk, 42);
    assert_int_equal(checkpoint_read_key_of("app:topic:11", key, strlen(key), &read, &chunk), -1);
    assert_int_equal(checkpoint_read_key_of("app:topic:1", "app:topic:11", 12, &read, &chunk), -1);
    assert_int_equal(checkpoint_read_key_of("app:topic:1", "app:topic:1", 11, &read, &chunk), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_segment_appears_when_it_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_chains_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_falls_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_at_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links_are_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_process_at_a_time, set_up, tear_down),
        cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_chunk_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
