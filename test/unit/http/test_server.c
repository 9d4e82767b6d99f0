/* The server: answers, many requests on one connection, bodies. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server_fixture.h"

/* ---- answers ---- */

static void plain_answer(void **state)
{
    (void)state;
    const char *a = ask("GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n", "from 127.0.0.1");
    assert_true(str_has_prefix(a, "HTTP/1.1 200 OK\r\n"));
    expect_part(a, "\r\nDate: ");
    expect_part(a, "\r\nContent-Type: text/plain\r\n");
    expect_part(a, "\r\nContent-Length: 21\r\n");
    expect_part(a, "\r\nX-Own: yes\r\n");
    expect_part(a, "\r\n\r\nGET /x from 127.0.0.1");
    assert_null(strstr(a, "Injected"));
    assert_null(strstr(a, "Connection:"));
    assert_int_equal(f.done, 1);
    assert_int_equal(f.last_status, 200);
    assert_int_equal(http_server_connections(f.server), 0);
}

static void head_and_no_content(void **state)
{
    (void)state;
    const char *a = ask("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"
                        "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n"
                        "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                        NULL);
    expect_part(a, "Content-Length: 22\r\n");
    assert_int_equal(count_parts(a, "\r\n\r\n"), 3);
    expect_part(a, "\r\n\r\nHTTP/1.1 200 OK\r\n");
    expect_part(a, "\r\n\r\nHTTP/1.1 204 No Content\r\n");
    expect_part(a, "\r\nConnection: close\r\n");
    assert_null(strstr(a, "one"));
    assert_null(strstr(strstr(a, "204 No Content"), "Content-Length"));
}

static void old_clients(void **state)
{
    (void)state;
    const char *a = ask("GET /x HTTP/1.0\r\n\r\n", NULL);
    expect_part(a, "\r\nConnection: close\r\n");
    a = ask("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", NULL);
    assert_null(strstr(a, "chunked"));
    expect_part(a, "\r\n\r\nonetwentytwentytwenty");
    a = ask("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
            "GET /last HTTP/1.0\r\n\r\n",
            NULL);
    expect_part(a, "Connection: keep-alive\r\n");
    expect_part(a, "GET /last");
}

static void problems(void **state)
{
    (void)state;
    const char *a = ask("GET /error HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", NULL);
    assert_true(str_has_prefix(a, "HTTP/1.1 400 Bad Request\r\n"));
    expect_part(a, "Content-Type: application/problem+json\r\n");
    expect_part(a, "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                   "\"detail\":\"no \\\"such\\\" thing\",\"code\":\"invalid\",\"field\":\"a.b\","
                   "\"line\":3,\"column\":4,\"hint\":\"try another\",\"request\":\"");
    a = ask("GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", NULL);
    expect_part(a, "400 Bad Request");
    expect_part(a, "Connection: close");
    assert_int_equal(f.handled, 1);
}

static void streamed_answer(void **state)
{
    (void)state;
    const char *a = ask("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n0\r\n\r\n");
    expect_part(a, "\r\nTransfer-Encoding: chunked\r\n");
    expect_part(a, "\r\n\r\n3\r\none\r\n12\r\ntwentytwentytwenty\r\n0\r\n\r\n");
    a = ask("GET /events HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n0\r\n\r\n");
    expect_part(a, "Content-Type: text/event-stream\r\n");
    expect_part(a, "id: 7\nevent: job\ndata: one\ndata: two\n\n");
}

/* ---- many requests on one connection ---- */

static void pipelining(void **state)
{
    (void)state;
    const char *a = ask("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                        "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                        "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
                        "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3\r\nabc\r\n0\r\n\r\n"
                        "GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                        "GET /never HTTP/1.1\r\nHost: a\r\n\r\n",
                        NULL);
    assert_int_equal(count_parts(a, "HTTP/1.1 200 OK"), 5);
    const char *at = a;
    static const char *const order[] = {"GET /1", "\r\n\r\nhello", "one\r\n", "\r\n\r\nabc",
                                        "GET /2"};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        at = strstr(at, order[i]);
        assert_non_null(at);
    }
    assert_null(strstr(a, "never"));
    assert_int_equal(f.handled, 5);
}

