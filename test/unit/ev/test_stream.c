/*
 * Streams, each case over TCP, a unix socket and TLS: everything sent arrives, in order, whatever is
 * paused, half closed or closed soon; what breaks is told once.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "loopback.h"
#include "ev/stream.h"
#include "ev/tls.h"

#define BIG (8 << 20)

struct end {
    struct ev_stream *s;
    struct buf in;
    bool eof, broken, drained, pause_on_data, close_on_data;
    int errors;
    struct err err;
};

static struct fixture {
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 8], cert[TEST_PATH_MAX + 8],
        key[TEST_PATH_MAX + 8];
    struct ev_loop *loop;
    struct ev_listener *listener;
    struct ev_tls *server_tls, *client_tls;
    struct ev_address at;
    struct end server, client;
    struct ev_connect *connecting;
    bool connected, failed;
    struct err connect_err;
} f;

/* ---- ends ---- */

static void on_data(void *arg, const char *data, size_t len)
{
    struct end *e = arg;
    buf_append(&e->in, data, len);
    if (e->pause_on_data)
        ev_stream_read(e->s, false);
    if (e->close_on_data) {
        ev_stream_close(e->s);
        e->s = NULL;
    }
}

static void on_eof(void *arg)
{
    struct end *e = arg;
    assert_false(e->eof);
    e->eof = true;
}

static void on_error(void *arg, const struct err *err)
{
    struct end *e = arg;
    e->errors++;
    e->broken = true;
    e->err = *err;
}

static void on_drain(void *arg)
{
    struct end *e = arg;
    e->drained = true;
}

static const struct ev_stream_events events = {on_data, on_eof, on_error, on_drain};

static void begin(struct end *e, struct ev_stream *s)
{
    *e = (struct end){.s = s, .in = BUF(64 << 20)};
    ev_stream_set(s, &events, e);
    ev_stream_read(s, true);
}

static void accepted(void *arg, struct ev_stream *s)
{
    (void)arg;
    begin(&f.server, s);
}

static void connected(void *arg, struct ev_stream *s, const struct err *err)
{
    (void)arg;
    f.connecting = NULL;
    if (s) {
        begin(&f.client, s);
        f.connected = true;
    } else {
        f.failed = true;
        f.connect_err = *err;
    }
}

/* ---- fixture ---- */

enum kind { TCP, UNIX, TLS };

static void listen_on(enum kind kind)
{
    memset(&f, 0, sizeof(f));
    test_tmpdir_make(f.dir);
    snprintf(f.path, sizeof(f.path), "%s/s", f.dir);
    snprintf(f.cert, sizeof(f.cert), "%s/c", f.dir);
    snprintf(f.key, sizeof(f.key), "%s/k", f.dir);
    assert_int_equal(ev_loop_new(&f.loop, NULL), 0);
    if (kind == TLS) {
        assert_int_equal(ev_tls_make_certificate(f.cert, f.key, "localhost,127.0.0.1", NULL), 0);
        assert_int_equal(ev_tls_server(f.cert, f.key, &f.server_tls, NULL), 0);
        assert_int_equal(ev_tls_client(f.cert, &f.client_tls, NULL), 0);
    }
    if (kind == UNIX)
        f.at.unix_path = f.path;
    else
        f.at.host = "127.0.0.1";
    assert_int_equal(
        ev_listen(f.loop, &f.at, 0600, f.server_tls, accepted, NULL, &f.listener, NULL), 0);
    f.at.port = ev_listener_port(f.listener);
}

static void connect_to(void)
{
    f.connecting = ev_connect(f.loop, &f.at, f.client_tls, 10000, connected, NULL, NULL);
    assert_non_null(f.connecting);
    int64_t end = loopback_now_ms() + 10000;
    while (!(f.failed || (f.connected && f.server.s))) {
        ev_loop_poll(f.loop);
        assert_true(loopback_now_ms() < end);
    }
}

static void open_pair(enum kind kind)
{
    listen_on(kind);
    connect_to();
    assert_false(f.failed);
}

