/*
 * Connections of the server: how they end, what they refuse, how long they wait. Time-outs are tried with
 * a time of the test's own (conn_sweep_at).
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server_fixture.h"

/* ---- ends ---- */

static void client_goes(void **state)
{
    (void)state;
    int fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd, "GET /later?x=1 HTTP/1.1\r\nHost: a\r\nX-Note: kept\r\n\r\n");
    loopback_until_count(f.loop, &f.handled, 1);
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    loopback_until_count(f.loop, &f.gone, 1);
    assert_true(http_request_is_gone(f.kept));
    /* what the request says is still there */
    assert_string_equal(http_head_get(f.kept->head, "x-note"), "kept");
    assert_string_equal(url_query(&f.kept->target, "x"), "1");
    http_reply_header(f.kept, "A", "b");
    http_reply_str(f.kept, 200, "text/plain", "to nobody");
    /* a stream to somebody who has gone */
    fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd, "GET /forever HTTP/1.1\r\nHost: a\r\n\r\n");
    loopback_until_count(f.loop, &f.handled, 2);
    close(fd);
    loopback_until_count(f.loop, &f.gone, 2);
    http_stream_write(f.kept, "x", 1);
    assert_int_equal(http_stream_queued(f.kept), 0);
    http_stream_end(f.kept);
    assert_int_equal(http_server_connections(f.server), 0);
}

static void half_closed_client(void **state)
{
    (void)state;
    struct buf in = BUF(1 << 20);
    int fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(fd, SHUT_WR);
    loopback_until_count(f.loop, &f.handled, 1);
    loopback_settle(f.loop);
    assert_int_equal(f.gone, 0);
    http_reply_str(f.kept, 200, "text/plain", "still here");
    loopback_read_all(f.loop, fd, &in);
    expect_part(buf_str(&in), "still here");
    close(fd);
    buf_done(&in);
}

static void aborted_answer(void **state)
{
    (void)state;
    struct buf in = BUF(1 << 20);
    int fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd, "GET /forever HTTP/1.1\r\nHost: a\r\n\r\n");
    loopback_until_count(f.loop, &f.handled, 1);
    http_stream_abort(f.kept);
    loopback_read_all(f.loop, fd, &in);
    expect_part(buf_str(&in), "begun");
    assert_null(strstr(buf_str(&in), "\r\n0\r\n\r\n"));
    close(fd);
    buf_done(&in);
}

static void drains(void **state)
{
    (void)state;
    struct buf in = BUF(64 << 20);
    int fd = loopback_connect(f.port);
    cleanup(mem_freep) char *big = mem_calloc(1, 8 << 20);
    loopback_puts(f.loop, fd, "GET /forever HTTP/1.1\r\nHost: a\r\n\r\n");
    loopback_until_count(f.loop, &f.handled, 1);
    http_stream_on_drain(f.kept, on_drain, NULL);
    http_stream_write(f.kept, big, 8 << 20);
    assert_true(http_stream_queued(f.kept) > 0);
    loopback_settle(f.loop);
    assert_int_equal(f.drained, 0);
    int64_t end = loopback_now_ms() + 10000;
    char piece[65536];
    while (!f.drained) {
        (void)!read(fd, piece, sizeof(piece));
        ev_loop_poll(f.loop);
        assert_true(loopback_now_ms() < end);
    }
    assert_int_equal(http_stream_queued(f.kept), 0);
    http_stream_end(f.kept);
    close(fd);
    buf_done(&in);
}

static void upgrade(void **state)
{
    (void)state;
    struct buf in = BUF(1 << 20);
    int fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd,
                  "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
                  "x\r\n\r\nraw bytes");
    loopback_until(f.loop, &f.hijacked);
    loopback_settle(f.loop);
    assert_non_null(f.stream);
    assert_string_equal(buf_str(&f.rest), "raw bytes");
    assert_int_equal(http_server_connections(f.server), 0);
    ev_stream_write(f.stream, "mine now", 8);
    assert_true(loopback_read_until(f.loop, fd, &in, "mine now"));
    close(fd);
    buf_done(&in);
    /* an upgrade that nobody takes is an ordinary request */
    const char *a = ask("GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                        "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
                        "GET /b");
    expect_part(a, "GET /a");
}

