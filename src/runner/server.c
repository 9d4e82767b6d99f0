#include "runner/server.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"

#define OUT_MAX (8 * 1024 * 1024)
#define TICK_MS 1000

struct client {
    struct runner *runner;
    struct watch watch;
    uint64_t number;
    bool is_greeted, wants_write, is_broken;
    struct buf in, out;
};

int64_t runner_mono_ms(void)
{
    return os_clock_real()->mono_ms(NULL);
}

/* ---- watches ---- */

int watch_add(struct runner *r, struct watch *w, int fd, uint32_t events, watch_fn *fn, void *owner,
              struct err *err)
{
    struct epoll_event ev = {.events = events, .data.ptr = w};
    *w = (struct watch){.fd = fd, .fn = fn, .owner = owner};
    if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
        w->fd = -1;
        return err_errno(err, errno, "cannot watch a descriptor");
    }
    return 0;
}

void watch_remove(struct runner *r, struct watch *w)
{
    if (w->fd < 0)
        return;
    epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    close(w->fd);
    w->fd = -1;
}

void runner_discard(struct runner *r, void *memory)
{
    void **place = vec_push(&r->garbage);
    if (place != NULL) /* else it leaks: better than an event on freed memory */
        *place = memory;
}

static void garbage_free(struct runner *r)
{
    for (size_t i = 0; i < r->garbage.len; i++)
        mem_free(r->garbage.items[i]);
    vec_clear(&r->garbage);
}

/* ---- clients ---- */

static struct client *client_find(struct runner *r, uint64_t number)
{
    for (size_t i = 0; i < r->clients.len; i++) {
        if (r->clients.items[i]->number == number && !r->clients.items[i]->is_broken)
            return r->clients.items[i];
    }
    return NULL;
}

static void client_free(struct client *c)
{
    watch_remove(c->runner, &c->watch);
    buf_done(&c->in);
    buf_done(&c->out);
    mem_free(c);
}

/* Broken ones are freed between two rounds of events, when nothing points to them any more. */
static void clients_sweep(struct runner *r)
{
    for (size_t i = r->clients.len; i-- > 0;) {
        struct client *c = r->clients.items[i];
        if (c->is_broken) {
            vec_swap_remove(&r->clients, i);
            client_free(c);
        }
    }
}

static void client_want(struct client *c)
{
    bool wants = c->out.len > 0;
    struct epoll_event ev = {.events = EPOLLIN | (wants ? (uint32_t)EPOLLOUT : 0u),
                             .data.ptr = &c->watch};
    if (wants != c->wants_write &&
        epoll_ctl(c->runner->epoll_fd, EPOLL_CTL_MOD, c->watch.fd, &ev) == 0)
        c->wants_write = wants;
}

