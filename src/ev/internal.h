/*
 * internal: what stream.c, connect.c, listen.c and tls.c share.
 */
#ifndef BERTH_EV_INTERNAL_H
#define BERTH_EV_INTERNAL_H

#include <openssl/ssl.h>
#include <uv.h>
#include "base/alloc.h"
#include "base/buf.h"
#include "ev/stream.h"
#include "ev/tls.h"

#define EV_QUEUE_MAX     (64u << 20) /* a writer that ignores back-pressure breaks its stream */
#define EV_CLOSE_SOON_MS 5000
#define EV_LINGER_MS     2000
#define EV_CORK_BYTES    (32u << 10)

struct ev_tls {
    SSL_CTX *ctx;
    bool server;
    struct tls_names *names; /* tls_names.c; NULL: none are made */
    unsigned char pin[32];   /* of a pinned client: SHA-256 of the certificate */
};

struct ev_stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct ev_stream_events events;
    void *arg;
    struct ev_loop *loop;
    SSL *ssl;         /* NULL: plain */
    struct buf plain; /* TLS: written before the handshake was done */
    struct buf held;  /* TLS: received, not decrypted: reading is stopped */
    const char *net;  /* TLS: what tls_feed works on */
    size_t net_len;
    struct buf out; /* waits behind the write in flight */
    bool in_flight, corked;
    uint64_t accepted_bytes; /* of raw writes */
    uv_shutdown_t shutdown;
    uv_timer_t *linger;  /* close_soon's limit */
    struct err *failure; /* of a broken stream, until it is told; NULL: out of memory */
    struct ev_stream *soon_next;
    struct ev_stream *cork_prev, *cork_next;
    bool soon, closed; /* the loop's list holds the stream; libuv does no longer */
    bool is_unix, reading, want_read, closing, close_soon, shut, shut_sent, broken, told, eof,
        eof_told, handshaken;
};

/* loop.c: calls stream_soon in the next round; needs no memory. */
void loop_soon(struct ev_loop *loop, struct ev_stream *s);
/* loop.c: stream_round_over is called at the end of this round, unless loop_uncork comes before. */
void loop_cork(struct ev_loop *loop, struct ev_stream *s);
void loop_uncork(struct ev_loop *loop, struct ev_stream *s);
void stream_round_over(struct ev_stream *s);
struct buf *loop_cipher(struct ev_loop *loop); /* scratch for records on their way out */
/* Where a read puts its bytes, and a record its text: used up inside the callback. */
#define EV_READ_BYTES 65536
char *loop_read_buffer(struct ev_loop *loop);
char *loop_clear_buffer(struct ev_loop *loop); /* SSL3_RT_MAX_PLAIN_LENGTH */

struct ev_stream *stream_new(struct ev_loop *loop, bool is_unix);
void stream_soon(struct ev_stream *s);
void stream_tell_eof(struct ev_stream *s);
void stream_drained(struct ev_stream *s); /* everything queued has gone to the kernel */
/* Ends the stream whose lingering this timer bounds; other handles are left alone. */
void stream_end_linger(uv_handle_t *handle);
int stream_start_tls(struct ev_stream *s, struct ev_tls *tls, const char *host, struct err *err);

void tls_names_free(struct tls_names *n);

/* tls_io.c */
void tls_feed(struct ev_stream *s, const char *data, size_t len); /* from the network */
void tls_feed_held(struct ev_stream *s);
int tls_write(struct ev_stream *s, const void *data, size_t len);
void tls_flush(struct ev_stream *s); /* handshake and records to the network */
void tls_close_notify(struct ev_stream *s);
int stream_raw_write(struct ev_stream *s, const void *a, size_t a_len, const void *b, size_t b_len);
void stream_fail(struct ev_stream *s, const struct err *err);

#endif
