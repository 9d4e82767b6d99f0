/* WebSocket connections: our client against our server, and each against raw bytes. */
#include <unistd.h>
#include "loopback.h"
#include "base/str.h"
#include "http/ws.h"

#define MESSAGE_MAX (4 << 20)

struct side {
    struct ws *ws;
    struct buf text; /* "t:hello;" for each message */
    int messages, closes, code, drains;
    bool echo, free_on_message, opened;
    struct err err;
};

static struct fixture {
    struct ev_loop *loop;
    struct http_server *server;
    struct http_client *client;
    uint16_t port;
    struct side s, c;
    struct ws_dial *dial;
} f;

static void on_message(void *arg, bool is_text, const char *data, size_t len)
{
    struct side *side = arg;
    side->messages++;
    if (len < 1000) {
        buf_puts(&side->text, is_text ? "t:" : "b:");
        buf_append(&side->text, data, len);
        buf_putc(&side->text, ';');
    } else {
        buf_append(&side->text, data, len);
    }
    if (side->free_on_message)
        side->ws = ws_free(side->ws);
    else if (side->echo)
        assert_int_equal(ws_send(side->ws, is_text, data, len), 0);
}

static void on_close(void *arg, int code)
{
    struct side *side = arg;
    side->closes++;
    side->code = code;
    side->ws = ws_free(side->ws);
}

static void on_drain(void *arg)
{
    struct side *side = arg;
    side->drains++;
}

static const struct ws_events events = {on_message, on_close, on_drain};

static void handle(struct http_request *req, void *arg)
{
    (void)arg;
    if (str_is_equal(req->target.path, "/no")) {
        http_reply_str(req, 403, "text/plain", "no");
        return;
    }
    bool greets = str_is_equal(req->target.path, "/greets"); /* the request ends with ws_serve */
    http_reply_header(req, "X-Own", "1");
    f.s.ws = ws_serve(req, "topics", MESSAGE_MAX, &events, &f.s);
    if (greets)
        ws_send(f.s.ws, true, "welcome", 7);
}

static int setup(void **state)
{
    struct ev_address at = {.host = "127.0.0.1"};
    struct http_server_config cfg = {.handler = handle};
    (void)state;
    memset(&f, 0, sizeof(f));
    f.s.text = f.c.text = BUF(32 << 20);
    assert_int_equal(ev_loop_new(&f.loop, NULL), 0);
    f.server = http_server_new(f.loop, &cfg);
    f.client = http_client_new(f.loop);
    return http_server_listen(f.server, &at, 0, NULL, &f.port, NULL);
}

static int teardown(void **state)
{
    (void)state;
    ws_free(f.s.ws);
    ws_free(f.c.ws);
    http_client_free(f.client);
    http_server_free(f.server);
    ev_loop_free(f.loop);
    buf_done(&f.s.text);
    buf_done(&f.c.text);
    return 0;
}

static void on_open(void *arg, struct ws *ws, const struct err *err)
{
    struct side *side = arg;
    side->opened = true;
    side->ws = ws;
    if (err)
        side->err = *err;
    assert_true((ws == NULL) == (err != NULL));
}

static void dial(const char *path)
{
    struct http_call_request req = {.to = {.host = "127.0.0.1", .port = f.port}, .target = path};
    f.c.opened = false;
    f.dial = ws_dial(f.client, &req, MESSAGE_MAX, &events, on_open, &f.c, NULL);
    assert_non_null(f.dial);
}

static void open_both(const char *path)
{
    dial(path);
    loopback_until(f.loop, &f.c.opened);
    assert_non_null(f.c.ws);
    assert_non_null(f.s.ws);
}

