/* The file of logins, and what comes before it. */
#include <stdlib.h>
#include <sys/stat.h>
#include "cli/context.h"
#include "testlib.h"

static char dir[TEST_PATH_MAX];

static int setup(void **state)
{
    (void)state;
    test_tmpdir_make(dir);
    setenv("XDG_CONFIG_HOME", dir, 1);
    unsetenv("BERTH_URL");
    unsetenv("BERTH_TOKEN");
    unsetenv("BERTH_CA");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_tmpdir_remove(dir);
    return 0;
}

static struct cli_context read_context(struct arena *arena, const char *url)
{
    struct cli_context ctx;
    struct err err = {0};
    assert_int_equal(cli_context_read(url, arena, &ctx, &err), 0);
    return ctx;
}

static void write_context(const char *url, const char *token)
{
    struct err err = {0};
    struct cli_context ctx = {.url = url, .name = "ada", .token = token, .ca = "/ca.pem"};
    assert_int_equal(cli_context_write(&ctx, &err), 0);
}

static void the_last_login_is_the_current_one(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct stat st;
    char path[TEST_PATH_MAX + 32];
    (void)state;
    assert_null(read_context(&arena, NULL).url);
    write_context("https://a:1", "t1");
    write_context("https://b:2", "t2");
    assert_string_equal(read_context(&arena, NULL).url, "https://b:2");
    assert_string_equal(read_context(&arena, NULL).token, "t2");
    assert_string_equal(read_context(&arena, NULL).ca, "/ca.pem");
    assert_string_equal(read_context(&arena, "https://a:1/").token, "t1");
    assert_string_equal(read_context(&arena, "a:1").token, "t1");
    assert_null(read_context(&arena, "https://c:3").token);
    write_context("https://a:1", "t3");
    assert_string_equal(read_context(&arena, NULL).token, "t3");
    snprintf(path, sizeof(path), "%s/berth/config.json", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    arena_done(&arena);
}

static void logging_out_forgets(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct err err = {0};
    (void)state;
    write_context("https://a:1", "t1");
    write_context("https://b:2", "t2");
    assert_int_equal(cli_context_remove("https://b:2", &err), 0);
    assert_null(read_context(&arena, NULL).url);
    assert_string_equal(read_context(&arena, "https://a:1").token, "t1");
    assert_null(read_context(&arena, "https://b:2").token);
    arena_done(&arena);
}

static void the_environment_comes_first(void **state)
{
    struct arena arena = ARENA(1 << 20);
    (void)state;
    write_context("https://a:1", "t1");
    setenv("BERTH_URL", "https://e:5", 1);
    assert_string_equal(read_context(&arena, NULL).url, "https://e:5");
    assert_null(read_context(&arena, NULL).token);
    setenv("BERTH_TOKEN", "te", 1);
    setenv("BERTH_CA", "/e.pem", 1);
    assert_string_equal(read_context(&arena, NULL).token, "te");
    assert_string_equal(read_context(&arena, NULL).ca, "/e.pem");
    assert_string_equal(read_context(&arena, "https://a:1").url, "https://a:1");
    arena_done(&arena);
}

static void bad_addresses_and_files(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct cli_context ctx;
    struct err err = {0};
    char path[TEST_PATH_MAX + 32];
    (void)state;
    assert_int_equal(cli_context_read("ftp://x", &arena, &ctx, &err), -(int)BERR_INVALID);
    assert_int_equal(cli_context_read("https://a b", &arena, &ctx, &err), -(int)BERR_INVALID);
    write_context("https://a:1", "t1");
    snprintf(path, sizeof(path), "%s/berth/config.json", dir);
    test_write_file(path, "{\"current\":");
    assert_int_equal(cli_context_read(NULL, &arena, &ctx, &err), -(int)BERR_INVALID);
    assert_non_null(strstr(err.text, "config.json"));
    arena_done(&arena);
}

static int login_and_look(void *ctx)
{
    struct arena arena = ARENA(1 << 20);
    struct cli_context read, login = {.url = "https://a:1", .name = "ada", .token = "t"};
    struct err err = {0};
    (void)ctx;
    int rc = cli_context_write(&login, &err);
    if (rc == 0)
        rc = cli_context_read(NULL, &arena, &read, &err);
    if (rc == 0)
        rc = cli_context_remove("https://b:2", &err);
    arena_done(&arena);
    return rc;
}

static void torture(void **state)
{
    (void)state;
    write_context("https://b:2", "t2");
    test_torture(login_and_look, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_last_login_is_the_current_one, setup, teardown),
        cmocka_unit_test_setup_teardown(logging_out_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(the_environment_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_addresses_and_files, setup, teardown),
        cmocka_unit_test_setup_teardown(torture, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
