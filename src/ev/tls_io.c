/*
 * tls_io: records between the network and OpenSSL by memory BIOs.
 */
#include <openssl/err.h>
#include <string.h>
#include "ev/internal.h"

static void fail_tls(struct ev_stream *s, const char *what)
{
    struct err err = {0};
    char text[160] = "";
    unsigned long code = ERR_peek_last_error();
    long verify = s->ssl ? SSL_get_verify_result(s->ssl) : X509_V_OK;
    if (verify != X509_V_OK)
        strncpy(text, X509_verify_cert_error_string(verify), sizeof(text) - 1);
    else if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    err_set(&err, BERR_PROTOCOL, "%s: %s", what, text[0] ? text : "closed");
    stream_fail(s, &err);
}

int stream_start_tls(struct ev_stream *s, struct ev_tls *tls, const char *host, struct err *err)
{
    s->ssl = SSL_new(tls->ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (!s->ssl || !in || !out) {
        BIO_free(in);
        BIO_free(out);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    SSL_set_bio(s->ssl, in, out);
    if (tls->server) {
        SSL_set_accept_state(s->ssl);
    } else {
        SSL_set_connect_state(s->ssl);
        SSL_set_tlsext_host_name(s->ssl, host);
        SSL_set1_host(s->ssl, host);
        SSL_do_handshake(s->ssl);
        tls_flush(s);
    }
    return 0;
}

void tls_flush(struct ev_stream *s)
{
    char chunk[16384];
    BIO *out = SSL_get_wbio(s->ssl);
    while (!s->closing) {
        int n = BIO_read(out, chunk, sizeof(chunk));
        if (n <= 0)
            return;
        if (stream_raw_write(s, chunk, (size_t)n, NULL, 0) < 0)
            return;
    }
}

int tls_write(struct ev_stream *s, const void *data, size_t len)
{
    if (!len)
        return 0;
    if (!SSL_is_init_finished(s->ssl)) {
        buf_append(&s->plain, data, len);
        return buf_is_failed(&s->plain) ? -BERR_NOMEM : 0;
    }
    ERR_clear_error();
    size_t done = 0;
    while (done < len) {
        size_t n = 0;
        if (!SSL_write_ex(s->ssl, (const char *)data + done, len - done, &n))
            return -BERR_IO;
        done += n;
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
    tls_flush(s);
    if (!ev_stream_queued(s) && s->events.on_drain)
        s->events.on_drain(s->arg);
}

void tls_feed(struct ev_stream *s, const char *data, size_t len)
{
    static char clear[16384]; /* one record; used up inside the callback */
    BIO_write(SSL_get_rbio(s->ssl), data, (int)len);
    while (!s->closing && !s->broken) {
        size_t n = 0;
        ERR_clear_error();
        int ok = SSL_read_ex(s->ssl, clear, sizeof(clear), &n);
        tls_flush(s);
        if (s->closing || s->broken)
            return;
        finish_handshake(s);
        if (s->closing)
            return;
        if (ok) {
            if (s->events.on_data && !s->close_soon)
                s->events.on_data(s->arg, clear, n);
            continue;
        }
        int why = SSL_get_error(s->ssl, ok);
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
            return;
        if (why == SSL_ERROR_ZERO_RETURN) {
            if (s->close_soon)
                ev_stream_close(s);
            else if (s->events.on_eof)
                s->events.on_eof(s->arg);
            return;
        }
        fail_tls(s, "TLS");
        return;
    }
}

void tls_close_notify(struct ev_stream *s)
{
    if (!SSL_is_init_finished(s->ssl) || s->broken)
        return;
    ERR_clear_error();
    SSL_shutdown(s->ssl);
    tls_flush(s);
}
