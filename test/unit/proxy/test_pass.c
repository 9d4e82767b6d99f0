/* A proxy between a raw client and a raw server: what each sees, and every way it can end. */
#include "proxy/pass.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "loopback.h"

static struct ev_loop *loop;
static struct http_server *server;
static struct http_client *client;
static uint16_t port;
static int listener_fd, up = -1, down = -1;
static uint16_t up_port;
static int failed, tunnels_closed;
static struct err failure;
static bool no_tunnel;

static void on_failed(void *arg, struct http_request *req, const struct err *err)
{
    failed++;
    failure = *err;
    http_reply_err(req, err);
}

static void on_answer(void *arg, struct http_request *req, int status)
{
    http_reply_header(req, "X-Added", "answer");
}

static void on_tunnel_close(void *arg)
{
    tunnels_closed++;
}

static struct tunnel *on_tunnel(void *arg, struct http_request *req)
{
    static const struct tunnel_events events = {.on_close = on_tunnel_close};
    return no_tunnel ? NULL : tunnel_new(&events, NULL);
}

static const struct proxy_events events = {
    .on_failed = on_failed, .on_answer = on_answer, .on_tunnel = on_tunnel};

static void handle(struct http_request *req, void *arg)
{
    struct proxy_target to = {.to = {.host = "127.0.0.1", .port = up_port},
                              .host = "inside",
                              .target = req->head->target,
                              .headers = "X-Added: request\r\n"};
    proxy_pass(client, req, &to, &events, NULL);
}

static int setup(void **state)
{
    struct http_server_config cfg = {.handler = handle, .raw_targets = true};
    struct ev_address at = {.host = "127.0.0.1"};
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    failed = tunnels_closed = 0;
    no_tunnel = false;
    listener_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(listener_fd, 10), 0);
    getsockname(listener_fd, (struct sockaddr *)&addr, &len);
    up_port = ntohs(addr.sin_port);
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    server = http_server_new(loop, &cfg);
    client = http_client_new(loop);
    assert_int_equal(http_server_listen(server, &at, 0, NULL, &port, NULL), 0);
    down = loopback_connect(port);
    return 0;
}

static int teardown(void **state)
{
    if (up >= 0)
        close(up);
    if (down >= 0)
        close(down);
    up = down = -1;
    close(listener_fd);
    http_server_free(server);
    loopback_settle(loop);
    http_client_free(client);
    ev_loop_free(loop);
    assert_int_equal(mem_live(), 0);
    return 0;
}

/* The proxy's connection to the server. */
static void accept_up(void)
{
    int64_t end = loopback_now_ms() + 10000;
    do {
        ev_loop_poll(loop);
        up = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_true(loopback_now_ms() < end);
    } while (up < 0);
}

static void expect(int fd, const char *part)
{
    struct buf in = BUF(1u << 20);
    if (!loopback_read_until(loop, fd, &in, part))
        fail_msg("no \"%s\" in: %s", part, buf_str(&in));
    buf_done(&in);
}

static void expect_end(int fd, const char *part)
{
    struct buf in = BUF(8u << 20);
    loopback_read_all(loop, fd, &in);
    if (part && !strstr(buf_str(&in), part))
        fail_msg("no \"%s\" in: %s", part, buf_str(&in));
    buf_done(&in);
}

