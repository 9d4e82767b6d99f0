/* Targets, authorities and bases: what is taken apart, what is refused. */
#include "testlib.h"
#include "base/arena.h"
#include "base/buf.h"
#include "http/url.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void targets(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path;
    } good[] = {
        {"/", "/"},         {"/a", "/a"},       {"/a/", "/a/"},
        {"/a/b?x", "/a/b"}, {"/a%20b", "/a b"}, {"/%e2%82%ac", "/\xe2\x82\xac"},
        {"/a+b", "/a+b"},   {"/...", "/..."},   {"/.a/..b", "/.a/..b"},
        {"/a%3Fb", "/a?b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct url_target t = {0};
        struct err err = {0};
        assert_int_equal(url_parse_target(good[i].target, &arena, &t, &err), 0);
        assert_string_equal(t.path, good[i].path);
    }
}

static void bad_targets(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "*",         "a",          "http://host/", "host:443",  "//",
        "//host/a", "/a//b",     "/a/./b",     "/a/../b",      "/..",       "/a/..",
        "/.",       "/%2e%2e/a", "/a/%2E./b",  "/a%2f..%2fb",  "/a\\b",     "/a%5cb",
        "/%",       "/%1",       "/%zz",       "/%00",         "/a%0d%0ab", "/%7f",
        "/%c0%af",  "/%c0%80",   "/%ed%a0%80", "/%ff",         "/a?b=%00",  "/a?%ff=1",
        "/a?b=%f",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct url_target t = {.path = "untouched"};
        struct err err = {0};
        if (url_parse_target(bad[i], &arena, &t, &err) == 0)
            fail_msg("%s was accepted", bad[i]);
        assert_int_equal(err.code, BERR_INVALID);
        assert_true(err.text[0] != '\0');
        assert_string_equal(t.path, "untouched");
    }
}

static void queries(void **state)
{
    (void)state;
    struct url_target t = {0};
    struct err err = {0};
    assert_int_equal(url_parse_target("/?a=1&b&&c=x+y%26z&a=2&d=%3d=&e=", &arena, &t, &err), 0);
    assert_string_equal(url_query(&t, "a"), "1");
    assert_string_equal(url_query(&t, "b"), "");
    assert_string_equal(url_query(&t, "c"), "x y&z");
    assert_string_equal(url_query(&t, "d"), "==");
    assert_string_equal(url_query(&t, "e"), "");
    assert_null(url_query(&t, "f"));
    assert_int_equal(t.query_count, 6);
    struct buf many = BUF(4096);
    buf_puts(&many, "/?");
    for (int i = 0; i < 65; i++)
        buf_puts(&many, "a&");
    assert_int_equal(url_parse_target(buf_str(&many), &arena, &t, &err), -BERR_INVALID);
    buf_done(&many);
}

static void authorities(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"Example.COM", "example.com", 0},
        {"a.b-c.d:8080", "a.b-c.d", 8080},
        {"127.0.0.1:1", "127.0.0.1", 1},
        {"[::1]", "::1", 0},
        {"[2001:DB8::1]:65535", "2001:db8::1", 65535},
        {"x:", "x", 0}, /* an empty port is allowed: RFC 3986 3.2.3 */
    };
    static const char *const bad[] = {"",       ":80",   "a:0", "a:65536",   "a:b", "a:80x",
                                      "a b",    "a/b",   "a@b", "[::1",      "[]",  "[g::]",
                                      "[::1]x", "a:1:2", "::1", "a\xc3\xa4", "a,b"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char host[256] = "";
        uint16_t port = 9;
        struct err err = {0};
        if (url_parse_authority(good[i].text, host, &port, &err) != 0)
            fail_msg("%s: %s", good[i].text, err.text);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char host[256] = "untouched";
        uint16_t port = 9;
        struct err err = {0};
        if (url_parse_authority(bad[i], host, &port, &err) == 0)
            fail_msg("%s was accepted", bad[i]);
        assert_int_equal(err.code, BERR_INVALID);
        assert_string_equal(host, "untouched");
    }
}

static void bases(void **state)
{
    (void)state;
    struct url_base b = {0};
    struct err err = {0};
    assert_int_equal(url_parse_base("https://berth.test", &b, &err), 0);
    assert_true(b.tls);
    assert_int_equal(b.port, 443);
    assert_string_equal(b.host, "berth.test");
    assert_int_equal(url_parse_base("http://[::1]:8080/", &b, &err), 0);
    assert_false(b.tls);
    assert_int_equal(b.port, 8080);
    assert_int_equal(url_parse_base("berth.test", &b, &err), -BERR_INVALID);
    test_expect_err(&err, BERR_INVALID, "http:// or https://");
    assert_int_equal(url_parse_base("ftp://x", &b, &err), -BERR_INVALID);
    assert_int_equal(url_parse_base("https://", &b, &err), -BERR_INVALID);
    assert_int_equal(url_parse_base("https://user@host", &b, &err), -BERR_INVALID);
}

static void escaping(void **state)
{
    (void)state;
    struct buf out = BUF(1000);
    url_put_escaped(&out, "a-Z_0.~ /?&=%\xc3\xa4");
    assert_string_equal(buf_str(&out), "a-Z_0.~%20%2F%3F%26%3D%25%C3%A4");
    buf_done(&out);
}

static int torture_body(void *ctx)
{
    (void)ctx;
    struct arena a = ARENA(1 << 20);
    struct url_target t = {0};
    struct err err = {0};
    int rc = url_parse_target("/a/b?c=d&e=f", &a, &t, &err);
    arena_done(&a);
    return rc;
}

static void torture(void **state)
{
    (void)state;
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(targets, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_targets, setup, teardown),
        cmocka_unit_test_setup_teardown(queries, setup, teardown),
        cmocka_unit_test(authorities),
        cmocka_unit_test(bases),
        cmocka_unit_test(escaping),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests_name("http/url", tests, NULL, NULL);
}
