/*
 * stream: a connection — TCP or unix socket, plain or TLS — with owned writes and back-pressure.
 *
 * Whoever gets a stream owns it and ends it with ev_stream_close; after that no callback comes.
 * Events are set by ev_stream_set and may be replaced at any time (a connection that is handed
 * over). Data given to on_data lives during the call. Writes copy what the kernel does not take at
 * once; ev_stream_queued tells how much waits, on_drain when nothing does any more.
 *
 * Reading starts stopped. Loop thread.
 */
#ifndef BERTH_EV_STREAM_H
#define BERTH_EV_STREAM_H

#include <stddef.h>
#include "ev/loop.h"

struct ev_stream;
struct ev_tls; /* tls.h */

struct ev_stream_events {
    void (*on_data)(void *arg, const char *data, size_t len);
    void (*on_eof)(void *arg);                          /* the peer sends no more */
    void (*on_error)(void *arg, const struct err *err); /* it is broken: close it */
    void (*on_drain)(void *arg);                        /* may be NULL */
};

/* ---- making ---- */

struct ev_address {
    const char *unix_path; /* this, or: */
    const char *host;      /* name or numeric; names under .localhost are loopback (RFC 6761) */
    uint16_t port;
};

typedef void ev_accept_fn(void *arg, struct ev_stream *s);
struct ev_listener;
/* host must be numeric here; port 0 picks one (ev_listener_port). A unix path is replaced when it
 * is stale, and gets `mode`. tls may be NULL. CONFLICT: somebody listens there already. */
int ev_listen(struct ev_loop *loop, const struct ev_address *at, int mode, struct ev_tls *tls,
              ev_accept_fn *fn, void *arg, struct ev_listener **ret, struct err *err);
uint16_t ev_listener_port(const struct ev_listener *l);
struct ev_listener *ev_listener_close(struct ev_listener *l); /* NULL allowed */

/* s is NULL on failure. Canceled by ev_connect_cancel: then fn is not called. */
typedef void ev_connect_fn(void *arg, struct ev_stream *s, const struct err *err);
struct ev_connect;
struct ev_connect *ev_connect(struct ev_loop *loop, const struct ev_address *to, struct ev_tls *tls,
                              int64_t timeout_ms, ev_connect_fn *fn, void *arg, struct err *err);
void ev_connect_cancel(struct ev_connect *c);

/* ---- using ---- */

void ev_stream_set(struct ev_stream *s, const struct ev_stream_events *events, void *arg);
void ev_stream_read(struct ev_stream *s, bool on);
/* Data that arrived with a handshake is given out by the next round of the loop. */
int ev_stream_write(struct ev_stream *s, const void *data, size_t len); /* 0, or -NOMEM / -IO */
/* Two pieces in one system call when possible: head and body. */
int ev_stream_write2(struct ev_stream *s, const void *a, size_t a_len, const void *b, size_t b_len);
/* What is written from now on leaves together, when it is enough, at uncork, or at the end of this
 * round of the loop. */
void ev_stream_cork(struct ev_stream *s);
void ev_stream_uncork(struct ev_stream *s);
size_t ev_stream_queued(const struct ev_stream *s);
/* Bytes that the kernel has taken since the beginning: whether a slow reader still reads. */
uint64_t ev_stream_sent(const struct ev_stream *s);
/* No more writes: what is queued goes out, then the peer sees the end. */
void ev_stream_shutdown(struct ev_stream *s);
/* Sends what is queued (at most a few seconds), waits a moment for the peer's end, then ends; no
 * callback comes any more. */
void ev_stream_close_soon(struct ev_stream *s);
void ev_stream_close(struct ev_stream *s);

/* Notices after a few minutes of silence that the peer's machine is gone (TCP keep-alive). */
void ev_stream_keepalive(struct ev_stream *s);

/* "127.0.0.1", "::1", or "unix". */
const char *ev_stream_peer(struct ev_stream *s, char dst[64]);
bool ev_stream_is_loopback(struct ev_stream *s);
/* Effective uid of a unix peer, -1 otherwise. */
int64_t ev_stream_peer_uid(struct ev_stream *s);
bool ev_stream_is_tls(const struct ev_stream *s);
/* Of a server's certificate once the handshake is done (65 bytes, see tls.h); false without one. */
bool ev_stream_fingerprint(const struct ev_stream *s, char ret[65]);

#endif