static void there_and_back(void **state)
{
    struct buf in = BUF(10000);
    loopback_puts(loop, down, "GET /a?b HTTP/1.1\r\nHost: outside\r\nX-Mine: 1\r\n\r\n");
    accept_up();
    loopback_read_until(loop, up, &in, "\r\n\r\n");
    assert_string_equal(buf_str(&in), "GET /a?b HTTP/1.1\r\nHost: inside\r\nX-Mine: 1\r\n"
                                      "X-Added: request\r\n\r\n");
    buf_clear(&in);
    loopback_puts(loop, up,
                  "HTTP/1.1 404 Whatever\r\nContent-Length: 5\r\nX-Theirs: 2\r\n\r\nhello");
    loopback_read_until(loop, down, &in, "hello");
    assert_non_null(strstr(in.data, "HTTP/1.1 404 Not Found\r\n"));
    assert_non_null(strstr(in.data, "X-Theirs: 2\r\nX-Added: answer\r\n"));
    /* both connections are kept */
    loopback_puts(loop, down, "GET /again HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(up, "GET /again ");
    loopback_puts(loop, up, "HTTP/1.1 204 No\r\n\r\n");
    expect(down, "HTTP/1.1 204 No Content\r\n");
    buf_done(&in);
}

static void bodies(void **state)
{
    loopback_puts(loop, down, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc");
    accept_up();
    expect(up, "Content-Length: 6\r\n");
    loopback_puts(loop, down, "def");
    expect(up, "def");
    loopback_puts(loop, up, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n");
    expect(down, "3\r\nxyz\r\n");
    loopback_puts(loop, up, "0\r\n\r\n");
    expect(down, "0\r\n\r\n");
    loopback_puts(loop, down,
                  "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n");
    expect(up, "3\r\nabc\r\n");
    loopback_puts(loop, down, "0\r\n\r\n");
    expect(up, "0\r\n\r\n");
    loopback_puts(loop, up, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(down, "Content-Length: 0\r\n");
}

static void nobody_there(void **state)
{
    close(listener_fd);
    listener_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    loopback_puts(loop, down, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(down, "HTTP/1.1 503 ");
    assert_int_equal(failure.code, BERR_UNAVAILABLE);
    assert_int_equal(failed, 1);
}

static void nonsense(void **state)
{
    loopback_puts(loop, down, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    accept_up();
    loopback_puts(loop, up, "HTTP/1.1 200 OK\nX: y\r\n\r\n");
    expect(down, "HTTP/1.1 502 ");
    assert_int_equal(failure.code, BERR_PROTOCOL);
}

static void broken_answer_is_noticed(void **state)
{
    loopback_puts(loop, down, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    accept_up();
    loopback_puts(loop, up, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    expect(down, "abc");
    close(up);
    up = -1;
    expect_end(down, NULL);
    assert_int_equal(failed, 0);
}

static void client_goes(void **state)
{
    loopback_puts(loop, down, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    accept_up();
    expect(up, "\r\n\r\n");
    loopback_puts(loop, up, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    expect(down, "abc");
    close(down);
    down = -1;
    expect_end(up, NULL);
}

static void client_goes_in_its_body(void **state)
{
    loopback_puts(loop, down, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc");
    accept_up();
    expect(up, "abc");
    close(down);
    down = -1;
    expect_end(up, NULL);
    assert_int_equal(failed, 0);
}

static void bad_chunk_ends_both(void **state)
{
    loopback_puts(loop, down,
                  "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n");
    accept_up();
    expect(up, "abc");
    loopback_puts(loop, down, "zz\r\n");
    expect_end(down, "HTTP/1.1 400 ");
    expect_end(up, NULL);
}

static void early_answer(void **state)
{
    loopback_puts(loop, down, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
    accept_up();
    expect(up, "abc");
    loopback_puts(loop, up, "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n");
    expect_end(down, "HTTP/1.1 413 ");
}

static void upgrade(void **state)
{
    loopback_puts(loop, down,
                  "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                  "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\nearly");
    accept_up();
    expect(up, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    loopback_puts(loop, up,
                  "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: a\r\n\r\nfirst");
    struct buf in = BUF(1000);
    loopback_read_until(loop, down, &in, "first");
    assert_string_equal(buf_str(&in), "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                                      "Upgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\nfirst");
    buf_done(&in);
    expect(up, "early");
    loopback_puts(loop, down, "more");
    expect(up, "more");
    close(up);
    up = -1;
    expect_end(down, NULL);
    loopback_until_count(loop, &tunnels_closed, 1);
}

static void refused_upgrade(void **state)
{
    static const char request[] = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                                  "Upgrade: websocket\r\n\r\n";
    loopback_puts(loop, down, request);
    accept_up();
    expect(up, "\r\n\r\n");
    loopback_puts(loop, up, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
    expect(down, "\r\n\r\nno");
    loopback_puts(loop, down, request);
    expect(up, "\r\n\r\n");
    no_tunnel = true;
    loopback_puts(loop, up,
                  "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    expect_end(down, NULL);
    expect_end(up, NULL);
}

static void big_answer_to_a_slow_reader(void **state)
{
    static char block[65536];
    size_t sent = 0, total = 16u << 20;
    char head[100];
    loopback_puts(loop, down, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    accept_up();
    expect(up, "\r\n\r\n");
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", total);
    loopback_puts(loop, up, head);
    for (int idle = 0; idle < 200 && sent < total;) { /* until nobody takes more */
        size_t n = total - sent < sizeof(block) ? total - sent : sizeof(block);
        ssize_t done = send(up, block, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += done > 0 ? (size_t)done : 0;
        idle = done > 0 ? 0 : idle + 1;
        ev_loop_poll(loop);
    }
    struct buf in = BUF(20u << 20);
    int64_t end = loopback_now_ms() + 10000;
    for (bool more = true; more;) {
        char piece[65536];
        ssize_t n = read(down, piece, sizeof(piece));
        if (n > 0)
            buf_append(&in, piece, (size_t)n);
        more = n != 0;
        if (sent < total) {
            size_t want = total - sent < sizeof(block) ? total - sent : sizeof(block);
            ssize_t done = send(up, block, want, MSG_NOSIGNAL | MSG_DONTWAIT);
            sent += done > 0 ? (size_t)done : 0;
        }
        ev_loop_poll(loop);
        assert_true(loopback_now_ms() < end);
    }
    assert_true(in.len > total);
    buf_done(&in);
}

/* One exchange with the n-th allocation failing: whatever comes of it, the client sees an answer or
 * the end, and nothing is left over (teardown counts). Returns whether the n-th was reached. */
static bool exchange(uint64_t n, int persistent, const char *request, const char *answer)
{
    bool answered = false;
    mem_fail_at(n, persistent);
    loopback_puts(loop, down, request);
    int64_t start = loopback_now_ms();
    bool hit = false;
    for (bool more = true; more;) {
        char piece[4096];
        ev_loop_poll(loop);
        if (loopback_now_ms() - start > 300) { /* it was short for long enough */
            hit = hit || mem_fail_hit();
            mem_fail_at(0, 0);
        }
        if (up < 0)
            up = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (up >= 0 && !answered && read(up, piece, sizeof(piece)) > 0)
            answered = send(up, answer, strlen(answer), MSG_NOSIGNAL) > 0;
        ssize_t got = read(down, piece, sizeof(piece));
        more = got < 0 && errno == EAGAIN;
        if (loopback_now_ms() - start > 10000)
            fail_msg("allocation %d: nothing ever came", (int)n);
    }
    hit = hit || mem_fail_hit();
    mem_fail_at(0, 0);
    return hit;
}

static void torture(const char *request, const char *answer)
{
    for (int persistent = 0; persistent < 2; persistent++)
        for (uint64_t n = 1;; n++) {
            setup(NULL);
            bool hit = exchange(n, persistent, request, answer);
            teardown(NULL);
            if (!hit)
                break;
            assert_true(n < 1000);
        }
}

static void short_memory(void **state)
{
    torture("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
}

static void short_memory_with_a_body(void **state)
{
    torture("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
}

static void short_memory_in_an_upgrade(void **state)
{
    torture("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly",
            "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(there_and_back),
        CASE(bodies),
        CASE(nobody_there),
        CASE(nonsense),
        CASE(broken_answer_is_noticed),
        CASE(client_goes),
        CASE(client_goes_in_its_body),
        CASE(bad_chunk_ends_both),
        CASE(early_answer),
        CASE(upgrade),
        CASE(refused_upgrade),
        CASE(big_answer_to_a_slow_reader),
        cmocka_unit_test(short_memory),
        cmocka_unit_test(short_memory_with_a_body),
        cmocka_unit_test(short_memory_in_an_upgrade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
