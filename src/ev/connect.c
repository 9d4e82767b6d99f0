/*
 * connect: outgoing streams, with a time limit over look-up, connection and nothing else (a TLS
 * handshake shows its failure through the stream).
 */
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include "base/str.h"
#include "ev/internal.h"
#include "ev/timer.h"

struct ev_connect {
    struct ev_loop *loop;
    struct ev_stream *s;
    struct ev_tls *tls;
    struct ev_timer *timer;
    ev_connect_fn *fn;
    void *arg;
    uv_connect_t connect;
    uv_getaddrinfo_t lookup;
    char host[256];
    uint16_t port;
    bool looking, connecting, finished; /* the last owner of requests in flight frees */
};

static void release(struct ev_connect *c)
{
    if (c->finished && !c->looking && !c->connecting)
        mem_free(c);
}

/* Answers once; what comes later is only cleaned up. */
static void finish(struct ev_connect *c, const struct err *err)
{
    if (c->finished)
        return;
    c->finished = true;
    c->timer = ev_timer_free(c->timer);
    struct ev_stream *s = c->s;
    struct err tls_err = {0};
    c->s = NULL;
    if (!err && c->tls && stream_start_tls(s, c->tls, c->host, &tls_err) < 0)
        err = &tls_err;
    if (err) {
        ev_stream_close(s);
        s = NULL;
    }
    c->fn(c->arg, s, err);
}

static void fail_uv(struct ev_connect *c, int rc)
{
    struct err err = {0};
    if (c->port)
        err_set(&err, BERR_UNAVAILABLE, "%s:%u: %s", c->host, c->port, uv_strerror(rc));
    else
        err_set(&err, BERR_UNAVAILABLE, "%s: %s", c->host, uv_strerror(rc));
    finish(c, &err);
}

static void on_connect(uv_connect_t *req, int status)
{
    struct ev_connect *c = req->data;
    c->connecting = false;
    if (!c->finished && status < 0) {
        fail_uv(c, status);
    } else if (!c->finished) {
        if (!c->s->is_unix)
            uv_tcp_nodelay(&c->s->uv.tcp, 1);
        finish(c, NULL);
    }
    release(c);
}

static void start_tcp(struct ev_connect *c, const struct sockaddr *addr)
{
    int rc = uv_tcp_connect(&c->connect, &c->s->uv.tcp, addr, on_connect);
    if (rc < 0)
        fail_uv(c, rc);
    else
        c->connecting = true;
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct ev_connect *c = req->data;
    c->looking = false;
    if (!c->finished) {
        if (status < 0)
            fail_uv(c, status);
        else
            start_tcp(c, res->ai_addr);
    }
    uv_freeaddrinfo(res);
    release(c);
}

static void on_timeout(void *arg)
{
    struct ev_connect *c = arg;
    fail_uv(c, UV_ETIMEDOUT);
    release(c);
}

static void start_host(struct ev_connect *c)
{
    struct sockaddr_storage addr;
    char port[8];
    const char *host = c->host;
    if (str_is_equal(host, "localhost") || str_has_suffix(host, ".localhost"))
        host = "127.0.0.1";
    if (uv_ip4_addr(host, c->port, (struct sockaddr_in *)&addr) == 0 ||
        uv_ip6_addr(host, c->port, (struct sockaddr_in6 *)&addr) == 0) {
        start_tcp(c, (const struct sockaddr *)&addr);
        return;
    }
    snprintf(port, sizeof(port), "%u", c->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    int rc = uv_getaddrinfo(ev_loop_uv(c->loop), &c->lookup, on_lookup, host, port, &hints);
    if (rc < 0)
        fail_uv(c, rc);
    else
        c->looking = true;
}

/* From the loop, so that fn is never called from inside ev_connect. */
static void start(void *arg)
{
    struct ev_connect *c = arg;
    c->connecting = false;
    if (!c->finished) {
        if (c->s->is_unix) {
            c->connecting = true;
            uv_pipe_connect(&c->connect, &c->s->uv.pipe, c->host, on_connect);
        } else {
            start_host(c);
        }
    }
    release(c);
}

struct ev_connect *ev_connect(struct ev_loop *loop, const struct ev_address *to, struct ev_tls *tls,
                              int64_t timeout_ms, ev_connect_fn *fn, void *arg, struct err *err)
{
    struct ev_connect *c = mem_calloc(1, sizeof(*c));
    const char *name = to->unix_path ? to->unix_path : to->host;
    char name_max[sizeof(((struct sockaddr_un *)0)->sun_path)];
    if (to->unix_path && !str_copy(name_max, sizeof(name_max), to->unix_path)) {
        mem_free(c);
        err_set(err, BERR_INVALID, "the socket path %s is too long", to->unix_path);
        return NULL;
    }
    if (!c || !(c->s = stream_new(loop, to->unix_path != NULL))) {
        mem_free(c);
        err_set(err, BERR_NOMEM, "out of memory");
        return NULL;
    }
    c->loop = loop;
    c->tls = tls;
    c->fn = fn;
    c->arg = arg;
    c->port = to->unix_path ? 0 : to->port;
    c->connect.data = c->lookup.data = c;
    c->timer = ev_timer_new(loop, on_timeout, c);
    bool fits = str_copy(c->host, sizeof(c->host), name);
    if (!fits || !c->timer || !ev_post(loop, start, c)) {
        ev_timer_free(c->timer);
        ev_stream_close(c->s);
        mem_free(c);
        if (fits)
            err_set(err, BERR_NOMEM, "out of memory");
        else
            err_set(err, BERR_INVALID, "the host name is too long");
        return NULL;
    }
    c->connecting = true; /* the post holds it */
    ev_timer_start(c->timer, timeout_ms, 0);
    return c;
}

void ev_connect_cancel(struct ev_connect *c)
{
    if (!c || c->finished)
        return;
    c->finished = true;
    c->timer = ev_timer_free(c->timer);
    ev_stream_close(c->s);
    c->s = NULL;
    release(c);
}
