/* The client, against scripted raw servers: answers in every framing, kept connections, time-outs. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "loopback.h"
#include "base/str.h"
#include "http/client.h"

/* The other side is a listening socket of the test; each accepted connection is played by hand. */
static struct fixture {
    struct ev_loop *loop;
    struct http_client *client;
    int listens, peer;
    uint16_t port;
    struct buf got;
} f;

struct answer {
    int status, heads, dones, rc, drains;
    char type[64];
    struct buf body;
    struct err err;
    bool pause, done, upgraded;
    struct ev_stream *stream;
    struct buf rest;
    struct http_call *cancel_in_body;
};

static void on_head(void *arg, const struct http_head *head)
{
    struct answer *a = arg;
    const char *type = http_head_get(head, "content-type");
    a->heads++;
    a->status = head->status;
    str_copy(a->type, sizeof(a->type), type ? type : "");
}

static int on_body(void *arg, const char *data, size_t len)
{
    struct answer *a = arg;
    buf_append(&a->body, data, len);
    if (a->cancel_in_body) {
        http_call_cancel(a->cancel_in_body);
        return 0;
    }
    return a->pause ? 1 : 0;
}

static void on_done(void *arg, int rc, const struct err *err)
{
    struct answer *a = arg;
    a->dones++;
    a->rc = rc;
    a->done = true;
    if (err)
        a->err = *err;
}

static void on_upgrade(void *arg, struct ev_stream *s, struct buf *rest)
{
    struct answer *a = arg;
    a->upgraded = true;
    a->stream = s;
    a->rest = *rest;
}

static void on_drain(void *arg)
{
    struct answer *a = arg;
    a->drains++;
}

static const struct http_call_events events = {on_head, on_body, on_done, on_upgrade, on_drain};

static int setup(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    (void)state;
    memset(&f, 0, sizeof(f));
    f.got = BUF(1 << 20);
    f.peer = -1;
    assert_int_equal(ev_loop_new(&f.loop, NULL), 0);
    f.client = http_client_new(f.loop);
    assert_non_null(f.client);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f.listens = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(f.listens, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(f.listens, 16), 0);
    assert_int_equal(getsockname(f.listens, (struct sockaddr *)&addr, &len), 0);
    f.port = ntohs(addr.sin_port);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_client_free(f.client);
    ev_loop_free(f.loop);
    buf_done(&f.got);
    close(f.listens);
    if (f.peer >= 0)
        close(f.peer);
    return 0;
}

static struct http_call *call(struct answer *a, struct http_call_request req)
{
    *a = (struct answer){.body = BUF(32 << 20)};
    req.to = (struct ev_address){.host = "127.0.0.1", .port = f.port};
    req.method = req.method ? req.method : "GET";
    req.target = req.target ? req.target : "/x";
    struct http_call *c = http_client_call(f.client, &req, &events, a, NULL);
    assert_non_null(c);
    assert_int_equal(a->dones, 0);
    return c;
}

/* Takes the next connection of the client. */
static void accept_next(void)
{
    int64_t end = loopback_now_ms() + 10000;
    if (f.peer >= 0)
        close(f.peer);
    while ((f.peer = accept4(f.listens, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0) {
        ev_loop_poll(f.loop);
        assert_true(loopback_now_ms() < end);
    }
}

static const char *read_request(const char *until)
{
    buf_clear(&f.got);
    assert_true(loopback_read_until(f.loop, f.peer, &f.got, until));
    return buf_str(&f.got);
}

static void reply(const char *text)
{
    loopback_puts(f.loop, f.peer, text);
}

static void finish(struct answer *a, int rc)
{
    loopback_until(f.loop, &a->done);
    if (a->rc != rc)
        fail_msg("ended with %d: %s", a->rc, a->err.text);
    loopback_settle(f.loop);
    assert_int_equal(a->dones, 1);
}

static void expect_no_connection(void)
{
    loopback_settle(f.loop);
    assert_true(accept4(f.listens, NULL, NULL, SOCK_NONBLOCK) < 0);
}

/* ---- answers ---- */

static void framings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *body;
        int status;
        bool closes;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
         "hello", 200, false},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "", 404, false},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", 204, false},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", "", 304, false},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
         "OK\r\nContent-Length: 2\r\n\r\nok",
         "ok", 200, false},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok", 200, true},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end", 200, true},
        {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end", 200, true},
    };
    bool connected = false;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer a;
        call(&a, (struct http_call_request){0});
        if (!connected)
            accept_next();
        read_request("\r\n\r\n");
        reply(cases[i].text);
        if (cases[i].closes)
            shutdown(f.peer, SHUT_WR);
        finish(&a, 0);
        assert_int_equal(a.status, cases[i].status);
        assert_int_equal(a.heads, 1);
        assert_string_equal(buf_str(&a.body), cases[i].body);
        buf_done(&a.body);
        expect_no_connection();
        connected = !cases[i].closes; /* kept for the next, or not */
    }
}