static void end_all(void)
{
    ev_stream_close(f.server.s);
    ev_stream_close(f.client.s);
    ev_connect_cancel(f.connecting);
    ev_listener_close(f.listener);
    ev_loop_free(f.loop);
    buf_done(&f.server.in);
    buf_done(&f.client.in);
    ev_tls_free(f.server_tls);
    ev_tls_free(f.client_tls);
    test_tmpdir_remove(f.dir);
}

static void until_len(struct buf *in, size_t len)
{
    int64_t end = loopback_now_ms() + 20000;
    while (in->len < len) {
        ev_loop_poll(f.loop);
        assert_true(loopback_now_ms() < end);
    }
}

static char *pattern(size_t len)
{
    char *data = mem_alloc(len);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    return data;
}

static void expect_pattern(const struct buf *in, size_t len)
{
    cleanup(mem_freep) char *want = pattern(len);
    assert_int_equal(in->len, len);
    assert_memory_equal(in->data, want, len);
}

/* ---- cases ---- */

static void both_ways(enum kind kind)
{
    open_pair(kind);
    char peer[64];
    assert_int_equal(ev_stream_write2(f.client.s, "he", 2, "llo", 3), 0);
    until_len(&f.server.in, 5);
    assert_string_equal(buf_str(&f.server.in), "hello");
    assert_int_equal(ev_stream_write(f.server.s, "back", 4), 0);
    until_len(&f.client.in, 4);
    assert_string_equal(ev_stream_peer(f.server.s, peer), kind == UNIX ? "unix" : "127.0.0.1");
    assert_true(ev_stream_is_loopback(f.server.s));
    assert_int_equal(ev_stream_peer_uid(f.server.s), kind == UNIX ? (int64_t)getuid() : -1);
    assert_true(ev_stream_is_tls(f.server.s) == (kind == TLS));
    end_all();
}

/* Much more than the kernel takes at once, in pieces, while the reader stops after each read. */
static void big_and_paused(enum kind kind)
{
    open_pair(kind);
    cleanup(mem_freep) char *data = pattern(BIG);
    f.server.pause_on_data = true;
    f.client.drained = false;
    for (size_t at = 0, n = 1; at < BIG; at += n, n = n * 3 + 1) {
        n = n < BIG - at ? n : BIG - at;
        assert_int_equal(
            ev_stream_write2(f.client.s, data + at, n / 2, data + at + n / 2, n - n / 2), 0);
    }
    assert_true(ev_stream_queued(f.client.s) > 0);
    assert_false(f.client.drained);
    int64_t end = loopback_now_ms() + 30000;
    for (int round = 0; f.server.in.len < BIG; round++) {
        size_t before = f.server.in.len;
        ev_loop_poll(f.loop);
        if (round % 3 == 0)
            ev_stream_read(f.server.s, true);
        else if (f.server.in.len > before)
            assert_true(f.server.in.len - before <= 65536);
        assert_true(loopback_now_ms() < end);
    }
    expect_pattern(&f.server.in, BIG);
    loopback_until(f.loop, &f.client.drained);
    assert_int_equal(ev_stream_queued(f.client.s), 0);
    end_all();
}

static void half_close(enum kind kind)
{
    open_pair(kind);
    cleanup(mem_freep) char *data = pattern(BIG);
    assert_int_equal(ev_stream_write(f.client.s, data, BIG), 0);
    ev_stream_shutdown(f.client.s);
    assert_true(ev_stream_write(f.client.s, "x", 1) < 0);
    loopback_until(f.loop, &f.server.eof);
    expect_pattern(&f.server.in, BIG);
    /* the other way still goes */
    assert_int_equal(ev_stream_write(f.server.s, "thanks", 6), 0);
    until_len(&f.client.in, 6);
    ev_stream_shutdown(f.server.s);
    loopback_until(f.loop, &f.client.eof);
    assert_int_equal(f.client.errors + f.server.errors, 0);
    end_all();
}

/* Shut down before the handshake is over: what was written goes first. */
static void early_shutdown(enum kind kind)
{
    listen_on(kind);
    f.connecting = ev_connect(f.loop, &f.at, f.client_tls, 10000, connected, NULL, NULL);
    loopback_until(f.loop, &f.connected);
    assert_int_equal(ev_stream_write(f.client.s, "early", 5), 0);
    ev_stream_shutdown(f.client.s);
    loopback_until(f.loop, &f.server.eof);
    assert_string_equal(buf_str(&f.server.in), "early");
    end_all();
}

