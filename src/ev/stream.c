/*
 * stream: libuv streams with one write in flight and everything after it in one buffer, so that a
 * connection costs no memory while it is idle.
 */
#include "ev/stream.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "base/str.h"
#include "ev/internal.h"

struct write_req {
    uv_write_t uv;
    char *data;
};

struct ev_stream *stream_new(struct ev_loop *loop, bool is_unix)
{
    struct ev_stream *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->loop = loop;
    s->is_unix = is_unix;
    if (is_unix)
        uv_pipe_init(ev_loop_uv(loop), &s->uv.pipe, 0);
    else
        uv_tcp_init(ev_loop_uv(loop), &s->uv.tcp);
    s->uv.handle.data = s;
    buf_init(&s->plain, EV_QUEUE_MAX);
    buf_init(&s->held, EV_QUEUE_MAX);
    buf_init(&s->out, EV_QUEUE_MAX);
    return s;
}

void ev_stream_set(struct ev_stream *s, const struct ev_stream_events *events, void *arg)
{
    s->events = *events;
    s->arg = arg;
}

static void stream_release(struct ev_stream *s)
{
    SSL_free(s->ssl);
    buf_done(&s->plain);
    buf_done(&s->held);
    buf_done(&s->out);
    mem_free(s->failure);
    mem_free(s);
}

static void tell_failure(struct ev_stream *s)
{
    struct err no_memory = {0};
    s->told = true;
    if (s->close_soon) {
        ev_stream_close(s);
    } else if (s->events.on_error) {
        if (!s->failure)
            err_set(&no_memory, BERR_NOMEM, "out of memory");
        s->events.on_error(s->arg, s->failure ? s->failure : &no_memory);
    }
}

void stream_soon(struct ev_stream *s)
{
    s->soon = false;
    if (s->closed)
        stream_release(s);
    else if (s->broken && !s->told && !s->closing)
        tell_failure(s);
    else if (s->held.len && s->want_read && !s->closing)
        tls_feed_held(s);
}

/* Told from the loop: a write that fails must not end its writer under its feet. */
void stream_fail(struct ev_stream *s, const struct err *err)
{
    if (s->broken || s->closing)
        return;
    s->broken = true;
    s->failure = mem_alloc(sizeof(*s->failure));
    if (s->failure)
        *s->failure = *err;
    loop_soon(s->loop, s);
}

static void fail_uv(struct ev_stream *s, int rc)
{
    struct err err = {0};
    err_errno(&err, -rc, "connection");
    stream_fail(s, &err);
}

/* ---- reading ---- */

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct ev_stream *s = handle->data;
    (void)suggested;
    *ret = uv_buf_init(loop_read_buffer(s->loop), EV_READ_BYTES);
}

/* Once: TLS says it itself before the connection does. */
void stream_tell_eof(struct ev_stream *s)
{
    bool again = s->eof_told;
    s->eof_told = true;
    if (!again && s->events.on_eof)
        s->events.on_eof(s->arg);
}

static void on_read(uv_stream_t *uv, ssize_t n, const uv_buf_t *buf)
{
    struct ev_stream *s = uv->data;
    if (n == 0 || s->closing)
        return;
    if (s->broken) { /* its failure is on its way and says more than the peer's end */
        s->reading = false;
        uv_read_stop(uv);
        return;
    }
    if (n == UV_EOF) {
        s->reading = false;
        s->eof = true;
        uv_read_stop(uv);
        if (s->close_soon)
            ev_stream_close_soon(s);
        else
            stream_tell_eof(s);
        return;
    }
    if (n < 0)
        fail_uv(s, (int)n);
    else if (s->close_soon && !s->plain.len)
        return; /* only its end is waited for */
    else if (s->ssl)
        tls_feed(s, buf->base, (size_t)n);
    else if (s->events.on_data)
        s->events.on_data(s->arg, buf->base, (size_t)n);
}

void ev_stream_read(struct ev_stream *s, bool on)
{
    s->want_read = on;
    if (on && s->held.len) {
        loop_soon(s->loop, s); /* goes on reading once that is used up */
        return;
    }
    if (s->closing || s->reading == on || (on && (s->eof || s->broken)))
        return;
    s->reading = on;
    if (!on)
        uv_read_stop(&s->uv.stream);
    else if (uv_read_start(&s->uv.stream, give_buffer, on_read) < 0)
        s->reading = false;
}

/* ---- writing ---- */

static void pump(struct ev_stream *s);

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)req, (void)status;
}