static void what_is_sent(void **state)
{
    (void)state;
    struct answer a;
    char want[300];
    call(&a, (struct http_call_request){.target = "/p?q", .headers = "X-A: b\r\nAccept: c\r\n"});
    accept_next();
    snprintf(want, sizeof(want),
             "GET /p?q HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nX-A: b\r\nAccept: c\r\n\r\n", f.port);
    assert_string_equal(read_request("\r\n\r\n"), want);
    reply("HTTP/1.1 204 No Content\r\n\r\n");
    finish(&a, 0);
    buf_done(&a.body);
    struct http_call *c =
        call(&a, (struct http_call_request){.method = "PUT", .host = "other", .body_length = 5});
    http_call_write(c, "hel", 3);
    http_call_write(c, "lo", 2);
    assert_string_equal(read_request("lo"),
                        "PUT /x HTTP/1.1\r\nHost: other\r\nContent-Length: 5\r\n\r\nhello");
    reply("HTTP/1.1 204 No Content\r\n\r\n");
    finish(&a, 0);
    buf_done(&a.body);
    call(&a, (struct http_call_request){.method = "PUT", .host = "other"});
    assert_string_equal(read_request("\r\n\r\n"),
                        "PUT /x HTTP/1.1\r\nHost: other\r\nContent-Length: 0\r\n\r\n");
    reply("HTTP/1.1 204 No Content\r\n\r\n");
    finish(&a, 0);
    buf_done(&a.body);
    c = call(&a, (struct http_call_request){.method = "POST", .host = "h", .body_length = -1});
    http_call_write(c, "hello", 5);
    http_call_write(c, "", 0);
    http_call_write(c, "x", 1);
    http_call_end(c);
    assert_string_equal(read_request("0\r\n\r\n"),
                        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n1\r\nx\r\n0\r\n\r\n");
    reply("HTTP/1.1 204 No Content\r\n\r\n");
    finish(&a, 0);
    buf_done(&a.body);
    call(&a, (struct http_call_request){.method = "HEAD", .host = "h"});
    read_request("\r\n\r\n");
    reply("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    finish(&a, 0);
    buf_done(&a.body);
}

static void bad_answers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200",
        "",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer a;
        call(&a, (struct http_call_request){0});
        accept_next();
        read_request("\r\n\r\n");
        reply(bad[i]);
        shutdown(f.peer, SHUT_WR);
        loopback_until(f.loop, &a.done);
        assert_true(a.rc < 0);
        assert_true(a.err.text[0] != '\0');
        assert_int_equal(a.dones, 1);
        buf_done(&a.body);
    }
}

/* ---- kept connections ---- */