static void close_soon_sends_all(enum kind kind)
{
    open_pair(kind);
    cleanup(mem_freep) char *data = pattern(BIG);
    /* The client has unread bytes in its way: its peer must get everything all the same. */
    assert_int_equal(ev_stream_write(f.server.s, "never read", 10), 0);
    ev_stream_read(f.client.s, false);
    assert_int_equal(ev_stream_write(f.client.s, data, BIG), 0);
    ev_stream_close_soon(f.client.s);
    f.client.s = NULL;
    loopback_until(f.loop, &f.server.eof);
    expect_pattern(&f.server.in, BIG);
    assert_int_equal(f.server.errors, 0);
    assert_int_equal(f.client.in.len, 0); /* no callback after that */
    end_all();
}

static void close_inside(enum kind kind)
{
    open_pair(kind);
    cleanup(mem_freep) char *data = pattern(BIG);
    f.server.close_on_data = true;
    assert_int_equal(ev_stream_write(f.client.s, data, BIG), 0);
    int64_t end = loopback_now_ms() + 10000;
    while (!f.client.broken && !f.client.eof) {
        ev_loop_poll(f.loop);
        assert_true(loopback_now_ms() < end);
    }
    loopback_settle(f.loop);
    assert_true(f.client.errors <= 1);
    assert_null(f.server.s);
    end_all();
}

/* The loop is freed while a stream still lingers. */
static void lingers_at_the_end(enum kind kind)
{
    int64_t before = mem_live();
    open_pair(kind);
    cleanup(mem_freep) char *data = pattern(BIG);
    ev_stream_read(f.server.s, false);
    assert_int_equal(ev_stream_write(f.client.s, data, BIG), 0);
    ev_stream_close_soon(f.client.s);
    f.client.s = NULL;
    end_all();
    assert_int_equal(mem_live(), before + 1); /* data */
}

#define EACH(name)                 \
    static void name##_(void **st) \
    {                              \
        (void)st;                  \
        name(TCP);                 \
        name(UNIX);                \
        name(TLS);                 \
    }
EACH(both_ways)
EACH(big_and_paused)
EACH(half_close)
EACH(early_shutdown)
EACH(close_soon_sends_all)
EACH(close_inside)
EACH(lingers_at_the_end)

/* ---- connecting ---- */

static void expect_no_connection(struct ev_address at, enum berr code, const char *part)
{
    struct err err = {0};
    f.failed = f.connected = false;
    f.connecting = ev_connect(f.loop, &at, NULL, 10000, connected, NULL, &err);
    if (!f.connecting) {
        test_expect_err(&err, code, part);
        return;
    }
    loopback_until(f.loop, &f.failed);
    test_expect_err(&f.connect_err, code, part);
}

static void cannot_connect(void **state)
{
    (void)state;
    char longer[200];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    listen_on(TCP);
    uint16_t port = f.at.port;
    f.listener = ev_listener_close(f.listener);
    loopback_settle(f.loop);
    expect_no_connection((struct ev_address){.host = "127.0.0.1", .port = port}, BERR_UNAVAILABLE,
                         "127.0.0.1");
    expect_no_connection((struct ev_address){.host = "x.localhost", .port = port}, BERR_UNAVAILABLE,
                         "x.localhost");
    expect_no_connection((struct ev_address){.unix_path = f.path}, BERR_UNAVAILABLE, f.path);
    expect_no_connection((struct ev_address){.unix_path = longer}, BERR_INVALID, "too long");
    end_all();
}

