/*
 * listen: sockets that accept streams.
 */
#include "ev/internal.h"
#include "os/sock.h"

#define BACKLOG         1024
#define ACCEPT_AGAIN_MS 100

struct ev_listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct ev_loop *loop;
    struct ev_tls *tls;
    ev_accept_fn *fn;
    void *arg;
    uv_timer_t again;
    int open_handles;
    bool is_unix;
};

static void try_again(uv_timer_t *timer);

/* Takes one waiting connection. libuv gives no more before this one is taken, so what fails for
 * want of memory is tried again. */
static void accept_one(struct ev_listener *l)
{
    struct err err = {0};
    struct ev_stream *s = stream_new(l->loop, l->is_unix);
    if (!s) {
        uv_timer_start(&l->again, try_again, ACCEPT_AGAIN_MS, 0);
        return;
    }
    if (uv_accept(&l->uv.stream, &s->uv.stream) < 0 ||
        (l->tls && stream_start_tls(s, l->tls, NULL, &err) < 0)) {
        ev_stream_close(s);
        return;
    }
    if (!l->is_unix)
        uv_tcp_nodelay(&s->uv.tcp, 1);
    l->fn(l->arg, s);
}

static void try_again(uv_timer_t *timer)
{
    accept_one(timer->data);
}

static void on_connection(uv_stream_t *server, int status)
{
    if (status == 0)
        accept_one(server->data);
}

static void closed(uv_handle_t *handle)
{
    struct ev_listener *l = handle->data;
    if (--l->open_handles == 0)
        mem_free(l);
}

struct ev_listener *ev_listener_close(struct ev_listener *l)
{
    if (l) {
        uv_close(&l->uv.handle, closed);
        uv_close((uv_handle_t *)&l->again, closed);
    }
    return NULL;
}

static int bind_listener(struct ev_listener *l, const struct ev_address *at, int mode,
                         struct err *err)
{
    cleanup(fd_closep) int fd = -1;
    int rc = l->is_unix ? os_sock_listen_unix(at->unix_path, (mode_t)mode, &fd, err)
                        : os_sock_listen_tcp(at->host, at->port, &fd, err);
    if (rc < 0)
        return rc;
    rc = l->is_unix ? uv_pipe_open(&l->uv.pipe, fd) : uv_tcp_open(&l->uv.tcp, fd);
    if (rc < 0)
        return err_errno(err, -rc, "listening");
    fd = -1; /* the handle's */
    rc = uv_listen(&l->uv.stream, BACKLOG, on_connection);
    return rc < 0 ? err_errno(err, -rc, "listening") : 0;
}

int ev_listen(struct ev_loop *loop, const struct ev_address *at, int mode, struct ev_tls *tls,
              ev_accept_fn *fn, void *arg, struct ev_listener **ret, struct err *err)
{
    struct ev_listener *l = mem_calloc(1, sizeof(*l));
    if (!l)
        return err_set(err, BERR_NOMEM, "out of memory");
    l->loop = loop;
    l->tls = tls;
    l->fn = fn;
    l->arg = arg;
    l->is_unix = at->unix_path != NULL;
    l->open_handles = 2;
    if (l->is_unix)
        uv_pipe_init(ev_loop_uv(loop), &l->uv.pipe, 0);
    else
        uv_tcp_init(ev_loop_uv(loop), &l->uv.tcp);
    uv_timer_init(ev_loop_uv(loop), &l->again);
    l->uv.handle.data = l->again.data = l;
    int rc = bind_listener(l, at, mode, err);
    if (rc < 0) {
        ev_listener_close(l);
        return rc;
    }
    *ret = l;
    return 0;
}

uint16_t ev_listener_port(const struct ev_listener *l)
{
    uv_os_fd_t fd;
    return uv_fileno(&l->uv.handle, &fd) < 0 ? 0 : os_sock_port(fd);
}