static void repeats_on_a_dead_one(void **state)
{
    (void)state;
    struct answer a;
    call(&a, (struct http_call_request){0});
    accept_next();
    read_request("\r\n\r\n");
    reply("HTTP/1.1 204 No Content\r\n\r\n");
    finish(&a, 0);
    buf_done(&a.body);
    /* closed by the server at the moment it is used again: GET is repeated */
    call(&a, (struct http_call_request){0});
    read_request("\r\n\r\n");
    accept_next(); /* closes the old one */
    read_request("\r\n\r\n");
    reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    finish(&a, 0);
    assert_string_equal(buf_str(&a.body), "ok");
    buf_done(&a.body);
    /* POST is not */
    call(&a, (struct http_call_request){.method = "POST"});
    read_request("\r\n\r\n");
    close(f.peer);
    f.peer = -1;
    loopback_until(f.loop, &a.done);
    assert_int_equal(a.rc, -BERR_UNAVAILABLE);
    expect_no_connection();
    buf_done(&a.body);
    /* an idle one that the server closed is not used at all */
    call(&a, (struct http_call_request){0});
    accept_next();
    read_request("\r\n\r\n");
    reply("HTTP/1.1 204 No Content\r\n\r\n");
    finish(&a, 0);
    buf_done(&a.body);
    close(f.peer);
    f.peer = -1;
    loopback_settle(f.loop);
    call(&a, (struct http_call_request){.method = "POST"});
    accept_next();
    read_request("\r\n\r\n");
    reply("HTTP/1.1 204 No Content\r\n\r\n");
    finish(&a, 0);
    buf_done(&a.body);
}

