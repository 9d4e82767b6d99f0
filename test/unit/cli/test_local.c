/* instance.json, and what command-line forms mean. */
#include "base/str.h"
#include "cli/local.h"
#include "cli/machine.h"
#include "testlib.h"

static void write_instance(const char *dir, const char *text)
{
    char path[TEST_PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/instance.json", dir);
    test_write_file(path, text);
}

static void what_is_written_reads_back(void **state)
{
    char dir[TEST_PATH_MAX];
    struct cli_instance in = {.schema = CLI_SCHEMA,
                              .tag = "3fa901",
                              .network = 10u << 24 | 77 << 16,
                              .uid_base = CLI_UID_FIRST,
                              .host = "::1",
                              .port = 8443,
                              .plain = true,
                              .domain = "berth.example.org",
                              .engine = "fake"},
                        back;
    struct buf out = BUF(4096);
    struct err err = {0};
    (void)state;
    test_tmpdir_make(dir);
    cli_instance_put(&in, &out);
    write_instance(dir, buf_str(&out));
    assert_int_equal(cli_instance_read(dir, &back, &err), 0);
    assert_string_equal(back.tag, in.tag);
    assert_int_equal(back.network, in.network);
    assert_int_equal(back.uid_base, in.uid_base);
    assert_string_equal(back.host, "::1");
    assert_int_equal(back.port, 8443);
    assert_true(back.plain);
    assert_string_equal(back.domain, in.domain);
    assert_string_equal(back.engine, "fake");
    buf_done(&out);
    test_tmpdir_remove(dir);
}

static void newer_absent_and_damaged(void **state)
{
    char dir[TEST_PATH_MAX];
    struct cli_instance in;
    struct err err = {0};
    (void)state;
    test_tmpdir_make(dir);
    assert_int_equal(cli_instance_read(dir, &in, &err), -(int)BERR_NOT_FOUND);
    assert_int_equal(cli_instance_read("/does/not/exist", &in, &err), -(int)BERR_NOT_FOUND);
    write_instance(dir, "{\"schema\":999}");
    assert_int_equal(cli_instance_read(dir, &in, &err), -(int)BERR_CONFLICT);
    assert_non_null(strstr(err.text, "newer"));
    write_instance(dir, "{\"schema\":1,\"tag\":\"3fa901\"}");
    assert_int_equal(cli_instance_read(dir, &in, &err), -(int)BERR_INVALID);
    write_instance(dir, "no json");
    assert_int_equal(cli_instance_read(dir, &in, &err), -(int)BERR_INVALID);
    test_tmpdir_remove(dir);
}

static void listen_addresses(void **state)
{
    static const char *const bad[] = {
        "8443", "127.0.0.1", "localhost:8443", "127.0.0.1:0", ":1", "127.0.0.1:99999", ""};
    struct cli_instance in = {0};
    struct err err = {0};
    (void)state;
    assert_int_equal(cli_instance_listen("0.0.0.0:443", &in, &err), 0);
    assert_string_equal(in.host, "0.0.0.0");
    assert_int_equal(in.port, 443);
    assert_int_equal(cli_instance_listen("[::]:8443", &in, &err), 0);
    assert_string_equal(in.host, "::");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(cli_instance_listen(bad[i], &in, &err), -(int)BERR_INVALID);
}

static void addresses_that_mean_this_machine(void **state)
{
    struct cli_instance in = {.host = "127.0.0.1", .port = 8443, .domain = "localhost"};
    (void)state;
    assert_true(cli_instance_is_at(&in, "https://localhost:8443"));
    assert_true(cli_instance_is_at(&in, "https://127.0.0.1:8443"));
    assert_true(cli_instance_is_at(&in, "https://x.localhost:8443"));
    assert_false(cli_instance_is_at(&in, "https://localhost:8444"));
    assert_false(cli_instance_is_at(&in, "http://localhost:8443"));
    assert_false(cli_instance_is_at(&in, "https://example.org:8443"));
}

static void kernels(void **state)
{
    (void)state;
    assert_true(cli_kernel_is_enough("6.1.0-13-amd64"));
    assert_true(cli_kernel_is_enough("5.19.0"));
    assert_true(cli_kernel_is_enough("10.0"));
    assert_false(cli_kernel_is_enough("5.18.19"));
    assert_false(cli_kernel_is_enough("4.19"));
    assert_false(cli_kernel_is_enough(""));
}

static int read_instance(void *dir)
{
    struct cli_instance in;
    struct err err = {0};
    return cli_instance_read(dir, &in, &err);
}

static void torture(void **state)
{
    char dir[TEST_PATH_MAX];
    (void)state;
    test_tmpdir_make(dir);
    write_instance(dir, "{\"schema\":1,\"tag\":\"3fa901\",\"network\":\"10.7.0.0/16\","
                        "\"uid_base\":268435456,\"listen\":\"127.0.0.1:1\",\"plain\":false,"
                        "\"domain\":\"localhost\",\"engine\":\"local\"}");
    test_torture(read_instance, dir);
    test_tmpdir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(newer_absent_and_damaged),
        cmocka_unit_test(listen_addresses),
        cmocka_unit_test(addresses_that_mean_this_machine),
        cmocka_unit_test(kernels),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
