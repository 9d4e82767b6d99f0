/* Fixed files: types, tags, compressed forms, and what a directory gives away. */
#include <sys/stat.h>
#include <unistd.h>
#include "loopback.h"
#include "base/str.h"
#include "http/static.h"

static const struct static_asset assets[] = {
    {"/index.html", "<p>hello", 8, "zipped", 6},
    {"/assets/a.1234.js", "code()", 6, NULL, 0},
    {"/sub/index.html", "sub", 3, NULL, 0},
    {"/empty.txt", NULL, 0, NULL, 0},
};

static struct ev_loop *loop;
static struct http_server *server;
static struct static_site *site;
static uint16_t port;

static void handle(struct http_request *req, void *arg)
{
    struct err err = {0};
    (void)arg;
    http_reply_header(req, "X-Own", "1");
    if (static_serve(site, req))
        return;
    err_set(&err, BERR_NOT_FOUND, "nothing here");
    http_reply_err(req, &err);
}

static int setup(void **state)
{
    struct ev_address at = {.host = "127.0.0.1"};
    struct http_server_config cfg = {.handler = handle};
    (void)state;
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    server = http_server_new(loop, &cfg);
    assert_int_equal(http_server_listen(server, &at, 0, NULL, &port, NULL), 0);
    return static_site_new(assets, ARRAY_LEN(assets), &site, NULL);
}

static int teardown(void **state)
{
    (void)state;
    http_server_free(server);
    ev_loop_free(loop);
    site = static_site_free(site);
    return 0;
}

static const char *get(const char *method, const char *path, const char *headers)
{
    static char text[65536];
    struct buf in = BUF(1 << 20), out = BUF(10000);
    int fd = loopback_connect(port);
    buf_printf(&out, "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", method, path,
               headers);
    loopback_send(loop, fd, out.data, out.len);
    loopback_read_all(loop, fd, &in);
    str_copy(text, sizeof(text), buf_str(&in));
    close(fd);
    buf_done(&in);
    buf_done(&out);
    return text;
}