static void talks(void **state)
{
    (void)state;
    open_both("/");
    f.s.echo = true;
    assert_int_equal(ws_send(f.c.ws, true, "hello", 5), 0);
    assert_int_equal(ws_send(f.c.ws, false, "\0\1", 2), 0);
    assert_int_equal(ws_send(f.c.ws, true, "", 0), 0);
    ws_ping(f.c.ws);
    loopback_until_count(f.loop, &f.c.messages, 3);
    assert_int_equal(f.c.text.len, 7 + 1 + 5 + 3);
    assert_memory_equal(f.c.text.data, "t:hello;b:\0\1;t:;", 16);
    f.c.ws = ws_close(f.c.ws, WS_CODE_AWAY);
    loopback_until_count(f.loop, &f.s.closes, 1);
    assert_int_equal(f.s.code, WS_CODE_AWAY);
    loopback_settle(f.loop);
    assert_int_equal(f.c.closes, 0); /* who closes is not told */
}

static void big_messages(void **state)
{
    (void)state;
    cleanup(mem_freep) char *big = mem_alloc(MESSAGE_MAX + 1);
    memset(big, 'x', MESSAGE_MAX + 1);
    open_both("/");
    f.s.echo = true;
    assert_int_equal(ws_send(f.c.ws, true, big, MESSAGE_MAX), 0);
    assert_true(ws_queued(f.c.ws) > 0);
    loopback_until_count(f.loop, &f.c.messages, 1);
    assert_int_equal(f.c.text.len, MESSAGE_MAX);
    assert_true(f.c.drains > 0);
    assert_int_equal(ws_send(f.c.ws, true, big, MESSAGE_MAX + 1), 0);
    loopback_until_count(f.loop, &f.c.closes, 1);
    assert_int_equal(f.c.code, WS_CODE_TOO_BIG);
    assert_int_equal(f.s.closes, 1);
}

static void greeting_with_the_answer(void **state)
{
    (void)state;
    open_both("/greets");
    loopback_until_count(f.loop, &f.c.messages, 1);
    assert_string_equal(buf_str(&f.c.text), "t:welcome;");
}

static void freed_inside(void **state)
{
    (void)state;
    open_both("/");
    f.s.free_on_message = true;
    ws_send(f.c.ws, true, "a", 1);
    ws_send(f.c.ws, true, "b", 1);
    loopback_until_count(f.loop, &f.c.closes, 1);
    assert_int_equal(f.c.code, WS_CODE_LOST);
    assert_string_equal(buf_str(&f.s.text), "t:a;");
    assert_int_equal(f.s.closes, 0);
}

static void pauses(void **state)
{
    (void)state;
    open_both("/");
    ws_pause(f.s.ws, true);
    ws_send(f.c.ws, true, "a", 1);
    loopback_settle(f.loop);
    assert_int_equal(f.s.messages, 0);
    ws_pause(f.s.ws, false);
    loopback_until_count(f.loop, &f.s.messages, 1);
}

static void refused(void **state)
{
    (void)state;
    dial("/no");
    loopback_until(f.loop, &f.c.opened);
    test_expect_err(&f.c.err, BERR_FORBIDDEN, "403");
    dial("/");
    ws_dial_cancel(f.dial);
    loopback_settle(f.loop);
    assert_false(f.c.opened);
    ws_dial_cancel(NULL);
}

/* ---- raw bytes against the server ---- */

#define UPGRADE                                                \
    "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void handshakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *answer;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" UPGRADE KEY "\r\n",
         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
         "Sec-WebSocket-Protocol: topics\r\nX-Own: 1\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\n" UPGRADE "\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\n" UPGRADE "Sec-WebSocket-Key: abc\r\n\r\n", "HTTP/1.1 400 "},
        {"POST / HTTP/1.1\r\n" UPGRADE KEY "\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Version: 8\r\n" KEY "\r\n",
         "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
         "Sec-WebSocket-Version: 13\r\n" KEY "\r\n",
         "HTTP/1.1 400 "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf in = BUF(10000);
        int fd = loopback_connect(f.port);
        loopback_puts(f.loop, fd, cases[i].text);
        assert_true(loopback_read_until(f.loop, fd, &in, "\r\n\r\n"));
        if (!str_has_prefix(buf_str(&in), cases[i].answer))
            fail_msg("case %zu: %s", i, buf_str(&in));
        if (i)
            assert_non_null(strstr(buf_str(&in), "Sec-WebSocket-Version: 13\r\n"));
        close(fd);
        loopback_settle(f.loop);
        buf_done(&in);
    }
}