/* ---- limits and time ---- */

static void refusals(void **state)
{
    (void)state;
    struct buf out = BUF(1 << 20);
    const char *a = ask("GET / HTTP/1.1\r\n\r\n", NULL);
    assert_true(str_has_prefix(a, "HTTP/1.1 400 Bad Request\r\n"));
    expect_part(a, "exactly one Host");
    expect_part(a, "Connection: close");
    a = ask("GET / HTTP/1.1\r\nHost: a\r\n\r\nnonsense", NULL); /* the good one is answered */
    assert_int_equal(count_parts(a, "HTTP/1.1 200"), 1);
    assert_int_equal(count_parts(a, "HTTP/1.1 400"), 1);
    buf_puts(&out, "GET /");
    for (int i = 0; i < LIMIT_HTTP_URL_BYTES; i++)
        buf_putc(&out, 'a');
    assert_true(str_has_prefix(ask(buf_str(&out), NULL), "HTTP/1.1 414 "));
    buf_clear(&out);
    buf_puts(&out, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < LIMIT_HTTP_HEAD_BYTES; i++)
        buf_putc(&out, 'a');
    assert_true(str_has_prefix(ask(buf_str(&out), NULL), "HTTP/1.1 431 "));
    buf_done(&out);
    assert_int_equal(f.handled, 1);
}

static void time_outs(void **state)
{
    (void)state;
    struct buf in = BUF(1 << 20);
    static const struct {
        const char *sent, *answer;
        int64_t after_ms;
    } cases[] = {
        {"", "", LIMIT_HTTP_HEAD_TIMEOUT_MS},
        {"GET / HT", "HTTP/1.1 408 ", LIMIT_HTTP_HEAD_TIMEOUT_MS},
        {"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", "HTTP/1.1 408 ",
         LIMIT_HTTP_BODY_IDLE_MS},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd = loopback_connect(f.port);
        loopback_puts(f.loop, fd, cases[i].sent);
        loopback_settle(f.loop);
        int64_t now = ev_now_ms(f.loop);
        assert_int_equal(http_server_connections(f.server), 1);
        conn_sweep_at(f.server, now + cases[i].after_ms - 1000);
        assert_int_equal(http_server_connections(f.server), 1);
        conn_sweep_at(f.server, now + cases[i].after_ms);
        buf_clear(&in);
        loopback_read_all(f.loop, fd, &in);
        assert_true(str_has_prefix(buf_str(&in), cases[i].answer));
        if (!cases[i].answer[0])
            assert_int_equal(in.len, 0);
        close(fd);
        loopback_settle(f.loop);
    }
    /* between two requests */
    int fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    buf_clear(&in);
    assert_true(loopback_read_until(f.loop, fd, &in, "GET /x"));
    int64_t now = ev_now_ms(f.loop);
    conn_sweep_at(f.server, now + LIMIT_HTTP_KEEPALIVE_MS - 1000);
    assert_int_equal(http_server_connections(f.server), 1);
    conn_sweep_at(f.server, now + LIMIT_HTTP_KEEPALIVE_MS);
    assert_int_equal(http_server_connections(f.server), 0);
    close(fd);
    /* a handler may think as long as it likes */
    fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    loopback_until_count(f.loop, &f.handled, f.handled + 1);
    conn_sweep_at(f.server, now + 100 * LIMIT_HTTP_KEEPALIVE_MS);
    assert_int_equal(http_server_connections(f.server), 1);
    http_reply_str(f.kept, 200, "text/plain", "ok");
    close(fd);
    buf_done(&in);
}