static void send_shutdown(struct ev_stream *s)
{
    if (s->shut_sent || s->closing || s->broken)
        return;
    s->shut_sent = true;
    uv_shutdown(&s->shutdown, &s->uv.stream, on_shutdown); /* fails when nobody is there any more */
}

void stream_drained(struct ev_stream *s)
{
    if (s->close_soon) {
        ev_stream_close_soon(s);
        return;
    }
    if (s->shut)
        send_shutdown(s);
    if (s->events.on_drain)
        s->events.on_drain(s->arg);
}

static void on_written(uv_write_t *uv, int status)
{
    struct write_req *req = uv->data;
    struct ev_stream *s = uv->handle->data;
    s->in_flight = false;
    mem_free(req->data);
    mem_free(req);
    if (s->closing)
        return;
    if (status < 0)
        fail_uv(s, status);
    else if (s->out.len)
        pump(s);
    else
        stream_drained(s);
}

static void pump(struct ev_stream *s)
{
    if (s->in_flight || !s->out.len || s->closing)
        return;
    struct write_req *req = mem_calloc(1, sizeof(*req));
    if (!req) {
        fail_uv(s, UV_ENOMEM);
        return;
    }
    req->uv.data = req;
    uv_buf_t piece = uv_buf_init(NULL, (unsigned)s->out.len);
    piece.base = req->data = buf_take(&s->out);
    buf_init(&s->out, EV_QUEUE_MAX);
    s->in_flight = true;
    int rc = uv_write(&req->uv, &s->uv.stream, &piece, 1, on_written);
    if (rc < 0) {
        s->in_flight = false;
        mem_free(req->data);
        mem_free(req);
        fail_uv(s, rc);
    }
}

int stream_raw_write(struct ev_stream *s, const void *a, size_t a_len, const void *b, size_t b_len)
{
    if (s->broken || s->closing || s->shut_sent)
        return -BERR_IO;
    size_t done = 0;
    bool wait = s->corked && s->out.len + a_len + b_len <= EV_CORK_BYTES;
    if (s->corked && !wait)
        ev_stream_uncork(s);
    if (!s->in_flight && !s->out.len && !wait) {
        uv_buf_t pieces[2] = {uv_buf_init((char *)(uintptr_t)a, (unsigned)a_len),
                              uv_buf_init((char *)(uintptr_t)b, (unsigned)b_len)};
        int n = uv_try_write(&s->uv.stream, pieces, b_len ? 2 : 1);
        if (n > 0)
            done = (size_t)n;
        if (done == a_len + b_len) {
            s->accepted_bytes += done;
            return 0;
        }
    }
    s->accepted_bytes += a_len + b_len;
    if (done < a_len) {
        buf_append(&s->out, (const char *)a + done, a_len - done);
        done = a_len;
    }
    if (b_len)
        buf_append(&s->out, (const char *)b + (done - a_len), b_len - (done - a_len));
    if (buf_is_failed(&s->out)) {
        struct err err = {0};
        int rc = err_set(&err, BERR_NOMEM, "too much is waiting to be sent");
        buf_done(&s->out);
        stream_fail(s, &err);
        return rc;
    }
    if (!wait)
        pump(s);
    return 0;
}

/* ---- several writes in one ---- */

void ev_stream_cork(struct ev_stream *s)
{
    if (s->corked || s->closing || s->close_soon)
        return;
    s->corked = true;
    loop_cork(s->loop, s);
}

void ev_stream_uncork(struct ev_stream *s)
{
    if (!s->corked)
        return;
    s->corked = false;
    loop_uncork(s->loop, s);
    if (s->in_flight || !s->out.len || s->broken || s->closing)
        return;
    uv_buf_t piece = uv_buf_init(s->out.data, (unsigned)s->out.len);
    int n = uv_try_write(&s->uv.stream, &piece, 1);
    if (n == (int)s->out.len) {
        buf_done(&s->out);
        buf_init(&s->out, EV_QUEUE_MAX);
        return;
    }
    if (n > 0)
        buf_consume(&s->out, (size_t)n);
    pump(s);
}

void stream_round_over(struct ev_stream *s)
{
    bool waited = s->out.len != 0;
    ev_stream_uncork(s);
    if (waited && !s->broken && !s->closing && !ev_stream_queued(s))
        stream_drained(s);
}

int ev_stream_write(struct ev_stream *s, const void *data, size_t len)
{
    return ev_stream_write2(s, data, len, NULL, 0);
}

int ev_stream_write2(struct ev_stream *s, const void *a, size_t a_len, const void *b, size_t b_len)
{
    if (s->shut || s->close_soon)
        return -BERR_IO;
    if (!s->ssl)
        return stream_raw_write(s, a, a_len, b, b_len);
    int rc = tls_write(s, a, a_len);
    if (rc == 0 && b_len)
        rc = tls_write(s, b, b_len);
    tls_flush(s);
    return rc;
}

