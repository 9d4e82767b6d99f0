/* TLS: whom a client believes, and what is said when it doesn't. */
#include <unistd.h>
#include "loopback.h"
#include "ev/stream.h"
#include "ev/tls.h"

static char dir[TEST_PATH_MAX], cert[TEST_PATH_MAX + 16], key[TEST_PATH_MAX + 16],
    other_cert[TEST_PATH_MAX + 16], other_key[TEST_PATH_MAX + 16];
static struct ev_loop *loop;
static struct ev_listener *listener;
static struct ev_tls *server_tls;
static struct ev_stream *server, *client;
static bool got_data, failed, connected, server_failed;
static struct err failure;

static int setup(void **state)
{
    (void)state;
    test_tmpdir_make(dir);
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    snprintf(other_cert, sizeof(other_cert), "%s/other.pem", dir);
    snprintf(other_key, sizeof(other_key), "%s/otherkey.pem", dir);
    assert_int_equal(ev_tls_make_certificate(cert, key, "berth.localhost,127.0.0.1", NULL), 0);
    assert_int_equal(ev_tls_make_certificate(other_cert, other_key, "berth.localhost", NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_tmpdir_remove(dir);
    return 0;
}

static void server_data(void *arg, const char *data, size_t len)
{
    (void)arg;
    ev_stream_write(server, data, len);
}

static void client_data(void *arg, const char *data, size_t len)
{
    (void)arg, (void)data, (void)len;
    got_data = true;
}

static void ignore_eof(void *arg)
{
    (void)arg;
}

static void on_error(void *arg, const struct err *err)
{
    bool *flag = arg;
    *flag = true;
    failure = *err;
}

static void on_server_error(void *arg, const struct err *err)
{
    (void)arg, (void)err;
    server_failed = true;
}

static void accepted(void *arg, struct ev_stream *s)
{
    static const struct ev_stream_events events = {server_data, ignore_eof, on_server_error, NULL};
    (void)arg;
    server = s;
    ev_stream_set(s, &events, NULL);
    ev_stream_read(s, true);
}

static void on_connected(void *arg, struct ev_stream *s, const struct err *err)
{
    static const struct ev_stream_events events = {client_data, ignore_eof, on_error, NULL};
    (void)arg;
    assert_null(err);
    connected = true;
    client = s;
    ev_stream_set(s, &events, &failed);
    ev_stream_read(s, true);
    ev_stream_write(s, "hello", 5);
}

/* Connects to `host` with this context; true when an echo comes back, else `failure` says why. */
static bool talk(struct ev_tls *client_tls, const char *host)
{
    struct ev_address at = {.host = "127.0.0.1"};
    got_data = failed = connected = false;
    server = client = NULL;
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    assert_int_equal(ev_tls_server(cert, key, &server_tls, NULL), 0);
    assert_int_equal(ev_listen(loop, &at, 0, server_tls, accepted, NULL, &listener, NULL), 0);
    at.port = ev_listener_port(listener);
    at.host = host;
    assert_non_null(ev_connect(loop, &at, client_tls, 10000, on_connected, NULL, NULL));
    int64_t end = loopback_now_ms() + 10000;
    while (!got_data && !failed) {
        ev_loop_poll(loop);
        assert_true(loopback_now_ms() < end);
    }
    char print[EV_FINGERPRINT_SIZE] = "", want[EV_FINGERPRINT_SIZE];
    if (got_data) {
        assert_true(ev_stream_fingerprint(client, print));
        assert_int_equal(ev_tls_fingerprint(cert, want, NULL), 0);
        assert_string_equal(print, want);
    }
    ev_stream_close(server);
    ev_stream_close(client);
    ev_listener_close(listener);
    ev_loop_free(loop);
    ev_tls_free(server_tls);
    return got_data;
}

static void believes_authority(void **state)
{
    (void)state;
    struct ev_tls *tls = NULL;
    assert_int_equal(ev_tls_client(cert, &tls, NULL), 0);
    assert_true(talk(tls, "berth.localhost"));
    assert_true(talk(tls, "127.0.0.1"));
    assert_false(talk(tls, "other.localhost"));
    test_expect_err(&failure, BERR_PROTOCOL, "ostname mismatch");
    ev_tls_free(tls);
    assert_int_equal(ev_tls_client(other_cert, &tls, NULL), 0);
    assert_false(talk(tls, "berth.localhost"));
    ev_tls_free(tls);
    assert_int_equal(ev_tls_client(NULL, &tls, NULL), 0);
    assert_false(talk(tls, "berth.localhost"));
    test_expect_err(&failure, BERR_PROTOCOL, "self-signed");
    ev_tls_free(tls);
}

static void believes_fingerprint(void **state)
{
    (void)state;
    struct ev_tls *tls = NULL;
    struct err err = {0};
    char print[EV_FINGERPRINT_SIZE], with_colons[100] = "";
    assert_int_equal(ev_tls_fingerprint(cert, print, &err), 0);
    assert_int_equal(ev_tls_client_pinned(print, &tls, &err), 0);
    assert_true(talk(tls, "berth.localhost"));
    assert_true(talk(tls, "other.localhost")); /* names don't matter */
    ev_tls_free(tls);
    for (size_t i = 0, n = 0; i < 64; i += 2)
        n += (size_t)snprintf(with_colons + n, sizeof(with_colons) - n, "%s%c%c", i ? ":" : "",
                              print[i] >= 'a' ? print[i] - 32 : print[i],
                              print[i + 1] >= 'a' ? print[i + 1] - 32 : print[i + 1]);
    assert_int_equal(ev_tls_client_pinned(with_colons, &tls, &err), 0);
    assert_true(talk(tls, "berth.localhost"));
    ev_tls_free(tls);
    assert_int_equal(ev_tls_fingerprint(other_cert, print, &err), 0);
    assert_int_equal(ev_tls_client_pinned(print, &tls, &err), 0);
    assert_false(talk(tls, "berth.localhost"));
    test_expect_err(&failure, BERR_PROTOCOL, "rejected");
    ev_tls_free(tls);
    assert_int_equal(ev_tls_client_pinned("abc", &tls, &err), -BERR_INVALID);
    assert_int_equal(ev_tls_client_pinned("", &tls, &err), -BERR_INVALID);
}

static void bad_files(void **state)
{
    (void)state;
    struct ev_tls *tls = NULL;
    struct err err = {0};
    char none[TEST_PATH_MAX + 16], print[EV_FINGERPRINT_SIZE];
    snprintf(none, sizeof(none), "%s/none", dir);
    assert_int_equal(ev_tls_server(none, key, &tls, &err), -BERR_INVALID);
    test_expect_err(&err, BERR_INVALID, none);
    assert_int_equal(ev_tls_server(cert, none, &tls, &err), -BERR_INVALID);
    assert_int_equal(ev_tls_server(cert, other_key, &tls, &err), -BERR_INVALID);
    assert_int_equal(ev_tls_server(cert, cert, &tls, &err), -BERR_INVALID);
    assert_int_equal(ev_tls_client(key, &tls, &err), -BERR_INVALID);
    assert_int_equal(ev_tls_fingerprint(none, print, &err), -BERR_NOT_FOUND);
    assert_int_equal(ev_tls_fingerprint(key, print, &err), -BERR_INVALID);
    assert_true(ev_tls_make_certificate("/no/such/dir/c", "/no/such/dir/k", "a", &err) < 0);
    assert_null(tls);
}

/* A peer that speaks no TLS, and one that goes away in the middle. */
static void not_tls(void **state)
{
    (void)state;
    struct ev_address at = {.host = "127.0.0.1"};
    server = NULL;
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    assert_int_equal(ev_tls_server(cert, key, &server_tls, NULL), 0);
    assert_int_equal(ev_listen(loop, &at, 0, server_tls, accepted, NULL, &listener, NULL), 0);
    int fd = loopback_connect(ev_listener_port(listener));
    server_failed = false;
    loopback_puts(loop, fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    loopback_until(loop, &server_failed);
    close(fd);
    ev_stream_close(server);
    fd = loopback_connect(ev_listener_port(listener));
    loopback_puts(loop, fd, "\x16\x03\x01");
    close(fd);
    loopback_settle(loop);
    ev_stream_close(server);
    ev_listener_close(listener);
    ev_loop_free(loop);
    ev_tls_free(server_tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(believes_authority),
        cmocka_unit_test(believes_fingerprint),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(not_tls),
    };
    return cmocka_run_group_tests_name("ev/tls", tests, setup, teardown);
}