/* A reader who takes nothing is cut off, one who takes a little is not. */
static void slow_reader(void **state)
{
    (void)state;
    int fd = loopback_connect(f.port);
    cleanup(mem_freep) char *big = mem_calloc(1, 32 << 20);
    char piece[1 << 20];
    loopback_puts(f.loop, fd, "GET /forever HTTP/1.1\r\nHost: a\r\n\r\n");
    loopback_until_count(f.loop, &f.handled, 1);
    http_stream_write(f.kept, big, 32 << 20);
    loopback_settle(f.loop);
    int64_t now = ev_now_ms(f.loop);
    conn_sweep_at(f.server, now);
    for (int i = 1; i <= 3; i++) {
        for (size_t got = 0; got < (4u << 20);) {
            ssize_t n = read(fd, piece, sizeof(piece));
            got += n > 0 ? (size_t)n : 0;
            ev_loop_poll(f.loop);
        }
        now += LIMIT_HTTP_WRITE_IDLE_MS - 1000;
        conn_sweep_at(f.server, now);
        assert_int_equal(f.gone, 0);
    }
    loopback_settle(f.loop);
    conn_sweep_at(f.server, now + 1);
    conn_sweep_at(f.server, now + LIMIT_HTTP_WRITE_IDLE_MS + 2);
    assert_int_equal(f.gone, 1);
    http_stream_end(f.kept);
    close(fd);
}

static void most_connections(void **state)
{
    (void)state;
    teardown(NULL);
    setup_with((struct http_server_config){.connections_max = 2});
    struct buf in = BUF(1000);
    int a = loopback_connect(f.port), b = loopback_connect(f.port), c = loopback_connect(f.port);
    loopback_read_all(f.loop, c, &in);
    assert_int_equal(in.len, 0);
    assert_int_equal(http_server_connections(f.server), 2);
    close(a);
    loopback_settle(f.loop);
    close(c);
    expect_part(ask("GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x"), "200 OK");
    close(b);
    buf_done(&in);
}

static void trusted_peer(void **state)
{
    (void)state;
    static const char with[] = "GET /error HTTP/1.1\r\nHost: a\r\nX-Request-Id: my-id.7\r\n\r\n";
    static const char from[] = "GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";
    assert_null(strstr(ask(with, "}"), "my-id.7"));
    expect_part(ask(from, "from "), "127.0.0.1");
    teardown(NULL);
    setup_with((struct http_server_config){.trust_peer = true});
    expect_part(ask(with, "}"), "\"request\":\"my-id.7\"");
    expect_part(ask(from, "from "), "192.0.2.7");
    assert_null(
        strstr(ask("GET /error HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\"b\r\n\r\n", "}"), "a\\\"b"));
}

static void raw_targets(void **state)
{
    (void)state;
    teardown(NULL);
    setup_with((struct http_server_config){.raw_targets = true});
    ask("GET /a//b/../%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", NULL);
    assert_int_equal(f.handled, 1);
    assert_int_equal(f.last_status, 200);
}

/* Whatever allocation fails: every connection ends, nothing is lost or used twice. */
static void any_allocation_fails(void **state)
{
    (void)state;
    static const char text[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
                               "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                               "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
                               "GET /error?a=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    ask(text, NULL); /* what is made once is made */
    for (uint64_t n = 1;; n++) {
        int64_t before = mem_live();
        struct buf in = BUF(1 << 20);
        int fd = loopback_connect(f.port);
        ev_loop_poll(f.loop);
        buf_reserve(&in, 1 << 16);
        mem_fail_at(n, 0);
        loopback_puts(f.loop, fd, text);
        for (int i = 0; i < 50; i++)
            ev_loop_poll(f.loop);
        bool hit = mem_fail_hit();
        mem_fail_at(0, 0);
        loopback_read_all(f.loop, fd, &in);
        if (!hit)
            assert_int_equal(count_parts(buf_str(&in), "HTTP/1.1 "), 4);
        close(fd);
        buf_done(&in);
        loopback_settle(f.loop);
        assert_int_equal(http_server_connections(f.server), 0);
        assert_int_equal(mem_live(), before);
        if (!hit)
            break;
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(client_goes),      T(half_closed_client), T(aborted_answer), T(drains),
        T(upgrade),          T(refusals),           T(time_outs),      T(slow_reader),
        T(most_connections), T(trusted_peer),       T(raw_targets),    T(any_allocation_fails),
    };
    return cmocka_run_group_tests_name("http/conn", tests, NULL, NULL);
}
