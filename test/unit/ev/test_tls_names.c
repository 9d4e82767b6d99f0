/* Certificates made on the spot for the names asked for. */
#include <unistd.h>
#include "base/str.h"
#include "ev/stream.h"
#include "ev/tls.h"
#include "loopback.h"

static char dir[TEST_PATH_MAX], cert[TEST_PATH_MAX + 16], key[TEST_PATH_MAX + 16];
static struct ev_loop *loop;
static struct ev_tls *server_tls, *client_tls;
static struct ev_listener *listener;
static struct ev_stream *accepted, *client;
static bool done, failed;

static bool is_ours(void *arg, const char *name)
{
    return str_has_suffix(name, ".localhost");
}

static void server_error(void *arg, const struct err *err)
{
}

static void nothing(void *arg)
{
}

static void on_accept(void *arg, struct ev_stream *s)
{
    static const struct ev_stream_events events = {.on_error = server_error, .on_eof = nothing};
    accepted = s;
    ev_stream_set(s, &events, NULL);
    ev_stream_read(s, true);
    ev_stream_write(s, "hello", 5);
}

static void on_data(void *arg, const char *data, size_t len)
{
    done = true;
}

static void on_error(void *arg, const struct err *err)
{
    done = failed = true;
}

static void on_connected(void *arg, struct ev_stream *s, const struct err *err)
{
    static const struct ev_stream_events events = {
        .on_data = on_data, .on_error = on_error, .on_eof = nothing};
    assert_non_null(s);
    client = s;
    ev_stream_set(s, &events, NULL);
    ev_stream_read(s, true);
}

static bool believes(const char *host)
{
    struct ev_address to = {.host = host, .port = ev_listener_port(listener)};
    done = failed = false;
    assert_non_null(ev_connect(loop, &to, client_tls, 5000, on_connected, NULL, NULL));
    loopback_until(loop, &done);
    ev_stream_close(client);
    ev_stream_close(accepted);
    loopback_settle(loop);
    return !failed;
}

static int setup(void **state)
{
    struct ev_address at = {.host = "127.0.0.1"};
    test_tmpdir_make(dir);
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    assert_int_equal(ev_tls_make_certificate(cert, key, "localhost", NULL), 0);
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    assert_int_equal(ev_tls_server(cert, key, &server_tls, NULL), 0);
    assert_int_equal(ev_tls_client(cert, &client_tls, NULL), 0);
    assert_int_equal(ev_listen(loop, &at, 0, server_tls, on_accept, NULL, &listener, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    ev_listener_close(listener);
    loopback_settle(loop);
    ev_loop_free(loop);
    ev_tls_free(server_tls);
    ev_tls_free(client_tls);
    test_tmpdir_remove(dir);
    assert_int_equal(mem_live(), 0);
    return 0;
}

static void only_names_of_ours(void **state)
{
    assert_true(believes("localhost"));
    assert_false(believes("a123456789.localhost"));
    assert_int_equal(ev_tls_make_names(server_tls, is_ours, NULL, NULL), 0);
    assert_true(believes("localhost"));
    assert_true(believes("a123456789.localhost"));
    assert_true(believes("a123456789.localhost"));
    assert_false(believes("127.0.0.1"));
}

static void more_names_than_are_kept(void **state)
{
    assert_int_equal(ev_tls_make_names(server_tls, is_ours, NULL, NULL), 0);
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%d.localhost", i);
        assert_true(believes(name));
    }
    assert_true(believes("n0.localhost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_names_of_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(more_names_than_are_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
