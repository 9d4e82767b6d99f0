/*
 * tls_io: records between the network and OpenSSL, by a BIO of our own that reads where the network's
 * bytes lie and writes into the loop's scratch buffer: an idle connection keeps no buffers.
 */
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>
#include "base/str.h"
#include "ev/internal.h"

#define CIPHER_KEEP (256u << 10)

static void fail_tls(struct ev_stream *s, const char *what)
{
    struct err err = {0};
    char text[160] = "";
    unsigned long code = ERR_peek_last_error();
    long verify = s->ssl ? SSL_get_verify_result(s->ssl) : X509_V_OK;
    if (verify != X509_V_OK)
        str_copy(text, sizeof(text), X509_verify_cert_error_string(verify));
    else if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    err_set(&err, BERR_PROTOCOL, "%s: %s", what, text[0] ? text : "closed");
    stream_fail(s, &err);
}

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *dst, int len)
{
    struct ev_stream *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t n = s->net_len < (size_t)len ? s->net_len : (size_t)len;
    if (!n) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(dst, s->net, n);
    s->net += n;
    s->net_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *src, int len)
{
    struct ev_stream *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buf_append(loop_cipher(s->loop), src, (size_t)len);
    return len; /* a failed buffer shows in tls_flush */
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio, (void)num, (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "berth stream");
    if (!m)
        return;
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_ctrl(m, bio_ctrl);
    bio_method = m;
}

/* Whom the certificate must name; an address is never sent as a name (RFC 6066 3). */
static bool expect_host(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    ERR_clear_error();
    /* SSL_set_tlsext_host_name, but for its cast that drops a const */
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)host) == 1 &&
           SSL_set1_host(ssl, host) == 1;
}

int stream_start_tls(struct ev_stream *s, struct ev_tls *tls, const char *host, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    s->ssl = SSL_new(tls->ctx);
    BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
    if (!s->ssl || !bio) {
        BIO_free(bio);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    if (tls->server) {
        SSL_set_accept_state(s->ssl);
    } else {
        SSL_set_connect_state(s->ssl);
        if (!expect_host(s->ssl, host))
            return err_set(err, BERR_NOMEM, "out of memory");
        SSL_do_handshake(s->ssl);
        tls_flush(s);
    }
    return 0;
}

/* ---- out ---- */

void tls_flush(struct ev_stream *s)
{
    struct buf *cipher = loop_cipher(s->loop);
    if (buf_is_failed(cipher)) {
        struct err err = {0};
        err_set(&err, BERR_NOMEM, "out of memory");
        stream_fail(s, &err);
    } else if (cipher->len) {
        stream_raw_write(s, cipher->data, cipher->len, NULL, 0);
    }
    if (cipher->cap > CIPHER_KEEP || cipher->failed) {
        buf_done(cipher);
        buf_init(cipher, EV_QUEUE_MAX);
    } else {
        buf_clear(cipher);
    }
}

int tls_write(struct ev_stream *s, const void *data, size_t len)
{
    if (!len)
        return 0;
    if (s->broken || s->closing)
        return -BERR_IO;
    if (!SSL_is_init_finished(s->ssl)) {
        buf_append(&s->plain, data, len);
        return buf_is_failed(&s->plain) ? -BERR_NOMEM : 0;
    }
    ERR_clear_error();
    for (size_t done = 0, n = 0; done < len; done += n)
        if (!SSL_write_ex(s->ssl, (const char *)data + done, len - done, &n)) {
            fail_tls(s, "TLS");
            return -BERR_IO;
        }
    return 0;
}

static void finish_handshake(struct ev_stream *s)
{
    if (s->handshaken || !SSL_is_init_finished(s->ssl))
        return;
    s->handshaken = true;
    if (s->plain.len)
        tls_write(s, s->plain.data, s->plain.len);
    buf_done(&s->plain);
    buf_init(&s->plain, EV_QUEUE_MAX);
    if (s->shut || s->close_soon)
        tls_close_notify(s);
    tls_flush(s);
    if (!ev_stream_queued(s))
        stream_drained(s);
}

void tls_close_notify(struct ev_stream *s)
{
    if (!SSL_is_init_finished(s->ssl) || s->broken)
        return;
    ERR_clear_error();
    SSL_shutdown(s->ssl);
    ERR_clear_error();
    tls_flush(s);
}

/* ---- in ---- */

static bool may_go_on(const struct ev_stream *s)
{
    return !s->closing && !s->broken;
}

/* Decrypts one record and gives it out; false when there is no whole one, or never will be. */
static bool take_record(struct ev_stream *s)
{
    char *clear = loop_clear_buffer(s->loop);
    size_t n = 0;
    ERR_clear_error();
    int ok = SSL_read_ex(s->ssl, clear, SSL3_RT_MAX_PLAIN_LENGTH, &n);
    int why = ok ? SSL_ERROR_NONE : SSL_get_error(s->ssl, ok);
    tls_flush(s);
    if (may_go_on(s))
        finish_handshake(s);
    if (!may_go_on(s))
        return false;
    if (ok) {
        if (s->events.on_data)
            s->events.on_data(s->arg, clear, n);
        return true;
    }
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return false;
    if (why != SSL_ERROR_ZERO_RETURN)
        fail_tls(s, "TLS");
    else
        stream_tell_eof(s);
    return false;
}

void tls_feed(struct ev_stream *s, const char *data, size_t len)
{
    s->net = data;
    s->net_len = len;
    while (take_record(s) && may_go_on(s) && s->want_read)
        ;
    if (may_go_on(s) && s->net_len) { /* reading was stopped by what came */
        struct buf rest = BUF(EV_QUEUE_MAX);
        buf_append(&rest, s->net, s->net_len);
        if (buf_is_failed(&rest)) {
            struct err err = {0};
            err_set(&err, BERR_NOMEM, "out of memory");
            stream_fail(s, &err);
        }
        buf_done(&s->held);
        s->held = rest;
        if (s->want_read) /* stopped and started again meanwhile */
            loop_soon(s->loop, s);
    }
    s->net = NULL;
    s->net_len = 0;
}

void tls_feed_held(struct ev_stream *s)
{
    struct buf in = s->held;
    buf_init(&s->held, EV_QUEUE_MAX);
    tls_feed(s, in.data, in.len);
    buf_done(&in);
    if (may_go_on(s) && s->want_read && !s->held.len)
        ev_stream_read(s, true);
}