static void client_flush(struct client *c)
{
    while (c->out.len > 0) {
        ssize_t n = send(c->watch.fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            c->is_broken = true;
        if (n < 0)
            break;
        buf_consume(&c->out, (size_t)n);
    }
    client_want(c);
}

void client_send(struct runner *r, uint64_t client, const void *frame, size_t len)
{
    struct client *c = client_find(r, client);
    if (c == NULL)
        return;
    buf_append(&c->out, frame, len);
    if (buf_is_failed(&c->out)) {
        log_warn("a client reads too slowly", NULL);
        c->is_broken = true;
        return;
    }
    client_flush(c);
}

void client_error(struct runner *r, uint64_t client, uint64_t request, const struct err *error)
{
    cleanup(buf_done) struct buf frame = BUF(16 * 1024);
    if (wire_put_error(&frame, request, error, NULL) == 0)
        client_send(r, client, frame.data, frame.len);
}

void clients_event(struct runner *r, const struct wire_event *event)
{
    cleanup(buf_done) struct buf frame = BUF(16 * 1024);
    if (wire_put_event(&frame, event, NULL) != 0)
        return;
    for (size_t i = 0; i < r->clients.len; i++) {
        if (r->clients.items[i]->is_greeted)
            client_send(r, r->clients.items[i]->number, frame.data, frame.len);
    }
}

void client_greeted(struct runner *r, uint64_t client)
{
    struct client *c = client_find(r, client);
    if (c != NULL)
        c->is_greeted = true;
}

/* Every whole message in the buffer. */
static void client_take(struct client *c)
{
    while (!c->is_broken) {
        struct err err = {0};
        size_t len;
        if (wire_frame(c->in.data, c->in.len, &len, &err) != 0) {
            log_err(LOG_WARN, &err, "a client breaks the rules", NULL);
            c->is_broken = true;
            return;
        }
        if (len == 0)
            return;
        verb_dispatch(c->runner, c->number, c->in.data + 4, len);
        buf_consume(&c->in, 4 + len);
    }
}

static void client_ready(struct watch *w, uint32_t events)
{
    struct client *c = w->owner;
    if (c->is_broken)
        return;
    if (events & EPOLLOUT)
        client_flush(c);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    char chunk[16 * 1024];
    ssize_t n = recv(w->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        c->is_broken = true;
        return;
    }
    if (n > 0)
        buf_append(&c->in, chunk, (size_t)n);
    if (buf_is_failed(&c->in))
        c->is_broken = true;
    client_take(c);
}

/* ---- the socket ---- */

static bool peer_is_allowed(const struct runner *r, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return false;
    return cred.uid == 0 || cred.uid == r->in.berth_uid;
}

static void listener_ready(struct watch *w, uint32_t events)
{
    struct runner *r = w->owner;
    struct err err = {0};
    (void)events;
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (!peer_is_allowed(r, fd) || r->clients.len >= LIMIT_RUNNER_CLIENTS) {
        log_warn("refused a client", NULL);
        close(fd);
        return;
    }
    struct client *c = mem_calloc(1, sizeof(*c));
    struct client **place = c != NULL ? vec_push(&r->clients) : NULL;
    if (place == NULL || watch_add(r, &c->watch, fd, EPOLLIN, client_ready, c, &err) != 0) {
        if (place != NULL)
            r->clients.len--;
        mem_free(c);
        close(fd);
        return;
    }
    *place = c;
    c->runner = r;
    c->number = ++r->next_client;
    buf_init(&c->in, LIMIT_RUNNER_MESSAGE_BYTES + 64 * 1024);
    buf_init(&c->out, OUT_MAX);
}

int runner_listen(struct runner *r, struct err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/run/runner.sock", r->in.data);
    if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
        return err_set(err, BERR_INVALID, "the path of %s is too long for a socket", r->in.data);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, errno, "cannot make a socket");
    unlink(addr.sun_path); /* a dead runner's: the lock says that none lives */
    mode_t mask = umask(0177);
    int rc = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? 0 : -errno;
    umask(mask);
    if (rc == 0 && chown(addr.sun_path, r->in.berth_uid, r->in.berth_gid) != 0)
        rc = -errno;
    if (rc == 0 && listen(fd, 64) != 0)
        rc = -errno;
    if (rc != 0) {
        close(fd);
        return err_errno(err, -rc, "cannot listen on %s", addr.sun_path);
    }
    return watch_add(r, &r->listener, fd, EPOLLIN, listener_ready, r, err);
}

/* ---- the loop ---- */

static void signals_ready(struct watch *w, uint32_t events)
{
    struct runner *r = w->owner;
    struct signalfd_siginfo info;
    (void)events;
    while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            r->leaves = true;
    }
    jobs_reap(r);
}

int runner_init(struct runner *r, const struct instance *in, struct err *err)
{
    sigset_t set;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *r = (struct runner){.in = *in, .listener.fd = -1, .signals.fd = -1};
    r->lanes = MAP_STR;
    r->tasks = MAP_STR;
    r->retries = MAP_STR;
    r->by_pid = MAP_U64;
    r->running_max[JOB_QUICK] = (unsigned)cores * 2 + 2;
    r->running_max[JOB_LONG] = 2;
    r->running_max[JOB_EXEC] = 16;
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll_fd < 0)
        return err_errno(err, errno, "cannot make an epoll descriptor");
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_errno(err, errno, "cannot make a signal descriptor");
    return watch_add(r, &r->signals, fd, EPOLLIN, signals_ready, r, err);
}

int runner_loop(struct runner *r, struct err *err)
{
    int64_t tick_ms = runner_mono_ms();
    while (!r->leaves) {
        struct epoll_event events[64];
        jobs_start(r);
        int n = epoll_wait(r->epoll_fd, events, ARRAY_LEN(events), TICK_MS);
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "cannot wait for events");
        for (int i = 0; i < n; i++) {
            struct watch *w = events[i].data.ptr;
            if (w->fd >= 0)
                w->fn(w, events[i].events);
        }
        clients_sweep(r);
        garbage_free(r);
        if (runner_mono_ms() - tick_ms >= TICK_MS) {
            tick_ms = runner_mono_ms();
            jobs_check_deadlines(r);
            tasks_retry(r);
        }
    }
    return 0;
}
