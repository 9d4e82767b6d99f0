/* Options, instance.json, and what must hold between them. */
#include "gateway/config.h"
#include "testlib.h"

static char dir[TEST_PATH_MAX], file[TEST_PATH_MAX + 32];

static int setup(void **state)
{
    test_tmpdir_make(dir);
    snprintf(file, sizeof(file), "%s/instance.json", dir);
    return 0;
}

static int teardown(void **state)
{
    test_tmpdir_remove(dir);
    return 0;
}

/* options separated by blanks; DIR stands for the directory. */
static int read_options(const char *options, struct gw_config *cfg, struct err *err)
{
    char text[2048], *argv[32] = {(char *)(uintptr_t) "berth-gateway"};
    int argc = 1;
    bool help = false;
    snprintf(text, sizeof(text), "%s", options);
    for (char *at = text; *at;) {
        size_t len = strcspn(at, " ");
        bool last = at[len] == '\0';
        at[len] = '\0';
        argv[argc++] = strcmp(at, "DIR") == 0 ? dir : at;
        at += len + !last;
    }
    return gw_config_read(argc, argv, cfg, &help, err);
}

static void from_options(void **state)
{
    struct gw_config cfg;
    struct err err = {0};
    assert_int_equal(read_options("--data DIR --listen 127.0.0.1:8443 --domain Hub.Example "
                                  "--user me --log warn",
                                  &cfg, &err),
                     0);
    assert_string_equal(cfg.host, "127.0.0.1");
    assert_int_equal(cfg.port, 8443);
    assert_string_equal(cfg.domain, "hub.example");
    assert_string_equal(cfg.user, "me");
    assert_int_equal(cfg.log_level, LOG_WARN);
    assert_false(cfg.plain);
    assert_false(cfg.own_certificate);
    assert_non_null(strstr(cfg.key, "/tls/key.pem"));
    assert_non_null(strstr(cfg.api_socket, "/run/berthd.sock"));
    assert_int_equal(read_options("--data DIR --listen [::1]:1 --plain", &cfg, &err), 0);
    assert_string_equal(cfg.host, "::1");
    assert_string_equal(cfg.domain, "localhost");
    assert_string_equal(cfg.user, GW_USER_DEFAULT);
}

static void from_the_instance(void **state)
{
    struct gw_config cfg;
    struct err err = {0};
    test_write_file(file, "{\"listen\":\"127.0.0.1:99\",\"plain\":true,\"domain\":\"a.example\"}");
    assert_int_equal(read_options("--data DIR", &cfg, &err), 0);
    assert_int_equal(cfg.port, 99);
    assert_true(cfg.plain);
    assert_string_equal(cfg.domain, "a.example");
    /* a place of its own is not plain because the instance's is */
    assert_int_equal(read_options("--data DIR --listen 0.0.0.0:5", &cfg, &err), 0);
    assert_false(cfg.plain);
    test_write_file(file, "{\"listen\":\"0.0.0.0:99\",\"plain\":true}");
    assert_int_equal(read_options("--data DIR", &cfg, &err), -BERR_INVALID);
    test_write_file(file, "{");
    assert_int_equal(read_options("--data DIR", &cfg, &err), -BERR_INVALID);
    test_expect_err(&err, BERR_INVALID, "instance.json");
    test_write_file(file, "{}");
    assert_int_equal(read_options("--data DIR", &cfg, &err), -BERR_INVALID);
}

static void refused(void **state)
{
    static const struct {
        const char *options, *part;
    } cases[] = {
        {"--listen 127.0.0.1:1", "--data"},
        {"--data DIR --listen 127.0.0.1", "listen"},
        {"--data DIR --listen name:1", "listen"},
        {"--data DIR --listen 127.0.0.1:0", "listen"},
        {"--data DIR --listen 10.0.0.1:1 --plain", "loopback"},
        {"--data DIR --listen 127.0.0.1:1 --cert x", "belong together"},
        {"--data DIR --listen 127.0.0.1:1 --plain --cert x --key y", "no TLS"},
        {"--data DIR --listen 127.0.0.1:1 --domain a:1", "domain"},
        {"--data DIR --listen 127.0.0.1:1 --log loud", "--log"},
        {"--data DIR --listen 127.0.0.1:1 more", "more"},
        {"--data DIR --unknown", "--unknown"},
        {"--data", "--data"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct gw_config cfg;
        struct err err = {0};
        assert_true(read_options(cases[i].options, &cfg, &err) < 0);
        test_expect_err(&err, BERR_INVALID, cases[i].part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(from_options, setup, teardown),
        cmocka_unit_test_setup_teardown(from_the_instance, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
