/*
 * The server over raw sockets: what goes in is what a client sends byte for byte, what comes out is
 * compared as text. Time-outs are tried with a time of the test's own (conn_sweep_at).
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "loopback.h"
#include "base/str.h"
#include "http/server_internal.h"
#include "http/sse.h"

static struct fixture {
    struct ev_loop *loop;
    struct http_server *server;
    uint16_t port;
    struct http_server_config cfg;
    struct http_request *kept; /* a handler that answers later */
    int handled, gone, done, drained, pieces;
    size_t piece_bytes, body_len;
    bool body_end, body_broken, resumed, hijacked;
    int body_rc, last_status;
    struct ev_stream *stream;
    struct buf rest;
} f;

/* ---- the handler: what to do is the path ---- */

static void take_body(struct http_request *req, const char *data, size_t len, int rc,
                      const struct err *err)
{
    f.body_rc = rc;
    f.body_len = len;
    if (rc < 0)
        http_reply_err(req, err);
    else
        http_reply(req, 200, "text/plain", data, len);
}

static int take_piece(void *arg, const char *data, size_t len)
{
    if (data) {
        f.pieces++;
        f.piece_bytes += len;
        return strcmp(((struct http_request *)arg)->target.path, "/paused") == 0 ? 1 : 0;
    }
    f.body_end = len == 0;
    f.body_broken = len != 0;
    if (f.body_end) {
        char text[40];
        snprintf(text, sizeof(text), "%zu bytes", f.piece_bytes);
        http_reply_str(arg, 200, "text/plain", text);
    } else {
        http_stream_abort(arg);
    }
    return 0;
}

static void on_gone(void *arg)
{
    (void)arg;
    f.gone++;
}

static void on_drain(void *arg)
{
    (void)arg;
    f.drained++;
}

static void stream_answer(struct http_request *req)
{
    http_stream_begin(req, 200, "text/plain", -1);
    http_stream_write(req, "one", 3);
    http_stream_write(req, "", 0);
    http_stream_write(req, "twentytwentytwenty", 18);
    http_stream_end(req);
}

static void say(struct http_request *req)
{
    char text[300];
    snprintf(text, sizeof(text), "%s %s from %s", req->method,
             req->target.path ? req->target.path : "", req->peer);
    http_reply_header(req, "X-Own", "yes");
    http_reply_header(req, "X-Bad", "a\r\nInjected: b");
    http_reply_str(req, 200, "text/plain", text);
}

static void handle(struct http_request *req, void *arg)
{
    const char *path = req->target.path ? req->target.path : req->head->target;
    (void)arg;
    f.handled++;
    if (str_is_equal(path, "/body") || str_is_equal(path, "/small")) {
        http_request_read_body(req, path[1] == 's' ? 10 : 1 << 20, take_body);
    } else if (str_is_equal(path, "/later") || str_is_equal(path, "/latebody")) {
        f.kept = req;
        http_request_on_gone(req, on_gone, NULL);
    } else if (str_is_equal(path, "/pieces") || str_is_equal(path, "/paused")) {
        f.kept = req;
        http_request_stream_body(req, take_piece, req);
    } else if (str_is_equal(path, "/stream")) {
        stream_answer(req);
    } else if (str_is_equal(path, "/forever")) {
        f.kept = req;
        http_request_on_gone(req, on_gone, NULL);
        http_stream_begin(req, 200, "text/plain", -1);
        http_stream_write(req, "begun", 5);
    } else if (str_is_equal(path, "/upgrade")) {
        f.stream = http_hijack(req, &f.rest);
        f.hijacked = true;
    } else if (str_is_equal(path, "/nothing")) {
        http_reply(req, 204, NULL, NULL, 0);
    } else if (str_is_equal(path, "/events")) {
        sse_begin(req);
        sse_send(req, 7, "job", "one\ntwo");
        sse_heartbeat(req);
        http_stream_end(req);
    } else if (str_is_equal(path, "/error")) {
        struct err err = {0};
        err_set(&err, BERR_INVALID, "no \"such\" thing");
        err_at(&err, "a.b", 3, 4);
        err_hint(&err, "try another");
        http_reply_err(req, &err);
    } else {
        say(req);
    }
}

static void on_done(const struct http_request *req, int64_t ms, void *arg)
{
    (void)arg;
    assert_true(ms >= 0);
    f.last_status = req->status;
    f.done++;
}

/* ---- fixture ---- */

static int setup_with(struct http_server_config cfg)
{
    struct ev_address at = {.host = "127.0.0.1"};
    memset(&f, 0, sizeof(f));
    f.cfg = cfg;
    f.cfg.handler = handle;
    f.cfg.done = on_done;
    assert_int_equal(ev_loop_new(&f.loop, NULL), 0);
    f.server = http_server_new(f.loop, &f.cfg);
    assert_non_null(f.server);
    return http_server_listen(f.server, &at, 0, NULL, &f.port, NULL);
}

static int setup(void **state)
{
    (void)state;
    return setup_with((struct http_server_config){0});
}

static int teardown(void **state)
{
    (void)state;
    http_server_free(f.server);
    ev_stream_close(f.stream);
    buf_done(&f.rest);
    ev_loop_free(f.loop);
    return 0;
}

/* Sends, reads until `part` (NULL: to the end), closes; the answer is in a static buffer. */
static const char *ask(const char *request, const char *part)
{
    static char text[1 << 16];
    struct buf in = BUF(1 << 20);
    int fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd, request);
    if (part)
        assert_true(loopback_read_until(f.loop, fd, &in, part));
    else
        loopback_read_all(f.loop, fd, &in);
    str_copy(text, sizeof(text), buf_str(&in));
    close(fd);
    buf_done(&in);
    loopback_settle(f.loop);
    return text;
}

static void expect_part(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static size_t count_parts(const char *text, const char *part)
{
    size_t n = 0;
    while ((text = strstr(text, part)) != NULL) {
        n++;
        text += strlen(part);
    }
    return n;
}

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
        T(plain_answer),
        T(head_and_no_content),
        T(old_clients),
        T(problems),
        T(streamed_answer),
        T(pipelining),
        T(in_any_pieces),
        T(answers_later),
        T(takes_no_answers),
        T(bodies),
        T(late_wish),
        T(expects_continue),
        T(streamed_body),
        T(client_goes),
        T(half_closed_client),
        T(aborted_answer),
        T(drains),
        T(upgrade),
        T(refusals),
        T(time_outs),
        T(slow_reader),
        T(most_connections),
        T(trusted_peer),
        T(raw_targets),
        T(any_allocation_fails),
    };
    return cmocka_run_group_tests_name("http/server", tests, NULL, NULL);
}