size_t ev_stream_queued(const struct ev_stream *s)
{
    return uv_stream_get_write_queue_size(&s->uv.stream) + s->out.len + s->plain.len;
}

uint64_t ev_stream_sent(const struct ev_stream *s)
{
    return s->accepted_bytes - s->out.len - uv_stream_get_write_queue_size(&s->uv.stream);
}

/* ---- ending ---- */

void ev_stream_shutdown(struct ev_stream *s)
{
    if (s->shut || s->closing)
        return;
    s->shut = true;
    if (s->ssl)
        tls_close_notify(s);
    if (!ev_stream_queued(s))
        send_shutdown(s);
}

static void linger_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

static void linger_over(uv_timer_t *timer)
{
    ev_stream_close(timer->data);
}

/* Is called again when the queue is empty and when the peer's end has come: what the peer still
 * sends is read and dropped for a while, because closing over unread bytes would make the kernel
 * reset the connection and take the last answer from the peer (RFC 9112 9.6). */
void ev_stream_close_soon(struct ev_stream *s)
{
    if (s->closing)
        return;
    bool first = !s->close_soon;
    if (first) {
        memset(&s->events, 0, sizeof(s->events));
        if (s->ssl && !s->shut)
            tls_close_notify(s);
        s->close_soon = true;
        s->linger = mem_calloc(1, sizeof(*s->linger));
        if (s->linger) {
            uv_timer_init(ev_loop_uv(s->loop), s->linger);
            s->linger->data = s;
            uv_timer_start(s->linger, linger_over, EV_CLOSE_SOON_MS, 0);
        }
    }
    bool queued = ev_stream_queued(s) != 0;
    if (!s->linger || s->broken || (s->eof && !queued)) {
        ev_stream_close(s);
        return;
    }
    if (!queued && !s->shut_sent) {
        send_shutdown(s);
        uv_timer_start(s->linger, linger_over, EV_LINGER_MS, 0);
    }
    buf_done(&s->held);
    ev_stream_read(s, true);
}

void stream_end_linger(uv_handle_t *handle)
{
    if (handle->type == UV_TIMER && ((uv_timer_t *)handle)->timer_cb == linger_over &&
        !uv_is_closing(handle))
        ev_stream_close(handle->data);
}

static void on_closed(uv_handle_t *handle)
{
    struct ev_stream *s = handle->data;
    s->closed = true;
    if (!s->soon)
        stream_release(s);
}

void ev_stream_close(struct ev_stream *s)
{
    if (!s || s->closing)
        return;
    s->closing = true;
    if (s->corked)
        loop_uncork(s->loop, s);
    s->corked = false;
    memset(&s->events, 0, sizeof(s->events));
    if (s->linger)
        uv_close((uv_handle_t *)s->linger, linger_closed);
    uv_close(&s->uv.handle, on_closed);
}

/* ---- the peer ---- */

void ev_stream_keepalive(struct ev_stream *s)
{
    if (!s->is_unix)
        uv_tcp_keepalive(&s->uv.tcp, 1, 60);
}

const char *ev_stream_peer(struct ev_stream *s, char dst[64])
{
    struct sockaddr_storage addr;
    int len = sizeof(addr);
    snprintf(dst, 64, "unix");
    if (s->is_unix || uv_tcp_getpeername(&s->uv.tcp, (struct sockaddr *)&addr, &len) < 0)
        return dst;
    uv_ip_name((struct sockaddr *)&addr, dst, 64);
    return dst;
}

bool ev_stream_is_loopback(struct ev_stream *s)
{
    char peer[64];
    ev_stream_peer(s, peer);
    return strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0 || strcmp(peer, "unix") == 0;
}

int64_t ev_stream_peer_uid(struct ev_stream *s)
{
    uv_os_fd_t fd;
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (!s->is_unix || uv_fileno(&s->uv.handle, &fd) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return -1;
    return cred.uid;
}

bool ev_stream_is_tls(const struct ev_stream *s)
{
    return s->ssl != NULL;
}

bool ev_stream_fingerprint(const struct ev_stream *s, char ret[EV_FINGERPRINT_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    X509 *cert = s->ssl ? SSL_get0_peer_certificate(s->ssl) : NULL;
    if (!cert || X509_digest(cert, EVP_sha256(), digest, NULL) != 1)
        return false;
    str_to_hex(ret, digest, 32);
    return true;
}
