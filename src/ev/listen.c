/*
 * listen: sockets that accept streams.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/str.h"
#include "ev/internal.h"

#define BACKLOG 1024

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
    bool is_unix;
};

static void on_connection(uv_stream_t *server, int status)
{
    struct ev_listener *l = server->data;
    struct err err = {0};
    struct ev_stream *s = status == 0 ? stream_new(l->loop, l->is_unix) : NULL;
    if (!s)
        return;
    if (uv_accept(server, &s->uv.stream) < 0 ||
        (l->tls && stream_start_tls(s, l->tls, NULL, &err) < 0)) {
        ev_stream_close(s);
        return;
    }
    if (!l->is_unix)
        uv_tcp_nodelay(&s->uv.tcp, 1);
    l->fn(l->arg, s);
}

static void closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

struct ev_listener *ev_listener_close(struct ev_listener *l)
{
    if (l)
        uv_close(&l->uv.handle, closed);
    return NULL;
}

/* A socket file that nobody answers on is left over from a process that was killed. */
static int clear_stale(const char *path, struct err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(addr.sun_path)) {
        err_set(err, BERR_INVALID, "the socket path %s is longer than %zu bytes", path,
                sizeof(addr.sun_path) - 1);
        return err_hint(err, "choose a shorter data directory");
    }
    str_copy(addr.sun_path, sizeof(addr.sun_path), path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&addr, sizeof(addr));
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (rc == 0)
        return err_set(err, BERR_CONFLICT, "another process listens on %s", path);
    if (why == ECONNREFUSED)
        unlink(path);
    return 0;
}

static int bind_unix(struct ev_listener *l, const char *path, int mode, struct err *err)
{
    int rc = clear_stale(path, err);
    if (rc < 0)
        return rc;
    mode_t old = umask(0777 & ~(mode_t)mode);
    rc = uv_pipe_bind(&l->uv.pipe, path);
    umask(old);
    return rc < 0 ? err_errno(err, -rc, "%s", path) : 0;
}

static int bind_tcp(struct ev_listener *l, const char *host, uint16_t port, struct err *err)
{
    struct sockaddr_storage addr;
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)&addr) < 0 &&
        uv_ip6_addr(host, port, (struct sockaddr_in6 *)&addr) < 0)
        return err_set(err, BERR_INVALID, "\"%s\" is not an address to listen on", host);
    int rc = uv_tcp_bind(&l->uv.tcp, (const struct sockaddr *)&addr, 0);
    return rc < 0 ? err_errno(err, -rc, "%s:%u", host, port) : 0;
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
    if (l->is_unix)
        uv_pipe_init(ev_loop_uv(loop), &l->uv.pipe, 0);
    else
        uv_tcp_init(ev_loop_uv(loop), &l->uv.tcp);
    l->uv.handle.data = l;
    int rc = l->is_unix ? bind_unix(l, at->unix_path, mode, err)
                        : bind_tcp(l, at->host, at->port, err);
    if (rc == 0) {
        rc = uv_listen(&l->uv.stream, BACKLOG, on_connection);
        if (rc == UV_EADDRINUSE)
            rc = err_set(err, BERR_CONFLICT, "port %u of %s is taken by another program",
                         at->port, at->host);
        else if (rc < 0)
            rc = err_errno(err, -rc, "listening");
    }
    if (rc < 0) {
        ev_listener_close(l);
        return rc;
    }
    *ret = l;
    return 0;
}

uint16_t ev_listener_port(const struct ev_listener *l)
{
    struct sockaddr_storage addr;
    int len = sizeof(addr);
    if (l->is_unix || uv_tcp_getsockname(&l->uv.tcp, (struct sockaddr *)&addr, &len) < 0)
        return 0;
    return ntohs(((struct sockaddr_in *)&addr)->sin_port); /* same place in sockaddr_in6 */
}