/* The same in pieces of every size: nothing depends on how bytes arrive. */
static void in_any_pieces(void **state)
{
    (void)state;
    static const char text[] =
        "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    for (size_t step = 1; step < sizeof(text); step += step < 20 ? 1 : 17) {
        struct buf in = BUF(1 << 20);
        int fd = loopback_connect(f.port);
        for (size_t at = 0; at < sizeof(text) - 1; at += step) {
            size_t n = sizeof(text) - 1 - at < step ? sizeof(text) - 1 - at : step;
            loopback_send(f.loop, fd, text + at, n);
            ev_loop_poll(f.loop);
        }
        loopback_read_all(f.loop, fd, &in);
        assert_int_equal(count_parts(buf_str(&in), "HTTP/1.1 200 OK"), 3);
        expect_part(buf_str(&in), "\r\n\r\nabcHTTP/1.1");
        expect_part(buf_str(&in), "\r\n\r\nhello");
        close(fd);
        buf_done(&in);
    }
}

/* An answer that comes later holds up what follows, and nothing gets lost. */
static void answers_later(void **state)
{
    (void)state;
    struct buf in = BUF(1 << 20);
    int fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd,
                  "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: "
                  "a\r\n\r\n");
    loopback_until_count(f.loop, &f.handled, 1);
    loopback_puts(f.loop, fd, "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    loopback_settle(f.loop);
    assert_int_equal(f.handled, 1);
    http_reply_str(f.kept, 200, "text/plain", "late");
    assert_true(loopback_read_until(f.loop, fd, &in, "GET /3"));
    assert_int_equal(f.handled, 3);
    assert_true(strstr(buf_str(&in), "late") < strstr(buf_str(&in), "GET /2"));
    close(fd);
    buf_done(&in);
    assert_int_equal(f.gone, 0);
}