static void bad_frames(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *answer;
        int code;
    } cases[] = {
        {"\x81\x01x", 3, "\x88\x02\x03\xea", WS_CODE_PROTOCOL},            /* not masked */
        {"\x81\x81\0\0\0\0\xff", 7, "\x88\x02\x03\xef", WS_CODE_BAD_DATA}, /* not UTF-8 */
        {"\x88\x80\0\0\0\0", 6, "\x88", WS_CODE_NONE},
        {"\x88\x82\0\0\0\0\x03\xe8", 8, "\x88\x02\x03\xe8", WS_CODE_NORMAL},
        {"\x89\x82\0\0\0\0hi\x88\x80\0\0\0\0", 14, "\x8a\x02hi\x88", WS_CODE_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf in = BUF(10000);
        int fd = loopback_connect(f.port);
        loopback_puts(f.loop, fd, "GET / HTTP/1.1\r\n" UPGRADE KEY "\r\n");
        assert_true(loopback_read_until(f.loop, fd, &in, "\r\n\r\n"));
        buf_clear(&in);
        f.s.closes = 0;
        loopback_send(f.loop, fd, cases[i].bytes, cases[i].len);
        loopback_read_all(f.loop, fd, &in);
        assert_true(in.len >= strlen(cases[i].answer));
        assert_memory_equal(in.data, cases[i].answer, strlen(cases[i].answer));
        loopback_until_count(f.loop, &f.s.closes, 1);
        assert_int_equal(f.s.code, cases[i].code);
        close(fd);
        loopback_settle(f.loop);
        buf_done(&in);
    }
}

static void lost(void **state)
{
    (void)state;
    struct buf in = BUF(10000);
    int fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd, "GET / HTTP/1.1\r\n" UPGRADE KEY "\r\n");
    assert_true(loopback_read_until(f.loop, fd, &in, "\r\n\r\n"));
    close(fd);
    loopback_until_count(f.loop, &f.s.closes, 1);
    assert_int_equal(f.s.code, WS_CODE_LOST);
    /* bytes before the handshake is answered: no WebSocket client does that */
    fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd, "GET / HTTP/1.1\r\n" UPGRADE KEY "\r\n\x81\x80\1\1\1\1");
    buf_clear(&in);
    loopback_read_all(f.loop, fd, &in);
    assert_int_equal(in.len, 0);
    assert_null(f.s.ws);
    close(fd);
    buf_done(&in);
}

static void any_allocation_fails(void **state)
{
    (void)state;
    int64_t start = mem_live();
    for (uint64_t n = 1;; n++) {
        struct http_call_request req = {.to = {.host = "127.0.0.1", .port = f.port}, .target = "/"};
        struct err err = {0};
        f.c.opened = false;
        f.s.messages = 0;
        mem_fail_at(n, 0);
        f.dial = ws_dial(f.client, &req, 100, &events, on_open, &f.c, &err);
        if (f.dial)
            loopback_until(f.loop, &f.c.opened); /* well or not, it ends */
        if (f.c.ws)
            ws_send(f.c.ws, true, "hello", 5);
        loopback_settle(f.loop);
        bool hit = mem_fail_hit();
        mem_fail_at(0, 0);
        f.c.ws = ws_free(f.c.ws);
        f.s.ws = ws_free(f.s.ws);
        loopback_settle(f.loop);
        buf_done(&f.s.text);
        buf_done(&f.c.text);
        f.s.text = f.c.text = BUF(1 << 20);
        if (!hit) {
            assert_int_equal(f.s.messages, 1);
            break;
        }
        assert_true(mem_live() <= start + 12); /* kept connections at most */
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(talks),
        T(big_messages),
        T(greeting_with_the_answer),
        T(freed_inside),
        T(pauses),
        T(refused),
        T(handshakes),
        T(bad_frames),
        T(lost),
        T(any_allocation_fails),
    };
    return cmocka_run_group_tests_name("http/ws", tests, NULL, NULL);
}