/* What a server says without being asked must never become somebody's answer. */
static void unasked_bytes(void **state)
{
    (void)state;
    struct answer a;
    call(&a, (struct http_call_request){0});
    accept_next();
    read_request("\r\n\r\n");
    reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: "
          "4\r\n\r\nevil");
    finish(&a, 0);
    assert_string_equal(buf_str(&a.body), "ok");
    buf_done(&a.body);
    call(&a, (struct http_call_request){0});
    accept_next();
    read_request("\r\n\r\n");
    reply("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
    finish(&a, 0);
    assert_string_equal(buf_str(&a.body), "good");
    buf_done(&a.body);
    reply("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    loopback_settle(f.loop);
    call(&a, (struct http_call_request){0});
    accept_next();
    read_request("\r\n\r\n");
    reply("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
    finish(&a, 0);
    assert_string_equal(buf_str(&a.body), "good");
    buf_done(&a.body);
}

/* An answer before the whole request: the connection is not used for another. */
static void early_answer(void **state)
{
    (void)state;
    struct answer a;
    struct http_call *c = call(&a, (struct http_call_request){.method = "PUT", .body_length = 100});
    http_call_write(c, "hello", 5);
    accept_next();
    read_request("hello");
    reply("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    finish(&a, 0);
    assert_int_equal(a.status, 413);
    buf_done(&a.body);
    call(&a, (struct http_call_request){0});
    accept_next();
    read_request("\r\n\r\n");
    reply("HTTP/1.1 204 No Content\r\n\r\n");
    finish(&a, 0);
    buf_done(&a.body);
}

/* ---- flow, cancel, time ---- */

static void pauses(void **state)
{
    (void)state;
    struct answer a;
    cleanup(mem_freep) char *big = mem_calloc(1, 16 << 20);
    struct http_call *c = call(&a, (struct http_call_request){0});
    a.pause = true;
    accept_next();
    read_request("\r\n\r\n");
    reply("HTTP/1.1 200 OK\r\nContent-Length: 16777216\r\n\r\n");
    size_t sent = 0;
    for (int idle = 0; idle < 100; idle++) {
        ssize_t n = send(f.peer, big + sent, (16 << 20) - sent, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
            idle = 0;
        }
        ev_loop_poll(f.loop);
    }
    assert_true(a.body.len > 0 && a.body.len <= 65536);
    assert_true(sent < 16 << 20);
    int64_t end = loopback_now_ms() + 20000;
    while (!a.done) {
        if (sent < 16 << 20) {
            ssize_t n = send(f.peer, big + sent, (16 << 20) - sent, MSG_NOSIGNAL);
            sent += n > 0 ? (size_t)n : 0;
        }
        if (!a.done)
            http_call_resume(c);
        ev_loop_poll(f.loop);
        assert_true(loopback_now_ms() < end);
    }
    assert_int_equal(a.body.len, 16 << 20);
    buf_done(&a.body);
}

static void cancels(void **state)
{
    (void)state;
    struct answer a;
    http_call_cancel(call(&a, (struct http_call_request){0})); /* before anything happens */
    loopback_settle(f.loop);
    buf_done(&a.body);
    struct http_call *c = call(&a, (struct http_call_request){0}); /* while it waits */
    accept_next();
    if (accept4(f.listens, NULL, NULL, SOCK_NONBLOCK) >= 0)
        fail_msg("two connections");
    loopback_settle(f.loop);
    http_call_cancel(c);
    loopback_settle(f.loop);
    assert_int_equal(a.dones + a.heads, 0);
    buf_done(&a.body);
    c = call(&a, (struct http_call_request){0}); /* from inside a callback */
    a.cancel_in_body = c;
    accept_next();
    read_request("\r\n\r\n");
    reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    int64_t end = loopback_now_ms() + 10000;
    while (a.body.len < 5) {
        ev_loop_poll(f.loop);
        assert_true(loopback_now_ms() < end);
    }
    loopback_settle(f.loop);
    assert_int_equal(a.dones, 0);
    http_call_cancel(NULL);
    buf_done(&a.body);
}

static void time_outs(void **state)
{
    (void)state;
    struct answer a;
    call(&a, (struct http_call_request){.answer_ms = 20});
    accept_next();
    loopback_until(f.loop, &a.done);
    assert_int_equal(a.rc, -BERR_TIMEOUT);
    test_expect_err(&a.err, BERR_TIMEOUT, "no answer in time");
    buf_done(&a.body);
}

static void nobody_there(void **state)
{
    (void)state;
    struct answer a;
    close(f.listens);
    call(&a, (struct http_call_request){0});
    loopback_until(f.loop, &a.done);
    assert_int_equal(a.rc, -BERR_UNAVAILABLE);
    test_expect_err(&a.err, BERR_UNAVAILABLE, "refused");
    f.listens = socket(AF_INET, SOCK_STREAM, 0);
    buf_done(&a.body);
}

static void upgrades(void **state)
{
    (void)state;
    struct answer a;
    call(&a, (struct http_call_request){.headers = "Connection: Upgrade\r\nUpgrade: x\r\n"});
    accept_next();
    read_request("\r\n\r\n");
    reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nrest");
    loopback_until(f.loop, &a.upgraded);
    assert_int_equal(a.status, 101);
    assert_string_equal(buf_str(&a.rest), "rest");
    ev_stream_write(a.stream, "raw", 3);
    assert_string_equal(read_request("raw"), "raw");
    ev_stream_close(a.stream);
    buf_done(&a.rest);
    buf_done(&a.body);
    loopback_settle(f.loop);
    assert_int_equal(a.dones, 0);
}

/* Whatever allocation fails: the call ends once, with an error or well. */
static void any_allocation_fails(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct answer a = {.body = BUF(1000)};
        struct http_call_request req = {.to = {.host = "127.0.0.1", .port = f.port},
                                        .method = "GET",
                                        .target = "/x",
                                        .answer_ms = 200};
        struct err err = {0};
        char piece[1000];
        buf_reserve(&a.body, 100);
        int64_t before = mem_live();
        mem_fail_at(n, 0);
        struct http_call *c = http_client_call(f.client, &req, &events, &a, &err);
        int64_t end = loopback_now_ms() + 10000;
        while (c && !a.done) {
            int fd = accept4(f.listens, NULL, NULL, SOCK_NONBLOCK);
            if (fd >= 0) {
                if (f.peer >= 0)
                    close(f.peer);
                f.peer = fd;
            }
            if (f.peer >= 0 && read(f.peer, piece, sizeof(piece)) > 0)
                (void)!send(f.peer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx", 40,
                            MSG_NOSIGNAL),
                    shutdown(f.peer, SHUT_WR);
            ev_loop_poll(f.loop);
            assert_true(loopback_now_ms() < end);
        }
        bool hit = mem_fail_hit();
        mem_fail_at(0, 0);
        loopback_settle(f.loop);
        if (!c)
            assert_int_equal(err.code, BERR_NOMEM);
        assert_int_equal(mem_live(), before);
        buf_done(&a.body);
        if (!hit) {
            assert_int_equal(a.rc, 0);
            break;
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(framings),      T(what_is_sent), T(bad_answers), T(repeats_on_a_dead_one),
        T(unasked_bytes), T(early_answer), T(pauses),      T(cancels),
        T(time_outs),     T(nobody_there), T(upgrades),    T(any_allocation_fails),
    };
    return cmocka_run_group_tests_name("http/client", tests, NULL, NULL);
}