static void expect_part(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void files(void **state)
{
    (void)state;
    const char *a = get("GET", "/", "");
    expect_part(a, "HTTP/1.1 200 OK\r\n");
    expect_part(a, "Content-Type: text/html; charset=utf-8\r\n");
    expect_part(a, "Cache-Control: no-cache\r\n");
    expect_part(a, "X-Content-Type-Options: nosniff\r\n");
    expect_part(a, "Vary: Accept-Encoding\r\n");
    expect_part(a, "X-Own: 1\r\n");
    expect_part(a, "\r\n\r\n<p>hello");
    assert_null(strstr(a, "Content-Encoding"));
    a = get("GET", "/assets/a.1234.js?x", "");
    expect_part(a, "Content-Type: text/javascript; charset=utf-8\r\n");
    expect_part(a, "immutable");
    expect_part(get("GET", "/sub/", ""), "\r\n\r\nsub");
    expect_part(get("GET", "/empty.txt", ""), "Content-Length: 0\r\n");
    expect_part(get("HEAD", "/", ""), "Content-Length: 8\r\n");
    assert_null(strstr(get("HEAD", "/", ""), "hello"));
    expect_part(get("GET", "/nothing", ""), "404 Not Found");
    expect_part(get("GET", "/sub", ""), "404 Not Found");
    expect_part(get("GET", "/sub/../index.html", ""), "400 Bad Request");
    a = get("POST", "/", "");
    expect_part(a, "405 Method Not Allowed");
    expect_part(a, "Allow: GET, HEAD\r\n");
}

static void compressed(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool zipped;
    } cases[] = {
        {"Accept-Encoding: gzip\r\n", true},
        {"Accept-Encoding: deflate, gzip, br\r\n", true},
        {"Accept-Encoding: br;q=1.0, gzip;q=0.8\r\n", true},
        {"Accept-Encoding: gzip;q=0.001\r\n", true},
        {"Accept-Encoding: gzip;q=0\r\n", false},
        {"Accept-Encoding: gzip; q=0.0, br\r\n", false},
        {"Accept-Encoding: xgzip\r\n", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *a = get("GET", "/index.html", cases[i].header);
        if ((strstr(a, "Content-Encoding: gzip\r\n") != NULL) != cases[i].zipped)
            fail_msg("%s: %s", cases[i].header, a);
        expect_part(a, cases[i].zipped ? "\r\n\r\nzipped" : "\r\n\r\n<p>hello");
    }
    assert_null(strstr(get("GET", "/sub/", "Accept-Encoding: gzip\r\n"), "gzip"));
}

static void tags(void **state)
{
    (void)state;
    char etag[64], header[300];
    const char *a = get("GET", "/", "");
    const char *at = strstr(a, "ETag: ");
    assert_non_null(at);
    snprintf(etag, sizeof(etag), "%.34s", at + 6);
    assert_true(etag[0] == '"' && etag[33] == '"');
    static const struct {
        const char *fmt;
        bool matches;
    } cases[] = {{"If-None-Match: %s\r\n", true},         {"If-None-Match: W/%s\r\n", true},
                 {"If-None-Match: \"a,\", %s\r\n", true}, {"If-None-Match: *\r\n%.0s", true},
                 {"If-None-Match: \"x\"%.0s\r\n", false}, {"If-None-Match: x%.0s\r\n", false},
                 {"If-None-Match: \"x%.20s\r\n", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(header, sizeof(header), cases[i].fmt, etag);
#pragma GCC diagnostic pop
        a = get("GET", "/", header);
        if (str_has_prefix(a, "HTTP/1.1 304 ") != cases[i].matches)
            fail_msg("%s: %s", header, a);
        expect_part(a, etag);
    }
    assert_null(strstr(get("GET", "/sub/", ""), etag)); /* other content, other tag */
}

static void from_directory(void **state)
{
    (void)state;
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 32];
    struct err err = {0};
    struct static_site *before = site;
    static const struct {
        const char *name, *text;
    } content[] = {{"index.html", "page"},
                   {"assets/x.css", "css"},
                   {"assets/x.css.gz", "zip"},
                   {".hidden", "no"},
                   {"outside.txt", "no"}};
    test_tmpdir_make(dir);
    snprintf(path, sizeof(path), "%s/assets", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < ARRAY_LEN(content); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, content[i].name);
        test_write_file(path, content[i].text);
    }
    unlink(path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(static_site_load(dir, &site, &err), 0);
    test_tmpdir_remove(dir); /* all of it is in memory */
    expect_part(get("GET", "/", ""), "\r\n\r\npage");
    expect_part(get("GET", "/assets/x.css", "Accept-Encoding: gzip\r\n"), "\r\n\r\nzip");
    expect_part(get("GET", "/assets/x.css", ""), "\r\n\r\ncss");
    expect_part(get("GET", "/assets/x.css.gz", ""), "404");
    expect_part(get("GET", "/.hidden", ""), "404");
    expect_part(get("GET", "/outside.txt", ""), "404");
    static_site_free(site);
    site = before;
    assert_int_equal(static_site_load(dir, &before, &err), -BERR_NOT_FOUND);
    test_expect_err(&err, BERR_NOT_FOUND, dir);
}

static int torture_new(void *ctx)
{
    struct static_site *s = NULL;
    struct err err = {0};
    int rc = ctx ? static_site_load(ctx, &s, &err)
                 : static_site_new(assets, ARRAY_LEN(assets), &s, &err);
    static_site_free(s);
    return rc;
}

static void torture(void **state)
{
    (void)state;
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 32];
    test_tmpdir_make(dir);
    snprintf(path, sizeof(path), "%s/a.js", dir);
    test_write_file(path, "x");
    snprintf(path, sizeof(path), "%s/a.js.gz", dir);
    test_write_file(path, "y");
    test_torture(torture_new, NULL);
    test_torture(torture_new, dir);
    test_tmpdir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files, setup, teardown),
        cmocka_unit_test_setup_teardown(compressed, setup, teardown),
        cmocka_unit_test_setup_teardown(tags, setup, teardown),
        cmocka_unit_test_setup_teardown(from_directory, setup, teardown),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests_name("http/static", tests, NULL, NULL);
}
