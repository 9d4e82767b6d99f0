/*
 * run: another program from start to end, with its input and output in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "os/clock.h"
#include "os/pidfd.h"
#include "os/proc.h"

enum { END_IN, END_OUT, END_ERR, ENDS };

struct running {
    int ours[ENDS]; /* -1: closed */
    int theirs[ENDS];
    const char *input;
    size_t input_len;
    struct buf *outputs[ENDS];
    const char *name;
};

static void close_all(int fds[ENDS])
{
    for (int i = 0; i < ENDS; i++)
        fd_closep(&fds[i]);
}

static int open_ends(struct running *r, struct err *err)
{
    int pair[2];
    /* A socket for the input: a child that reads none of it must not raise SIGPIPE here. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, errno, "socketpair");
    r->ours[END_IN] = pair[0];
    r->theirs[END_IN] = pair[1];
    shutdown(pair[1], SHUT_WR);
    for (int i = END_OUT; i < ENDS; i++) {
        if (pipe2(pair, O_CLOEXEC) < 0)
            return err_errno(err, errno, "pipe");
        r->ours[i] = pair[0];
        r->theirs[i] = pair[1];
    }
    for (int i = 0; i < ENDS; i++)
        fcntl(r->ours[i], F_SETFL, O_NONBLOCK);
    return 0;
}

static void feed(struct running *r)
{
    ssize_t n = r->input_len
                    ? send(r->ours[END_IN], r->input, r->input_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                    : 0;
    if (n > 0) {
        r->input += n;
        r->input_len -= (size_t)n;
    }
    if (r->input_len == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        fd_closep(&r->ours[END_IN]);
}

static int drain(struct running *r, int end, struct err *err)
{
    char chunk[16384];
    ssize_t n = read(r->ours[end], chunk, sizeof(chunk));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        fd_closep(&r->ours[end]);
        return 0;
    }
    struct buf *out = r->outputs[end];
    if (!out)
        return 0;
    if (out->len + (size_t)n > out->max)
        return err_set(err, BERR_TOO_LARGE, "%s writes more than %zu bytes", r->name, out->max);
    buf_append(out, chunk, (size_t)n);
    return buf_is_failed(out) ? err_set(err, BERR_NOMEM, "out of memory") : 0;
}

/* Until the child has ended; what its own children still write does not hold us up. */
static int pump(struct running *r, int pidfd, int64_t end_ms, struct err *err)
{
    const struct os_clock *clock = os_clock_real();
    for (bool ended = false; !ended;) {
        struct pollfd fds[ENDS + 1];
        for (int i = 0; i < ENDS; i++)
            fds[i] = (struct pollfd){.fd = r->ours[i], .events = i == END_IN ? POLLOUT : POLLIN};
        fds[ENDS] = (struct pollfd){.fd = pidfd, .events = POLLIN};
        int64_t left = end_ms - clock->mono_ms(clock->arg);
        if (end_ms >= 0 && left <= 0)
            return err_set(err, BERR_TIMEOUT, "%s takes too long", r->name);
        if (poll(fds, ENDS + 1, end_ms < 0 ? -1 : (int)left) < 0 && errno != EINTR)
            return err_errno(err, errno, "poll");
        ended = fds[ENDS].revents != 0;
        if (fds[END_IN].revents)
            feed(r);
        for (int i = END_OUT; i < ENDS; i++)
            for (int rc; r->ours[i] >= 0 && (fds[i].revents || ended);) {
                size_t before = r->outputs[i] ? r->outputs[i]->len : 0;
                if ((rc = drain(r, i, err)) < 0)
                    return rc;
                if (!ended || !r->outputs[i] || r->outputs[i]->len == before)
                    break;
            }
    }
    return 0;
}

int os_run(const struct os_spawn *s, const void *input, size_t input_len, struct buf *out,
           struct buf *errors, int timeout_ms, struct os_exit *ret, struct err *err)
{
    struct running r = {.ours = {-1, -1, -1},
                        .theirs = {-1, -1, -1},
                        .input = input,
                        .input_len = input_len,
                        .outputs = {NULL, out, errors},
                        .name = s->argv[0]};
    struct os_spawn with = *s;
    struct os_spawn_fd fds[OS_SPAWN_FDS_MAX];
    struct os_exit ended = {0};
    pid_t pid = -1;
    cleanup(fd_closep) int pidfd = -1;
    check(s->fd_count + ENDS <= OS_SPAWN_FDS_MAX);
    int rc = open_ends(&r, err);
    for (int i = 0; i < ENDS; i++)
        fds[i] = (struct os_spawn_fd){.from = r.theirs[i], .to = i};
    for (size_t i = 0; i < s->fd_count; i++)
        fds[ENDS + i] = s->fds[i];
    with.fds = fds;
    with.fd_count = s->fd_count + ENDS;
    with.session = true; /* so that all of it can be ended */
    if (rc == 0)
        rc = os_spawn(&with, &pid, &pidfd, err);
    close_all(r.theirs);
    if (rc == 0) {
        int64_t now = os_clock_real()->mono_ms(NULL);
        rc = pump(&r, pidfd, timeout_ms < 0 ? -1 : now + timeout_ms, err);
        if (rc < 0)
            kill(-pid, SIGKILL);
        int waited = os_wait(pid, -1, &ended, rc < 0 ? NULL : err);
        rc = rc < 0 ? rc : waited;
    }
    close_all(r.ours);
    if (rc == 0)
        *ret = ended;
    return rc;
}

static void last_line(const struct buf *text, char *dst, size_t size)
{
    const char *s = buf_str(text);
    size_t end = strlen(s);
    while (end && (s[end - 1] == '\n' || s[end - 1] == '\r' || s[end - 1] == ' '))
        end--;
    size_t start = end;
    while (start && s[start - 1] != '\n')
        start--;
    size_t len = end - start < size ? end - start : size - 1;
    memcpy(dst, s + start, len);
    dst[len] = '\0';
}

int os_run_ok(const struct os_spawn *s, struct buf *out, int timeout_ms, struct err *err)
{
    cleanup(buf_done) struct buf errors = BUF(256 * 1024);
    struct os_exit ended;
    char line[300];
    int rc = os_run(s, NULL, 0, out, &errors, timeout_ms, &ended, err);
    if (rc < 0 || (ended.code == 0 && ended.signal == 0))
        return rc;
    last_line(&errors, line, sizeof(line));
    const char *how = ended.signal ? "was ended by signal" : "ended with";
    return err_set(err, BERR_INTERNAL, "%s %s %d%s%s", s->argv[0], how,
                   ended.signal ? ended.signal : ended.code, line[0] ? ": " : "", line);
}
