#include "loopback.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_MS 10000

int64_t loopback_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void loopback_until(struct ev_loop *loop, const bool *flag)
{
    int64_t end = loopback_now_ms() + DEADLINE_MS;
    while (!*flag) {
        ev_loop_poll(loop);
        assert_true(loopback_now_ms() < end);
    }
}

void loopback_until_count(struct ev_loop *loop, const int *count, int least)
{
    int64_t end = loopback_now_ms() + DEADLINE_MS;
    while (*count < least) {
        ev_loop_poll(loop);
        assert_true(loopback_now_ms() < end);
    }
}

void loopback_settle(struct ev_loop *loop)
{
    for (int i = 0; i < 50; i++)
        ev_loop_poll(loop);
}

int loopback_connect(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

void loopback_send(struct ev_loop *loop, int fd, const void *data, size_t len)
{
    int64_t end = loopback_now_ms() + DEADLINE_MS;
    for (size_t done = 0; done < len;) {
        ssize_t n = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);
        if (n > 0)
            done += (size_t)n;
        else if (errno != EAGAIN)
            return; /* the other side has closed: the test sees it when it reads */
        ev_loop_poll(loop);
        assert_true(loopback_now_ms() < end);
    }
}

void loopback_puts(struct ev_loop *loop, int fd, const char *text)
{
    loopback_send(loop, fd, text, strlen(text));
}

bool loopback_read_until(struct ev_loop *loop, int fd, struct buf *in, const char *part)
{
    int64_t end = loopback_now_ms() + DEADLINE_MS;
    while (!part || !in->data || !memmem(in->data, in->len, part, strlen(part))) {
        ev_loop_poll(loop);
        char piece[65536];
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return false;
        if (n > 0)
            buf_append(in, piece, (size_t)n);
        else
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1);
        assert_false(buf_is_failed(in));
        assert_true(loopback_now_ms() < end);
    }
    return true;
}

void loopback_read_all(struct ev_loop *loop, int fd, struct buf *in)
{
    loopback_read_until(loop, fd, in, NULL);
}
