/* Two raw sockets with a tunnel between them. */
#include "proxy/tunnel.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "loopback.h"

static struct ev_loop *loop;
static struct ev_listener *listener;
static struct ev_stream *accepted[2];
static int accepted_count, closed_count, fds[2];
static size_t bytes;

static void on_accept(void *arg, struct ev_stream *s)
{
    accepted[accepted_count++] = s;
}

static void on_bytes(void *arg, size_t len)
{
    bytes += len;
}

static void on_close(void *arg)
{
    closed_count++;
}

static const struct tunnel_events events = {.on_bytes = on_bytes, .on_close = on_close};

static int setup(void **state)
{
    struct ev_address at = {.host = "127.0.0.1"};
    accepted_count = closed_count = 0;
    bytes = 0;
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    assert_int_equal(ev_listen(loop, &at, 0, NULL, on_accept, NULL, &listener, NULL), 0);
    for (int i = 0; i < 2; i++) {
        fds[i] = loopback_connect(ev_listener_port(listener));
        loopback_until_count(loop, &accepted_count, i + 1);
    }
    return 0;
}

static int teardown(void **state)
{
    close(fds[0]);
    close(fds[1]);
    ev_listener_close(listener);
    loopback_settle(loop);
    ev_loop_free(loop);
    assert_int_equal(mem_live(), 0);
    return 0;
}

static struct tunnel *start(const char *from_a, const char *from_b)
{
    struct buf a = BUF(100), b = BUF(100);
    struct tunnel *t = tunnel_new(&events, NULL);
    buf_puts(&a, from_a);
    buf_puts(&b, from_b);
    tunnel_start(t, accepted[0], &a, accepted[1], &b);
    buf_done(&a);
    buf_done(&b);
    return t;
}

static void expect(int fd, const char *text)
{
    struct buf in = BUF(1000);
    assert_true(loopback_read_until(loop, fd, &in, text));
    assert_string_equal(buf_str(&in), text);
    buf_done(&in);
}

static void expect_end(int fd)
{
    struct buf in = BUF(1000);
    loopback_read_all(loop, fd, &in);
    assert_int_equal(in.len, 0);
    buf_done(&in);
}

static void both_ways(void **state)
{
    struct tunnel *t = start("early a", "early b");
    expect(fds[1], "early a");
    expect(fds[0], "early b");
    loopback_puts(loop, fds[0], "one");
    expect(fds[1], "one");
    loopback_puts(loop, fds[1], "two");
    expect(fds[0], "two");
    assert_int_equal(bytes, 6);
    tunnel_close(t);
    expect_end(fds[0]);
    expect_end(fds[1]);
    assert_int_equal(closed_count, 0);
}

static void ends_when_one_side_ends(void **state)
{
    start("", "");
    loopback_puts(loop, fds[0], "last words");
    shutdown(fds[0], SHUT_WR);
    expect(fds[1], "last words");
    expect_end(fds[1]);
    loopback_until_count(loop, &closed_count, 1);
}

static void back_pressure(void **state)
{
    static char block[65536];
    size_t sent = 0;
    struct tunnel *t = start("", "");
    /* nobody reads at the other end: after the kernel's buffers and ours, nothing is taken */
    for (int idle = 0; idle < 200;) {
        ssize_t n = send(fds[0], block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        ev_loop_poll(loop);
        assert_true(sent < (64u << 20));
    }
    struct buf in = BUF(80u << 20);
    while (in.len < sent) {
        char piece[65536];
        ssize_t n = read(fds[1], piece, sizeof(piece));
        if (n > 0)
            buf_append(&in, piece, (size_t)n);
        ev_loop_poll(loop);
    }
    assert_int_equal(in.len, sent);
    buf_done(&in);
    tunnel_end(t);
    assert_int_equal(closed_count, 1);
}

static void reset_by_one_side(void **state)
{
    struct linger hard = {.l_onoff = 1};
    start("", "");
    setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fds[0]);
    fds[0] = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
    loopback_until_count(loop, &closed_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_when_one_side_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(back_pressure, setup, teardown),
        cmocka_unit_test_setup_teardown(reset_by_one_side, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