/* A listener whose queue is full answers nobody. */
static void connect_times_out(void **state)
{
    (void)state;
    listen_on(TCP);
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    int full = socket(AF_INET, SOCK_STREAM, 0), fillers[4];
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(full, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(full, 0), 0);
    assert_int_equal(getsockname(full, (struct sockaddr *)&addr, &len), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&addr, len);
    }
    struct ev_address at = {.host = "127.0.0.1", .port = ntohs(addr.sin_port)};
    f.connecting = ev_connect(f.loop, &at, NULL, 20, connected, NULL, NULL);
    loopback_until(f.loop, &f.failed);
    test_expect_err(&f.connect_err, BERR_UNAVAILABLE, "timed out");
    f.connecting = ev_connect(f.loop, &at, NULL, 10000, connected, NULL, NULL);
    loopback_settle(f.loop);
    f.failed = false;
    ev_connect_cancel(f.connecting);
    f.connecting = NULL;
    loopback_settle(f.loop);
    assert_false(f.failed || f.connected);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(full);
    end_all();
}

static void unix_listener(void **state)
{
    (void)state;
    struct ev_listener *second = NULL;
    struct err err = {0};
    struct stat st;
    listen_on(UNIX);
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(ev_listen(f.loop, &f.at, 0600, NULL, accepted, NULL, &second, &err),
                     -BERR_CONFLICT);
    f.listener = ev_listener_close(f.listener);
    loopback_settle(f.loop);
    assert_int_equal(ev_listen(f.loop, &f.at, 0660, NULL, accepted, NULL, &second, &err), 0);
    ev_listener_close(second);
    f.at = (struct ev_address){.host = "example.test", .port = 0};
    assert_int_equal(ev_listen(f.loop, &f.at, 0, NULL, accepted, NULL, &second, &err),
                     -BERR_INVALID);
    end_all();
}

/* A reset shows as an error, once, and later writes fail quietly. */
static void reset_is_told(void **state)
{
    (void)state;
    listen_on(TCP);
    int fd = loopback_connect(f.at.port);
    int64_t end = loopback_now_ms() + 10000;
    while (!f.server.s) {
        ev_loop_poll(f.loop);
        assert_true(loopback_now_ms() < end);
    }
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    loopback_until(f.loop, &f.server.broken);
    assert_true(ev_stream_write(f.server.s, "x", 1) < 0);
    loopback_settle(f.loop);
    assert_int_equal(f.server.errors, 1);
    end_all();
}

/* Whatever allocation fails: no crash, no leak, and the loop comes to rest. */
static void any_allocation_fails(enum kind kind)
{
    for (uint64_t n = 1;; n++) {
        open_pair(kind); /* the first is for what stays */
        int64_t before = mem_live();
        cleanup(mem_freep) char *data = pattern(1 << 20);
        struct end old_server = f.server, old_client = f.client;
        f.server = f.client = (struct end){0};
        f.connected = f.failed = false;
        mem_fail_at(n, 0);
        f.connecting = ev_connect(f.loop, &f.at, f.client_tls, 10000, connected, NULL, NULL);
        for (int i = 0; i < 300; i++) {
            ev_loop_poll(f.loop);
            if (i == 100 && f.client.s)
                ev_stream_write(f.client.s, data, 1 << 20);
        }
        bool hit = mem_fail_hit();
        mem_fail_at(0, 0);
        ev_connect_cancel(f.connecting);
        f.connecting = NULL;
        ev_stream_close(f.client.s);
        ev_stream_close(f.server.s);
        buf_done(&f.client.in);
        buf_done(&f.server.in);
        loopback_settle(f.loop);
        f.server = old_server;
        f.client = old_client;
        f.server.in = f.client.in = BUF(1 << 20);
        (void)before;
        end_all();
        if (!hit)
            break;
    }
}
EACH(any_allocation_fails)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_),
        cmocka_unit_test(big_and_paused_),
        cmocka_unit_test(half_close_),
        cmocka_unit_test(early_shutdown_),
        cmocka_unit_test(close_soon_sends_all_),
        cmocka_unit_test(close_inside_),
        cmocka_unit_test(lingers_at_the_end_),
        cmocka_unit_test(cannot_connect),
        cmocka_unit_test(connect_times_out),
        cmocka_unit_test(unix_listener),
        cmocka_unit_test(reset_is_told),
        cmocka_unit_test(any_allocation_fails_),
    };
    return cmocka_run_group_tests_name("ev/stream", tests, NULL, NULL);
}