/* A client that sends requests and takes no answers is not served without end. */
static void takes_no_answers(void **state)
{
    (void)state;
    int fd = loopback_connect(f.port);
    char big[32000];
    memset(big, 'x', sizeof(big));
    struct buf one = BUF(1 << 20);
    buf_printf(&one, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", sizeof(big));
    buf_append(&one, big, sizeof(big));
    size_t sent = 0, stuck = 0;
    while (stuck < 200 && sent < (256u << 20)) {
        ssize_t n = send(fd, one.data, one.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        stuck = n > 0 ? 0 : stuck + 1;
        if (n > 0 && (size_t)n < one.len)
            stuck = 100; /* a part went: the rest would not fit the framing */
        ev_loop_poll(f.loop);
        if (stuck >= 100)
            break;
    }
    assert_true(sent < (64u << 20));
    close(fd);
    buf_done(&one);
}

/* ---- bodies ---- */

static void bodies(void **state)
{
    (void)state;
    const char *a = ask("POST /body HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");
    expect_part(a, "Content-Length: 0\r\n");
    a = ask("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789", "789");
    expect_part(a, "200 OK");
    a = ask("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890", NULL);
    assert_true(str_has_prefix(a, "HTTP/1.1 413 "));
    expect_part(a, "Connection: close");
    a = ask("POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n"
            "6\r\nabcdef\r\n0\r\n\r\n",
            NULL);
    assert_true(str_has_prefix(a, "HTTP/1.1 413 "));
    assert_int_equal(f.body_rc, -BERR_TOO_LARGE);
    a = ask("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\nx",
            NULL);
    assert_true(str_has_prefix(a, "HTTP/1.1 400 ")); /* the handler's own words */
    expect_part(a, "application/problem+json");
    /* answered without its body: the connection must end */
    a = ask(
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: "
        "a\r\n\r\n",
        NULL);
    assert_null(strstr(a, "smuggled"));
    assert_int_equal(count_parts(a, "HTTP/1.1 "), 1);
}

/* The handler asks for the body only after all of it, or too much of it, has come. */
static void late_wish(void **state)
{
    (void)state;
    static const size_t lens[] = {5, 60000, 900000};
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        struct buf in = BUF(4 << 20), out = BUF(4 << 20);
        int fd = loopback_connect(f.port);
        f.handled = 0;
        buf_printf(&out, "POST /latebody HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                   lens[i]);
        for (size_t k = 0; k < lens[i]; k++)
            buf_putc(&out, (char)('a' + k % 26));
        size_t first = out.len < 300000 ? out.len : 300000;
        loopback_send(f.loop, fd, out.data, first);
        loopback_until_count(f.loop, &f.handled, 1);
        loopback_settle(f.loop);
        http_request_read_body(f.kept, 1 << 20, take_body);
        loopback_send(f.loop, fd, out.data + first, out.len - first);
        assert_true(loopback_read_until(f.loop, fd, &in, "\r\n\r\n"));
        char *body = strstr(in.data, "\r\n\r\n") + 4;
        size_t head = (size_t)(body - in.data);
        int64_t end = loopback_now_ms() + 10000;
        while (in.len < head + lens[i]) {
            size_t before = in.len;
            char piece[65536];
            ssize_t n = read(fd, piece, sizeof(piece));
            if (n > 0)
                buf_append(&in, piece, (size_t)n);
            if (in.len == before)
                ev_loop_poll(f.loop);
            assert_true(loopback_now_ms() < end);
        }
        assert_int_equal(f.body_len, lens[i]);
        assert_memory_equal(in.data + head, strstr(out.data, "\r\n\r\n") + 4, lens[i]);
        close(fd);
        buf_done(&in);
        buf_done(&out);
        loopback_settle(f.loop);
    }
}

static void expects_continue(void **state)
{
    (void)state;
    struct buf in = BUF(1 << 20);
    int fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd,
                  "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: "
                  "100-continue\r\n\r\n");
    assert_true(loopback_read_until(f.loop, fd, &in, "HTTP/1.1 100 Continue\r\n\r\n"));
    loopback_puts(f.loop, fd, "hello");
    assert_true(loopback_read_until(f.loop, fd, &in, "\r\n\r\nhello"));
    close(fd);
    buf_done(&in);
    /* A refusal comes instead of the 100. */
    const char *a = ask("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\nExpect: "
                        "100-continue\r\n\r\n",
                        NULL);
    assert_true(str_has_prefix(a, "HTTP/1.1 413 "));
}

static void streamed_body(void **state)
{
    (void)state;
    struct buf in = BUF(1 << 20);
    int fd = loopback_connect(f.port);
    char big[100000];
    memset(big, 'x', sizeof(big));
    loopback_puts(f.loop, fd, "POST /pieces HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    loopback_send(f.loop, fd, big, sizeof(big));
    loopback_settle(f.loop);
    assert_false(f.body_end);
    loopback_send(f.loop, fd, big, sizeof(big));
    assert_true(loopback_read_until(f.loop, fd, &in, "200000 bytes"));
    assert_true(f.pieces > 1 && f.body_end);
    /* paused after each piece */
    f.pieces = 0;
    f.piece_bytes = 0;
    f.body_end = false;
    buf_clear(&in);
    loopback_puts(f.loop, fd, "POST /paused HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    loopback_until_count(f.loop, &f.handled, 2);
    loopback_send(f.loop, fd, big, sizeof(big));
    loopback_settle(f.loop);
    assert_int_equal(f.pieces, 1);
    int64_t end = loopback_now_ms() + 10000;
    while (!f.body_end) {
        http_request_resume_body(f.kept);
        ev_loop_poll(f.loop);
        assert_true(loopback_now_ms() < end);
    }
    assert_true(loopback_read_until(f.loop, fd, &in, "100000 bytes"));
    /* cut off in the middle */
    f.body_end = false;
    loopback_puts(f.loop, fd, "POST /pieces HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    loopback_until_count(f.loop, &f.handled, 3);
    close(fd);
    loopback_until(f.loop, &f.body_broken);
    assert_false(f.body_end);
    buf_done(&in);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(plain_answer),  T(head_and_no_content), T(old_clients),
        T(problems),      T(streamed_answer),     T(pipelining),
        T(in_any_pieces), T(answers_later),       T(takes_no_answers),
        T(bodies),        T(late_wish),           T(expects_continue),
        T(streamed_body),
    };
    return cmocka_run_group_tests_name("http/server", tests, NULL, NULL);
}
