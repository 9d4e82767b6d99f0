/*
 * server: HTTP/1.1 over ev streams, with a limit on every phase.
 *
 * The handler is called when a request's head is complete. It may ask for the body (whole, or as
 * it comes), answer at once or later, stream its answer, or take the connection over. Every request
 * is ended exactly once, by http_reply, http_reply_err, http_stream_end or http_hijack — also when
 * the client has gone meanwhile (http_request_is_gone; the ending is then a formality that frees
 * it). Strings of a request live until it ends.
 *
 * Loop thread. Knows no domain: `user` belongs to the handlers.
 */
#ifndef BERTH_HTTP_SERVER_H
#define BERTH_HTTP_SERVER_H

#include "ev/stream.h"
#include "http/parse.h"
#include "http/url.h"

struct http_server;
struct http_conn;

struct http_request {
    struct arena arena;
    const struct http_head *head;
    struct url_target target;
    const char *method;
    char id[33];               /* X-Request-Id of a trusted peer, or made here */
    char peer[64];             /* address as text */
    const char *const *params; /* set by the router: values of :names in the pattern, in order */
    void *user;                /* the handlers' */
    void (*user_free)(void *user); /* called when the request ends; may be NULL */
    /* the server's */
    struct http_conn *conn; /* NULL: the client has gone */
    struct buf extra;       /* headers added with http_reply_header */
    struct buf body;
    size_t body_max;
    void (*on_body)(struct http_request *req, const char *data, size_t len, int rc,
                    const struct err *err);
    int (*on_piece)(void *arg, const char *data, size_t len); /* streaming; end: data NULL */
    void *piece_arg;
    void (*on_gone)(void *arg);
    void (*on_drain)(void *arg);
    void *gone_arg, *drain_arg;
    struct buf kept; /* the head's strings once the connection is gone */
    bool *freed;     /* set when the request ends under a callback */
    bool late;       /* the body did not come in time: that is the client's fault */
    bool handled, body_wanted, body_done, replied, streaming, chunked, is_head;
    int status;
    uint64_t sent_bytes;
};

typedef void http_handler_fn(struct http_request *req, void *arg);
/* After a request ended: for access logs and metrics. */
typedef void http_done_fn(const struct http_request *req, int64_t ms, void *arg);

struct http_server_config {
    http_handler_fn *handler;
    http_done_fn *done; /* may be NULL */
    void *arg;
    size_t connections_max;  /* 0: LIMIT_HTTP_CONNECTIONS */
    bool trust_peer;         /* take X-Request-Id and X-Forwarded-For from the peer (unix socket) */
    bool raw_targets;        /* hand on any target, req->target empty: a proxy judges by itself */
    const char *server_name; /* Server header; NULL: none */
};

struct http_server *http_server_new(struct ev_loop *loop, const struct http_server_config *cfg);
/* Adds a place to listen; see ev_listen. ret_port may be NULL. */
int http_server_listen(struct http_server *s, const struct ev_address *at, int mode,
                       struct ev_tls *tls, uint16_t *ret_port, struct err *err);
/* Serves a stream that somebody else accepted: in-memory tests. Takes it over. */
void http_server_serve(struct http_server *s, struct ev_stream *stream);
struct http_server *http_server_free(struct http_server *s); /* closes all connections */
size_t http_server_connections(const struct http_server *s);

/* ---- the body ---- */

/* Collects the whole body, at most max bytes, then calls fn (rc 0), also when there is none.
 * TOO_LARGE, TIMEOUT or a broken connection come as rc < 0; the handler still ends the request. */
void http_request_read_body(struct http_request *req, size_t max,
                            void (*fn)(struct http_request *req, const char *data, size_t len,
                                       int rc, const struct err *err));
/* Gives pieces as they come; at the end (data NULL, len 0) or on a break (data NULL, len 1).
 * fn returns 0, or 1 to pause until http_request_resume_body: a few pieces may still come. */
void http_request_stream_body(struct http_request *req,
                              int (*fn)(void *arg, const char *data, size_t len), void *arg);
void http_request_resume_body(struct http_request *req);

/* ---- the answer ---- */

void http_reply_header(struct http_request *req, const char *name, const char *value);
/* Ends the request. type may be NULL without a body. */
void http_reply(struct http_request *req, int status, const char *type, const void *data,
                size_t len);
void http_reply_str(struct http_request *req, int status, const char *type, const char *text);
/* application/problem+json (RFC 9457): type, title, status, detail, code, field, line, column,
 * hint, request. */
void http_reply_err(struct http_request *req, const struct err *err);
/* Sends the head, with http_reply_header's lines; length -1: chunked when the client can, else until
 * close. Then http_stream_write as long as http_stream_queued is small, and http_stream_end. */
void http_stream_begin(struct http_request *req, int status, const char *type, int64_t length);
void http_stream_write(struct http_request *req, const void *data, size_t len);
size_t http_stream_queued(const struct http_request *req);
void http_stream_on_drain(struct http_request *req, void (*fn)(void *arg), void *arg);
void http_stream_end(struct http_request *req);
/* Breaks the connection in the middle of an answer: the client must notice. Ends the request. */
void http_stream_abort(struct http_request *req);

/* Called once when the client goes before the request has ended — unless the body was being waited
 * for, whose callback tells it then. */
void http_request_on_gone(struct http_request *req, void (*fn)(void *arg), void *arg);
bool http_request_is_gone(const struct http_request *req);
/* Ends the request and gives its connection away: the stream (reading stopped, no events set) and
 * what was received behind the head (the caller's now: buf_done). NULL when the client has gone. */
struct ev_stream *http_hijack(struct http_request *req, struct buf *ret_rest);

const char *http_status_text(int status);

#endif
